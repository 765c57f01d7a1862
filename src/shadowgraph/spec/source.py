"""From a TOML file to a validated model, with errors that name file and key.

Here live: reading and the translation of validation errors.
Not here: the models themselves.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from shadowgraph.errors import SpecError

Model = TypeVar("Model", bound=BaseModel)

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
        SpecError: naming the first wrong key and how many more there are.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        # A misspelt key is both unknown and missing; the unknown one is what the user wrote.
        first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
        key = dotted(first["loc"])
        more = error.error_count() - 1
        also = f" (and {more} more)" if more else ""
        if first["type"] == "extra_forbidden":
            raise SpecError(
                f"the key {key!r} is unknown{also}", where=where, hint=suggestion(first["loc"], model)
            ) from error
        if first["type"] == "missing":
            raise SpecError(f"the key {key!r} is missing{also}", where=where) from error
        message = first["msg"].removeprefix("Value error, ")
        shown = "" if isinstance(first["input"], dict | list) else f", found {first['input']!r}"
        named = f"key {key!r}: " if key else ""
        raise SpecError(f"{named}{message}{shown}{also}", where=where) from error


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
