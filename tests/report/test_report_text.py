"""The terminal table: fits, says the same as the page, harmless for a terminal."""

from __future__ import annotations

import re

import pytest
import report_sample as sample
from rich.cells import cell_len

from shadowgraph.errors import DataError
from shadowgraph.report.record import Record
from shadowgraph.report.text import audit_table, study_table


@pytest.mark.parametrize("columns", ["40", "200", ""])
def test_one_hundred_columns_hold_everything(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = study_table(sample.study())
    assert max(cell_len(line) for line in text.splitlines()) <= 100
    row = next(line for line in text.splitlines() if line.startswith("aligned*"))
    assert row.split() == ["aligned*", "1.052", "±", "0.039", "2.430", "±", "0.047", "-0.636", "±", "0.018",
                           "0.621", "/", "1.44", "0.283", "/", "2.03", "+1.31"]  # fmt: skip
    assert "…" not in text
    assert "\x1b" not in text


def test_answer_effects_equivalence_and_limits_are_there() -> None:
    result = sample.study()
    text = " ".join(study_table(result).split())
    for sentence in (*result["answer"]["sentences"], *result["limits"]):
        assert sentence in text
    assert "Claim level L1." in text
    assert "aligned - covering, unmatched, K: +0.331 [+0.271, +0.385] (95 % interval), p = 0.0079, n = 5 + 5" in text
    assert "progress-matched, K: not estimable" in text
    assert "K: equivalent (+0.017 [-0.012, +0.044], margin ± 0.05, p = 0.021)" in text
    assert "outside loss: equivalence not shown" in text
    assert "* beyond the calipers of novelty (loss under the base, divergence from its mixture): aligned newer." in text


def test_printed_means_are_those_of_the_runs() -> None:
    runs = [row["K"] for row in sample.runs() if row["arm"] == "covering"]
    assert f"{sum(runs) / len(runs):.3f} ± " in study_table(sample.study())


def test_hostile_names_do_not_reach_the_terminal() -> None:
    for text in (study_table(sample.hostile()), audit_table(sample.audit())):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", text)
        assert max(cell_len(line) for line in text.splitlines()) <= 100


def test_an_incomplete_panel_has_no_mean() -> None:
    result = sample.study()
    for row in result["scores"]:
        if Record(row).text("split") == "recall" and row["arm"] == "random" and row["measure"] == "accuracy":
            row |= {"mean": None, "status": "lost_worker"}
    line = next(line for line in study_table(result).splitlines() if line.startswith("random"))
    assert re.search(r" - / 1\.95 ", line)


def test_the_audit_table_names_verdict_and_checks() -> None:
    text = audit_table(sample.audit())
    assert text.startswith("inconclusive (claim level L0)")
    assert "K of embeddings: no change" in text
    assert "SG002  warning" in text
    assert "Tensors not analysed: 1" in text


def test_the_wrong_kind_is_refused() -> None:
    with pytest.raises(DataError):
        study_table(sample.audit())
