"""How the energy of an update is shared out over the matrices of a model.

Here live: inequality, effective number and centre of a list of energies. Not here: how the energy of one matrix is
spread (`rank`, `mass`); which matrix belongs to which layer or role (`footprint`).

Legend: `L` matrices; energy = ‖D‖_F² of one matrix, also divided by its number of entries or by ‖W0‖_F².
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from shadowgraph.errors import Defect
from shadowgraph.measures.spectrum import Reading


def _shares(energies: Float[np.ndarray, " L"]) -> Float[np.ndarray, " L"] | None:
    """Energies as shares of their sum, None where all are zero."""
    if energies.size == 0 or not np.isfinite(energies).all() or bool((energies < 0).any()):
        raise Defect("no energies, or one that is negative or not finite", where="distribution")
    top = float(energies.max())
    return None if top == 0 else (energies / top) / float(np.sum(energies / top))


def gini(energies: Float[np.ndarray, " L"]) -> Reading:
    """Gini index of the energies, Σ_i (2i − L − 1) w_i / L with shares w ascending.

    Args:
        energies: one number a matrix, 0 or more.

    Returns:
        0 (all equal) … 1 − 1/L (one matrix holds everything); "no_change" where all are zero.

    Raises:
        Defect: no energies, or one that is negative or not finite.

    Source:
        Gini (1912).
    """
    shares = _shares(energies)
    if shares is None:
        return Reading(None, "no_change")
    weights = 2.0 * np.arange(1, shares.size + 1) - shares.size - 1.0
    return Reading(max(0.0, float(np.sum(weights * np.sort(shares))) / shares.size))


def effective_number(energies: Float[np.ndarray, " L"]) -> Reading:
    """Effective number of matrices that carry the energy, exp(−Σ w ln w) with shares w.

    Args:
        energies: one number a matrix, 0 or more.

    Returns:
        1 … L; "no_change" where all are zero.

    Raises:
        Defect: no energies, or one that is negative or not finite.

    Source:
        Hill, Diversity and evenness (1973), order 1.
    """
    shares = _shares(energies)
    if shares is None:
        return Reading(None, "no_change")
    present = shares[shares > 0]
    return Reading(float(np.exp(-np.sum(present * np.log(present)))))


def depth_centre(energies: Float[np.ndarray, " L"], depths: Float[np.ndarray, " L"]) -> Reading:
    """Mean depth of the energy, Σ w_i depth_i with shares w.

    Args:
        energies: one number a matrix, 0 or more.
        depths: depth of each matrix, 0 for the first block and 1 for the last.

    Returns:
        Between the smallest and the largest depth; "no_change" where all energies are zero.

    Raises:
        Defect: no energies, one that is negative or not finite, or a depth that is not finite.
    """
    shares = _shares(energies)
    if not np.isfinite(depths).all():
        raise Defect("a depth is not finite", where="depth_centre")
    return Reading(None, "no_change") if shares is None else Reading(float(np.sum(shares * depths)))


def group_shares(energies: Float[np.ndarray, " L"], groups: Sequence[str]) -> dict[str, Reading]:
    """Share of the energy held by each group of matrices, such as a role or a layer.

    Args:
        energies: one number a matrix, 0 or more.
        groups: name of the group of each matrix.

    Returns:
        Group → 0 … 1, in the order of first appearance, summing to 1; "no_change" each where all energies are zero.

    Raises:
        Defect: no energies, one that is negative or not finite, or another number of groups.
    """
    shares = _shares(energies)
    if len(groups) != energies.size:
        raise Defect(f"{len(groups)} groups for {energies.size} energies", where="group_shares")
    if shares is None:
        return dict.fromkeys(groups, Reading(None, "no_change"))
    sums = dict.fromkeys(groups, 0.0)
    for group, share in zip(groups, shares.tolist(), strict=True):
        sums[group] += share
    return {group: Reading(total) for group, total in sums.items()}
