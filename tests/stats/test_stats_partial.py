"""Rank correlation inside strata: SciPy as judge, Simpson's reversal seen, statuses where there is none."""

import numpy as np
import pytest
import scipy.stats

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.stats.partial import stratified_spearman


def test_one_stratum_is_spearman_with_its_exact_p() -> None:
    """scipy.stats.spearmanr and an exact permutation over all pairings of 6 units, ties among them; to rounding."""
    x = np.array([1.0, 2.0, 2.0, 5.0, 3.0, 7.0])
    y = np.array([0.3, 0.1, 0.4, 0.4, 0.6, 0.9])

    def distance(z: np.ndarray) -> float:
        return abs(float(np.asarray(scipy.stats.spearmanr(x, z))[0]))

    other = scipy.stats.permutation_test(
        (y,), distance, permutation_type="pairings", n_resamples=10**5, alternative="greater", vectorized=False
    )
    found = stratified_spearman(x, y, ["a"] * 6, generator(0, "s"))
    assert found.within is not None
    assert found.within == found.pooled
    assert found.within.exact
    assert found.within.statistic == pytest.approx(float(np.asarray(scipy.stats.spearmanr(x, y))[0]))
    assert found.within.p == pytest.approx(float(other.pvalue), abs=1e-12)


def test_mean_over_strata_counts_each_once() -> None:
    """ρ = 1 in four units, −1 in three, .5 in three: mean 1/6."""
    x = np.array([1.0, 2, 3, 4, 1, 2, 3, 1, 2, 3])
    y = np.array([1.0, 2, 3, 4, 3, 2, 1, 1, 3, 2])
    found = stratified_spearman(x, y, list("aaaabbbccc"), generator(0, "s"))
    assert found.within is not None
    assert found.by_stratum == pytest.approx({"a": 1.0, "b": -1.0, "c": 0.5})
    assert found.within.statistic == pytest.approx(0.5 / 3)


def test_simpsons_reversal_is_named() -> None:
    """Inside every stratum y falls with x, between them it rises."""
    x = np.concatenate([10 * level + np.arange(4.0) for level in range(4)])
    y = np.concatenate([10 * level - np.arange(4.0) for level in range(4)])
    found = stratified_spearman(x, y, [name for name in "abcd" for _ in range(4)], generator(1, "s"))
    assert found.within is not None
    assert found.pooled is not None
    assert (found.within.statistic, found.contradict) == (pytest.approx(-1.0), True)
    assert found.pooled.statistic > 0.8
    assert found.within.p < 0.001
    turned = stratified_spearman(x, -x, [name for name in "abcd" for _ in range(4)], generator(1, "s"))
    assert not turned.contradict


def test_smallest_p_of_ranks() -> None:
    """Four units in two strata: ± 1 in both are 2 of 24² orders."""
    x = np.tile(np.arange(4.0), 2)
    found = stratified_spearman(x, x, list("aaaabbbb"), generator(0, "s")).within
    assert found is not None
    assert found.p == found.smallest_p == 2 / 576


def test_order_of_units_does_not_matter() -> None:
    rng = generator(2, "order")
    x, y, names = rng.normal(size=9), rng.normal(size=9), np.repeat(["a", "b", "c"], 3)
    shuffled = rng.permutation(9)
    first = stratified_spearman(x, y, list(names), generator(0, "s")).within
    second = stratified_spearman(x[shuffled], y[shuffled], list(names[shuffled]), generator(0, "s")).within
    assert first is not None
    assert second is not None
    assert (first.p, first.statistic) == (second.p, pytest.approx(second.statistic))


def test_strata_without_a_correlation_are_left_out_by_name() -> None:
    x, y = np.array([1.0, 2, 1, 1, 1, 1, 2, 3]), np.array([2.0, 1, 1, 2, 3, 1, 2, 3])
    found = stratified_spearman(x, y, list("aabbbccc"), generator(0, "s"))
    assert found.by_stratum == {"a": None, "b": None, "c": pytest.approx(1.0)}
    assert found.within is not None
    assert found.within.statistic == pytest.approx(1.0)
    none = stratified_spearman(x[:2], y[:2], ["a", "a"], generator(0, "s"))
    assert (none.status, none.within, none.pooled, none.contradict) == ("no_strata", None, None, False)


def test_bad_input_is_refused() -> None:
    good = np.arange(4.0)
    for x, strata in [(good, ["a"] * 3), (good + np.nan, ["a"] * 4), (good[:0], [])]:
        with pytest.raises(Defect):
            stratified_spearman(x, good[: x.size], strata, generator(0, "s"))
