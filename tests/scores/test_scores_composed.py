"""Two hops: an independent reader finds the gold again from the text alone."""

from __future__ import annotations

import re

import pytest

from shadowgraph.scores.counterparts.composed import STEPS, chained, chains, compose
from shadowgraph.scores.counterparts.rule import Declined
from shadowgraph.scores.question import Question
from shadowgraph.seeds import generator


def plainly(name: str, prompt: str, answer: str, equation: str = "") -> Question:
    return Question(name, "stories", name, "story", prompt, answer, equation=equation)


@pytest.mark.parametrize("seed", range(30))
def test_a_step_is_computed_from_the_answer(seed: int) -> None:
    question = plainly("q", "How many legs have 4 cows?", "16")
    found = compose(question, generator(seed, "t"))
    assert not isinstance(found, Declined)
    step = found.context.partition("Now take X. ")[2]
    pattern = next(
        (operation, match)
        for operation, text in STEPS
        if (match := re.match(re.escape(text).replace(r"\{x\}", "X").replace(r"\{k\}", r"(\d+)"), step))
    )
    second = int(pattern[1][1])
    assert found.answers == (str({"+": 16 + second, "-": 16 - second, "*": 16 * second}[pattern[0]]),)
    assert question.prompt in found.context
    assert 2 <= second <= 9


def test_the_place_of_the_right_choice_points_into_the_row() -> None:
    places: set[int] = set()
    for gold in range(4):
        choices = ("red wine", "milk", "tea", "water")
        question = Question("q", "s", "g", "f", "What do calves drink?", choices[gold], choices, gold)
        found = compose(question, generator(gold, "t"))
        assert not isinstance(found, Declined)
        lines = re.findall(r"^(\d)\. (.+)$", found.context, re.MULTILINE)
        place = next(int(number) for number, text in lines if text == choices[gold])
        row = re.search(r"in this row: (.+)\.\nWord:", found.context)
        assert row is not None
        assert f" {row[1].split(', ')[place - 1]}" == found.continuations[found.gold]
        places.add(found.gold)
    assert places == {0, 1, 2, 3}


@pytest.mark.parametrize("answer", ["1", "0", "-4", "2.5", "Paris", "7000000"])
def test_answers_that_cannot_be_handed_on(answer: str) -> None:
    assert isinstance(compose(plainly("q", "How many?", answer), generator(0, "t")), Declined)


def test_the_letter_is_foreign_to_the_text() -> None:
    found = compose(plainly("q", "If X is 4 and N is 5, what is X + N?", "9"), generator(0, "t"))
    assert not isinstance(found, Declined)
    assert "Let Q be the answer" in found.context


def test_chains_are_disjoint_and_their_gold_follows() -> None:
    many = [
        plainly(
            f"q{index}",
            f"Ann has {20 + index} pens and gets {41 + 2 * index} more, how many has she?",
            str(61 + 3 * index),
            f"{20 + index} + {41 + 2 * index}",
        )
        for index in range(9)
    ]
    found, left = chains(many, 3)
    used = [name for chain in found for name in (chain.first, chain.second)]
    assert len(used) == len(set(used))
    assert len(found) >= 3
    assert {name for name, _ in left} | set(used) == {one.id for one in many}
    gold = {one.id: int(one.answer) for one in many}
    for chain in found:
        second = chain.question.prompt.partition("go on: ")[2]
        numbers = [gold[chain.first] if text == "X" else int(text) for text in re.findall(r"\d+|\bX\b", second)]
        assert int(chain.question.answer) == sum(numbers)
        probe = chained(chain)
        assert probe.source == chain.first
        assert probe.answers == (chain.question.answer,)
    assert chains(many, 3) == (found, left)
