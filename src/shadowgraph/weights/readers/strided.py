"""Tensors that lie in another order than their indices: transposes, slices, expanded tensors of a torch archive.

Here live: `decode` and `squared_steps` of the packing "strided", whose numbers are the strides in elements by axis.
Not here: tensors in order (`values`). Where the lines lie close together they are read as one span; where they lie
apart, one span for each run along the axis of the smaller stride. What is read is at most the tensor's own span.
"""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from shadowgraph.weights.readers.span import current_stamp, opened, read_span, require_unchanged
from shadowgraph.weights.tensor import ELEMENT_TYPES, Stamp, TensorEntry

CLOSE = 4  # elements read for each one wanted, at most, to read a block at once
PIECE = 1 << 20  # elements of a span read at a time
_NUMPY: dict[str, np.dtype[np.generic]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}


def decode(entry: TensorEntry, first: int, last: int) -> NDArray[np.float64]:
    """Lines first … last − 1 of a strided tensor, exact.

    Args:
        entry: a tensor of a type in `_NUMPY` with the packing "strided".
        first: first line of its last axis.
        last: last line + 1.

    Returns:
        Float64 array (last − first, w).

    Raises:
        CheckpointError: the file was changed or cut since its header was read.
        EnvironmentFault: the device refuses.
    """
    *outer, width = entry.shape
    packing = entry.packing
    strides = [0 if packing is None else packing.number(f"stride{axis}") for axis in range(len(entry.shape))]
    out = np.empty((last - first, width), dtype=np.float64)
    with opened(entry.file.path, entry.file) as (descriptor, stamp):
        for start, end, place in _blocks(outer, strides, first, last):
            block = out[start - first : end - first]
            step = strides[-2] if outer else 0
            if step < strides[-1]:
                _fill(_Source(entry, descriptor, stamp), block.T, place, (strides[-1], step))
            else:
                _fill(_Source(entry, descriptor, stamp), block, place, (step, strides[-1]))
        require_unchanged(current_stamp(descriptor, stamp.path), entry.file)
    return out


def squared_steps(entry: TensorEntry, first: int, last: int) -> float:
    """Sum over the elements of these lines of the squared distance of neighbouring values of the stored type.

    Args:
        entry: as in `decode`.
        first: first line.
        last: last line + 1.

    Returns:
        Σ (2^(e − p + 1))² over finite elements, e their exponent and p the significand's bits of the type.

    Raises:
        CheckpointError: as `decode`.
        EnvironmentFault: as `decode`.
    """
    values = decode(entry, first, last)
    kind = ELEMENT_TYPES[entry.dtype]
    finite = values[np.isfinite(values)]
    exponents = np.where(finite == 0.0, kind.smallest_exponent, np.frexp(finite)[1] - 1)
    exponents = np.maximum(exponents, kind.smallest_exponent) - (kind.precision - 1)
    return float(np.exp2(2.0 * exponents).sum())


def _blocks(outer: list[int], strides: list[int], first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """First line, last line + 1 and first element of every run of lines along the last but one axis."""
    inner = outer[-1] if outer else 1
    while first < last:
        end = min(last, (first // inner + 1) * inner)
        place, rest = 0, first
        for extent, stride in zip(reversed(outer), reversed(strides[:-1]), strict=True):
            rest, index = divmod(rest, extent)
            place += index * stride
        yield first, end, place
        first = end


class _Source:
    """The stored elements of a tensor, by their number from its first."""

    def __init__(self, entry: TensorEntry, descriptor: int, stamp: Stamp) -> None:
        """Remember where they lie."""
        self.kind = _NUMPY[entry.dtype]
        self.offset, self.descriptor, self.stamp = entry.offset, descriptor, stamp

    def read(self, place: int, count: int) -> NDArray[np.generic]:
        """`count` elements from number `place` on."""
        width = self.kind.itemsize
        raw = read_span(self.descriptor, self.stamp, self.offset + place * width, count * width)
        return raw.view(self.kind)


def _fill(source: _Source, out: NDArray[np.float64], place: int, strides: tuple[int, int]) -> None:
    """Fill (rows, columns) from elements at place + row · strides[0] + column · strides[1], the second the smaller."""
    rows, columns = out.shape
    long, short = strides
    row_span = (columns - 1) * short + 1
    whole = (rows - 1) * long + row_span
    with np.errstate(invalid="ignore"):  # a signalling NaN may raise a flag when it is widened
        if whole <= CLOSE * out.size:
            found = source.read(place, whole)
            steps = (long * found.itemsize, short * found.itemsize)
            out[:] = as_strided(found, (rows, columns), steps, writeable=False)
            return
        each = max(1, PIECE // max(short, 1))
        for row in range(rows):
            for column in range(0, columns, each):
                count = min(each, columns - column)
                found = source.read(place + row * long + column * short, (count - 1) * short + 1)
                taken = found[:: max(short, 1)] if short else np.broadcast_to(found, (count,))
                out[row, column : column + count] = taken
