"""Questions about pictures: gold by an independent reader, choices apart, nothing in the choices tells the gold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache, partial

import pytest
from scipy import stats
from visual_reader import READINGS, answer

from shadowgraph.errors import Defect, SpecError
from shadowgraph.worlds.drawn.scene import Chart, Digits, Figure, Shapes
from shadowgraph.worlds.visual import ABILITIES, KINDS, SCENES, VisualItem, visual_items

SIZE = 800


@lru_cache(maxsize=1)
def made() -> list[VisualItem]:
    return visual_items(7, SIZE)


def test_gold_is_what_an_independent_reader_finds() -> None:
    wordings: set[str] = set()
    for item in made():
        found, wording = answer(item.scene, item.question)
        assert found == item.answer == item.choices[item.gold], item
        wordings.add(wording)
    assert wordings == {wording for readings in READINGS.values() for wording in readings}


def test_the_reader_can_disagree() -> None:
    chart = Chart(("pear", "plum", "fig"), (3, 9, 5), 1, "line")
    assert answer(chart, "What value does the chart give plum?")[0] == "9"
    assert answer(chart, "How do the values of the chart run from pear to fig?")[0] == "rise, then fall"
    shapes = Shapes(3, (Figure("star", "red", 1, 1), Figure("circle", "red", 1, 2), Figure("circle", "blue", 2, 1)))
    assert answer(shapes, "How many other figures have the same colour as the star?")[0] == "1"
    assert answer(shapes, "Which shape is in the cell directly below the star?")[0] == "circle"
    with pytest.raises(AssertionError, match="0 readings"):
        answer(shapes, "What value does the chart give plum?")


def test_items_are_unique_and_well_formed() -> None:
    assert len({item.id for item in made()}) == SIZE
    assert len({(repr(item.scene), item.question) for item in made()}) == SIZE
    for item in made():
        assert 2 <= len(item.choices) <= 4
        assert len({choice.lower() for choice in item.choices}) == len(item.choices)
        scene, _, ability = item.family.partition("_")
        assert ability in ABILITIES[item.kind]
        assert scene in SCENES
        assert item.group == item.id.rpartition("/")[0]
        assert "\n" not in item.question + item.answer
    pairs = {(item.family, item.kind) for item in made()}
    assert len(pairs) == sum(len(questions) for _, questions in SCENES.values())


def test_the_questions_of_one_picture_share_its_group_and_scene() -> None:
    groups: dict[str, list[VisualItem]] = {}
    for item in made():
        groups.setdefault(item.group, []).append(item)
    for items in groups.values():
        assert [item.kind for item in items] == list(KINDS)
        assert items[0].scene == items[1].scene


def test_a_longer_list_begins_with_the_shorter_and_seeds_differ() -> None:
    assert visual_items(7, 50) == made()[:50]
    assert visual_items(8, 50) != made()[:50]
    assert not {item.fingerprint for item in visual_items(8, 50)} & {item.fingerprint for item in made()}
    only = visual_items(7, 9, kinds=("reasoning",), scenes=("shapes",))
    assert {(item.kind, item.family.partition("_")[0]) for item in only} == {("reasoning", "shapes")}


def common(item: VisualItem) -> int:
    """The choice that has most letters in their places in common with the others."""
    likeness = [
        sum(a == b for other in item.choices for a, b in zip(choice, other, strict=False)) for choice in item.choices
    ]
    return likeness.index(max(likeness))


def rank(item: VisualItem, place: int) -> int:
    """The numeric choice of a rank, the first one where choices are no numbers."""
    if not all(choice.isdigit() for choice in item.choices):
        return 0
    return item.choices.index(sorted(item.choices, key=int)[min(place, len(item.choices) - 1)])


GUESSERS: dict[str, Callable[[VisualItem], int]] = {
    "first": lambda _: 0,
    "last": lambda item: len(item.choices) - 1,
    "longest": lambda item: max(range(len(item.choices)), key=lambda place: len(item.choices[place])),
    "most common": common,
    **{f"rank {place}": partial(rank, place=place) for place in range(4)},
}


@pytest.mark.parametrize("guesser", GUESSERS)
def test_who_sees_the_choices_alone_guesses(guesser: str) -> None:
    # Binomial tail against chance, p > 1e-4 over all items; in no family more than half, by far, of what it takes.
    hits = {item.id: GUESSERS[guesser](item) == item.gold for item in made()}
    chance = sum(1 / len(item.choices) for item in made()) / SIZE
    assert stats.binomtest(sum(hits.values()), SIZE, chance, alternative="greater").pvalue > 1e-4
    for family in {item.family for item in made()}:
        own = [hits[item.id] for item in made() if item.family == family]
        assert stats.binomtest(sum(own), len(own), 0.45, alternative="greater").pvalue > 1e-4, family


def test_wrong_numbers_of_a_chart_are_multiples_of_its_step() -> None:
    for item in made():
        counts = "count" in item.family or "How many" in item.question
        if isinstance(item.scene, Chart) and item.answer.isdigit() and not counts:
            assert {int(choice) % item.scene.step for choice in item.choices} == {0}


def test_no_answer_dominates_a_family() -> None:
    for family in {item.family for item in made()}:
        golds = Counter(item.answer for item in made() if item.family == family)
        assert golds.most_common(1)[0][1] <= 0.55 * golds.total(), (family, golds)


def test_words_about_places_and_colours_are_marked() -> None:
    places = ("row", "line ", "directly", "from left", "from the top", "run from")
    colours = ("colour", "red", "blue", "green", "yellow", "purple", "orange")
    for item in made():
        assert item.positional == any(word in item.question for word in places), item
        named = " ".join((item.question, item.answer)).split()
        assert item.chromatic == any(word.strip("?") in colours for word in named), item


def test_digits_show_rows_of_three_without_a_leading_zero() -> None:
    scenes = [item.scene for item in made() if isinstance(item.scene, Digits)]
    assert all(len(scene.rows) == 3 and all(len(row) == 3 for row in scene.rows) for scene in scenes)
    reads = [item.answer for item in made() if item.family == "digits_read"]
    assert all(len(text) == 3 and text[0] != "0" for text in reads)


def test_faults_are_named() -> None:
    with pytest.raises(SpecError, match="kinds sight"):
        visual_items(1, 3, kinds=("sight",))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(SpecError, match="scenes none"):
        visual_items(1, 3, scenes=())
    with pytest.raises(SpecError, match="each once"):
        visual_items(1, 3, scenes=("chart", "chart"))
    with pytest.raises(SpecError, match="0 items"):
        visual_items(1, 0)
    item = made()[0]
    with pytest.raises(Defect, match="gold index"):
        VisualItem("x", "x", "perception", "f", item.scene, "q", "a", ("b", "a"), 0, False, False)
    with pytest.raises(Defect, match="read the same"):
        VisualItem("x", "x", "perception", "f", item.scene, "q", "a", ("a", "A."), 0, False, False)
