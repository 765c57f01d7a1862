"""How large a difference between two samples is.

Here live: effect sizes. Not here: their uncertainty (`resample`, `equivalence`).

Legend: `a b` numbers of independent units in the two arms; every effect is first arm minus second.
"""

import math

import numpy as np
from jaxtyping import Float

from shadowgraph.errors import Defect


def checked(values: Float[np.ndarray, " a"], where: str) -> Float[np.ndarray, " a"]:
    """Return a sample in float64.

    Args:
        values: (a,), one number an independent unit.
        where: the name of the caller, for the message.

    Returns:
        The same numbers (a,) in float64, not copied where they are in it already.

    Raises:
        Defect: an empty sample or a number that is not finite.
    """
    full = np.asarray(values, dtype=np.float64)
    if full.size == 0 or not np.isfinite(full).all():
        raise Defect("a sample is empty or holds a number that is not finite", where=where)
    return full


def hodges_lehmann(a: Float[np.ndarray, " a"], b: Float[np.ndarray, " b"]) -> float:
    """Hodges-Lehmann shift: the median of all differences a_i − b_j, in the unit of the data.

    Misleads when the two arms differ in shape and not in place: then it is no difference of medians.

    Args:
        a: first arm (a,).
        b: second arm (b,).

    Returns:
        The shift.

    Raises:
        Defect: an empty sample or a number that is not finite.

    Source:
        Hodges and Lehmann, Estimates of location based on rank tests (1963).
    """
    first, second = checked(a, "hodges_lehmann"), checked(b, "hodges_lehmann")
    return float(np.median(np.subtract.outer(first, second)))


def hedges_g(a: Float[np.ndarray, " a"], b: Float[np.ndarray, " b"]) -> float | None:
    """Hedges g: the difference of means over the pooled standard deviation, corrected for small samples.

    g = J (mean a − mean b) / s, s² = ((a − 1) s_a² + (b − 1) s_b²) / ν, ν = a + b − 2,
    J = Γ(ν/2) / (√(ν/2) Γ((ν − 1)/2)), which makes g unbiased for normal data of equal variance.
    Misleads when the spread leaves out what really varies: seeds alone give a g of 100.

    Args:
        a: first arm (a,).
        b: second arm (b,).

    Returns:
        g, or None where it does not exist (ν < 2, or no spread in either arm).

    Raises:
        Defect: an empty sample or a number that is not finite.

    Source:
        Hedges, Distribution theory for Glass's estimator of effect size (1981), the exact correction J.
    """
    first, second = checked(a, "hedges_g"), checked(b, "hedges_g")
    freedom = first.size + second.size - 2
    if freedom < 2:
        return None
    squares = float(np.sum((first - first.mean()) ** 2) + np.sum((second - second.mean()) ** 2))
    magnitude = max(float(np.abs(first).max()), float(np.abs(second).max()))
    if squares <= (1e-15 * magnitude) ** 2 * (first.size + second.size):
        return None
    correction = math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    return correction * float(first.mean() - second.mean()) / math.sqrt(squares / freedom)


def cliffs_delta(a: Float[np.ndarray, " a"], b: Float[np.ndarray, " b"]) -> float:
    """Cliff's delta: share of pairs with a_i > b_j minus share with a_i < b_j.

    Misleads as a size: it is ±1 as soon as the arms do not overlap, however close they are.

    Args:
        a: first arm (a,).
        b: second arm (b,).

    Returns:
        −1 … 1.

    Raises:
        Defect: an empty sample or a number that is not finite.

    Source:
        Cliff, Dominance statistics (1993), equation 1.
    """
    first, second = checked(a, "cliffs_delta"), checked(b, "cliffs_delta")
    return float(np.sign(np.subtract.outer(first, second)).mean())
