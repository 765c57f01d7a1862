"""Permutation test: exact p values and its false-alarm rate. Bootstrap: honest coverage."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.stats import resample
from shadowgraph.stats.effect import hodges_lehmann
from shadowgraph.stats.resample import bootstrap_interval, cluster_bootstrap_mean, permutation_test


@pytest.mark.parametrize(("size", "one_sided"), [(3, 0.05), (4, 0.014), (5, 0.0040), (6, 0.0011), (8, 7.8e-5)])
def test_smallest_p_table(size: int, one_sided: float) -> None:
    """Published one-sided values 1/C(2n, n); two-sided is twice that: 3+3 .10, 4+4 .029, 5+5 .0079."""
    test = permutation_test(np.arange(size) + 100.0, np.arange(size) * 1.0)
    assert test.exact
    assert test.permutations == math.comb(2 * size, size)
    assert test.p == test.smallest_p == 2 / math.comb(2 * size, size)
    assert test.p == pytest.approx(2 * one_sided, rel=0.04)
    assert test.statistic == pytest.approx(100.0)


def test_two_sided_values_in_print() -> None:
    """Two-sided, to the printed digits: .10, .029, .0079."""
    found = [permutation_test(np.arange(n) + 100.0, np.arange(n) * 1.0).p for n in (3, 4, 5)]
    assert found == pytest.approx([0.10, 0.029, 0.0079], rel=0.02)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=5), st.lists(st.integers(-9, 9), min_size=1, max_size=5))
def test_exact_p_equals_enumeration_in_integers(a: list[int], b: list[int]) -> None:
    pooled = a + b
    observed = abs(len(b) * sum(a) - len(a) * sum(b))
    chosen = list(itertools.combinations(range(len(pooled)), len(a)))
    hits = 0
    for indices in chosen:
        first = sum(pooled[index] for index in indices)
        hits += abs(len(b) * first - len(a) * (sum(pooled) - first)) >= observed
    # Thirds make the differences inexact in binary: ties must still count as ties.
    test = permutation_test(np.array(a) / 3 + 0.1, np.array(b) / 3 + 0.1)
    assert test.p == hits / len(chosen)
    assert test.p >= test.smallest_p


@given(
    st.lists(st.floats(-5, 5), min_size=2, max_size=6).map(np.array),
    st.lists(st.floats(-5, 5), min_size=2, max_size=6).map(np.array),
)
@settings(max_examples=50)
def test_p_does_not_depend_on_the_order_of_arms_or_units(a: np.ndarray, b: np.ndarray) -> None:
    p = permutation_test(a, b).p
    assert permutation_test(b, a).p == p
    assert permutation_test(a[::-1].copy(), b).p == p
    assert permutation_test(-a, -b).p == p


def absolute_difference(a: np.ndarray, b: np.ndarray) -> float:
    return abs(float(a.mean() - b.mean()))


def test_agrees_with_an_independent_implementation() -> None:
    """scipy.stats.permutation_test, exact, 5 + 6 units, of the absolute difference; equal up to rounding."""
    stream = generator(41, "data")
    a, b = stream.normal(size=5) + 0.7, stream.normal(size=6)
    other = scipy.stats.permutation_test((a, b), absolute_difference, n_resamples=10**6, alternative="greater")
    assert permutation_test(a, b).p == pytest.approx(float(other.pvalue), abs=1e-12)


def test_constant_data_cannot_be_rejected() -> None:
    assert permutation_test(np.full(4, 0.1), np.full(4, 0.1)).p == 1.0
    assert permutation_test(np.array([1.0]), np.array([2.0])).p == 1.0


def test_monte_carlo_is_near_the_exact_p(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = generator(42, "data")
    a, b = stream.normal(size=7) + 0.9, stream.normal(size=7)
    exact = permutation_test(a, b)
    monkeypatch.setattr(resample, "EXACT_LIMIT", 10)
    with pytest.raises(Defect, match="generator"):
        permutation_test(a, b)
    rough = permutation_test(a, b, generator(43, "labels"), samples=4_000)
    assert not rough.exact
    assert rough.smallest_p == 1 / 4_001
    assert abs(rough.p - exact.p) < 5 * math.sqrt(exact.p / 4_000)
    far = permutation_test(a + 1e3, b, generator(43, "labels"), samples=500)
    assert far.p >= 1 / 501


def false_alarms(trials: int, size_a: int, size_b: int, label: str) -> int:
    """Rejections at .05 among data sets without a difference, skewed on purpose."""
    stream = generator(44, "null", label)
    return sum(
        permutation_test(stream.exponential(size=size_a), stream.exponential(size=size_b)).p <= 0.05
        for _ in range(trials)
    )


def assert_binomial(hits: int, trials: int, rate: float) -> None:
    low, high = (float(end) for end in scipy.stats.binom.interval(0.999, trials, rate))
    assert low <= hits <= high


def test_false_alarm_rate_is_the_attainable_level() -> None:
    """5 + 5: p ≤ .05 means at most 12 of 252 exchanges, so the rate is exactly 12/252 = .0476; 99.9 % interval."""
    assert_binomial(false_alarms(1_500, 5, 5, "quick"), 1_500, 12 / 252)


@pytest.mark.slow
@pytest.mark.parametrize(("size_a", "size_b"), [(4, 4), (5, 5), (5, 8), (6, 6)])
def test_false_alarm_rate_in_depth(size_a: int, size_b: int) -> None:
    total = math.comb(size_a + size_b, size_a)
    step = 2 if size_a == size_b else 1
    level = step * math.floor(0.05 * total / step) / total
    assert_binomial(false_alarms(6_000, size_a, size_b, f"{size_a}+{size_b}"), 6_000, level)


def test_bootstrap_interval_is_deterministic_and_holds_the_estimate() -> None:
    stream = generator(45, "data")
    a, b = stream.normal(size=9) + 3, stream.normal(size=9)
    first = bootstrap_interval(a, b, 0.95, generator(1, "b"))
    assert first == bootstrap_interval(a, b, 0.95, generator(1, "b"))
    assert first.low is not None
    assert first.high is not None
    assert first.low < hodges_lehmann(a, b) < first.high
    assert (first.status, first.note, first.method) == ("ok", "", "percentile bootstrap over independent units")
    narrow = bootstrap_interval(a, b, 0.5, generator(1, "b"))
    assert narrow.low is not None
    assert first.low < narrow.low


def one_by_one(a: np.ndarray, b: np.ndarray, rng: np.random.Generator, resamples: int) -> list[float]:
    """Ends by the definition: a loop that draws the first arm, then the second, and takes the shift."""
    shifts: list[float] = []
    for _ in range(resamples):
        first = a[rng.integers(a.size, size=a.size)]
        shifts.append(hodges_lehmann(first, b[rng.integers(b.size, size=b.size)]))
    return np.quantile(np.array(shifts), [(1 - 0.95) / 2, (1 + 0.95) / 2]).tolist()


@pytest.mark.parametrize(("size_a", "size_b"), [(2, 2), (5, 5), (3, 8), (8, 3), (12, 12), (2, 130)])
@pytest.mark.parametrize("cells", [40, 1_000_000])
def test_bootstrap_all_at_once_has_the_bytes_of_a_loop(
    monkeypatch: pytest.MonkeyPatch, size_a: int, size_b: int, cells: int
) -> None:
    """Equal ends and an equal stream afterwards, however many differences are held at once."""
    monkeypatch.setattr(resample, "_CELLS", cells)
    for scale in (1.0, 1e-9, 1e12):
        data = generator(49, "data", str(scale))
        a, b = scale * data.exponential(size=size_a), scale * np.round(data.normal(size=size_b), 1)
        loop, whole = generator(50, "b"), generator(50, "b")
        interval = bootstrap_interval(a, b, 0.95, whole, resamples=150)
        assert [interval.low, interval.high] == one_by_one(a, b, loop, 150)
        assert bootstrap_interval(a, b, 0.95, generator(50, "b"), statistic=hodges_lehmann, resamples=150) == interval
        assert whole.bit_generator.state == loop.bit_generator.state


def test_bootstrap_says_when_it_is_weak_or_impossible() -> None:
    assert bootstrap_interval(np.arange(7.0), np.arange(9.0), 0.9, generator(1), resamples=20).note.startswith("weak")
    short = bootstrap_interval(np.array([1.0]), np.arange(9.0), 0.9, generator(1))
    assert (short.low, short.high, short.status) == (None, None, "too_few_draws")
    with pytest.raises(Defect):
        bootstrap_interval(np.arange(3.0), np.arange(3.0), 1.0, generator(1))


def mean_difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(a.mean() - b.mean())


def test_bootstrap_of_the_mean_has_the_textbook_spread() -> None:
    """Percentile ends of the mean difference of 30 + 30: ± 1.96 plug-in standard errors, within 8 %."""
    stream = generator(46, "data")
    a, b = stream.normal(size=30), stream.normal(size=30)
    interval = bootstrap_interval(a, b, 0.95, generator(2, "b"), statistic=mean_difference, resamples=4_000)
    assert interval.low is not None
    assert interval.high is not None
    expected = 2 * 1.96 * math.sqrt(a.var() / 30 + b.var() / 30)
    assert interval.high - interval.low == pytest.approx(expected, rel=0.08)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "stated"), [(3, 0.82), (5, 0.91), (8, 0.94)])
def test_bootstrap_coverage_is_as_documented(size: int, stated: float) -> None:
    """Nominal .95; stated values come from 2,000 data sets. 250 here: tolerance 3.5 standard errors of both."""
    stream = generator(47, "coverage", str(size))
    hits = 0
    for _ in range(250):
        interval = bootstrap_interval(stream.normal(size=size), stream.normal(size=size), 0.95, stream, resamples=200)
        assert interval.low is not None
        assert interval.high is not None
        hits += interval.low <= 0 <= interval.high
    assert abs(hits / 250 - stated) < 3.5 * math.sqrt(stated * (1 - stated) * (1 / 250 + 1 / 2_000)) + 0.005


def test_cluster_bootstrap_sees_the_clusters() -> None:
    """20 clusters of 10 equal items: the interval is that of 20 numbers, not of 200."""
    stream = generator(48, "clusters")
    levels = stream.normal(size=20)
    values, names = np.repeat(levels, 10), [f"c{index}" for index in range(20) for _ in range(10)]
    found = cluster_bootstrap_mean(values, names, generator(3, "c"), resamples=4_000)
    assert found.clusters == 20
    assert found.mean == pytest.approx(levels.mean())
    assert found.interval.low is not None
    assert found.interval.high is not None
    width = found.interval.high - found.interval.low
    assert width == pytest.approx(2 * 1.96 * math.sqrt(levels.var() / 20), rel=0.1)
    alone = cluster_bootstrap_mean(values, [str(index) for index in range(200)], generator(3, "c"))
    assert alone.interval.low is not None
    assert alone.interval.high is not None
    assert width > 2.5 * (alone.interval.high - alone.interval.low)
    assert cluster_bootstrap_mean(values, names, generator(3, "c")) == cluster_bootstrap_mean(
        values, names, generator(3, "c")
    )


def test_cluster_bootstrap_weighs_items_not_clusters() -> None:
    values = np.array([1.0, 1.0, 1.0, 0.0])
    assert cluster_bootstrap_mean(values, ["a", "a", "a", "b"], generator(4)).mean == 0.75
    one = cluster_bootstrap_mean(values, ["a"] * 4, generator(4))
    assert (one.interval.status, one.interval.low, one.clusters) == ("too_few_draws", None, 1)
    with pytest.raises(Defect):
        cluster_bootstrap_mean(values, ["a"], generator(4))
