"""Readings: seeds inside draws, draws inside arms, and comparisons at equal norm and progress that hide nothing."""

from typing import Any

import numpy as np
import pytest
from study_made import SLOPE, STEPS, evidence_of, record_of, spec_of

from shadowgraph.errors import Defect
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.layout import RunKey
from shadowgraph.study.readings import Runs, arm_mean, draw_values, gather, matched, reader, unmatched

PAIR = [("a", "b")]
ARMS: dict[str, dict[str, Any]] = {"a": {}, "b": {}, "c": {}}


def runs_by(spec: StudySpec, made: dict[str, dict[str, float]]) -> Runs:
    """Runs whose arms differ as told; draws differ by .01."""

    def run(key: RunKey) -> dict[str, Any]:
        values = dict(made.get(key.arm, {"K": 1.0}))
        values["K"] += 0.01 * key.draw
        return record_of(key, **values)

    return gather(spec, evidence_of(spec, run).records)


def test_orders_are_averaged_before_anything_else() -> None:
    spec = spec_of(ARMS, {"primary": ["a", "b"]}, seeds=3)
    made = evidence_of(spec, lambda key: record_of(key, K=key.draw + 0.1 * key.seed))
    runs = gather(spec, made.records)
    assert draw_values(runs, "a", reader("K")) == pytest.approx({draw: draw + 0.1 for draw in range(6)})
    ((first, _),) = unmatched(runs, PAIR, reader("K")).pairs
    assert len(first) == 6


def test_units_of_a_group_are_its_arms() -> None:
    spec = spec_of(
        ARMS, {"contrasts": [{"name": "g", "pairs": [["g", "c"]], "role": "primary"}], "groups": {"g": ["a", "b"]}}
    )
    runs = runs_by(spec, {"a": {"K": 2.0}, "b": {"K": 3.0}})
    ((first, second),) = unmatched(runs, [("g", "c")], reader("K")).pairs
    assert first == pytest.approx({"a": 2.025, "b": 3.025})
    assert sorted(second) == [str(draw) for draw in range(6)]
    assert arm_mean(runs, "a", reader("K")) == pytest.approx(2.025)


def test_a_missing_record_is_our_fault() -> None:
    spec = spec_of(ARMS, {"primary": ["a", "b"]})
    records = evidence_of(spec, lambda key: record_of(key, K=1.0)).records
    with pytest.raises(Defect, match="1 runs have no record"):
        gather(spec, records[:-1])


def test_a_draw_without_a_number_is_dropped_by_name() -> None:
    spec = spec_of(ARMS, {"primary": ["a", "b"]})

    def run(key: RunKey) -> dict[str, Any]:
        none = {"K": None} if (key.arm, key.draw) == ("b", 2) else {}
        return record_of(key, K=1.0) | none

    tables = unmatched(gather(spec, evidence_of(spec, run).records), PAIR, reader("K"))
    assert [dict(row) for row in tables.dropped] == [{"arm": "b", "draw": 2, "status": "no number"}]
    assert [len(units) for units in tables.pairs[0]] == [6, 5]


@pytest.mark.parametrize("design", ["independent", "blocked"])
def test_norm_matching_recovers_a_difference_that_size_hides(design: str) -> None:
    """K falls along both runs; at equal norm a lies .2 above b, at the end it lies below."""
    spec = spec_of(ARMS, {"primary": ["a", "b"], "design": design})
    runs = runs_by(
        spec, {"a": {"K": 1.0 + 0.2 + SLOPE * 1.0, "log_norm": 1.0, "spread": 2.0}, "b": {"K": 1.0, "spread": 2.0}}
    )
    ((end, other),) = unmatched(runs, PAIR, reader("K")).pairs
    assert end["0"] < other["0"]
    tables = matched(runs, PAIR, "norm")
    ((first, second),) = tables.pairs
    assert [first[draw] - second[draw] for draw in first] == pytest.approx([0.2] * 6)
    assert tables.support == pytest.approx((-1.0, 0.0))


def test_runs_that_share_no_norm_are_not_estimable_and_say_so() -> None:
    spec = spec_of(ARMS, {"primary": ["a", "b"], "norm_support": 0.5})
    apart = runs_by(spec, {"a": {"K": 1.0, "log_norm": 2.0}, "b": {"K": 1.0, "log_norm": 0.0}})
    assert matched(apart, PAIR, "norm").reason == "the runs share 0.00 nats of update norm, 0.5 needed"
    blocked = spec_of(ARMS, {"primary": ["a", "b"], "design": "blocked"})
    assert "6 of 6 draws" in matched(runs_by(blocked, {"a": {"K": 1.0, "log_norm": 2.0}}), PAIR, "norm").reason


def test_blocked_draws_fall_out_by_their_norm_alone() -> None:
    spec = spec_of(ARMS, {"primary": ["a", "b"], "design": "blocked"})

    def run(key: RunKey) -> dict[str, Any]:
        far = 5.0 if (key.arm, key.draw) == ("a", 3) else 0.0
        return record_of(key, K=1.0 + 0.1 * key.draw, log_norm=far)

    tables = matched(gather(spec, evidence_of(spec, run).records), PAIR, "norm")
    assert not tables.reason
    assert [row["draw"] for row in tables.dropped] == [3]
    assert sorted(tables.pairs[0][0]) == ["0", "1", "2", "4", "5"]


def test_progress_is_the_drop_of_the_own_loss() -> None:
    spec = spec_of(ARMS, {"primary": ["a", "b"], "progress_support": 0.2})
    runs = runs_by(spec, {"a": {"K": 1.3, "drop": 1.0}, "b": {"K": 1.0, "drop": 1.0}})
    ((first, second),) = matched(runs, PAIR, "progress").pairs
    assert first["0"] - second["0"] == pytest.approx(0.3)
    none = runs_by(spec, {"a": {"K": 1.3, "drop": 1.0}, "b": {"K": 1.0, "drop": 0.05}})
    assert "nats of progress, 0.2 needed" in matched(none, PAIR, "progress").reason


def test_snapshots_of_the_warm_up_do_not_count() -> None:
    spec = spec_of(ARMS, {"primary": ["a", "b"]})
    late = spec.model_copy(update={"training": spec.training.model_copy(update={"warmup_steps": STEPS[1]})})
    assert matched(runs_by(spec, {}), PAIR, "norm").support == pytest.approx((-1.0, 0.0))
    assert matched(runs_by(late, {}), PAIR, "norm").support == pytest.approx((-0.5, 0.0))


def test_a_rate_grid_matches_at_the_end_of_training() -> None:
    grid: dict[str, Any] = {"rate_grid": {"arms": ["a", "b"], "rates": [3e-4, 3e-3], "draws": 2}}
    spec = spec_of(ARMS, {"primary": ["a", "b"]}, **grid)

    def run(key: RunKey) -> dict[str, Any]:
        norm = float(np.log((key.rate or 1e-3) / 1e-3))
        return record_of(key, K=1.0 + 0.3 * (key.arm == "a") + SLOPE * norm, log_norm=norm)

    runs = gather(spec, evidence_of(spec, run).records)
    ((first, second),) = matched(runs, PAIR, "rate").pairs
    assert sorted(first) == ["0", "1"]
    assert [first[draw] - second[draw] for draw in first] == pytest.approx([0.3, 0.3])
    assert "c has no run in the rate grid" in matched(runs, [("a", "c")], "rate").reason


def test_endpoints_are_read_by_name() -> None:
    record = record_of(RunKey("a", 0), K=1.0)
    assert reader("K:only_q")(record) == pytest.approx(1.1)
    assert reader("K:erank_energy")(record) == 0.5
    assert reader("K:input_weighted")(record) is None
    assert reader("K@10")(record) == pytest.approx(1.0 - SLOPE)
    assert reader("K@11")(record) is None
