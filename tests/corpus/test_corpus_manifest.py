"""A whole build: arms on disk, the same bytes in any order and sharding, resumed after a kill."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from shadowgraph.artifact import read_object
from shadowgraph.corpus.build import build_regimes
from shadowgraph.corpus.manifest import manifest_digest
from shadowgraph.corpus.tokens import train_tokenizer
from shadowgraph.errors import DataError, SpecError
from shadowgraph.seeds import generator

TOPICS = ("river", "engine", "market", "garden", "planet", "violin")
SPEC = """
schema_version = "1.0"
[corpus]
name = "small"
seed = 3
draws = 2
[pool]
files = {files}
[base]
files = ["base.jsonl"]
[[benchmarks]]
name = "quiz"
files = ["quiz.jsonl"]
mapping = {{ prompt = "q", answer = "a" }}
[tokens]
tokenizer = "tokenizer"
end = "<|end|>"
answer_after = "Answer:"
[budget]
tokens = 4096
sequence_length = 64
supervised = 240
[match]
reference = "random"
keep = 1
calipers = {{ unigram_entropy = 5.0, document_length = 2.0 }}
"""
ARMS = """
[[arms]]
name = "random"
regime = "random"
[[arms]]
name = "aligned"
regime = "aligned"
[[arms]]
name = "covering"
regime = "covering"
[[arms]]
name = "new"
regime = "covering_new"
[[arms]]
name = "near"
regime = "repeated"
share = 0.1
repeats = 4
kind = "near"
[[arms]]
name = "shuffled"
regime = "shuffled_answers"
of = "random"
[[arms]]
name = "leak"
regime = "leak"
share = 0.05
"""


def sentence(stream: np.random.Generator, topic: str) -> str:
    words = [f"{topic}{int(stream.integers(40))}" for _ in range(int(stream.integers(10, 30)))]
    return " ".join(words) + f". Answer: {topic} {int(stream.integers(100))}"


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    stream = generator(0, "build")
    rows = [{"id": f"d{n}", "text": sentence(stream, TOPICS[n % 6]), "source": f"s{n % 3}"} for n in range(1200)]
    items = [{"q": sentence(stream, "planet") + " what", "a": str(n)} for n in range(40)]
    rows.append({"id": "stolen", "text": f"see: {items[0]['q']} {items[0]['a']}", "source": "s0"})
    rows.append({"id": "copy", "text": rows[5]["text"], "source": "s1"})
    write_rows(folder / "a.jsonl", rows)
    write_rows(folder / "b1.jsonl", rows[::-1][:500])
    write_rows(folder / "b2.jsonl", rows[::-1][500:])
    write_rows(folder / "base.jsonl", [{"id": f"x{n}", "text": sentence(stream, "river")} for n in range(100)])
    write_rows(folder / "quiz.jsonl", items)
    train_tokenizer((str(row["text"]) for row in rows), 400, folder / "tokenizer")
    (folder / "spec.toml").write_text(SPEC.format(files='["a.jsonl"]') + ARMS)
    (folder / "split.toml").write_text(SPEC.format(files='["b2.jsonl", "b1.jsonl"]') + ARMS)
    return folder


@pytest.fixture(scope="module")
def built(place: Path) -> Path:
    return build_regimes(place / "spec.toml", place / "out").folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted((folder / "arms").rglob("*"))
        if path.is_file()
    }


def test_every_arm_is_whole_and_equal(built: Path) -> None:
    answer = read_object(built / "built.json")
    assert answer["budget"] == {"tokens": 4096, "supervised_least": 240, "supervised_most": 240}
    assert len(answer["arms"]) == 14
    for arm in answer["arms"]:
        folder = built / "arms" / f"{arm['arm']}-{arm['draw']}"
        tokens, numbers = np.load(folder / "tokens.npy"), np.load(folder / "documents.npy")
        assert tokens.shape == numbers.shape == (64, 64)
        assert tokens.dtype == np.uint16
        assert np.load(folder / "supervised.npy").sum() == arm["supervised"] == 240
        rows = pq.read_table(folder / "manifest.parquet").to_pydict()
        sizes = np.array(rows["stop"]) - np.array(rows["start"])
        assert np.array_equal(np.bincount(numbers.ravel()), np.bincount(rows["entry"], weights=sizes))
        assert arm["manifest"] == manifest_digest(rows)
        assert "stolen" not in rows["document"]
        assert ("quiz" in "".join(rows["document"])) == (arm["arm"] == "leak")
    assert answer["match"]["failures"] == []


def test_copies_and_test_items_are_out_of_the_pool(built: Path) -> None:
    answer = read_object(built / "built.json")
    assert answer["pool"]["copies"] == 1
    assert answer["test_items"][0]["items_touched"] >= 1
    assert answer["pool"]["left_out"] >= 1


def test_draws_share_no_document(built: Path) -> None:
    read = [
        set(pq.read_table(built / "arms" / f"random-{d}" / "manifest.parquet")["document"].to_pylist()) for d in (0, 1)
    ]
    assert not read[0] & read[1]


def test_files_in_another_order_and_number_give_the_same_bytes(place: Path, built: Path) -> None:
    other = build_regimes(place / "split.toml", place / "split")
    assert files_of(other.folder) == files_of(built)


def test_a_killed_build_goes_on_and_ends_alike(place: Path, built: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from shadowgraph.corpus.build import build_regimes; "
        "build_regimes(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    target = place / "killed"
    for wait_for in ("work/survey/removed.json", "work/pool/pool.json", "arms/aligned-0/arm.json"):
        process = subprocess.Popen([sys.executable, "-c", code, str(place / "spec.toml"), str(target)])
        deadline = time.monotonic() + 120
        while not (target / wait_for).exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (target / "built.json").exists()
    build_regimes(place / "spec.toml", target)
    assert files_of(target) == files_of(built)


def test_planning_builds_nothing_and_another_plan_is_refused(place: Path, built: Path) -> None:
    planned = build_regimes(place / "spec.toml", place / "dry", dry_run=True)
    assert "7 arms x 2 draws of 4096 tokens" in repr(planned)
    assert not (place / "dry").exists()
    with pytest.raises(SpecError, match="holds another build"):
        build_regimes(place / "split.toml", built)
    (place / "foreign").mkdir()
    (place / "foreign" / "thesis.tex").write_text("mine")
    with pytest.raises(SpecError, match="not empty and holds no build"):
        build_regimes(place / "spec.toml", place / "foreign", overwrite=True)
    assert [path.name for path in (place / "foreign").iterdir()] == ["thesis.tex"]


def test_a_pool_too_small_and_a_wrong_token_are_named(place: Path) -> None:
    text = (place / "spec.toml").read_text()
    (place / "large.toml").write_text(text.replace("tokens = 4096", "tokens = 409600"))
    with pytest.raises(DataError, match="random: the pool holds"):
        build_regimes(place / "large.toml", place / "large")
    (place / "end.toml").write_text(text.replace("<|end|>", "<stop>"))
    with pytest.raises(DataError, match=r"tokens.end: the tokenizer has no token '<stop>'"):
        build_regimes(place / "end.toml", place / "end")
