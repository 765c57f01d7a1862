"""Matched sets by brute force and laws; residual permutation against the t test of the full model."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.stats.matching import matched_sets, residual_test
from shadowgraph.stats.resample import permutation_test

ABSOLUTE = np.array([False])


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, np.newaxis]


def test_nobody_takes_the_only_partner_of_another() -> None:
    """0 is nearest to both labelled units, but the first can only have it: the second gets 1.5, farther away."""
    found = matched_sets(column(-0.9, 0.6), column(0.0, 1.5), np.array([1.0]), ABSOLUTE)
    assert found == [(0, (0,)), (1, (1,))]


def test_the_rest_joins_the_nearest() -> None:
    found = matched_sets(column(0.0, 10.0), column(0.1, 9.8, 0.4, 5.0, 10.5, 0.2), np.array([1.0]), ABSOLUTE)
    assert found == [(0, (0, 2, 5)), (1, (1, 4))]
    assert matched_sets(column(0.0, 50.0), column(0.1), np.array([1.0]), ABSOLUTE) == [(0, (0,)), (1, ())]
    # 0.8 and 0.3 lie within calipers of both.
    both = matched_sets(column(0.0, 1.0), column(-0.2, 1.1, 0.8, 0.3), np.array([1.0]), ABSOLUTE)
    assert both == [(0, (0, 3)), (1, (1, 2))]


def test_relative_calipers_and_every_covariate() -> None:
    """100 within 20 % of 120 and of 80 but not of 79; a second covariate too far away forbids all the same."""
    relative = np.array([True, False])
    negative = np.array([[120.0, 0.0], [80.0, 0.25], [79.0, 0.0], [100.0, 0.26]])
    found = matched_sets(np.array([[100.0, 0.0]]), negative, np.array([0.2, 0.25]), relative)
    assert found == [(0, (0, 1))]
    zero = matched_sets(column(0.0), column(0.0, 1e-9), np.array([0.2]), np.array([True]))
    assert zero == [(0, (0,))]


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_laws_and_the_best_assignment(seed: int) -> None:
    """As many matched as any assignment can, each set within calipers, each unit once, the rest at the nearest."""
    rng = generator(seed, "matching")
    p, n = int(rng.integers(1, 4)), int(rng.integers(1, 6))
    positive, negative = rng.normal(size=(p, 2)), rng.normal(size=(n, 2))
    apart = np.abs(positive[:, np.newaxis] - negative)
    inside = np.all(apart <= 0.8, axis=-1)
    found = matched_sets(positive, negative, np.array([0.8, 0.8]), np.array([False, False]))
    assert [index for index, _ in found] == list(range(p))
    used = [place for _, partners in found for place in partners]
    assert len(used) == len(set(used))
    assert all(inside[index, place] for index, partners in found for place in partners)
    # Whoever lies within calipers of anybody is in a set.
    assert set(used) == {place for place in range(n) if inside[:, place].any()}
    choices = itertools.product(range(-1, n), repeat=p)
    sound = (
        choice
        for choice in choices
        if len({c for c in choice if c >= 0}) == sum(c >= 0 for c in choice)
        and all(c < 0 or inside[i, c] for i, c in enumerate(choice))
    )
    assert sum(bool(partners) for _, partners in found) == max(sum(c >= 0 for c in choice) for choice in sound)


def test_no_negatives_leave_all_unmatched() -> None:
    assert matched_sets(column(0.0, 1.0), np.zeros((0, 1)), np.array([1.0]), ABSOLUTE) == [(0, ()), (1, ())]


def test_residuals_agree_with_the_t_test_of_the_full_model() -> None:
    """Normal errors, 30 units, 3 covariates: p of t with 25 degrees; tolerance .02 for exchanges and their number."""
    rng = generator(1, "residual")
    label, covariates = np.arange(30) < 9, rng.normal(size=(30, 3))
    values = covariates @ [2.0, -1.0, 0.5] + 0.7 * label + rng.normal(size=30)
    design = np.column_stack([np.ones(30), covariates, label])
    fit, (rss,) = np.linalg.lstsq(design, values, rcond=None)[:2]
    error = np.sqrt(rss / 25 * np.linalg.inv(design.T @ design)[-1, -1])
    found = residual_test(values, label, covariates, generator(2, "r"))
    assert found.estimate == pytest.approx(float(fit[-1]), rel=1e-9)
    assert found.p == pytest.approx(2 * float(scipy.stats.t.sf(abs(fit[-1]) / error, 25)), abs=0.02)
    assert (found.n, found.freedom, found.status) == (30, 25, "ok")


def test_residuals_without_covariates_are_the_plain_test() -> None:
    rng = generator(3, "plain")
    values, label = rng.normal(size=12), np.arange(12) < 5
    found = residual_test(values, label, np.ones((12, 1)), generator(4, "r"))
    assert found.p == pytest.approx(permutation_test(values[label], values[~label]).p, abs=0.02)
    assert found.estimate == pytest.approx(values[label].mean() - values[~label].mean())


def test_an_effect_of_the_covariate_is_not_one_of_the_label() -> None:
    """The label goes with the covariate that makes the values: raw p tiny, given the covariate none."""
    rng = generator(8, "confounded")
    covariate = np.concatenate([rng.normal(size=10) + 2, rng.normal(size=20)])
    values, label = 3 * covariate + 0.3 * rng.normal(size=30), np.arange(30) < 10
    assert permutation_test(values[label], values[~label], generator(6, "raw")).p < 0.01
    found = residual_test(values, label, covariate[:, np.newaxis], generator(6, "r"))
    assert found.p is not None
    assert found.p > 0.1


def test_where_there_is_no_residual_test() -> None:
    rng = generator(7, "none")
    label = np.arange(6) < 3
    wide = residual_test(rng.normal(size=6), label, rng.normal(size=(6, 4)), rng)
    assert (wide.status, wide.estimate, wide.p) == ("too_few_units", None, None)
    same = residual_test(rng.normal(size=6), label, label[:, np.newaxis] * 2.0, rng)
    assert same.status == "collinear"
    none = residual_test(np.full(6, 0.1), label, rng.normal(size=(6, 1)), rng)
    assert none.status == "no_spread"


def test_bad_input_is_refused() -> None:
    one = column(1.0)
    for calipers in (0.0, float("nan")):
        with pytest.raises(Defect):
            matched_sets(one, one, np.array([calipers]), ABSOLUTE)
    for positive, negative in [(column(np.nan), one), (one, column(np.nan)), (np.zeros((0, 1)), one)]:
        with pytest.raises(Defect):
            matched_sets(positive, negative, np.array([1.0]), ABSOLUTE)
    with pytest.raises(Defect):
        residual_test(np.ones(4), np.arange(4) < 2, np.full((4, 1), np.nan), generator(0, "r"))
