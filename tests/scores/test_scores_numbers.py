"""Fresh numbers and names: the answer follows, and the way back gives the source again."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.scores.counterparts.arithmetic import number
from shadowgraph.scores.counterparts.mentions import mentions
from shadowgraph.scores.counterparts.names import GROUP, exchange_of, exchanged, rename
from shadowgraph.scores.counterparts.number_rules import NUMBER_RULES
from shadowgraph.scores.counterparts.numbers import renumber
from shadowgraph.scores.counterparts.rule import Declined, Probe, dressed
from shadowgraph.scores.counterparts.template import Template, template_of
from shadowgraph.scores.question import Question
from shadowgraph.seeds import generator

RULES = {rule.name: rule for rule in NUMBER_RULES}


def story(prompt: str, answer: str, equation: str = "", worked: str = "", name: str = "q1") -> Question:
    """A question with its arithmetic."""
    return Question(name, "stories", name, "story", prompt, answer, equation=equation, worked=worked)


SINGLE = story("Karen baked 48 rolls and sold 13 of them. How many rolls has she left?", "35", "( 48.0 - 13.0 )")
SPARE = story("Tom owns 31 stamps and 3 coins. He loses 9 stamps. How many stamps remain?", "22", "31 - 9")
DIVIDED = story("Martha puts 84 plums into 7 bowls evenly. How many plums are in a bowl?", "12", "84 / 7")
STEPS = story(
    "Tom packs six boxes with 12 jars each. Half of the jars crack, and a jar sells for $1.50. What does he earn?",
    "54",
    worked="He packs <<6*12=72>>72. He keeps <<72/2=36>>36. He earns <<36*1.5=54>>54.\n#### 54",
)
PERCENT = story("A farm with 240 hens sells 15% of them. How many are sold?", "36", worked="<<240*.15=36>>36")
SOUND = (SINGLE, SPARE, DIVIDED, STEPS, PERCENT)


@pytest.mark.parametrize("question", SOUND, ids=lambda one: one.equation or one.worked[:12])
@pytest.mark.parametrize("seed", range(12))
def test_renumbered_and_back_again(question: Question, seed: int) -> None:
    found = renumber(question, generator(seed, "t"))
    assert isinstance(found, Question)
    assert found != question
    assert number(found.answer) != number(question.answer)
    assert (found.id, found.group, found.source) == (question.id, question.group, question.source)
    source, image = template_of(question), template_of(found)
    assert isinstance(source, Template)
    assert isinstance(image, Template)
    assert all(new != old for new, old in zip(image.values, source.values, strict=True))
    assert re.split(r"[\d.,]+|\w+ boxes", found.prompt) == re.split(r"[\d.,]+|\w+ boxes", question.prompt)
    back = image.fill(source.values)
    assert back.prompt == question.prompt
    assert number(back.answer) == number(question.answer)
    assert source.fill(source.values).prompt == question.prompt


def test_the_answer_by_an_independent_reader() -> None:
    for seed in range(30):
        found = renumber(SINGLE, generator(seed, "t"))
        assert isinstance(found, Question)
        had, sold = (int(text) for text in re.findall(r"\d+", found.prompt))
        assert had > sold > 1
        assert had < 100
        assert int(found.answer) == had - sold
        spread = renumber(DIVIDED, generator(seed, "t"))
        assert isinstance(spread, Question)
        plums, bowls = (int(text) for text in re.findall(r"\d+", spread.prompt))
        assert plums == bowls * int(spread.answer)
        kept = renumber(SPARE, generator(seed, "t"))
        assert isinstance(kept, Question)
        assert "3 coins" in kept.prompt


REFUSED = {
    "two numbers could be meant": story("Tom has 5 red and 5 blue pens. How many?", "10", "5 + 5"),
    "not in the text": story("Tom has 5 pens and some more. How many?", "14", "5 + 9"),
    "does not give its answer": story("Tom has 5 pens and 9 cups. How many things?", "15", "5 + 9"),
    "a word's constant": story("Tom ran 7 miles every week for 30 weeks. How far?", "210", "7 * 30"),
    "follows from those inside": story("Of 20 pens 12 are red and 8 blue; 5 red go. Red left?", "7", "12 - 5"),
    "threshold": story("Tom has 5 pens and needs at least 9 more. How many?", "14", "5 + 9"),
    "wrong or rounded": story("Tom cuts 10 m in 4. How long?", "2.5", worked="<<10/4=3>>3 #### 2.5"),
    "without end": story("Tom cuts 10 m in 3 and takes 6 parts. How long?", "20", "10 / 3 * 6"),
    "carries no arithmetic": story("Tom has 5 pens. How many?", "5"),
    "cannot be read": story("Tom has 5 pens. How many?", "5", "5 + x"),
    "may be exchanged": story("Tom left at 5 pm and came at 9 pm. How long?", "4", "9 - 5"),
    "is no number": story("Tom has 5 pens. How many?", "five", "5"),
    "its choices": Question("c", "s", "c", "f", "5 + 9?", "14", ("14", "15"), 0, equation="5 + 9"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_in_doubt_it_is_declined(reason: str) -> None:
    found = renumber(REFUSED[reason], generator(0, "t"))
    assert isinstance(found, Declined)
    assert reason in found.reason


def test_division_by_zero_in_a_source_is_declined() -> None:
    assert isinstance(template_of(story("Tom has 5 pens and 0 cups. How many?", "5", "5 / 0")), Declined)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(2, 1799), min_size=2, max_size=4, unique=True),
    st.text(st.characters(exclude_categories=("Cs", "Nd", "Nl", "No")), max_size=20),
)
def test_whatever_stands_around_the_numbers_stays(numbers: list[int], noise: str) -> None:
    prompt = f"{noise} ".join(f"There are {value} things of a sort," for value in numbers) + " how many in all?"
    question = story(prompt, str(sum(numbers)), " + ".join(str(value) for value in numbers))
    found = renumber(question, generator(3, "t"))
    if isinstance(found, Declined):
        return
    image, source = template_of(found), template_of(question)
    assert isinstance(source, Template)
    assert isinstance(image, Template)
    assert image.fill(source.values).prompt == prompt
    assert int(found.answer) == sum(int(value) for value in image.values)
    assert [len(str(int(value))) for value in image.values] == [len(str(int(value))) for value in source.values]


def test_names_go_and_come_back() -> None:
    text = "Karen's uncle Tom met Alex. James gave Karen 4 pens, and Tom gave her 5. Karen thanked them."
    question = story(text, "9", "4 + 5")
    for seed in range(40):
        exchange = exchange_of(question, generator(seed, "t"))
        assert isinstance(exchange, dict)
        assert set(exchange) == {"Karen", "Tom", "Alex", "James"}
        assert len(set(exchange.values())) == 4
        assert not set(exchange.values()) & set(re.findall(r"\w+", text))
        assert all(GROUP[old] == GROUP[new] for old, new in exchange.items())
        found = exchanged(question, exchange)
        assert not set(exchange) & set(re.findall(r"\w+", found.prompt))
        assert exchanged(found, {new: old for old, new in exchange.items()}) == question
        assert found.answer == "9"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Mark has 4 pens and 5 cups.", "words too"),
        ("The waiter has 4 pens and 5 cups.", "nobody"),
        ("Karen Smith has 4 pens and 5 cups.", "longer name"),
        ("At the Saint Paul fair are 4 pens and 5 cups.", "longer name"),
        ("Karen has 4 pens; karen has 5 cups.", "as a word"),
        ("The Tom-like man has 4 pens and Tom has 5.", "compound"),
    ],
)
def test_doubtful_names_are_left_alone(text: str, reason: str) -> None:
    found = rename(story(text, "9", "4 + 5"), generator(0, "t"))
    assert isinstance(found, Declined)
    assert reason in found.reason


def test_a_name_in_a_question_of_fact_is_left_alone() -> None:
    found = rename(Question("f", "s", "f", "f", "What did Karen write?", "Letters"), generator(0, "t"))
    assert isinstance(found, Declined)


def test_rules_keep_labels_and_are_deterministic() -> None:
    for question in SOUND:
        for name in ("renumbered", "renamed", "retold"):
            found = dressed(RULES[name], question, 5)
            if isinstance(found, Declined):
                assert name != "renumbered"
                continue
            assert isinstance(found, Probe)
            assert found == dressed(RULES[name], question, 5)
            assert found.id == f"{question.id}#{name}"
            assert (found.form, found.source, found.group) == (name, question.id, question.group)
            assert found.kind == "generate"
            assert found.extract == "number"
    assert dressed(RULES["renumbered"], SINGLE, 5) != dressed(RULES["renumbered"], SINGLE, 6)


def test_drawn_numbers_are_not_one_sided() -> None:
    answers = [renumber(SINGLE, generator(seed, "t")) for seed in range(60)]
    larger = sum(Fraction(one.answer) > 35 for one in answers if isinstance(one, Question))
    assert 12 < larger < 54


def test_fresh_numbers_are_small_within_their_digits() -> None:
    span = mentions("There are 48 rolls.")[0].span()
    drawn = [int(span.at((place + 0.5) / 1000)) for place in range(1000)]
    assert drawn[0] == 10
    assert drawn[-1] == 99
    assert set(drawn) == set(range(10, 100))
    assert abs(sum(value < 32 for value in drawn) / 1000 - 0.505) < 0.01  # log10(3.2), the digits' law


def test_the_page_tells_every_rule() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "counterparts-numbers.md").read_text(encoding="utf-8")
    for rule in NUMBER_RULES:
        assert f"| {rule.name} | {rule.distance}_{rule.name} | {rule.changes} | {rule.keeps} | {rule.shared} |" in page
