"""What the files of known benchmarks call their keys.

Here live: one small reader a benchmark, and the generic mapping. A wrong row is named with file, row and key.
Not here: opening files (`readers.records`), splits and halves (`benchmark`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shadowgraph.corpus.items import LETTERS, BenchmarkItem
from shadowgraph.errors import DataError, printable


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file and where it stands; every look into it is checked."""

    value: Mapping[str, Any]
    where: str

    def at(self, *path: str) -> Any:
        """The value under nested keys.

        Raises:
            DataError: when a key is missing.
        """
        value: Any = self.value
        for depth, key in enumerate(path):
            if not isinstance(value, Mapping) or value.get(key) is None:
                keys = printable(", ".join(map(str, value))) if isinstance(value, Mapping) else type(value).__name__
                name = ".".join(path[: depth + 1])
                raise DataError(f"the key {name!r} is missing", where=self.where, hint=f"found: {keys}"[:200])
            value = value[key]
        return value

    def text(self, *path: str) -> str:
        """The text under nested keys; numbers and truth values are written out.

        Raises:
            DataError: when a key is missing or holds something else.
        """
        value = self.at(*path)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        if isinstance(value, str | int | float):
            return str(value)
        raise self._wrong(path, "text", value)

    def texts(self, *path: str) -> tuple[str, ...]:
        """The list of texts under nested keys.

        Raises:
            DataError: when a key is missing or holds something else.
        """
        value = self.at(*path)
        if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(x, str) for x in value):
            raise self._wrong(path, "a list of texts", value)
        return tuple(value)

    def choice(self, choices: Sequence[str], letter: str | int, labels: Sequence[str] = LETTERS) -> str:
        """The choice a letter, a label or a number names.

        Raises:
            DataError: when it names none.
        """
        place = letter if isinstance(letter, int) else next((i for i, x in enumerate(labels) if x == letter), -1)
        if isinstance(letter, bool) or not 0 <= place < len(choices):
            raise DataError(f"the answer {letter!r} names none of {len(choices)} choices", where=self.where)
        return choices[place]

    def get(self, key: str) -> str:
        """The text under a key, empty where there is none."""
        return self.text(key) if self.value.get(key) is not None else ""

    def _wrong(self, path: Sequence[str], wanted: str, value: Any) -> DataError:
        name = ".".join(path)
        return DataError(f"the key {name!r} holds {type(value).__name__}, expected {wanted}", where=self.where)


@dataclass(frozen=True, slots=True)
class Adapter:
    """How rows of one benchmark become items; ids and groups that rows lack are filled in by the reader."""

    read: Callable[[Row], BenchmarkItem]

    @classmethod
    def of_mapping(cls, mapping: Mapping[str, str]) -> Adapter:
        """An adapter from the names of keys.

        Raises:
            DataError: when `prompt` or `answer` is not mapped, or an unknown name is.
        """
        known = {"id", "prompt", "answer", "choices", "group"}
        if not {"prompt", "answer"} <= set(mapping) or set(mapping) - known:
            names = ", ".join(sorted(known))
            raise DataError(f"the mapping has the names {', '.join(sorted(mapping))}", where="mapping", hint=names)

        def read(row: Row) -> BenchmarkItem:
            choices = row.texts(mapping["choices"]) if "choices" in mapping else ()
            answer: Any = row.at(mapping["answer"])
            named = bool(choices) and answer not in choices
            answer = row.choice(choices, answer) if named else row.text(mapping["answer"])
            labels = {key: row.text(mapping[key]) for key in ("id", "group") if key in mapping}
            return BenchmarkItem(
                labels.get("id", ""), row.text(mapping["prompt"]), answer, choices, labels.get("group", "")
            )

        return cls(read)


def _gsm8k(row: Row) -> BenchmarkItem:
    answer = row.text("answer")
    return BenchmarkItem("", row.text("question"), answer, final=answer.rsplit("####", 1)[-1].strip())


def _mmlu(row: Row) -> BenchmarkItem:
    choices = row.texts("choices")
    return BenchmarkItem("", row.text("question"), row.choice(choices, row.at("answer")), choices, row.get("subject"))


def _mmlu_pro(row: Row) -> BenchmarkItem:
    choices = row.texts("options")
    answer = row.choice(choices, row.at("answer"))
    return BenchmarkItem(row.text("question_id"), row.text("question"), answer, choices, row.get("category"))


def _hellaswag(row: Row) -> BenchmarkItem:
    endings = row.texts("endings")
    label = row.at("label")
    answer = row.choice(endings, int(label) if isinstance(label, str) and label.isdigit() else label)
    return BenchmarkItem("", row.text("ctx"), answer, endings, row.get("activity_label"), style="continuation")


def _arc(row: Row) -> BenchmarkItem:
    choices, labels = row.texts("choices", "text"), row.texts("choices", "label")
    answer = row.choice(choices, row.text("answerKey"), labels)
    return BenchmarkItem(row.text("id"), row.text("question"), answer, choices)


def _openbookqa(row: Row) -> BenchmarkItem:
    if isinstance(row.at("question"), str) or "question_stem" in row.value:
        stem = row.get("question_stem") or row.text("question")
        choices, labels = row.texts("choices", "text"), row.texts("choices", "label")
    else:
        stem = row.text("question", "stem")
        parts = [Row(part, row.where) for part in row.at("question", "choices")]
        choices, labels = tuple(part.text("text") for part in parts), tuple(part.text("label") for part in parts)
    return BenchmarkItem(row.text("id"), stem, row.choice(choices, row.text("answerKey"), labels), choices)


def _strategyqa(row: Row) -> BenchmarkItem:
    return BenchmarkItem(row.get("qid"), row.text("question"), row.text("answer"))


def _truthfulqa(row: Row) -> BenchmarkItem:
    best = row.text("Best Answer")
    wrong = [part.strip() for part in row.text("Incorrect Answers").split(";")]
    choices = tuple(sorted({best, *(part for part in wrong if part)}))  # sorted, or the right one always came first
    return BenchmarkItem("", row.text("Question"), best, choices, row.get("Category"))


def _svamp(row: Row) -> BenchmarkItem:
    body = row.text("Body").strip()
    gap = " " if body.endswith((".", "?", "!", ",")) else ". "
    prompt = f"{body}{gap}{row.text('Question')}"
    equation = row.get("Equation")
    return BenchmarkItem(row.text("ID"), prompt, row.text("Answer"), (), row.get("Type"), equation=equation)


def _bbh(row: Row) -> BenchmarkItem:
    return BenchmarkItem("", row.text("input"), row.text("target"))


def _blimp(row: Row) -> BenchmarkItem:
    good = row.text("sentence_good")
    pair = (good, row.text("sentence_bad"))
    return BenchmarkItem(
        f"{row.text('UID')}:{row.text('pairID')}", "", good, pair, row.text("UID"), style="continuation"
    )


def _humaneval(row: Row) -> BenchmarkItem:
    solution = row.text("canonical_solution")
    return BenchmarkItem(row.text("task_id"), row.text("prompt"), solution, style="continuation")


def _question_answer(row: Row) -> BenchmarkItem:
    return BenchmarkItem("", row.text("question"), row.text("answer"), (), row.get("family"))


def _lm_eval(row: Row) -> BenchmarkItem:
    """A sample that lm-eval logged: one request per choice, or one to be continued freely."""
    requests = row.at("arguments")
    if isinstance(requests, Mapping):
        parts = [Row(part, row.where) for part in requests.values()]
        pairs = [(part.text("arg_0"), part.value.get("arg_1")) for part in parts]
    else:
        pairs = [(str(part[0]), part[1]) for part in requests]
    prompt = pairs[0][0]
    choices = tuple(text.strip() for _, text in pairs if isinstance(text, str)) if len(pairs) > 1 else ()
    target = row.at("target")
    number = int(target) if isinstance(target, str) and target.isdigit() else target
    named = bool(choices) and isinstance(number, int)
    answer = row.choice(choices, number) if named else row.text("target").strip()
    return BenchmarkItem(f"lm-eval:{row.text('doc_id')}", prompt, answer, choices, style="continuation")


ADAPTERS: dict[str, Adapter] = {
    name: Adapter(read)
    for name, read in {
        "arc": _arc,
        "bbh": _bbh,
        "blimp": _blimp,
        "commonsenseqa": _arc,
        "gsm8k": _gsm8k,
        "hellaswag": _hellaswag,
        "humaneval": _humaneval,
        "lm_eval": _lm_eval,
        "mmlu": _mmlu,
        "mmlu_pro": _mmlu_pro,
        "openbookqa": _openbookqa,
        "question_answer": _question_answer,
        "strategyqa": _strategyqa,
        "svamp": _svamp,
        "truthfulqa": _truthfulqa,
    }.items()
}
