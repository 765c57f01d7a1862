"""The stored tensor: where its bytes lie and how one element is encoded.

Here live: `TensorEntry`, `Stamp` and the table of element types.
Not here: reading, roles, matrices.
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
        smallest_exponent: exponent e of the smallest normal number 2**e, 0 where precision is 0.
        kind: "float" when it can be read as numbers, else why not.
    """

    bits: int
    precision: int
    smallest_exponent: int
    kind: str


_FLOAT8 = "8-bit float without a known scale"
_PACKED = "packed or block-scaled type"
_INTEGER = "integer or boolean type"

ELEMENT_TYPES: dict[str, ElementType] = {
    "F64": ElementType(64, 53, -1022, "float"),
    "F32": ElementType(32, 24, -126, "float"),
    "F16": ElementType(16, 11, -14, "float"),
    "BF16": ElementType(16, 8, -126, "float"),
    "F8_E4M3": ElementType(8, 0, 0, _FLOAT8),
    "F8_E5M2": ElementType(8, 0, 0, _FLOAT8),
    "F8_E4M3FNUZ": ElementType(8, 0, 0, _FLOAT8),
    "F8_E5M2FNUZ": ElementType(8, 0, 0, _FLOAT8),
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


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which bytes a path stood for when its header was read: a later mismatch means the file was changed."""

    path: Path
    device: int
    inode: int
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """A tensor as the header of its file declares it, after all checks.

    Attributes:
        name: the name in the file, foreign text: print it through `errors.printable`.
        dtype: a key of `ELEMENT_TYPES`.
        shape: extents, row-major.
        file: the file it lies in, as it was when its header was read.
        offset: first byte, counted from the start of the file.
        size: number of bytes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Stamp
    offset: int
    size: int

    @property
    def parameters(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def __repr__(self) -> str:
        """One line: name, type, shape."""
        return f"TensorEntry({self.name!r}, {self.dtype}, {list(self.shape)})"
