"""A question with its gold, before it is dressed for a model.

Here live: the `Question` every task and every counterpart starts from, and how benchmarks and worlds become questions.
Not here: how a question is told (`counterparts`), reading files (`corpus.benchmark`), rows of a suite (`suite`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shadowgraph.corpus.benchmark import Benchmark
from shadowgraph.corpus.items import BenchmarkItem
from shadowgraph.errors import DataError
from shadowgraph.identity import fingerprint
from shadowgraph.worlds.item import Item

_SURROGATE = re.compile("[\ud800-\udfff]")
STYLES = ("question", "continuation")
LEAD_WORDS = 12
"""Prompts of one family that begin with the same words, this many, count as one cluster: a passage or a template."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its gold, before it is dressed.

    Attributes:
        id: unique in its source.
        source: benchmark or file it comes from.
        group: cluster for resampling: items that share a passage, template, paradigm or entity; by default the id.
        family: subject, task or paradigm.
        prompt: what is asked, or the text to be continued.
        answer: the short right answer; the text of the right choice where there are choices.
        choices: all choices, in their order; empty for free answers.
        gold: index into `choices`, -1 without any.
        accepted: further answers that count as right.
        style: "question", or "continuation" where prompt and answer run on.
        worked: the worked solution, where the source has one.
        equation: the arithmetic that gives the answer, where the source has it: "( 76.0 - 25.0 )".
    """

    id: str
    source: str
    group: str
    family: str
    prompt: str
    answer: str
    choices: tuple[str, ...] = ()
    gold: int = -1
    accepted: tuple[str, ...] = ()
    style: str = "question"
    worked: str = ""
    equation: str = ""


def check(question: Question) -> None:
    """Refuse a question that has no gold, contradicts itself or cannot be written down.

    Raises:
        DataError: names source, id and key of the first fault.
    """
    fault = _fault(question)
    if fault is not None:
        key, found = fault
        raise DataError(found, where=f"{question.source} item {question.id!r} key {key!r}")


def questions_of(benchmark: Benchmark) -> tuple[Question, ...]:
    """Every item of a benchmark as a question, in its order.

    A worked solution gives way to the short answer it ends in. Items of one family whose prompts begin with the same
    `LEAD_WORDS` words share a group; items without a prompt (minimal pairs) share that of their paradigm.

    Raises:
        DataError: when an item has no gold or contradicts itself (names benchmark, item and key).
    """
    leads = [_lead(item) for item in benchmark.items]
    often = Counter(leads)
    groups = [
        item.id if often[lead] == 1 else f"{item.group or benchmark.name}/{fingerprint(lead)}"
        for item, lead in zip(benchmark.items, leads, strict=True)
    ]
    found = tuple(_question(item, benchmark.name, group) for item, group in zip(benchmark.items, groups, strict=True))
    for question in found:
        check(question)
    return found


def from_item(item: Item) -> Question:
    """An item of an embedded world as a question; facts about one subject share a group.

    Raises:
        DataError: when the item has no answer.
    """
    found = Question(
        id=item.id,
        source=f"worlds/{item.world}",
        group=item.subject or item.id,
        family=item.family,
        prompt=item.question,
        answer=item.answer,
        choices=item.choices,
        gold=item.gold,
    )
    check(found)
    return found


def _question(item: BenchmarkItem, source: str, group: str) -> Question:
    """One item of a benchmark; a number with thousands separators is accepted without them too."""
    answer = item.final or item.answer
    digits = answer.replace(",", "")
    plain = (digits,) if digits != answer and digits.lstrip("-").replace(".", "", 1).isdigit() else ()
    return Question(
        id=item.id,
        source=source,
        group=group,
        family=item.group or source,
        prompt=item.prompt,
        answer=answer,
        choices=item.choices,
        gold=item.choices.index(answer) if answer in item.choices else -1,
        accepted=() if item.choices else plain,
        style=item.style,
        worked=item.answer if item.final else "",
        equation=item.equation,
    )


def _lead(item: BenchmarkItem) -> tuple[str, ...]:
    """What items of one cluster have in common: the family and the first words of the prompt."""
    return (item.group, *item.prompt.lower().split()[:LEAD_WORDS])


def _fault(question: Question) -> tuple[str, str] | None:
    """Key and words of the first fault, None when the question is sound."""
    texts: Sequence[tuple[str, str]] = [
        *((key, getattr(question, key)) for key in ("id", "source", "group", "family", "prompt", "answer")),
        *(("choices", text) for text in question.choices),
        *(("accepted", text) for text in question.accepted),
    ]
    for key, text in texts:
        if not text.isascii() and _SURROGATE.search(text):
            return key, "holds half a surrogate pair, which no file can hold"
        if not text.strip() and key not in ("prompt", "family"):
            return key, "is empty"
    if not question.prompt.strip() and not question.choices:
        return "prompt", "is empty"
    if question.style not in STYLES:
        return "style", f"{question.style!r} is none of {', '.join(STYLES)}"
    if not question.choices:
        return None if question.gold == -1 else ("gold", f"{question.gold} where there are no choices")
    if isinstance(question.gold, bool) or not 0 <= question.gold < len(question.choices):
        return "gold", f"{question.gold!r} is no index of {len(question.choices)} choices"
    if question.choices[question.gold] != question.answer:
        return "gold", "points at another choice than the answer"
    return None
