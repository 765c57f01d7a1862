"""Intervals for numbers made of clustered items.

Here live: the studentised cluster bootstrap of a smooth function of cluster totals, its two usual functions, and the
mean over runs and items, which are clustered both ways.
Not here: percentile intervals over independent units (`resample`), and what is summed (`scores`).

Legend: `c` clusters, `q` totals kept of a cluster, `b` resamples, `r` runs, `i` items, `n` clusters of one stratum,
`s` parts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy.special import stdtrit

from shadowgraph.errors import Defect
from shadowgraph.stats.effect import checked
from shadowgraph.stats.resample import ClusterMean, Interval

FEWEST_CLUSTERS = 6
"""Below this many clusters there is no interval: measured at 4, it covers too much or does not exist."""
FEWEST_CHANGES = 5
"""Below this many clusters off the commonest value there is no interval.

Sparse numbers, most of them one value, need so many clusters off it, for a bootstrap of two or three
changes knows nothing of those it did not meet. Measured (30 to 200 clusters of one item, a share .01 to .1 of them
off by 1 or by an exponential number, one-sided; also both ways; 400 data sets a cell): where an interval is given
in .04 or more of the data sets it covers .94-1.00; it is given in .00, .04, .20, .73 of them at share .03 and 30,
60, 100, 200 clusters, in .15, .74, .97, 1.00 at share .1. Asking for 10 changes selects: .84-.86 where rarely met.
"""
METHOD = "studentised bootstrap over clusters, symmetric"
CROSSED = "cluster-robust in two ways, over runs and clusters of items, t with the smaller number less one"
_CELLS = 2_000_000  # resamples x clusters held at once

Smooth: TypeAlias = Callable[[Float64[np.ndarray, "b q"]], tuple[Float64[np.ndarray, " b"], Float64[np.ndarray, "b q"]]]


@dataclass(frozen=True, slots=True)
class ClusterEstimate:
    """A number made of cluster totals, its interval, and the number of clusters behind it."""

    estimate: float
    interval: Interval
    clusters: int


def ratio(totals: Float64[np.ndarray, "b q"]) -> tuple[Float64[np.ndarray, " b"], Float64[np.ndarray, "b q"]]:
    """Mean over items from the totals (count, sum): value sum / count, and its gradient by both.

    Args:
        totals: (b, 2), the count and the sum of the items' numbers.

    Returns:
        The mean (b,), in the unit of the numbers, and its gradient (b, 2).
    """
    count, total = totals[:, 0], totals[:, 1]
    mean = total / count
    return mean, np.stack([-mean / count, 1.0 / count], axis=-1)


def standardised_sum(weights: Sequence[float]) -> Smooth:
    """A weighted sum of standardised means, Σ_s w_s · mean(g_s) / sd(b_s), as a function of totals.

    sd is the standard deviation (n − 1) of b. Gradient by hand; checked against differences in the tests.

    Args:
        weights: w_s, one a part.

    Returns:
        A function of totals (b, 4 s), for every part the count, Σg, Σb and Σb²; value without unit.

    Source:
        Glass, Primary, secondary, and meta-analysis of research (1976), for the one standardised mean.
    """
    shares = np.asarray(weights, dtype=np.float64)

    def value(totals: Float64[np.ndarray, "b q"]) -> tuple[Float64[np.ndarray, " b"], Float64[np.ndarray, "b q"]]:
        parts = totals.reshape(-1, shares.size, 4)
        n, gains, plain, squares = (parts[..., place] for place in range(4))
        mean, centre = gains / n, plain / n
        variance = (squares - plain * centre) / (n - 1.0)
        scale = np.sqrt(variance)
        bend = -0.5 * mean / (scale * variance)
        slopes = np.stack(
            [
                -mean / n / scale + bend * (centre**2 - variance) / (n - 1.0),
                1.0 / n / scale,
                bend * -2.0 * centre / (n - 1.0),
                bend / (n - 1.0),
            ],
            axis=-1,
        )
        gradient = (slopes * shares[:, np.newaxis]).reshape(totals.shape)
        return (mean / scale) @ shares, gradient

    return value


def studentised_interval(
    totals: Float[np.ndarray, " c q"],
    strata: Int[np.ndarray, " c"],
    smooth: Smooth,
    generator: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 2_000,
) -> ClusterEstimate:
    """A smooth function of summed cluster totals, with a symmetric bootstrap-t interval over whole clusters.

    θ = f(Σ_c T_c). Clusters are drawn with replacement inside each stratum. Each resample gives t* = |θ* − θ| / SE*,
    SE² = Σ_h n_h / (n_h − 1) Σ_{c in h} (ψ_c − mean ψ)², ψ_c = ∇f · T_c; the interval is θ ± t*_level · SE. Percentile
    intervals are too short here. Measured coverage of the nominal 95 % interval of a standardised difference of gains
    (normal, skewed and binary items in clusters of 1 to 5, correlation .4 inside them, 600 to 1,000 data sets a cell),
    percentile with the scale held, percentile, and this one: 6 clusters: .80-.87, .89-.91, .93-.96; 8: .83-.87,
    .88-.91, .95-.97; 12: .86-.90, .90-.93, .94-.96; 20: .88-.92, .92-.94, .94-.96; 40: .90-.92, .93-.96, .95-.96.

    Args:
        totals: what is summed, one row a cluster (c, q).
        strata: the stratum of each cluster (c,), numbered from 0.
        smooth: f and its gradient by the totals.
        generator: the random stream.
        level: nominal coverage, 0 < level < 1.
        resamples: bootstrap samples.

    Returns:
        The estimate, its interval ("few_clusters" where a stratum has fewer than `FEWEST_CLUSTERS`; "no_variation"
        where all clusters agree; "few_changes" where fewer than `FEWEST_CHANGES` are off the commonest value, or too
        many resamples have no spread) and the smallest number of clusters of a stratum.

    Raises:
        Defect: no cluster, a number that is not finite, a level outside 0 … 1.

    Source:
        Hall, The Bootstrap and Edgeworth Expansion (1992), section 3.6 (symmetric bootstrap-t); Cameron, Gelbach and
        Miller, Bootstrap-based improvements for inference with clustered errors (2008).
    """
    held = np.asarray(totals, dtype=np.float64)
    if held.shape[0] == 0 or not 0 < level < 1:
        raise Defect("no cluster, or no level", where="studentised_interval")
    checked(held.ravel(), "studentised_interval")
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    fewest = min(len(found) for found in members)
    value, gradient = smooth(held.sum(axis=0, keepdims=True))
    checked(np.append(gradient, value), "studentised_interval, estimate")
    estimate = float(value[0])
    if fewest < FEWEST_CLUSTERS:
        return ClusterEstimate(estimate, _none(level, f"{fewest} clusters, below {FEWEST_CLUSTERS}"), fewest)
    error = float(_error(np.ones((1, held.shape[0])), held, members, gradient)[0])
    if error <= 1e-12 * max(1.0, abs(estimate)):
        return ClusterEstimate(estimate, _none(level, "all clusters agree", "no_variation"), fewest)
    if (changes := sum(_changes(held[chosen]) for chosen in members)) < FEWEST_CHANGES:
        return ClusterEstimate(estimate, _sparse(level, changes), fewest)
    drawn = (_drawn(size, members, generator) for size in _sizes(resamples, held.shape[0]))
    found = [_deviations(counts, held, members, smooth, estimate) for counts in drawn]
    reach = float(np.quantile(np.concatenate(found), level, method="higher")) * error
    if not np.isfinite(reach):
        return ClusterEstimate(estimate, _none(level, "too many resamples have no spread", "few_changes"), fewest)
    return ClusterEstimate(estimate, Interval(estimate - reach, estimate + reach, level, METHOD), fewest)


def _none(level: float, why: str, status: str = "few_clusters") -> Interval:
    """No interval, and why. Clusters that all agree have no spread to resample, which is no certainty."""
    return Interval(None, None, level, METHOD, status, why)


def _sizes(resamples: int, clusters: int) -> list[int]:
    """How many resamples to hold at once, batch by batch."""
    step = max(1, _CELLS // clusters)
    return [min(step, resamples - done) for done in range(0, resamples, step)]


def _changes(totals: Float64[np.ndarray, "c q"]) -> int:
    """Clusters whose totals, for their size, are not the commonest ones; the first total counts items."""
    sizes = np.abs(totals).max(axis=1, keepdims=True)
    shares = np.round(totals / np.where(totals[:, :1] > 0, totals[:, :1], np.where(sizes > 0, sizes, 1.0)), 12) + 0.0
    return len(totals) - int(np.unique(shares, axis=0, return_counts=True)[1].max())


def _sparse(level: float, changes: int) -> Interval:
    """No interval, for hardly any cluster differs."""
    return _none(level, f"{changes} clusters off the commonest value, below {FEWEST_CHANGES}", "few_changes")


def _error(
    counts: Float64[np.ndarray, "b c"],
    totals: Float64[np.ndarray, "c q"],
    members: Sequence[Int[np.ndarray, " n"]],
    gradient: Float64[np.ndarray, "b q"],
) -> Float64[np.ndarray, " b"]:
    """Linearised standard error of each resample; `counts` says how often it drew each cluster."""
    parts = gradient @ totals.T
    variance = np.zeros(counts.shape[0])
    for chosen in members:
        drawn, part, size = counts[:, chosen], parts[:, chosen], len(chosen)
        centred = part - (drawn * part).sum(axis=1, keepdims=True) / size
        variance += size / (size - 1) * (drawn * centred**2).sum(axis=1)
    return np.sqrt(variance)


def _drawn(
    size: int, members: Sequence[Int[np.ndarray, " n"]], generator: np.random.Generator
) -> Float64[np.ndarray, "b c"]:
    """How often each of `size` resamples draws each cluster, as many as there are in every stratum."""
    counts = np.zeros((size, sum(len(chosen) for chosen in members)))
    for chosen in members:
        counts[:, chosen] = generator.multinomial(len(chosen), np.full(len(chosen), 1 / len(chosen)), size=size)
    return counts


def _deviations(
    counts: Float64[np.ndarray, "b c"],
    totals: Float64[np.ndarray, "c q"],
    members: Sequence[Int[np.ndarray, " n"]],
    smooth: Smooth,
    estimate: float,
) -> Float64[np.ndarray, " b"]:
    """Studentised distance of each resample from the estimate; infinite where a resample has no spread."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values, gradient = smooth(counts @ totals)
        distance = np.abs(values - estimate)
        found = distance / _error(counts, totals, members, gradient)
    found[distance <= 1e-12 * max(1.0, abs(estimate))] = 0.0
    found[~np.isfinite(found)] = np.inf
    return found


def crossed_mean(values: Float[np.ndarray, "r i"], clusters: Sequence[str], level: float = 0.95) -> ClusterMean:
    """Mean over runs and items, each run having met the same items; items are clustered, and so are runs.

    V = V_runs + V_clusters − V_runs∩clusters, each a sum of squared totals of the deviations from the mean over (r i)²,
    times g / (g − 1) for g groups; never below the larger of the first two. Interval: t with min(r, clusters) − 1
    degrees. With one run the clusters alone count, and the interval speaks of that run only. With few runs it is too
    wide, on purpose: nominal 95 % covered 1.00 with 2 runs, .99 with 3 and .97 with 5, because V is never below the
    larger part and t has so few degrees.

    Args:
        values: one number a run and item (r, i).
        clusters: the cluster of each item, length i.
        level: nominal coverage, 0 < level < 1.

    Returns:
        Mean, interval ("few_clusters" below `FEWEST_CLUSTERS` clusters, "no_variation" where all agree) and number of
        clusters.

    Raises:
        Defect: lengths differ, nothing is there, a number that is not finite, a level outside 0 … 1.

    Source:
        Cameron, Gelbach and Miller, Robust inference with multiway clustering (2011), section 2.
    """
    held = np.asarray(values, dtype=np.float64)
    checked(held.ravel(), "crossed_mean")
    if len(clusters) != held.shape[1] or not 0 < level < 1:
        raise Defect("another number of clusters than of items, or no level", where="crossed_mean")
    names, membership = np.unique(np.asarray(clusters, dtype=np.str_), return_inverse=True)
    mean = float(held.mean())
    if names.size < FEWEST_CLUSTERS:
        why = f"{names.size} clusters, below {FEWEST_CLUSTERS}"
        return ClusterMean(mean, Interval(None, None, level, CROSSED, "few_clusters", why), int(names.size))
    inside = np.zeros((held.shape[0], names.size))
    np.add.at(inside.T, membership, (held - mean).T)
    over_clusters = _spread(inside.sum(axis=0))
    groups, variance = names.size, over_clusters
    if held.shape[0] > 1:
        over_runs = _spread(inside.sum(axis=1))
        variance = max(over_runs + over_clusters - _spread(inside.ravel()), over_runs, over_clusters)
        groups = min(names.size, held.shape[0])
    if variance <= 1e-24 * max(1.0, mean**2) * held.size**2:
        none = Interval(None, None, level, CROSSED, "no_variation", "all runs and clusters agree")
        return ClusterMean(mean, none, int(names.size))
    reach = float(stdtrit(groups - 1, (1 + level) / 2)) * float(np.sqrt(variance)) / held.size
    return ClusterMean(mean, Interval(mean - reach, mean + reach, level, CROSSED), int(names.size))


def _spread(totals: Float64[np.ndarray, " n"]) -> float:
    """Sum of squared totals of groups, corrected for their number."""
    return totals.size / (totals.size - 1) * float(np.sum(totals**2))
