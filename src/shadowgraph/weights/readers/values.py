"""Values: stored elements to float64, in pieces, so that little more than the result is ever in memory.

Here live: exact decoding of each readable element type, scales of 8-bit floats, and subtraction in place.
Not here: headers, which tensor is the scale of which (see `quantised`), splitting into matrices.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.readers.span import current_stamp, opened, read_into, require_unchanged
from shadowgraph.weights.tensor import ELEMENT_TYPES, FLOAT8, Scale, Stamp, TensorEntry

PIECE = 1 << 20  # bytes decoded at a time: they and their float64 values fit into a core's cache

Rows = tuple[int, int]


def read_values(entry: TensorEntry, rows: Rows | None = None) -> NDArray[np.float64]:
    """Read one tensor, or a run of its first axis, as float64; exact for every readable type.

    An 8-bit float is its stored value times the factor of its block, the product rounded once to float64.

    Args:
        entry: the tensor.
        rows: first and last + 1 index along the first axis, None for all.

    Returns:
        Array of the entry's shape, the first axis cut to `rows`; values may be non-finite, the caller checks.

    Raises:
        CheckpointError: a type that is not decomposed, or a file changed or cut since its header was read.
        EnvironmentFault: the device refuses.
    """
    shape = _cut(entry, rows)
    out = np.empty(math.prod(shape), dtype=np.float64)
    for start, values in _pieces(entry, rows):
        out[start : start + values.size] = values
    return out.reshape(shape)


def value_strips(entry: TensorEntry, runs: Sequence[Rows]) -> Iterator[NDArray[np.float64]]:
    """Read runs of the first axis one after another as float64, in one array that every run overwrites.

    New memory costs more than reading does: for a matrix read in strips one array serves them all.

    Args:
        entry: the tensor.
        runs: first and last + 1 index along the first axis, of each strip.

    Yields:
        Array of the entry's shape, the first axis cut to the run, valid until the next is asked for.

    Raises:
        CheckpointError: as `read_values`.
        EnvironmentFault: the device refuses.
    """
    longest = max((_cut(entry, run) for run in runs), default=(0,))
    each = math.prod(entry.shape[1:])
    out = np.empty(longest[0] * each, dtype=np.float64)
    with _opened(entry, out.size) as decoder:
        for first, last in runs:
            values = out[: (last - first) * each]
            for start in range(0, values.size, decoder.step):
                decoder.read(first * each + start, values[start : start + decoder.step])
            yield values.reshape((last - first, *entry.shape[1:]))


def subtract_values(values: NDArray[np.float64], entry: TensorEntry, rows: Rows | None = None) -> None:
    """Subtract a stored tensor from an array in place, in float64, without a second array of its size.

    Args:
        values: contiguous float64 array of the shape that `read_values` would give.
        entry: the tensor to subtract.
        rows: first and last + 1 index along the first axis, None for all.

    Raises:
        CheckpointError: as `read_values`.
        EnvironmentFault: the device refuses.
    """
    flat = values.reshape(-1)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is the caller's to find
        for start, piece in _pieces(entry, rows):
            flat[start : start + piece.size] -= piece


def stored_pieces(entry: TensorEntry, size: int = 1 << 22) -> Iterator[NDArray[np.uint8]]:
    """The stored bytes of one tensor of any type in order; each piece is valid until the next is asked for.

    Raises:
        CheckpointError: the file was changed or cut since its header was read.
        EnvironmentFault: the device refuses.
    """
    buffer = np.empty(min(size, entry.size), dtype=np.uint8)
    with opened(entry.file.path, entry.file) as (descriptor, stamp):
        for done in range(0, entry.size, size):
            piece = buffer[: min(size, entry.size - done)]
            read_into(descriptor, stamp, entry.offset + done, piece)
            yield piece
        require_unchanged(current_stamp(descriptor, stamp.path), entry.file)


def _cut(entry: TensorEntry, rows: Rows | None) -> tuple[int, ...]:
    if entry.unreadable:
        raise CheckpointError(
            f"values are not read ({entry.unreadable})", where=f"{entry.file.path}: tensor '{printable(entry.name)}'"
        )
    return entry.shape if rows is None else (rows[1] - rows[0], *entry.shape[1:])


@dataclass(slots=True)
class _Decoder:
    """One open tensor and the buffers its elements pass through.

    Attributes:
        entry: the tensor.
        file: descriptor and stamp of its file.
        step: elements decoded at a time; with a scale, whole runs of the last axis.
        raw: stored bytes of one step.
        wide: scratch of one step, for types that need it.
        factors: factors of the blocks, None without a scale.
    """

    entry: TensorEntry
    file: tuple[int, Stamp]
    step: int
    raw: NDArray[np.uint8]
    wide: NDArray[np.uint32]
    factors: NDArray[np.float64] | None

    def read(self, start: int, out: NDArray[np.float64]) -> None:
        """Decode the elements from number `start` on into `out`, at most a step of them."""
        entry = self.entry
        width = ELEMENT_TYPES[entry.dtype].bits // 8
        raw = self.raw[: out.size * width]
        read_into(*self.file, entry.offset + start * width, raw)
        _decode(raw, entry.dtype, out, self.wide)
        if self.factors is not None and entry.scale is not None:
            run = entry.shape[-1]
            _apply(out.reshape(-1, run), start // run, entry.shape, entry.scale.extents, self.factors)


@contextmanager
def _opened(entry: TensorEntry, most: int) -> Generator[_Decoder]:
    """Open a tensor to decode at most `most` elements at a time; afterwards its file must be what it was."""
    width = ELEMENT_TYPES[entry.dtype].bits // 8
    factors = None if entry.scale is None else _factors(entry.scale)
    run = max(entry.shape[-1], 1) if factors is not None else 1
    step = max(1, PIECE // width // run) * run
    count = min(step, most)
    wide = np.empty(count if entry.dtype == "BF16" else 0, dtype=np.uint32)
    with opened(entry.file.path, entry.file) as (descriptor, stamp):
        yield _Decoder(entry, (descriptor, stamp), step, np.empty(count * width, dtype=np.uint8), wide, factors)
        require_unchanged(current_stamp(descriptor, stamp.path), entry.file)


def _pieces(entry: TensorEntry, rows: Rows | None) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Decoded values in order with the index of the first; with a scale the pieces are whole runs of the last axis."""
    each = math.prod(entry.shape[1:])
    first, last = (0, entry.parameters) if rows is None else (rows[0] * each, rows[1] * each)
    with _opened(entry, last - first) as decoder:
        values = np.empty(min(decoder.step, last - first), dtype=np.float64)
        for start in range(first, last, decoder.step):
            count = min(decoder.step, last - start)
            decoder.read(start, values[:count])
            yield start - first, values[:count]


def _decode(raw: NDArray[np.uint8], dtype: str, out: NDArray[np.float64], scratch: NDArray[np.uint32]) -> None:
    """Stored bytes to float64; bfloat16 is the upper half of a float32, made in `scratch`."""
    if dtype == "BF16":
        wide = scratch[: out.size]
        wide[:] = raw.view(np.dtype("<u2"))
        np.left_shift(wide, 16, out=wide)
        with np.errstate(invalid="ignore"):  # a signalling NaN may raise a flag when it is widened
            out[:] = wide.view(np.float32)
    elif dtype in FLOAT8 or dtype == "F8_E8M0":
        np.take(_table(dtype), raw, out=out, mode="clip")
    else:
        with np.errstate(invalid="ignore"):
            out[:] = raw.view(np.dtype({"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype]))


@lru_cache(maxsize=8)
def _table(dtype: str) -> NDArray[np.float64]:
    """All 256 values of an 8-bit type.

    Source:
        Micikevicius et al., FP8 Formats for Deep Learning (2022), table 1; ml_dtypes for the other variants.
    """
    kind = {
        "F8_E4M3": ml_dtypes.float8_e4m3fn,
        "F8_E5M2": ml_dtypes.float8_e5m2,
        "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
        "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
        "F8_E8M0": ml_dtypes.float8_e8m0fnu,
    }[dtype]
    return np.arange(256, dtype=np.uint8).view(kind).astype(np.float64)


def _factors(scale: Scale) -> NDArray[np.float64]:
    """All factors of a tensor, in the shape of its grid of blocks."""
    entry = scale.entry
    raw = np.empty(entry.size, dtype=np.uint8)
    with opened(entry.file.path, entry.file) as (descriptor, stamp):
        read_into(descriptor, stamp, entry.offset, raw)
    out = np.empty(entry.parameters, dtype=np.float64)
    _decode(raw, entry.dtype, out, np.empty(out.size, dtype=np.uint32))
    return out.reshape(scale.grid)


def _apply(
    values: NDArray[np.float64],
    first: int,
    shape: tuple[int, ...],
    extents: tuple[int, ...],
    factors: NDArray[np.float64],
) -> None:
    """Multiply runs of the last axis, the first of them number `first`, by the factors of their blocks."""
    blocks = np.arange(shape[-1]) // extents[-1]
    places = np.unravel_index(np.arange(first, first + values.shape[0]), shape[:-1])
    rows = tuple(place // extent for place, extent in zip(places, extents[:-1], strict=True))
    chosen = factors[rows]
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is the caller's to find
        values *= chosen if chosen.shape[1] == 1 else chosen[:, blocks]
