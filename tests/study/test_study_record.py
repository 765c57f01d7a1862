"""Records: what survives rounding, what items come back, what is refused, how records travel."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_program import command

from shadowgraph.artifact import write_json
from shadowgraph.errors import DataError, SpecError
from shadowgraph.identity import fingerprint
from shadowgraph.scores.outcome import chosen, generated
from shadowgraph.scores.suite import write_suite
from shadowgraph.seeds import generator
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.layout import Layout, runs_of
from shadowgraph.study.plan import claim_folder, freeze
from shadowgraph.study.record import (
    base_records,
    export_records,
    import_records,
    items_of,
    packed_items,
    read_record,
    records_of,
    write_record,
)
from shadowgraph.study.seal import seal_records, seal_study
from shadowgraph.study.taking import taking_of

TINY = Path(__file__).with_name("tiny.toml")
PLAN = freeze(TINY)
numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6)


def choice(number: int) -> dict[str, Any]:
    return {
        "id": f"q{number}",
        "family": "sums",
        "group": f"g{number // 2}",
        "context": f"Q: {number} + 1?\nA:",
        "continuations": [" one", " two", " three"],
        "gold": number % 3,
    }


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    free = [{"id": "f0", "family": "free", "group": "f", "context": "Say so:", "answers": ["so"]}]
    write_suite({"quiz": [choice(n) for n in range(6)], "quiz_free": free}, tmp_path / "suite")
    write_json(tmp_path / "suite" / "splits.json", {"quiz": "quiz", "quiz_free": "quiz:free"})
    return tmp_path / "suite"


def scores() -> list[Any]:
    stream = generator(7, "scores")
    found = [chosen("quiz", choice(n), tuple((-5 * stream.random(3)).tolist())) for n in range(6)]
    row = {"id": "f0", "family": "free", "group": "f", "context": "Say so:", "answers": ["so"]}
    return [*found, generated("quiz_free", row, "so", (-2.5,))]


def test_items_come_back_as_they_were_scored_up_to_rounding(suite: Path, tmp_path: Path) -> None:
    write_record(tmp_path / "record.json", {"items": packed_items(scores(), suite)})
    back = items_of(read_record(tmp_path / "record.json"), suite)
    assert [item.split for item in back] == ["quiz"] * 6 + ["quiz:free"]
    for item, other in zip(back, scores(), strict=True):
        same = ("id", "family", "group", "correct", "kind", "form", "source")
        assert all(getattr(item, key) == getattr(other, key) for key in same if key != "source" or other.source)
        assert item.bits_per_byte == pytest.approx(other.bits_per_byte, rel=1e-6)
        assert len(item.loglikelihoods) == len(other.loglikelihoods)
        if other.margin is None:
            assert item.margin is None
        else:
            gold = choice(int(item.id[1:]))["gold"]
            assert item.margin == pytest.approx(other.margin, rel=1e-6)
            assert item.loglikelihoods[gold] == pytest.approx(other.loglikelihoods[gold], rel=1e-6)
            rival = max(value for place, value in enumerate(other.loglikelihoods) if place != gold)
            assert max(v for p, v in enumerate(item.loglikelihoods) if p != gold) == pytest.approx(rival, rel=1e-5)


def test_items_of_another_suite_are_refused(suite: Path) -> None:
    record = {"items": packed_items(scores(), suite)}
    with pytest.raises(DataError, match="another suite"):
        items_of({"items": {**record["items"], "suite": "0" * 64}}, suite)
    with pytest.raises(DataError, match="does not hold the 7 items"):
        items_of({"items": {**record["items"], "correct": [1]}}, suite)
    assert items_of({"items": None}, suite) == []


@given(value=numbers)
def test_floats_are_rounded_once_and_endpoints_not_at_all(
    value: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "rounded.json"
    write_record(path, {"K": value, "loss": value, "measures": [[value]], "snapshots": [{"K": value, "x": value}]})
    once = read_record(path)
    assert once["K"] == once["snapshots"][0]["K"] == value
    assert once["loss"] == once["snapshots"][0]["x"] == pytest.approx(value, rel=1e-8)
    assert once["measures"][0][0] == pytest.approx(value, rel=1e-4)
    before = path.read_bytes()
    write_record(path, once)
    assert path.read_bytes() == before


def test_a_record_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(json.dumps({"arm": "random", "draw": 0}))
    with pytest.raises(DataError, match="version None"):
        read_record(tmp_path / "record.json")


def made(root: Path, *, without: str = "") -> tuple[Layout, StudySpec]:
    """A study folder with a proof and records, as a finished study leaves them."""
    claim_folder(PLAN, root)
    layout = Layout(root)
    statements = {key.name: {"data": key.name} for key in runs_of(PLAN.spec)}
    write_json(layout.matched, {"statements": statements})
    write_record(layout.base / "record.json", {"fingerprint": "b", "items": None})
    for key in runs_of(PLAN.spec):
        if key.name != without:
            record = {"arm": key.arm, "draw": key.draw, "run": fingerprint(statements[key.name])}
            write_record(layout.run(key) / "record.json", record)
    return layout, PLAN.spec


def test_records_are_read_in_the_order_of_the_runs_and_held_against_the_proof(tmp_path: Path) -> None:
    layout, spec = made(tmp_path)
    assert [(row["arm"], row["draw"]) for row in records_of(layout, spec)] == [(k.arm, k.draw) for k in runs_of(spec)]
    assert {draw: row["fingerprint"] for draw, row in base_records(layout, spec).items()} == {0: "b", 1: "b"}
    write_record(layout.run(runs_of(spec)[3]) / "record.json", {"arm": "random", "draw": 0, "run": "f" * 16})
    with pytest.raises(DataError, match="not of the run that was proven matched"):
        records_of(layout, spec)


def test_records_travel_and_only_what_is_missing_is_missing(tmp_path: Path) -> None:
    layout, spec = made(tmp_path / "out", without="random-1")
    (layout.base / "run").mkdir()
    (layout.base / "run" / "weights").write_text("heavy")
    assert export_records(layout, spec, tmp_path / "records") == 7
    names = {path.relative_to(tmp_path / "records").parts[0] for path in (tmp_path / "records").rglob("*")}
    assert names == {"plan.json", "matched.json", "base", "runs", "digests.json"}
    assert not (tmp_path / "records" / "base" / "run").exists()
    again = Layout(tmp_path / "again")
    claim_folder(PLAN, again.root)
    assert import_records(again, spec, tmp_path / "records") == 7
    first = runs_of(spec)[0]
    assert (again.run(first) / "record.json").read_bytes() == (layout.run(first) / "record.json").read_bytes()
    assert import_records(again, spec, tmp_path / "records") == 7


def test_records_of_another_plan_or_another_proof_are_refused(tmp_path: Path) -> None:
    layout, spec = made(tmp_path / "out")
    export_records(layout, spec, tmp_path / "records")
    write_json(tmp_path / "records" / "plan.json", {"plan_hash": "0" * 16})
    with pytest.raises(SpecError, match="holds the plan 0000000000000000"):
        import_records(layout, spec, tmp_path / "records")
    with pytest.raises(SpecError, match="another plan"):
        export_records(layout, spec, tmp_path / "records")
    (tmp_path / "bare").mkdir()
    with pytest.raises(SpecError, match="holds no plan"):
        import_records(layout, spec, tmp_path / "bare")
    (tmp_path / "records" / "plan.json").unlink()
    export_records(layout, spec, tmp_path / "records")
    write_json(layout.matched, {"statements": {"random-0": {"data": "other"}}})
    with pytest.raises(DataError, match="not proven matched together"):
        import_records(layout, spec, tmp_path / "records")
    (tmp_path / "records" / "runs" / "random-0" / "record.json").write_text('{"schema_version": "1.1", "run": "x"}')
    seal_records(tmp_path / "records")
    layout.matched.unlink()
    with pytest.raises(DataError, match=r"random-0.*not of the run"):
        import_records(layout, spec, tmp_path / "records")


def exported(folder: Path) -> Path:
    """The records of a whole study, with their digests."""
    layout, spec = made(folder / "out")
    export_records(layout, spec, folder / "records")
    return folder / "records"


def refused(spec: Path, out: Path, records: Path, *more: str) -> tuple[int, str]:
    """Run a study over records that do not fit; what it says, and with which code it ends."""
    words = command("study", "run", spec, "--output", out, "--records", records, *more)
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    return ended.returncode, ended.stderr


@pytest.mark.timeout(300)
def test_records_that_do_not_fit_leave_the_output_folder_as_it_was(tmp_path: Path) -> None:
    records, out = exported(tmp_path), tmp_path / "fresh"
    other = tmp_path / "other.toml"
    other.write_text(TINY.read_text().replace("learning_rate = 1e-3", "learning_rate = 2e-3"))
    assert other.read_text() != TINY.read_text()
    code, said = refused(other, out, records)
    assert code == 2
    assert "they differ in training" in said
    code, said = refused(TINY, out, tmp_path / "nowhere")
    assert code == 2
    assert "nowhere: there is no such folder" in said
    code, said = refused(TINY, out, tmp_path)
    assert code == 2
    assert f"give --records {tmp_path / 'out'} or {records}" in said
    path = records / "runs" / "random-0" / "record.json"
    path.write_bytes(path.read_bytes()[:-20])
    code, said = refused(TINY, out, records)
    assert code == 3
    assert "is not what was written" in said
    assert not out.exists()
    write_json(out / "plan.json", {"plan_hash": "0" * 16})
    (out / "result.json").write_text("{}")
    code, _ = refused(TINY, out, records, "--overwrite")
    assert code == 3
    assert sorted(path.name for path in out.iterdir()) == ["plan.json", "result.json"]


def test_a_folder_of_records_is_named_when_what_holds_it_was_meant(tmp_path: Path) -> None:
    records = exported(tmp_path / "results")
    shutil.rmtree(tmp_path / "results" / "out")
    (tmp_path / "results" / "plan.json").write_bytes((records / "plan.json").read_bytes())
    for wrong, words in (
        (tmp_path / "results", f"a folder in it does; give --records {records}"),
        (tmp_path / "nowhere", "there is no such folder; give --records the folder"),
        (records / "plan.json", "is a file, not a folder of records"),
    ):
        with pytest.raises(SpecError) as caught:
            taking_of(PLAN, tmp_path / "fresh", wrong)
        assert words in str(caught.value)
    assert not (tmp_path / "fresh").exists()


def test_what_records_leave_to_train_is_said(tmp_path: Path) -> None:
    records, fresh = exported(tmp_path), tmp_path / "fresh"
    assert taking_of(PLAN, fresh, records).line == ""
    shutil.rmtree(records / "runs" / "random-1")
    told = (
        "records of 7 of 8 runs; random-1 will be trained, for which its base is trained anew; "
        "digests.json lists runs/random-1/record.json, which is not there (kept but missing)"
    )
    assert taking_of(PLAN, fresh, records).line == told
    assert "anew, unless the cache holds it; " in taking_of(PLAN, fresh, records, cached=True).line
    seal_records(records)
    assert taking_of(PLAN, fresh, records).line == told[: told.rindex("; ")]
    own, _ = made(tmp_path / "own", without="random-0")
    assert taking_of(PLAN, own.root, records).line == ""
    (own.run(runs_of(PLAN.spec)[-1]) / "record.json").unlink()
    write_json(own.base / "run" / "_COMPLETE", {})
    assert taking_of(PLAN, own.root, records).line == "records of 7 of 8 runs; random-1 will be trained"
    (records / "base" / "record.json").unlink()
    shutil.rmtree(records / "runs")
    line = taking_of(PLAN, fresh, records).line
    assert line.startswith("records of 0 of 8 runs; aligned-0, covering-0, repeated-0 and 5 more will be trained, for")
    assert "which their base is trained anew; digests.json lists base/record.json, " in line
    assert "and 5 more, which are not there" in line
    assert not fresh.exists()


def test_without_proof_nothing_is_taken_and_a_base_without_a_record_is_trained(tmp_path: Path) -> None:
    records, fresh = exported(tmp_path), tmp_path / "fresh"
    (records / "base" / "record.json").unlink()
    line = taking_of(PLAN, fresh, records).line
    assert line.startswith("records of 8 of 8 runs; no record of base, which will be trained anew; digests.json lists")
    (records / "matched.json").unlink()
    line = taking_of(PLAN, fresh, records).line
    assert line.startswith("records of 0 of 8 runs; ")
    assert "without matched.json, their proof, none of them is taken" in line


def test_absent_data_are_told_only_where_records_are_missing_and_a_finished_study_takes_none(tmp_path: Path) -> None:
    records, fresh = exported(tmp_path), tmp_path / "fresh"
    plan = replace(PLAN, absent=DataError("no such file", where="fields.jsonl"))
    assert taking_of(plan, fresh, records).absent is None
    shutil.rmtree(records / "runs" / "random-1")
    taking = taking_of(plan, fresh, records)
    assert taking.absent is plan.absent
    assert "random-1 would have to be trained" in taking.line
    layout = Layout(tmp_path / "out")
    seal_study(layout, PLAN.hash, ())
    assert taking_of(plan, layout.root, records).line == ""
