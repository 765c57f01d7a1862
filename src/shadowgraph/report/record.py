"""Tolerant reading of `result.json`: a missing number keeps its reason, a wrong type names its place.

Here live: the accessors every rendering uses.
Not here: formatting, and any knowledge of what a key means.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from shadowgraph.errors import DataError, SpecError

MAJOR = "1"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number or the reason why there is none."""

    value: float | None
    status: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One JSON object of a result and the path that leads to it."""

    data: Mapping[str, Any]
    path: str = "result.json"

    def at(self, key: str) -> str:
        """The path of a key, for messages."""
        return f"{self.path}: {key}" if self.path == "result.json" else f"{self.path}.{key}"

    def fault(self, key: str, wanted: str) -> DataError:
        """The error for a value of the wrong type."""
        kind = type(self.data.get(key)).__name__
        return DataError(f"expected {wanted}, found {kind}", where=self.at(key), hint="rebuild the result")

    def text(self, key: str, default: str = "") -> str:
        """A string; numbers are accepted, a missing value is the default."""
        value = self.data.get(key)
        if value is None:
            return default
        if isinstance(value, str | int | float):
            return str(value)
        raise self.fault(key, "a string")

    def texts(self, key: str) -> list[str]:
        """A list of strings; missing is empty."""
        return [str(item) for item in self.items(key)]

    def flag(self, key: str) -> bool | None:
        """True, false or unknown."""
        value = self.data.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self.fault(key, "true or false")

    def number(self, key: str) -> Quantity:
        """A finite number, or none with the sibling `<key>_status` or `status`."""
        value = self.data.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise self.fault(key, "a number")
        if value is None:
            return Quantity(None, self.reason(key))
        return Quantity(float(value)) if math.isfinite(value) else Quantity(None, "not finite")

    def reason(self, key: str) -> str:
        """Why a number is missing, in words; empty when the result does not say."""
        status = self.data.get(f"{key}_status", self.data.get("status"))
        return status.replace("_", " ") if isinstance(status, str) and status != "ok" else ""

    def numbers(self, key: str) -> list[float | None]:
        """A list of finite numbers and gaps."""
        return [_finite(item) for item in self.items(key)]

    def interval(self, key: str = "interval") -> tuple[float, float] | None:
        """Two finite bounds, or none."""
        bounds = self.numbers(key)
        if len(bounds) == 2 and bounds[0] is not None and bounds[1] is not None:
            return bounds[0], bounds[1]
        return None

    def items(self, key: str) -> list[Any]:
        """A raw list; missing is empty."""
        value = self.data.get(key)
        if value is None:
            return []
        if isinstance(value, list | tuple):
            return list(cast("list[Any]", value))
        raise self.fault(key, "a list")

    def sizes(self, key: str = "n") -> str:
        """Sizes of samples, one number or a list of them, as "5 + 5"; missing is empty."""
        value = self.data.get(key)
        return " + ".join(self.texts(key)) if isinstance(value, list | tuple) else self.text(key)

    def record(self, key: str) -> Record:
        """A nested object; missing is empty."""
        value = self.data.get(key)
        if value is None:
            return Record({}, self.at(key))
        if isinstance(value, Mapping):
            return Record(cast("Mapping[str, Any]", value), self.at(key))
        raise self.fault(key, "an object")

    def records(self, key: str) -> list[Record]:
        """A list of objects; missing is empty.

        Raises:
            DataError: when the value is no list, or an entry no object.
        """
        found: list[Record] = []
        for position, item in enumerate(self.items(key)):
            if not isinstance(item, Mapping):
                raise DataError("expected an object", where=f"{self.at(key)}[{position}]", hint="rebuild the result")
            found.append(Record(cast("Mapping[str, Any]", item), f"{self.at(key)}[{position}]"))
        return found

    def leaves(self) -> Iterator[tuple[str, str]]:
        """Every leaf as (dotted key, text), in the order of the file."""
        for key, value in self.data.items():
            if isinstance(value, Mapping):
                for name, text in Record(cast("Mapping[str, Any]", value)).leaves():
                    yield f"{key} · {name}", text
            elif isinstance(value, list | tuple):
                yield key, ", ".join(str(item) for item in cast("list[Any]", value))
            else:
                yield key, "—" if value is None else str(value)


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def open_result(result: Mapping[str, Any], kind: str) -> Record:
    """Check the kind and the schema of a result and wrap it.

    Raises:
        DataError: when it is the result of something else.
        SpecError: when its schema is newer than this version can read.
    """
    record = Record(result)
    if record.text("kind") != kind:
        raise DataError(f"this is no result of kind {kind!r}", where=record.at("kind"))
    version = record.text("schema_version")
    if version.split(".", maxsplit=1)[0] != MAJOR:
        raise SpecError(
            f"schema version {version or 'missing'!r} cannot be read, expected {MAJOR}.x",
            where=record.at("schema_version"),
            hint="install the version of shadowgraph that wrote the result",
        )
    return record
