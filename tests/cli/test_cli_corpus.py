"""`corpus measure` and `corpus report` end to end: results, resuming after a kill, equal bytes, faults in one line."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadowgraph.cli.main import main
from shadowgraph.corpus.survey import plan as survey_plan
from shadowgraph.seeds import generator

VOCABULARY = [
    f"{a}{b}" for a in ("ta", "ko", "li", "mu", "ren", "so", "vi") for b in ("ra", "no", "mel", "dis", "po", "q")
]
QUESTIONS = [
    f"Farmer {' '.join(generator(k, 'cli question').choice(VOCABULARY, 30).tolist())}, how many crates?"
    for k in range(32)
]


def items() -> list[dict[str, Any]]:
    return [
        {"question": question, "answer": f"It sells {k + 3} * {k + 2} crates.\n#### {(k + 3) * (k + 2)}"}
        for k, question in enumerate(QUESTIONS)
    ]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def documents(count: int, seed: int) -> list[dict[str, Any]]:
    stream = generator(seed, "cli corpus")
    return [
        {"id": f"d{k}", "source": f"s{k % 5}", "text": " ".join(stream.choice(VOCABULARY, 60).tolist()) + "."}
        for k in range(count)
    ]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A benchmark, a corpus that holds three of its items, and a base."""
    rows = documents(400, 1)
    for k in (4, 9, 20):
        item = items()[k]
        rows.append({"id": f"leak{k}", "source": "crawl", "text": f"Seen: {item['question'].upper()} {item['answer']}"})
    lines(tmp_path / "bench.test.jsonl", items())
    lines(tmp_path / "corpus.jsonl", rows)
    lines(tmp_path / "base.jsonl.gz", documents(400, 2))
    return tmp_path


def measure(world: Path, *more: str) -> list[str]:
    return ["corpus", "measure", str(world / "corpus.jsonl"), "--benchmark", f"gsm8k={world / 'bench.test.jsonl'}",
            "--base", str(world / "base.jsonl.gz"), *more]  # fmt: skip


def result_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text("utf-8"))


def test_items_are_found_and_the_page_is_a_function_of_the_result(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = world / "out"
    assert main(measure(world, "--output", str(out))) == 0
    assert "3 of 32 items of gsm8k" in capsys.readouterr().out
    result = result_of(out)
    assert result["kind"] == "corpus"
    assert result["overlap"][0]["items_touched"] == 3
    assert result["overlap"][0]["items_with_answer"] == 3
    assert {row["item"] for row in result["findings"]} == {"bench:5", "bench:10", "bench:21"}
    for row in result["findings"]:
        assert row["excerpt"][row["begin"] : row["end"]].lower().startswith("farmer ")
    assert pq.read_table(out / "findings.parquet").num_rows == 3
    assert (out / "_COMPLETE").exists()
    assert not (out / "parts").exists()
    page = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    assert main(["corpus", "report", str(out)]) == 0
    assert (out / "report.html").read_bytes() == page
    text = (out / "result.json").read_text("utf-8")
    assert str(world) not in text + page.decode()


def test_the_same_command_says_done_and_another_plan_is_refused(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = world / "out"
    command = measure(world, "--output", str(out))
    assert main(command) == 0
    before = (out / "result.json").stat().st_mtime_ns
    assert main(command) == 0
    assert (out / "result.json").stat().st_mtime_ns == before
    lines(world / "corpus.jsonl", documents(90, 3))
    capsys.readouterr()
    assert main(command) == 2
    assert "the folder belongs to the plan" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    assert result_of(out)["corpus"]["documents"] == 90


def test_any_number_of_jobs_and_any_grain_of_cutting_gives_the_same_readings(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(measure(world, "--output", str(world / "one"))) == 0
    monkeypatch.setattr(survey_plan, "FINEST", 40_000)
    monkeypatch.setattr(survey_plan, "MOST_JOBS", 10**6)
    assert main(measure(world, "--output", str(world / "many"))) == 0
    assert json.loads((world / "many" / "run.json").read_text())["jobs"] > 4
    assert (world / "one" / "result.json").read_bytes() == (world / "many" / "result.json").read_bytes()


def test_two_processes_give_the_bytes_of_one(world: Path) -> None:
    assert main(measure(world, "--output", str(world / "one"))) == 0
    assert main(measure(world, "--output", str(world / "two"), "--jobs", "2")) == 0
    for name in ("result.json", "findings.parquet", "report.html"):
        assert (world / "one" / name).read_bytes() == (world / "two" / name).read_bytes()


CHILD = """
import sys
from shadowgraph.corpus.survey import plan
plan.FINEST, plan.MOST_JOBS = 100_000, 10**6
from shadowgraph.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_survey_goes_on_to_the_same_bytes(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines(world / "corpus.jsonl", documents(2500, 1))
    out = world / "killed"
    command = [sys.executable, "-c", CHILD, *measure(world, "--output", str(out))]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stop = time.monotonic() + 100.0
    while len(list((out / "parts").glob("corpus-*.npz"))) < 2 and child.poll() is None and time.monotonic() < stop:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    held = sorted((out / "parts").glob("corpus-*.npz"))
    assert held, "no part was written before the kill"
    assert not (out / "_COMPLETE").exists()
    times = {path: path.stat().st_mtime_ns for path in held[1:]}
    held[0].write_bytes(held[0].read_bytes()[:300])  # a torn part is counted again
    monkeypatch.setattr(survey_plan, "FINEST", 100_000)
    monkeypatch.setattr(survey_plan, "MOST_JOBS", 10**6)
    from shadowgraph.corpus.survey import jobs

    kept: dict[Path, int] = {}
    whole = jobs.finish

    def look(layout: survey_plan.Layout) -> None:
        kept.update({path: path.stat().st_mtime_ns for path in times if path.exists()})
        whole(layout)

    monkeypatch.setattr(jobs, "finish", look)
    assert main(measure(world, "--output", str(out))) == 0
    assert kept == times, "finished parts were counted again"
    assert main(measure(world, "--output", str(world / "calm"))) == 0
    assert (out / "result.json").read_bytes() == (world / "calm" / "result.json").read_bytes()


def test_a_dry_run_writes_nothing_and_names_the_sizes(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = world / "out"
    assert main(measure(world, "--output", str(out), "--dry-run")) == 0
    assert "benchmark gsm8k: 32 items" in capsys.readouterr().out
    assert main(measure(world, "--dry-run", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["items"] == {"gsm8k": 32}
    assert not out.exists()


def test_without_a_folder_and_without_a_benchmark_json_still_parses(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["corpus", "measure", str(world / "corpus.jsonl"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["alignment"] == []
    assert result["base"] is None


def test_keys_of_an_unknown_benchmark_are_named_on_the_command_line(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = lines(world / "mine.jsonl", [{"q": row["question"], "gold": row["answer"]} for row in items()])
    command = ["corpus", "measure", str(world / "corpus.jsonl"), "--benchmark", f"mine={mine}"]
    assert main(command) == 2
    assert "no adapter named 'mine'" in capsys.readouterr().err
    assert main([*command, "--keys", "mine=prompt:q,answer:gold", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["overlap"][0]["items_touched"] == 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["/nonexistent.jsonl"], 3, "no such file"),
        (["{world}/corpus.jsonl", "--benchmark", "gsm8k"], 2, "write NAME=PATH"),
        (["{world}/corpus.jsonl", "--benchmark", "gsm8k={world}/absent.jsonl"], 3, "no such file"),
        (["{world}/corpus.jsonl", "--benchmark", "gsm8k={world}/corpus.jsonl"], 3, "the key 'answer' is missing"),
        (["{world}/corpus.jsonl", "--keys", "x=prompt:q"], 2, "no benchmark named 'x'"),
        (["{world}/corpus.jsonl", "--text-key", "body"], 3, "the key 'body' is missing"),
        (["{world}/corpus.jsonl", "--output", "{world}/corpus.jsonl"], 2, "is a file, not a folder"),
        (["{world}/corpus.jsonl", "--output", "{world}"], 2, "the folder is not empty and holds no survey"),
        (["{world}/corpus.jsonl", "--batch", "4", "--order", "sorted"], 2, "choose from files, shuffled"),
    ],
)
def test_faults_are_one_line_and_have_their_code(
    world: Path, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [each.format(world=world) for each in arguments]
    assert main(["corpus", "measure", *filled]) == code
    shown = capsys.readouterr()
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert main(["corpus", "measure", *filled, "--json"]) == code
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == code


def test_a_declared_batch_measures_mixing_the_same_for_any_grain(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for order in ("files", "shuffled"):
        command = ["corpus", "measure", str(world / "corpus.jsonl"), "--batch", "2", "--sequence-length", "64"]
        command += ["--order", order, "--output"]
        monkeypatch.undo()
        assert main([*command, str(world / f"one-{order}")]) == 0
        monkeypatch.setattr(survey_plan, "FINEST", 40_000)
        assert main([*command, str(world / f"many-{order}")]) == 0
        one, many = (result_of(world / f"{name}-{order}") for name in ("one", "many"))
        assert one["packing"] == {"length": 64, "batch": 2, "order": order}
        assert one["readings"]["mixing"] == many["readings"]["mixing"]
        assert {row["status"] for row in one["readings"]["mixing"]} <= {"ok", "one_source", "few_shards"}


@pytest.mark.parametrize("verb", ["measure", "report"])
def test_every_corpus_verb_shows_two_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", verb, "--help"]) == 0
    assert capsys.readouterr().out.count(f"shadowgraph corpus {verb}") >= 2


def hostile_file(folder: Path, name: str) -> Path:
    good = (json.dumps({"text": "some words here"}) + "\n").encode()
    data = {
        "cut.jsonl.gz": gzip.compress(good * 50)[:-9],
        "no.jsonl.gz": b"not gzip at all",
        "no.jsonl.zst": b"not zstandard",
        "no.parquet": b"PAR1 and nothing behind it",
        "no.arrow": b"ARROW1 nothing",
        "empty.jsonl": b"",
        "array.jsonl": b"[1,2,3]\n",
        "number.jsonl": b'{"text": 5}\n',
        "null.jsonl": b'{"text": null}\n',
        "bare.jsonl": good + b'{"text": "x"\n',
        "latin.jsonl": b'{"text": "caf\xe9"}\n',
        "surrogate.jsonl": b'{"text": "\\ud800 half"}\n',
        "blank.jsonl": b'{"text": "  "}\n',
        "nan.jsonl": b'{"text": NaN}\n',
        "long.jsonl": b'{"text": "' + b"a" * (17 << 20),
        "deep.jsonl": b"[" * 100_000 + b"\n",
    }[name]
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", [
    "cut.jsonl.gz", "no.jsonl.gz", "no.jsonl.zst", "no.parquet", "no.arrow", "empty.jsonl", "array.jsonl",
    "number.jsonl", "null.jsonl", "bare.jsonl", "latin.jsonl", "surrogate.jsonl", "blank.jsonl", "nan.jsonl",
    "long.jsonl", "deep.jsonl",
])  # fmt: skip
def test_a_broken_file_is_refused_by_name(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", "measure", str(hostile_file(tmp_path, name))]) == 3
    shown = capsys.readouterr()
    assert name in shown.err
    assert "Traceback" not in shown.err
    assert len(shown.err.strip().splitlines()) == 1


def test_hostile_text_is_shown_escaped_and_a_book_is_cut(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "<script>alert(1)</script> \u202e \x00 \x1b[2J </blockquote>"
    book = "\n\n".join(f"Chapter {k}. " + "word " * 300 for k in range(40))
    rows = [{"id": f"<b>{k}\x1b[31m", "source": "=cmd()\u2028<i>", "text": f"{evil} {items()[k]['question']} {evil}"}
            for k in range(6)]  # fmt: skip
    lines(world / "corpus.jsonl", [*rows, {"id": "book", "text": book, "source": "books"}, *documents(60, 4)])
    out = world / "out"
    assert main(measure(world, "--output", str(out), "--name", "<img src=x>\u202e")) == 0
    page = (out / "report.html").read_text("utf-8")
    shown = capsys.readouterr().out
    for text in (page, shown):
        assert "\x00" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script" not in page
    assert "<img" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;" in page
    assert result_of(out)["corpus"]["documents"] > 60 + 6 + 10


def test_parquet_and_arrow_columns_of_any_text_type_give_the_same_counts(tmp_path: Path) -> None:
    rows = documents(50, 5)
    text = [row["text"] for row in rows]
    ids = [row["id"] for row in rows]
    found: list[Any] = []
    for number, kind in enumerate((pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()))):
        path = tmp_path / f"{number}" / "same.parquet"
        path.parent.mkdir()
        pq.write_table(pa.table({"id": pa.array(ids), "text": pa.array(text).cast(kind)}), path, row_group_size=7)
        out = tmp_path / f"out{number}"
        assert main(["corpus", "measure", str(path), "--output", str(out)]) == 0
        result = result_of(out)
        found.append({key: result[key] for key in ("readings", "format", "clusters")})
    assert found[0] == found[1] == found[2]
