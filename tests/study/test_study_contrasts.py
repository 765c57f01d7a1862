"""Contrasts: the design decides what is exchanged, families are corrected, and whoever disagrees is named."""

import itertools
from typing import Any

import numpy as np
import pytest
from study_made import evidence_of, noise, record_of, spec_of

from shadowgraph.spec.analysis import Contrast
from shadowgraph.stats.multiple import holm
from shadowgraph.study.contrasts import (
    adjusted,
    asked,
    exceptions,
    exploratory_pairs,
    modules,
    readings,
    sensitivity,
    turns_claim,
)
from shadowgraph.study.layout import RunKey
from shadowgraph.study.readings import Runs, gather

ARMS: dict[str, dict[str, Any]] = {"a": {}, "b": {}, "c": {}, "d": {}}
PAIR = Contrast(name="a - b", pairs=(("a", "b"),), role="primary", expected="positive")
TWO = Contrast(name="first - second", pairs=(("a", "b"), ("c", "d")), role="primary")
LEVEL = {"a": 0.2, "b": 0.0, "c": 0.3, "d": 0.1}


def runs_of(analysis: dict[str, Any], *, base_sd: float = 0.0, sd: float = 0.02, draws: int = 6) -> Runs:
    """Runs of four arms; a draw's base moves all of its arms alike by `base_sd`."""
    spec = spec_of(ARMS, {"primary": ["a", "b"]} | analysis, draws=draws)

    def run(key: RunKey) -> dict[str, Any]:
        shared = noise("base", key.draw, base_sd) if base_sd else 0.0
        return record_of(key, K=1.0 + LEVEL[key.arm] + shared + noise(key.arm, key.draw, sd))

    return gather(spec, evidence_of(spec, run).records)


def values(runs: Runs, arm: str) -> np.ndarray[Any, Any]:
    return np.array([record["K"] for record in runs.of(arm)])


def test_a_blocked_contrast_is_its_differences_with_signs_flipped() -> None:
    runs = runs_of({"design": "blocked"}, base_sd=1.0)
    row = asked(PAIR, runs).main()
    inside = values(runs, "a") - values(runs, "b")
    walsh = [(inside[i] + inside[j]) / 2 for i in range(6) for j in range(i, 6)]
    assert row["estimate"] == pytest.approx(np.median(walsh))
    flips = [abs(np.dot(signs, inside)) for signs in itertools.product((1, -1), repeat=6)]
    assert row["p"] == pytest.approx(np.mean(np.array(flips) >= abs(inside.sum()) - 1e-12))
    assert row["design"] == "blocked"
    assert row["n"] == [6, 6]
    assert row["as_expected"] is True


def test_bases_that_differ_drown_an_unblocked_contrast() -> None:
    """The same numbers: paired inside draws the effect stands out, between draws it does not."""
    blocked = asked(PAIR, runs_of({"design": "blocked"}, base_sd=1.0)).main()
    free = asked(PAIR, runs_of({}, base_sd=1.0)).main()
    assert float(str(blocked["p"])) <= 0.05 < float(str(free["p"]))


def test_several_pairs_count_alike_and_are_exchanged_apart() -> None:
    runs = runs_of({}, draws=3)
    row = asked(TWO, runs).main()
    means = {arm: values(runs, arm).mean() for arm in ARMS}
    assert row["estimate"] == pytest.approx((means["a"] - means["b"] + means["c"] - means["d"]) / 2)
    assert row["smallest_p"] == pytest.approx(2 / 20**2)
    assert row["n"] == [6, 6]
    blocked = asked(TWO, runs_of({"design": "blocked"}, draws=8)).main()
    assert blocked["n"] == [8, 8]
    twice = Contrast(name="x", pairs=(("a", "b"), ("a", "c")))
    assert "several pairs" in str(asked(twice, runs).main()["interval_note"])


def test_a_family_is_corrected_by_holm_and_rows_without_p_stay_out() -> None:
    rows: list[dict[str, Any]] = [{"p": 0.01}, {"p": None}, {"p": 0.04}, {"p": 0.03}]
    found = adjusted(rows)
    corrected = holm({"0": 0.01, "2": 0.04, "3": 0.03})
    assert [row["p_adjusted"] for row in found] == [corrected["0"], None, corrected["2"], corrected["3"]]
    assert [row["family"] for row in found] == [3] * 4


def test_every_reading_with_the_other_sign_is_named() -> None:
    spec = spec_of(ARMS, {"primary": ["a", "b"], "design": "blocked"})

    def run(key: RunKey) -> dict[str, Any]:
        k = 1.0 + LEVEL[key.arm] * (1 + 0.01 * key.draw)
        record = record_of(key, K=k)
        record["variants"]["erank_energy"] = -k
        record["per_slot"]["down"] = [[0, -k], [1, -k]]
        record["K_emb"] = -k
        return record

    runs = gather(spec, evidence_of(spec, run).records)
    test = asked(PAIR, runs)
    main, rows = test.main(), [*sensitivity(test, runs), test.on("K_emb", "beside"), test.on("outside_loss", "beside")]
    found = exceptions([main], rows)
    assert [row["endpoint"] for row in found] == ["K:erank_energy", "K:only_down", "K_emb"]
    assert all(row["firm"] for row in found)
    assert [turns_claim(row) for row in rows if row["endpoint"] in {"K:erank_energy", "K:only_down", "K_emb"}] == [
        True,
        False,
        False,
    ]


def test_sensitivity_asks_every_variant_snapshot_and_slot_and_leaves_out_what_no_run_has() -> None:
    runs = runs_of({"design": "blocked"})
    found = [row["endpoint"] for row in sensitivity(asked(PAIR, runs), runs)]
    assert found == ["K:erank_energy", "K:median", "K@10", "K@20", "K:only_q", "K:only_down"]


def test_readings_come_side_by_side_and_without_a_grid_none_is_asked_of_rates() -> None:
    rows = readings(PAIR, runs_of({"design": "blocked", "progress_support": 5.0}))
    assert [(row["reading"], row["status"]) for row in rows] == [
        ("norm-matched", "ok"),
        ("progress-matched", "not estimable"),
    ]
    assert "5.0 needed" in str(rows[1]["reason"])
    assert rows[1]["estimate"] is None


def test_all_pairs_are_explored_only_where_the_plan_names_one_contrast() -> None:
    found = exploratory_pairs(runs_of({"design": "blocked"}))
    assert len(found) == 5
    assert [row["family"] for row in found] == [5] * 5
    declared = {"contrasts": [{"name": "also", "pairs": [["c", "d"]]}]}
    assert exploratory_pairs(runs_of(declared)) == []


def test_modules_keep_their_place_and_are_corrected_together() -> None:
    for design in ("independent", "blocked"):
        row = modules(PAIR, runs_of({"design": design}, draws=8))
        assert row["slots"] == ["q", "down"]
        assert row["layers"] == [0, 1]
        assert row["smallest_p"] == pytest.approx({"independent": 2 / 12870, "blocked": 2 / 256}[design])
        adjusted_p = np.array(row["p_adjusted"])
        assert adjusted_p.shape == (2, 2)
        # All four cells carry the same noise, so that joint exchanges cost nothing.
        assert adjusted_p == pytest.approx(
            np.full((2, 2), asked(PAIR, runs_of({"design": design}, draws=8)).main()["p"])
        )
    assert modules(TWO, runs_of({}))["status"] == "not estimable"
