"""Do the tests of a study keep their level when draws vary ten times as much as seeds, and find what power promises?

A number of a run is: effect of its arm + of the base its draw shares + of its draw (sd 1, skewed or normal) + of its
seed (sd .1). Draws are the units, seeds are averaged first.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
import scipy.stats

from shadowgraph.seeds import generator
from shadowgraph.stats.matching import matched_sets, residual_test
from shadowgraph.stats.multiple import westfall_young
from shadowgraph.stats.paired import paired, paired_tost
from shadowgraph.stats.partial import stratified_spearman
from shadowgraph.stats.power import Design, power
from shadowgraph.stats.resample import Interval, permutation_test
from shadowgraph.stats.strata import stratified_interval, stratified_permutation
from shadowgraph.stats.trend import trend_test

SEEDS = 3
FEW, MANY = 60, 3_000
P: TypeAlias = Callable[[np.random.Generator], float]


def draws(rng: np.random.Generator, count: int, seeds: int = SEEDS) -> np.ndarray:
    """Runs of one arm (count, seeds): the draw says ten times as much as the seed."""
    return rng.normal(size=(count, 1)) + 0.1 * rng.normal(size=(count, seeds))


def arm(rng: np.random.Generator, count: int) -> np.ndarray:
    return draws(rng, count).mean(axis=1)


def bases(rng: np.random.Generator, count: int) -> np.ndarray:
    """What all arms of a draw share: its base, five times the spread of draws."""
    return 5 * rng.normal(size=count)


def independent(rng: np.random.Generator) -> float:
    return permutation_test(arm(rng, 5), arm(rng, 5)).p


def blocked(rng: np.random.Generator) -> float:
    base = bases(rng, 8)
    return paired((base + arm(rng, 8)) - (base + arm(rng, 8))).p


def two_pairs(rng: np.random.Generator) -> float:
    """Two contrasts of arms whose levels differ: inside each pair labels are exchanged."""
    return stratified_permutation([(arm(rng, 4) + level, arm(rng, 4) + level) for level in (0.0, 9.0)]).p


def matched(rng: np.random.Generator) -> float:
    """Corpora whose K follows a covariate that the labelled ones have more of; matching knows the covariate alone."""
    covariate = np.concatenate([rng.normal(0.5, 1.0, size=8), rng.normal(size=24)])
    values = 5 * np.round(covariate) + arm(rng, 32)
    rounded = np.round(covariate)[:, np.newaxis]
    sets = matched_sets(rounded[:8], rounded[8:], np.array([0.1]), np.array([False]))
    strata = [(values[[index]], values[[8 + place for place in others]]) for index, others in sets if others]
    return stratified_permutation(strata, rng, samples=199).p


def covariates(rng: np.random.Generator) -> float:
    """The same by regression."""
    covariate = np.concatenate([rng.normal(0.5, 1.0, size=8), rng.normal(size=24)])
    values = 5 * covariate + rng.exponential(size=32)
    return residual_test(values, np.arange(32) < 8, covariate[:, np.newaxis], rng, samples=199).p or 0.0


def dose(rng: np.random.Generator) -> float:
    return trend_test([arm(rng, 4) for _ in range(4)], [0.0, 1 / 3, 2 / 3, 1.0], rng, samples=199).p


def dose_blocked(rng: np.random.Generator) -> float:
    base = bases(rng, 4)
    found = trend_test([base + arm(rng, 4) for _ in range(3)], [0.0, 1 / 3, 1.0], blocks=True)
    return found.p


def dose_order(rng: np.random.Generator) -> float:
    base = bases(rng, 5)
    values = [base + arm(rng, 5) for _ in range(4)]
    return trend_test(values, [0.0, 1 / 3, 2 / 3, 1.0], rng, blocks=True, samples=199).jonckheere_p


def modules(rng: np.random.Generator) -> float:
    """The smallest adjusted p of 24 modules that hang together through the draw."""
    shared = rng.normal(size=(10, 1))
    columns = shared + 0.5 * rng.normal(size=(10, 24)) ** 3
    return float(westfall_young(columns[:5], columns[5:]).min())


def modules_blocked(rng: np.random.Generator) -> float:
    return float(westfall_young(rng.normal(size=(8, 1)) + 0.5 * rng.normal(size=(8, 24))).min())


def link(rng: np.random.Generator) -> float:
    """K and asymmetry both follow the arm and are unrelated inside arms."""
    level = np.repeat(np.arange(4.0), 6)
    x, y = 5 * level + rng.normal(size=24), 5 * level + rng.exponential(size=24)
    found = stratified_spearman(x, y, [str(name) for name in level], rng, samples=199)
    assert found.pooled is not None
    assert found.pooled.statistic > 0.7  # and pooled they look like one thing
    assert found.within is not None
    return found.within.p


EXACT: dict[P, float] = {
    independent: 12 / 252,
    blocked: 12 / 256,
    two_pairs: 244 / 4900,
    dose_blocked: 64 / 1296,
    modules: 12 / 252,
    modules_blocked: 12 / 256,
    dose: 0.05,
}
"""Tests whose level is known exactly; doses 0, 1/3, 1 have no mirror image."""
AT_MOST: dict[P, float] = {matched: 0.05, dose_order: 0.05, link: 0.05}
"""Tests of ranks or of sets of changing size: ties and few exchanges may keep them below."""


def alarms(test: P, trials: int) -> int:
    return sum(test(generator(71, test.__name__, str(trial))) <= 0.05 + 1e-12 for trial in range(trials))


def ends(trials: int, rate: float) -> tuple[float, float]:
    """Central 99.8 % binomial interval."""
    low, high = scipy.stats.binom.interval(0.998, trials, rate)
    return float(low), float(high)


@pytest.mark.parametrize("trials", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("test", EXACT, ids=lambda test: test.__name__)
def test_false_alarms_are_as_stated(test: P, trials: int) -> None:
    low, high = ends(trials, EXACT[test])
    assert low <= alarms(test, trials) <= high


@pytest.mark.parametrize("trials", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("test", AT_MOST, ids=lambda test: test.__name__)
def test_false_alarms_are_at_most_as_stated(test: P, trials: int) -> None:
    assert ends(trials, 0.02)[0] <= alarms(test, trials) <= ends(trials, AT_MOST[test])[1]


@pytest.mark.parametrize("trials", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_residual_permutation_is_near_its_level(trials: int) -> None:
    """Approximate by nature: within .04 … .06, widened by the binomial interval; errors are exponential here."""
    assert ends(trials, 0.04)[0] <= alarms(covariates, trials) <= ends(trials, 0.06)[1]


def test_seeds_as_units_raise_false_alarms() -> None:
    """The wrong analysis: 5 draws of 4 seeds taken for 20 units rejects more than one null in ten."""

    def wrong(rng: np.random.Generator) -> float:
        return permutation_test(draws(rng, 5, 4).ravel(), draws(rng, 5, 4).ravel(), rng, samples=199).p

    def right(rng: np.random.Generator) -> float:
        return permutation_test(draws(rng, 5, 4).mean(axis=1), draws(rng, 5, 4).mean(axis=1)).p

    low, high = ends(FEW, 12 / 252)
    assert low <= alarms(right, FEW) <= high
    assert alarms(wrong, FEW) > ends(FEW, 0.1)[1]


def test_layers_as_units_raise_false_alarms() -> None:
    """Another wrong one: 4 draws of 12 layers taken for 48 units."""

    def wrong(rng: np.random.Generator) -> float:
        first, second = (rng.normal(size=(4, 1)) + rng.normal(size=(4, 12)) for _ in range(2))
        return permutation_test(first.ravel(), second.ravel(), rng, samples=199).p

    assert alarms(wrong, FEW) > ends(FEW, 0.1)[1]


@pytest.mark.slow
def test_an_arm_in_two_strata_raises_false_alarms() -> None:
    """The wrong analysis: one arm against two others in two strata. Right: one stratum, the two pooled."""

    def wrong(rng: np.random.Generator) -> float:
        a, b, c = (arm(rng, 4) for _ in range(3))
        return stratified_permutation([(a, c), (b, c)]).p

    def right(rng: np.random.Generator) -> float:
        a, b, c = (arm(rng, 4) for _ in range(3))
        return stratified_permutation([(np.concatenate([a, b]), c)]).p

    low, high = ends(800, 24 / 495)
    assert low <= alarms(right, 800) <= high < alarms(wrong, 800)


def test_pooling_over_strata_raises_false_alarms() -> None:
    """Arms that differ in both numbers make a pooled correlation that is there inside none."""

    def pooled(rng: np.random.Generator) -> float:
        level = np.repeat(np.arange(3.0), 4)
        x, y = (3 * level + rng.normal(size=12) for _ in range(2))
        found = stratified_spearman(x, y, [str(name) for name in level], rng, samples=199).pooled
        return found.p if found is not None else 1.0

    assert alarms(pooled, FEW) > 0.9 * FEW


@pytest.mark.parametrize("trials", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_equivalence_at_its_margin_is_claimed_at_its_level(trials: int) -> None:
    """True difference = margin: claimed at alpha (one of the two tests is sure); seven draws that share a base."""

    def claimed(rng: np.random.Generator) -> float:
        base = bases(rng, 7)
        found = paired_tost((base + arm(rng, 7) + 20.0) - (base + arm(rng, 7)), 20.0)
        return 0.0 if found.equivalent else 1.0

    low, high = ends(trials, 0.05)
    assert low <= alarms(claimed, trials) <= high


@pytest.mark.parametrize("trials", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["paired", "independent", "sets"])
def test_a_planted_effect_is_found_as_often_as_power_says(kind: str, trials: int) -> None:
    """Effect 1.3 on the first arm; sd of a seed-averaged draw √(1 + .01/3)."""
    sd = float(np.sqrt(1 + 0.01 / SEEDS))

    def found(rng: np.random.Generator) -> float:
        if kind == "paired":
            base = bases(rng, 8)
            return paired(base + arm(rng, 8) + 1.3 - base - arm(rng, 8)).p
        if kind == "independent":
            return stratified_permutation([(arm(rng, 5) + 1.3, arm(rng, 5))]).p
        return stratified_permutation([(arm(rng, 1) + 1.3 + level, arm(rng, 3) + level) for level in range(5)]).p

    design, spread = {
        "paired": (Design.paired(8), sd * float(np.sqrt(2))),
        "independent": (Design.independent(5, 5), sd),
        "sets": (Design.stratified(((1, 3),) * 5), sd),
    }[kind]
    stated = power(design, spread, 1.3, simulations=8_000 if trials == MANY else 2_000)
    assert 0.2 < stated < 0.9
    # Power is itself simulated: about its own two standard errors widen the interval.
    assert ends(trials, stated - 0.01)[0] <= alarms(found, trials) <= ends(trials, stated + 0.01)[1]


@pytest.mark.parametrize("trials", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("kind", "covers"),
    [("blocked", 1 - 12 / 256), ("pairs", 1 - 244 / 4900), ("uneven", 0.95), ("dose", 1 - 64 / 1296), ("five", 0.95)],
)
def test_intervals_cover_as_stated(kind: str, covers: float, trials: int) -> None:
    """True effect 2. Those of the exact tests cover one less their level; t (uneven spreads, five draws) near .95."""

    def interval(rng: np.random.Generator) -> Interval:
        if kind in {"blocked", "five"}:
            size = 8 if kind == "blocked" else 5
            base = bases(rng, size)
            return paired(base + arm(rng, size) + 2 - base - arm(rng, size)).interval
        if kind == "pairs":
            strata = [(arm(rng, 4) + 2 + level, arm(rng, 4) + level) for level in (0.0, 9.0)]
            return stratified_interval(strata, 0.95)
        if kind == "uneven":
            return stratified_interval([(3 * arm(rng, 5) + 2, arm(rng, 9))], 0.95)
        base, doses = bases(rng, 4), [0.0, 1 / 3, 1.0]
        return trend_test([base + arm(rng, 4) + 2 * x for x in doses], doses, blocks=True).interval

    found = [interval(generator(72, kind, str(trial))).ends for trial in range(trials)]
    hits = sum(pair is not None and pair[0] <= 2 <= pair[1] for pair in found)
    slack = 0.01 if covers == 0.95 else 0.0
    assert ends(trials, covers - slack)[0] <= hits <= ends(trials, min(1.0, covers + slack))[1]
