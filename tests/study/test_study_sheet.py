"""The balance sheet before training says what the analysis will say from records, and knows nothing of K."""

import json
from pathlib import Path
from typing import Any

import pytest
from study_made import evidence_of, record_of, spec_of

from shadowgraph.artifact import write_json
from shadowgraph.errors import DataError
from shadowgraph.report.balance_text import balance_text
from shadowgraph.spec.study import StudySpec
from shadowgraph.study import labelled
from shadowgraph.study.layout import Layout, RunKey
from shadowgraph.study.panels import arm_tables
from shadowgraph.study.readings import gather
from shadowgraph.study.record import recorded
from shadowgraph.study.sheet import balance_sheet, sheet_of

ARMS = ("p0", "p1", "n0", "n1", "n2")
ANALYSIS: dict[str, Any] = {
    "primary": ["p0", "n0"],
    "groups": {"bench": ["p0", "p1"], "plain": ["n0", "n1", "n2"]},
    "label": {"name": "benchmark", "positive": "bench", "negative": "plain"},
}
LOSSES = {"p0": 3.0, "p1": 9.0, "n0": 3.1, "n1": 3.2, "n2": 5.0}


def numbers(arm: str, draw: int) -> dict[str, Any]:
    """The balance of one regime, with more digits than a record keeps."""
    sheet = {
        "kl_to_base": 0.5 + draw / 7,
        "unigram_entropy": 5.0,
        "document_length": 100.0 + ARMS.index(arm),
        "unique_token_share": 1.0,
        "documents": 50,
    }
    return {"balance": sheet, "base_loss": LOSSES[arm] + draw / 3}


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Layout, StudySpec]:
    """A study folder whose corpora and bases are measured, and nothing is trained."""
    spec = spec_of({name: {"draws": 2} if name == "n1" else {} for name in ARMS}, ANALYSIS, draws=3, seeds=2)
    layout = Layout(tmp_path)
    for draw in range(3):
        arms = [arm for arm, its in spec.runs if its == draw]
        write_json(layout.base_losses(draw), {arm: numbers(arm, draw)["base_loss"] for arm in arms})
        for arm in arms:
            write_json(layout.regime(arm, draw) / "balance.json", numbers(arm, draw)["balance"])
    return layout, spec


def test_it_is_what_the_analysis_will_make_of_the_records(filled: tuple[Layout, StudySpec]) -> None:
    layout, spec = filled

    def run(key: RunKey) -> dict[str, Any]:
        return record_of(key, K=float(key.draw)) | recorded(numbers(key.arm, key.draw))

    runs = gather(spec, evidence_of(spec, run).records)
    sheet: Any = json.loads(json.dumps(balance_sheet(layout, spec)))
    tables, unmatched = arm_tables(spec, {arm: runs.of(arm) for arm in runs.arms})
    assert sheet["reference"] == "n0"
    assert [arm["name"] for arm in sheet["arms"] if arm["novelty"] not in {None, "within"}] == ["p1", "n2"]
    assert [name.partition(" (")[0] for name in unmatched] == ["p1", "n2"]
    assert all(" (loss under the base " in name for name in unmatched)
    for arm, table in zip(sheet["arms"], tables, strict=True):
        after: Any = json.loads(json.dumps(table))
        assert [caliper | {"against": "n0"} for caliper in arm["calipers"]] == after["calipers"]
        assert arm["means"] == pytest.approx({key: cell["mean"] for key, cell in after["balance"].items()})
        assert arm["draws"] == after["draws"]
    label = spec.analysis.label
    assert label is not None
    strata = labelled.strata_of(runs, label)
    assert [(one["positive"], tuple(one["negatives"])) for one in sheet["label"]["sets"]] == list(strata.sets)
    assert strata.sets == (("p0", ("n0", "n1")),)
    (lost,) = sheet["label"]["unmatched"]["positive"]
    assert lost == {"arm": "p1", "nearest": "n2", "misses": ["base_loss"]}


def test_the_text_names_arms_calipers_and_strata(filled: tuple[Layout, StudySpec]) -> None:
    text = balance_text(balance_sheet(*filled))
    assert "p1+" in text
    assert "Calipers against n0: base_loss 0.25" in text
    assert "  - p0: meets all" in text
    assert "  - p1: misses base_loss +5.9" in text
    assert "1 of 2 corpora with it have a match" in text
    assert "  - p0: n0, n1" in text
    assert "p1: no match; nearest is n2, misses base_loss" in text
    assert "K" not in text.replace("KL", "")
    assert max(map(len, text.splitlines())) <= 100


def test_without_a_reference_it_says_so(filled: tuple[Layout, StudySpec]) -> None:
    layout, spec = filled
    plain = spec.model_copy(update={"analysis": spec.analysis.model_copy(update={"primary": None, "label": None})})
    sheet = balance_sheet(layout, plain)
    assert (sheet["reference"], sheet["label"]) == (None, None)
    assert "No arm is named" in balance_text(sheet)


def test_a_proof_without_a_sheet_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "matched.json", {"statements": {}})
    with pytest.raises(DataError, match="no balance sheet"):
        sheet_of(Layout(tmp_path))
