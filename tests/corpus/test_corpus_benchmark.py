"""Items of every known benchmark, their two renderings, halves and refusals."""

import json
from pathlib import Path
from typing import Any

import pytest
from corpus_data import real_data

from shadowgraph.corpus.adapters import ADAPTERS
from shadowgraph.corpus.benchmark import Benchmark, read_benchmark, split_of
from shadowgraph.corpus.items import BenchmarkItem
from shadowgraph.errors import DataError

ARC = {"id": "i", "question": "Why?", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"}
OPEN = {"stem": "Why", "choices": [{"text": "x", "label": "A"}, {"text": "y", "label": "B"}]}
LOGGED = {
    "doc_id": 3,
    "target": 1,
    "arguments": {"0": {"arg_0": "P", "arg_1": " x"}, "1": {"arg_0": "P", "arg_1": " y"}},
}
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "gsm8k": ({"question": "1+1?", "answer": "It is 2.\n#### 2"}, "It is 2.\n#### 2", "Answer: It is 2.\n#### 2"),
    "mmlu": ({"question": "Q", "choices": ["x", "y"], "answer": "B", "subject": "s"}, "y", "A. x\nB. y\nAnswer: B"),
    "mmlu_pro": ({"question_id": 7, "question": "Q", "options": ["x", "y"], "answer": "A"}, "x", "Answer: A"),
    "hellaswag": ({"ctx": "He", "endings": ["runs.", "is."], "label": 1}, "is.", "He is."),
    "arc": (ARC, "y", "Question: Why?\nA. x\nB. y\nAnswer: B"),
    "commonsenseqa": (ARC, "y", "Answer: B"),
    "openbookqa": ({"id": "o", "question": OPEN, "answerKey": "A"}, "x", "Answer: A"),
    "strategyqa": ({"qid": "q", "question": "Is it?", "answer": False}, "no", "Answer: no"),
    "truthfulqa": ({"Question": "Q", "Best Answer": "b", "Incorrect Answers": "c; a"}, "b", "A. a\nB. b\nC. c\n"),
    "svamp": ({"ID": "s", "Body": "He has 2", "Question": "How many?", "Answer": 2.0}, "2", "He has 2. How many?"),
    "bbh": ({"input": "not True is", "target": "False"}, "False", "Question: not True is\nAnswer: False"),
    "blimp": ({"UID": "u", "pairID": "1", "sentence_good": "He is.", "sentence_bad": "He be."}, "He is.", "He is."),
    "humaneval": ({"task_id": "H/0", "prompt": "def f():\n", "canonical_solution": "  pass"}, "  pass", "f():\n  pass"),
    "question_answer": ({"question": "Q", "answer": "A", "family": "f"}, "A", "Question: Q\nAnswer: A"),
    "lm_eval": (LOGGED, "y", "P y"),
}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_every_adapter_has_a_case() -> None:
    assert set(CASES) == set(ADAPTERS)


@pytest.mark.parametrize("name", CASES)
def test_items_of_known_benchmarks(name: str, tmp_path: Path) -> None:
    row, answer, told = CASES[name]
    item = read_benchmark(name, [write(tmp_path / "test.jsonl", row)]).items[0]
    assert item.answer == answer
    assert told in item.told()
    assert not item.choices or answer in item.choices
    assert "Question:" not in item.bare()
    broken = {
        key: value for key, value in row.items() if key != next(iter(set(row) - {"id", "family", "subject", "qid"}))
    }
    with pytest.raises(DataError, match=r"test\.jsonl:1"):
        read_benchmark(name, [write(tmp_path / "test.jsonl", dict.fromkeys(broken, None))])


def test_mapping_and_refusals(tmp_path: Path) -> None:
    path = write(tmp_path / "mine_train.jsonl", {"q": "Q?", "c": ["x", "y"], "a": 1, "k": "one"})
    mapping = {"prompt": "q", "answer": "a", "choices": "c", "id": "k"}
    item = read_benchmark("mine", [path], mapping=mapping).items[0]
    assert (item.id, item.answer, item.split) == ("one", "y", "train")
    with pytest.raises(DataError, match="no adapter named 'mine'"):
        read_benchmark("mine", [path])
    with pytest.raises(DataError, match=r"mine_train\.jsonl:1: the answer 9 names none of 2 choices"):
        read_benchmark("m", [write(path, {"q": "Q", "c": ["x", "y"], "a": 9, "k": "k"})], mapping=mapping)
    with pytest.raises(DataError, match="mapping"):
        read_benchmark("mine", [path], mapping={"prompt": "q"})


def test_the_part_learned_from_is_the_train_split_or_one_half() -> None:
    items = tuple(BenchmarkItem(str(n), f"q{n}", "a", split="train" if n < 10 else "test") for n in range(100))
    split = Benchmark("b", items)
    assert [item.id for item in split.part(fit=True)] == [str(n) for n in range(10)]
    half = Benchmark("b", items[10:])
    fit, rest = half.part(fit=True), half.part(fit=False)
    assert {item.id for item in fit} | {item.id for item in rest} == {item.id for item in items[10:]}
    assert 25 < len(fit) < 65
    assert len(fit) + len(rest) == 90
    reordered = Benchmark("b", tuple(reversed(items[10:])))
    assert {item.id for item in reordered.part(fit=True)} == {item.id for item in fit}
    assert [split_of(Path(name)) for name in ("train.jsonl", "my-dev_set.jsonl", "all.jsonl")] == [
        "train",
        "dev",
        "test",
    ]


def test_real_files_give_all_their_items() -> None:
    folders = {"gsm8k": 8792, "mmlu": 14327, "mmlu_pro": 12032, "hellaswag": 10042, "openbookqa": 500, "bbh": 6511}
    folders |= {"svamp": 1000, "strategyqa": 229, "truthfulqa": 817, "humaneval": 164}
    for name, count in folders.items():
        benchmark = read_benchmark(name, sorted(real_data("benchmarks", name).glob("*.gz")))
        assert len(benchmark.items) == count, name
        assert len({item.id for item in benchmark.items}) == count
