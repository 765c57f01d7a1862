"""What `inspect` shows of an adapter: the matrices it changes, their ranks and scales, from headers only.

Here live: its document and its table.
Not here: the arguments and whole models (`inspect`), reading (`weights.adapters`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from shadowgraph.errors import printable
from shadowgraph.identity import Json

if TYPE_CHECKING:
    from shadowgraph.weights.adapters.adapter import Adapter, AdapterUpdates
    from shadowgraph.weights.adapters.factored import FactoredUpdate

NAME = 1 << 16  # characters of a name in JSON
NOTE = 1000


def adapter_document(adapter: Adapter) -> dict[str, Json]:
    """One adapter as data."""
    found = adapter.updates(None)
    return {
        "schema_version": "1.0",
        "kind": "adapter",
        "family": adapter.family,
        "structure": adapter.structure,
        "method": _method(adapter),
        "base": _base(adapter),
        "name": None if adapter.name is None else printable(adapter.name, NAME),
        "parameters": adapter.parameters,
        "stored_bytes": adapter.stored_bytes,
        "tensors": len(adapter.entries),
        "updates": [
            {
                "tensor": printable(update.name, NAME),
                "shape": list(update.shape),
                "rank": update.rank,
                "scale": update.scale,
                "dtype": update.dtype,
                "layer": update.layer,
                "expert": update.expert,
                "block": update.role.block,
                "slot": update.role.slot,
                "tower": update.role.tower,
            }
            for update in _ordered(found)
        ],
        "skipped": [
            {"tensor": printable(item.tensor, NAME), "reason": printable(item.reason)} for item in found.skipped
        ],
        "notes": [printable(note, NOTE) for note in (*adapter.notes, *found.notes)],
    }


def adapter_table(adapter: Adapter) -> list[str]:
    """One adapter as lines."""
    found = adapter.updates(None)
    ranks = sorted({update.rank for update in found.factored})
    lines = [
        f"{adapter.family}: an adapter ({_method(adapter) or 'method not named'}) of {len(found.factored)} matrices,"
        f" {adapter.parameters:,} parameters",
        f"ranks: {', '.join(map(str, ranks)) or 'none'}; seen: {len(adapter.entries)} tensors,"
        f" {adapter.stored_bytes:,} bytes; left out: {len(found.skipped)}",
    ]
    for reason, count in sorted(Counter(item.reason for item in found.skipped).items()):
        lines.append(f"left out: {count} ({printable(reason)})")
    lines.extend(f"note: {printable(note, NOTE)}" for note in (*adapter.notes, *found.notes))
    lines.extend(_line(update) for update in _ordered(found))
    return lines


def _line(update: FactoredUpdate) -> str:
    role, layer = update.role, "-" if update.layer is None else update.layer
    size, expert = f"{update.shape[0]}×{update.shape[1]}", "" if update.expert is None else f" expert {update.expert}"
    return (
        f"{printable(update.name):60} {size:>14} rank {update.rank:<5} scale {update.scale:<9.6g} {update.dtype:7}"
        f" {role.block:12} {role.slot:10} {layer}{expert}"
    )


def _ordered(found: AdapterUpdates) -> list[FactoredUpdate]:
    """Updates by layer, those outside the layers first."""
    return sorted(found.factored, key=lambda update: (-1 if update.layer is None else update.layer, update.name))


def _method(adapter: Adapter) -> str:
    """What the configuration calls the method, "" where it does not."""
    named = adapter.config.get("peft_type")
    return printable(named, 60) if isinstance(named, str) else ""


def _base(adapter: Adapter) -> str | None:
    """The base as the configuration names it."""
    named = adapter.config.get("base_model_name_or_path")
    return printable(named, NAME) if isinstance(named, str) and named else None
