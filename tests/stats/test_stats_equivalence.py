"""TOST against an independent implementation, published examples and simulation."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.stats.equivalence import draws_needed, tost, tost_power

arms = st.lists(st.integers(-30, 30), min_size=2, max_size=7, unique=True).map(
    lambda values: np.array(values, dtype=np.float64) / 10
)


@given(arms, arms, st.floats(0.1, 3.0), st.sampled_from([0.01, 0.05, 0.1]))
@settings(max_examples=60)
def test_equals_two_welch_tests(a: np.ndarray, b: np.ndarray, margin: float, alpha: float) -> None:
    """scipy.stats.ttest_ind, unequal variances, data moved by the margin; tolerance: rounding."""
    found = tost(a, b, margin, alpha)
    above = np.asarray(scipy.stats.ttest_ind(a + margin, b, equal_var=False, alternative="greater"))
    below = np.asarray(scipy.stats.ttest_ind(a - margin, b, equal_var=False, alternative="less"))
    assert found.p == pytest.approx(max(above[1], below[1]), rel=1e-7, abs=1e-12)
    ends = scipy.stats.ttest_ind(a, b, equal_var=False).confidence_interval(1 - 2 * alpha)
    assert found.interval == pytest.approx((float(ends.low), float(ends.high)), rel=1e-7, abs=1e-9)
    assert found.interval is not None
    assert found.equivalent == (-margin < found.interval[0] and found.interval[1] < margin)


def standardised(mean: float, sd: float) -> np.ndarray:
    """Four numbers of exactly this mean and standard deviation."""
    shape = np.array([-1.5, -0.5, 0.5, 1.5])
    return mean + sd * shape / shape.std(ddof=1)


def test_worked_example() -> None:
    """Two arms of 4 with means 1.055, 1.027 and sd .0082, .0065: estimate .028, 90 % interval .018 … .038."""
    repeated, covering = standardised(1.055, 0.0082), standardised(1.027, 0.0065)
    found = tost(repeated, covering, 0.048)
    assert found.estimate == pytest.approx(0.028)
    assert found.interval == pytest.approx((0.018, 0.038), abs=0.0006)
    assert found.equivalent
    assert not tost(repeated, covering, 0.035).equivalent
    assert not tost(standardised(1.123, 0.0041), covering, 0.048).equivalent


def test_where_no_test_exists() -> None:
    one = tost(np.array([1.0]), np.array([1.0, 2.0]), 0.5)
    assert (one.status, one.p, one.interval, one.equivalent) == ("too_few_draws", None, None, False)
    flat = tost(np.full(3, 0.1), np.full(3, 0.1), 0.5)
    assert (flat.status, flat.equivalent) == ("no_spread", False)
    for margin, alpha in [(0.0, 0.05), (-1.0, 0.05), (float("nan"), 0.05), (1.0, 0.5)]:
        with pytest.raises(Defect):
            tost(np.arange(3.0), np.arange(3.0), margin, alpha)


@pytest.mark.parametrize(
    ("sd", "shift", "stated"),
    [
        (0.0065, 0.0, (1.0, 1.0, 1.0, 1.0)),
        (0.02, 0.0, (0.85, 0.98, 1.0, 1.0)),
        (0.02, 0.028, (0.39, 0.55, 0.68, 0.83)),
        (0.05, 0.0, (0.04, 0.11, 0.24, 0.53)),
    ],
)
def test_power_table(sd: float, shift: float, stated: tuple[float, ...]) -> None:
    """Margin .05, alpha .05, n = 4, 6, 8, 12 an arm. Origin: an independent simulation; tolerance .015."""
    assert [tost_power(sd, shift, 0.05, n) for n in (4, 6, 8, 12)] == pytest.approx(stated, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize(("sd", "shift", "draws"), [(0.02, 0.0, 4), (0.02, 0.028, 8), (0.05, 0.0, 12), (0.02, 0.05, 8)])
def test_power_is_what_the_test_does(sd: float, shift: float, draws: int) -> None:
    """4,000 data sets; tolerance 4 standard errors plus .01 for Welch's degrees of freedom. Last row: the level."""
    stream = generator(51, "power", str(sd), str(shift))
    hits = sum(
        tost(row[:draws] + shift, row[draws:], 0.05).equivalent
        for row in stream.normal(scale=sd, size=(4_000, 2 * draws))
    )
    power = tost_power(sd, shift, 0.05, draws)
    assert abs(hits / 4_000 - power) < 4 * math.sqrt(power * (1 - power) / 4_000) + 0.01
    assert shift < 0.05 or power <= 0.05


def test_draws_needed_is_the_smallest_number() -> None:
    for sd, shift, margin, power in [(0.02, 0.028, 0.048, 0.9), (0.05, 0.0, 0.05, 0.9), (0.02, -0.03, 0.05, 0.8)]:
        draws = draws_needed(sd, shift, margin, power)
        assert draws is not None
        assert tost_power(sd, shift, margin, draws) >= power
        assert tost_power(sd, shift, margin, draws - 1) < power


def test_draws_needed_near_the_closed_form() -> None:
    """2 sd² (z.95 + z.90)²/(margin − |shift|)² is 17.1 for sd .02, shift .028, margin .048; the t law adds one."""
    closed = 2 * 0.02**2 * (1.6449 + 1.2816) ** 2 / 0.02**2
    assert closed == pytest.approx(17.1, abs=0.05)
    assert draws_needed(0.02, 0.028, 0.048) == 18
    assert draws_needed(0.02, 0.05, 0.05) is None
    assert draws_needed(1e3, 0.0, 0.01) is None
    assert draws_needed(1e-6, 0.0, 0.05) == 2


def test_bad_designs_are_refused() -> None:
    for arguments in [(0.0, 0.0, 1.0, 4), (1.0, 0.0, 1.0, 1), (1.0, 0.0, 0.0, 4)]:
        with pytest.raises(Defect):
            tost_power(*arguments)
    with pytest.raises(Defect):
        draws_needed(1.0, 0.0, 1.0, 1.0)
