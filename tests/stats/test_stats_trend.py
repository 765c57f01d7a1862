"""Trends: a textbook example, Page's exact test and SciPy as judges, and an interval that agrees with the test."""

import itertools

import numpy as np
import pytest
import scipy.stats

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.stats import exchange
from shadowgraph.stats.trend import smallest_p, trend_test

DOSES = [0.0, 1 / 3, 2 / 3, 1.0]


def made(sizes: list[int], slope: float = 0.5, label: str = "made") -> list[np.ndarray]:
    rng = generator(0, label)
    return [rng.normal(size=size) + slope * place for place, size in enumerate(sizes)]


def test_textbook_example() -> None:
    """Hollander and Wolfe, Nonparametric Statistical Methods, table 6.6: J = 79, one-sided p .0231 exactly."""
    pieces = [
        np.array([40.0, 35.0, 38.0, 43.0, 44.0, 41.0]),
        np.array([38.0, 40.0, 47.0, 44.0, 40.0, 42.0]),
        np.array([48.0, 40.0, 45.0, 43.0, 46.0, 44.0]),
    ]
    found = trend_test(pieces, [0.0, 1.0, 2.0], generator(1, "t"))
    assert (found.jonckheere, found.n, found.exact) == (79.0, 18, False)
    assert found.jonckheere_p == pytest.approx(2 * 0.0231, abs=0.006)


def test_slope_is_least_squares_and_p_is_that_of_all_orders() -> None:
    """numpy.polyfit, and scipy.stats.permutation_test over all 7! pairings; to rounding."""
    values = made([2, 3, 2])
    x, y = np.repeat([0.0, 0.2, 1.0], [2, 3, 2]), np.concatenate(values)
    found = trend_test(values, [0.0, 0.2, 1.0])
    assert found.slope == pytest.approx(float(np.polyfit(x, y, 1)[0]))

    def distance(z: np.ndarray) -> float:
        return abs(float(np.polyfit(x, z, 1)[0]))

    other = scipy.stats.permutation_test(
        (y,), distance, permutation_type="pairings", n_resamples=10**5, alternative="greater", vectorized=False
    )
    assert found.exact
    assert found.p == pytest.approx(float(other.pvalue), abs=1e-12)
    pairs = [(i, j) for i, j in itertools.product(range(7), repeat=2) if x[i] < x[j]]
    assert found.jonckheere == sum(1.0 if y[i] < y[j] else 0.5 if y[i] == y[j] else 0.0 for i, j in pairs)


def test_blocks_of_ranks_give_pages_exact_test() -> None:
    """Ranks inside blocks against doses 1 … 4: slope and Page's L order data alike; two-sided is twice one-sided."""
    ranks = np.array([[1.0, 2.0, 4.0, 3.0], [2.0, 1.0, 3.0, 4.0], [3.0, 1.0, 2.0, 4.0]])
    found = trend_test(list(ranks.T.copy()), [1.0, 2.0, 3.0, 4.0], blocks=True)
    other = scipy.stats.page_trend_test(ranks, method="exact")
    assert found.exact
    assert found.p == pytest.approx(min(1.0, 2 * float(other.pvalue)), abs=1e-9)


def test_blocks_take_what_draws_share_away() -> None:
    values = made([4] * 4, slope=0.6)
    levels = 100 * generator(3, "levels").normal(size=4)
    shifted = [sample + levels for sample in values]
    rng = [generator(4, "labels") for _ in range(3)]
    plain, moved = (trend_test(v, DOSES, g, blocks=True) for v, g in zip((values, shifted), rng, strict=False))
    assert moved.slope == pytest.approx(plain.slope)
    assert (moved.p, moved.jonckheere, moved.jonckheere_p) == (plain.p, plain.jonckheere, plain.jonckheere_p)
    assert trend_test(shifted, DOSES, rng[2]).p > 0.3
    assert plain.slope == pytest.approx(trend_test(values, DOSES, generator(4, "labels")).slope)


@pytest.mark.parametrize(
    ("sizes", "doses", "blocks", "smallest"),
    [
        ([3, 3, 3], [0.0, 0.5, 1.0], False, 2 / 1680),
        ([3, 3, 3], [0.0, 0.3, 1.0], False, 1 / 1680),
        ([3, 3, 3], [0.0, 0.5, 1.0], True, 2 / 216),
        ([2, 2, 1], [0.0, 0.5, 1.0], False, 1 / 30),
        ([1, 1, 1], [0.0, 0.5, 1.0], False, 2 / 6),
    ],
)
def test_smallest_p_is_reached(sizes: list[int], doses: list[float], blocks: bool, smallest: float) -> None:
    values = [dose * 50 + sample for dose, sample in zip(doses, made(sizes), strict=True)]
    found = trend_test(values, doses, blocks=blocks)
    assert found.p == found.smallest_p == pytest.approx(smallest)
    assert found.status == ("ok" if smallest <= 0.05 else "too_few_draws")
    turned = trend_test([-sample for sample in values], doses, blocks=blocks)
    assert (turned.p, turned.slope) == (found.p, pytest.approx(-found.slope))


@pytest.mark.parametrize("blocks", [False, True])
def test_interval_is_what_the_test_does_not_reject(blocks: bool) -> None:
    doses, values = [0.0, 0.3, 1.0], made([3, 3, 3])
    found = trend_test(values, doses, blocks=blocks, level=0.9)
    assert found.interval.ends is not None
    assert found.interval.ends[0] < found.slope < found.interval.ends[1]
    for end, outward in zip(found.interval.ends, (-1e-6, 1e-6), strict=True):
        outside, inside = (
            trend_test([v - (end + s) * x for v, x in zip(values, doses, strict=True)], doses, blocks=blocks).p
            for s in (outward, -outward)
        )
        assert outside <= 0.1 + 1e-12 < inside


def test_unit_of_dose_and_no_spread() -> None:
    values = made([3, 3, 3])
    tenth = trend_test(values, [0.0, 10.0, 30.0])
    whole = trend_test(values, [0.0, 1.0, 3.0])
    assert tenth.slope == pytest.approx(whole.slope / 10)
    assert tenth.p == whole.p
    line = trend_test([np.full(3, 0.1 + 0.2 * dose) for dose in (0.0, 1.0, 3.0)], [0.0, 1.0, 3.0])
    assert (line.interval.status, line.interval.ends) == ("no_variation", None)
    assert line.slope == pytest.approx(0.2)
    flat = trend_test([np.full(2, 0.1)] * 3, [0.0, 1.0, 2.0])
    assert (flat.p, flat.jonckheere, flat.jonckheere_p) == (1.0, 6.0, 1.0)


def test_monte_carlo_is_near_the_exact_p(monkeypatch: pytest.MonkeyPatch) -> None:
    values = made([3, 3, 3], slope=0.8)
    exact = trend_test(values, [0.0, 1.0, 2.0])
    monkeypatch.setattr(exchange, "EXACT_LIMIT", 10)
    rough = trend_test(values, [0.0, 1.0, 2.0], generator(5, "mc"), samples=5_000)
    assert rough.smallest_p == 1 / 5_001
    assert abs(rough.p - exact.p) < 5 * (exact.p / 5_000) ** 0.5 + 1 / 5_000


def test_bad_input_is_refused() -> None:
    one, two = np.array([1.0]), np.array([1.0, 2.0])
    for values, doses, blocks in [
        ([one, two], [0.0], False),
        ([one, two], [1.0, 1.0], False),
        ([one, two], [0.0, 1.0], True),
        ([one, np.array([])], [0.0, 1.0], False),
        ([one, np.array([np.nan])], [0.0, 1.0], False),
        ([one, two], [0.0, float("inf")], False),
    ]:
        with pytest.raises(Defect):
            trend_test(values, doses, blocks=blocks)


def test_smallest_p_is_known_before_the_data() -> None:
    """2 over all orders where doses mirror each other, 1 over them where not; equal doses are one dose."""
    assert smallest_p([0.0, 0.5, 1.0], [2, 2, 2], True) == 2 / 36
    assert smallest_p([0.0, 0.5, 1.0], [2, 2, 2]) == 2 / 90
    assert smallest_p([0.0, 0.2, 1.0], [2, 2, 2], True) == 1 / 36
    assert smallest_p([0.0, 1.0, 1.0], [1, 1, 1], True) == 1 / 3
    assert smallest_p([0.0, 0.5, 1.0], [1, 1, 2]) == 1 / 12
    for doses in ([0.0, 0.5, 1.0], [0.0, 0.2, 1.0]):
        best = [np.array([dose, dose]) for dose in doses]
        assert trend_test(best, doses, blocks=True).p == smallest_p(doses, [2, 2, 2], True)
