"""One tensor of an ONNX file: what its message declares, checked, as an entry.

Here live: the table of its data types, the fields of a TensorProto, and tensors whose bytes lie in another file.
Not here: the graph and the names that its nodes give (see `onnx_graph`), values.
Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, message TensorProto.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.folder import contained
from shadowgraph.weights.readers.span import opened
from shadowgraph.weights.readers.wire import BYTES, FIXED32, FIXED64, VARINT, Field, Wire
from shadowgraph.weights.tensor import Stamp, TensorEntry

RANK_CAP = 64
NAME_CAP = 2_000
_COUNT_CAP = 2**63 - 1
_SETTINGS_CAP = 100


@dataclass(frozen=True, slots=True)
class DataType:
    """A data type of ONNX: our name for it, bits of one element, and the field that may hold it in place of raw bytes.

    A `plain` field holds the elements as raw bytes would; the others hold one number of variable length each.
    """

    name: str
    bits: int
    field: int
    plain: bool = False


_FLOATS, _INTS, _STRINGS, _LONGS, _DOUBLES, _UNSIGNED = 4, 5, 6, 7, 10, 11
DATA_TYPES: Mapping[int, DataType] = {
    1: DataType("F32", 32, _FLOATS, plain=True),
    2: DataType("U8", 8, _INTS),
    3: DataType("I8", 8, _INTS),
    4: DataType("U16", 16, _INTS),
    5: DataType("I16", 16, _INTS),
    6: DataType("I32", 32, _INTS),
    7: DataType("I64", 64, _LONGS),
    8: DataType("STRING", 0, _STRINGS),
    9: DataType("BOOL", 8, _INTS),
    10: DataType("F16", 16, _INTS),
    11: DataType("F64", 64, _DOUBLES, plain=True),
    12: DataType("U32", 32, _UNSIGNED),
    13: DataType("U64", 64, _UNSIGNED),
    14: DataType("C64", 64, _FLOATS, plain=True),
    15: DataType("C128", 128, _DOUBLES, plain=True),
    16: DataType("BF16", 16, _INTS),
    17: DataType("F8_E4M3", 8, _INTS),
    18: DataType("F8_E4M3FNUZ", 8, _INTS),
    19: DataType("F8_E5M2", 8, _INTS),
    20: DataType("F8_E5M2FNUZ", 8, _INTS),
    21: DataType("U4", 4, _INTS),
    22: DataType("I4", 4, _INTS),
    23: DataType("F4", 4, _INTS),
    24: DataType("F8_E8M0", 8, _INTS),
    25: DataType("U2", 2, _INTS),
    26: DataType("I2", 2, _INTS),
    27: DataType("F6_E2M3", 6, _INTS),
    28: DataType("F6_E3M2", 6, _INTS),
}
"""Number of a data type (TensorProto.DataType) to what it is; E4M3FN is called F8_E4M3 here."""

_FOREIGN = frozenset({"STRING", "C128", "U4", "I4", "U2", "I2"})
_DATA = frozenset({_FLOATS, _INTS, _STRINGS, _LONGS, _DOUBLES, _UNSIGNED})
_ALONE = {_FLOATS: FIXED32, _DOUBLES: FIXED64, _INTS: VARINT, _LONGS: VARINT, _UNSIGNED: VARINT}
"""How one value of a field lies that is not packed with others."""
_DIMS, _KIND, _SEGMENT, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 3, 8, 9, 13, 14
_LABELS = frozenset({_DIMS, _KIND, _NAME, _LOCATION})
_ONCE = frozenset({_KIND, _NAME, _RAW, _LOCATION})
_SCATTERED = "its values lie in several runs"
_VARIABLE = "its values are stored as numbers of variable length, not as raw bytes"


@dataclass(slots=True)
class _Declared:
    """What the message of one tensor says, as it is read."""

    name: str = ""
    kind: int = 0
    dims: list[int] = field(default_factory=list[int])
    runs: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    settings: dict[str, str] = field(default_factory=dict[str, str])
    seen: set[int] = field(default_factory=set[int])
    outside: bool = False


class Tensors:
    """Reads the tensors of one file, and knows the stamps of the files that hold their bytes."""

    def __init__(self, wire: Wire, path: Path) -> None:
        """Of the file at `path`, walked by `wire`."""
        self._wire = wire
        self._path = path
        self._stamps: dict[str, Stamp] = {}

    def read(self, message: Field, name: str = "") -> TensorEntry:
        """One TensorProto as an entry.

        Args:
            message: the field that holds it.
            name: what to call it, "" for its own name.

        Raises:
            CheckpointError: it breaks the format, its bytes do not fit its shape, or lie where they may not.
            EnvironmentFault: a file beside it cannot be read.
        """
        declared = self._declared(message)
        name = name or declared.name
        where = f"{self._path}: tensor '{printable(name)}'"
        try:
            return self._entry(declared, name, message)
        except ValueError as error:
            raise CheckpointError(str(error), where=where) from error

    def _declared(self, message: Field) -> _Declared:
        """Walk the fields of one TensorProto."""
        wire, found = self._wire, _Declared()
        wire.require(message, BYTES)
        for part in wire.fields(message.value, message.value + message.size):
            if part.number in _ONCE:
                if part.number in found.seen:
                    raise wire.broken(f"field {part.number} of a tensor stands twice", part.value)
                found.seen.add(part.number)
            if part.number in _LABELS:
                self._label(part, found)
            elif part.number == _RAW or part.number in _DATA:
                self._run(part, found)
            elif part.number == _EXTERNAL:
                self._setting(part, found)
            elif part.number == _SEGMENT:
                raise wire.broken("a tensor in segments, which are not read", part.value)
        return found

    def _label(self, part: Field, found: _Declared) -> None:
        """One field that says what the tensor is."""
        wire = self._wire
        if part.number == _DIMS:
            found.dims += wire.varints(part, RANK_CAP)
            if len(found.dims) > RANK_CAP:
                raise wire.broken(f"a tensor of more than {RANK_CAP} axes", part.value)
        elif part.number == _NAME:
            found.name = wire.text(part, NAME_CAP)
        elif part.number == _KIND:
            found.kind = wire.require(part, VARINT).value
        else:
            found.outside = wire.require(part, VARINT).value == 1

    def _run(self, part: Field, found: _Declared) -> None:
        """One run of values; of many only two are kept, enough to see that there are several."""
        if part.kind != _ALONE.get(part.number, BYTES):
            self._wire.require(part, BYTES)
        if len(found.runs) < 2:
            place = (part.value, part.size) if part.kind == BYTES else (part.value if part.size else 0, part.size)
            found.runs.append((part.number, *place))

    def _setting(self, part: Field, found: _Declared) -> None:
        """One key and value of the list that says where the bytes lie."""
        wire = self._wire
        wire.require(part, BYTES)
        pair = {each.number: wire.text(each) for each in wire.fields(part.value, part.value + part.size)}
        if len(found.settings) >= _SETTINGS_CAP:
            raise wire.broken("too many settings of one tensor", part.value)
        found.settings[pair.get(1, "")] = pair.get(2, "")

    def _entry(self, declared: _Declared, name: str, message: Field) -> TensorEntry:
        """Check type, shape and span; ValueError says what is wrong."""
        kind = DATA_TYPES.get(declared.kind)
        if kind is None:
            raise ValueError(f"unknown data type {declared.kind}; known are 1 to {max(DATA_TYPES)}")
        if any(extent > _COUNT_CAP for extent in declared.dims):
            raise ValueError("a negative extent in its shape")
        shape = tuple(declared.dims)
        bits = _checked(shape, max(kind.bits, 1))
        size = -(-bits // 8) if kind.bits else 0
        stamp, offset, barred = self._wire.stamp, message.value, ""
        if declared.outside:
            if declared.runs:
                raise ValueError("its values are stored both here and in another file")
            stamp, offset = self._outside(declared.settings, size)
        elif not declared.runs:
            if math.prod(shape):
                raise ValueError(f"no values are stored for its shape {list(shape[:10])}")
        else:
            offset, size, barred = _span(declared.runs, kind, shape, size)
        if kind.name in _FOREIGN and not barred:
            barred = f"{kind.name}: integer or boolean type" if kind.name[0] in "UI" else f"{kind.name}: no number type"
        return TensorEntry(name, kind.name, shape, stamp, offset, size, barred=barred)

    def _outside(self, settings: Mapping[str, str], size: int) -> tuple[Stamp, int]:
        """The file and the first byte of values that lie beside the graph."""
        location = settings.get("location", "")
        if location not in self._stamps:
            folder, name = _root(self._path.parent, location)
            try:
                with opened(contained(folder, name)) as (_, stamp):
                    self._stamps[location] = stamp
            except CheckpointError as error:
                raise ValueError(f"its values lie in '{printable(location, 80)}': {error.found}") from error
        stamp = self._stamps[location]
        offset, length = _count(settings, "offset", 0), _count(settings, "length", size)
        if length != size:
            raise ValueError(f"its shape needs {size} bytes, {length} are promised in {printable(location, 80)}")
        if offset + size > stamp.size:
            raise ValueError(
                f"truncated: bytes {offset} to {offset + size} of {printable(location, 80)}, which has {stamp.size}"
            )
        return stamp, offset


def _span(runs: list[tuple[int, int, int]], kind: DataType, shape: tuple[int, ...], size: int) -> tuple[int, int, str]:
    """First byte and size of the values, and why they cannot be read, ""; ValueError where they do not fit."""
    number, offset, held = runs[0]
    if number not in (_RAW, kind.field):
        raise ValueError(f"its values of type {kind.name} are stored in the field {number} of another type")
    if any(run[0] != number for run in runs):
        raise ValueError("its values are stored twice, in two fields")
    if len(runs) > 1:
        return offset, 0, _SCATTERED
    if number == _RAW or kind.plain:
        if held != size:
            raise ValueError(f"its shape {list(shape[:10])} of {kind.name} needs {size} bytes, {held} are stored")
        return offset, held, ""
    if kind.field == _INTS and kind.bits < 8:
        return offset, held, _VARIABLE
    if kind.field != _STRINGS and not math.prod(shape) <= max(held, 1) <= 10 * max(math.prod(shape), 1):
        raise ValueError(f"its shape {list(shape[:10])} of {kind.name} does not fit the {held} bytes of its numbers")
    return offset, held, _VARIABLE


def _checked(shape: tuple[int, ...], bits: int) -> int:
    """Product of the extents and the element's bits; ValueError when a partial product leaves 63 bits."""
    product = bits
    for extent in shape:
        product *= extent
        if product > _COUNT_CAP:
            raise ValueError(f"overflow: the shape {list(shape[:10])} has more bits than 63-bit counts hold")
    return product


def _root(folder: Path, location: str) -> tuple[Path, str]:
    """The folder in which a file beside the graph must stay: in the hub's cache that of the whole snapshot."""
    if folder.parent.parent.name == "snapshots" and location:
        return folder.parent, f"{folder.name}/{location}"
    return folder, location


def _count(settings: Mapping[str, str], key: str, default: int) -> int:
    """A setting that counts bytes."""
    text = settings.get(key, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError(f"its {key} in another file is no count of bytes: '{printable(text, 40)}'")
    return int(text)
