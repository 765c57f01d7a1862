"""Outcomes, summaries and tables: golden numbers by hand, laws, and what a kind does not have."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.errors import DataError
from shadowgraph.scores.calibration import brier, calibration_error, softmax
from shadowgraph.scores.item import ItemScore, read_scores, summarise, write_scores
from shadowgraph.scores.outcome import chosen, generated

ROW: dict[str, Any] = {
    "id": "i",
    "family": "f",
    "group": "g",
    "context": "c",
    "continuations": [" aé", " bbbbbb", " c"],
    "gold": 1,
}
VALUES = st.lists(st.floats(-200, 0), min_size=2, max_size=6)


def test_a_choice_by_hand() -> None:
    # By hand: per character -3/3, -4/7, -2/2; bits 4/ln 2 over 7 bytes.
    score = chosen("s", {**ROW, "form": "open", "source": "q"}, (-3.0, -4.0, -2.0))
    assert (score.correct, score.correct_normalised, score.margin) == (False, True, -2.0)
    assert score.bits_per_byte == pytest.approx(4 / math.log(2) / 7, rel=1e-15)
    assert score.probability == pytest.approx(math.exp(-4) / (math.exp(-3) + math.exp(-4) + math.exp(-2)), rel=1e-15)
    assert (score.form, score.source, score.kind, score.reply) == ("open", "q", "choice", "")
    assert (chosen("s", ROW, (0.0, 0.0, -1.0)).correct, chosen("s", {**ROW, "gold": 0}, (0.0, 0.0, -1.0)).correct) == (
        False,
        True,
    )
    assert chosen("s", ROW, (0.0, 0.0, -1.0)).source == "i"


def test_a_reply_by_hand() -> None:
    row = {"id": "i", "family": "f", "group": "g", "context": "c:", "answers": ["é", "e"]}
    score = generated("s", row, " e.\nmore", (-3.0,))
    assert (score.correct, score.reply, score.kind) == (True, " e.\nmore", "generate")
    assert score.bits_per_byte == pytest.approx(3 / math.log(2) / 3, rel=1e-15)  # " é" has three bytes
    assert (score.margin, score.probability, score.correct_normalised) == (None, None, None)
    assert generated("s", row, " E", ()).bits_per_byte is None


@given(values=VALUES, shift=st.floats(-1e3, 1e3))
def test_softmax_is_a_distribution_and_ignores_a_shift(values: list[float], shift: float) -> None:
    odds = softmax(values)
    assert math.fsum(odds) == pytest.approx(1, abs=1e-12)
    assert softmax([value + shift for value in values]) == pytest.approx(odds, abs=1e-9)
    assert all(0 <= brier(odds, one) <= 2 for one in odds)


def test_calibration_by_hand() -> None:
    # Two bins of ten: gaps |0.6 - 0.5| and |0.9 - 1|; mean 0.1.
    confidence, correct = [0.9] * 10 + [0.6] * 10, [True] * 10 + [True, False] * 5
    assert calibration_error(confidence, correct) == (pytest.approx(0.1), 2)
    assert calibration_error([0.75], [True]) == (pytest.approx(0.25), 1)
    assert calibration_error([1.0] * 300, [True] * 300) == (0.0, 10)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_calibration_error_is_bounded_below_by_the_mean_gap(pairs: list[tuple[float, bool]]) -> None:
    confidence, correct = [one for one, _ in pairs], [one for _, one in pairs]
    error, bins = calibration_error(confidence, correct)
    assert abs(math.fsum(confidence) - sum(correct)) / len(pairs) <= error + 1e-12 <= 1 + 1e-9
    assert 1 <= bins <= 10


def test_the_summary_names_what_a_kind_does_not_have() -> None:
    choices = [chosen("s", {**ROW, "id": str(n)}, (-3.0, -1.0 - n, -2.0)) for n in range(3)]
    row = {"id": "i", "family": "f", "group": "g", "context": "c:", "answers": ["e"]}
    replies = [generated("t", row, " e", (-3.0,)), generated("t", row, " f", ())]
    one, other = summarise([*choices, *replies])
    assert (one.kind, one.exact_match, one.chance, one.calibration_bins) == ("choice", None, 1 / 3, 1)
    assert one.accuracy == pytest.approx(2 / 3)  # the second item is a tie, which gold wins, as it stands first
    assert one.accuracy_normalised == 1.0
    assert one.brier == pytest.approx(
        sum((p - (k == 1)) ** 2 for item in choices for k, p in enumerate(softmax(item.loglikelihoods))) / 3
    )
    assert (other.kind, other.accuracy, other.exact_match) == ("generate", 0.5, 0.5)
    assert (other.bits_per_byte, other.margin, other.chance, other.brier, other.calibration_error) == (None,) * 5


def test_tables_come_back_and_an_older_one_is_read(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    row = {"id": "r", "family": "f", "group": "g", "context": "c:", "answers": ["e"]}
    scores = [chosen("s", ROW, (-3.0, -4.0, -2.0)), generated("t", row, " e\u2028", ())]
    write_scores(scores, tmp_path / "new.parquet")
    assert read_scores(tmp_path / "new.parquet") == scores
    first = ("id", "split", "family", "group", "correct", "bits_per_byte", "margin", "loglikelihoods")
    older = ItemScore("i", "s", "f", "g", True, 1.5, 0.25, (-1.0, -2.0))
    parquet.write_table(pa.table({name: [getattr(older, name)] for name in first}), tmp_path / "old.parquet")
    assert read_scores(tmp_path / "old.parquet") == [replace(older, source="i")]
    parquet.write_table(pa.table({"id": ["i"]}), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="other columns"):
        read_scores(tmp_path / "other.parquet")
