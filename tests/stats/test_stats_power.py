"""Power: the shortcut equals the test run over and over, and designs that cannot reject have none."""

import math

import numpy as np
import pytest
import scipy.stats

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.stats.power import Design, minimal_detectable_effect, power
from shadowgraph.stats.strata import stratified_permutation

SETS = ((1, 3), (2, 3), (1, 3))


def near(share: float, other: float, trials: int) -> bool:
    """Within 4 standard errors of two simulations, the other of 2,000."""
    return abs(share - other) < 4 * math.sqrt(max(other * (1 - other), 0.01) * (1 / trials + 1 / 2_000))


def test_equals_the_test_run_over_and_over() -> None:
    """Data sets through the public test: 80 of pairs, 80 of sets."""
    rng, trials = generator(1, "direct"), 80
    rows = rng.normal(0.2, 0.2, size=(trials, 6))
    hits = sum(stratified_permutation([(row[i : i + 1], np.zeros(1)) for i in range(6)]).p <= 0.05 for row in rows)
    assert near(hits / trials, power(Design.paired(6), 0.2, 0.2), trials)
    hits = 0
    for _ in range(trials):
        strata = [(rng.normal(size=a) + 1.2 + level, rng.normal(size=b) + level) for level, (a, b) in enumerate(SETS)]
        hits += stratified_permutation(strata).p <= 0.05
    assert near(hits / trials, power(Design.stratified(SETS), 1.0, 1.2), trials)


def test_without_an_effect_it_is_the_attainable_level() -> None:
    """5 + 5: 12/252; 8 pairs: 12/256; 6 pairs: 2/64. Monte Carlo exchanges (9 + 9): .05."""
    for design, level in [
        (Design.independent(5, 5), 12 / 252),
        (Design.paired(8), 12 / 256),
        (Design.paired(6), 2 / 64),
        (Design.independent(9, 9), 0.05),
    ]:
        assert abs(power(design, 3.0, 0.0) - level) < 4 * math.sqrt(level / 2_000)


def test_near_the_t_test_with_many_draws() -> None:
    """16 pairs, effect .8 sd: noncentral t, 15 degrees; 12 + 12, effect 1 sd: 22 degrees. Exchanges lose < .03."""
    for design, freedom, centre in [
        (Design.paired(16), 15, 0.8 * 4),
        (Design.independent(12, 12), 22, math.sqrt(6)),
    ]:
        exact = float(scipy.stats.nct.sf(scipy.stats.t.isf(0.025, freedom), freedom, centre))
        found = power(design, 1.0, centre / (4 if freedom == 15 else math.sqrt(6)))
        assert exact - 0.03 - 4 * 0.011 < found < exact + 4 * 0.011


def test_the_smallest_effect_has_the_wanted_power() -> None:
    for design in (Design.paired(8), Design.independent(4, 4), Design.stratified(((8, 8), (8, 8)))):
        effect = minimal_detectable_effect(design, 0.02)
        assert effect is not None
        assert power(design, 0.02, effect * 1.0001) >= 0.8 > power(design, 0.02, effect * 0.99)
        assert minimal_detectable_effect(design, 0.04) == pytest.approx(2 * effect)
        assert power(design, 0.02, -effect) == pytest.approx(0.8, abs=0.04)
        assert (minimal_detectable_effect(design, 0.02, power=0.9) or 0.0) > effect


def test_same_stream_same_answer() -> None:
    design = Design.independent(8, 8)
    assert power(design, 1.0, 1.0) == power(design, 1.0, 1.0)
    first, second = (power(design, 1.0, 1.0, 0.05, generator(seed, "p"), simulations=500) for seed in (1, 1))
    assert first == second
    curve = [power(design, 1.0, effect) for effect in np.linspace(0, 3, 7)]
    assert curve == sorted(curve)


def test_designs_that_cannot_reject() -> None:
    for design, smallest in [(Design.paired(5), 0.0625), (Design.independent(3, 3), 0.1)]:
        assert design.smallest_p == smallest
        assert power(design, 1.0, 100.0) == 0.0
        assert minimal_detectable_effect(design, 1.0) is None
        assert power(design, 1.0, 100.0, alpha=0.1) == 1.0


def test_bad_designs_are_refused() -> None:
    for sizes, differences in [((), False), (((0, 3),), False), (((1, 2),), True)]:
        with pytest.raises(Defect):
            Design(sizes, differences)
    for sd, effect, alpha in [(0.0, 1.0, 0.05), (1.0, float("nan"), 0.05), (1.0, 1.0, 1.0)]:
        with pytest.raises(Defect):
            power(Design.paired(8), sd, effect, alpha)
    with pytest.raises(Defect):
        minimal_detectable_effect(Design.paired(8), 1.0, power=1.0)


def test_weights_of_strata_are_those_of_the_test() -> None:
    """Equal weights change nothing; all weight on the larger of two strata leaves it nearly alone."""
    sizes = ((6, 6), (3, 3))
    plain = minimal_detectable_effect(Design.stratified(sizes), 1.0, simulations=500)
    assert minimal_detectable_effect(Design.stratified(sizes, (2.0, 2.0)), 1.0, simulations=500) == plain
    heavy = minimal_detectable_effect(Design.stratified(sizes, (1e4, 1.0)), 1.0, simulations=500)
    alone = minimal_detectable_effect(Design.independent(6, 6), 1.0, simulations=500)
    assert heavy is not None
    assert heavy == pytest.approx(alone, rel=0.1)
    with pytest.raises(Defect, match="weights"):
        Design.stratified(sizes, (1.0,))
