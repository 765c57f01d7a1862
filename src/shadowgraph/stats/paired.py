"""One sample of differences: what two arms that share a draw, a base or an order differ by.

Here live: the sign-flip test, its interval, the median of Walsh averages, the effect size, equivalence.
Not here: sets of other sizes than 1 + 1 (`strata`).

Legend: `n` independent units, one difference each; seeds of one draw are averaged before.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr, stdtrit

from shadowgraph.errors import Defect
from shadowgraph.stats.effect import checked
from shadowgraph.stats.equivalence import Equivalence
from shadowgraph.stats.exchange import Exchanges, flips, interval_of, two_sided
from shadowgraph.stats.resample import Interval
from shadowgraph.stats.strata import smallest_p

STUDENT = "t over differences"


@dataclass(frozen=True, slots=True)
class Paired:
    """What one sample of differences says.

    Attributes:
        estimate: median of Walsh averages, in the unit of the data.
        mean: mean difference, what the test is about.
        interval: of the mean difference.
        p: two-sided, over all sign flips (or random ones).
        smallest_p: the smallest p this many differences can give.
        hedges_g: mean over the sd of the differences, corrected for small samples; None where it does not exist.
        n: independent units.
        exact: whether every sign flip was looked at.
        status: "ok", or "too_few_draws" where no p at 1 − level can be reached.
    """

    estimate: float
    mean: float
    interval: Interval
    p: float
    smallest_p: float
    hedges_g: float | None
    n: int
    exact: bool
    status: str


def pseudomedian(differences: Float[np.ndarray, " n"]) -> float:
    """One-sample Hodges-Lehmann estimate: the median of the Walsh averages (d_i + d_j)/2, i ≤ j.

    Args:
        differences: (n,), one number a unit.

    Returns:
        The centre of symmetry, in the unit of the data.

    Raises:
        Defect: an empty sample or a number that is not finite.

    Source:
        Hodges and Lehmann, Estimates of location based on rank tests (1963), section 3; Walsh (1949).
    """
    found = checked(differences, "pseudomedian")
    averages = np.add.outer(found, found) / 2
    return float(np.median(averages[np.triu_indices(found.size)]))


def hedges_gz(differences: Float[np.ndarray, " n"]) -> float | None:
    """Mean difference over the standard deviation of the differences, corrected for small samples.

    g_z = J mean / s, J = Γ(ν/2) / (√(ν/2) Γ((ν − 1)/2)), ν = n − 1. Its unit is the spread of differences, not that
    of an arm as in `hedges_g`: the more two arms share, the larger it is for the same effect.

    Args:
        differences: (n,), one number a unit.

    Returns:
        g_z, or None where it does not exist (n < 3, or no spread).

    Raises:
        Defect: an empty sample or a number that is not finite.

    Source:
        Hedges, Distribution theory for Glass's estimator of effect size (1981); Lakens, Calculating and reporting
        effect sizes (2013), equation 6 (g_z).
    """
    found = checked(differences, "hedges_gz")
    freedom = found.size - 1
    if freedom < 2 or _flat(found):
        return None
    correction = math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    return correction * float(found.mean()) / float(found.std(ddof=1))


def paired(
    differences: Float[np.ndarray, " n"],
    generator: np.random.Generator | None = None,
    *,
    level: float = 0.95,
    samples: int = 19_999,
) -> Paired:
    """Sign-flip test of differences that lie symmetrically about 0 under the null, with estimate and interval.

    p is exact over 2^n flips up to n = 17. The interval holds all effects that the test does not reject, and so leaves
    out 0 exactly where p ≤ 1 − level; where none can be rejected (at .95: n below 6) it is mean ± t se, and says so.

    Measured coverage at nominal .95 (1,500 data sets a cell) by this interval, by the signed-rank test, by t, and by
    bootstrap-t. Normal: n = 5 (here t) .96, 6: .97/.97/.95/.97, 8: .96/.97/.95/.96, 12: .94/.95/.94/.95. t with 3
    degrees: 5: .96, 6: .97/.97/.96/.98, 8: .96/.97/.96/.97, 12: .95/.96/.96/.97. Exponential, where symmetry does not
    hold: 5: .89, 6: .93/.93/.89/.93, 8: .90/.92/.89/.93, 12: .91/.90/.91/.93. Bootstrap-t gains .02 in skewed data for
    twice the width; the signed-rank one is 5 % wider in normal data.

    Args:
        differences: (n,), one number a unit.
        generator: random stream, needed only above n = 17.
        level: nominal coverage, 0 < level < 1.
        samples: Monte Carlo flips.

    Returns:
        The result; p and smallest_p are numbers for every n, status "too_few_draws" where the test cannot reject.

    Raises:
        Defect: an empty sample, a number that is not finite, a level outside 0 … 1, too many flips without a generator.

    Source:
        Fisher, The Design of Experiments (1935), section 21; Hartigan, Using subsample values as typical values (1969).
    """
    found = checked(differences, "paired")
    signs, exact = flips(found.size, generator, samples=samples, where="paired")
    values = np.stack([signs @ found, signs.sum(axis=1)], axis=1) / found.size
    exchanges = Exchanges(values, np.array([found.mean(), 1.0]), exact)
    p = two_sided(values[:, 0], float(found.mean()), float(np.abs(found).max()), exact=exact)
    smallest = smallest_p([(1, 1)] * found.size) if exact else 1 / (1 + samples)
    interval = interval_of(exchanges, level, no_variation=found.size > 1 and _flat(found))
    if interval.status == "too_few_draws" and found.size > 1:
        reach = float(stdtrit(found.size - 1, (1 + level) / 2)) * float(found.std(ddof=1)) / math.sqrt(found.size)
        note = "leans on differences being nearly normal; the test cannot reject at this level"
        interval = Interval(float(found.mean()) - reach, float(found.mean()) + reach, level, STUDENT, "ok", note)
    return Paired(
        estimate=pseudomedian(found),
        mean=float(found.mean()),
        interval=interval,
        p=p,
        smallest_p=smallest,
        hedges_g=hedges_gz(found),
        n=found.size,
        exact=exact,
        status="ok" if smallest <= 1.0 - level + 1e-12 else "too_few_draws",
    )


def paired_tost(differences: Float[np.ndarray, " n"], margin: float, alpha: float = 0.05) -> Equivalence:
    """Two one-sided t tests of |mean difference| < margin.

    p = max(P(T ≥ (d + margin)/se), P(T ≤ (d − margin)/se)), se = s/√n, n − 1 degrees. Equivalent exactly when
    p < alpha, that is when the (1 − 2 alpha) interval lies inside the margins. Not equivalent means undecided, not
    different.

    Args:
        differences: (n,), one number a unit.
        margin: smallest difference that would matter, above 0, unit of the data; fixed before the data are seen.
        alpha: size of each one-sided test, 0 < alpha < .5.

    Returns:
        The result; "too_few_draws" below 2 differences, "no_spread" where they all agree.

    Raises:
        Defect: an empty sample, a number that is not finite, a margin or alpha outside its range.

    Source:
        Schuirmann, A comparison of the two one-sided tests procedure (1987).
    """
    found = checked(differences, "paired_tost")
    if not (math.isfinite(margin) and margin > 0 and 0 < alpha < 0.5):
        raise Defect(f"margin {margin} or alpha {alpha} is outside its range", where="paired_tost")
    estimate, freedom = float(found.mean()), found.size - 1
    if freedom < 1:
        return Equivalence(estimate, None, None, margin, False, "too_few_draws")
    if _flat(found):
        return Equivalence(estimate, None, None, margin, False, "no_spread")
    error = float(found.std(ddof=1)) / math.sqrt(found.size)
    above = float(stdtr(freedom, -(estimate + margin) / error))
    below = float(stdtr(freedom, (estimate - margin) / error))
    half = float(stdtrit(freedom, 1 - alpha)) * error
    p = max(above, below)
    return Equivalence(estimate, (estimate - half, estimate + half), p, margin, p < alpha)


def _flat(values: Float[np.ndarray, " n"]) -> bool:
    """Whether all values agree up to rounding."""
    return float(np.ptp(values)) <= 1e-15 * float(np.abs(values).max()) * 8
