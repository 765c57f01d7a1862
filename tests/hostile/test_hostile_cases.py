"""Every row of the fault list through the Python interface and the command line: code, words, no traceback."""

import json
import time
from pathlib import Path

import pytest
from badcase import Case
from badfiles import CASES, NOT_MADE, ROWS, made

from shadowgraph.audit.verdict import audit
from shadowgraph.cli.main import main
from shadowgraph.errors import ShadowgraphError
from shadowgraph.footprint.scan import scan
from shadowgraph.weights.adapters.adapter import Adapter
from shadowgraph.weights.adapters.opened import open_model
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.series import is_series, open_series, require_settled

INCONCLUSIVE = 4
LISTED = [pytest.param(case, id=case.id, marks=[pytest.mark.slow] if case.slow else []) for case in CASES]


def by_interface(case: Case, path: Path, base: Path | None) -> tuple[int, str]:
    """Code and text of the same question asked in Python."""
    try:
        if case.verb == "audit":
            assert base is not None
            verdict = audit(path, base)
            checks = " ".join(f"{check.code} {check.detail}" for check in verdict.checks)
            return (
                INCONCLUSIVE if verdict.label == "inconclusive" else 0
            ), f"{verdict.label} {verdict.sentence} {checks}"
        if case.verb == "scan":
            footprint = scan(open_model(path), None if base is None else open_checkpoint(base))
            said = [
                *footprint.notes,
                *(item.reason for item in footprint.skipped),
                *(row.status for row in footprint.rows),
            ]
            return 0, " ".join(said)
        if is_series(path):
            series = open_series(path, stable_for=case.stable_for)
            return 0, " ".join([*series.notes, *(item.reason for item in series.skipped)])
        checkpoint = open_model(path)
        require_settled(checkpoint, case.stable_for)
        if isinstance(checkpoint, Adapter):
            updates = checkpoint.updates(None)
            said = [f"{update.name} scale {update.scale:g}" for update in updates.factored]
            return 0, " ".join([*checkpoint.notes, *updates.notes, *said, *(item.reason for item in updates.skipped)])
        found = [f"{matrix.name} {matrix.role.block}" for matrix in checkpoint.matrices()]
        said = [f"{item.tensor} {item.reason}" for item in checkpoint.skipped]
        return 0, " ".join([*checkpoint.notes, *said, *found])
    except ShadowgraphError as error:
        return error.exit_code, str(error)


@pytest.mark.parametrize("case", LISTED)
def test_the_interface_says_what_is_wrong(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(case, tmp_path)
    if case.during is not None:
        case.during(monkeypatch, path)
    started = time.process_time()
    code, said = by_interface(case, path, tmp_path / case.base if case.base else None)
    assert code == case.code, said
    assert all(word in said for word in case.words if word.isprintable()) or case.code == 0, said
    if case.code == 3:
        assert said.isprintable()
        assert Path(case.target).name in said or "spec" in said
        assert len(said) < 2000
    if case.code == 0:
        assert all(word in said or word in _printed(said) for word in case.words), said[:2000]
    assert time.process_time() - started < 10


def _printed(said: str) -> str:
    return said.encode("unicode_escape").decode("ascii")


@pytest.mark.parametrize("case", LISTED)
def test_the_command_line_says_the_same(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(case, tmp_path)
    before = {place for place in tmp_path.rglob("*") if "d/d" not in str(place)} if not case.slow else set[Path]()
    arguments = [case.verb, str(path)]
    if case.base:
        arguments += ["--base", str(tmp_path / case.base)]
    if case.stable_for:
        arguments += ["--stable-for", str(case.stable_for)]
    if case.during is not None:
        case.during(monkeypatch, path)
    assert main(arguments) == case.code
    shown = capsys.readouterr()
    both = shown.out + shown.err
    assert all(word in both for word in case.words), both[:3000]
    assert "Traceback" not in both
    assert not {character for character in both if ord(character) < 32} - {"\n"}
    assert "\u202e" not in both
    if case.code in {3, 5}:
        assert len(shown.err.strip().splitlines()) == 1
        assert not shown.out
    if not case.slow:
        assert {place for place in tmp_path.rglob("*") if "d/d" not in str(place)} - before <= {tmp_path / "other"}
    if case.during is None:
        assert main([*arguments, "--json"]) == case.code
        document = json.loads(capsys.readouterr().out)
        assert ("error" in document) == (case.code in {3, 5})


def test_every_row_is_made_or_accounted_for() -> None:
    rows = {case.row for case in CASES}
    assert set(ROWS) - rows == set(NOT_MADE)
    assert len({case.id for case in CASES}) == len(CASES)
