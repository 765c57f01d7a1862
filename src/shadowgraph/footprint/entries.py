"""What one pass over the entries of a pair collects: energies, sums, zeros, rounding noise.

Here lives: the tally of a pair, from which every measure of size and every noise variance follows.
Not here: formulas of measures (`measures.geometry`), singular values (`spectra`).

Legend: `m n` rows and columns as read, `b` rows of one strip; W0 before, W1 after, D = W1 − W0 in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shadowgraph.footprint.floor import floor_power, step_energy
from shadowgraph.footprint.source import STRIP, Matrix, Pair

TOLERANCE = 1e-5  # the second of the three sizes below which an entry of an update counts as zero
BFLOAT16_DIGITS = 7  # one unit in the last place of a bfloat16 of size 2^e is 2^(e − 7)


@dataclass(slots=True)
class Tally:
    """Sums over the entries of one pair; without a base only those of W1 are filled.

    Attributes:
        shape: (m, n) as read.
        after_energy: ‖W1‖_F².
        before_energy: ‖W0‖_F².
        inner: ⟨W0, D⟩.
        before_sum: Σ W0_ij.
        update_sum: Σ D_ij.
        after_steps: Σ u(W1_ij)², u the step of the stored type (see `floor`).
        before_steps: the same of W0.
        zeros: entries of D with |D_ij| = 0, at most `TOLERANCE`, and at most one bfloat16 step of W0_ij.
        row_energies: Σ_j D_ij², (m,).
        column_energies: Σ_i D_ij², (n,).
    """

    shape: tuple[int, int]
    after_energy: float = 0.0
    before_energy: float = 0.0
    inner: float = 0.0
    before_sum: float = 0.0
    update_sum: float = 0.0
    after_steps: float = 0.0
    before_steps: float = 0.0
    zeros: tuple[int, int, int] = (0, 0, 0)
    row_energies: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    column_energies: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.shape[0] * self.shape[1]

    @property
    def update_energy(self) -> float:
        """‖D‖_F²."""
        return float(self.row_energies.sum())

    @property
    def finite(self) -> bool:
        """Whether every sum is finite: then every entry is."""
        return all(map(math.isfinite, (self.after_energy, self.before_energy, self.update_energy)))

    @property
    def after_noise(self) -> float:
        """Variance of the rounding error of an entry of W1, u²/12 on average."""
        return self.after_steps / (12.0 * self.size)

    @property
    def after_step(self) -> float:
        """Root mean square of the steps of W1."""
        return math.sqrt(self.after_steps / self.size)

    @property
    def before_noise(self) -> float:
        """The same of W0, 0 without a base."""
        return self.before_steps / (12.0 * self.size)

    @property
    def change_variance(self) -> float:
        """Variance of the entries of D."""
        return max(0.0, self.update_energy / self.size - (self.update_sum / self.size) ** 2)

    @property
    def base_variance(self) -> float:
        """Variance of the entries of W0."""
        return max(0.0, self.before_energy / self.size - (self.before_sum / self.size) ** 2)


def tally(
    pair: Pair,
    after_type: str,
    before_type: str,
    *,
    after_steps: float | None = None,
    before_steps: float | None = None,
) -> Tally:
    """Read a pair once and sum over its entries.

    Args:
        pair: the matrix or matrices.
        after_type: stored element type of W1, a key of `ELEMENT_TYPES` where `after_steps` is not given.
        before_type: the same of W0, not used without a base.
        after_steps: Σ u² of W1 where it is quantised, see `floor.packed_steps`.
        before_steps: the same of W0.

    Returns:
        The sums; not `finite` when an entry is not, or when an energy leaves the float64 range.
    """
    found = Tally(pair.shape)
    rows: list[NDArray[np.float64]] = []
    scratch = np.empty((2, min(pair.shape[0], max(1, STRIP // pair.shape[1])) * pair.shape[1]))
    if pair.base is not None:
        found.column_energies = np.zeros(pair.shape[1])
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):  # judged afterwards, by `finite`
        for before, after in pair.strips(STRIP):
            flat = after.reshape(-1)
            powers = scratch[0, : flat.size]
            found.after_energy += float(np.dot(flat, flat))
            if after_steps is None:
                found.after_steps += step_energy(floor_power(flat, powers), after_type)
            if before is not None:
                update = np.subtract(after, before, out=scratch[1, : flat.size].reshape(after.shape))
                known = None if before_steps is not None else before_type
                rows.append(_add_update(found, before.reshape(-1), update, powers, known))
    if rows:
        found.row_energies = np.concatenate(rows)
    found.after_steps += after_steps or 0.0
    found.before_steps += before_steps or 0.0
    return found


def _add_update(
    found: Tally, base: NDArray[np.float64], update: Matrix, scratch: NDArray[np.float64], before_type: str | None
) -> NDArray[np.float64]:
    """Add one strip of W0 and D, both overwritten or not needed afterwards; returned are the row energies (b,).

    Without a type of W0 its steps are not added.
    """
    flat = update.reshape(-1)
    found.before_energy += float(np.dot(base, base))
    found.inner += float(np.dot(base, flat))
    found.before_sum += float(base.sum())
    found.update_sum += float(flat.sum())
    found.column_energies += np.einsum("ij,ij->j", update, update)
    energies = np.einsum("ij,ij->i", update, update)
    size = np.abs(flat, out=flat)
    powers = floor_power(base, scratch)
    # One step is 2^(1 − p) times the power: compared before the steps of tiny entries are raised to the smallest.
    below = int(np.count_nonzero(size <= np.multiply(powers, 2.0**-BFLOAT16_DIGITS, out=powers)))
    if before_type is not None:
        found.before_steps += step_energy(np.multiply(powers, 2.0**BFLOAT16_DIGITS, out=powers), before_type)
    none, few = int(np.count_nonzero(size == 0.0)), int(np.count_nonzero(size <= TOLERANCE))
    found.zeros = (found.zeros[0] + none, found.zeros[1] + few, found.zeros[2] + below)
    return energies
