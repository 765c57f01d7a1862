"""Exams and sittings: every task under every rule, resumed to the same bytes, and a folder that is never mixed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shadowgraph.errors import CheckpointError, DataError, SpecError
from shadowgraph.identity import Json
from shadowgraph.report.scores_text import scores_table
from shadowgraph.scores.counterparts.rule import Declined, dressed
from shadowgraph.scores.counterparts.table import RULES
from shadowgraph.scores.exam import Exam, plain_name, rows_of, rules_of
from shadowgraph.scores.item import read_scores
from shadowgraph.scores.question import Question
from shadowgraph.scores.row import Row, kind_of
from shadowgraph.scores.sitting import sit
from shadowgraph.scores.suite import write_suite

TOWNS = ("Ardel", "Bomiss", "Corvane", "Dulith")


class Spoken:
    """An engine without a model: the numbers are a digest of the text; may be cut off at some call."""

    def __init__(self, cut_at: int = -1) -> None:
        self.name = "spoken"
        self.identity: dict[str, Json] = {"kind": "spoken"}
        self.calls: list[str] = []
        self._cut_at = cut_at

    def loglikelihoods(self, split: str, rows: Sequence[Row]) -> list[tuple[float, ...]]:
        self._count(split)
        return [tuple(-1 - zlib.crc32((row["context"] + text).encode()) % 999 / 50 for text in row["continuations"])
                for row in rows]  # fmt: skip

    def replies(self, split: str, rows: Sequence[Row]) -> list[str]:
        self._count(split)
        return [f" {row['answers'][0]}\n" if len(row["context"]) % 3 else "none" for row in rows]

    def _count(self, split: str) -> None:
        if len(self.calls) == self._cut_at:
            raise KeyboardInterrupt
        self.calls.append(split)


def chosen(count: int = 8) -> list[Question]:
    """Questions with choices."""
    return [
        Question(f"q{k}", "towns", f"g{k % 3}", "towns", f"Which town lies {k + 2} miles from the sea of glass?",
                 TOWNS[k % 4], TOWNS, k % 4)
        for k in range(count)
    ]  # fmt: skip


def free(count: int = 6) -> list[Question]:
    """Questions without."""
    return [Question(f"n{k}", "sums", f"n{k}", "sums", f"What is {k} and {k + 3} together?", str(2 * k + 3))
            for k in range(count)]  # fmt: skip


def test_every_question_is_asked_or_declined_under_every_rule() -> None:
    exam = Exam({"my towns": chosen(), "2sums": free()}, rules_of(panel=True), seed=4)
    for part in exam.splits:
        assert len({kind_of(row) for row in part.rows}) < 2
    for name, questions in exam.tasks.items():
        for rule in RULES:
            parts = [part for part in exam.splits if (part.task, part.form) == (name, rule)]
            assert sum(len(part.rows) + sum(part.declined.values()) for part in parts) == len(questions)
            wanted = [dressed(RULES[rule], question, 4) for question in questions]
            assert {row["id"] for part in parts for row in part.rows} == {
                probe.id for probe in wanted if not isinstance(probe, Declined)
            }
    assert {"my_towns", "task_2sums"} <= set(rows_of(exam.splits))
    told = {(part.form, part.distance) for part in exam.splits}
    assert told == {(rule.name, rule.distance) for rule in RULES.values() if rule.name != "original"} | {
        ("original", ""), ("chained", "far")}  # fmt: skip


def test_a_few_items_are_drawn_by_seed_and_id_and_dressed_alike() -> None:
    few, more = (Exam({"towns": chosen(30)}, rules_of(False, ["permuted"]), items, 1) for items in (5, 9))
    whole = {row["id"]: row for part in Exam({"towns": chosen(30)}, few.rules, None, 1).splits for row in part.rows}
    drawn, wider = ({row["id"]: row for part in exam.splits for row in part.rows} for exam in (few, more))
    assert [len(part.rows) for part in few.splits] == [5, 5]
    assert drawn.items() < wider.items() < whole.items()


def test_drawn_pictures_are_asked_as_made_blind_and_in_other_dress(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    exam = Exam(rules=rules_of(panel=False, named=["permuted"]), drawn=6, seed=2)
    told = {(part.task, part.form, part.distance) for part in exam.splits}
    assert {("perception", "original", ""), ("perception", "blind", ""), ("reasoning", "permuted", "near")} <= told
    assert any(form.startswith("picture_") and distance == "far" for _, form, distance in told)
    assert exam.pictured is not None
    suite = write_suite(rows_of(exam.splits), tmp_path / "suite", pictures=exam.pictured.pictures)
    assert suite.pictures
    asked = [row["id"] for part in exam.splits for row in part.rows if part.form == "original"]
    assert len(asked) == 6
    for kind in ("perception", "reasoning"):
        parts = [part for part in exam.splits if (part.task, part.form) == (kind, "picture_font")]
        assert sum(len(part.rows) + sum(part.declined.values()) for part in parts) == 3
    assert Exam(drawn=6).plan != Exam(drawn=7).plan


def test_exams_that_are_none() -> None:
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "nothing to score"),
        ({"tasks": {"a": free()}, "suite": Path("s")}, "a suite is asked as it is"),
        ({"tasks": {"a": free()}, "drawn": 3}, "pictures are asked alone"),
        ({"drawn": -1}, "-1 pictures"),
        ({"tasks": {"a": free()}, "rules": ("sung",)}, "no rule is called 'sung'; known: original"),
        ({"tasks": {"a-b": free(), "a b": free()}}, "two tasks are written 'a_b'"),
    )
    for options, words in wrong:
        with pytest.raises(SpecError, match=words):
            Exam(**options)
    both = Exam({"a": free(), "a_cloze": free()}, rules_of(False, ["cloze"]))
    with pytest.raises(SpecError, match="two splits are called 'a_cloze'"):
        rows_of(both.splits)
    lines = [replace(question, answer="one\ntwo") for question in free()]
    with pytest.raises(DataError, match=r"task 'a': none of its questions can be asked \(the answer spans lines\)"):
        rows_of(Exam({"a": lines}).splits)
    assert [plain_name(name) for name in ("é", "arc-easy", "9")] == ["task_", "arc_easy", "task_9"]
    assert rules_of(False) == ("original",)
    both = rules_of(True, ["cloze"])
    assert (both[:2], set(both)) == (("original", "cloze"), set(rules_of(True)))


def test_a_sitting_that_is_cut_off_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    exam = Exam({"towns": chosen(), "sums": free()}, rules_of(False, ["permuted", "cloze"]))
    whole = Spoken()
    result = sit(exam, whole, tmp_path / "whole")
    for cut in (0, 2, 5):
        out = tmp_path / f"cut{cut}"
        with pytest.raises(KeyboardInterrupt):
            sit(exam, Spoken(cut), out)
        rest = Spoken()
        told: list[float] = []
        assert sit(exam, rest, out, progress=told.append) == result
        assert len(rest.calls) + cut - len(whole.calls) in (0, 1)  # a generate split asks twice
        assert told[-1] == 1.0
        for name in ("result.json", "scores.parquet", "plan.json", "suite/suite.json"):
            assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
        assert not (out / "parts").exists()
    again = Spoken()
    assert sit(exam, again, tmp_path / "whole") == result
    assert not again.calls
    assert sit(exam, Spoken()) == result
    assert str(tmp_path) not in json.dumps(result)


def test_the_result_says_what_the_items_say(tmp_path: Path) -> None:
    result = sit(Exam({"towns": chosen()}, rules_of(panel=True)), Spoken(), tmp_path / "out")
    items = read_scores(tmp_path / "out" / "scores.parquet")
    rows = {row["split"]: row for row in result["splits"]}
    refused: dict[str, str] = {}
    for split, row in rows.items():
        found = [item for item in items if item.split == split]
        assert row["items"] == len(found)
        if found:
            assert row["accuracy"] == pytest.approx(sum(item.correct for item in found) / len(found))
        if "gap" in row and row["gap"]["accuracy"]["status"] in ("unequal_chance", "other_kind", "other_question"):
            assert row["gap"]["accuracy"]["estimate"] is None
            refused[row["form"]] = row["gap"]["accuracy"]["status"]
        elif "gap" in row:
            sources = {item.source: item.correct for item in found}
            pairs = [
                item.correct - sources[item.source]
                for item in items
                if item.split == "towns" and item.source in sources
            ]
            assert row["gap"]["accuracy"]["estimate"] == pytest.approx(sum(pairs) / len(pairs))
            assert row["gap"]["accuracy"]["pairs"] == len(pairs)
    assert refused["negated"] == refused["true_false"] == "unequal_chance"
    assert rows["towns_negated"]["gap"]["bits_per_byte"]["estimate"] is not None
    assert rows["towns"]["chance"] == 0.25
    assert rows["towns"]["above_chance"] == pytest.approx((rows["towns"]["accuracy"] - 0.25) / 0.75)
    assert rows["towns"]["intervals"]["accuracy"]["status"] == "few_clusters"
    assert all(row["declined"] + row["items"] == 8 for row in rows.values() if row["form"] != "chained")
    assert "gap" in rows["towns_permuted"]
    assert "gap" not in rows["towns"]
    table = scores_table(result)
    assert all(split in table for split in rows)
    assert all(f"{row['form']}: {row['items']} declined, {row['reason']}" in " ".join(table.split())
               for row in result["declined"])  # fmt: skip


def test_splits_have_intervals_over_clusters_in_result_and_table() -> None:
    alone = [replace(question, group=question.id) for question in chosen(60)]
    result = sit(Exam({"towns": alone}), Spoken())
    row = result["splits"][0]
    for key in ("accuracy", "bits_per_byte"):
        low, high = row["intervals"][key]["interval"]
        assert low < row[key] < high
    assert 0.05 < row["intervals"]["accuracy"]["interval"][1] - row["accuracy"] < 0.2
    told = " ".join(scores_table(result).split())
    assert f"{row['accuracy']:.2f} [" in told
    assert "95 % intervals over clusters" in told


def test_a_dress_that_takes_few_questions_is_marked() -> None:
    long = [replace(question, id=f"l{k}", choices=("Ardel", "none of these"), answer="Ardel", gold=0)
            for k, question in enumerate(chosen(5))]  # fmt: skip
    result = sit(Exam({"towns": [*chosen(3), *long]}, rules_of(False, ["permuted"])), Spoken())
    row = next(row for row in result["splits"] if row["form"] == "permuted")
    assert (row["items"], row["declined"]) == (3, 5)
    told = scores_table(result)
    assert "3 of 8" in told
    assert "*: half of the questions or more declined" in " ".join(told.split())


class Narrow(Spoken):
    """An engine whose window is short: it cuts every context above 60 characters."""

    cut = 0

    def loglikelihoods(self, split: str, rows: Sequence[Row]) -> list[tuple[float, ...]]:
        self.cut += sum(len(row["context"]) > 60 for row in rows)
        return super().loglikelihoods(split, rows)


def test_what_was_cut_to_the_window_is_counted_and_said(tmp_path: Path) -> None:
    exam = Exam({"towns": chosen(), "sums": free()})
    found = sit(exam, Narrow(), tmp_path / "whole")
    assert {row["split"]: row["cut"] for row in found["splits"]} == {"towns": 8, "sums": 0}
    assert "which lost their beginning, and so part of what was asked: towns 8." in " ".join(
        scores_table(found).split()
    )
    with pytest.raises(KeyboardInterrupt):
        sit(exam, Narrow(1), tmp_path / "killed")
    assert sit(exam, Narrow(), tmp_path / "killed") == found
    assert {row["cut"] for row in sit(exam, Spoken())["splits"]} == {None}


def test_a_finished_sitting_that_was_changed_is_made_again(tmp_path: Path) -> None:
    exam, out = Exam({"sums": free()}), tmp_path / "out"
    result = sit(exam, Spoken(), out)
    written = {name: (out / name).read_bytes() for name in ("scores.parquet", "result.json", "suite/sums.jsonl")}
    (out / "suite" / "notes.txt").write_text("mine")
    for name in (*written, "_COMPLETE"):
        (out / name).write_text("{}") if name == "result.json" else (out / name).unlink()
        again = Spoken()
        assert sit(exam, again, out) == result
        assert again.calls, name
        assert {kept: (out / kept).read_bytes() for kept in written} == written
    last = Spoken()
    assert sit(exam, last, out) == result
    assert not last.calls


def test_what_no_suite_takes_is_said_before_a_folder_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(row: Row, kind: str) -> tuple[str, str] | None:
        return ("answers", "can never be read") if row["source"] == "n2" else None

    monkeypatch.setattr("shadowgraph.scores.exam.row_fault", fault)
    for files, place in (({}, "task 'sums'"), ({"sums": Path("s.jsonl")}, "s.jsonl")):
        with pytest.raises(DataError, match=rf"^{place} row 3 key 'answer': can never be read"):
            sit(Exam({"sums": free()}, files=files), Spoken(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_holds_one_sitting(tmp_path: Path) -> None:
    exam, out = Exam({"sums": free()}), tmp_path / "out"
    sit(exam, Spoken(), out)
    for other in (replace(exam, seed=1), Exam({"sums": free(5)}), replace(exam, rules=rules_of(False, ["cloze"]))):
        with pytest.raises(SpecError, match=r"belongs to the plan .* --overwrite"):
            sit(other, Spoken(), out)
    silent = Spoken()
    silent.identity = {"kind": "silent"}
    with pytest.raises(SpecError, match="belongs to the plan"):
        sit(exam, silent, out)
    assert sit(Exam({"sums": free(5)}), Spoken(), out, overwrite=True)["tasks"] == [{"task": "sums", "items": 5}]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("x")
    with pytest.raises(SpecError, match="not empty and holds no sitting"):
        sit(exam, Spoken(), tmp_path / "mine")
    with pytest.raises(CheckpointError, match="no such folder"):
        sit(exam, tmp_path / "none", tmp_path / "never")
    with pytest.raises(DataError, match="can be asked"):
        sit(Exam({"a": [replace(free()[0], answer="one\ntwo")]}), Spoken(), tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_a_written_suite_is_asked_as_it_is(tmp_path: Path) -> None:
    rows = rows_of(Exam({"towns": chosen(), "sums": free()}).splits)
    write_suite(rows, tmp_path / "suite")
    found = sit(Exam(suite=tmp_path / "suite"), Spoken())
    assert [(row["split"], row["items"], row["form"], row["kind"]) for row in found["splits"]] == [
        ("sums", 6, "", "generate"), ("towns", 8, "", "choice")]  # fmt: skip
    assert found["tasks"] == found["declined"] == []
    assert "gap" not in scores_table(found)
