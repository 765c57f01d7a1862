"""Where a matrix comes from: an array, or anything that can read its rows again and again.

Here live: the protocol, the array that obeys it, and the one pass that scales blocks and sums their energy.
Not here: readers of files (`footprint.source` gives those), any decomposition.

Legend: `m n` rows and columns, `b` rows of one block.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float64

from shadowgraph.errors import DataError, Defect
from shadowgraph.spectra.scale import power_of_two


@runtime_checkable
class RowSource(Protocol):
    """An m × n matrix that is read in consecutive row blocks, from the first row at every call."""

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        ...

    def blocks(self, rows: int) -> Iterator[Float64[np.ndarray, "b n"]]:
        """Rows from the first to the last, at most `rows` at a time.

        A block is valid until the next is asked for, and is never written to by the caller.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ArraySource:
    """A matrix in memory, of any floating type, as a `RowSource`; blocks of a float64 array are views."""

    matrix: Float[np.ndarray, "m n"]

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        return self.matrix.shape[0], self.matrix.shape[1]

    def blocks(self, rows: int) -> Iterator[Float64[np.ndarray, "b n"]]:
        """Consecutive blocks, upcast to float64.

        Args:
            rows: at most so many a block.

        Yields:
            Arrays (b, n); views of a float64 matrix.
        """
        for first in range(0, self.matrix.shape[0], rows):
            yield np.asarray(self.matrix[first : first + rows], dtype=np.float64)


Source = Float[np.ndarray, "m n"] | RowSource
AnySource = Float[np.ndarray, "_ _"] | RowSource  # one of several, each of its own shape


def as_source(source: Source) -> RowSource:
    """Wrap an array; leave any other source as it is.

    Args:
        source: an array (m, n) or a row source.

    Returns:
        A row source of the same shape.

    Raises:
        Defect: an empty matrix.
    """
    found = ArraySource(source) if isinstance(source, np.ndarray) else source
    if min(found.shape) < 1:
        raise Defect(f"an empty matrix of shape {found.shape} has no spectrum", where="spectra")
    return found


def upright(source: RowSource) -> RowSource:
    """The transpose of a wide array, at no cost; a stored source stays as it lies.

    Args:
        source: (m, n).

    Returns:
        A source with the same singular values.
    """
    if isinstance(source, ArraySource) and source.shape[0] < source.shape[1]:
        return ArraySource(source.matrix.T)
    return source


def gather(source: RowSource, rows: int) -> Float64[np.ndarray, "m n"]:
    """The whole matrix in memory.

    Args:
        source: (m, n).
        rows: rows of one block of the pass.

    Returns:
        The matrix in float64; a view where it already is an array of that type.

    Raises:
        Defect: a source that gives fewer rows than its shape.
    """
    if isinstance(source, ArraySource):
        return np.asarray(source.matrix, dtype=np.float64)
    whole = np.empty(source.shape)
    first = 0
    for block in source.blocks(rows):
        whole[first : first + block.shape[0]] = block
        first += block.shape[0]
    if first != source.shape[0]:
        raise Defect(f"{first} rows came from a source of {source.shape[0]}", where="spectra")
    return whole


class Scaler:
    """One pass over a source: checks entries, scales blocks by a power of two, sums the energy.

    The scale follows the largest entry seen; whatever was computed from earlier blocks is multiplied by the returned
    factor, a power of two, so nothing is lost but what lies 2⁵³ and more below the largest.

    Attributes:
        scale: the power of two of the largest entry so far, 0 before the first entry that is not 0.
        rows: rows seen.
    """

    def __init__(self) -> None:
        """Start before the first block."""
        self.scale = 0.0
        self.rows = 0
        self._energy = 0.0
        self._buffer = np.empty(0)

    def take(self, block: Float64[np.ndarray, "b n"]) -> tuple[Float64[np.ndarray, "b n"] | None, float]:
        """Scale one block.

        Args:
            block: rows as the source gave them.

        Returns:
            The block divided by the scale, in a buffer that the next call reuses, or None for a block of zeros;
            and the factor old scale / new scale, 1 while the scale stays.

        Raises:
            Defect: an entry that is not finite; callers reject those with the tensor's name.
        """
        self.rows += block.shape[0]
        scale, factor = power_of_two(block) if block.size else 0.0, 1.0
        if not math.isfinite(scale):
            raise Defect("a matrix with entries that are not finite has no spectrum", where="spectra")
        if scale == 0.0:
            return None, factor
        if scale > self.scale:
            factor = self.scale / scale
            self._energy *= factor * factor
            self.scale = scale
        scaled = np.divide(block, self.scale, out=self._room(block))
        flat = scaled.ravel(order="K")
        self._energy += float(flat @ flat)
        return scaled, factor

    @property
    def scaled_energy(self) -> float:
        """Squared Frobenius norm of the scaled matrix."""
        return self._energy

    @property
    def energy(self) -> float:
        """Squared Frobenius norm, from the entries.

        Raises:
            DataError: it exceeds the float64 range.
        """
        energy = self._energy * self.scale * self.scale
        if not math.isfinite(energy):
            raise DataError("the squared Frobenius norm exceeds the float64 range", hint="the weights are not usable")
        return energy

    def _room(self, block: Float64[np.ndarray, "b n"]) -> Float64[np.ndarray, "b n"]:
        """A buffer of the block's shape that lies in memory as the block does."""
        if self._buffer.size < block.size:
            self._buffer = np.empty(block.size)
        flat = self._buffer[: block.size]
        if abs(block.strides[0]) < abs(block.strides[1]):
            return flat.reshape(block.shape[1], block.shape[0]).T
        return flat.reshape(block.shape)
