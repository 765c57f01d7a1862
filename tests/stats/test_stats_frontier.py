"""Frontiers: values at a level, differences of two paths, and the interval over strata."""

import numpy as np
import pytest
import scipy.stats as stats
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.stats.frontier import (
    Path,
    frontier_difference,
    frontier_value,
    path_from,
    stratified_mean_interval,
)

NUMBERS = st.lists(st.integers(-50, 50), min_size=2, max_size=9)


def path(*points: tuple[float, float]) -> Path:
    x, y = np.array(points, dtype=float).T
    return path_from(x, y)


def test_of_several_crossings_the_one_with_the_least_harm_counts() -> None:
    bent = path((0.0, 9.0), (2.0, 5.0), (0.0, 1.0))
    found = frontier_value(bent, 1.0)
    assert found is not None
    assert found.y == 3.0  # crossed at 7 on the way out and at 3 on the way back
    assert frontier_value(bent, 2.5) is None


def test_a_companion_is_read_where_the_least_harm_is() -> None:
    bent = path_from(np.array([0.0, 2.0, 0.0]), np.array([9.0, 5.0, 1.0]), np.array([0.0, 10.0, 30.0]))
    found = frontier_value(bent, 1.0)
    assert found is not None
    assert found.z == 20.0


@given(NUMBERS, st.data())
def test_the_value_lies_on_the_polyline_and_below_every_crossing(xs: list[int], data: st.DataObject) -> None:
    ys = data.draw(st.lists(st.integers(-9, 9), min_size=len(xs), max_size=len(xs)))
    level = data.draw(st.floats(min(xs), max(xs)))
    found = frontier_value(path(*zip(map(float, xs), map(float, ys), strict=True)), level)
    crossings = [
        y0 if x0 == x1 else y0 + (level - x0) / (x1 - x0) * (y1 - y0)
        for x0, x1, y0, y1 in zip(xs, xs[1:], ys, ys[1:], strict=False)
        if min(x0, x1) <= level <= max(x0, x1)
    ] + [y for x, y in zip(xs, ys, strict=True) if x == level]
    assert found is not None
    assert found.y == pytest.approx(min(crossings), abs=1e-9)


def test_a_constant_shift_is_found_whatever_the_points() -> None:
    plain = path(*((x, x * x) for x in np.linspace(5, 3, 11)))
    apart = path(*((x, x * x + 0.25) for x in np.linspace(5, 3, 11)))
    found = frontier_difference(apart, plain, (5.0, 3.0), support=0.1, kept=(0.75, 0.5, 0.25))
    assert (found.status, found.share, found.support) == ("ok", 1.0, (3.0, 5.0))
    assert found.estimate == pytest.approx(0.25, abs=1e-12)
    assert found.at == pytest.approx({0.75: 0.25, 0.5: 0.25, 0.25: 0.25})


def test_the_mean_is_that_of_the_trapezoid_rule() -> None:
    """Closed form: y = x on one side and 0 on the other, over levels 1 to 3, has the mean 2."""
    found = frontier_difference(path((4.0, 4.0), (1.0, 1.0)), path((3.0, 0.0), (0.0, 0.0)), (4.0, 0.0), support=0.1)
    assert found.estimate == pytest.approx(2.0, abs=1e-12)
    assert found.share == 0.5


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_scale_and_shift_of_the_matched_axis_change_nothing(scale: float, shift: float) -> None:
    first, second = ((5.0, 1.0), (4.2, 0.3), (3.0, 0.9)), ((5.0, 0.0), (3.5, 0.8), (2.0, 1.0))
    before = frontier_difference(path(*first), path(*second), (5.0, 2.5), support=0.1)
    moved = [path(*((x * scale + shift, y) for x, y in points)) for points in (first, second)]
    after = frontier_difference(moved[0], moved[1], (5.0 * scale + shift, 2.5 * scale + shift), support=0.1)
    assert after.estimate == pytest.approx(before.estimate, abs=1e-6)


def test_no_number_without_a_common_range() -> None:
    high, low = path((5.0, 0.0), (4.0, 1.0)), path((3.9, 0.0), (1.0, 1.0))
    assert frontier_difference(high, low, (5.0, 1.0), support=0.1).status == "too_narrow"
    near = path((4.1, 0.0), (1.0, 1.0))
    narrow = frontier_difference(high, near, (5.0, 1.0), support=0.1)
    assert (narrow.estimate, narrow.status) == (None, "too_narrow")
    assert narrow.share == pytest.approx(0.025)
    assert frontier_difference(high, near, (5.0, 1.0), support=0.02).status == "ok"
    assert frontier_difference(high, high, (4.0, 4.0), support=0.1).status == "no_gain"
    with pytest.raises(Defect):
        path_from(np.array([1.0, np.nan]), np.array([0.0, 0.0]))


def test_a_companion_is_differenced_at_the_places_of_the_least_harm() -> None:
    first = path_from(np.array([2.0, 0.0]), np.array([1.0, 3.0]), np.array([0.0, 8.0]))
    second = path_from(np.array([2.0, 0.0]), np.array([0.0, 0.0]), np.array([1.0, 1.0]))
    found = frontier_difference(first, second, (2.0, 0.0), support=0.1)
    assert (found.estimate, found.companion) == pytest.approx((2.0, 3.0))


def test_single_levels_are_counted_from_the_base_on_and_told_where_the_mean_is_not() -> None:
    """y = x against 0: where a quarter of the gain of 4 is kept, x is 3."""
    first, second = path((4.0, 4.0), (2.5, 2.5)), path((4.0, 0.0), (2.5, 0.0))
    found = frontier_difference(first, second, (4.0, 0.0), support=0.1, kept=(0.75, 0.25))
    assert found.at == {0.25: 3.0}
    narrow = frontier_difference(first, second, (4.0, 0.0), support=0.4, kept=(0.75, 0.25))
    assert (narrow.status, narrow.support, narrow.at) == ("too_narrow", (2.5, 4.0), {0.25: 3.0})


def test_the_least_common_range_is_enough_and_apart_there_is_none() -> None:
    first, second = path((4.0, 1.0), (3.0, 2.0)), path((4.0, 0.0), (3.0, 0.0))
    assert frontier_difference(first, second, (4.0, 0.0), support=0.25).status == "ok"
    apart = frontier_difference(first, path((2.0, 0.0), (1.0, 0.0)), (4.0, 0.0), support=0.1)
    assert (apart.share, apart.support) == (0.0, None)
    point = frontier_difference(first, path((3.5, 0.0)), (4.0, 0.0), support=0.1)
    assert (point.status, point.share) == ("too_few_points", 0.0)


def test_what_no_caller_may_ask_is_refused() -> None:
    line = path((1.0, 0.0), (0.0, 0.0))
    with pytest.raises(Defect, match="1 levels are no range"):
        frontier_difference(line, line, (1.0, 0.0), support=0.1, levels=1)
    for level, strata in ((1.0, [np.arange(3.0)]), (0.0, [np.arange(3.0)]), (0.95, [])):
        with pytest.raises(Defect, match="strata"):
            stratified_mean_interval(strata, level, generator(1), resamples=1000)


def test_the_interval_has_the_spread_of_n_minus_1_draws_and_t_quantiles() -> None:
    """Against mean ± t √Σ (n_s/n)² s_s²/n_s in strata of unequal size; equal weights or n draws miss it by a tenth."""
    parts = [generator(4, str(place)).normal(place, 1.0 + place, size=size) for place, size in enumerate((12, 6, 6))]
    found = stratified_mean_interval(parts, 0.9, generator(5), resamples=20_000)
    total = sum(part.size for part in parts)
    centre = np.concatenate(parts).mean()
    error = np.sqrt(sum((part.size / total) ** 2 * part.var(ddof=1) / part.size for part in parts))
    reach = stats.t.ppf(0.95, total - len(parts)) * error
    assert found.ends is not None
    assert found.ends == pytest.approx((centre - reach, centre + reach), abs=0.06 * reach)
    stream, means = generator(5), np.zeros(20_000)
    for part in parts:
        means += part[stream.integers(part.size, size=(20_000, part.size - 1))].mean(axis=1) * part.size / total
    share = stats.norm.cdf(stats.t.ppf(0.05, total - len(parts)))
    assert found.ends == pytest.approx(tuple(np.quantile(means, [share, 1 - share])))
    pair = stratified_mean_interval([np.array([0.0, 1.0]), np.array([5.0, 5.0])], 0.9, generator(5), resamples=1000)
    assert pair.ends == (2.5, 3.0)  # one stratum without spread is no reason to give none; 2 degrees of freedom


def test_the_interval_forgets_what_strata_differ_by() -> None:
    stream = generator(1, "strata")
    parts = [stream.normal(size=5) for _ in range(3)]
    moved = [part + 100.0 * place - 100.0 for place, part in enumerate(parts)]
    found = [stratified_mean_interval(rows, 0.95, generator(2), resamples=2000).ends for rows in (parts, moved)]
    assert found[0] is not None
    assert found[1] == pytest.approx(found[0], abs=1e-9)
    assert stratified_mean_interval([*parts, np.array([0.1])], 0.95, stream, resamples=1000).status == "too_few_draws"
    assert stratified_mean_interval([np.ones(4)] * 2, 0.95, stream, resamples=1000).status == "no_variation"


@pytest.mark.slow
def test_the_interval_covers_what_it_says() -> None:
    """Nominal .95, measured .95 with 3 strata of 5; three standard errors of 400 data sets are .033."""
    stream, held = generator(3, "coverage"), 0
    for _ in range(400):
        ends = stratified_mean_interval([stream.normal(size=5) for _ in range(3)], 0.95, stream, resamples=1000).ends
        held += ends is not None and ends[0] <= 0 <= ends[1]
    assert 0.915 <= held / 400 <= 0.985
