"""Which questions an arm over pictures asks: shares, freshness, one telling for all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.errors import SpecError
from shadowgraph.spec.pictures import PictureTable
from shadowgraph.spec.source import load
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.pictured import tables_of
from shadowgraph.study.questions import (
    DESCRIBE,
    arm_tellings,
    base_tellings,
    chosen_families,
    description,
    families_of,
    fresh,
    outside_tellings,
    rows_of,
    shares_of,
    sight_tellings,
)
from shadowgraph.worlds.drawn.scene import Chart, Digits, Figure, Listing, Shapes

SPEC = load(Path(__file__).with_name("tiny-pictures.toml"), StudySpec)
TABLE = tables_of(SPEC)[0]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(0, 500))
def test_rows_follow_their_shares(weights: list[int], rows: int) -> None:
    shares = {str(place): weight / sum(weights) for place, weight in enumerate(weights)}
    found = rows_of(shares, rows)
    assert sum(found.values()) == rows
    assert all(abs(found[family] - share * rows) < 1 + 1e-6 for family, share in shares.items())


def test_an_arm_gets_the_share_it_asks_for() -> None:
    perception, coverage = SPEC.arms
    known = families_of(TABLE.scenes)
    narrow = shares_of(TABLE, perception)
    assert sum(narrow.values()) == pytest.approx(1.0)
    assert narrow["digits_read"] == pytest.approx(0.4 + 0.2 / len(known))
    assert narrow["digits_trend"] == pytest.approx(0.2 / len(known))
    assert set(shares_of(TABLE, coverage).values()) == {1.0 / len(known)}
    counted = Counter(row.family for row in arm_tellings(SPEC, TABLE, perception, 0, 100, own=False))
    assert counted == {family: rows for family, rows in rows_of(narrow, 100).items() if rows}


def test_families_have_their_kind() -> None:
    known = families_of(["shapes"])
    assert known["shapes_count"] == "perception"
    assert known["shapes_composition"] == "reasoning"
    assert "shapes_trend" not in known


def test_an_arm_never_repeats_and_arms_of_a_draw_ask_alike() -> None:
    rows = {arm.name: arm_tellings(SPEC, TABLE, arm, 1, 90, own=False) for arm in SPEC.arms}
    asked = {name: {(row.group, row.context) for row in found} for name, found in rows.items()}
    assert all(len(asked[name]) == 90 for name in asked)
    for family in families_of(TABLE.scenes):
        own = [{row.id for row in found if row.family == family} for found in rows.values()]
        assert own[0] <= own[1] or own[1] <= own[0]
    others = [
        arm_tellings(SPEC, TABLE, SPEC.arms[0], 0, 90, own=False),
        arm_tellings(SPEC, TABLE, SPEC.arms[0], 1, 90, own=True),
        base_tellings(SPEC, TABLE, 90),
    ]
    for found in others:
        assert not {row.group for row in found} & {row.group for row in rows["perception"]}


def test_more_questions_of_a_family_begin_with_fewer() -> None:
    assert [item.id for item in fresh(3, "digits_trend", 7)][:4] == [item.id for item in fresh(3, "digits_trend", 4)]
    assert fresh(3, "shapes_read", 0) == []
    assert {item.family for item in fresh(3, "shapes_count", 9)} == {"shapes_count"}


def test_a_name_stands_for_every_family_of_it_once() -> None:
    known = families_of(TABLE.scenes)
    reasoning = [family for family, kind in known.items() if kind == "reasoning"]
    assert chosen_families(TABLE, ["reasoning"], "here") == reasoning
    digits = chosen_families(TABLE, ["digits_trend", "digits"], "here")
    assert digits[0] == "digits_trend"
    assert sorted(digits) == sorted(family for family in known if family.startswith("digits_"))
    with pytest.raises(SpecError, match=r"here: 'charts' is asked of no picture of this study"):
        chosen_families(TABLE, ["digits", "charts"], "here")


def test_equal_remainders_go_to_the_first_families() -> None:
    assert rows_of({"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25}, 6) == {"a": 2, "b": 2, "c": 1, "d": 1}
    assert rows_of({"a": 0.3, "b": 0.45, "c": 0.25}, 2) == {"a": 1, "b": 1, "c": 0}
    assert rows_of({"a": 0.7, "b": 0.3}, 3) == {"a": 2, "b": 1}


def test_a_base_of_too_few_pictures_for_its_families_is_refused() -> None:
    table = PictureTable(scenes=("shapes", "digits", "chart"), outside=("listing",), base_pictures=16)
    few = table.model_copy(update={"base_pictures": 6})
    with pytest.raises(SpecError, match=r"pictures.base_pictures: 6 pictures are too few: none of them is asked"):
        base_tellings(SPEC, few, 40)


def test_rows_come_mixed_and_in_one_order_for_ever() -> None:
    rows = arm_tellings(SPEC, TABLE, SPEC.arms[0], 0, 60, own=False)
    assert len({row.family for row in rows[:20]}) > 1
    assert [row.id for row in rows] == [row.id for row in arm_tellings(SPEC, TABLE, SPEC.arms[0], 0, 60, own=False)]
    base = base_tellings(SPEC, TABLE, 60)
    assert 5 < sum(row.family == "description" for row in base[:30]) < 25
    assert base[0].context == DESCRIBE or base[0].context.startswith("Question: ")


def test_sight_is_of_pictures_of_the_study_each_once() -> None:
    rows = sight_tellings(SPEC, TABLE, 20)
    assert len({row.scene for row in rows}) == 20
    assert {type(row.scene) for row in rows} == {Shapes, Digits}
    trained = [*base_tellings(SPEC, TABLE, 60), *arm_tellings(SPEC, TABLE, SPEC.arms[1], 0, 60, own=False)]
    assert not {row.scene for row in rows} & {row.scene for row in trained}
    assert all(row.context == DESCRIBE and row.answer == f" {description(row.scene)}" for row in rows)


def test_a_base_sees_every_family_and_describes_as_asked() -> None:
    counted = Counter(row.family for row in base_tellings(SPEC, TABLE, 200))
    assert counted.total() == 200
    assert counted.pop("description") == 100
    assert set(counted) == set(families_of(TABLE.scenes))
    assert max(counted.values()) - min(counted.values()) <= 1


def test_outside_is_about_other_pictures() -> None:
    assert {row.family.split("_")[0] for row in outside_tellings(SPEC, TABLE, 20)} == {"chart"}


def test_a_description_names_all_that_is_drawn() -> None:
    figures = (Figure("star", "red", 1, 2), Figure("circle", "blue", 2, 1))
    assert description(Shapes(2, figures)) == "none, red star; blue circle, none"
    assert description(Chart(("Jan", "Feb"), (3, 5), 1, "line")) == "Jan 3, Feb 5"
    assert description(Listing((("pear", 12), ("lamp", 7)))) == "pear 12, lamp 7"
