"""Inference by exchanging labels and by drawing again.

Here live: the exact permutation test and percentile bootstrap intervals.
Not here: what is compared, nor what counts as one unit: the caller averages seeds inside a draw first.

Legend: `a b` numbers of independent units in the two arms, `i` items, `s` resamples.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float64

from shadowgraph.errors import Defect
from shadowgraph.stats.effect import checked

EXACT_LIMIT = 200_000
WEAK_BELOW = 8
METHOD = "percentile bootstrap over independent units"
_CELLS = 1_000_000  # differences held at once

TwoSampleStatistic: TypeAlias = Callable[[Float[np.ndarray, " a"], Float[np.ndarray, " b"]], float]


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """Result of a two-sided permutation test.

    Attributes:
        p: two-sided p, never 0.
        statistic: what was tested, as observed; mean a − mean b, in the unit of the data, unless the caller says else.
        permutations: label exchanges looked at (all of them when exact).
        exact: whether all exchanges were looked at.
        smallest_p: the smallest p these sample sizes can give; above the level the test cannot reject.
    """

    p: float
    statistic: float
    permutations: int
    exact: bool
    smallest_p: float


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval, or the reason why there is none.

    Attributes:
        low: lower end, None without "ok".
        high: upper end, None without "ok".
        level: nominal coverage, 0 … 1.
        method: how it was made.
        status: "ok" or "too_few_draws".
        note: what a reader must know, empty when nothing.
    """

    low: float | None
    high: float | None
    level: float
    method: str
    status: str = "ok"
    note: str = ""

    @property
    def ends(self) -> tuple[float, float] | None:
        """Both ends, None where there is no interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True, slots=True)
class ClusterMean:
    """Mean of items with an interval that respects their clusters.

    Attributes:
        mean: mean over all items.
        interval: percentile bootstrap over clusters.
        clusters: number of clusters, the sample size that counts.
    """

    mean: float
    interval: Interval
    clusters: int


def _exchanges(
    pooled: Float64[np.ndarray, " n"], size: int, generator: np.random.Generator | None, samples: int
) -> tuple[Float64[np.ndarray, " p"], bool]:
    """Difference of means for every exchange of labels, or for `samples` random ones."""
    total = math.comb(pooled.size, size)
    if total <= EXACT_LIMIT:
        flat = itertools.chain.from_iterable(itertools.combinations(range(pooled.size), size))
        chosen = np.fromiter(flat, dtype=np.int64, count=total * size).reshape(total, size)
        sums = pooled[chosen].sum(axis=1)
    elif generator is None:
        raise Defect(f"{total} label exchanges are too many to list, and no generator was given", where="permutation")
    else:
        sums = np.array([generator.permutation(pooled)[:size].sum() for _ in range(samples)])
    return sums / size - (pooled.sum() - sums) / (pooled.size - size), total <= EXACT_LIMIT


def permutation_test(
    a: Float[np.ndarray, " a"],
    b: Float[np.ndarray, " b"],
    generator: np.random.Generator | None = None,
    samples: int = 19_999,
) -> PermutationTest:
    """Two-sided permutation test of the difference of means.

    Exact over all C(a + b, a) exchanges of the labels while there are at most 200,000: p is the share of exchanges
    whose absolute difference is at least the observed one. Above that, Monte Carlo with p = (1 + hits) / (1 + samples).
    Valid when the labels are exchangeable under the null: units are draws, never layers, never seeds of one draw.

    Args:
        a: first arm (a,), one number a unit.
        b: second arm (b,), one number a unit.
        generator: random stream, needed only for Monte Carlo.
        samples: Monte Carlo exchanges.

    Returns:
        The test. `smallest_p` is 2/C for equal sizes (the mirror image is as extreme) and 1/C otherwise.

    Raises:
        Defect: an empty sample, a number that is not finite, or too many exchanges without a generator.

    Source:
        Fisher, The Design of Experiments (1935), section 21; Phipson and Smyth, Permutation p-values should never be
        zero (2010), equation 2, for Monte Carlo.
    """
    first, second = checked(a, "permutation_test"), checked(b, "permutation_test")
    pooled = np.concatenate([first, second])
    centred = pooled - pooled.mean()
    differences, exact = _exchanges(centred, first.size, generator, samples)
    observed = float(centred[: first.size].mean() - centred[first.size :].mean())
    # Equal differences can come out unequal in the last digits; count them as ties.
    slack = 1e-12 * float(np.abs(centred).max())
    hits = int(np.count_nonzero(np.abs(differences) >= abs(observed) - slack))
    statistic = float(first.mean() - second.mean())
    if not exact:
        return PermutationTest((1 + hits) / (1 + samples), statistic, samples, False, 1 / (1 + samples))
    total = differences.size
    mirror = 2 if first.size == second.size else 1
    return PermutationTest(hits / total, statistic, total, True, min(1.0, mirror / total))


def _percentile(values: Float64[np.ndarray, " s"], level: float, units: int) -> Interval:
    """Central interval of bootstrap values; `units` is the smallest sample that was drawn from."""
    low, high = (float(end) for end in np.quantile(values, [(1 - level) / 2, (1 + level) / 2]))
    note = (
        f"weak: {units} independent units, below {WEAK_BELOW}; covers less than it says" if units < WEAK_BELOW else ""
    )
    return Interval(low, high, level, METHOD, "ok", note)


def _shifts(a: Float64[np.ndarray, "s a"], b: Float64[np.ndarray, "s b"]) -> Float64[np.ndarray, " s"]:
    """`effect.hodges_lehmann` of every row, a few rows at a time."""
    step = max(1, _CELLS // (a.shape[1] * b.shape[1]))
    parts = [
        np.median(
            (a[at : at + step, :, np.newaxis] - b[at : at + step, np.newaxis]).reshape(a[at : at + step].shape[0], -1),
            axis=1,
        )
        for at in range(0, a.shape[0], step)
    ]
    return np.concatenate(parts)


def bootstrap_interval(
    a: Float[np.ndarray, " a"],
    b: Float[np.ndarray, " b"],
    level: float,
    generator: np.random.Generator,
    *,
    statistic: TwoSampleStatistic | None = None,
    resamples: int = 2_000,
) -> Interval:
    """Percentile bootstrap interval of a two-sample effect, units drawn anew inside each arm.

    A resample draws the units of the first arm and then those of the second from the stream, resample by resample.

    Too short for few units. Measured coverage of the nominal 95 % interval of the Hodges-Lehmann shift, two equal
    normal arms of n units (2,000 data sets; exponential data give the same within .025): n = 2: .65, 3: .82, 4: .90,
    5: .91, 6: .92, 8: .94, 10: .94, 12: .94. Below 8 units the note says so.

    Args:
        a: first arm (a,), one number a unit.
        b: second arm (b,), one number a unit.
        level: nominal coverage, 0 < level < 1.
        generator: the random stream.
        statistic: effect of two samples, finite on every resample; the Hodges-Lehmann shift when None, all at once.
        resamples: bootstrap samples.

    Returns:
        The interval, with a note below 8 units in an arm; "too_few_draws" below 2.

    Raises:
        Defect: an empty sample, a number that is not finite, a level outside 0 … 1.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.
    """
    first, second = checked(a, "bootstrap_interval"), checked(b, "bootstrap_interval")
    _check_level(level)
    units = min(first.size, second.size)
    if units < 2:
        return Interval(None, None, level, METHOD, "too_few_draws", f"{units} unit in an arm has no spread")
    drawn = generator.integers(
        np.repeat([first.size, second.size], [first.size, second.size]), size=(resamples, first.size + second.size)
    )
    again, other = first[drawn[:, : first.size]], second[drawn[:, first.size :]]
    if statistic is None:
        values = _shifts(again, other)
    else:
        values = np.array([statistic(one, two) for one, two in zip(again, other, strict=True)])
    return _percentile(checked(values, "bootstrap_interval, resampled statistic"), level, units)


def cluster_bootstrap_mean(
    values: Float[np.ndarray, " i"],
    clusters: Sequence[str],
    generator: np.random.Generator,
    level: float = 0.95,
    resamples: int = 2_000,
) -> ClusterMean:
    """Mean over items, with a percentile bootstrap interval that draws whole clusters.

    A resample's mean is the mean over all items of the drawn clusters, so large clusters weigh more. With few clusters
    the interval is too short, as in `bootstrap_interval`.

    Args:
        values: one number an item (i,).
        clusters: the cluster of each item, length i.
        generator: the random stream.
        level: nominal coverage, 0 < level < 1.
        resamples: bootstrap samples.

    Returns:
        Mean, interval and number of clusters; the interval is "too_few_draws" with fewer than 2 clusters.

    Raises:
        Defect: lengths differ, no item, a number that is not finite, a level outside 0 … 1.

    Source:
        Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
    """
    items = checked(values, "cluster_bootstrap_mean")
    _check_level(level)
    if len(clusters) != items.size:
        raise Defect(f"{items.size} items but {len(clusters)} cluster names", where="cluster_bootstrap_mean")
    names, membership = np.unique(np.asarray(clusters, dtype=np.str_), return_inverse=True)
    sums = np.bincount(membership, weights=items, minlength=names.size)
    counts = np.bincount(membership, minlength=names.size)
    mean = float(items.mean())
    if names.size < 2:
        short = Interval(None, None, level, METHOD, "too_few_draws", "one cluster has no spread")
        return ClusterMean(mean, short, int(names.size))
    drawn = generator.integers(names.size, size=(resamples, names.size))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return ClusterMean(mean, _percentile(means, level, int(names.size)), int(names.size))


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise Defect(f"level {level} is not between 0 and 1", where="bootstrap")
