"""The product of two factors as a matrix: its sums, its rows, its leading vectors, and how it lies to its base.

Here live: `Product`, the base with a product added, and the one pass over a base that joins the two.
Not here: where factors come from (`weights.adapters`), the rows of a footprint (`factored`).

A product D = L R is never formed. What needs its entries one by one gets a few rows at a time, and only where the base
is read anyway.

Legend: `m n` rows and columns of D; `r` inner size; `b` rows of one strip; W0 the base.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import DataError
from shadowgraph.footprint.entries import BFLOAT16_DIGITS, TOLERANCE, Tally
from shadowgraph.footprint.floor import floor_power, rounding_variance
from shadowgraph.footprint.source import STRIP, Matrix, Pair
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.spectra.factored import factored_leading, factored_spectrum
from shadowgraph.spectra.leading import Leading
from shadowgraph.spectra.source import RowSource


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """D = scale · left · right.

    Attributes:
        left: (m, r).
        right: (r, n).
        scale: factor of the product.
    """

    left: Matrix
    right: Matrix
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        return self.left.shape[0], self.right.shape[1]

    @property
    def finite(self) -> bool:
        """Whether the scale and every entry of both factors are."""
        return math.isfinite(self.scale) and bool(np.isfinite(self.left).all() and np.isfinite(self.right).all())

    @property
    def transposed(self) -> Product:
        """Dᵀ."""
        return Product(self.right.T, self.left.T, self.scale)

    def blocks(self, rows: int) -> Iterator[Matrix]:
        """Consecutive blocks of at most `rows` rows, made when asked for."""
        for first in range(0, self.shape[0], rows):
            yield self.scale * (self.left[first : first + rows] @ self.right)

    def spectrum(self) -> Spectrum:
        """All min(m, n) singular values, see `spectra.factored`."""
        return factored_spectrum(self.left, self.right, self.scale)

    def leading(self, k: int) -> Leading:
        """The largest min(k, m, n, r) singular values with their vectors."""
        return factored_leading(self.left, self.right, k, self.scale)

    def row_energies(self) -> NDArray[np.float64]:
        """Σ_j D_ij², (m,): with right = T Q, Q of orthonormal rows, they are those of left · T."""
        triangle = np.asarray(np.linalg.qr(self.right.T, mode="r"))
        return np.square(self.scale * (self.left @ triangle.T)).sum(axis=1)

    def total(self) -> float:
        """Σ_ij D_ij."""
        return self.scale * float(self.left.sum(axis=0) @ self.right.sum(axis=1))

    def noise_energy(self, dtype: str) -> float:
        """Energy that rounding of the stored factors may have put into D, to first order.

        Rounding of variance v in the left factor adds v m ‖right‖², and so for the right: an upper estimate, as a
        factor that was trained in its stored type holds none.

        Args:
            dtype: stored element type of the factors.

        Returns:
            The energy, in squared units of the entries of D.

        Raises:
            DataError: it leaves the float64 range.
        """
        m, n = self.shape
        with np.errstate(over="ignore"):
            sizes = [float(np.sum(np.square(each))) for each in (self.left, self.right)]
            left, right = (rounding_variance(each, dtype) for each in (self.left, self.right))
        noise = self.scale * self.scale * (left * m * sizes[1] + right * n * sizes[0])
        if not math.isfinite(noise):
            raise DataError("the squares of the factors leave the float64 range", hint="the weights are not usable")
        return noise


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """W1 = W0 + D as consecutive row blocks."""

    base: RowSource
    product: Product

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        return self.base.shape

    def blocks(self, rows: int) -> Iterator[Matrix]:
        """Consecutive blocks of at most `rows` rows, float64, each valid until the next is asked for."""
        for before, update in zip(self.base.blocks(rows), self.product.blocks(rows), strict=True):
            yield np.add(before, update, out=update)


def product_tally(product: Product, base: Pair | None) -> Tally:
    """Sums over the entries of D and, where it is given, of its base; no rounding noise, which is not of entries.

    Args:
        product: D (m, n), finite.
        base: W0 as a pair without a base of its own; its strips may be columns.

    Returns:
        Sums with rows as outputs. Without a base only the margins and the sum of D are filled. With a base whose
        entries are not finite they are not `finite`.
    """
    found = Tally(product.shape)
    found.row_energies, found.column_energies = product.row_energies(), product.transposed.row_energies()
    found.update_sum = product.total()
    if base is None:
        return found
    lying = product.transposed if base.turned else product
    counts, first = np.zeros(3, dtype=np.int64), 0
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):  # judged by the caller, by `finite`
        for _, strip in base.strips(STRIP):
            last = first + strip.shape[0]
            update = lying.scale * (lying.left[first:last] @ lying.right)
            flat = strip.reshape(-1)
            found.before_energy += float(np.dot(flat, flat))
            found.before_sum += float(flat.sum())
            found.inner += float(np.dot(flat, update.reshape(-1)))
            counts += _small(update, flat)
            first = last
        found.after_energy = max(0.0, found.before_energy + 2.0 * found.inner + found.update_energy)
    found.zeros = (int(counts[0]), int(counts[1]), int(counts[2]))
    return found


def _small(update: Matrix, base: NDArray[np.float64]) -> NDArray[np.int64]:
    """Entries of a strip of D that are 0, at most `TOLERANCE`, and at most one bfloat16 step of W0."""
    size = np.abs(update, out=update).reshape(-1)
    steps = floor_power(base, np.empty_like(base)) * 2.0**-BFLOAT16_DIGITS
    return np.array([np.count_nonzero(size <= limit) for limit in (0.0, TOLERANCE, steps)], dtype=np.int64)
