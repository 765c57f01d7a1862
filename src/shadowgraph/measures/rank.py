"""How many directions carry a matrix: the Rényi ranks, the amplitude rank, and the concentration k.

Here live: numbers that need the whole spectrum as a distribution over directions.
Not here: shares and counts of leading values (`mass`), sizes (`geometry`), nulls (`null`).

Ordering, a law of the room: stable_rank ≤ renyi_4 ≤ participation_ratio ≤ erank_energy ≤ nuclear_ratio ≤
erank_amplitude. The first five are the Rényi ranks of order ∞, 4, 2, 1, 1/2 of the energy weights q_i = s_i²/Σs²; the
last is the order-1 rank of the amplitude weights p_i = s_i/Σs. All lie in 1 … min(m, n) and ignore scale, transposition
and rotation. A *lower* rank means a *more concentrated* matrix; a bare "effective rank" never appears without saying
which.

Legend: `s` singular values, descending; `m n` rows and columns; `k` values kept.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from shadowgraph.errors import Defect
from shadowgraph.measures.null import participation_ratio_null
from shadowgraph.measures.spectrum import Reading, Spectrum, obstacle


def _relative(spectrum: Spectrum) -> Float64[np.ndarray, " k"]:
    """Values divided by the largest: free of scale, so that squares and fourth powers stay in range."""
    return spectrum.values / spectrum.values[0]


def _entropy_rank(weights: Float64[np.ndarray, " k"]) -> float:
    """exp(−Σ w ln w) of non-negative weights, normalised here; 0 ln 0 = 0."""
    shares = weights[weights > 0] / np.sum(weights)
    shares = shares[shares > 0]
    return math.exp(-float(np.sum(shares * np.log(shares))))


def participation_ratio(spectrum: Spectrum) -> Reading:
    """Participation ratio PR = (Σ s²)² / Σ s⁴ = 1 / Σ q², the Rényi rank of order 2 of the energies.

    Needs no decomposition: equals ‖A‖_F⁴ / ‖AAᵀ‖_F².

    Args:
        spectrum: complete spectrum of an m × n matrix.

    Returns:
        1 … min(m, n); "no_change" for the zero matrix; "incomplete_spectrum".

    Source:
        Bell and Dean, Atomic vibrations in vitreous silica (1970); Rényi, On measures of entropy and information
        (1961), order 2.
    """
    if (missing := obstacle(spectrum, needs_all=True)) is not None:
        return missing
    energies = np.square(_relative(spectrum))
    return Reading(float(np.sum(energies)) ** 2 / float(np.sum(np.square(energies))))


def erank_energy(spectrum: Spectrum) -> Reading:
    """Effective rank of the energies, exp(−Σ q ln q) with q = s²/Σs².

    Args:
        spectrum: complete spectrum of an m × n matrix.

    Returns:
        1 … min(m, n); "no_change" for the zero matrix; "incomplete_spectrum".

    Source:
        Shannon rank (Rényi order 1) of the energies; differs from Roy and Vetterli, who weigh by amplitude.
    """
    if (missing := obstacle(spectrum, needs_all=True)) is not None:
        return missing
    return Reading(_entropy_rank(np.square(_relative(spectrum))))


def erank_amplitude(spectrum: Spectrum) -> Reading:
    """Effective rank of the amplitudes, exp(−Σ p ln p) with p = s/Σs.

    Misleads on checkpoints stored in 16 bits: rounding noise alone raises it to most of min(m, n).

    Args:
        spectrum: complete spectrum of an m × n matrix.

    Returns:
        1 … min(m, n); "no_change" for the zero matrix; "incomplete_spectrum".

    Source:
        Roy and Vetterli, The effective rank, EUSIPCO (2007), definition 1.
    """
    if (missing := obstacle(spectrum, needs_all=True)) is not None:
        return missing
    return Reading(_entropy_rank(_relative(spectrum)))


def stable_rank(spectrum: Spectrum) -> Reading:
    """Stable rank ‖A‖_F² / s1², the Rényi rank of order ∞; depends on one value, so it varies most.

    Args:
        spectrum: spectrum of an m × n matrix; the largest value and the exact energy suffice.

    Returns:
        1 … min(m, n); "no_change" for the zero matrix.

    Source:
        Rudelson and Vershynin, Sampling from large matrices, JACM (2007), section 1.
    """
    if (missing := obstacle(spectrum, needs_all=False)) is not None:
        return missing
    if spectrum.complete:
        return Reading(float(np.sum(np.square(_relative(spectrum)))))
    top = float(spectrum.values[0])
    return Reading(max(1.0, spectrum.energy / top / top))


def nuclear_ratio(spectrum: Spectrum) -> Reading:
    """Nuclear ratio (Σ s)² / Σ s², the Rényi rank of order 1/2 of the energies; large when small values abound.

    Args:
        spectrum: complete spectrum of an m × n matrix.

    Returns:
        1 … min(m, n); "no_change" for the zero matrix; "incomplete_spectrum".

    Source:
        Rényi, On measures of entropy and information (1961), order 1/2.
    """
    if (missing := obstacle(spectrum, needs_all=True)) is not None:
        return missing
    relative = _relative(spectrum)
    return Reading(float(np.sum(relative)) ** 2 / float(np.sum(np.square(relative))))


def renyi_4(spectrum: Spectrum) -> Reading:
    """Rényi rank of order 4 of the energies, (Σ q⁴)^(−1/3); between the stable rank and the participation ratio.

    Args:
        spectrum: complete spectrum of an m × n matrix.

    Returns:
        1 … min(m, n); "no_change" for the zero matrix; "incomplete_spectrum".

    Source:
        Rényi, On measures of entropy and information (1961), order 4.
    """
    return renyi_profile(spectrum, (4.0,))[0]


def renyi_profile(spectrum: Spectrum, orders: Sequence[float]) -> tuple[Reading, ...]:
    """Rényi ranks of the energies, (Σ q^a)^(1/(1−a)) for each order a; falls as the order rises.

    Orders 1/2, 1, 2 and ∞ are the nuclear ratio, `erank_energy`, the participation ratio and the stable rank; order 0
    counts the values above zero.

    Args:
        spectrum: complete spectrum of an m × n matrix.
        orders: orders, each 0 or more; `math.inf` is allowed.

    Returns:
        One reading an order, 1 … min(m, n); "no_change" for the zero matrix; "incomplete_spectrum".

    Raises:
        Defect: a negative order or one that is no number.

    Source:
        Rényi (1961); Hill, Diversity and evenness (1973), for the profile.
    """
    if not all(order >= 0 for order in orders):
        raise Defect(f"an order of {tuple(orders)} is negative or no number", where="renyi_profile")
    if (missing := obstacle(spectrum, needs_all=True)) is not None:
        return (missing,) * len(orders)
    energies = np.square(_relative(spectrum))
    return tuple(Reading(_renyi(energies, order)) for order in orders)


def _renyi(energies: Float64[np.ndarray, " k"], order: float) -> float:
    """The rank of one order; energies relative to the largest, which is 1."""
    total = float(np.sum(energies))
    if math.isinf(order):
        return total
    if order == 1.0:
        return _entropy_rank(energies)
    present = energies[energies > 0]
    # ln Σ q^a = ln Σ e^a − a ln Σ e, so that high orders do not underflow.
    log_sum = math.log(float(np.sum(np.power(present, order)))) - order * math.log(total)
    return math.exp(log_sum / (1.0 - order))


def concentration(spectrum: Spectrum) -> Reading:
    """Concentration k = ln PR0 − ln PR of a dense update, PR0 = mn/(m + n + 1).

    0 for noise of the same shape, larger for a more concentrated matrix, in nats. Its level means nothing; only
    contrasts at equal base, slots, method, tokens and learning rate do.

    Args:
        spectrum: complete spectrum of a dense m × n update; not of an adapter's product, whose null is another.

    Returns:
        ln PR0 − ln min(m, n) … ln PR0; "no_change", "incomplete_spectrum", or "too_small" where min(m, n) = 1 and PR
        is 1 whatever the update.
    """
    ratio = participation_ratio(spectrum)
    if ratio.value is None:
        return ratio
    m, n = spectrum.shape
    if min(m, n) == 1:
        return Reading(None, "too_small")
    return Reading(math.log(participation_ratio_null(m, n)) - math.log(ratio.value))
