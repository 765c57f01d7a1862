"""The safetensors format: our own bounded parser of the header.

Here live: every check of the format (length, cap, JSON, types, checked products, no overlap, no hole, no tail).
Not here: values (see `values`), directories of several files, roles.
Format: https://github.com/huggingface/safetensors, section "Format".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.readers.header import Header
from shadowgraph.weights.readers.sniff import foreign_content
from shadowgraph.weights.readers.span import current_stamp, opened, read_span, require_unchanged
from shadowgraph.weights.readers.strict_json import parse
from shadowgraph.weights.tensor import ELEMENT_TYPES, Stamp, TensorEntry

HEADER_CAP = 100_000_000
TENSOR_CAP = 200_000
_COUNT_CAP = 2**64 - 1
_FIELDS = frozenset({"dtype", "shape", "data_offsets"})


def read_header(path: Path) -> Header:
    """Read and check the header of one file; no tensor data is read.

    Raises:
        CheckpointError: the file breaks the format; the message names file and tensor.
        EnvironmentFault: the file may not or cannot be read.
    """
    with opened(path) as (descriptor, stamp):
        head = read_span(descriptor, stamp, 0, min(stamp.size, 512)).tobytes()
        length = _header_length(head, stamp)
        text = read_span(descriptor, stamp, 8, length).tobytes()
        require_unchanged(current_stamp(descriptor, path), stamp)
    content = parse(text, what="the header", where=str(path))
    if not isinstance(content, dict):
        raise CheckpointError("the header is not an object", where=str(path))
    table = cast(dict[str, Any], content)
    metadata = _metadata(table.pop("__metadata__", {}), stamp)
    if len(table) > TENSOR_CAP:
        raise CheckpointError(f"{len(table)} tensors, more than the limit of {TENSOR_CAP}", where=str(path))
    notes: list[str] = []
    entries = [_entry(name, value, stamp, 8 + length, notes) for name, value in table.items()]
    entries.sort(key=lambda entry: (entry.offset, entry.size))
    _require_full_cover(entries, stamp, 8 + length)
    return Header(stamp, tuple(entries), metadata, tuple(notes))


def _header_length(head: bytes, stamp: Stamp) -> int:
    """Length of the header in bytes; refuses everything that cannot be one, saying what it is instead."""
    where = str(stamp.path)
    if stamp.size == 0:
        raise CheckpointError("empty file", where=where, hint="download or save it again")
    length = int.from_bytes(head[:8], "little")
    if len(head) > 8 and head[8:9] == b"{" and 2 <= length <= min(HEADER_CAP, stamp.size - 8):
        return length
    foreign = foreign_content(head)
    if foreign is not None:
        raise CheckpointError(foreign[0], where=where, hint=foreign[1])
    if stamp.size <= 8:
        raise CheckpointError(f"{stamp.size} bytes, too short for the length field and a header", where=where)
    if head[8:9] != b"{" and length > stamp.size - 8:
        raise CheckpointError(
            f"not a safetensors file: its first 8 bytes are no length of a header that fits ({length})",
            where=where,
            hint="give the file of the weights, or download it again",
        )
    if length > HEADER_CAP:
        raise CheckpointError(f"the header length {length} exceeds the cap of {HEADER_CAP} bytes", where=where)
    if length > stamp.size - 8:
        raise CheckpointError(
            f"truncated: the header needs {length} bytes, the file has {stamp.size - 8} after the length field",
            where=where,
            hint="download or save it again",
        )
    raise CheckpointError("not a safetensors file: the header does not begin with '{'", where=where)


def _metadata(value: Any, stamp: Stamp) -> dict[str, str]:
    if not isinstance(value, dict):
        raise CheckpointError("__metadata__ is not an object", where=str(stamp.path))
    for key, text in cast(dict[str, Any], value).items():
        if not isinstance(text, str):
            raise CheckpointError(f"the __metadata__ value '{printable(key)}' is not text", where=str(stamp.path))
    return cast(dict[str, str], value)


def _entry(name: str, value: Any, stamp: Stamp, start: int, notes: list[str]) -> TensorEntry:
    """Check one declaration: fields, type, checked product of the shape, span length."""
    try:
        dtype, shape, begin, size = _declared(name, value)
    except ValueError as error:
        raise CheckpointError(str(error), where=f"{stamp.path}: tensor '{printable(name)}'") from error
    if len(value) > len(_FIELDS):
        extra = ", ".join(sorted(printable(key, 40) for key in value.keys() - _FIELDS))
        notes.append(f"tensor '{printable(name)}' has extra fields: {printable(extra)}")
    if len(name) > 1000 or not name.isprintable() or not name:
        notes.append(f"tensor '{printable(name)}' has an unusual name ({len(name)} characters)")
    return TensorEntry(name, dtype, shape, stamp, start + begin, size)


def _declared(name: str, value: Any) -> tuple[str, tuple[int, ...], int, int]:
    """Type, shape, first byte and size of one declaration; ValueError says what is wrong with it."""
    if not (name.isascii() or _encodable(name)):
        raise ValueError("the name is not valid Unicode")
    if not isinstance(value, dict):
        raise ValueError("the entry is not an object")
    fields = cast(dict[str, Any], value)
    if not fields.keys() >= _FIELDS:
        raise ValueError(f"the entry lacks {', '.join(sorted(_FIELDS - fields.keys()))}")
    dtype = fields["dtype"]
    element = ELEMENT_TYPES.get(dtype) if isinstance(dtype, str) else None
    if element is None:
        raise ValueError(f"unknown dtype {printable(str(dtype), 40)}; known are {', '.join(ELEMENT_TYPES)}")
    shape, offsets = _counts(fields["shape"]), _counts(fields["data_offsets"])
    if shape is None:
        raise ValueError("the shape is not a list of counts")
    if offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError("data_offsets is not a pair of counts [begin, end] with begin <= end")
    bits, size = _checked_bits(shape, element.bits), offsets[1] - offsets[0]
    if bits is None:
        raise ValueError(f"overflow: the shape {list(shape[:10])} has more bits than 64-bit counts hold")
    if bits != 8 * size:
        raise ValueError(f"shape {list(shape[:10])} of {dtype} needs {bits / 8:g} bytes, data_offsets give {size}")
    return cast(str, dtype), shape, offsets[0], size


def _encodable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _counts(value: Any) -> tuple[int, ...] | None:
    """A list of integers in 0 … 2**64 - 1 as a tuple, or None; booleans and floats are no counts."""
    if not isinstance(value, list):
        return None
    items = cast(list[Any], value)
    for item in items:
        if type(item) is not int or not 0 <= item <= _COUNT_CAP:
            return None
    return tuple(items)


def _checked_bits(shape: tuple[int, ...], bits: int) -> int | None:
    """Product of the extents and the element's bits, None when a partial product leaves 64 bits."""
    product = 1
    for extent in (*shape, bits):
        product *= extent
        if product > _COUNT_CAP:
            return None
    return product


def _require_full_cover(entries: list[TensorEntry], stamp: Stamp, start: int) -> None:
    """Spans must follow one another from the first data byte to the last: no overlap, no hole, no tail."""
    where = str(stamp.path)
    position, previous = start, ""
    for entry in entries:
        if entry.offset < position:
            found = f"tensor '{printable(entry.name)}' overlaps tensor '{printable(previous)}'"
            raise CheckpointError(found, where=where)
        if entry.offset > position:
            found = f"a hole of {entry.offset - position} bytes before tensor '{printable(entry.name)}'"
            raise CheckpointError(found, where=where)
        position, previous = entry.offset + entry.size, entry.name
    if position > stamp.size:
        cut = next(entry.name for entry in entries if entry.offset + entry.size > stamp.size)
        raise CheckpointError(
            f"truncated: {position} bytes expected, {stamp.size} present; first tensor affected '{printable(cut)}'",
            where=where,
            hint="download or save it again",
        )
    if position < stamp.size:
        raise CheckpointError(
            f"an uncovered tail of {stamp.size - position} bytes after the last tensor: another format may hide there",
            where=where,
        )
