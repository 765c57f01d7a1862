"""Strips: a matrix read a few rows at a time, so that one larger than memory can still be measured.

Here live: the plane of stored rows behind a matrix, and reading it from top to bottom.
Not here: whole matrices (see `matrix`), decoding of elements (see `readers.values`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shadowgraph.weights.fused import Cut
from shadowgraph.weights.matrix import Piece, WeightMatrix, flat_shape
from shadowgraph.weights.readers.values import value_strips
from shadowgraph.weights.tensor import TensorEntry


@dataclass(frozen=True, slots=True)
class Plane:
    """The stored rows that hold a matrix.

    Attributes:
        entry: the stored tensor, or the expert of it, with two axes.
        cut: layout of the output axis.
        part: which part of the cut, from 0.
        turned: stored as (in, out): a stored row is a column of the matrix.
    """

    entry: TensorEntry
    cut: Cut
    part: int
    turned: bool

    def strips(self, count: int, rows: int) -> Iterator[NDArray[np.float64]]:
        """The first `count` rows of the matrix, of its transpose where `turned`, in order.

        Args:
            count: how many rows in all.
            rows: how many at a time, at least 1.

        Yields:
            Contiguous float64 array (at most `rows`, length of a row), valid until the next is asked for; the caller
            may write to it. Values may be non-finite.
        """
        runs = [(first, min(first + rows, count)) for first in range(0, count, rows)]
        if len(self.cut.sizes) == 1:
            yield from value_strips(self.entry, runs)
        elif self.turned:
            columns = self._stored(np.arange(self.cut.rows(self.part)))
            kept = np.empty((min(rows, count), columns.size))
            for values in value_strips(self.entry, runs):
                yield np.take(values, columns, axis=1, out=kept[: values.shape[0]], mode="clip")
        else:
            places = self._stored(np.arange(count))
            spans = [(int(places[first]), int(places[last - 1]) + 1) for first, last in runs]
            for (first, last), values in zip(runs, value_strips(self.entry, spans), strict=True):
                whole = values.shape[0] == last - first
                yield values if whole else values[places[first:last] - places[first]]

    def _stored(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where rows of the part lie along the stored output axis."""
        size = self.cut.sizes[self.part]
        return rows // size * sum(self.cut.sizes) + rows % size + sum(self.cut.sizes[: self.part])


def plane(matrix: WeightMatrix) -> Plane | None:
    """The stored rows of a matrix, None where it cannot be read in strips (a scaled or packed one of more axes)."""
    piece = matrix.piece
    entry = None if piece is None else _two_axes(matrix.source, piece)
    return None if piece is None or entry is None else Plane(entry, piece.cut, piece.part, piece.transposed)


def _two_axes(entry: TensorEntry, piece: Piece) -> TensorEntry | None:
    """The stored tensor with its axes joined to two, or one expert of it."""
    if piece.expert is None and len(entry.shape) == 2:
        return entry
    if entry.scale is not None or entry.packing is not None:
        return None
    if piece.expert is None:
        return replace(entry, shape=flat_shape(entry.shape))
    size = entry.size // entry.shape[0]
    return replace(entry, shape=entry.shape[1:], offset=entry.offset + piece.expert * size, size=size)
