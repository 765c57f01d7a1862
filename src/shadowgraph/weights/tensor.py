"""The stored tensor: where its bytes lie and how one element is encoded.

Here live: `TensorEntry`, `Scale`, `Packing`, `Stamp` and the table of element types.
Not here: reading, roles, matrices, and which tensor is the scale of which (see `quantised`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ElementType:
    """One element type of the safetensors format.

    Attributes:
        bits: storage bits of one element.
        precision: significand bits p with the implicit one, 0 for types that are never decomposed.
        smallest_exponent: exponent e of the smallest normal number 2**e, 0 where precision is 0. Eight-bit floats
            are read through a scale that moves their range, so theirs is the exponent of the scale's type.
        kind: "float" when it can be read as numbers, else why not.
    """

    bits: int
    precision: int
    smallest_exponent: int
    kind: str


_PACKED = "packed or block-scaled type"
_INTEGER = "integer or boolean type"

ELEMENT_TYPES: dict[str, ElementType] = {
    "F64": ElementType(64, 53, -1022, "float"),
    "F32": ElementType(32, 24, -126, "float"),
    "F16": ElementType(16, 11, -14, "float"),
    "BF16": ElementType(16, 8, -126, "float"),
    "F8_E4M3": ElementType(8, 4, -126, "float"),
    "F8_E5M2": ElementType(8, 3, -126, "float"),
    "F8_E4M3FNUZ": ElementType(8, 4, -126, "float"),
    "F8_E5M2FNUZ": ElementType(8, 3, -126, "float"),
    "F8_E8M0": ElementType(8, 0, 0, _PACKED),
    "F6_E2M3": ElementType(6, 0, 0, _PACKED),
    "F6_E3M2": ElementType(6, 0, 0, _PACKED),
    "F4": ElementType(4, 0, 0, _PACKED),
    "C64": ElementType(64, 0, 0, "complex type"),
    "I64": ElementType(64, 0, 0, _INTEGER),
    "I32": ElementType(32, 0, 0, _INTEGER),
    "I16": ElementType(16, 0, 0, _INTEGER),
    "I8": ElementType(8, 0, 0, _INTEGER),
    "U64": ElementType(64, 0, 0, _INTEGER),
    "U32": ElementType(32, 0, 0, _INTEGER),
    "U16": ElementType(16, 0, 0, _INTEGER),
    "U8": ElementType(8, 0, 0, _INTEGER),
    "BOOL": ElementType(8, 0, 0, _INTEGER),
}

QUANTISED = ElementType(0, 0, 0, "float")
"""What stands for a type that only its packing can decode: no fixed bits, no significand."""

FLOAT8 = frozenset({"F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"})


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which bytes a path stood for when its header was read: a later mismatch means the file was changed."""

    path: Path
    device: int
    inode: int
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Scale:
    """The factors of an 8-bit tensor: value = stored · factor of the block it lies in.

    Attributes:
        entry: where the factors are stored, of the same rank as the tensor after `extents` is applied.
        extents: size of a block along each axis of the tensor; factor i covers elements i·b … (i + 1)·b − 1.
        grid: number of blocks along each axis, the shape the factors are read in.
    """

    entry: TensorEntry
    extents: tuple[int, ...]
    grid: tuple[int, ...]


def element_type(dtype: str) -> ElementType:
    """The element type of a name; `QUANTISED` for one that is not in the table."""
    return ELEMENT_TYPES.get(dtype, QUANTISED)


@dataclass(frozen=True, slots=True)
class Packing:
    """How the elements of a tensor come out of stored bytes that are not simply its elements in order.

    Attributes:
        method: a key of `readers.packings.DECODERS`.
        parts: the stored tensors it is made of by their roles ("qweight", "scales"); empty where the bytes are the
            entry's own span.
        numbers: parameters of the layout by name, such as bits or strides.
    """

    method: str
    parts: tuple[tuple[str, TensorEntry], ...] = ()
    numbers: tuple[tuple[str, int], ...] = ()

    def part(self, role: str) -> TensorEntry | None:
        """The stored tensor of a role, None without one."""
        return next((entry for name, entry in self.parts if name == role), None)

    def number(self, name: str, default: int = 0) -> int:
        """A parameter of the layout."""
        return next((value for key, value in self.numbers if key == name), default)


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """A tensor as the header of its file declares it, after all checks.

    Attributes:
        name: the name in the file, foreign text: print it through `errors.printable`.
        dtype: a key of `ELEMENT_TYPES`, or with a packing the name of the quantised type.
        shape: extents, row-major.
        file: the file it lies in, as it was when its header was read.
        offset: first byte, counted from the start of the file.
        size: number of bytes.
        scale: its factors, None for types that are read as they are.
        barred: why it is never read as numbers although its type could be, "" when it may be.
        companion: whether it only describes another tensor (a scale, a zero point) and is no parameter.
        packing: how its elements are packed, None for types that lie as they are.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Stamp
    offset: int
    size: int
    scale: Scale | None = None
    barred: str = ""
    companion: bool = False
    packing: Packing | None = None

    @property
    def parameters(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def unreadable(self) -> str:
        """Why its values are not read as numbers, "" when they can be."""
        kind = element_type(self.dtype).kind
        if self.barred:
            return self.barred
        if kind != "float":
            return f"{self.dtype}: {kind}"
        whole = self.scale is not None or self.packing is not None or self.dtype not in FLOAT8
        return "" if whole else f"{self.dtype}: fp8 without scale"

    def __repr__(self) -> str:
        """One line: name, type, shape."""
        return f"TensorEntry({self.name!r}, {self.dtype}, {list(self.shape)})"
