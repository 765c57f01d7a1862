"""From a TOML file to a validated model, with errors that name file and key.

Here live: reading and the translation of validation errors.
Not here: the models themselves.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from shadowgraph.errors import SpecError

Model = TypeVar("Model", bound=BaseModel)

UNKNOWN = "extra_forbidden"
SHOWN = 5  # faults that a message tells
PLAIN = frozenset({"bool", "int", "float", "str", "constrained-str"})  # kinds of plain values, as pydantic calls them
LARGEST_SPEC = 1 << 20  # bytes; a specification is written by a person


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        SpecError: when the file is absent, too large, not UTF-8 or not TOML (line and column named).
    """
    try:
        if path.stat().st_size > LARGEST_SPEC:
            raise SpecError(
                f"larger than {LARGEST_SPEC} bytes", where=str(path), hint="a specification is a short file"
            )
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SpecError("no such file", where=str(path), hint="give the path of a .toml file") from error
    except IsADirectoryError as error:
        raise SpecError("a folder, not a file", where=str(path), hint="give the path of a .toml file") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"not UTF-8 at byte {error.start}", where=str(path)) from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"not TOML: {error}", where=str(path)) from error


def load(path: Path, model: type[Model]) -> Model:
    """Read and validate a specification.

    Args:
        path: a TOML file.
        model: the pydantic model it must fit.

    Raises:
        SpecError: naming the file, the first wrong key, what was found and what is expected.
    """
    return validate(read_toml(path), model, where=str(path))


def validate(values: dict[str, Any], model: type[Model], where: str) -> Model:
    """Validate plain values against a model.

    Args:
        values: what a TOML file holds.
        model: the pydantic model they must fit.
        where: the file or other origin, for the message.

    Raises:
        SpecError: naming up to five wrong keys; its `faults` hold all of them.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # A misspelt key is both unknown and missing; the unknown one is what the user wrote.
        found = sorted(_meant(error.errors(include_url=False), model), key=lambda one: one["type"] != UNKNOWN)
        told = [_told(fault) for fault in found]
        hints = [suggestion(found[0]["loc"], model)] if found[0]["type"] == UNKNOWN else []
        if further := told[1:SHOWN]:
            hints.append(f"also {'; '.join(further)}")
        hints += [f"and {len(told) - SHOWN} more"] if len(told) > SHOWN else []
        fault = SpecError(told[0], where=where, hint="; ".join(hints))
        fault.faults = tuple(told)
        raise fault from error


def _told(fault: Mapping[str, Any]) -> str:
    """One fault with its key."""
    key = dotted(fault["loc"])
    if fault["type"] == UNKNOWN:
        return f"the key {key!r} is unknown"
    if fault["type"] == "missing":
        return f"the key {key!r} is missing"
    shown = "" if isinstance(fault["input"], dict | list) else f", found {fault['input']!r}"
    return f"{f'key {key!r}: ' if key else ''}{fault['msg'].removeprefix('Value error, ')}{shown}"


def _meant(faults: Sequence[Any], model: type[BaseModel]) -> list[dict[str, Any]]:
    """Faults under keys of the file: of a key that may hold several kinds of values, those of the kind that was meant.

    Meant is the kind whose faults lie inside the value; where the value is of no kind, the kinds are told together.
    """
    branches: dict[tuple[Any, ...], dict[Any, list[dict[str, Any]]]] = {}
    for fault in faults:
        place = _kind_at(fault["loc"], model)
        whole = tuple(fault["loc"])
        at, kind, rest = (whole, None, ()) if place is None else (whole[:place], whole[place], whole[place + 1 :])
        branches.setdefault(at, {}).setdefault(kind, []).append({**fault, "loc": (*at, *rest), "inside": bool(rest)})
    found: list[dict[str, Any]] = []
    for kinds in branches.values():
        inside = [own for own in kinds.values() if any(one["inside"] for one in own)]
        if inside:
            found += [one for one in inside[0] if one["inside"]]
        else:
            first = next(iter(kinds.values()))
            messages = dict.fromkeys(one["msg"] for own in kinds.values() for one in own)
            found += [first[0] | {"msg": ", or ".join(messages)}] if None not in kinds else first
    return found


def _kind_at(location: Sequence[str | int], model: type[BaseModel]) -> int | None:
    """Place of the part of a location that names a kind of value and no key of the file; None where all are keys."""
    table: Any = model
    for place, part in enumerate(location):
        if isinstance(part, int):
            continue
        if table is None:  # inside a table of free keys, or a plain value
            return place if "[" in part or part in PLAIN else None
        if part not in table.model_fields:
            known = isinstance(table, type) and (part in PLAIN or "[" in part or part == table.__name__)
            return place if known else None
        annotation = table.model_fields[part].annotation
        table = nested_model(annotation)
    return None


def dotted(location: Sequence[str | int]) -> str:
    """Write a location the way a reader of TOML looks for it, for example `arms[1].share`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def suggestion(location: Sequence[str | int], model: type[BaseModel]) -> str:
    """Name the nearest known key beside an unknown one, or all keys of that table."""
    table: Any = model
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        field = table.model_fields.get(part)
        if field is None:
            return "remove it"
        table = nested_model(field.annotation)
        if table is None:
            return "remove it"
    known = sorted(table.model_fields)
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known keys are {', '.join(known)}"


def nested_model(annotation: Any) -> type[BaseModel] | None:
    """The pydantic model inside an annotation such as `tuple[Arm, ...]`, or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = nested_model(inner)
        if found is not None:
            return found
    return None
