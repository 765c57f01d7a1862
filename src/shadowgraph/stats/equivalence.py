"""Claims of no difference: two one-sided tests against an absolute margin, and the sample they need.

Here live: TOST, its power, and the number of draws. Not here: the margin, which a plan freezes before the data.

Legend: `a b` numbers of independent units in the two arms.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.stats
from jaxtyping import Float

from shadowgraph.errors import Defect
from shadowgraph.stats.effect import checked


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Result of two one-sided tests.

    Attributes:
        estimate: mean a − mean b, in the unit of the data.
        interval: its (1 − 2 alpha) confidence interval, None without "ok".
        p: the larger of the two one-sided p values, None without "ok".
        margin: the absolute margin tested against.
        equivalent: whether the interval lies inside (−margin, margin); False without "ok".
        status: "ok", "too_few_draws" (fewer than 2 units in an arm) or "no_spread" (both arms constant).
    """

    estimate: float
    interval: tuple[float, float] | None
    p: float | None
    margin: float
    equivalent: bool
    status: str = "ok"


def tost(a: Float[np.ndarray, " a"], b: Float[np.ndarray, " b"], margin: float, alpha: float = 0.05) -> Equivalence:
    """Two one-sided Welch t tests of |mean a − mean b| < margin.

    p = max(P(T_ν ≥ (d + margin)/se), P(T_ν ≤ (d − margin)/se)), se² = s_a²/a + s_b²/b, ν by Welch and Satterthwaite.
    Equivalent exactly when p < alpha, that is when the (1 − 2 alpha) interval lies inside the margins. Not equivalent
    means undecided, not different.

    Args:
        a: first arm (a,), one number a unit.
        b: second arm (b,), one number a unit.
        margin: smallest difference that would matter, above 0, unit of the data; fixed before the data are seen.
        alpha: size of each one-sided test, 0 < alpha < .5.

    Returns:
        The result, with a status where the test does not exist.

    Raises:
        Defect: an empty sample, a number that is not finite, a margin or alpha outside its range.

    Source:
        Schuirmann (1987); Welch (1947); Satterthwaite (1946), equation 17.
    """
    first, second = checked(a, "tost"), checked(b, "tost")
    _check_design(margin, alpha)
    estimate = float(first.mean() - second.mean())
    if min(first.size, second.size) < 2:
        return Equivalence(estimate, None, None, margin, False, "too_few_draws")
    parts = float(first.var(ddof=1)) / first.size, float(second.var(ddof=1)) / second.size
    error = math.sqrt(sum(parts))
    if error <= 1e-15 * max(float(np.abs(first).max()), float(np.abs(second).max())):
        return Equivalence(estimate, None, None, margin, False, "no_spread")
    shares = parts[0] / sum(parts), parts[1] / sum(parts)
    freedom = 1.0 / (shares[0] ** 2 / (first.size - 1) + shares[1] ** 2 / (second.size - 1))
    above = float(scipy.stats.t.sf((estimate + margin) / error, freedom))
    below = float(scipy.stats.t.cdf((estimate - margin) / error, freedom))
    half = float(scipy.stats.t.isf(alpha, freedom)) * error
    p = max(above, below)
    return Equivalence(estimate, (estimate - half, estimate + half), p, margin, p < alpha)


def tost_power(
    sd: float, shift: float, margin: float, draws: int, alpha: float = 0.05, *, paired: bool = False
) -> float:
    """Power of `tost` for two normal arms of equal size and spread, or of `paired_tost` for normal differences.

    The pooled-variance test (the Welch test at equal sizes, up to its degrees of freedom):
    power = E_s[max(0, Φ((margin − shift)/e − t s) − Φ((−margin − shift)/e + t s))], e = sd √(2/draws),
    t = t_{1−alpha, ν}, ν = 2 draws − 2, s² ~ χ²_ν/ν; the expectation by 2,000 equal slices of the law of s. For
    differences e = sd/√draws and ν = draws − 1.

    Args:
        sd: standard deviation between units, or of their differences, above 0.
        shift: true difference, unit of sd.
        margin: margin of equivalence, above 0, unit of sd.
        draws: units an arm, or differences, at least 2.
        alpha: size of each one-sided test.
        paired: whether sd and draws are those of differences.

    Returns:
        Probability of declaring equivalence, 0 … 1; at |shift| = margin it is at most alpha.

    Raises:
        Defect: an argument outside its range.

    Source:
        Phillips, Power of the two one-sided tests procedure in bioequivalence (1990), equation 3.
    """
    _check_design(margin, alpha)
    if not sd > 0 or draws < 2:
        raise Defect(f"sd {sd} or {draws} draws are outside their range", where="tost_power")
    arms = 1 if paired else 2
    freedom = arms * (draws - 1)
    error = sd * math.sqrt(arms / draws)
    slices = (np.arange(2_000) + 0.5) / 2_000
    reach = scipy.stats.t.isf(alpha, freedom) * np.sqrt(scipy.stats.chi2.ppf(slices, freedom) / freedom)
    inside = scipy.stats.norm.cdf((margin - shift) / error - reach) - scipy.stats.norm.cdf(
        (-margin - shift) / error + reach
    )
    return float(np.maximum(inside, 0.0).mean())


def draws_needed(
    sd: float, shift: float, margin: float, power: float = 0.9, alpha: float = 0.05, *, paired: bool = False
) -> int | None:
    """Smallest number of draws an arm with which `tost` (or of differences with which `paired_tost`) has the power.

    About 2 sd² (z_{1−alpha} + z_power)² / (margin − |shift|)², the usual closed form, which forgets the t distribution
    and, for a shift near 0, the second of the two tests (it promises .9 where .8 is reached); `tost_power` counts both.

    Args:
        sd: standard deviation between draws, or of their differences, above 0.
        shift: true difference to allow for, unit of sd.
        margin: margin of equivalence, above 0, unit of sd.
        power: wanted probability of declaring equivalence, 0 < power < 1.
        alpha: size of each one-sided test.
        paired: whether sd and the answer are those of differences.

    Returns:
        Draws an arm, or None when |shift| ≥ margin or 100,000 draws do not suffice.

    Raises:
        Defect: an argument outside its range.
    """
    if not 0 < power < 1:
        raise Defect(f"power {power} is not between 0 and 1", where="draws_needed")
    _check_design(margin, alpha)
    if abs(shift) >= margin:
        return None
    low, high = 1, 2
    while tost_power(sd, shift, margin, high, alpha, paired=paired) < power:
        low, high = high, 2 * high
        if high > 100_000:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        reached = tost_power(sd, shift, margin, middle, alpha, paired=paired) >= power
        low, high = (low, middle) if reached else (middle, high)
    return high


def _check_design(margin: float, alpha: float) -> None:
    if not (math.isfinite(margin) and margin > 0 and 0 < alpha < 0.5):
        raise Defect(f"margin {margin} or alpha {alpha} is outside its range", where="equivalence")
