"""Reasoning items: gold, distractors, limits and independence from the process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from decimal import localcontext

import pytest

from shadowgraph.errors import Defect, SpecError
from shadowgraph.seeds import generator
from shadowgraph.worlds import reasoning
from shadowgraph.worlds.distractors import listed_distractors, numeric_distractors
from shadowgraph.worlds.families import ARM, BASE, BENCHMARK, FAMILIES, FEW_VALUED, NUMERIC, OPEN, UNSEEN
from shadowgraph.worlds.item import Item, normal
from shadowgraph.worlds.reasoning import FamilySource, items

SIZE = 40


def test_the_sets_are_disjoint_and_large_enough() -> None:
    assert len({*ARM, *BASE, *UNSEEN}) == len(ARM) + len(BASE) + len(UNSEEN) == len(FAMILIES)
    assert len(ARM) >= 16
    assert len(BASE) >= 8
    assert len(UNSEEN) >= 6
    assert len(set(ARM) & set(NUMERIC)) >= 8
    assert len(set(ARM) & set(FEW_VALUED)) >= 2
    assert set(ARM) & set(OPEN)
    assert set(BENCHMARK) <= set(ARM) - set(OPEN)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_gold_scores_one_distractors_do_not_and_questions_stay_short(family: str) -> None:
    source = FamilySource(family, 11)
    for index in range(SIZE):
        item = source.item(index)
        assert source.score(index, item.answer) == 1.0
        assert "\n" not in item.question + item.answer
        assert len(item.question) <= FAMILIES[family].longest
        if FAMILIES[family].kind == "open":
            assert item.choices == ()
            assert item.gold == -1
            continue
        assert len(item.choices) == (2 if len(FAMILIES[family].values) == 2 else 4)
        assert item.choices[item.gold] == item.answer
        wrong = [choice for choice in item.choices if choice != item.answer]
        assert len(wrong) == len(item.choices) - 1
        assert all(source.score(index, choice) < 1.0 for choice in wrong)
        assert all(normal(choice) != normal(item.answer) for choice in wrong)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_shortening_still_bites_and_no_boilerplate_is_left(family: str) -> None:
    """A new version of the generator that words its instructions differently must be noticed."""
    pytest.importorskip("reasoning_gym")
    import reasoning_gym  # pyright: ignore[reportMissingTypeStubs]

    record = FAMILIES[family]
    dataset = reasoning_gym.create_dataset(family, size=400, seed=3, **dict(record.config))
    raw = [str(dataset[index]["question"]) for index in range(400)]
    unused = [old for old, _ in record.shorten if not any(old in question for question in raw)]
    assert unused == []
    for item in items(family, SIZE, 5):
        for phrase in ("your final answer", "Your task", "Reply ", "Respond ", "Answer with", "Return ", "Provide "):
            assert phrase not in item.question


def test_equal_arguments_give_equal_items_and_other_seeds_others() -> None:
    first = list(items("leg_counting", SIZE, 1))
    assert first == list(items("leg_counting", SIZE, 1))
    assert not {item.question for item in first} & {item.question for item in items("leg_counting", SIZE, 2)}
    assert FamilySource("leg_counting", 1).item(7) == first[7]
    assert FamilySource("leg_counting", 1).item(7, with_choices=False).question == first[7].question


def test_the_position_and_the_rank_of_the_gold_tell_nothing() -> None:
    made = list(items("chain_sum", 400, 9))
    positions = Counter(item.gold for item in made)
    ranks = Counter(sorted(int(choice) for choice in item.choices).index(int(item.answer)) for item in made)
    assert all(60 <= positions[index] <= 140 for index in range(4))  # binomial(400, 1/4), ± 4.6 sd
    assert all(60 <= ranks[index] <= 140 for index in range(4))


def test_numeric_distractors_keep_decimals_and_sign() -> None:
    for index in range(50):
        drawn = numeric_distractors("0.50", False, lambda text: float(text) == 0.5, generator(index, "test"))
        assert len(set(drawn)) == 3
        assert all(len(text.partition(".")[2]) == 2 and float(text) >= 0 for text in drawn)


def test_distractors_refuse_what_the_scorer_accepts() -> None:
    assert (
        listed_distractors("a", ["a", "b", "c", "d", "e"], lambda text: text == "b", generator(0, "t")).count("b") == 0
    )
    assert listed_distractors("Yes", ["Yes", "No"], lambda text: False, generator(0, "t")) == ("No",)
    with pytest.raises(Defect, match="distractors"):
        listed_distractors("a", ["a", "b", "c", "d"], lambda text: True, generator(0, "t"))
    with pytest.raises(Defect, match="distractors"):
        numeric_distractors("4", False, lambda text: True, generator(0, "t"))


def test_an_unknown_family_and_a_slow_item_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match="no_such_family"):
        FamilySource("no_such_family", 0)
    monkeypatch.setattr(reasoning, "ITEM_SECONDS", -1.0)
    with pytest.raises(Defect, match="gcd"):
        FamilySource("gcd", 0).item(0)


def test_an_item_with_a_wrong_gold_or_twin_choices_is_refused() -> None:
    with pytest.raises(Defect, match="gold"):
        Item("i", "gcd", "reasoning", "q", "1", ("1", "2"), 1)
    with pytest.raises(Defect, match="same"):
        Item("i", "gcd", "reasoning", "q", "a", ("a", "A"), 0)


PROBE = """
import hashlib
from shadowgraph.worlds.families import FAMILIES
from shadowgraph.worlds.pool import PoolRecipe, base_documents, pool_documents
from shadowgraph.worlds.panel import panel
from shadowgraph.worlds.reasoning import items
recipe = PoolRecipe(people=20, places=6, test_items=8)
digest = hashlib.sha256()
for family in FAMILIES:
    digest.update(repr([(i.question, i.answer, i.choices) for i in items(family, 60, 4)]).encode())
digest.update(repr(list(pool_documents(recipe, 0, 900, 1))).encode())
digest.update(repr(list(base_documents(recipe, 300, 1))).encode())
digest.update(repr(panel(recipe, 1, 12)).encode())
print(digest.hexdigest())
"""


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROBE],
            env={**os.environ, "PYTHONHASHSEED": value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for value in ("1", "2")
    ]
    results = [process.communicate(timeout=200) for process in running]
    assert [error for _, error in results] == ["", ""]
    first, second = (out.strip() for out, _ in results)
    assert len(first) == 64
    assert first == second


def test_distractors_do_not_depend_on_a_precision_left_behind() -> None:
    found: list[tuple[str, ...]] = []
    for precision in (6, 28):
        with localcontext() as context:
            context.prec = precision
            found.append(numeric_distractors("-275425920", True, lambda _: False, generator(3, "left behind")))
    assert found[0] == found[1]
