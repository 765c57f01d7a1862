"""A matrix or a pair of matrices as rows that can be read again and again, a few at a time.

Here live: `Pair` and the row sources it gives: W1, W0 and D = W1 − W0.
Not here: what is computed from them (`entries` for the entries, the room `spectra` for singular values).

Legend: `m n` rows and columns, `b` rows of one strip. A pair stored as (in, out) is read as it lies: its strips are
rows of the transposes, which have the same singular values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import Defect
from shadowgraph.weights.matrix import WeightMatrix
from shadowgraph.weights.pairing import Update
from shadowgraph.weights.strips import Plane, plane

Matrix = NDArray[np.float64]
Side = Literal["after", "before", "update"]

RESIDENT = 1 << 20  # elements: a matrix of at most so many is read once and held, as W0, W1 and D
REMEMBERED = 1 << 16  # elements: a base matrix of at most so many is kept for the next model of the same base
THINNER = 16
STRIP = 1 << 18  # elements of one strip of a tally: it and its scratch stay in a core's cache


@dataclass(frozen=True, slots=True)
class Held:
    """A matrix in memory, read like a stored one."""

    values: Matrix

    def strips(self, count: int, rows: int) -> Iterator[Matrix]:
        """The first `count` rows, `rows` at a time; views the caller must not write to."""
        for first in range(0, count, rows):
            yield self.values[first : min(first + rows, count)]


@dataclass(frozen=True, slots=True)
class Pair:
    """One matrix of a model and, with a base, the matrix it was.

    Attributes:
        model: the rows of W1.
        base: the rows of W0, None without a base.
        shape: (m, n) as read: of the transposes where `turned`.
        turned: whether rows of the sources are columns of the matrices.
    """

    model: Held | Plane
    base: Held | Plane | None
    shape: tuple[int, int]
    turned: bool

    def strips(self, elements: int = STRIP) -> Iterator[tuple[Matrix | None, Matrix]]:
        """All rows of W0 (None without a base) and of W1 in order, about `elements` elements of each at a time.

        The arrays are valid until the next pair is asked for, and not to be written to.
        """
        rows = max(1, elements // self.shape[1])
        after = self.model.strips(self.shape[0], rows)
        if self.base is None:
            yield from ((None, values) for values in after)
        else:
            yield from zip(self.base.strips(self.shape[0], rows), after, strict=True)

    def source(self, side: Side) -> Matrix | Strips:
        """What a decomposition reads: an array where the pair is held, else strips.

        Raises:
            Defect: another side than "after" of a pair without a base.
        """
        if side != "after" and self.base is None:
            raise Defect(f"a matrix without a base has no side {side!r}", where="footprint.source")
        if isinstance(self.model, Held) and side == "after":
            return self.model.values
        if isinstance(self.base, Held) and side == "before":
            return self.base.values
        if isinstance(self.model, Held) and isinstance(self.base, Held):
            return self.model.values - self.base.values
        return Strips(self, side)


@dataclass(frozen=True, slots=True)
class Strips:
    """One side of a pair as consecutive row blocks, read anew from the files at every pass."""

    pair: Pair
    side: Side

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n) as read."""
        return self.pair.shape

    def blocks(self, rows: int) -> Iterator[Matrix]:
        """Consecutive blocks of at most `rows` rows, float64, each valid until the next is asked for."""
        count = self.shape[0]
        if self.side == "after" or self.pair.base is None:
            yield from self.pair.model.strips(count, rows)
        elif self.side == "before":
            yield from self.pair.base.strips(count, rows)
        else:
            # W0 passes in thinner strips than D, so that one block is in memory and not two.
            thin = rows // THINNER if rows % THINNER == 0 else rows
            base = self.pair.base.strips(count, thin)
            for block in self.pair.model.strips(count, rows):
                for first in range(0, block.shape[0], thin):
                    block[first : first + thin] -= next(base)
                yield block
            for _ in base:  # the file is checked once more after its last strip
                pass


def pair_of(after: WeightMatrix, update: Update | None, count: int | None = None) -> Pair:
    """Decide how a matrix is read: held in memory where it is small or lies badly, else in strips.

    Args:
        after: the matrix W1 of the model.
        update: the same matrix with its base W0; None without a base.
        count: number of rows to cut a matrix without a base to; None for all.

    Returns:
        The pair; a resized vocabulary is cut to the common rows.
    """
    before = None if update is None else update.before
    rows, columns = after.shape if update is None else update.shape
    rows = rows if count is None else count
    cut = rows < after.shape[0]
    planes = None if rows * columns <= RESIDENT else _planes(after, before, cut)
    if planes is None:
        base = None if before is None else Held(_base_values(before)[:rows])
        return Pair(Held(after.load()[:rows]), base, (rows, columns), False)
    turned = planes[0].turned
    return Pair(planes[0], planes[1], (columns, rows) if turned else (rows, columns), turned)


def _planes(after: WeightMatrix, before: WeightMatrix | None, cut: bool) -> tuple[Plane, Plane | None] | None:
    """The planes of both sides, None unless both can be read in strips that correspond."""
    ours = plane(after)
    if ours is None or (cut and ours.turned):
        return None
    if before is None:
        return ours, None
    theirs = plane(before)
    if theirs is None or theirs.turned != ours.turned or (ours.turned and before.shape != after.shape):
        return None
    return ours, theirs


def _base_values(matrix: WeightMatrix) -> Matrix:
    return _remembered(matrix) if matrix.parameters <= REMEMBERED else matrix.load()


@lru_cache(maxsize=64)
def _remembered(matrix: WeightMatrix) -> Matrix:
    """Values of a small base matrix: the snapshots and runs of a study share one base."""
    values = matrix.load()
    values.setflags(write=False)
    return values
