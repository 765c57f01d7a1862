"""Real benchmarks through the rules of numbers, names and hops: the counts of the page, and the laws on every item."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from shadowgraph.corpus.benchmark import read_benchmark
from shadowgraph.scores.counterparts.arithmetic import number
from shadowgraph.scores.counterparts.composed import chains
from shadowgraph.scores.counterparts.names import exchange_of, exchanged
from shadowgraph.scores.counterparts.number_rules import NUMBER_RULES
from shadowgraph.scores.counterparts.numbers import renumber
from shadowgraph.scores.counterparts.rule import Declined, dressed
from shadowgraph.scores.counterparts.template import Template, template_of
from shadowgraph.scores.question import Question, questions_of
from shadowgraph.seeds import generator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "counterparts-numbers.md"
FILES = {"svamp": ("svamp/all.jsonl.gz",), "gsm8k": ("gsm8k/test.jsonl.gz",)}


def real(name: str) -> tuple[Question, ...]:
    """A benchmark's questions, or a skip."""
    root = os.environ.get("SHADOWGRAPH_DATA")
    if not root:
        pytest.skip("SHADOWGRAPH_DATA is not set")
    questions = questions_of(read_benchmark(name, [Path(root) / "benchmarks" / file for file in FILES[name]]))
    if not any(question.equation or question.worked for question in questions):
        pytest.fail(f"{name} came without its arithmetic")
    return questions


def table(name: str) -> list[str]:
    """The rows of the page for one benchmark: rule, taken, declined for each reason."""
    questions = real(name)
    rows: list[str] = []
    for rule in NUMBER_RULES:
        found = [dressed(rule, question, 0) for question in questions]
        rows += counted(name, rule.name, [one.reason for one in found if isinstance(one, Declined)], len(found))
    made, left = chains(questions[:400], 0)
    pairs = [one.reason for _, one in left]
    return [*rows, *counted(name, "chained, first 400", pairs, len(made) + len(pairs))]


def counted(name: str, rule: str, reasons: list[str], total: int) -> list[str]:
    """One row for what was taken, one a reason."""
    head = f"| {name} | {rule} | taken | {total - len(reasons)} |"
    return [head, *(f"| {name} | {rule} | {reason} | {count} |" for reason, count in Counter(reasons).most_common())]


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_the_page_holds_these_counts(name: str) -> None:
    rows = set(re.findall(rf"^\| {name} \|.*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert rows == set(table(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_change_can_be_taken_back(name: str) -> None:
    taken = 0
    for question in real(name):
        found = renumber(question, generator(1, question.id))
        if isinstance(found, Question):
            source, image = template_of(question), template_of(found)
            assert isinstance(source, Template)
            assert isinstance(image, Template)
            back = image.fill(source.values)
            assert back.prompt == question.prompt
            assert number(back.answer) == number(question.answer) != number(found.answer)
            taken += 1
        exchange = exchange_of(question, generator(1, question.id))
        if not isinstance(exchange, Declined):
            there = exchanged(question, exchange)
            assert there.prompt != question.prompt
            assert exchanged(there, {new: old for old, new in exchange.items()}) == question
    assert taken > 300


if __name__ == "__main__":  # prints the rows for the page
    import sys

    sys.stdout.write("".join(f"{row}\n" for benchmark in FILES for row in table(benchmark)))
