"""Artifacts: a file is whole or absent, and a ledger survives being killed at any byte."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.artifact import Ledger, claim, clear, exclusive, read_json, refuse_file, whole, write_bytes, write_json
from shadowgraph.errors import DataError, Defect, EnvironmentFault, SpecError

ROWS = [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 2.25, "note": "ü\n"}, {"step": 3, "loss": None}]


def leftovers(folder: Path) -> list[str]:
    """Names of temporary files that a write left behind."""
    return [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]


def test_bytes_and_folders_are_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / "new" / "file.bin", b"\x00\x01")
    assert (tmp_path / "new" / "file.bin").read_bytes() == b"\x00\x01"
    assert leftovers(tmp_path / "new") == []


def test_json_is_sorted_and_ends_with_a_line(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": (1, 2), "a": "é"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n "a": "é",\n "b": [\n  1,\n  2\n ]\n}\n'
    assert read_json(tmp_path / "a.json") == {"a": "é", "b": [1, 2]}


def test_a_refused_value_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"estimate": 1.0})
    with pytest.raises(Defect):
        write_json(path, {"estimate": float("nan")})
    assert read_json(path) == {"estimate": 1.0}


def test_a_failure_inside_the_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_bytes(path, b"old")

    def failing_writer() -> None:
        with whole(path) as temporary:
            temporary.write_bytes(b"half of the n")
            raise KeyError("a fault of the writer")

    with pytest.raises(KeyError):
        failing_writer()
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_a_disk_that_refuses_is_an_environment_fault(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_bytes(b"")
    with pytest.raises(EnvironmentFault, match=r"blocked.*run the same command again"):
        write_bytes(tmp_path / "blocked" / "file", b"data")


@pytest.mark.parametrize(("content", "finding"), [(None, "no such file"), (b"{", "line 1"), (b"\xff", "not JSON")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, finding: str) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=finding) as caught:
        read_json(path)
    assert str(path) in str(caught.value)


def test_a_ledger_returns_what_was_appended(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deep" / "ledger.jsonl")
    assert ledger.rows() == []
    for row in ROWS:
        ledger.append(row)
    assert Ledger(ledger.path).rows() == ROWS


@given(st.data())
def test_a_ledger_cut_at_any_byte_keeps_every_whole_row(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("cut") / "ledger.jsonl")
    for row in ROWS:
        ledger.append(row)
    content = ledger.path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    ledger.path.write_bytes(content[:cut])
    kept = content[:cut].count(b"\n")
    assert ledger.rows() == ROWS[:kept]
    ledger.append({"step": "after"})
    assert ledger.rows() == [*ROWS[:kept], {"step": "after"}]


def test_a_spoilt_row_is_named(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.path.write_bytes(b'{"step": 1}\n{"step"\n')
    with pytest.raises(DataError, match=r"ledger\.jsonl row 2"):
        ledger.rows()


def test_a_row_that_has_no_form_does_not_touch_the_ledger(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(ROWS[0])
    with pytest.raises(Defect):
        ledger.append({"loss": float("inf")})
    assert ledger.rows() == ROWS[:1]


WRITER = """
import sys
from pathlib import Path
from shadowgraph.artifact import Ledger, write_json
folder = Path(sys.argv[1])
ledger = Ledger(folder / "ledger.jsonl")
step = len(ledger.rows())
while True:
    ledger.append({"step": step, "filler": "x" * 4000})
    write_json(folder / "state.json", {"step": step, "filler": ["y"] * 2000})
    step += 1
"""


def killed_writer(folder: Path, seconds: float) -> None:
    """Start a process that writes without end, and kill it after it has written for `seconds`."""
    ledger = folder / "ledger.jsonl"
    size = ledger.stat().st_size if ledger.exists() else 0
    with subprocess.Popen([sys.executable, "-c", WRITER, str(folder)]) as process:
        deadline = time.monotonic() + 60
        while not (ledger.exists() and ledger.stat().st_size > size) and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)


def test_a_kill_leaves_whole_rows_in_order_and_a_whole_file(tmp_path: Path) -> None:
    for seconds in (0.0, 0.03, 0.11):
        killed_writer(tmp_path, seconds)
    rows: list[dict[str, Any]] = Ledger(tmp_path / "ledger.jsonl").rows()
    assert [row["step"] for row in rows] == list(range(len(rows)))
    state = json.loads((tmp_path / "state.json").read_text())
    assert len(rows) - 2 <= state["step"] < len(rows)
    assert len(state["filler"]) == 2000


OWN = (".lock", "plan.json", "work", "result.json")


def take(root: Path, identity: str, *, overwrite: bool = False) -> None:
    claim(root, {"hash": identity, "what": 1}, OWN, key="hash", kind="trial", overwrite=overwrite)


def test_a_folder_is_claimed_once_and_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "out"
    take(root, "a")
    before = (root / "plan.json").stat().st_mtime_ns
    take(root, "a")
    assert (root / "plan.json").stat().st_mtime_ns == before
    assert read_json(root / "plan.json") == {"hash": "a", "what": 1}


def test_another_plan_is_refused_and_overwriting_deletes_our_names_only(tmp_path: Path) -> None:
    take(tmp_path, "a")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "part").write_text("x")
    (tmp_path / "result.json").symlink_to(tmp_path / "notes.txt")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SpecError, match="belongs to the plan a, and this is the plan b"):
        take(tmp_path, "b")
    with exclusive(tmp_path / ".lock"), pytest.raises(EnvironmentFault, match="another process"):
        take(tmp_path, "b", overwrite=True)
    assert (tmp_path / "work" / "part").exists()
    take(tmp_path, "b", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "plan.json"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_foreign_folders_and_files_are_never_claimed(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(SpecError, match="not empty and holds no trial"):
            take(tmp_path, "a", overwrite=overwrite)
    with pytest.raises(SpecError, match="is a file, not a folder"):
        take(tmp_path / "thesis.tex", "a")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    refuse_file(None)
    refuse_file(tmp_path / "absent")


def test_a_folder_that_holds_only_a_lock_is_free(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    take(tmp_path, "a")


def test_clearing_follows_no_link_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "kept").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "work").symlink_to(tmp_path / "far")
    clear(tmp_path / "out", OWN)
    assert (tmp_path / "far" / "kept").exists()
    assert not (tmp_path / "out" / "work").exists()
