"""How the leading directions of two matrices lie to one another.

Here live: angles, overlaps, the energy inside a block and intruder counts, from orthonormal vectors. Not here: the
vectors themselves (`spectra`), sizes and shares of entries (`geometry`), the closed-form nulls (`null`).

Legend: `m` dimension of the space; `k r` numbers of orthonormal columns; `a b` vectors of W1 and of W0, in the order
of falling singular values; `e t` numbers of thresholds and of top counts.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float64, Int64

from shadowgraph.errors import Defect
from shadowgraph.measures.null import overlap_null
from shadowgraph.measures.spectrum import Reading

# Vectors whose singular values lie within this share of each other turn into one another by rounding alone.
NEAR = 1e-4
_ROUNDING = 1e-6


def _orthonormal(*bases: Float[np.ndarray, "m _"]) -> None:
    """Refuse columns that are not orthonormal: every number here would be wrong without a trace."""
    for basis in bases:
        if basis.shape[1] < 1 or basis.shape[1] > basis.shape[0]:
            raise Defect(f"{basis.shape[1]} vectors in {basis.shape[0]} dimensions", where="subspace")
        error = float(np.max(np.abs(basis.T @ basis - np.eye(basis.shape[1]))))
        if not error <= _ROUNDING * math.sqrt(basis.shape[0]):
            raise Defect(f"columns are not orthonormal: off by {error:.3g}", where="subspace")


def principal_angles(left: Float64[np.ndarray, "m k"], right: Float64[np.ndarray, "m r"]) -> Float64[np.ndarray, " j"]:
    """Principal angles between two subspaces, j = min(k, r) of them.

    Cosines are the singular values of leftᵀ right; small angles come from the sines, the singular values of what
    remains of the smaller basis outside the larger, since a cosine near 1 has lost half of its digits.

    Args:
        left: orthonormal columns.
        right: orthonormal columns.

    Returns:
        Radians, ascending, 0 … π/2.

    Raises:
        Defect: columns that are not orthonormal.

    Source:
        Björck and Golub, Numerical methods for computing angles between linear subspaces (1973).
    """
    _orthonormal(left, right)
    small, large = (left, right) if left.shape[1] <= right.shape[1] else (right, left)
    inner = large.T @ small
    cosines = np.linalg.svd(inner, compute_uv=False)
    sines = np.linalg.svd(small - large @ inner, compute_uv=False)[::-1]
    return np.where(cosines**2 > 0.5, np.arcsin(np.minimum(sines, 1.0)), np.arccos(np.minimum(cosines, 1.0)))


def overlap(base: Float64[np.ndarray, "m k"], update: Float64[np.ndarray, "m r"]) -> Reading:
    """Overlap φ = ‖baseᵀ update‖_F² / r of r directions of an update with k directions of the base.

    Noise reads k/m (for right vectors, where the space has n dimensions, k/n): see `null.overlap_null`.

    Args:
        base: orthonormal columns.
        update: orthonormal columns.

    Returns:
        0 … min(1, k/r).

    Raises:
        Defect: columns that are not orthonormal.
    """
    _orthonormal(base, update)
    return Reading(float(np.sum(np.square(base.T @ update))) / update.shape[1])


def subspace_agreement(first: Float64[np.ndarray, "m r"], second: Float64[np.ndarray, "m r"]) -> Reading:
    """Agreement of the leading directions of two updates beyond chance, (φ − r/m) / (1 − r/m), φ as in `overlap`.

    Args:
        first: r orthonormal columns of one run.
        second: as many of another run.

    Returns:
        1 for the same subspace, 0 on average for unrelated ones, a little below 0 by chance; "too_small" where r = m
        and every two subspaces agree.

    Raises:
        Defect: columns that are not orthonormal.
    """
    m, r = first.shape
    if r == m:
        return Reading(None, "too_small")
    share, chance = overlap(first, second).value, overlap_null(r, m)
    return Reading(((share or 0.0) - chance) / (1.0 - chance))


def block_energy(core: Float64[np.ndarray, "k k"], update_energy: float) -> Reading:
    """Share of an update's energy inside the block of the base's leading vectors, ‖U0ᵀ D V0‖_F² / ‖D‖_F².

    Noise reads k²/(mn): see `null.block_energy_null`.

    Args:
        core: U0ᵀ D V0 with k left and k right singular vectors of W0.
        update_energy: ‖D‖_F², 0 or more.

    Returns:
        0 … 1; "no_change" for a zero update.

    Raises:
        Defect: an energy below that of the block.
    """
    inside = float(np.sum(np.square(core)))
    if not math.isfinite(update_energy) or not inside <= update_energy * (1.0 + 1e-9):
        raise Defect(f"a block of energy {inside} in an update of {update_energy}", where="block_energy")
    return Reading(None, "no_change") if update_energy == 0 else Reading(min(1.0, inside / update_energy))


def intruder_curve(
    cosines: Float64[np.ndarray, "a b"],
    epsilons: Sequence[float],
    tops: Sequence[int],
    *,
    values: Float64[np.ndarray, " a"] | None = None,
    base_values: Float64[np.ndarray, " b"] | None = None,
    near: float = NEAR,
) -> Int64[np.ndarray, "t e"]:
    """Number of intruders among the leading vectors of W1, for every threshold and every top count.

    An intruder is a singular vector of W1 whose best absolute cosine with the singular vectors of W0 is below epsilon.
    Where singular values lie within `near` of each other their vectors are defined up to a rotation only; such a
    cluster counts as a subspace: a vector of W1 is compared with the whole of each cluster of W0, and the vectors of a
    cluster of W1 are turned so that the best match comes first, then the best of the rest.

    Args:
        cosines: signed inner products of the leading vectors of W1 (rows) with all vectors of W0 (columns).
        epsilons: thresholds, each 0 … 1.
        tops: how many leading vectors of W1 are looked at, each 1 … a.
        values: singular values of W1 that belong to the rows; None: no clusters among them.
        base_values: singular values of W0 that belong to the columns; None: no clusters among them.
        near: relative width of a cluster.

    Returns:
        Counts; a row never falls along epsilon, a column never falls along the top counts.

    Raises:
        Defect: a threshold or a count outside its range, or cosines above 1.

    Source:
        Shuttleworth et al., LoRA vs full fine-tuning: an illusion of equivalence (2024), section 3; clusters are ours.
    """
    if not all(0 <= each <= 1 for each in epsilons) or not all(1 <= each <= cosines.shape[0] for each in tops):
        raise Defect("a threshold or a number of vectors is outside its range", where="intruder_curve")
    if not float(np.max(np.abs(cosines))) <= 1.0 + _ROUNDING:
        raise Defect("a cosine is above 1 or no number", where="intruder_curve")
    columns = _clusters(base_values, near) if base_values is not None else np.arange(cosines.shape[1])
    rows = _clusters(values, near) if values is not None else np.arange(cosines.shape[0])
    best = np.concatenate([_matches(cosines[low:high], columns) for low, high in _spans(rows, cosines.shape[0])])
    return np.array([[np.count_nonzero(best[:top] < each) for each in epsilons] for top in tops], dtype=np.int64)


def _clusters(values: Float64[np.ndarray, " k"], near: float) -> Int64[np.ndarray, " c"]:
    """First index of each run of values that lie within `near` of the first of the run."""
    starts, first = [0], float(values[0])
    for index, value in enumerate(values.tolist()):
        if value < first * (1.0 - near):
            starts.append(index)
            first = value
    return np.array(starts, dtype=np.int64)


def _spans(starts: Int64[np.ndarray, " c"], size: int) -> list[tuple[int, int]]:
    return list(pairwise([*starts.tolist(), size]))


def _matches(block: Float64[np.ndarray, "a b"], columns: Int64[np.ndarray, " c"]) -> Float64[np.ndarray, " a"]:
    """Best cosine of each vector of one cluster of W1, the cluster turned so that they fall."""
    found: list[float] = []
    while True:
        squares = np.add.reduceat(np.square(block), columns, axis=1)
        if block.shape[0] == 1:
            return np.array([*found, math.sqrt(float(squares.max()))])
        value, direction = 0.0, np.eye(block.shape[0])[0]
        # The largest singular value of a block is at most its norm: candidates in that order, until none can win.
        norms = squares.sum(axis=0)
        spans = _spans(columns, block.shape[1])
        for place in np.argsort(-norms, kind="stable"):
            if norms[place] <= value**2:
                break
            left, size, _ = np.linalg.svd(block[:, slice(*spans[place])], full_matrices=False)
            if size[0] > value:
                value, direction = float(size[0]), left[:, 0]
        found.append(value)
        # A basis of what is left of the cluster: the complement of the direction just used.
        block = np.linalg.svd(direction[None, :])[2][1:] @ block
