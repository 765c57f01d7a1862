"""`score` end to end against a server on the loopback address: tables, JSON, dry runs, faults in one line, resuming."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from shadowgraph.cli.main import main
from shadowgraph.scores.item import read_scores

TOWNS = ["Ardel", "Bomiss", "Corvane", "Dulith"]
KEY = "sk-very-secret-93"


class Letters(ThreadingHTTPServer):
    """A server whose model gives each letter the log-probability −ord / 100; counts what it is asked."""

    asked: int = 0
    broken: bool = False
    keys: set[str | None]


class Handler(BaseHTTPRequestHandler):
    """Completions, a token a letter."""

    def do_POST(self) -> None:
        server = cast("Letters", self.server)
        question: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompts = question["prompt"] if isinstance(question["prompt"], list) else [question["prompt"]]
        server.asked += len(prompts)
        server.keys.add(self.headers["Authorization"])
        choices: list[dict[str, Any]] = []
        for number, text in enumerate(prompts):
            logs = [None, *(-ord(letter) / 100 for letter in f"{text[1:]}.")]
            told = {"tokens": [*text, "."], "token_logprobs": logs, "text_offset": list(range(len(text) + 1))}
            choices.append({"index": number, "text": f"{text}." if question.get("echo") else " 7.", "logprobs": told})
        body = json.dumps({"choices": choices}).encode()
        self.send_response(500 if server.broken else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Generator[Letters]:
    """The server, until the test ends."""
    found = Letters(("127.0.0.1", 0), Handler)
    found.keys = set()
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


@pytest.fixture
def at(server: Letters) -> list[str]:
    """The options that name the server."""
    return ["score", "--endpoint", f"http://127.0.0.1:{server.server_port}/v1", "--model", "letters"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A task with choices, one without, and a benchmark in its own keys."""
    towns = [
        {"prompt": f"Which town lies {k} miles inland?", "choices": TOWNS, "answer": TOWNS[k % 4]} for k in range(8)
    ]
    sums = [{"question": f"What is {k} and {7 - k} together?", "gold": 7} for k in range(5)]
    cats = [f"The cat {k} sleep" for k in range(4)]
    pairs = [{"UID": "a", "pairID": cat, "sentence_good": f"{cat}s.", "sentence_bad": f"{cat}."} for cat in cats]
    for name, rows in (("towns", towns), ("sums", sums), ("pairs", pairs)):
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return tmp_path


def test_own_tasks_and_benchmarks_in_one_command(
    at: list[str], files: Path, server: Letters, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    command = [*at, "--task", str(files / "towns.jsonl"), "--task", f"sums={files / 'sums.jsonl'}", "--keys",
               "sums=prompt:question,answer:gold", "--benchmark", f"blimp={files / 'pairs.jsonl'}", "--prefix", "!",
               "--key-from", "MY_KEY", "--output", str(files / "out")]  # fmt: skip
    assert main([*command, "--json"]) == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    rows = {row["split"]: row for row in result["splits"]}
    assert {name: row["items"] for name, row in rows.items()} == {"towns": 8, "sums": 5, "blimp": 4}
    assert rows["sums"]["exact_match"] == 1.0
    assert rows["towns"]["accuracy"] == 0.25  # the letter A has the smallest code
    items = [item for item in read_scores(files / "out" / "scores.parquet") if item.split == "blimp"]
    assert all(item.margin == pytest.approx(-ord("s") / 100) for item in items)
    assert server.keys == {f"Bearer {KEY}"}
    asked = server.asked
    assert main(command) == 0
    assert server.asked == asked
    shown = capsys.readouterr()
    assert all(name in shown.out for name in rows)
    everything = "".join(path.read_text("utf-8", "replace") for path in (files / "out").rglob("*") if path.is_file())
    assert KEY not in everything + said.out + said.err + shown.out


def test_a_panel_shows_every_dress_and_what_it_declined(
    at: list[str], files: Path, server: Letters, capsys: pytest.CaptureFixture[str]
) -> None:
    task = ["--task", str(files / "towns.jsonl"), "--panel", "--items", "5", "--seed", "3"]
    assert main(["score", *task, "--dry-run", "--json"]) == 0
    planned = {part["split"]: part for part in json.loads(capsys.readouterr().out)["splits"]}
    assert server.asked == 0
    assert main(["score", *task, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "requests; nothing was asked" in said
    assert "towns: 5 items (choice)" in said
    assert main([*at, *task, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {row["split"]: (row["items"], row["declined"]) for row in result["splits"]} == {
        split: (part["items"], sum(part["declined"].values())) for split, part in planned.items()
    }
    assert planned["towns"]["items"] == 5
    assert main([*at, *task]) == 0
    table = capsys.readouterr().out
    assert all(split in table for split in planned)
    assert "declined" in table
    assert "…" not in table


def test_a_sitting_goes_on_when_the_server_is_back(
    at: list[str], files: Path, server: Letters, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(seconds: float) -> None:
        pass

    monkeypatch.setattr("time.sleep", at_once)
    command = [*at, "--task", str(files / "towns.jsonl"), "--output", str(files / "out"), "--json"]
    server.broken = True
    assert main(command) == 5
    said = capsys.readouterr()
    assert "the same command goes on where this one stopped" in said.err
    assert json.loads(said.out)["error"]["exit_code"] == 5
    server.broken = False
    assert main(command) == 0
    assert (files / "out" / "_COMPLETE").exists()


def test_faults_are_one_line_with_their_code(at: list[str], files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "bad.jsonl").write_text('{"prompt": "a", "answer": "b"}\n{"prompt": "c"}\n')
    (files / "nogold.jsonl").write_text('{"prompt": "a"}\n')
    task = ["--task", str(files / "towns.jsonl")]
    wrong: tuple[tuple[list[str], int, str], ...] = (
        ([*at, "--task", str(files / "bad.jsonl")], 3, "bad.jsonl row 2 key 'answer': is missing"),
        ([*at, "--task", str(files / "nogold.jsonl")], 3, "no row holds 'answer', so nothing can be scored"),
        ([*at, "--task", str(files / "none.jsonl")], 3, "none.jsonl: no such file"),
        ([*at, "--suite", str(files)], 3, "suite.json: no such file"),
        (at, 2, "nothing to score"),
        ([*at, *task, *task], 2, "two tasks are called 'towns'"),
        ([*at, *task, "--task", f"again={files / 'towns.jsonl'}"], 2, "'towns' and 'again' are the same file"),
        ([*at, *task, "--rules", "sung"], 2, "no rule is called 'sung'"),
        ([*at, *task, "--keys", "towns=prompt"], 2, "--keys: found 'towns=prompt'"),
        ([*at, *task, "--keys", "cities=prompt:p,answer:a"], 2, "no benchmark named 'cities'"),
        ([*at, *task, "--benchmark", "towns=x"], 2, "two tasks are called 'towns'"),
        ([*at, "--benchmark", f"own={files / 'towns.jsonl'}"], 3, "no adapter named 'own'"),
        ([*at, "mymodel", *task], 2, "a folder and an endpoint are two models"),
        (["score", *task], 2, "no model"),
        (["score", *task, "--model", "m"], 2, "belongs to an endpoint"),
        (["score", *task, "--endpoint", "http://127.0.0.1:1/v1"], 2, "needs the model's name"),
        (["score", *task, "--endpoint", "file:///etc", "--model", "m"], 2, "endpoint: found"),
        ([*at, *task, "--key-from", "NO_SUCH_KEY"], 5, "NO_SUCH_KEY: the variable of the API key is not set"),
        (["score", str(files / "none"), *task], 3, "no such folder"),
    )
    for command, code, words in wrong:
        assert main(command) == code, command
        said = capsys.readouterr()
        assert words in said.err
        assert said.err.strip().count("\n") == 0
