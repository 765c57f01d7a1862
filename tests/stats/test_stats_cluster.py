"""Cluster intervals: gradients by differences, worked by hand, laws, and a status where there is no number."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.stats.cluster import (
    FEWEST_CHANGES,
    FEWEST_CLUSTERS,
    crossed_mean,
    ratio,
    standardised_sum,
    studentised_interval,
)


def made(clusters: int, seed: int = 0) -> np.ndarray:
    """Totals (count, sum) of clusters of 1 to 4 items."""
    rng = generator(seed, "made")
    sizes = rng.integers(1, 5, size=clusters)
    return np.stack([sizes, [rng.normal(1.0, 1.0, size=size).sum() for size in sizes]], axis=1).astype(np.float64)


def interval(totals: np.ndarray, seed: int = 1) -> tuple[float, float]:
    strata = np.zeros(len(totals), dtype=np.int64)
    found = studentised_interval(totals, strata, ratio, generator(seed, "draws"), resamples=500).interval
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def moments(seed: int, parts: int) -> np.ndarray:
    """Totals of `parts` parts: count, Σg, Σb, Σb² of 30 items each."""
    rng = generator(seed, "moments")
    columns: list[float] = []
    for _ in range(parts):
        b, g = rng.normal(2, 3, size=30), rng.normal(1, 2, size=30)
        columns += [30.0, g.sum(), b.sum(), (b**2).sum()]
    return np.array(columns)


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -0.5, -0.5)])
def test_value_and_gradient_of_the_standardised_sum(weights: tuple[float, ...]) -> None:
    totals, smooth = moments(5, len(weights)), standardised_sum(weights)
    (value,), (gradient,) = smooth(totals[np.newaxis])
    parts = totals.reshape(-1, 4)
    by_hand = sum(
        weight * g / n / math.sqrt((squares - b**2 / n) / (n - 1))
        for weight, (n, g, b, squares) in zip(weights, parts, strict=True)
    )
    assert float(value) == pytest.approx(by_hand, rel=1e-12)
    for place in range(totals.size):
        step = np.zeros(totals.size)
        step[place] = 1e-5 * totals[place]
        above, below = smooth(np.stack([totals + step, totals - step]))[0]
        slope = (above - below) / (2 * step[place])
        assert gradient[place] == pytest.approx(slope, rel=1e-6)


def test_gradient_of_a_mean() -> None:
    value, gradient = ratio(np.array([[4.0, 6.0]]))
    assert (float(value[0]), *gradient[0]) == (1.5, -0.375, 0.25)


def test_clusters_that_agree_are_no_certainty() -> None:
    sizes = np.arange(1.0, 9.0)
    totals = np.stack([sizes, 0.7 * sizes], axis=1)
    found = studentised_interval(totals, np.zeros(8, dtype=np.int64), ratio, generator(0, "s"))
    assert found.estimate == pytest.approx(0.7)
    assert (found.interval.low, found.interval.status) == (None, "no_variation")
    assert crossed_mean(np.full((3, 8), 0.7), list("abcdefgh")).interval.status == "no_variation"


def test_reach_near_the_normal_one_with_many_equal_clusters() -> None:
    """400 clusters of one normal item: ± 1.96 sd / √400 within 5 % of Monte Carlo."""
    items = generator(2, "many").normal(size=400)
    low, high = interval(np.stack([np.ones(400), items], axis=1))
    assert (low + high) / 2 == pytest.approx(items.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * items.std(ddof=1) / 20, rel=0.08)


@given(st.integers(0, 50), st.floats(-5, 5), st.floats(0.1, 10))
@settings(max_examples=20)
def test_moves_and_stretches_with_the_numbers(seed: int, shift: float, factor: float) -> None:
    totals = made(12, seed)
    low, high = interval(totals)
    moved = np.stack([totals[:, 0], factor * (totals[:, 1] + shift * totals[:, 0])], axis=1)
    assert interval(moved) == pytest.approx((factor * (low + shift), factor * (high + shift)), abs=1e-8 * factor)


def test_twice_the_clusters_narrow_the_interval() -> None:
    (a, b), (c, d) = interval(made(12)), interval(np.concatenate([made(12)] * 4))
    assert (d - c) == pytest.approx((b - a) / 2, rel=0.25)


def test_strata_are_drawn_apart() -> None:
    """Two strata whose means differ wholly: drawn apart they leave no spread, drawn together they do."""
    totals = np.array([[1.0, 0.0]] * 8 + [[1.0, 1.0]] * 8)
    apart = studentised_interval(totals, np.repeat([0, 1], 8), ratio, generator(0, "s")).interval
    assert (apart.low, apart.status) == (None, "no_variation")
    low, high = interval(totals)
    assert high - low > 0.4


def test_few_clusters_have_an_estimate_and_a_status() -> None:
    totals = made(FEWEST_CLUSTERS - 1)
    found = studentised_interval(totals, np.zeros(len(totals), dtype=np.int64), ratio, generator(0, "s"))
    assert found.estimate == pytest.approx(totals[:, 1].sum() / totals[:, 0].sum())
    assert (found.interval.low, found.interval.status, found.clusters) == (None, "few_clusters", len(totals))


def test_resamples_without_spread_leave_no_interval() -> None:
    """One of six clusters differs: a third of the resamples miss it, so t* has no finite 95 % point."""
    totals = np.array([[1.0, 0.0]] * 5 + [[1.0, 1.0]])
    found = studentised_interval(totals, np.zeros(6, dtype=np.int64), ratio, generator(0, "s")).interval
    assert (found.low, found.status, found.note[:10]) == (None, "few_changes", "1 clusters")


@pytest.mark.parametrize("changed", [1, FEWEST_CHANGES - 1, FEWEST_CHANGES])
def test_sparse_differences_need_enough_clusters_that_differ(changed: int) -> None:
    """Sizes do not count as differences: 60 clusters of 1 to 3 items, of which a few are off the commonest value."""
    sizes = np.arange(60) % 3 + 1.0
    values = np.where(np.arange(60) < changed, 1.0, 0.0)
    found = studentised_interval(
        np.stack([sizes, values], axis=1), np.zeros(60, dtype=np.int64), ratio, generator(0, "s")
    )
    assert found.interval.status == ("ok" if changed == FEWEST_CHANGES else "few_changes")
    assert found.estimate == pytest.approx(changed / sizes.sum())


def test_sparse_intervals_that_are_given_cover() -> None:
    """60 clusters, a share of .1 off by 1: of the intervals given at least .9 hold it, and most data sets get one."""
    rng, given, held = generator(8, "sparse"), 0, 0
    for number in range(120):
        totals = np.stack([np.ones(60), (rng.random(60) < 0.1) * 1.0], axis=1)
        found = studentised_interval(
            totals, np.zeros(60, dtype=np.int64), ratio, generator(number, "s"), resamples=300
        ).interval
        given += found.low is not None
        held += found.low is not None and found.high is not None and found.low <= 0.1 <= found.high
    assert given > 60
    assert held / given > 0.9


def test_crossed_mean_by_hand() -> None:
    """Equal to the three sums of squares written out, t with 2 degrees (3 runs, 8 clusters)."""
    values = generator(3, "crossed").normal(size=(3, 16)) + np.array([[0.0], [1.0], [2.0]])
    clusters = [f"c{item // 2}" for item in range(16)]
    found = crossed_mean(values, clusters)
    e = values - values.mean()
    by_run = 3 / 2 * sum(e[run].sum() ** 2 for run in range(3))
    by_cluster = 8 / 7 * sum(e[:, 2 * c : 2 * c + 2].sum() ** 2 for c in range(8))
    by_both = 24 / 23 * sum(e[run, 2 * c : 2 * c + 2].sum() ** 2 for run in range(3) for c in range(8))
    error = math.sqrt(max(by_run + by_cluster - by_both, by_run, by_cluster)) / 48
    assert found.mean == pytest.approx(values.mean())
    assert found.interval.high == pytest.approx(values.mean() + scipy.stats.t.ppf(0.975, 2) * error)
    assert found.clusters == 8


def test_crossed_mean_of_one_run_is_that_of_its_clusters() -> None:
    """With clusters of one item it is the common t interval."""
    values = generator(4, "one").normal(size=(1, 20))
    found = crossed_mean(values, [str(item) for item in range(20)]).interval
    wanted = scipy.stats.t.interval(0.95, 19, values.mean(), scipy.stats.sem(values[0]))
    assert (found.low, found.high) == pytest.approx(wanted)
    assert crossed_mean(values[:, :5], list("abcde")).interval.status == "few_clusters"


def test_faults_of_the_caller_are_named() -> None:
    strata = np.zeros(8, dtype=np.int64)
    with pytest.raises(Defect):
        studentised_interval(made(8), strata, ratio, generator(0, "s"), level=1.0)
    with pytest.raises(Defect):
        studentised_interval(made(8) * np.nan, strata, ratio, generator(0, "s"))
    with pytest.raises(Defect):
        crossed_mean(np.ones((2, 3)), ["a", "b"])
