"""Patterns of module names: what PEFT matches is matched, what could run without end is refused or bounded."""

import re
import time
import warnings

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shadowgraph.weights.adapters.expression import Unreadable
from shadowgraph.weights.adapters.patterns import Patterns, TooMuchWork

ATOMS = [*"ab1_.", r"\.", r"\d", r"\w", r"\S", r"\D", "[ab1]", "[^.]", "[a-c_]", "(a|b)", "(?:ab|1)"]
COUNTS = ["", "", "", "*", "+", "?", "{2}", "{1,2}", "{,2}", "{1,}", "*?", "+?"]
PARTS = st.one_of(st.sampled_from(["^", "$"]), st.builds(str.__add__, st.sampled_from(ATOMS), st.sampled_from(COUNTS)))
BRANCH = st.lists(PARTS, max_size=4).map("".join)
GROUPED = st.builds("({}){}".format, BRANCH, st.sampled_from(COUNTS))
KEYS = st.lists(st.one_of(PARTS, GROUPED, st.just("|")), max_size=5).map("".join)
NAMES = st.text("ab1_.", max_size=10)
ANY = st.text("ab.1_^$|()[]-*+?{},\\dwDsn:", max_size=12)


def finds(key: str, name: str) -> bool:
    """What PEFT asks (`get_pattern_key`)."""
    return re.match(rf"(.*\.)?({key})$", name) is not None


@given(st.one_of(KEYS, KEYS, ANY), NAMES)
def test_a_key_matches_where_the_language_of_python_does(key: str, name: str) -> None:
    try:
        patterns = Patterns([key])
    except Unreadable:
        return
    assert (patterns.first(name) is not None) == finds(key, name)


@given(KEYS)
def test_keys_of_the_usual_grammar_are_read(key: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            re.compile(f"({key})")
        except (re.error, FutureWarning):
            assume(False)
    Patterns([key])


@given(st.lists(st.text("ab.", min_size=1, max_size=4), max_size=6), st.text("ab.", max_size=8))
def test_plain_keys_match_in_their_order(keys: list[str], name: str) -> None:
    found = Patterns(keys).first(name)
    assert found == next((key for key in keys if finds(key, name)), None)


@pytest.mark.parametrize(
    "key",
    [
        *(r"(a)\1", "(?=a)b", "(?!a)b", "(?<=a)b", "(?P<n>a)", "(?i)a", r"\bq", "a++", "(?>a)", "a**"),
        *(
            "[a",
            "(a",
            "a)",
            "*a",
            "a{200}",
            "a{2,1}",
            "[b-a]",
            "((a{100}){100}){100}",
            "a*" * 1000,
            "(" * 80 + ")" * 80,
            "a{x}",
        ),
    ],
)
def test_what_is_no_plain_language_is_refused(key: str) -> None:
    with pytest.raises(Unreadable):
        Patterns([key])


@pytest.mark.parametrize("key", ["(a+)+b", "(a|aa)*b", "(.*a){50}b", "(a?){90}(a){90}", "(((a*)*)*)*b"])
def test_what_python_would_not_end_ends(key: str) -> None:
    started = time.process_time()
    assert Patterns([key]).first("a" * 400) in {None, key}
    assert time.process_time() - started < 5


def test_the_work_for_all_names_is_bounded() -> None:
    patterns = Patterns([f"(.*{letter}.*)+x" for letter in "abcdefgh" for _ in range(50)])
    started = time.process_time()
    with pytest.raises(TooMuchWork):
        list(map(patterns.first, (f"model.layers.{number}." + "abcdefgh" * 10 for number in range(100_000))))
    assert time.process_time() - started < 5


def test_a_rank_for_every_expert_is_matched_in_time() -> None:
    keys = [f"model.layers.{layer}.mlp.experts.{expert}.up_proj" for layer in range(40) for expert in range(128)]
    patterns = Patterns(keys)
    started = time.process_time()
    assert all(patterns.first(key) == key for key in keys)
    assert time.process_time() - started < 2


def test_a_name_with_a_line_break_matches_nothing_silently() -> None:
    with pytest.raises(Unreadable):
        Patterns(["a"]).first("b\na")
