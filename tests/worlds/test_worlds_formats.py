"""Formats: every prompt is the beginning of a document, and every layout is sound."""

from __future__ import annotations

import pytest

from shadowgraph.errors import SpecError
from shadowgraph.seeds import generator
from shadowgraph.worlds.fiction import FictionalWorld
from shadowgraph.worlds.formats import CHOICE, prompt, render
from shadowgraph.worlds.layouts import (
    BASE_FORMATS,
    FACT_LAYOUTS,
    HELD_OUT_FORMATS,
    PROBLEM_LAYOUTS,
    QUESTION_FORMATS,
    TRAIN_FORMATS,
)
from shadowgraph.worlds.reasoning import FamilySource

ALL = (*TRAIN_FORMATS, *BASE_FORMATS, *HELD_OUT_FORMATS)
WORLD = FictionalWorld(0, 12, 5)
FACT = WORLD.facts()[0]


SAMPLES = (FACT, WORLD.facts()[-1], WORLD.compositions()[0].item, FamilySource("gcd", 0).item(0))


def test_the_groups_of_formats_are_disjoint_and_complete() -> None:
    assert len(set(ALL)) == len(ALL)
    assert len(BASE_FORMATS) >= 4
    assert len(HELD_OUT_FORMATS) >= 3
    assert set(PROBLEM_LAYOUTS) == set(FACT_LAYOUTS) == set(ALL) - {CHOICE}
    assert set(ALL) >= QUESTION_FORMATS


@pytest.mark.parametrize("form", ALL)
def test_context_and_gold_continuation_begin_a_document(form: str) -> None:
    for item in SAMPLES:
        for seed in range(6):
            posed = prompt(item, form, generator(seed, form))
            text = render(item, form, generator(seed, form))
            assert text.startswith(posed.context + posed.continuations[posed.gold])
            assert len(posed.continuations) == len(item.choices)
            assert posed.context == posed.context.rstrip()
            assert all(continuation.startswith(" ") for continuation in posed.continuations)
            assert item.answer in posed.continuations[posed.gold]


def test_an_open_item_has_one_continuation() -> None:
    item = FamilySource("spell_backward", 0).item(0)
    posed = prompt(item, "cloze", generator(0, "t"))
    assert posed.continuations == (f" {item.answer}",)
    assert posed.gold == 0


def test_the_benchmark_has_one_layout() -> None:
    text = render(FACT, CHOICE, generator(0, "a"))
    assert text == render(FACT, CHOICE, generator(1, "b"))
    lines = text.split("\n")
    assert lines[0] == f"Question: {FACT.question}"
    assert [line[:3] for line in lines[1:5]] == ["A. ", "B. ", "C. ", "D. "]
    assert lines[5] == f"Answer: {'ABCD'[FACT.gold]}. {FACT.answer}"


@pytest.mark.parametrize("form", sorted(set(ALL) - {CHOICE}))
def test_layouts_hold_one_slot_fill_completely_and_vary(form: str) -> None:
    for layouts, item in ((FACT_LAYOUTS, FACT), (PROBLEM_LAYOUTS, SAMPLES[3])):
        for layout in layouts[form]:
            assert layout.text.count("{answer}") == 1
            assert " {answer}" in layout.text
            assert ("{rows}" in layout.text) == bool(layout.row)
        texts = {render(item, form, generator(seed, "t"), SAMPLES[:1]) for seed in range(40)}
        assert not any("{" in text or "}" in text for text in texts)
        assert len(texts) >= 2
        assert len(layouts[form]) >= 2
        if form in TRAIN_FORMATS:
            assert len(layouts[form]) >= 3


@pytest.mark.parametrize("form", sorted(set(ALL) - QUESTION_FORMATS))
def test_statement_formats_never_ask_a_fact(form: str) -> None:
    assert not any("{question}" in layout.text + layout.row for layout in FACT_LAYOUTS[form])


def test_rows_follow_and_faults_are_named() -> None:
    others = WORLD.facts()[1:3]
    text = render(FACT, "table", generator(0, "t"), others)
    assert all(other.subject in text and other.answer in text for other in others)
    with pytest.raises(SpecError, match="no_such_format"):
        render(FACT, "no_such_format", generator(0, "t"))
    with pytest.raises(SpecError, match="no choices"):
        render(FamilySource("spell_backward", 0).item(0), CHOICE, generator(0, "t"))
