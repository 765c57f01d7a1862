"""Where two frozen plans differ, in words for a refusal.

Here live: the dotted keys under which two plans hold other values. Not here: the plan and its hash (`plan`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shadowgraph.errors import printable

SHOWN = 5
_ABSENT = object()


def differing(held: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """The first keys in which two plans differ, as a clause; "" where one of them is its hash alone.

    Args:
        held: the plan in a folder, as `plan.json` holds it.
        own: the plan at hand.

    Returns:
        For example "; they differ in analysis.alpha (0.05 there, 0.01 here)"; at most five keys are named.
    """
    found = [*_apart(_flat(held), _flat(own))] if "spec" in held else []
    if not found:
        return ""
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"; they differ in {', '.join(found[:SHOWN])}{more}"


def _flat(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves of a plan by dotted key, as a study file would name them."""
    parts = {"program": plan.get("program"), "files": plan.get("files", {})}
    return dict(_leaves("", plan.get("spec", {}))) | dict(_leaves("", parts))


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _leaves(f"{key}.{name}" if key else str(name), item)
    elif isinstance(value, list | tuple) and value:
        for place, item in enumerate(value):
            yield from _leaves(f"{key}[{place}]", item)
    else:
        yield key, value


def _apart(held: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[str]:
    """Every key with what stands there and here."""
    for key in dict.fromkeys([*own, *held]):
        there, here = held.get(key, _ABSENT), own.get(key, _ABSENT)
        if there != here:
            yield f"{printable(key, 100)} ({_told(there)} there, {_told(here)} here)"


def _told(value: Any) -> str:
    return "nothing" if value is _ABSENT else printable(str(value), 30)
