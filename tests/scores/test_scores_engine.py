"""Any engine: asked once a split, killed and resumed to the same bytes, and not believed when it errs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from shadowgraph.errors import CheckpointError, DataError, Defect, SpecError
from shadowgraph.identity import Json
from shadowgraph.scores.engine import Engine, Progress
from shadowgraph.scores.row import Row
from shadowgraph.scores.score import score
from shadowgraph.scores.suite import write_suite


class Oracle:
    """Prefers longer continuations and answers with the last word of the context; dies when told to."""

    def __init__(self, dies_at: str = "", name: str = "oracle") -> None:
        self.name = name
        self.asked: list[str] = []
        self.dies_at = dies_at
        self.watch: Progress | None = None

    @property
    def identity(self) -> dict[str, Json]:
        return {"oracle": self.name}

    def loglikelihoods(self, split: str, rows: Sequence[Row]) -> list[tuple[float, ...]]:
        self.asked.append(split)
        if split == self.dies_at:
            raise KeyboardInterrupt
        if self.watch is not None:
            self.watch(0.5)
        return [tuple(-30.0 / len(text) for text in row["continuations"]) for row in rows]

    def replies(self, split: str, rows: Sequence[Row]) -> list[str]:
        return [str(row["context"]).split()[-1] for row in rows]


@pytest.fixture
def suite_dir(items: dict[str, list[dict[str, Any]]], tmp_path: Path) -> Path:
    replies = [
        {"id": f"r{n}", "family": "echo", "group": "g", "context": f"say {n}", "answers": [str(n % 3)]}
        for n in range(6)
    ]
    write_suite({**items, "replies": replies}, tmp_path / "suite")
    return tmp_path / "suite"


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def test_both_kinds_through_the_protocol(suite_dir: Path) -> None:
    engine = Oracle()
    assert isinstance(engine, Engine)
    told: list[float] = []
    found = score(engine, suite_dir, progress=told.append)
    assert engine.asked == ["inside", "outside", "replies"]
    assert [item.split for item in found] == ["inside"] * 9 + ["outside"] * 6 + ["replies"] * 6
    assert [item.correct for item in found if item.kind == "generate"] == [True] * 3 + [False] * 3
    assert all(item.bits_per_byte is not None for item in found)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 3


def test_killed_and_resumed_to_the_same_bytes(suite_dir: Path, tmp_path: Path) -> None:
    whole = score(Oracle(), suite_dir, folder=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        score(Oracle(dies_at="outside"), suite_dir, folder=tmp_path / "cut")
    assert set(_files(tmp_path / "cut")) == {"inside.parquet", "scoring.json"}
    engine = Oracle()
    assert score(engine, suite_dir, folder=tmp_path / "cut") == whole == score(Oracle(), suite_dir)
    assert engine.asked == ["outside", "replies"]
    assert _files(tmp_path / "cut") == _files(tmp_path / "whole")
    (tmp_path / "cut" / "inside.parquet").write_bytes(b"half")
    assert score(engine, suite_dir, folder=tmp_path / "cut") == whole
    assert engine.asked == ["outside", "replies", "inside"]
    assert _files(tmp_path / "cut") == _files(tmp_path / "whole")


def test_a_folder_of_other_scores_is_refused(
    suite_dir: Path, items: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    folder = tmp_path / "scores"
    score(Oracle(), suite_dir, folder=folder)
    with pytest.raises(DataError, match="scores of another model"):
        score(Oracle(name="other"), suite_dir, folder=folder)
    write_suite({"more": items["outside"], "inside": items["inside"]}, tmp_path / "wider")
    engine = Oracle()
    score(engine, tmp_path / "wider", folder=folder)
    assert engine.asked == ["more"]
    write_suite({"inside": items["inside"][1:]}, tmp_path / "fewer")
    with pytest.raises(DataError, match="other items under the name 'inside'"):
        score(engine, tmp_path / "fewer", folder=folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match="files that no scoring left"):
        score(engine, suite_dir, folder=tmp_path / "mine")


def test_an_engine_that_errs_is_named(suite_dir: Path) -> None:
    class Short(Oracle):
        def loglikelihoods(self, split: str, rows: Sequence[Row]) -> list[tuple[float, ...]]:
            return super().loglikelihoods(split, rows)[1:]

    class Mute(Oracle):
        def replies(self, split: str, rows: Sequence[Row]) -> list[str]:
            return []

    class Broken(Oracle):
        def loglikelihoods(self, split: str, rows: Sequence[Row]) -> list[tuple[float, ...]]:
            return [(float("nan"), *values[1:]) for values in super().loglikelihoods(split, rows)]

    with pytest.raises(Defect, match="another number of log-likelihoods"):
        score(Short(), suite_dir)
    with pytest.raises(Defect, match="another number of replies"):
        score(Mute(), suite_dir)
    with pytest.raises(CheckpointError, match=r"split 'inside' item 'inside-0'.*not a finite number"):
        score(Broken(), suite_dir)


def test_nothing_to_score() -> None:
    with pytest.raises(SpecError, match="neither a suite nor a task"):
        score(Oracle())
