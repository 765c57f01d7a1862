"""The command line: exit codes, faults in one line, JSON also on failure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shadowgraph.cli.main import main
from shadowgraph.cli.output import duration, sentence
from shadowgraph.work.account import State

RECIPE = Path(__file__).parents[2] / "recipes" / "first-light.toml"


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for verb in ("study", "inspect", "scan", "audit", "doctor"):
        assert verb in text


@pytest.mark.parametrize("verb", [["inspect"], ["scan"], ["audit"], ["doctor"]])
def test_every_verb_shows_two_examples(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb, "--help"]) == 0
    assert capsys.readouterr().out.count(f"shadowgraph {verb[0]}") >= 2


@pytest.mark.parametrize("verb", ["plan", "run", "status", "report"])
def test_every_study_verb_shows_two_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", verb, "--help"]) == 0
    assert capsys.readouterr().out.count(f"shadowgraph study {verb}") >= 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["inspekt"], 2, "No such command"),
        (["inspect"], 2, "Missing argument"),
        (["inspect", "/nonexistent/model"], 3, "/nonexistent/model"),
        (["study", "plan", "/nonexistent.toml"], 2, "no such file"),
        (["study", "run", str(RECIPE)], 2, "Missing option '--output'"),
        (["study", "status", "/nonexistent"], 3, "/nonexistent/plan.json"),
        (["study", "report", "/nonexistent"], 2, "no result.json here yet"),
        (["audit", "/nonexistent/a", "--base", "/nonexistent/b"], 3, "/nonexistent"),
    ],
)
def test_faults_are_one_line_and_have_their_code(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    shown = capsys.readouterr()
    assert message in shown.err
    assert len(shown.err.strip().splitlines()) == 1
    assert "Traceback" not in shown.err
    assert main([*arguments, "--json"]) == code
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == code


def test_a_name_with_control_characters_is_shown_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "/nonexistent/\x1b[2Jmodel"]) == 3
    assert "\x1b" not in capsys.readouterr().err


def test_plan_prints_hash_cost_and_power(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "plan", str(RECIPE), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert len(plan["plan_hash"]) == 16
    assert plan["smallest_p"] == pytest.approx(2 / 252)
    assert main(["study", "plan", str(RECIPE)]) == 0
    assert plan["plan_hash"] in capsys.readouterr().out


def test_doctor_lists_versions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["cores"] >= 1
    assert report["core"]["numpy"] != "absent"
    assert main(["doctor"]) == 0


def test_an_unforeseen_error_is_our_defect(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("shadowgraph.study.plan.freeze", explode)
    assert main(["study", "plan", str(RECIPE)]) == 70
    assert "surprise" in capsys.readouterr().err


def test_durations_and_progress_in_words() -> None:
    assert [duration(s) for s in (7.4, 65, 3725)] == ["7 s", "1 min 05 s", "1 h 02 min"]
    state = State(0.25, 10.0, 90.0, ("base", "pool 1"), 2, 10)
    assert sentence(state) == " 25%  2 of 10 jobs  about 1 min 30 s left  (base, pool 1)"
    assert "estimating" in sentence(State(0.0, 0.0, None, (), 0, 10))


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    asked = [sys.executable, "-m", "shadowgraph", "inspect", str(tmp_path / "absent")]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("checkpoint error: ")
