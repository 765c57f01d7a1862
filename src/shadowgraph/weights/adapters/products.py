"""Reading of factors, and of a matrix whose update is more than a product.

Here live: the factors of a matrix, of a part of a fused one and of one expert, and the matrix that DoRA makes.
Not here: which tensors are factors (`pairs`), whose they are (`joined`, `stacks`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shadowgraph.weights.adapters.pairs import Pair
from shadowgraph.weights.fused import Cut
from shadowgraph.weights.matrix import WeightMatrix
from shadowgraph.weights.readers.values import read_values
from shadowgraph.weights.tensor import TensorEntry

Array = NDArray[np.float64]
STRIP = 1 << 20  # elements of a product that are formed at a time


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows of a product make a matrix: one part of a cut, or all; perhaps only the first of them."""

    cut: Cut | None
    part: int
    count: int

    def take(self, values: Array) -> Array:
        """These rows of an array (outputs, anything)."""
        chosen = values if self.cut is None else self.cut.take(values, self.part)
        return np.ascontiguousarray(chosen[: self.count])


@dataclass(frozen=True, slots=True)
class Single:
    """The factors of one matrix."""

    pair: Pair
    rows: Rows

    def __call__(self) -> tuple[Array, Array]:
        """Left (m, r) and right (r, n), read anew."""
        pair = self.pair
        down, up = read_values(pair.down), read_values(pair.up)
        if pair.kind == "embedding":
            return self.rows.take(down.T), np.ascontiguousarray(up.T)
        return self.rows.take(up.reshape(pair.up.shape[0], -1)), down.reshape(pair.rank, -1)


@dataclass(frozen=True, slots=True)
class OfExpert:
    """The factors of one expert: A holds the ranks of one after those of another, B every rank of all in turn.

    Source:
        PEFT 0.21.2, `tuners/lora/layer.py`, `ParamWrapper.get_delta_factors`.
    """

    pair: Pair
    rows: Rows
    expert: int
    experts: int
    turned: bool

    def __call__(self) -> tuple[Array, Array]:
        """Left (m, r) and right (r, n)."""
        down, up = _kept(self.pair.down), _kept(self.pair.up)
        own_down = down.reshape(self.experts, -1, down.shape[1])[self.expert]
        own_up = up.reshape(up.shape[0], -1, self.experts)[:, :, self.expert]
        left, right = (own_down.T, own_up.T) if self.turned else (own_up, own_down)
        return self.rows.take(left), np.array(right)


@lru_cache(maxsize=2)
def _kept(entry: TensorEntry) -> Array:
    """Values of a stack of factors, kept for the next expert; not to be written to."""
    values = read_values(entry)
    values.flags.writeable = False
    return values


@dataclass(frozen=True, slots=True)
class Magnified:
    """Rows of the matrix that DoRA makes: W1 = m ∘ (W0 + s·B·A) / ‖W0 + s·B·A‖, norms of rows.

    Of an embedding the norms are those of columns, which takes one more pass over the base.

    Attributes:
        before: the base's matrix.
        factors: B and A.
        scale: s.
        magnitude: entry of m.
        rows: which of the magnitudes are those of these rows.
        columns: whether norms and magnitudes are those of columns.

    Source:
        Liu et al., DoRA: Weight-Decomposed Low-Rank Adaptation (2024), arXiv 2402.09353, equation 5; PEFT 0.21.2,
        `tuners/lora/variants.py`, `DoraLinearVariant.merge_safe` and `DoraEmbeddingVariant.merge_safe`.
    """

    before: WeightMatrix
    factors: Single
    scale: float
    magnitude: TensorEntry
    rows: Rows
    columns: bool
    _norms: list[Array] = field(default_factory=list[Array], init=False, repr=False, compare=False)

    def __call__(self, rows: tuple[int, int] | None = None, /) -> Array:
        """Float64 (rows, n); beside it, one strip of the product is in memory."""
        first, last = rows or (0, self.before.shape[0])
        magnitude = read_values(self.magnitude).reshape(-1)
        with np.errstate(all="ignore"):  # what is not finite is the caller's to find
            if self.columns:
                if not self._norms:
                    self._norms.append(self._column_norms())
                values = self._directions(first, last)
                values *= magnitude / self._norms[0]
                return values
            values = self._directions(first, last)
            own = self.rows.take(magnitude.reshape(-1, 1))[first:last, 0]
            for start, end in self._strips(first, last):
                strip = values[start - first : end - first]
                strip *= (own[start - first : end - first] / np.linalg.norm(strip, axis=1))[:, np.newaxis]
        return values

    def _directions(self, first: int, last: int) -> Array:
        """W0 + s·B·A."""
        values = self.before.load((first, last))
        left, right = self.factors()
        for start, end in self._strips(first, last):
            values[start - first : end - first] += self.scale * (left[start:end] @ right)
        return values

    def _column_norms(self) -> Array:
        energies = np.zeros(self.before.shape[1])
        for start, end in self._strips(0, self.before.shape[0]):
            energies += np.square(self._directions(start, end)).sum(axis=0)
        return np.sqrt(energies)

    def _strips(self, first: int, last: int) -> list[tuple[int, int]]:
        step = max(1, STRIP // self.before.shape[1])
        return [(start, min(start + step, last)) for start in range(first, last, step)]
