"""A user's own task: one file of questions with their answers.

Here live: the keys a row may have, how an answer names a choice, and the words for a row that will not do.
Not here: known benchmarks (`corpus.benchmark`), tasks of lm-eval (`adapters`), how a question is told (`counterparts`).
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shadowgraph.artifact import write_bytes
from shadowgraph.corpus.items import LETTERS
from shadowgraph.corpus.readers.records import read_records
from shadowgraph.errors import DataError, SpecError, printable
from shadowgraph.identity import plain
from shadowgraph.scores.question import Question, check

KEYS = ("prompt", "answer", "choices", "gold", "id", "group", "family", "style", "worked", "equation")
"""What a row may hold. `answer` is a text, or several of which each is right; with `choices` it is the text of the
right one, its letter (A, B, …) or its place counted from 0; `gold` is the place and nothing else."""

LONGEST = 1 << 20
"""Characters of one text in a row; more than any model reads, and a sign that rows lost their line breaks."""


def read_task(path: Path, *, name: str = "", mapping: Mapping[str, str] | None = None) -> tuple[Question, ...]:
    """Read a task from JSON Lines (plain, .gz, .zst) or Parquet.

    Args:
        path: the file.
        name: source of the questions; the file's name up to its first point by default.
        mapping: the file's own names of `KEYS`, for those that differ.

    Raises:
        SpecError: for an unknown name in the mapping.
        DataError: for a wrong row (names file, row and key), no row, or no row with an answer.
        EnvironmentFault: when an extra is missing.
    """
    mapping = mapping or {}
    if unknown := sorted(set(mapping) - set(KEYS)):
        raise SpecError(f"no key is called {unknown[0]!r}", where="keys", hint=f"known: {', '.join(KEYS)}")
    names = {key: mapping.get(key, "" if key in mapping.values() else key) for key in KEYS}
    name = name or path.name.split(".")[0]
    rows = list(read_records(path))
    if not rows:
        raise DataError("no items", where=str(path), hint="write one JSON object a line, with prompt and answer")
    if all(row.get(names["answer"]) is None and row.get(names["gold"]) is None for _, row in rows):
        named = any(names["answer"] in row for _, row in rows)
        found = f"{names['answer']!r} is null in every row" if named else f"no row holds {names['answer']!r}"
        found += ", so nothing can be scored"
        raise DataError(found, where=str(path), hint=f"found: {printable(', '.join(map(str, rows[0][1])))}")
    questions: list[Question] = []
    seen: dict[str, int] = {}
    for number, value in rows:
        row = _Row(value, names, f"{path} row {number}")
        question = row.question(name, f"{name}:{number}")
        if question.id in seen:
            raise row.fault("id", f"{printable(question.id)!r} is the id of row {seen[question.id]} too")
        if bool(question.choices) != bool(questions[0].choices if questions else question.choices):
            raise row.fault("choices", "some rows have choices and some have none", "make two files of them")
        seen[question.id] = number
        questions.append(question)
    return tuple(questions)


def write_task(questions: Sequence[Question], path: Path) -> None:
    """Write questions as a file that `read_task` reads back as they are, but for their source.

    Raises:
        DataError: for a question that is not sound.
    """
    lines: list[str] = []
    for question in questions:
        check(question)
        answer = [question.answer, *question.accepted] if question.accepted else question.answer
        row: dict[str, Any] = {"id": question.id, "prompt": question.prompt, "answer": answer}
        if question.choices:
            row |= {"choices": question.choices, "gold": question.gold}
        row |= {key: value for key in ("worked", "equation") if (value := getattr(question, key))}
        row |= {key: getattr(question, key) for key in ("group", "family", "style")}
        lines.append(json.dumps(plain(row), ensure_ascii=False) + "\n")
    write_bytes(path, "".join(lines).encode())


class _Row:
    """One row, its keys by our names, and its place."""

    def __init__(self, value: Mapping[str, Any], names: Mapping[str, str], where: str) -> None:
        self._value, self._names, self._where = value, names, where

    def fault(self, key: str, found: str, hint: str = "") -> DataError:
        """A fault of one key, in the file's own name for it."""
        return DataError(found, where=f"{self._where} key {self._names[key]!r}", hint=hint)

    def question(self, source: str, default: str) -> Question:
        """The row as a question."""
        choices = self._choices()
        gold = self._gold(choices) if choices else -1
        answers = (choices[gold],) if choices else self._answers()
        if not choices and not self._text("prompt", "").strip():
            raise self.fault("prompt", "is missing or empty")
        name = self._text("id", "") or default
        prompt = self._text("prompt", "")
        question = Question(
            id=name,
            source=source,
            group=self._text("group", "") or name,
            family=self._text("family", "") or source,
            prompt=prompt,
            answer=answers[0],
            choices=choices,
            gold=gold,
            accepted=tuple(dict.fromkeys(answers[1:])),
            style=self._text("style", "question" if prompt.strip() else "continuation"),
            worked=self._text("worked", ""),
            equation=self._text("equation", ""),
        )
        try:
            check(question)
        except DataError as error:
            raise DataError(f"{error.found} ({error.where})", where=self._where, hint=error.hint) from error
        return question

    def _text(self, key: str, default: str) -> str:
        """The text under a key; numbers are written out."""
        value = self._value.get(self._names[key])
        return default if value is None else self._written(key, value)

    def _written(self, key: str, value: Any) -> str:
        """A text or number as text; a whole number has no point."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.fault(key, f"holds {type(value).__name__}, expected text")
        if isinstance(value, float) and not math.isfinite(value):
            raise self.fault(key, "holds no finite number")
        if isinstance(value, str) and len(value) > LONGEST:
            raise self.fault(key, f"holds {len(value)} characters, at most {LONGEST} are read", "shorten the row")
        return str(value)

    def _choices(self) -> tuple[str, ...]:
        """The choices, none where the key is missing."""
        value = self._value.get(self._names["choices"])
        if value is None:
            return ()
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self.fault("choices", f"holds {type(value).__name__}, expected a list of texts")
        texts = tuple(self._written("choices", text) for text in value)
        if len(texts) < 2:
            raise self.fault("choices", f"{len(texts)} given, two are needed", "leave the key out for a free answer")
        if twice := next((text for place, text in enumerate(texts) if text in texts[:place]), None):
            raise self.fault("choices", f"{printable(twice)!r} stands there twice")
        return texts

    def _answers(self) -> tuple[str, ...]:
        """The accepted answers, at least one."""
        value = self._value.get(self._names["answer"])
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        if not values or any(each is None for each in values):
            raise self.fault("answer", "is missing", f"found: {printable(', '.join(map(str, self._value)))}")
        texts = tuple(self._written("answer", each) for each in values)
        if not all(text.strip() for text in texts):
            raise self.fault("answer", "is empty")
        return texts

    def _gold(self, choices: Sequence[str]) -> int:
        """The place of the right choice; an answer that could mean two of them is refused."""
        gold, answer = (self._value.get(self._names[key]) for key in ("gold", "answer"))
        if gold is not None and (isinstance(gold, bool) or gold not in range(len(choices))):
            raise self.fault("gold", f"{printable(repr(gold))} is no place of {len(choices)} choices, counted from 0")
        if isinstance(answer, Sequence) and not isinstance(answer, str):
            raise self.fault("answer", "several answers beside choices", "name the one right choice")
        if gold is not None:
            if answer is not None and int(gold) not in self._meant(choices, answer).values():
                raise self.fault("gold", f"{gold} is another choice than the answer names")
            return int(gold)
        if answer is None:
            raise self.fault("answer", "is missing", f"found: {printable(', '.join(map(str, self._value)))}")
        meant = self._meant(choices, answer)
        if len(set(meant.values())) > 1:
            both = " and ".join(f"{way} {printable(choices[place])!r}" for way, place in meant.items())
            found = f"{printable(self._written('answer', answer))!r} could mean by {both}"
            raise self.fault("answer", found, f"write its place under the key {self._names['gold']!r}")
        return next(iter(meant.values()))

    def _meant(self, choices: Sequence[str], answer: Any) -> dict[str, int]:
        """The choices an answer may mean, at least one."""
        meant: dict[str, int] = {}
        text = self._written("answer", answer)
        if text in choices:
            meant["its text"] = choices.index(text)
        if not isinstance(answer, str) and text.isdigit() and int(text) < len(choices):
            meant["its place"] = int(text)
        if isinstance(answer, str) and text in LETTERS[: len(choices)]:
            meant["its letter"] = LETTERS.index(text)
        if not meant:
            hint = "write the choice's text, its letter, or its place counted from 0"
            raise self.fault("answer", f"{printable(text)!r} names none of {len(choices)} choices", hint)
        return meant
