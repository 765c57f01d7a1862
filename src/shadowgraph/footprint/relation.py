"""How the leading directions of an update lie to those of its base, and to those of another update.

Here live: overlaps with the base, rotation of the leading subspaces, intruder counts, agreement of two runs, and the
nulls of each in closed form. Not here: leading vectors (`spectra.leading`), formulas (`measures.subspace`).

The vectors cost more than all singular values: at 2,048 × 2,048 on one core 2 s for k = 32 of W0, W1 and D, and 12 s
more for intruders, which need every vector of W0; eight times that at 4,096. Two float64 arrays of each are in memory.

Legend: `m n` rows and columns; `k` leading vectors of a weight, `r` of an update; W0 before, W1 after, D = W1 − W0.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shadowgraph.footprint.nulls import NullValue
from shadowgraph.footprint.product import Product
from shadowgraph.measures.null import block_energy_null, overlap_null
from shadowgraph.measures.spectrum import Reading
from shadowgraph.measures.subspace import block_energy, intruder_curve, overlap, principal_angles, subspace_agreement
from shadowgraph.spectra.leading import Leading, leading
from shadowgraph.spectra.source import RowSource, as_source

Matrix = NDArray[np.float64]
Source = Matrix | RowSource

K = 32
EPSILONS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
TOPS = (1, 10, 100)
BLOCK_ROWS = 512
# Vectors of values below this share of the largest are rounding, not directions: a rank-4 update has four.
NEGLIGIBLE = 1e-6

OVERLAPS = ("base_overlap_left", "base_overlap_right", "base_block_energy")
ROTATIONS = ("base_rotation_left", "base_rotation_right")


def intruder_key(top: int, epsilon: float) -> str:
    """Name of one point of the intruder curves, such as "intruder_10_0.5"."""
    return f"intruder_{top}_{epsilon:g}"


def relation_keys() -> tuple[str, ...]:
    """Keys of all readings of `relation_readings`."""
    intruders = (intruder_key(top, epsilon) for top in TOPS for epsilon in EPSILONS)
    return *OVERLAPS, *ROTATIONS, *intruders


def relation_readings(
    before: Source, after: Source, update: Source, *, k: int = K, intruders: bool = True
) -> dict[str, Reading]:
    """Everything that leading vectors say of one update and its base.

    Args:
        before: W0 (m, n), rows outputs: for a transposed source left and right change places.
        after: W1.
        update: D; of a product of factors the vectors come from the factors.
        k: number of leading vectors.
        intruders: whether to count intruders, which takes every vector of W0.

    Returns:
        "base_overlap_left", "base_overlap_right": overlap φ of the leading vectors of D with those of W0, 0 … 1.
        "base_block_energy": energy share of D in the block of the leading vectors of W0, 0 … 1.
        "base_rotation_left", "base_rotation_right": largest principal angle between the leading subspaces of W0 and W1,
        radians, 0 … π/2. "intruder_<top>_<epsilon>": see `intruder_readings`. "too_small" where min(m, n) < 2k;
        "no_change" for a zero update or base.

    Raises:
        DecompositionFailure: an eigenvalue routine that does not converge.
    """
    m, n = as_source(before).shape
    if min(m, n) < 2 * k:
        found = dict.fromkeys((*OVERLAPS, *ROTATIONS), Reading(None, "too_small"))
        return found | (intruder_readings(before, after) if intruders else {})
    everything = leading(before, min(m, n)) if intruders else None
    base = leading(before, k) if everything is None else _first(everything, k)
    found = _overlaps(base, _leading(update, k), update) | _rotations(base, leading(after, k))
    return found if everything is None else found | _intruders(everything, leading(after, min(max(TOPS), m, n)))


def _overlaps(base: Leading, moved: Leading, update: Source) -> dict[str, Reading]:
    """Overlaps of an update with its base."""
    rank = _rank(moved)
    if rank == 0 or _rank(base) == 0:
        return dict.fromkeys(OVERLAPS, Reading(None, "no_change"))
    return {
        "base_overlap_left": overlap(base.left, moved.left[:, :rank]),
        "base_overlap_right": overlap(base.right, moved.right[:, :rank]),
        "base_block_energy": block_energy(_core(base, update), moved.energy),
    }


def _rotations(base: Leading, after: Leading) -> dict[str, Reading]:
    """Largest principal angle between the leading subspaces of W0 and W1."""
    if _rank(base) < base.values.size or _rank(after) < after.values.size:
        return dict.fromkeys(ROTATIONS, Reading(None, "too_small"))
    return {
        "base_rotation_left": Reading(float(principal_angles(base.left, after.left)[-1])),
        "base_rotation_right": Reading(float(principal_angles(base.right, after.right)[-1])),
    }


def relation_nulls(shape: tuple[int, int], k: int = K, rank: int | None = None) -> dict[str, NullValue]:
    """What noise independent of the base reads, all in closed form.

    With P and Q independent random projections of ranks k and r in m dimensions, E tr PQ = kr/m and
    Var tr PQ = 2 k r (m − k)(m − r) / (m² (m − 1)(m + 2)). The block of k × k coordinates holds a share of the energy
    of Gaussian noise that follows the law Beta(k²/2, (mn − k²)/2).

    Args:
        shape: (m, n).
        k: leading vectors of the base.
        rank: r, leading vectors of the update; None for k.

    Returns:
        Key → null; empty where min(m, n) < 2k. Rotations and intruders have none: they depend on the base's gaps.

    Source:
        Second moments of a projection under the orthogonal group (Collins and Śniady 2006); the Beta law of ratios of
        independent χ².
    """
    m, n = shape
    if min(m, n) < 2 * k:
        return {}
    r = k if rank is None else rank
    spread = math.sqrt(2.0 * k * k * (m * n - k * k) / ((m * n) ** 2 * (m * n + 2)))
    return {
        "base_overlap_left": NullValue(overlap_null(k, m), _overlap_sd(k, r, m), 0, "closed_form"),
        "base_overlap_right": NullValue(overlap_null(k, n), _overlap_sd(k, r, n), 0, "closed_form"),
        "base_block_energy": NullValue(block_energy_null(k, m, n), spread, 0, "closed_form"),
    }


def _overlap_sd(k: int, r: int, size: int) -> float:
    return math.sqrt(2.0 * k * r * (size - k) * (size - r) / (size**2 * (size - 1) * (size + 2))) / r


def intruder_readings(before: Source, after: Source) -> dict[str, Reading]:
    """Leading vectors of W1 that resemble no vector of W0, over thresholds and counts.

    Both are free choices, so the whole curve is given: left singular vectors of W1 among the first 1, 10 and 100 whose
    best cosine with all those of W0 is below .3, .4, … .8; vectors of nearly equal singular values as subspaces.

    Args:
        before: W0 (m, n), rows outputs.
        after: W1.

    Returns:
        "intruder_<top>_<epsilon>" → count, 0 … top; "too_small" where min(m, n) ≤ top; "no_change" for a zero matrix.

    Raises:
        DecompositionFailure: an eigenvalue routine that does not converge.

    Source:
        Shuttleworth et al., LoRA vs full fine-tuning: an illusion of equivalence (2024), section 3.
    """
    size = min(as_source(before).shape)
    return _intruders(leading(before, size), leading(after, min(max(TOPS), size)))


def _intruders(base: Leading, after: Leading) -> dict[str, Reading]:
    size, known, rank = min(base.left.shape[0], base.right.shape[0]), _rank(base), _rank(after)
    found: dict[str, Reading] = {}
    for top in TOPS:
        status = "no_change" if min(known, rank) == 0 else "too_small" if size <= top or rank < top else "ok"
        counts = None
        if status == "ok":
            cosines = after.left[:, :top].T @ base.left[:, :known]
            values = (after.values[:top], base.values[:known])
            counts = intruder_curve(cosines, EPSILONS, (top,), values=values[0], base_values=values[1])[0]
        for position, epsilon in enumerate(EPSILONS):
            found[intruder_key(top, epsilon)] = (
                Reading(None, status) if counts is None else Reading(float(counts[position]))
            )
    return found


def run_agreement(first: Source, second: Source, *, k: int = K) -> dict[str, Reading]:
    """Agreement of the leading directions of two updates of one base; a signature that other seeds lack is noise.

    Args:
        first: D of one run (m, n), rows outputs.
        second: D of another.
        k: number of leading vectors; fewer where either update has a lower rank.

    Returns:
        "run_overlap_left", "run_overlap_right": (φ − r/m) / (1 − r/m), 1 for the same subspace, 0 for unrelated
        ones; "too_small" where min(m, n) < 2k; "no_change" for a zero update.

    Raises:
        DecompositionFailure: an eigenvalue routine that does not converge.
    """
    keys = ("run_overlap_left", "run_overlap_right")
    if min(as_source(first).shape) < 2 * k:
        return dict.fromkeys(keys, Reading(None, "too_small"))
    one, other = _leading(first, k), _leading(second, k)
    rank = min(_rank(one), _rank(other))
    if rank == 0:
        return dict.fromkeys(keys, Reading(None, "no_change"))
    return {
        keys[0]: subspace_agreement(one.left[:, :rank], other.left[:, :rank]),
        keys[1]: subspace_agreement(one.right[:, :rank], other.right[:, :rank]),
    }


def _leading(update: Source, k: int) -> Leading:
    """Leading vectors of an update; of a product fewer than k where its inner size is less."""
    return update.leading(k) if isinstance(update, Product) else leading(update, k)


def _rank(found: Leading) -> int:
    """How many of the leading values are directions."""
    top = float(found.values[0])
    return int(np.count_nonzero(found.values > NEGLIGIBLE * top)) if top > 0.0 else 0


def _first(found: Leading, k: int) -> Leading:
    """The first k of more leading values and vectors."""
    return replace(found, values=found.values[:k], left=found.left[:, :k], right=found.right[:, :k])


def _core(base: Leading, update: Source) -> Matrix:
    """U0ᵀ D V0, D read in blocks of rows."""
    core, first = np.zeros((base.left.shape[1], base.right.shape[1])), 0
    for block in as_source(update).blocks(BLOCK_ROWS):
        last = first + block.shape[0]
        core += base.left[first:last].T @ (block @ base.right)
        first = last
    return core
