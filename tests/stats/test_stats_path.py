"""Path matching: exact on straight lines, honest about missing overlap, immune to Simpson's reversal."""

import numpy as np
import pytest

from shadowgraph.errors import Defect
from shadowgraph.stats.path import Curve, path_matched_difference


def line(low: float, high: float, slope: float, level: float, points: int = 5) -> Curve:
    norms = np.linspace(low, high, points)
    return norms, level + slope * norms


def test_golden_on_lines() -> None:
    """K_a − K_b = .8 + (−.4 + .3) x on x in [−.5, .5]: mean .8 exactly, whatever the snapshots."""
    runs_a = [line(-1.0, 0.5, -0.4, 1.8, 4), line(-0.9, 0.7, -0.4, 2.0, 7)]
    runs_b = [line(-0.5, 1.5, -0.3, 1.1, 3)]
    found = path_matched_difference(runs_a, runs_b)
    assert found.status == "ok"
    assert found.support == (-0.5, 0.5)
    assert found.a_values == pytest.approx((1.8, 2.0))
    assert found.b_values == pytest.approx((1.1,))
    assert found.estimate == pytest.approx(0.8, rel=1e-12)


def test_between_arm_slope_does_not_reverse_the_adjustment() -> None:
    """Within an arm K falls with the norm, between arms it rises: the true gap at equal norm is +.8."""
    narrow, broad = line(-0.2, 1.2, -0.4, 1.9), line(-1.0, 0.6, -0.4, 1.1)
    pooled = np.polyfit(np.concatenate([narrow[0], broad[0]]), np.concatenate([narrow[1], broad[1]]), 1)[0]
    assert pooled > -0.4  # a pooled slope would adjust with the wrong number
    assert path_matched_difference([narrow], [broad]).estimate == pytest.approx(0.8)


def test_piecewise_mean_is_exact_between_knots() -> None:
    """A tent 0, 1, 0 over [0, 2] has mean .5 over [0, 2] and .75 over [.5, 1.5], which needs cut segments."""
    tent = (np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0]))
    assert path_matched_difference([tent], [line(0.0, 2.0, 0.0, 0.0)]).estimate == pytest.approx(0.5)
    assert path_matched_difference([tent], [line(0.5, 1.5, 0.0, 0.0)]).estimate == pytest.approx(0.75)


def test_every_run_limits_the_support() -> None:
    wide, short = line(0.0, 2.0, 0.0, 1.0), line(0.0, 0.4, 0.0, 1.0)
    found = path_matched_difference([wide, short], [wide])
    assert (found.estimate, found.status, found.support) == (None, "not estimable", (0.0, 0.4))
    assert found.a_values == ()
    assert path_matched_difference([wide, short], [wide], width=0.4).status == "ok"
    assert path_matched_difference([line(0.0, 1.0, 0, 1)], [line(2.0, 3.0, 0, 1)]).support is None


def test_order_of_snapshots_and_repeated_norms() -> None:
    norms, values = np.array([0.0, 1.0, 1.0, 2.0]), np.array([0.0, 2.0, 4.0, 6.0])
    shuffled = np.array([3, 1, 0, 2])
    flat = line(0.0, 2.0, 0.0, 0.0)
    first = path_matched_difference([(norms, values)], [flat])
    assert first == path_matched_difference([(norms[shuffled], values[shuffled])], [flat])
    assert first.estimate == pytest.approx(3.0)


def test_bad_input_is_refused() -> None:
    good = line(0.0, 1.0, 0.0, 1.0)
    empty = np.zeros(0)
    bad_curves: list[Curve] = [(empty, empty), (good[0], np.full(5, np.nan)), (good[0], good[1][:2])]
    for curve in bad_curves:
        with pytest.raises(Defect):
            path_matched_difference([curve], [good])
    with pytest.raises(Defect):
        path_matched_difference([], [good])
    with pytest.raises(Defect):
        path_matched_difference([good], [good], width=0.0)
