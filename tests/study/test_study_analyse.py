"""The whole analysis on made-up records: what was planted is found, what was not is not, all of it plain data."""

import json
from typing import Any

import pytest
from study_made import SLOPE, SOURCES, evidence_of, noise, record_of, spec_of

from shadowgraph.identity import plain
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.analyse import Evidence, result_of
from shadowgraph.study.layout import RunKey

BREADTH = {"name": "breadth", "pairs": [["one-old", "many-old"], ["one-new", "many-new"]], "expected": "positive"}
NOVELTY = {"name": "novelty", "pairs": [["one-new", "one-old"], ["many-new", "many-old"]], "expected": "positive"}
ANALYSIS: dict[str, Any] = {
    "design": "blocked",
    "contrasts": [
        BREADTH | {"role": "primary"},
        NOVELTY | {"role": "primary"},
        {"name": "mixture", "pairs": [["many-old", "one-old"]]},
        {"name": "nothing", "pairs": [["same", "many-old"]]},
    ],
    "equivalence": [{"arms": ["same", "many-old"], "margin": 0.05, "outside_margin": 0.05, "origin": "planted here"}],
    "reference": "many-old",
}
LEVEL = {"one-old": 0.1, "many-old": 0.0, "one-new": 0.5, "many-new": 0.4, "same": 0.0}


def made(*, seeds: int = 2, effect: float = 1.0, **analysis: Any) -> tuple[StudySpec, Evidence]:
    """Five arms, eight draws with bases far apart, two orders each; breadth is worth .1 and novelty .4."""
    grid: dict[str, Any] = {"rate_grid": {"arms": list(LEVEL), "rates": [3e-4, 3e-3], "draws": 2}}
    spec = spec_of({name: {} for name in LEVEL}, ANALYSIS | analysis, draws=8, seeds=seeds, **grid)

    def run(key: RunKey) -> dict[str, Any]:
        rate = 0.0 if key.rate is None else 1.0 if key.rate > 1e-3 else -1.0
        k = 1.0 + effect * LEVEL[key.arm] + noise("base", key.draw, 0.5) + noise(key.arm, key.draw, 0.02)
        k += noise(f"{key.arm} order {key.seed}", key.draw, 0.005) + SLOPE * rate
        single = key.arm.startswith("one")
        place = SOURCES[key.draw % 4]
        losses = {name: 4.0 for name in SOURCES} | {"far": 4.2, "away": 4.4}
        more: dict[str, Any] = {
            "sources": {place: 5120} if single else {name: 1280 for name in SOURCES},
            "source_losses": losses,
        }
        return record_of(key, K=k, log_norm=rate, drop=0.6 if single else 0.4, **more)

    return spec, evidence_of(spec, run)


def analysed(spec: StudySpec, evidence: Evidence) -> dict[str, Any]:
    """The result as a reader of the file meets it."""
    return json.loads(json.dumps(plain(result_of(spec, evidence)), allow_nan=False, sort_keys=True))


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return analysed(*made())


def row(result: dict[str, Any], name: str, **wanted: str) -> dict[str, Any]:
    rows = [*result["primaries"], *result["contrasts"]]
    (found,) = [r for r in rows if r["name"] == name and all(r.get(key) == value for key, value in wanted.items())]
    return found


def test_the_result_is_plain_data_and_the_same_each_time(result: dict[str, Any]) -> None:
    assert result == analysed(*made())


def test_both_hypotheses_are_tested_corrected_and_held_against_what_was_expected(result: dict[str, Any]) -> None:
    assert [r["name"] for r in result["primaries"]] == ["breadth", "novelty"]
    assert [r["estimate"] for r in result["primaries"]] == pytest.approx([0.1, 0.4], abs=0.02)
    assert [r["p"] for r in result["primaries"]] == pytest.approx([2 / 256] * 2)
    assert [r["p_adjusted"] for r in result["primaries"]] == pytest.approx([4 / 256] * 2)
    assert [r["as_expected"] for r in result["primaries"]] == [True, True]
    assert result["primary"] == result["primaries"][0]
    assert [claim["claim_level"] for claim in result["answer"]["claims"]] == ["L1", "L1"]
    assert result["exceptions"] == []


def test_the_readings_stand_side_by_side(result: dict[str, Any]) -> None:
    estimates = {
        r["reading"]: r["estimate"] for r in result["contrasts"] if r["name"] == "novelty" and r["role"] == "reading"
    }
    assert set(estimates) == {"norm-matched", "norm-matched by rate", "progress-matched"}
    assert estimates["norm-matched"] == pytest.approx(0.4, abs=0.02)
    assert estimates["norm-matched by rate"] == pytest.approx(0.4, abs=0.05)
    assert row(result, "novelty", reading="norm-matched by rate")["n"] == [2, 2]


def test_secondary_tests_are_a_family_of_their_own(result: dict[str, Any]) -> None:
    assert row(result, "nothing", role="secondary")["family"] == 2
    assert row(result, "nothing", role="secondary")["p"] > 0.05


def test_a_claim_of_no_shift_is_paired_and_shown(result: dict[str, Any]) -> None:
    assert [r["design"] for r in result["equivalence"]] == ["blocked", "blocked"]
    assert result["equivalence"][0]["equivalent"]


def test_the_mixture_is_held_against_its_components(result: dict[str, Any]) -> None:
    """Each source was run alone in two of eight draws, so components are means over draws."""
    (found,) = [r for r in result["mixture"] if r["name"] == "mixture"]
    assert found["coverage"] == pytest.approx(1.0)
    assert len(found["components"]) == 4
    assert found["estimate"] == pytest.approx(-0.1, abs=0.05)
    assert found["p"] is None
    assert found["plain"] == row(result, "mixture", role="secondary")["estimate"]


def test_asymmetry_is_own_gain_less_that_outside(result: dict[str, Any]) -> None:
    rows = {r["arm"]: r for r in result["asymmetry"]}
    assert rows["one-old"]["own_gain"] == pytest.approx(0.6)
    assert rows["one-old"]["outside_gain"] == pytest.approx(-0.3)
    assert rows["one-old"]["estimate"] == pytest.approx(0.9)
    assert rows["many-old"]["outside"] == ["far", "away"]
    assert row(result, "breadth", endpoint="asymmetry")["estimate"] == pytest.approx(0.2)
    # Inside an arm asymmetry does not vary here, so that only the pooled correlation exists.
    assert result["link"][0]["within"]["status"] == "no_strata"
    assert result["link"][0]["pooled"]["n"] == 40


def test_the_spread_seen_and_what_it_could_have_found(result: dict[str, Any]) -> None:
    first = result["power"][0]
    assert first["sd"] == pytest.approx(0.02, rel=0.6)
    assert first["detectable"] < 0.05
    assert first["enough"]


def test_arms_tell_their_sources_their_calipers_and_their_progress(result: dict[str, Any]) -> None:
    arms = {r["name"]: r for r in result["arms"]}
    assert arms["many-old"]["sources"] == pytest.approx(dict.fromkeys(sorted(SOURCES), 0.25))
    assert arms["many-old"]["calipers"] == []
    assert {item["against"] for item in arms["one-new"]["calipers"]} == {"many-old"}
    assert arms["one-old"]["own_loss"]["drop"] == pytest.approx(0.6)
    assert len(arms["one-old"]["endpoint"]["K"]["values"]) == 8
    assert result["design"]["seeds"] == 2


def test_runs_of_the_rate_grid_stand_last_and_count_in_no_mean(result: dict[str, Any]) -> None:
    rates = [r["rate"] for r in result["runs"]]
    assert rates[:80] == [None] * 80
    assert len(rates) == 80 + 20


def test_orders_do_not_count_as_units() -> None:
    one, many = (analysed(*made(seeds=seeds)) for seeds in (1, 3))
    assert [r["n"] for r in one["primaries"]] == [r["n"] for r in many["primaries"]] == [[8, 8]] * 2


def test_nothing_planted_is_not_claimed() -> None:
    found = analysed(*made(seeds=1, effect=0.0))
    assert found["answer"]["claim_level"] == "L0"
    assert all("not confirmed" in text for text in found["answer"]["sentences"][:2])


def test_a_dose_gives_slope_and_margin() -> None:
    arms: dict[str, dict[str, Any]] = {f"dose-{index}": {} for index in range(4)}
    doses = [0.0, 1 / 3, 2 / 3, 1.0]
    trend = {"name": "dose", "arms": list(arms), "doses": doses, "role": "primary"}
    spec = spec_of(arms, {"design": "blocked", "trends": [trend]}, draws=6)

    def run(key: RunKey) -> dict[str, Any]:
        dose = doses[int(key.arm[-1])]
        return record_of(key, K=1.0 + 0.6 * dose + noise("b", key.draw, 0.5) + noise(key.arm, key.draw, 0.01))

    found = analysed(spec, evidence_of(spec, run))
    (told,) = found["trends"]
    assert told["slope"] == pytest.approx(0.6, abs=0.03)
    assert told["margin_for_5_points"] == pytest.approx(0.05 * told["slope"])
    assert told["margin_for_5_points_low"] == pytest.approx(0.03, abs=0.005)
    assert [len(sample) for sample in told["values"]] == [6] * 4
    assert told["means"] == sorted(told["means"])
    assert found["primary"]["kind"] == "trend"
    assert found["answer"]["claim_level"] == "L1"
    assert found["power"][0]["detectable"] < 0.6
    assert {r["endpoint"] for r in found["contrasts"]} >= {"K:only_q", "K@10", "K_emb"}
    assert row(found, "dose", reading="norm-matched")["estimate"] == pytest.approx(0.6, abs=0.03)
    assert "At equal update norm: dose +0.58" in " ".join(found["answer"]["sentences"])
