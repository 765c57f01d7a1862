"""A user's own tasks: what a row may say, how an answer names a choice, and faults that name file, row and key."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import DataError, SpecError
from shadowgraph.scores.question import Question
from shadowgraph.scores.tasks import read_task, write_task

CHOICES = ["red", "blue", "green"]


def file(folder: Path, *rows: Any, name: str = "mine.v1.jsonl") -> Path:
    path = folder / name
    data = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def test_prompt_and_answer_are_enough(tmp_path: Path) -> None:
    path = file(
        tmp_path, {"prompt": "How many?", "answer": 4.0}, {"prompt": "Who?", "answer": ["Ann", "Ann B.", "Ann"]}
    )
    first, second = read_task(path)
    assert first == Question("mine:1", "mine", "mine:1", "mine", "How many?", "4")
    assert (second.answer, second.accepted, second.choices, second.gold) == ("Ann", ("Ann B.", "Ann"), (), -1)


@pytest.mark.parametrize("answer", ["blue", "B", 1, 1.0])
def test_an_answer_names_a_choice_by_text_letter_or_place(tmp_path: Path, answer: Any) -> None:
    (found,) = read_task(file(tmp_path, {"prompt": "Sky?", "choices": CHOICES, "answer": answer}))
    assert (found.choices, found.gold, found.answer) == (tuple(CHOICES), 1, "blue")


def test_pairs_without_a_prompt_are_continuations(tmp_path: Path) -> None:
    (found,) = read_task(file(tmp_path, {"choices": ["Cats sleep.", "Cats sleeps."], "answer": 0, "group": "agree"}))
    assert (found.prompt, found.style, found.group, found.family) == ("", "continuation", "agree", "mine")


def test_other_names_of_keys_other_formats_and_a_name(tmp_path: Path) -> None:
    rows = [{"q": "Sky?", "opts": CHOICES, "gold": "B", "topic": "t", "n": 7}]
    mapping = {"prompt": "q", "choices": "opts", "answer": "gold", "family": "topic", "id": "n"}
    wanted = (Question("7", "own", "7", "t", "Sky?", "blue", tuple(CHOICES), 1),)
    assert read_task(file(tmp_path, *rows, name="a.jsonl.gz"), name="own", mapping=mapping) == wanted
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert read_task(tmp_path / "a.parquet", name="own", mapping=mapping) == wanted
    with pytest.raises(SpecError, match="no key is called 'label'"):
        read_task(tmp_path / "a.parquet", mapping={"label": "x"})


@pytest.mark.parametrize(
    ("row", "key", "words"),
    [
        ({"answer": "4"}, "prompt", "missing or empty"),
        ({"prompt": "  ", "answer": "4"}, "prompt", "missing or empty"),
        ({"prompt": ["a"], "answer": "4"}, "prompt", "holds list, expected text"),
        ({"prompt": "a"}, "answer", "is missing; found: prompt"),
        ({"prompt": "a", "answer": None}, "answer", "is missing"),
        ({"prompt": "a", "answer": []}, "answer", "is missing"),
        ({"prompt": "a", "answer": ["x", None]}, "answer", "is missing"),
        ({"prompt": "a", "answer": " "}, "answer", "is empty"),
        ({"prompt": "a", "answer": True}, "answer", "holds bool"),
        ({"prompt": "a", "answer": {"text": "x"}}, "answer", "holds dict"),
        ({"prompt": "a", "answer": "x", "style": "poem"}, "style", "'poem' is none of"),
        ({"prompt": "a", "answer": "x", "id": ["n"]}, "id", "holds list"),
        ({"prompt": "a", "answer": "\ud800"}, "answer", "half a surrogate"),
        ({"prompt": "a", "answer": "x", "id": "first"}, "id", "is the id of row 1 too"),
        ({"prompt": "a", "answer": "x", "choices": CHOICES}, "answer", "'x' names none of 3 choices"),
        ({"prompt": "a", "answer": 3, "choices": CHOICES}, "answer", "'3' names none of 3 choices; .* from 0"),
        ({"prompt": "a", "answer": -1, "choices": CHOICES}, "answer", "'-1' names none"),
        ({"prompt": "a", "answer": "D", "choices": CHOICES}, "answer", "'D' names none"),
        ({"prompt": "a", "answer": ["A"], "choices": CHOICES}, "answer", "several answers beside choices"),
        ({"prompt": "a", "answer": 1, "choices": [2, 1, 0]}, None, ""),
        ({"prompt": "a", "answer": 2, "choices": [2, 1, 0]}, "answer", "by its text '2' and its place '0'"),
        (
            {"prompt": "a", "answer": "A", "choices": ["B", "A"]},
            "answer",
            "by its text 'A' and its letter 'B'; .* key 'gold'",
        ),
        ({"prompt": "a", "answer": "A", "choices": ["A", "B"]}, None, ""),
        ({"prompt": "a", "answer": "A", "choices": ["B", "A"], "gold": 1}, None, ""),
        ({"prompt": "a", "choices": ["B", "A"], "gold": 1}, None, ""),
        ({"prompt": "a", "choices": ["B", "A"]}, "answer", "is missing"),
        ({"prompt": "a", "answer": "A", "choices": ["A", "B"], "gold": 1}, "gold", "another choice than the answer"),
        ({"prompt": "a", "choices": ["A", "B"], "gold": 2}, "gold", "2 is no place of 2 choices"),
        ({"prompt": "a", "choices": ["A", "B"], "gold": "A"}, "gold", "'A' is no place of 2 choices"),
        ({"prompt": "a", "answer": 0, "choices": "red"}, "choices", "holds str, expected a list"),
        ({"prompt": "a", "answer": 0, "choices": ["red"]}, "choices", "1 given, two are needed"),
        ({"prompt": "a", "answer": 0, "choices": ["red", "red"]}, "choices", "'red' stands there twice"),
        ({"prompt": "a", "answer": 0, "choices": ["red", None]}, "choices", "holds NoneType"),
        ({"prompt": "a", "answer": 0, "choices": ["red", " "]}, "choices", "is empty"),
    ],
)
def test_a_wrong_row_is_named_by_file_row_and_key(
    tmp_path: Path, row: dict[str, Any], key: str | None, words: str
) -> None:
    first = {"id": "first", "prompt": "q", "answer": "0", "choices": ["x", "0"]}
    if "choices" not in row:
        first.pop("choices")
    path = file(tmp_path, first, row)
    if key is None:
        assert len(read_task(path)) == 2
        return
    with pytest.raises(DataError, match=words) as caught:
        read_task(path)
    assert caught.value.where.startswith(f"{path} row 2")
    assert f"key '{key}'" in str(caught.value)


def test_a_task_without_gold_without_rows_or_of_two_kinds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no row holds 'answer', so nothing can be scored; found: prompt, label"):
        read_task(file(tmp_path, {"prompt": "a", "label": 1}, {"prompt": "b"}))
    with pytest.raises(DataError, match="'answer' is null in every row, so nothing can be scored"):
        read_task(file(tmp_path, {"prompt": "a", "answer": None}, {"prompt": "b", "answer": None}))
    with pytest.raises(DataError, match="a folder, not a file"):
        read_task(tmp_path)
    with pytest.raises(DataError, match=r"row 2 key 'prompt': holds 1048577 characters"):
        read_task(file(tmp_path, {"prompt": "a", "answer": "b"}, {"prompt": "a" * (2**20 + 1), "answer": "b"}))
    with pytest.raises(DataError, match="no items"):
        read_task(file(tmp_path))
    with pytest.raises(DataError, match=r"row 2 key 'choices': some rows have choices .*; make two files"):
        read_task(file(tmp_path, {"prompt": "a", "answer": "b"}, {"prompt": "a", "answer": "red", "choices": CHOICES}))
    with pytest.raises(DataError, match="no such file"):
        read_task(tmp_path / "none.jsonl")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=r"bad\.parquet: not Parquet"):
        read_task(tmp_path / "bad.parquet")
    twice = b'{"prompt": "a", "answer": "b"}\n{"prompt": "a", "answer": "b", "answer": "c"}\n'
    (tmp_path / "twice.jsonl").write_bytes(twice)
    with pytest.raises(DataError, match=r"twice.jsonl:2: the key 'answer' stands there twice"):
        read_task(tmp_path / "twice.jsonl")
    (tmp_path / "long.jsonl").write_bytes(b'{"prompt": "a", "answer": "b"}\n' + b" " * (2**24 + 1))
    with pytest.raises(DataError, match=r"long.jsonl:2: a line of 16777217 bytes"):
        read_task(tmp_path / "long.jsonl")
    (tmp_path / "bad.jsonl").write_bytes(b'{"prompt": "a", "answer": "b"}\n{"prompt": \n')
    with pytest.raises(DataError, match=r"bad.jsonl:2: not JSON"):
        read_task(tmp_path / "bad.jsonl")


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12).filter(lambda text: text.strip())


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
                  st.lists(TEXTS, min_size=2, max_size=6, unique=True), st.integers(0, 99),
                  st.sampled_from(["question", "continuation"]), TEXTS),
        min_size=1, max_size=3, unique_by=lambda drawn: drawn[4],
    ),
    st.booleans(),
)  # fmt: skip
def test_what_is_written_is_read_back(drawn: list[Any], chosen: bool) -> None:
    questions: list[Question] = []
    for prompt, texts, place, style, label in drawn:
        if chosen:
            gold = place % len(texts)
            labels = (label, "mine", label * 2, "family")
            questions.append(Question(*labels, prompt, texts[gold], tuple(texts), gold, (), style, worked="w"))
        else:
            more = tuple(texts[1:])
            questions.append(
                Question(label, "mine", "g", "f", f"{prompt}?", texts[0], (), -1, more, style, equation="e")
            )
    with tempfile.TemporaryDirectory() as folder:
        write_task(questions, Path(folder) / "mine.jsonl")
        assert read_task(Path(folder) / "mine.jsonl") == tuple(questions)
