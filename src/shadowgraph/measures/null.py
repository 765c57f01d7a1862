"""Closed forms: what pure noise of the same shape reads, and how to take storage noise out again.

Here live: expectations for matrices of independent Gaussian entries, and the moment correction of the participation
ratio. Not here: nulls that must be simulated (`footprint.nulls`).

Legend: `m n` rows and columns, `r` rank of an adapter. All functions are symmetric in m and n.
"""

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Int

from shadowgraph.errors import Defect
from shadowgraph.measures.spectrum import Reading

FLOOR_LIMIT = 0.3
# An estimate of a ratio of 1 may fall a little below 1; further below, the correction has taken out too much.
_UNDERSHOOT = 0.95


def _positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise Defect(f"{name} = {size}, a size is at least 1", where="closed-form null")


def participation_ratio_null(m: int, n: int) -> float:
    """Participation ratio of an m × n matrix of independent, equal-variance Gaussian entries.

    PR0 = (E‖A‖_F²)² / E tr((AAᵀ)²) = m n / (m + n + 1), the exact ratio of the two expectations; the mean of the ratio
    itself differs by O(1/(mn)) relatively. Range: below min(m, n); tends to m / (1 + m/n) for large shapes.

    Args:
        m: rows.
        n: columns.

    Returns:
        PR0, a number of directions.

    Raises:
        Defect: a size below 1.

    Source:
        Wishart moment E tr((AAᵀ)²) = σ⁴ mn(m + n + 1); Muirhead, Aspects of Multivariate Statistical Theory (1982).
    """
    _positive(m=m, n=n)
    return m * n / (m + n + 1)


def adapter_participation_ratio_null(r: int, m: int, n: int) -> float:
    """Participation ratio of a product B A with Gaussian factors B (m × r) and A (r × n).

    PR0 = 1 / (1/r + 1/m + 1/n), the leading order of the ratio of expectations. Dividing by r instead, or using the
    dense null, misreads every adapter (512 × 512, r = 16: the dense null is wrong by 2.8 nats).

    Args:
        r: rank of the adapter.
        m: rows of the product.
        n: columns of the product.

    Returns:
        PR0, below min(r, m, n).

    Raises:
        Defect: a size below 1.

    Source:
        Moments of products of Gaussian matrices; leading order checked by simulation in the tests.
    """
    _positive(r=r, m=m, n=n)
    return 1.0 / (1.0 / r + 1.0 / m + 1.0 / n)


def stable_rank_limit(m: int, n: int) -> float:
    """Stable rank of a large Gaussian matrix: m n / (√m + √n)², a number of directions.

    The limit of ‖A‖_F² / s1² as both sizes grow at a fixed ratio; at finite size the simulated mean lies 1.4 %
    above it (512 × 512) because the largest singular value stays below its edge on average.

    Args:
        m: rows.
        n: columns.

    Returns:
        The limit, at least min(m, n) / 4 and below min(m, n).

    Raises:
        Defect: a size below 1.

    Source:
        Geman, A limit theorem for the norm of random matrices (1980).
    """
    _positive(m=m, n=n)
    return m * n / (math.sqrt(m) + math.sqrt(n)) ** 2


def marchenko_pastur_edge(m: int, n: int, entry_sd: float = 1.0) -> float:
    """Upper edge of the singular values of pure noise: entry_sd · (√m + √n).

    The largest value of noise fluctuates about the edge on a relative scale of n^(−2/3) (Tracy and Widom), so a value
    just above it is no evidence of structure.

    Args:
        m: rows.
        n: columns.
        entry_sd: standard deviation of an entry, in the unit of the entries.

    Returns:
        The edge, in the unit of the entries.

    Raises:
        Defect: a size below 1 or a negative standard deviation.

    Source:
        Marchenko and Pastur (1967); Geman (1980).
    """
    _positive(m=m, n=n)
    if entry_sd < 0:
        raise Defect(f"standard deviation {entry_sd} is negative", where="closed-form null")
    return entry_sd * (math.sqrt(m) + math.sqrt(n))


def tracy_widom_cdf(x: float) -> float:
    """Distribution function of the Tracy-Widom law of order 1, the law of the largest value of real noise.

    F1(x) = det(I − K) with the kernel K(u, v) = Ai((u + v)/2 + x)/2 on (0, ∞), by 60 Gauss-Legendre nodes on (0, 18);
    accurate to about 1e-13.

    Args:
        x: where, −8 … 8.

    Returns:
        A probability.

    Source:
        Tracy and Widom (1996); Ferrari and Spohn (2005) for the determinant, Bornemann (2010) for its quadrature.
    """
    import scipy.special  # seldom needed, and slow to import

    nodes, weights = _legendre(60)
    kernel: Float64[np.ndarray, "q q"] = scipy.special.airy((nodes[:, None] + nodes[None, :]) / 2.0 + x)[0] / 2.0
    roots = np.sqrt(weights)
    return float(np.linalg.det(np.eye(nodes.size) - roots[:, None] * kernel * roots[None, :]))


def _legendre(count: int) -> tuple[Float64[np.ndarray, " q"], Float64[np.ndarray, " q"]]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 9.0 * (nodes + 1.0), 9.0 * weights


# Quantiles at the usual rates, as `_quantile` finds them: a search costs 40 determinants.
_QUANTILES = {
    0.9: 0.450143289,
    0.95: 0.979316053,
    0.99: 2.023449281,
    0.995: 2.422326586,
    0.999: 3.272196059,
    0.9999: 4.359420344,
}


@lru_cache(maxsize=64)
def tracy_widom_quantile(probability: float) -> float:
    """Quantile of the Tracy-Widom law of order 1.

    Args:
        probability: between 1e-6 and 1 − 1e-6.

    Returns:
        x with F1(x) = probability; .9793 at .95, 2.0234 at .99.

    Raises:
        Defect: a probability outside its range.
    """
    if not 1e-6 <= probability <= 1.0 - 1e-6:
        raise Defect(f"probability {probability} is outside 1e-6 … 1 − 1e-6", where="tracy_widom_quantile")
    known = _QUANTILES.get(round(probability, 12))
    return _quantile(probability) if known is None else known


def _quantile(probability: float) -> float:
    """The quantile by halving −8 … 8 to 1e-10."""
    low, high = -8.0, 8.0
    while high - low > 1e-10:
        middle = (low + high) / 2.0
        low, high = (middle, high) if tracy_widom_cdf(middle) < probability else (low, middle)
    return (low + high) / 2.0


def tracy_widom_edge(m: int, n: int, entry_sd: float = 1.0, *, false_alarm: float = 0.01) -> float:
    """Value that the largest singular value of pure noise exceeds with a stated probability.

    s1² is near a + b·x with x of the Tracy-Widom law of order 1, M = m − ½, N = n − ½,
        a = (√M + √N)²,   b = (√M + √N)(1/√M + 1/√N)^(1/3).
    The half in place of Johnstone's whole makes the form symmetric and the error of order n^(−2/3).

    Args:
        m: rows.
        n: columns.
        entry_sd: standard deviation of an entry, in the unit of the entries.
        false_alarm: the probability, 1e-6 … 1 − 1e-6.

    Returns:
        The edge, in the unit of the entries; above `marchenko_pastur_edge` for rates below about .17.

    Raises:
        Defect: a size below 1, a negative standard deviation or a rate outside its range.

    Source:
        Johnstone (2001), theorem 1; Ma, Accuracy of the Tracy-Widom limits (2012), theorem 2.
    """
    _positive(m=m, n=n)
    if entry_sd < 0:
        raise Defect(f"standard deviation {entry_sd} is negative", where="closed-form null")
    return entry_sd * float(tracy_widom_edges(np.array([m]), np.array([n]), false_alarm)[0])


def tracy_widom_edges(
    rows: Int[np.ndarray, " j"], columns: Int[np.ndarray, " j"], false_alarm: float
) -> Float64[np.ndarray, " j"]:
    """`tracy_widom_edge` of many shapes at once, for unit entries.

    Args:
        rows: m of each shape, at least 1.
        columns: n of each shape, at least 1.
        false_alarm: the probability, 1e-6 … 1 − 1e-6.

    Returns:
        The edge of each shape.
    """
    left, right = np.sqrt(rows - 0.5), np.sqrt(columns - 0.5)
    spread = (left + right) * np.cbrt(1.0 / left + 1.0 / right)
    return np.sqrt(np.maximum((left + right) ** 2 + spread * tracy_widom_quantile(1.0 - false_alarm), 0.0))


def overlap_null(k: int, size: int) -> float:
    """Expected overlap φ of a k-dimensional subspace with independent random directions: k / size.

    Args:
        k: dimension of the subspace.
        size: dimension of the space: m for left vectors, n for right ones.

    Returns:
        0 … 1.

    Raises:
        Defect: a size below 1 or a subspace larger than its space.

    Source:
        Trace of a projection of rank k under a random rotation.
    """
    _positive(k=k, size=size)
    if k > size:
        raise Defect(f"a subspace of {k} dimensions in a space of {size}", where="overlap_null")
    return k / size


def block_energy_null(k: int, m: int, n: int) -> float:
    """Expected energy share of noise in the block of k leading left and right vectors of the base: k² / (m n).

    Args:
        k: number of vectors on either side.
        m: rows.
        n: columns.

    Returns:
        0 … 1.

    Raises:
        Defect: a size below 1 or more vectors than rows or columns.
    """
    return overlap_null(k, m) * overlap_null(k, n)


def storage_floor_share(energy: float, m: int, n: int, noise_variance: float) -> float:
    """Share of an update's energy that storage rounding explains: noise_variance · m n / energy.

    Args:
        energy: ‖D‖_F² of the stored difference, above 0.
        m: rows.
        n: columns.
        noise_variance: mean variance of the rounding error of one entry of D (unit of the entries, squared).

    Returns:
        The share, 0 or more; above 1 when the stored difference is smaller than its own rounding noise.

    Raises:
        Defect: a size below 1, an energy not above 0 or a negative variance.
    """
    _positive(m=m, n=n)
    if not energy > 0 or noise_variance < 0:
        raise Defect(f"energy {energy} or noise variance {noise_variance} is outside its range", where="storage floor")
    return noise_variance * m * n / energy


def denoised_participation_ratio(energy: float, fourth: float, m: int, n: int, noise_variance: float) -> Reading:
    """Participation ratio of an update with the storage noise taken out of both moments.

    With D = S + N, N of independent entries of variance v:
        F = ‖D‖_F² − v mn
        Q = tr((DDᵀ)²) − 2(m + n + 1) v F − v² mn(m + n + 1)
        PR = F² / Q
    F and Q estimate ‖S‖_F² and tr((SSᵀ)²) without bias for Gaussian N. The correction fails when the noise dominates:
    above a floor share of .3 no value is given. It misleads with a wrong v: the textbook u²/12 for a unit u in the last
    place holds only while the update's entries are larger than u; below that it overstates v and the corrected ratio
    comes out too low, hence the update too concentrated (rank 8 in bfloat16: 6.4 at a true share of .21).

    Args:
        energy: ‖D‖_F² = Σ s², 0 or more.
        fourth: tr((DDᵀ)²) = Σ s⁴.
        m: rows.
        n: columns.
        noise_variance: v, the mean variance of the rounding error of one entry of D.

    Returns:
        The corrected ratio, 1 … min(m, n); "no_change" for zero energy; "floor" when the floor share is above .3 or
        the corrected moments leave the range in which a ratio exists.

    Raises:
        Defect: a size below 1, or a negative energy, fourth moment or variance.

    Source:
        Wishart moments as in `participation_ratio_null`; cross terms E = 2(m + n + 1) v ‖S‖_F².
    """
    _positive(m=m, n=n)
    if energy < 0 or fourth < 0 or noise_variance < 0:
        raise Defect("a negative moment or variance", where="denoised participation ratio")
    if energy == 0:
        return Reading(None, "no_change")
    if storage_floor_share(energy, m, n, noise_variance) > FLOOR_LIMIT:
        return Reading(None, "floor")
    # Work in units of the energy, so that neither the fourth power nor its inverse leaves the float range.
    share = noise_variance / energy
    signal = 1.0 - share * m * n
    quartic = fourth / energy / energy - 2.0 * (m + n + 1) * share * signal - share * share * m * n * (m + n + 1)
    ratio = signal * signal / quartic if quartic > 0 else math.inf
    return Reading(max(ratio, 1.0)) if _UNDERSHOOT <= ratio <= min(m, n) else Reading(None, "floor")
