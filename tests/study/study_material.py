"""Files of the smallest study over sources: made-up words, so that every source has a vocabulary of its own."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from shadowgraph.seeds import generator

SPEC = Path(__file__).with_name("tiny-sources.toml")


def write_material(folder: Path, spec: Path = SPEC) -> Path:
    """The study file and everything it names; returns the file."""
    for name in ("fields", "harbours", "letters", "elsewhere"):
        stream, words = generator(1, name), vocabulary(name)
        rows = [{"text": sentence(stream, words, 60)} for _ in range(120)]
        write_rows(folder / f"{name}.jsonl", rows)
    stream, words = generator(1, "quiz"), vocabulary("quiz")
    for split, count in (("train", 400), ("test", 9)):
        write_rows(folder / f"quiz-{split}.jsonl", [question(stream, words) for _ in range(count)])
    return Path(shutil.copy(spec, folder / spec.name))


def vocabulary(name: str) -> list[str]:
    stream = generator(2, name)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    return ["".join(stream.choice(letters, size=int(stream.integers(3, 8)))) for _ in range(120)]


def sentence(stream: np.random.Generator, words: list[str], count: int) -> str:
    return " ".join(stream.choice(words, size=count)).capitalize() + "."


def question(stream: np.random.Generator, words: list[str]) -> dict[str, object]:
    choices = [str(word) for word in stream.choice(words, size=4, replace=False)]
    return {
        "question": sentence(stream, words, 12),
        "choices": choices,
        "answer": int(stream.integers(4)),
        "subject": "made up",
    }


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
