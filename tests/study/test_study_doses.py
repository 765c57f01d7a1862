"""Trends: the slope at equal norm beside that at the end, and the slope that a design can find."""

from typing import Any

import numpy as np
import pytest
import scipy.stats
from study_made import SLOPE, evidence_of, noise, record_of, spec_of

from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Trend
from shadowgraph.stats.trend import trend_test
from shadowgraph.study import doses, powers
from shadowgraph.study.layout import RunKey
from shadowgraph.study.readings import Runs, gather, reader

LEVELS = (0.0, 0.25, 0.5, 1.0)
SD = 0.02


def trend_of(levels: tuple[float, ...] = LEVELS) -> Trend:
    return Trend(name="dose", arms=tuple(f"d{place}" for place in range(len(levels))), doses=levels, role="primary")


def runs_of(
    *,
    design: str,
    draws: int = 6,
    slope: float = 0.0,
    base_sd: float = 0.5,
    norm: float = 0.0,
    none: tuple[str, int] | None = None,
    sd: float = SD,
) -> Runs:
    """Every arm a dose; `base_sd` moves all arms of a draw, `norm` is the log norm that a unit of dose adds."""
    trend = trend_of()
    arms: dict[str, dict[str, Any]] = {name: {} for name in trend.arms}
    spec = spec_of(arms, {"design": design, "trends": [trend.model_dump()]}, draws=draws)

    def run(key: RunKey) -> dict[str, Any]:
        dose = trend.doses[trend.arms.index(key.arm)]
        k = 1.0 + slope * dose + noise("base", key.draw, base_sd) + noise(key.arm, key.draw, sd)
        k += SLOPE * norm * dose
        record = record_of(key, K=k, log_norm=norm * dose, spread=2.0)
        return record | ({"K": None} if (key.arm, key.draw) == none else {})

    return gather(spec, evidence_of(spec, run).records)


def test_slopes_between_neighbouring_doses_show_that_a_line_bends() -> None:
    runs = runs_of(design="blocked", slope=0.8, sd=1e-4)
    bent = trend_of((0.0, 0.125, 0.5, 1.0))  # the second dose is said to be half of what it was
    assert doses.row(trend_of(), runs, "K", reader("K"))["segments"] == pytest.approx([0.8, 0.8, 0.8], abs=0.01)
    found = doses.row(bent, runs, "K", reader("K"))["segments"]
    assert found == pytest.approx([1.6, 0.8 * 0.25 / 0.375, 0.8], abs=0.01)


@pytest.mark.parametrize("design", ["blocked", "independent"])
def test_a_slope_that_norm_hides_is_found_at_equal_norm(design: str) -> None:
    """K falls along norm by .4; a dose adds 1 of norm and .4 of K: nothing at the end, .4 at equal norm."""
    runs = runs_of(design=design, slope=0.4, norm=1.0, base_sd=0.01)
    end = doses.row(trend_of(), runs, "K", reader("K"))
    assert end["estimate"] == pytest.approx(0.0, abs=0.05)
    (row,) = doses.readings(trend_of(), runs)
    assert (row["reading"], row["role"], row["of"], row["status"]) == ("norm-matched", "reading", "dose", "ok")
    assert row["estimate"] == pytest.approx(0.4, abs=0.05)
    assert float(str(row["p"])) <= 0.05
    assert row["support"] == pytest.approx([-1.0, 0.0])
    assert row["n"] == [6] * 4


@pytest.mark.parametrize("design", ["blocked", "independent"])
def test_doses_that_share_no_norm_are_not_estimable_and_say_so(design: str) -> None:
    (row,) = doses.readings(trend_of(), runs_of(design=design, norm=4.0))
    assert (row["status"], row["estimate"], row["n"]) == ("not estimable", None, [0] * 4)
    assert "share 0.00 nats of update norm, 0.5 needed" in str(row["reason"])


def test_the_range_of_a_trend_is_that_of_all_its_arms() -> None:
    """Neighbours share 1.6, the ends .8: the ends decide."""
    (row,) = doses.readings(trend_of(), runs_of(design="independent", norm=1.2))
    assert row["support"] == pytest.approx([-0.8, 0.0])


def test_a_draw_without_a_number_leaves_a_blocked_trend_whole() -> None:
    runs = runs_of(design="blocked", none=("d1", 2))
    row = doses.row(trend_of(), runs, "K", reader("K"))
    assert row["n"] == [5] * 4
    assert row["dropped"] == [{"arm": "d1", "draw": 2, "status": "no number"}]
    assert powers.of_trend(trend_of(), runs)["n"] == [5] * 4
    assert doses.row(trend_of(), runs_of(design="independent", none=("d1", 2)), "K", reader("K"))["n"] == [6, 5, 6, 6]


def test_levels_of_draws_are_no_spread_of_a_blocked_trend() -> None:
    """Bases of sd 5 move all doses alike: the slope found is the same as without them; between draws it is lost."""
    still, moved = (powers.of_trend(trend_of(), runs_of(design="blocked", base_sd=sd)) for sd in (0.0, 5.0))
    assert moved["sd"] == pytest.approx(still["sd"])
    assert moved["detectable"] == pytest.approx(still["detectable"])
    assert (moved["spread_of"], moved["method"]) == (powers.OF_SLOPES, powers.T_SLOPE)
    free = powers.of_trend(trend_of(), runs_of(design="independent", base_sd=5.0))
    assert float(str(free["detectable"])) > 20 * float(str(moved["detectable"]))


def rejected(design: str, draws: int, slope: float, trials: int) -> float:
    """How often the test of a plan finds a slope among normal draws of sd 1 with bases of sd 5 where it is blocked."""
    stream, hits = generator(8, "power", design, str(draws)), 0
    for _ in range(trials):
        base = 5.0 * stream.normal(size=draws) if design == "blocked" else np.zeros(draws)
        values = [base + slope * dose + stream.normal(size=draws) for dose in LEVELS]
        hits += trend_test(values, LEVELS, stream, design == "blocked", samples=399).p <= 0.05
    return hits / trials


@pytest.mark.parametrize(("design", "draws"), [("blocked", 3), ("blocked", 8), ("independent", 5)])
@pytest.mark.parametrize("trials", [150, pytest.param(3_000, marks=pytest.mark.slow)])
def test_the_slope_said_to_be_detectable_is_found_in_four_of_five(design: str, draws: int, trials: int) -> None:
    """The slope of a made study, in spreads of that study; .8 ± 3.5 standard errors, and .02 for the t."""
    found = powers.of_trend(trend_of(), runs_of(design=design, draws=draws, base_sd=0.0))
    assert found["status"] == "ok"
    # The observed sd of a blocked trend is that of slopes of draws: in units of a draw it is √Σ(x − mean x)² as large.
    wide = np.sqrt(np.sum((np.array(LEVELS) - np.mean(LEVELS)) ** 2)) if design == "blocked" else 1.0
    slope = float(str(found["detectable"])) / (float(str(found["sd"])) * wide)
    assert rejected(design, draws, slope, trials) == pytest.approx(0.8, abs=3.5 * np.sqrt(0.16 / trials) + 0.02)


def test_the_spread_of_a_blocked_trend_is_that_of_the_slopes_of_its_draws() -> None:
    """By numpy's own fit of a line a draw, the degrees of the test, and the planned sd in the same terms."""
    runs = runs_of(design="blocked", base_sd=2.0, slope=0.3)
    table = np.array(doses.used(trend_of(), runs))
    slopes = np.polyfit(LEVELS, table, 1)[0]
    found = powers.of_trend(trend_of(), runs)
    assert found["sd"] == pytest.approx(slopes.std(ddof=1))
    freedom = slopes.size * (len(LEVELS) - 1) - 1
    reach = scipy.stats.t.ppf(0.975, freedom) + scipy.stats.t.ppf(0.8, freedom)
    assert found["detectable"] == pytest.approx(reach * slopes.std(ddof=1) / np.sqrt(slopes.size))
    stream = generator(12, "planned")
    simulated = np.polyfit(LEVELS, stream.normal(size=(len(LEVELS), 40_000)), 1)[0].std()
    assert found["planned_factor"] == pytest.approx(simulated, rel=0.02)


def test_too_few_exchanges_detect_nothing() -> None:
    """Three doses in two draws: 36 orders, a smallest p of .056."""
    trend = trend_of((0.0, 0.5, 1.0))
    spec = spec_of({name: {} for name in trend.arms}, {"design": "blocked", "trends": [trend.model_dump()]}, draws=2)
    runs = gather(spec, evidence_of(spec, lambda key: record_of(key, K=noise(key.arm, key.draw, SD))).records)
    found = powers.of_trend(trend, runs)
    assert (found["status"], found["detectable"]) == ("out_of_reach", None)
    assert doses.row(trend, runs, "K", reader("K"))["smallest_p"] == pytest.approx(2 / 36)
