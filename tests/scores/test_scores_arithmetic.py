"""Arithmetic is read exactly, refuses what it is not, and comes back as written."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.errors import DataError
from shadowgraph.scores.counterparts.arithmetic import decimals, number, parse, plain
from shadowgraph.scores.counterparts.mentions import mentions

leaf = st.integers(0, 400).map(lambda scaled: Fraction(scaled, 4))
tree = st.recursive(
    leaf, lambda inner: st.tuples(st.sampled_from("+-*/"), inner, inner) | st.tuples(st.just("~"), inner), max_leaves=8
)


def worth(node: object) -> Fraction:
    """The value of a drawn tree, by an independent evaluator."""
    if isinstance(node, Fraction):
        return node
    assert isinstance(node, tuple)
    values = [worth(part) for part in node[1:]]
    match node[0]:
        case "~":
            return -values[0]
        case "+":
            return values[0] + values[1]
        case "-":
            return values[0] - values[1]
        case "*":
            return values[0] * values[1]
        case _:
            return values[0] / values[1]


def bracketed(node: object) -> str:
    """A drawn tree with a bracket around everything."""
    if isinstance(node, Fraction):
        return plain(node)
    assert isinstance(node, tuple)
    parts = [bracketed(part) for part in node[1:]]
    return f"(-{parts[0]})" if node[0] == "~" else f"({parts[0]} {node[0]} {parts[1]})"


@given(tree)
def test_value_and_writing_agree_with_an_independent_evaluator(node: object) -> None:
    expression = parse(bracketed(node))
    again = parse(expression.written([plain(value) for value in expression.leaves]))
    assert again.leaves == expression.leaves
    try:
        value = worth(node)
    except ZeroDivisionError:
        with pytest.raises(ZeroDivisionError):
            expression.value(expression.leaves)
        return
    assert expression.value(expression.leaves) == value == again.value(again.leaves)
    assert len(expression.nodes(expression.leaves)) == len(expression.code)


@pytest.mark.parametrize(
    "text", ["", "2+", "(2", "2)", "x", "2 3", "*2", "__import__('os')", "2**3", "(" * 30 + "2", "1" * 500]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        parse(text)


def test_numbers_in_answers() -> None:
    assert number("1,200") == 1200
    assert number(" -4.50 ") == Fraction(-9, 2)
    assert number("four") is None
    assert number("9" * 50) is None
    assert decimals(Fraction(1, 3)) is None
    assert plain(Fraction(-1, 8)) == "-0.125"
    with pytest.raises(DataError, match="without end"):
        plain(Fraction(1, 3))


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("He has 12 pens and $1,500 and 2.50 euros", ["12", "1,500", "2.50"]),
        ("Three of twenty", ["Three", "twenty"]),
        ("at 7:30, at 5 pm, on May 3, in 1998, the 3rd, 1/2, 3-4, room B2, twenty-five, two thirds, 5 million", []),
        ("0 or 1 or one", []),
        ("an 8-foot pole, a 6-foot pole", ["8", "6"]),
    ],
)
def test_which_mentions_are_free(text: str, free: list[str]) -> None:
    found = mentions(text)
    assert [one.text for one in found if not one.fixed] == free
    assert all(text[one.start : one.end] == one.text for one in found)
    assert all(one.write(one.value) == one.text for one in found if not one.fixed)


def test_spans_keep_size_and_units() -> None:
    one = {one.text: one for one in mentions("80,000 coins, 24 hours, 12 hours, 15% of 7 days, .50 and nine")}
    assert set(one["80,000"].span().numerators) == set(range(10000, 100000, 10000))
    assert max(one["12"].span().numerators) == 24
    assert all(value % 5 == 0 and value < 100 for value in one["15"].span().numerators)
    assert max(one["7"].span().numerators) == 7
    assert one[".50"].write(Fraction(7, 10)) == ".70"
    assert one["nine"].write(Fraction(4)) == "four"
    assert one["nine"].write(Fraction(40, 3)) is None
