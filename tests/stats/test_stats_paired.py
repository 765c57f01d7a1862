"""Differences: exact sign flips against Wilcoxon's test and SciPy, effect size by hand, equivalence by two t tests."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.stats.equivalence import draws_needed, tost_power
from shadowgraph.stats.paired import hedges_gz, paired, paired_tost, pseudomedian

samples = st.lists(st.integers(-40, 40), min_size=1, max_size=9).map(lambda found: np.array(found, dtype=np.float64))


def test_eight_of_one_sign() -> None:
    """2/2^8 = .0078, the published two-sided value."""
    found = paired(np.array([0.3, 0.1, 0.7, 0.2, 0.5, 0.4, 0.9, 0.6]))
    assert found.p == found.smallest_p == 2 / 256
    assert (found.n, found.exact, found.status) == (8, True, "ok")
    assert found.interval.low is not None
    assert found.interval.low > 0
    assert (found.estimate, found.mean) == pytest.approx((0.45, 0.4625))


@given(st.lists(st.booleans(), min_size=2, max_size=10))
@settings(max_examples=20)
def test_signed_ranks_give_the_exact_wilcoxon_p(signs: list[bool]) -> None:
    """Differences that are ranks with signs: the sign-flip test is Wilcoxon's; scipy.stats.wilcoxon, exact."""
    ranks = np.arange(1.0, len(signs) + 1) * np.where(signs, 1.0, -1.0)
    other = float(np.asarray(scipy.stats.wilcoxon(ranks, method="exact"))[1])
    assert paired(ranks).p == pytest.approx(other, abs=1e-12)


@given(samples, st.integers(-20, 20))
@settings(max_examples=25)
def test_laws(values: np.ndarray, shift: int) -> None:
    found, turned = paired(values), paired(-values)
    assert found.p == turned.p
    assert found.smallest_p <= found.p <= 1
    assert found.estimate == -turned.estimate
    assert pseudomedian(values + shift) == pytest.approx(found.estimate + shift)
    assert values.min() <= found.estimate <= values.max()
    if found.interval.ends is not None:
        assert found.interval.ends[0] <= found.mean <= found.interval.ends[1]
        if found.status == "ok":
            outside = not found.interval.ends[0] - 1e-9 <= 0 <= found.interval.ends[1] + 1e-9
            assert found.p <= 0.05 + 1e-12 or not outside


def test_pseudomedian_by_hand() -> None:
    """Walsh averages of 1, 4, 6: 1, 2.5, 3.5, 4, 5, 6; median 3.75."""
    assert pseudomedian(np.array([4.0, 1.0, 6.0])) == 3.75


def test_effect_size_by_hand() -> None:
    """Mean 2, sd 1, ν = 2: J = Γ(1)/(√1 Γ(1/2)) = 1/√π."""
    assert hedges_gz(np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / math.sqrt(math.pi), rel=1e-12)
    assert hedges_gz(np.array([1.0, 2.0])) is None
    assert hedges_gz(np.full(5, 0.1)) is None


def test_effect_size_is_unbiased() -> None:
    """True effect .8, 6 differences, 1,500 data sets; 4 standard errors. Without J it would read .95."""
    found = [hedges_gz(row + 0.8) or 0.0 for row in generator(5, "gz").normal(size=(1_500, 6))]
    assert abs(np.mean(found) - 0.8) < 4 * np.std(found) / 1_500**0.5


def test_below_six_the_interval_is_that_of_t_and_says_so() -> None:
    values = np.array([0.4, 1.1, 0.2, 0.9, 0.7])
    found = paired(values)
    assert (found.p, found.status) == (0.0625, "too_few_draws")
    other = scipy.stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert found.interval.ends == pytest.approx((float(other.low), float(other.high)))
    assert "nearly normal" in found.interval.note
    assert paired(values, level=0.9).interval.note == ""  # 2/32 ≤ .1: the test can reject
    assert paired(values, level=0.9).status == "ok"


def test_where_there_is_no_interval() -> None:
    one, flat = paired(np.array([1.5])), paired(np.full(6, 0.1))
    assert (one.p, one.interval.status, one.interval.ends) == (1.0, "too_few_draws", None)
    assert (flat.p, flat.interval.status, flat.hedges_g) == (2 / 64, "no_variation", None)


def test_many_differences_need_a_generator() -> None:
    values = generator(6, "many").normal(size=20) + 1
    with pytest.raises(Defect, match="generator"):
        paired(values)
    found = paired(values, generator(7, "flips"), samples=999)
    assert (found.exact, found.smallest_p) == (False, 1 / 1000)
    assert found.p < 0.05
    assert found == paired(values, generator(7, "flips"), samples=999)


@given(samples.filter(lambda found: found.size > 1 and float(np.ptp(found)) > 0), st.floats(0.1, 9.0))
@settings(max_examples=50)
def test_equivalence_is_two_t_tests(values: np.ndarray, margin: float) -> None:
    """scipy.stats.ttest_1samp of values moved by the margin; tolerance: rounding."""
    found = paired_tost(values, margin)
    above = float(np.asarray(scipy.stats.ttest_1samp(values, -margin, alternative="greater"))[1])
    below = float(np.asarray(scipy.stats.ttest_1samp(values, margin, alternative="less"))[1])
    assert found.p == pytest.approx(max(above, below), rel=1e-7, abs=1e-12)
    ends = scipy.stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert found.interval == pytest.approx((float(ends.low), float(ends.high)), rel=1e-7, abs=1e-9)
    assert found.interval is not None
    assert found.equivalent == (-margin < found.interval[0] and found.interval[1] < margin)


def test_equivalence_where_there_is_none() -> None:
    assert paired_tost(np.array([1.0]), 0.5).status == "too_few_draws"
    assert paired_tost(np.full(4, 0.1), 0.5).status == "no_spread"
    for margin, alpha in [(0.0, 0.05), (float("nan"), 0.05), (1.0, 0.5)]:
        with pytest.raises(Defect):
            paired_tost(np.arange(3.0), margin, alpha)


def test_power_of_the_paired_claim() -> None:
    """sd of differences .03, no shift, margin .05, 8 draws: 1,000 data sets; 4 standard errors."""
    rows = generator(8, "claim").normal(scale=0.03, size=(1_000, 8))
    hits = sum(paired_tost(row, 0.05).equivalent for row in rows) / 1_000
    power = tost_power(0.03, 0.0, 0.05, 8, paired=True)
    assert abs(hits - power) < 4 * math.sqrt(power * (1 - power) / 1_000)
    draws = draws_needed(0.03, 0.0, 0.05, paired=True)
    assert draws is not None
    assert tost_power(0.03, 0.0, 0.05, draws, paired=True) >= 0.9 > tost_power(0.03, 0.0, 0.05, draws - 1, paired=True)


@pytest.mark.parametrize("bad", [[], [1.0, float("nan")]])
def test_bad_samples_are_refused(bad: list[float]) -> None:
    for call in (paired, pseudomedian, hedges_gz):
        with pytest.raises(Defect):
            call(np.array(bad, dtype=np.float64))
    with pytest.raises(Defect):
        paired_tost(np.array(bad, dtype=np.float64), 1.0)
