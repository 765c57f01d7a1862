"""Where the energy sits along the spectrum: shares of leading values and counts that reach a share.

Here live: top-k energy shares and k90 / k99. Not here: ranks of the whole distribution (`rank`).

Legend: C_k = Σ_{i≤k} s_i² / ‖A‖_F², with the exact energy below; `m n` rows and columns.
"""

import numpy as np
from jaxtyping import Float64

from shadowgraph.measures.spectrum import Reading, Spectrum, obstacle

# A count must not jump because a sum of squares was rounded: shares this close to the target have reached it.
_ROUNDING = 1e-12


def _cumulated(spectrum: Spectrum) -> Float64[np.ndarray, " k"]:
    """C_1 … C_k of a spectrum that is not zero."""
    top = float(spectrum.values[0])
    sums = np.cumsum(np.square(spectrum.values / top))
    total = float(sums[-1]) if spectrum.complete else max(spectrum.energy / top / top, float(sums[-1]))
    return sums / total


def _share(spectrum: Spectrum, count: int) -> Reading:
    """C_count, where that many values exist and are not already the whole matrix."""
    if (missing := obstacle(spectrum, needs_all=False)) is not None:
        return missing
    if count >= min(spectrum.shape):
        return Reading(None, "too_small")
    if count > spectrum.kept:
        return Reading(None, "incomplete_spectrum")
    return Reading(float(_cumulated(spectrum)[count - 1]))


def _reach(spectrum: Spectrum, share: float) -> Reading:
    """Smallest k with C_k ≥ share."""
    if (missing := obstacle(spectrum, needs_all=False)) is not None:
        return missing
    cumulated = _cumulated(spectrum)
    below = int(np.count_nonzero(cumulated < share * (1.0 - _ROUNDING)))
    if below == spectrum.kept:
        return Reading(None, "incomplete_spectrum")
    return Reading(float(below + 1))


def energy_top1(spectrum: Spectrum) -> Reading:
    """Energy share C_1 of the largest singular value, 1/min(m, n) … 1; the inverse of the stable rank.

    Args:
        spectrum: spectrum of an m × n matrix with the largest value kept.

    Returns:
        The share; "no_change"; "too_small" where min(m, n) = 1.
    """
    return _share(spectrum, 1)


def energy_top8(spectrum: Spectrum) -> Reading:
    """Energy share C_8 of the 8 largest singular values, 8/min(m, n) … 1.

    Args:
        spectrum: spectrum of an m × n matrix with at least 8 values kept.

    Returns:
        The share; "no_change"; "too_small" where min(m, n) ≤ 8; "incomplete_spectrum".
    """
    return _share(spectrum, 8)


def energy_top32(spectrum: Spectrum) -> Reading:
    """Energy share C_32 of the 32 largest singular values, 32/min(m, n) … 1.

    Args:
        spectrum: spectrum of an m × n matrix with at least 32 values kept.

    Returns:
        The share; "no_change"; "too_small" where min(m, n) ≤ 32; "incomplete_spectrum".
    """
    return _share(spectrum, 32)


def energy_top1pct(spectrum: Spectrum) -> Reading:
    """Energy share C_k of the leading hundredth, k = ⌈min(m, n)/100⌉.

    Args:
        spectrum: spectrum of an m × n matrix with at least k values kept.

    Returns:
        The share, k/min(m, n) … 1; "no_change"; "too_small" where min(m, n) = 1; "incomplete_spectrum".
    """
    return _share(spectrum, -(-min(spectrum.shape) // 100))


def k90(spectrum: Spectrum) -> Reading:
    """Smallest k with C_k ≥ .9, a whole number in 1 … min(m, n); it jumps.

    Args:
        spectrum: spectrum of an m × n matrix with enough values kept to reach the share.

    Returns:
        The count; "no_change"; "incomplete_spectrum" where the kept values do not reach the share.

    Source:
        Used on update matrices by Biderman et al., LoRA learns less and forgets less (2024).
    """
    return _reach(spectrum, 0.9)


def k99(spectrum: Spectrum) -> Reading:
    """Smallest k with C_k ≥ .99, a whole number in 1 … min(m, n); follows the noise floor of the storage.

    Args:
        spectrum: spectrum of an m × n matrix with enough values kept to reach the share.

    Returns:
        The count; "no_change"; "incomplete_spectrum" where the kept values do not reach the share.
    """
    return _reach(spectrum, 0.99)
