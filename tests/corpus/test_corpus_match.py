"""Matching: draws within calipers, or the caliper that fails by name."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.corpus.match import match
from shadowgraph.errors import SpecError


def rows(**arms: list[float]) -> list[dict[str, Any]]:
    return [
        {"arm": arm, "draw": draw, "kl": value, "size": 100.0}
        for arm, values in arms.items()
        for draw, value in enumerate(values)
    ]


def test_the_nearest_draws_are_paired() -> None:
    found = match(rows(a=[0.0, 1.0, 2.0], b=[2.1, 0.1, 9.0]), {"kl": 0.2, "size": 1.0}, reference="a", keep=2)
    assert found.complete
    assert sorted(found.sets, key=lambda each: each["a"]) == [{"a": 0, "b": 1}, {"a": 2, "b": 0}]


def test_the_caliper_that_fails_is_named() -> None:
    found = match(rows(a=[0.0, 1.0], b=[0.1, 1.1], c=[5.0, 6.0]), {"kl": 0.2, "size": 1.0}, reference="a", keep=2)
    assert not found.complete
    assert str(found.failures[0]) == "c: 0 draws lie within the calipers; kl differs by at least 4 and 0.2 is allowed"
    assert [each["b"] for each in found.sets] == [0, 1]


def test_arms_that_match_different_draws_fail_together() -> None:
    found = match(rows(a=[0.0, 5.0], b=[0.0], c=[5.0]), {"kl": 0.2}, reference="a", keep=1)
    assert not found.complete
    assert found.sets == ()
    assert found.failures[0].matched == 0


def test_relative_columns_and_bad_tables() -> None:
    table = rows(a=[100.0], b=[109.0])
    assert match(table, {"kl": 0.1}, reference="a", keep=1, relative=("kl",)).complete
    assert not match(table, {"kl": 0.1}, reference="a", keep=1).complete
    with pytest.raises(SpecError, match="no number in the column 'base_loss'"):
        match(table, {"base_loss": 0.1}, reference="a", keep=1)
    with pytest.raises(SpecError, match="1 draws of the reference, 2 sets wanted"):
        match(table, {"kl": 0.1}, reference="a", keep=2)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 3), min_size=1, max_size=6), st.lists(st.floats(0, 3), min_size=1, max_size=6))
def test_kept_sets_lie_within_calipers_and_use_no_draw_twice(first: list[float], second: list[float]) -> None:
    found = match(rows(a=first, b=second), {"kl": 0.5}, reference="a", keep=1)
    for each in found.sets:
        if "b" in each:
            assert abs(first[each["a"]] - second[each["b"]]) <= 0.5
    wide = match(rows(a=first, b=second), {"kl": 10.0}, reference="a", keep=min(len(first), len(second)))
    assert wide.complete
    assert len({each["b"] for each in wide.sets}) == len(wide.sets)
