"""Exchanges inside strata: exact p by brute force, laws, and an interval that agrees with the test."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.stats import exchange
from shadowgraph.stats.effect import hodges_lehmann
from shadowgraph.stats.exchange import arrangements, listed, not_rejected, orders
from shadowgraph.stats.resample import permutation_test
from shadowgraph.stats.strata import Stratum, smallest_p, stratified_interval, stratified_permutation, stratified_shift

arm = st.lists(st.integers(-9, 9), min_size=1, max_size=3).map(lambda found: np.array(found, dtype=np.float64))
designs = st.lists(st.tuples(arm, arm), min_size=1, max_size=3)


def pairs(differences: np.ndarray) -> list[Stratum]:
    return [(differences[place : place + 1], np.zeros(1)) for place in range(differences.size)]


def made(sizes: list[tuple[int, int]], label: str = "made") -> list[Stratum]:
    """Normal numbers in strata that differ by much."""
    rng = generator(0, label)
    return [(rng.normal(size=a) + level, rng.normal(size=b) + level) for level, (a, b) in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "p"),
    [
        ([(5, 5)], 0.0079),
        ([(1, 1)] * 8, 0.0078),
        ([(1, 1)] * 5, 0.0625),
        ([(1, 3)] * 3, 1 / 64),
        ([(4, 4), (4, 4)], 2 / 4900),
        ([(2, 3), (2, 2)], 1 / 60),
    ],
)
def test_smallest_p_is_reached_and_as_in_print(sizes: list[tuple[int, int]], p: float) -> None:
    """Two-sided 5 + 5 units .0079 and 8 sign flips .0078, published; others 1 or 2 over the number of exchanges."""
    apart = [(a + 1e3, b) for a, b in made(sizes)]
    test = stratified_permutation(apart)
    assert test.exact
    assert test.permutations == math.prod(math.comb(a + b, a) for a, b in sizes)
    assert test.p == test.smallest_p == smallest_p(sizes) == pytest.approx(p, abs=5e-5)
    assert stratified_permutation([(b, a) for a, b in apart]).p == test.p


@given(designs)
@settings(max_examples=40)
def test_p_by_brute_force(strata: list[Stratum]) -> None:
    """Over every relabelling, in whole numbers; thirds then make ties inexact, which must still count as ties."""
    scale = math.prod(a.size * b.size for a, b in strata)
    splits = [
        [
            (scale // a.size) * int(sum(pooled[i] for i in chosen))
            - (scale // b.size) * int(sum(pooled[i] for i in range(pooled.size) if i not in chosen))
            for chosen in itertools.combinations(range(pooled.size), a.size)
        ]
        for a, b, pooled in ((a, b, np.concatenate([a, b])) for a, b in strata)
    ]
    observed = abs(sum(part[0] for part in splits))
    sums = [abs(sum(choice)) for choice in itertools.product(*splits)]
    test = stratified_permutation([(a / 3 + 0.1, b / 3 + 0.1) for a, b in strata])
    assert test.p == sum(value >= observed for value in sums) / len(sums)
    assert test.p >= test.smallest_p


@given(designs, st.integers(-50, 50))
@settings(max_examples=15)
def test_what_a_stratum_shares_cancels(strata: list[Stratum], level: int) -> None:
    moved = [(a + level * place, b + level * place) for place, (a, b) in enumerate(strata)]
    assert stratified_permutation(moved).p == stratified_permutation(strata).p
    assert stratified_permutation(strata[::-1]).p == stratified_permutation(strata).p
    assert stratified_shift(moved) == pytest.approx(stratified_shift(strata))
    assert stratified_shift([(b, a) for a, b in strata]) == pytest.approx(-stratified_shift(strata))


def test_one_stratum_is_the_plain_test() -> None:
    ((a, b),) = made([(6, 7)])
    assert stratified_permutation([(a, b)]).p == permutation_test(a, b).p
    assert stratified_permutation([(a, b)]).statistic == pytest.approx(permutation_test(a, b).statistic)
    assert stratified_shift([(a, b)]) == hodges_lehmann(a, b)


def test_pairs_agree_with_an_independent_implementation() -> None:
    """scipy.stats.permutation_test, paired samples, all 2^9 flips of the mean; equal up to rounding."""
    rng = generator(1, "pairs")
    a, b = rng.normal(size=9) + 0.6, rng.normal(size=9)

    def distance(x: np.ndarray, y: np.ndarray) -> float:
        return abs(float((x - y).mean()))

    other = scipy.stats.permutation_test(
        (a, b), distance, permutation_type="samples", n_resamples=10**6, alternative="greater", vectorized=False
    )
    found = stratified_permutation([(a[i : i + 1], b[i : i + 1]) for i in range(9)])
    assert found.p == pytest.approx(float(other.pvalue), abs=1e-12)


def test_weights() -> None:
    strata = made([(3, 3), (2, 4), (3, 2)])
    assert stratified_permutation(strata, weights=[2.0, 2.0, 2.0]) == stratified_permutation(strata)
    first = stratified_permutation(strata[:1])
    alone = stratified_permutation(strata, weights=[1.0, 0.0, 0.0])
    assert (alone.p, alone.statistic) == (pytest.approx(first.p), pytest.approx(first.statistic))
    assert stratified_shift(strata, weights=[0.0, 0.0, 5.0]) == pytest.approx(hodges_lehmann(*strata[2]))
    for bad in ([1.0], [1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, float("nan"), 1.0]):
        with pytest.raises(Defect):
            stratified_permutation(strata, weights=bad)


def test_shift_gives_each_stratum_one_voice() -> None:
    """Differences 1 (once), 2 and 3 (six each in its stratum): weights 1/3 each, median 2; by count it would be 2.5."""
    strata = [
        (np.array([1.0]), np.array([0.0])),
        (np.full(3, 2.0), np.zeros(2)),
        (np.full(2, 3.0), np.zeros(3)),
    ]
    assert stratified_shift(strata) == 2.0
    assert stratified_shift(strata[:2]) == 1.5


def test_monte_carlo_is_near_the_exact_p(monkeypatch: pytest.MonkeyPatch) -> None:
    strata = made([(4, 4), (3, 5)])
    exact = stratified_permutation(strata)
    monkeypatch.setattr(exchange, "EXACT_LIMIT", 10)
    with pytest.raises(Defect, match="generator"):
        stratified_permutation(strata)
    for samples in (4_000, 60):  # the smaller number also shuffles instead of listing
        rough = stratified_permutation(strata, generator(2, "labels"), samples=samples)
        assert (rough.exact, rough.smallest_p) == (False, 1 / (samples + 1))
        assert abs(rough.p - exact.p) < 5 * math.sqrt(exact.p / samples)
    assert stratified_permutation([(a + 99, b) for a, b in strata], generator(2, "labels"), samples=50).p >= 1 / 51


@pytest.mark.parametrize("sizes", [[(4, 4)], [(3, 3), (3, 3)], [(1, 1)] * 7])
def test_interval_is_what_the_test_does_not_reject(sizes: list[tuple[int, int]]) -> None:
    strata = made(sizes, "dual")
    for level in (0.8, 0.95):
        ends = stratified_interval(strata, level).ends
        assert ends is not None
        assert ends[0] < stratified_permutation(strata).statistic < ends[1]
        for end, outward in zip(ends, (-1e-6, 1e-6), strict=True):
            outside, inside = (
                stratified_permutation([(a - end - step, b) for a, b in strata]).p for step in (outward, -outward)
            )
            assert outside <= 1 - level + 1e-12 < inside


def test_interval_of_pairs_is_made_of_means_of_subsets() -> None:
    """Six differences at .95: 64 flips, three may be left out, so the ends are the extreme means, those of one unit."""
    differences = np.array([0.3, -0.2, 1.4, 0.9, 0.6, 2.0])
    interval = stratified_interval(pairs(differences), 0.95)
    assert interval.ends == pytest.approx((-0.2, 2.0))
    # At .90 six may: beside the two unbounded ranges the four of {2.0} and of {2.0, 1.4}; next is {2.0, 1.4, .9}.
    ends = stratified_interval(pairs(differences), 0.9).ends
    means = sorted({float(np.mean(c)) for k in range(1, 6) for c in itertools.combinations(differences, k)})
    assert ends == pytest.approx((means[2], means[-3]))


def test_interval_moves_and_stretches_with_the_numbers() -> None:
    for sizes in ([(4, 4), (3, 3)], [(4, 6)], [(1, 3)] * 4):
        strata = made(sizes)
        ends = stratified_interval(strata, 0.9).ends
        assert ends is not None
        found = stratified_interval([(3 * a + 7, 3 * b + 1) for a, b in strata], 0.9).ends
        assert found == pytest.approx((3 * ends[0] + 6, 3 * ends[1] + 6))


def test_uneven_arms_get_spreads_of_their_own() -> None:
    """One stratum of 4 + 9: scipy's Welch interval, to rounding. Single units leave only the test, and say so."""
    ((a, b),) = made([(4, 9)])
    found = stratified_interval([(a, 3 * b)], 0.95)
    welch = scipy.stats.ttest_ind(a, 3 * b, equal_var=False).confidence_interval(0.95)
    assert found.ends == pytest.approx((float(welch.low), float(welch.high)))
    assert stratified_interval(made([(1, 3)] * 4), 0.95).note == "leans on equal spread of the arms"
    # 3 + 3 cannot reject at .05 (smallest p .1), but has a spread.
    assert stratified_interval(made([(3, 3)]), 0.95).method.startswith("t with")


def test_where_there_is_no_interval() -> None:
    few = stratified_interval(made([(1, 1)] * 5), 0.95)
    assert (few.low, few.high, few.status) == (None, None, "too_few_draws")
    one = stratified_interval([(np.array([2.0]), np.array([1.0]))], 0.5)
    assert (one.ends, one.status) == (None, "too_few_draws")
    flat = stratified_interval([(np.full(5, 0.3), np.full(5, 0.1))], 0.95)
    assert (flat.ends, flat.status) == (None, "no_variation")
    assert stratified_permutation([(np.full(4, 0.1), np.full(4, 0.1))]).p == 1.0


def test_monte_carlo_interval_is_near_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    strata = made([(5, 5), (5, 5)], "wide")
    exact = stratified_interval(strata, 0.9).ends
    monkeypatch.setattr(exchange, "EXACT_LIMIT", 1_000)
    rough = stratified_interval(strata, 0.9, generator(3, "i"), samples=9_999).ends
    assert exact is not None
    assert rough == pytest.approx(exact, abs=0.04 * (exact[1] - exact[0]))


def test_listing_of_orders() -> None:
    labels = np.array([0, 0, 1, 2])
    rows = listed(labels)
    assert len(rows) == arrangements(labels) == 12
    assert sorted(map(tuple, rows.tolist())) == sorted(set(itertools.permutations([0, 0, 1, 2])))
    codes, exact = orders([np.array([0, 1]), labels], None)
    assert (exact, codes.shape, len(np.unique(codes, axis=0))) == (True, (24, 6), 24)
    drawn, exact = orders([np.array([0, 1]), labels], generator(0, "o"), samples=50, limit=10)
    assert not exact
    assert (np.sort(drawn[:, 2:], axis=1) == labels).all()
    for call in (
        lambda: orders([], None),
        lambda: orders([labels], None, limit=3),
        lambda: exchange.exchanged([], None),
    ):
        with pytest.raises(Defect):
            call()


def test_bad_input_is_refused() -> None:
    good = np.arange(3.0)
    for bad in ([], [(good, np.array([]))], [(good, np.array([np.nan]))]):
        for call in (stratified_permutation, stratified_shift):
            with pytest.raises(Defect):
                call(bad)
    for level in (0.0, 1.0):
        with pytest.raises(Defect):
            stratified_interval([(good, good + 1)], level)
        with pytest.raises(Defect):
            not_rejected(good, good / 3, 1.0, level, exact=True)
