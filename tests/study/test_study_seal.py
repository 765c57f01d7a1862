"""Seals: a changed record or result is found by its digest, K by its own slots, and rosters stand for suites."""

import json
from pathlib import Path
from typing import Any

import pytest
from test_study_record import PLAN, made, scores, suite

from shadowgraph.artifact import write_json
from shadowgraph.errors import DataError
from shadowgraph.identity import fingerprint
from shadowgraph.study.layout import Layout, runs_of
from shadowgraph.study.plan import claim_folder
from shadowgraph.study.record import (
    export_records,
    import_records,
    items_of,
    packed_items,
    records_of,
    to_digits,
    travelling,
    write_record,
)
from shadowgraph.study.roster import ROSTER, write_roster
from shadowgraph.study.seal import faults_of, require_untouched, reseal_page, seal_study

__all__ = ["suite"]  # a fixture


def change(path: Path, **keys: Any) -> None:
    write_json(path, json.loads(path.read_text()) | keys)


def empty(root: Path) -> Layout:
    claim_folder(PLAN, root)
    return Layout(root)


def test_every_file_that_travels_is_held_against_the_manifest(tmp_path: Path) -> None:
    layout, spec = made(tmp_path / "out")
    export_records(layout, spec, tmp_path / "records")
    manifest = json.loads((tmp_path / "records" / "digests.json").read_text())["digests"]
    files = {p.relative_to(tmp_path / "records").as_posix() for p in (tmp_path / "records").rglob("*.json")}
    assert set(manifest) == files - {"digests.json"}
    for name in manifest:
        path = tmp_path / "records" / name
        kept = path.read_bytes()
        path.write_bytes(kept + b"\n")
        with pytest.raises(DataError, match="is not what was written") as caught:
            import_records(empty(tmp_path / "again"), spec, tmp_path / "records")
        assert name in caught.value.where
        path.write_bytes(kept)
    assert import_records(Layout(tmp_path / "again"), spec, tmp_path / "records") == 8


def test_records_without_a_manifest_or_a_name_in_it_are_refused(tmp_path: Path) -> None:
    layout, spec = made(tmp_path / "out")
    export_records(layout, spec, tmp_path / "records")
    path = tmp_path / "records" / "digests.json"
    held = json.loads(path.read_text())["digests"]
    gone = held.pop("runs/random-0/record.json")
    change(path, digests=held)
    with pytest.raises(DataError, match=r"random-0.*not named.*study records"):
        import_records(empty(tmp_path / "again"), spec, tmp_path / "records")
    path.unlink()
    with pytest.raises(DataError, match=r"holds no digests\.json.*study records"):
        import_records(empty(tmp_path / "again"), spec, tmp_path / "records")
    assert len(gone) == 64


def test_a_finished_study_gives_its_records_when_its_mark_proves_them(tmp_path: Path) -> None:
    layout, spec = made(tmp_path / "out")
    with pytest.raises(DataError, match=r"holds no digests\.json"):
        import_records(empty(tmp_path / "again"), spec, layout.root)
    seal_study(layout, PLAN.hash, travelling(layout, spec))
    assert import_records(empty(tmp_path / "again"), spec, layout.root) == 8
    change(layout.run(runs_of(spec)[0]) / "record.json", arm="other")
    with pytest.raises(DataError, match="is not what was written"):
        import_records(empty(tmp_path / "third"), spec, layout.root)


@pytest.mark.parametrize(("k", "fine"), [(1.0, True), (1.0 + 5e-7, True), (1.0 + 3e-6, False), (0.7, False)])
def test_k_is_that_of_its_own_slots(tmp_path: Path, k: float, fine: bool) -> None:
    layout, spec = made(tmp_path)
    key = runs_of(spec)[0]
    statement = json.loads(layout.matched.read_text())["statements"][key.name]
    slots = {"q": [[0, 1.25], [1, 0.75]], "down": [[0, 0.5], [1, 1.5]]}
    record = {"arm": key.arm, "draw": key.draw, "run": fingerprint(statement), "K": k, "per_slot": slots}
    write_record(layout.run(key) / "record.json", record)
    if fine:
        assert records_of(layout, spec)[0]["K"] == k
        return
    with pytest.raises(DataError, match=r"its own slots give 1\b.*run again"):
        records_of(layout, spec)


def test_a_changed_result_is_refused_and_a_changed_page_is_told(tmp_path: Path) -> None:
    layout, _ = made(tmp_path)
    assert faults_of(layout) == []
    write_json(layout.result, {"kind": "study", "x": 1.0})
    layout.report.write_text("page")
    seal_study(layout, PLAN.hash, ())
    require_untouched(layout)
    assert faults_of(layout) == []
    layout.report.write_text("another page")
    assert faults_of(layout) == ["report.html was changed since the study ended"]
    require_untouched(layout)
    reseal_page(layout)
    assert faults_of(layout) == []
    change(layout.result, x=2.0)
    with pytest.raises(DataError, match=r"result\.json was changed since the study ended; delete .*run") as caught:
        require_untouched(layout)
    assert caught.value.exit_code == 3
    layout.result.unlink()
    with pytest.raises(DataError, match=r"result\.json was deleted"):
        require_untouched(layout)


def test_a_mark_of_an_older_version_is_told_and_refused_by_nobody(tmp_path: Path) -> None:
    layout, _ = made(tmp_path)
    write_json(layout.complete, {"plan_hash": PLAN.hash})
    (told,) = faults_of(layout)
    assert "older version" in told
    require_untouched(layout)
    reseal_page(layout)
    assert json.loads(layout.complete.read_text()) == {"plan_hash": PLAN.hash}


def test_a_roster_gives_the_same_scores_without_a_word_of_the_items(suite: Path, tmp_path: Path) -> None:
    record = {"items": packed_items(scores(), suite)}
    whole = items_of(record, suite)
    write_roster(suite)
    text = (suite / ROSTER).read_text()
    assert not any(word in text for word in ("+ 1", "three", "Say so"))
    (tmp_path / "bare").mkdir()
    (suite / ROSTER).rename(tmp_path / "bare" / ROSTER)
    assert items_of(record, tmp_path / "bare") == whole
    with pytest.raises(DataError, match="another suite"):
        items_of({"items": {**record["items"], "suite": "0" * 64}}, tmp_path / "bare")
    change(tmp_path / "bare" / ROSTER, items={"id": ["a"]})
    with pytest.raises(DataError, match="no roster"):
        items_of(record, tmp_path / "bare")


def test_twelve_digits_hide_the_last_bits_of_another_processor() -> None:
    one, other = 0.9351173020527859, 0.9351173020527858
    assert to_digits({"x": [one, 1, None, True, "a"]}) == to_digits({"x": [other, 1, None, True, "a"]})
    assert to_digits(one) == pytest.approx(one, rel=1e-11)
    assert to_digits(1e-300) == 1e-300
