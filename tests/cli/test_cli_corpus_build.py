"""The verb `corpus build`, from a file to a balance sheet on the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadowgraph.cli.main import main
from shadowgraph.corpus.tokens import train_tokenizer
from shadowgraph.seeds import generator

SPEC = """
schema_version = "1.0"
[corpus]
name = "small"
seed = 3
[pool]
files = ["pool.jsonl"]
[[benchmarks]]
name = "quiz"
files = ["quiz.jsonl"]
mapping = { prompt = "q", answer = "a" }
[tokens]
tokenizer = "tokenizer"
end = "<|end|>"
[budget]
tokens = 4096
sequence_length = 64
[[arms]]
name = "random"
regime = "random"
[[arms]]
name = "aligned"
regime = "aligned"
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    stream = generator(0, "cli corpus build")

    def sentence(topic: str) -> str:
        return " ".join(f"{topic}{int(stream.integers(40))}" for _ in range(20)) + "."

    rows = [{"id": f"d{n}", "text": sentence(("river", "engine", "planet")[n % 3])} for n in range(600)]
    items = [{"q": sentence("planet") + " what", "a": str(n)} for n in range(40)]
    for name, found in (("pool", rows), ("quiz", items)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    train_tokenizer((row["text"] for row in rows), 300, tmp_path / "tokenizer")
    (tmp_path / "spec.toml").write_text(SPEC)
    return tmp_path / "spec.toml"


def test_a_build_shows_its_balance_sheet(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = spec.parent / "out"
    assert main(["corpus", "build", str(spec), "--output", str(output), "--dry-run"]) == 0
    assert "nothing was built" in capsys.readouterr().out
    assert not output.exists()
    assert main(["corpus", "build", str(spec), "--output", str(output)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "small: arms random, aligned; 1 draws"
    sheet = {line.split()[0]: line.split() for line in lines[2:4]}
    assert sheet["random"][1:3] == sheet["aligned"][1:3] == ["0", "4,096"]
    assert lines[1].split()[-2:] == ["content/quiz", "format/quiz"]
    assert float(sheet["aligned"][-2]) > float(sheet["random"][-2])
    assert any("test items found in" in line for line in lines)
    assert not any("not clearly nearer" in line for line in lines)


def test_an_aligned_arm_that_is_not_nearer_says_so(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.loads(line) for line in (spec.parent / "pool.jsonl").read_text().splitlines()]
    for row in rows:  # what is near is short, what is far is long
        row["text"] = " ".join(row["text"].split()[:9]) if "planet" in row["text"] else row["text"]
    (spec.parent / "pool.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = spec.parent / "out"
    assert main(["corpus", "build", str(spec), "--output", str(output)]) == 0
    said = capsys.readouterr().out
    assert "aligned is not clearly nearer to quiz than random documents are" in said
    assert "change budget.match_lengths = false, temperature (now 0.25), the share of the pool" in said
    (row,) = json.loads((output / "built.json").read_text())["nearness"]
    assert (row["arm"], row["against"], row["clear"]) == ("aligned", "random", False)
    assert row["gain"] < row["least"]
    spec.write_text(SPEC.replace("sequence_length = 64", "sequence_length = 64\nmatch_lengths = false"))
    assert main(["corpus", "build", str(spec), "--output", str(output), "--overwrite", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["nearness"]
    assert row["clear"]
    assert row["gain"] > 0.5


def test_a_file_that_is_no_tokenizer_is_named_before_anything_is_built(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in (SPEC.replace('"tokenizer"', '"pool.jsonl"'), SPEC.replace('"tokenizer"', '"empty.json"')):
        (spec.parent / "empty.json").write_text("{}")
        spec.write_text(text)
        assert main(["corpus", "build", str(spec), "--output", str(spec.parent / "out"), "--dry-run"]) == 3
        said = capsys.readouterr().err
        assert "no tokenizer could be read from it" in said
        assert "pool.jsonl" in said or "empty.json" in said


def test_the_same_command_says_the_same_and_json_parses(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["corpus", "build", str(spec), "--output", str(spec.parent / "out")]
    found: list[str] = []
    for more in ([], [], ["--json"]):
        assert main([*arguments, *more]) == 0
        found.append(capsys.readouterr().out)
    assert found[0] == found[1]
    answer = json.loads(found[2])
    assert {arm["tokens"] for arm in answer["arms"]} == {4096}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('regime = "aligned"', 'regime = "alligned"', "aligned"),
        ("tokens = 4096", "tokens = 4097", "multiple of sequence_length"),
        ('files = ["pool.jsonl"]', "files = []", "pool.files"),
    ],
)
def test_a_wrong_file_names_the_key(
    spec: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, words: str
) -> None:
    spec.write_text(SPEC.replace(old, new))
    assert main(["corpus", "build", str(spec), "--output", str(spec.parent / "out")]) == 2
    assert words in capsys.readouterr().err
