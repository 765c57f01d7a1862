"""Who is who: canonical bytes, fingerprints and provenance.

Here live: the canonical form of a value, its digest, and the record of versions behind a result.
Not here: files of results (see `artifact`), timings, host names: those never enter an identity.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from shadowgraph.errors import Defect, EnvironmentFault

_END = 1 << 16  # bytes of each end of a file that its identity covers

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def plain(value: Any, where: str = "value") -> Json:
    """Reduce a value to JSON types; dataclasses become objects, tuples lists, numpy scalars numbers.

    Raises:
        Defect: for a NaN, an infinity or a type that has no canonical form.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise Defect(f"the number {value} has no place in a result", where=where)
    if isinstance(value, str):
        return _text(value, where)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist(), where)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return _members(value, where)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise Defect(f"a {type(value).__name__} has no canonical form", where=where)


def _text(value: str, where: str) -> str:
    """A text that UTF-8 can hold; half a surrogate pair has no bytes."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Defect(
            "a text with half a character has no canonical form", where=where, hint="use printable()"
        ) from error
    return value


def _members(value: Mapping[Any, Any], where: str) -> dict[str, Json]:
    """The members of an object by name; two keys such as 1 and "1" would be one."""
    named = {_text(str(key), where): plain(item, f"{where}.{key}") for key, item in value.items()}
    if len(named) != len(value):
        raise Defect("two keys are written alike", where=where)
    return named


def canonical_bytes(value: Any) -> bytes:
    """Serialise a value so that equal values give equal bytes: sorted keys, no spaces, UTF-8."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def fingerprint(value: Any) -> str:
    """Digest of the canonical bytes, the first 16 hex digits of SHA-256."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_identity(path: Path) -> dict[str, Any]:
    """Name, bytes and the digest of both ends of a file: enough to notice other data without reading all of it.

    Returns:
        "name", "bytes" and "ends", 32 hex digits of SHA-256 over the first and the last 64 KiB.

    Raises:
        EnvironmentFault: when the file cannot be read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            ends = hashlib.sha256(stream.read(_END))
            stream.seek(max(0, size - _END))
            ends.update(stream.read(_END))
    except OSError as error:
        raise EnvironmentFault(f"cannot be read ({error.strerror})", where=str(path)) from error
    return {"name": path.name, "bytes": size, "ends": ends.hexdigest()[:32]}


@dataclasses.dataclass(frozen=True, slots=True)
class Provenance:
    """What stood behind a result: package versions, seeds and the fingerprints of its parents."""

    versions: dict[str, str]
    seeds: dict[str, int]
    parents: dict[str, str]


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of packages; a package that is absent is named as "absent"."""
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
