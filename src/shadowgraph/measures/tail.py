"""The power law in the tail of the eigenvalues: how steep, from where, how well, and against what.

Here live: the Clauset fit and its rivals. Not here: the measures read from it (`exponents`) and the edge of the noise
(`spikes`). For states of weights only: an update of low rank has no tail.

None of these numbers is part of a verdict. The bulk of trained spectra follows random-matrix laws, a power law is often
not supported (Thamm, Staats and Rosenow 2022), and a large learning rate alone makes tails heavy. On pure noise the
Clauset exponent is large and scatters; the Hill exponent is 2 to 4.5, by the shape alone, so the thresholds of
heavy-tail theory (2 … 6) apply to the former at most.

Legend: `s` singular values, descending; `x` = s² ascending, those above the resolution of the spectrum; `N` how many
(`Spectrum.kept` at most); `t` in the tail; `m n` rows and columns.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from shadowgraph.measures.spectrum import Spectrum

# Fewer points say nothing about a tail: the standard deviation of an exponent of 3 would be above .28.
FEWEST = 50
# Of the points of the tail, one in so many enters the first, coarse distance.
_STRIDE = 32
# Doubles held at once by the coarse distance.
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """A power law fitted to the upper tail of the eigenvalues, density ∝ x^(−alpha) from xmin.

    Attributes:
        alpha: exponent, above 1.
        xmin: where the tail begins, an eigenvalue (unit of the entries, squared).
        ks: Kolmogorov-Smirnov distance between the tail and the fit, 0 … 1.
        tail: number of eigenvalues from xmin on.
        lr_lognormal: log-likelihood ratio against a lognormal tail, in its own standard deviations; positive: the
            power law fits better.
        p_lognormal: two-sided probability of a ratio at least as large when both fit equally well.
        lr_exponential: the same against an exponential tail.
        p_exponential: its probability.
        status: "ok", or "few_points": fewer than 50 in the tail; then only `tail` is a number.
    """

    alpha: float | None
    xmin: float | None
    ks: float | None
    tail: int
    lr_lognormal: float | None
    p_lognormal: float | None
    lr_exponential: float | None
    p_exponential: float | None
    status: str = "ok"


def power_law(spectrum: Spectrum) -> PowerLaw:
    """Fit a power law to the tail of the eigenvalues x = s².

    For every candidate xmin = x_i: alpha_i = 1 + N_i / Σ_{j≥i} ln(x_j / x_i), and D_i = max_j |F_i(x_j) − (j − i)/N_i|
    with F_i(x) = 1 − (x/x_i)^(1 − alpha_i). The xmin of the smallest D_i is taken; D is measured at the lower side of
    each step, as the authors' own code and its descendants do.

    Args:
        spectrum: complete spectrum of a weight matrix. Values at or below its error bound are left out.

    Returns:
        The fit, with its quality and its sample size.

    Source:
        Clauset, Shalizi and Newman, Power-law distributions in empirical data (2009), equations 3.1 and 3.9 and
        section 5; Vuong (1989) for the ratio.
    """
    logs = log_eigenvalues(spectrum)
    if logs.size < FEWEST or float(logs[-1]) == float(logs[0]):
        return _too_few(int(logs.size))
    start, alpha, distance = _best_start(logs)
    tail = logs[start:] - logs[start]
    if tail.size < FEWEST:
        return _too_few(int(tail.size))
    own = math.log(alpha - 1.0) - alpha * tail
    lognormal = _vuong(own, _lognormal(tail))
    exponential = _vuong(own, _exponential(tail))
    xmin = math.exp(float(logs[start])) * float(spectrum.values[0]) ** 2
    return PowerLaw(alpha, xmin, distance, int(tail.size), *lognormal, *exponential)


def _too_few(tail: int) -> PowerLaw:
    return PowerLaw(None, None, None, tail, None, None, None, None, "few_points")


def log_eigenvalues(spectrum: Spectrum) -> Float64[np.ndarray, " N"]:
    """ln(s²/s1²), ascending, of the values that the spectrum resolves: those above its error bound and rounding.

    Args:
        spectrum: a spectrum that is not zero.

    Returns:
        N numbers up to 0.
    """
    relative = spectrum.values / spectrum.values[0]
    resolution = max(spectrum.error_bound / float(spectrum.values[0]), np.finfo(np.float64).eps * max(spectrum.shape))
    return 2.0 * np.log(relative[relative > resolution][::-1])


def _best_start(logs: Float64[np.ndarray, " N"]) -> tuple[int, float, float]:
    """Index, exponent and distance of the candidate with the smallest distance; the earliest of equals.

    A distance over every 32nd point is a lower bound of the distance over all. Candidates are measured in full in the
    order of their bounds until no bound lies below the best, so the result is that of measuring all.
    """
    size = logs.size
    counts = np.arange(size, 0, -1, dtype=np.float64)[:-1]
    sums = np.cumsum(logs[::-1])[::-1][:-1] - counts * logs[:-1]
    usable = np.flatnonzero(sums > 0)
    slopes = counts[usable] / sums[usable]
    bounds = _coarse_distances(logs, usable, slopes)
    best, found = math.inf, 0
    for place in np.argsort(bounds, kind="stable"):
        if bounds[place] > best:
            break
        distance = _distance(logs[usable[place] :], float(slopes[place]))
        if distance < best or (distance == best and place < found):
            best, found = distance, int(place)
    return int(usable[found]), 1.0 + float(slopes[found]), best


def _distance(tail: Float64[np.ndarray, " t"], slope: float) -> float:
    """Largest |1 − e^(−slope·(ln x − ln xmin)) − (rank − 1)/t| over the tail."""
    theory = -np.expm1(-slope * (tail - tail[0]))
    return float(np.max(np.abs(theory - np.arange(tail.size) / tail.size)))


def _coarse_distances(
    logs: Float64[np.ndarray, " N"],
    starts: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    slopes: Float64[np.ndarray, " c"],
) -> Float64[np.ndarray, " c"]:
    """The distance of each candidate over every 32nd point of its tail."""
    size = logs.size
    points = np.arange(_STRIDE // 2, size, _STRIDE)
    bounds = np.zeros(starts.size)
    width = max(1, _CHUNK // max(points.size, 1))
    for low in range(0, starts.size, width):
        part = slice(low, low + width)
        first = int(np.searchsorted(points, starts[low]))
        columns = points[first:]
        if columns.size == 0:
            break
        start, slope = starts[part, None], slopes[part, None]
        steps = np.maximum(logs[columns] - logs[start], 0.0)  # points before the start are blanked below
        gaps = np.abs(-np.expm1(-slope * steps) - (columns - start) / (size - start))
        gaps[columns[None, :] < start] = 0.0
        bounds[part] = gaps.max(axis=1)
    return bounds


def _vuong(own: Float64[np.ndarray, " t"], rival: Float64[np.ndarray, " t"] | None) -> tuple[float, float]:
    """Normalised log-likelihood ratio and its two-sided probability; (0, 1) where the rival becomes the power law."""
    if rival is None:
        return 0.0, 1.0
    difference = own - rival
    spread = float(np.std(difference)) * math.sqrt(difference.size)
    if spread == 0.0:
        return 0.0, 1.0
    ratio = float(np.sum(difference)) / spread
    return ratio, math.erfc(abs(ratio) / math.sqrt(2.0))


def _exponential(tail: Float64[np.ndarray, " t"]) -> Float64[np.ndarray, " t"]:
    """Log-density at each point of an exponential tail from xmin, in units of xmin, by maximum likelihood."""
    excess = np.expm1(tail)
    rate = 1.0 / float(np.mean(excess))
    return math.log(rate) - rate * excess


def _lognormal(tail: Float64[np.ndarray, " t"]) -> Float64[np.ndarray, " t"] | None:
    """Log-density at each point of a lognormal tail from xmin, in units of xmin, by maximum likelihood.

    z = ln(x/xmin) is a normal variable cut at 0. With a the cut in standard deviations above the mean and λ its
    hazard, E z = σ(λ − a) and E z² = σ²(1 + a² − aλ); their ratio E z²/(E z)² depends on a alone and rises from 1 to
    2, where the cut normal becomes an exponential in z, which is the power law itself. A ratio of 2 or more has no
    interior maximum: None.

    Source: moments of the truncated normal, Johnson, Kotz and Balakrishnan (1994), section 13.10.
    """
    mean, square = float(np.mean(tail)), float(np.mean(np.square(tail)))
    wanted = square / mean**2
    if wanted >= _moment_ratio(_DEEPEST):
        return None
    low, high = -_DEEPEST, _DEEPEST
    while high - low > 1e-12 * max(1.0, abs(low)):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _moment_ratio(middle) < wanted else (low, middle)
    cut = (low + high) / 2.0
    hazard = _hazard(cut)
    sigma = mean / (hazard - cut)
    # ln of the tail probability through the hazard: φ(a)/Φ(−a) = λ.
    return math.log(hazard / sigma) - 0.5 * np.square(tail / sigma) - cut * tail / sigma - tail


_DEEPEST = 300.0


def _hazard(a: float) -> float:
    """φ(a) / Φ(−a) of the standard normal law."""
    import scipy.special  # seldom needed, and slow to import

    return math.sqrt(2.0 / math.pi) / float(scipy.special.erfcx(a / math.sqrt(2.0)))


def _moment_ratio(a: float) -> float:
    """E z² / (E z)² of a normal variable cut a standard deviations above its mean, z measured from the cut."""
    hazard = _hazard(a)
    return (1.0 + a * a - a * hazard) / (hazard - a) ** 2
