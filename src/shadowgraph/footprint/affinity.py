"""How much of an update lies in the directions in which a text pulls the weights it began from.

Here lives: the share of an update's energy in given directions, all matrices pooled, and what noise would show.
Not here: where directions come from (`runs`), which texts are held against which (`study`).

Legend: `m n` rows and columns, D = W1 − W0, U (m, k) and V (n, k) orthonormal directions on the left and the right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import DataError, printable
from shadowgraph.measures.spectrum import Reading

Matrix = NDArray[np.float64]


class Sides(Protocol):
    """Directions of one matrix: orthonormal columns on either side."""

    @property
    def left(self) -> Matrix:
        """Directions of the outputs, (m, k)."""
        ...

    @property
    def right(self) -> Matrix:
        """Directions of the inputs, (n, k)."""
        ...


@dataclass(frozen=True, slots=True)
class Affinity:
    """Shares of the energy of an update, 0 … 1, each beside its null in `null`.

    Attributes:
        left: Σ‖UᵀD‖² / Σ‖D‖².
        right: Σ‖DV‖² / Σ‖D‖².
        both: Σ‖UᵀDV‖² / Σ‖D‖², in both at once.
        short: of every matrix the share on its shorter side, left where the sides are equal; on the longer one the
            same k directions reach less.
        null: the mean of the four under an update that has nothing to do with the directions: k/m, k/n, k²/(mn) and
            k/min(m, n), weighted by the energy of each matrix.
        matrices: matrices that have directions and took part.
    """

    left: Reading
    right: Reading
    both: Reading
    short: Reading
    null: tuple[float, float, float, float]
    matrices: int


def affinity(updates: Iterable[tuple[str, Matrix]], directions: Mapping[str, Sides]) -> Affinity:
    """Share of an update's energy in the leading gradient directions of a text at the starting weights.

    Sums run over the matrices that have directions; the energy of the others is left out on both sides of the
    fraction. A share says little by itself: any text of the language pulls alike. It is read against that of other
    texts, matched in what else they differ in.

    Args:
        updates: (name, D (m, n)) of each matrix, one in memory at a time; a name may occur once.
        directions: name → directions; matrices without are left out.

    Returns:
        The shares; "no_change" where no matrix moved, "absent" where none has directions, "non_finite" where one
        is.

    Raises:
        DataError: directions of another length than their matrix.

    Source:
        For orthonormal U independent of D, E‖UᵀD‖² = (k/m)‖D‖²: the mean of the projection UUᵀ under the orthogonal
        group is (k/m) I.
    """
    energy, null = np.zeros(5), np.zeros(4)
    matrices = 0
    for name, update in updates:
        if name not in directions:
            continue
        if not np.isfinite(update).all():
            return _refused("non_finite", matrices)
        parts, shares = _energies(name, update, directions[name])
        energy += parts
        null += parts[0] * shares
        matrices += 1
    if not matrices or energy[0] == 0.0:
        return _refused("no_change" if matrices else "absent", matrices)
    left, right, both, short = (Reading(float(part)) for part in np.minimum(energy[1:] / energy[0], 1.0))
    mean = (null / energy[0]).tolist()
    return Affinity(left, right, both, short, (mean[0], mean[1], mean[2], mean[3]), matrices)


def _refused(status: str, matrices: int) -> Affinity:
    """Shares without a number."""
    none = Reading(None, status)
    return Affinity(none, none, none, none, (0.0, 0.0, 0.0, 0.0), matrices)


def _energies(name: str, update: Matrix, sides: Sides) -> tuple[Matrix, Matrix]:
    """Energy of one update, whole and in its directions, and what noise of its energy would show."""
    (m, n), left, right = update.shape, sides.left, sides.right
    if left.shape[0] != m or right.shape[0] != n:
        found = f"directions of {left.shape[0]} and {right.shape[0]} entries for a matrix of {m} × {n}"
        raise DataError(found, where=printable(name))
    inside = left.T @ update
    rows = [update, inside, update @ right, inside @ right]
    parts = [float(np.vdot(row, row)) for row in rows]
    k, r = left.shape[1] / m, right.shape[1] / n
    short = 1 if m <= n else 2
    return np.array([*parts, parts[short]]), np.array([k, r, k * r, (k, r)[short - 1]])
