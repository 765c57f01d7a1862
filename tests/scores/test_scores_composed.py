"""Two hops: an independent reader finds the gold again from the text alone."""

from __future__ import annotations

import re

import pytest

from shadowgraph.scores.counterparts.arithmetic import parse
from shadowgraph.scores.counterparts.composed import STEPS, chained, chains, compose, possible
from shadowgraph.scores.counterparts.rule import Declined
from shadowgraph.scores.counterparts.template import Template, template_of
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


@pytest.mark.parametrize(
    ("prompt", "equation", "goes"),
    [
        ("There were 2 roses. Ann threw away 4 roses and cut some. Now there are 23. How many cut?", "23+4-2", 0),
        ("Ann had 7 marbles. She lost 23 marbles and found 30. How many has she?", "7+30-23", 0),
        ("Ann found 62 wrappers and 9 caps. Now she has 57 wrappers. How many more wrappers than caps?", "57-9", 0),
        ("Of 11 films Ann saw 15 of them and read 12 books. How many more films than books?", "15-12", 0),
        ("Ann has 95 blocks. She uses 60 blocks here and 80 blocks there. How many more there than here?", "80-60", 0),
        ("Ann has $ 4. She pays $ 8. Then Bo has $ 5 for her. How much is left?", "4-8+5", 0),
        ("Ann had 41 pens. She gave 9 to Bo and lost 18. How many more did she lose than give?", "18-9", 1),
        ("Ann had 41 pens and found 9 caps. She has 62 things now, 12 of them cups. How many are pens and caps?",
         "62-12", 1),
    ],
)  # fmt: skip
def test_a_story_that_cannot_go_so_takes_nothing_in(prompt: str, equation: str, goes: int) -> None:
    expression = parse(equation)
    answer = str(expression.value(expression.leaves))
    bound = template_of(plainly("q", prompt, answer, equation))
    assert isinstance(bound, Template)
    assert possible(bound, bound.values) is bool(goes)


def test_what_is_handed_on_keeps_order_and_sign() -> None:
    stories = [
        plainly(f"q{index}", f"Ann had {40 + 5 * index} pens and lost {13 + index}. How many has she?",
                str(27 + 4 * index), f"{40 + 5 * index} - {13 + index}")
        for index in range(9)
    ]  # fmt: skip
    found, _ = chains(stories, 1)
    gold = {one.id: one.answer for one in stories}
    assert found
    for chain in found:
        story = chain.question.prompt.partition("go on: ")[2].replace("X", gold[chain.first])
        had, lost = (int(text) for text in re.findall(r"\d+", story))
        assert had > lost
        assert int(chain.question.answer) == had - lost > 0
