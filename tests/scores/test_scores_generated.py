"""Generated questions: gold by the family's own scorer, no repeats, a dial that turns."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("reasoning_gym", reason="reasoning-gym is not installed")

from shadowgraph.errors import SpecError
from shadowgraph.scores.generated import GENERATED, LEVELS, choice_probe, free_probe, generated, swapped
from shadowgraph.seeds import derive, generator
from shadowgraph.worlds.item import normal
from shadowgraph.worlds.reasoning import FamilySource

ITEMS = 12


@pytest.mark.parametrize("name", GENERATED)
def test_gold_is_right_and_choices_are_wrong_by_the_familys_scorer(name: str) -> None:
    lengths: list[float] = []
    for level in LEVELS:
        questions = generated(name, seed=5, items=ITEMS, level=level)
        source = FamilySource(GENERATED[name].at(level), derive(5, "generated", level))
        assert len({normal(one.prompt) for one in questions}) == ITEMS
        for question in questions:
            index = int(question.id.rsplit("/", 1)[1])
            assert source.score(index, question.answer) == 1.0
            assert free_probe(question).answers == (question.answer,)
            if question.choices:
                probe = choice_probe(question)
                assert probe.continuations[probe.gold] == f" {question.answer}"
                wrong = [text for text in question.choices if text != question.answer]
                assert all(source.score(index, text) < 1.0 for text in wrong)
        lengths.append(sum(len(one.prompt) + len(one.answer) for one in questions) / ITEMS)
    if name not in ("syllogism", "calendar_arithmetic", "number_sequence", "products"):
        assert lengths[0] < lengths[2]


def test_six_abilities_two_forms() -> None:
    assert {one.ability for one in GENERATED.values()} == {
        *("arithmetic", "logic", "algorithmic", "language", "induction", "time")
    }
    assert sum(bool(one.parts) or one.family.kind != "open" for one in GENERATED.values()) >= 14


def test_seed_level_and_taken() -> None:
    one = generated("chain_sum", seed=1, items=20)
    assert one == generated("chain_sum", seed=1, items=20)
    assert one[:5] == generated("chain_sum", seed=1, items=5)
    assert not {q.prompt for q in one} & {q.prompt for q in generated("chain_sum", seed=2, items=20)}
    others = generated("chain_sum", seed=1, items=20, taken=[one[0].prompt.upper()])
    assert one[0].prompt not in {q.prompt for q in others}
    assert others[0] == one[1]


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(SpecError, match="no generated family"):
        generated("nothing", seed=0, items=1)
    with pytest.raises(SpecError, match="no level"):
        generated("chain_sum", seed=0, items=1, level="brutal")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SpecError, match="different questions"):
        generated("count_bits", seed=0, items=300, level="easy")


def test_swaps_keep_the_parts() -> None:
    found = swapped("['3', '1', '2', '9']", "words", lambda text: False, generator(0, "t"))
    assert found is not None
    assert all(sorted(text) == sorted("['3', '1', '2', '9']") for text in found)
    assert len({*found, "['3', '1', '2', '9']"}) == 4
    assert swapped("aa", "letters", lambda text: False, generator(0, "t")) is None
    assert swapped("a", "letters", lambda text: False, generator(0, "t")) is None


def test_the_page_tells_every_family_and_level() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "counterparts-numbers.md").read_text(encoding="utf-8")
    for name, dialled in GENERATED.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| {name} | {dialled.ability} |"))
        numbers = {str(value) for level in LEVELS for value in dialled.levels[level].values() if isinstance(value, int)}
        assert all(value in row for value in numbers), name
