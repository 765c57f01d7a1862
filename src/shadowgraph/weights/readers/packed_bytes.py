"""Stored parts of a packed tensor as numbers: lines, columns, and codes of a few bits out of bytes.

Here live: reading of parts by position, and the unpacking of bits.
Not here: what the codes mean (`packed_integers`, `packed_codes`).

A part of shape (a, b, …, w) is seen as lines of its last axis. Codes lie from the lowest bit of a little-endian word
upwards, one after another without gaps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import Defect, printable
from shadowgraph.weights.readers.span import current_stamp, opened, read_into, require_unchanged
from shadowgraph.weights.tensor import TensorEntry

HELD = 128 << 20  # bytes of a packed tensor that are kept while its columns are read; two tensors at a time
_TYPES: Mapping[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I8": np.dtype("i1"),
    "U32": np.dtype("<u4"),
    "U8": np.dtype("u1"),
    "F8_E8M0": np.dtype("u1"),  # an exponent
}


def part(entry: TensorEntry, role: str) -> TensorEntry:
    """The part of a role that the packing must have.

    Raises:
        Defect: it has none.
    """
    found = None if entry.packing is None else entry.packing.part(role)
    if found is None:
        raise Defect(f"a packed tensor without its part '{role}'", where=place(entry))
    return found


def number(entry: TensorEntry, name: str) -> int:
    """A parameter of the layout.

    Raises:
        Defect: a tensor without packing.
    """
    if entry.packing is None:
        raise Defect("a tensor without packing", where=place(entry))
    return entry.packing.number(name)


def place(entry: TensorEntry) -> str:
    """File and tensor, for messages."""
    return f"{entry.file.path}: tensor '{printable(entry.name)}'"


def numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    """Elements of any stored type as float64, exactly."""
    with np.errstate(invalid="ignore"):  # a signalling NaN may raise a flag when it is widened
        return values.astype(np.float64)


def lines(entry: TensorEntry, first: int, last: int) -> NDArray[Any]:
    """Lines first … last − 1 of a part in its stored type, (last − first, w).

    Raises:
        CheckpointError: the file changed or was cut since its header was read.
        EnvironmentFault: the device refuses.
    """
    width = entry.shape[-1] if entry.shape else 1
    return elements(entry, first * width, last * width).reshape(last - first, width)


def elements(entry: TensorEntry, first: int, last: int) -> NDArray[Any]:
    """Elements first … last − 1 of a part in its stored type.

    Raises:
        CheckpointError: as `lines`.
        EnvironmentFault: as `lines`.
    """
    kind = _TYPES[entry.dtype]
    return raw_bytes(entry, first * kind.itemsize, last * kind.itemsize).view(kind)


def raw_bytes(entry: TensorEntry, first: int, last: int) -> NDArray[np.uint8]:
    """Bytes first … last − 1 of a part, whatever its type.

    Raises:
        CheckpointError: as `lines`.
        EnvironmentFault: as `lines`.
    """
    out = np.empty(last - first, dtype=np.uint8)
    with opened(entry.file.path, entry.file) as (descriptor, stamp):
        read_into(descriptor, stamp, entry.offset + first, out)
        require_unchanged(current_stamp(descriptor, stamp.path), entry.file)
    return out


def columns(entry: TensorEntry, role: str, first: int, last: int) -> NDArray[Any]:
    """Columns first … last − 1 of a part of two axes, (rows, last − first), in its stored type.

    A packed tensor of at most `HELD` bytes is read once and kept, for its columns lie apart in every row; of a larger
    one only what is asked for is read, row by row.

    Args:
        entry: the packed tensor.
        role: of the part.
        first: first column.
        last: last + 1.

    Returns:
        Array that may be a view of what is kept, not to be written to.

    Raises:
        CheckpointError: as `lines`.
        EnvironmentFault: as `lines`.
    """
    stored = part(entry, role)
    parts = () if entry.packing is None else entry.packing.parts
    if sum(each.size for _, each in parts) <= HELD:
        with opened(stored.file.path, stored.file):  # says so when the file is no longer the one that was kept
            return _kept(parts)[role][:, first:last]
    kind = _TYPES[stored.dtype]
    out = np.empty((stored.shape[0], last - first), dtype=kind)
    step = stored.shape[1] * kind.itemsize
    with opened(stored.file.path, stored.file) as (descriptor, stamp):
        for row, target in enumerate(out.view(np.uint8)):
            read_into(descriptor, stamp, stored.offset + row * step + first * kind.itemsize, target)
        require_unchanged(current_stamp(descriptor, stamp.path), stored.file)
    return out


@lru_cache(maxsize=2)
def _kept(parts: tuple[tuple[str, TensorEntry], ...]) -> Mapping[str, NDArray[Any]]:
    """All parts of two axes of a packed tensor, in memory; two tensors, for a model and its base are read in turn."""
    found = {role: lines(each, 0, each.shape[0]) for role, each in parts if len(each.shape) == 2}
    for values in found.values():
        values.setflags(write=False)
    return found


def codes(raw: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint8]:
    """The first `count` codes of each line of bytes.

    Args:
        raw: contiguous (k, bytes).
        bits: 1 … 8.
        count: codes of a line, at most those that the bytes hold.

    Returns:
        Array (k, count), 0 … 2^bits − 1.
    """
    height, width = raw.shape
    if bits == 8:
        return raw[:, :count]
    if 8 % bits == 0:
        each = 8 // bits
        found = np.empty((height, width, each), dtype=np.uint8)
        for place_in_byte in range(each):
            np.right_shift(raw, bits * place_in_byte, out=found[:, :, place_in_byte])
        found &= (1 << bits) - 1
        return found.reshape(height, width * each)[:, :count]
    # Eight codes fill `bits` bytes exactly; a line that ends within such a run is filled up.
    runs = -(-width // bits)
    padded = raw if width == runs * bits else np.pad(raw, ((0, 0), (0, runs * bits - width)))
    joined = np.zeros((height, runs), dtype=np.uint64)
    for index in range(bits):
        joined |= padded[:, index::bits].astype(np.uint64) << np.uint64(8 * index)
    found = np.empty((height, runs, 8), dtype=np.uint8)
    for index in range(8):
        found[:, :, index] = (joined >> np.uint64(bits * index)) & np.uint64((1 << bits) - 1)
    return found.reshape(height, runs * 8)[:, :count]


def lines_of(entry: TensorEntry) -> int:
    """Number of lines of a tensor."""
    return math.prod(entry.shape[:-1])
