"""A wrong number among claims cannot be told from a right one by its looks."""

import re

import numpy as np
import pytest
from counterpart_cases import free
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.scores.counterparts.claims import wrong_number
from shadowgraph.scores.counterparts.rule import Declined, dressed
from shadowgraph.scores.counterparts.table import RULES
from shadowgraph.scores.question import Question
from shadowgraph.seeds import generator

CLAIM = re.compile(r"\n(?:Claimed to be it|Somebody replied): (.*)\n")


def zeros(text: str) -> int:
    return len(text) - len(text.rstrip("0"))


@given(st.integers(-(10**12) + 1, 10**12 - 1).filter(bool), st.integers(0, 2**32))
def test_sign_length_roundness_and_parity_are_those_of_the_answer(value: int, seed: int) -> None:
    wrong = wrong_number(str(value), generator(seed, "t"))
    assert wrong != str(value)
    assert (wrong.startswith("-"), len(wrong), zeros(wrong)) == (value < 0, len(str(value)), zeros(str(value)))
    kept = 10 ** zeros(wrong)
    assert int(wrong) // kept % 2 == value // kept % 2
    if len(str(abs(value))) - zeros(wrong) > 1:
        assert (int(wrong) // kept % 5 == 0) is (value // kept % 5 == 0)
        assert 0.38 < int(wrong) / value < 2.6


@pytest.mark.parametrize("value", range(1, 1200))
def test_every_small_number_has_another_of_its_kind(value: int) -> None:
    assert wrong_number(str(value), generator(0, "t")) != str(value)


def test_over_many_items_true_and_false_claims_are_equally_round_and_large() -> None:
    stream = generator(0, "made answers")
    sizes = np.floor(10 ** stream.uniform(0, 4, 4000)).astype(int)
    rounded = np.where(stream.random(4000) < 0.3, sizes // 10 * 10, sizes)
    claims: tuple[list[int], list[int]] = ([], [])
    for number, value in enumerate(int(one) for one in rounded if one):
        found = dressed(RULES["true_false"], free(f"Item {number}?", str(value), f"i{number}"), 0)
        assert not isinstance(found, Declined)
        claim = int(CLAIM.findall(found.context)[-1])
        assert (claim == value) is (found.gold == 0)
        claims[found.gold].append(claim)
    right, wrong = (np.array(one) for one in claims)
    for divisor in (2, 5, 10, 100):
        assert abs(np.mean(right % divisor == 0) - np.mean(wrong % divisor == 0)) < 0.06
    assert abs(np.mean(np.log10(right)) - np.mean(np.log10(wrong))) < 0.15


def test_a_zero_is_declined_and_accepted_numbers_are_never_claimed_as_wrong() -> None:
    assert isinstance(dressed(RULES["true_false"], free(answer="0"), 0), Declined)
    for seed in range(40):
        asked = Question("q", "made", "q", "f", "How many?", "6", accepted=("2", "4.0", "six"))
        found = dressed(RULES["true_false"], asked, seed)
        assert not isinstance(found, Declined)
        assert CLAIM.findall(found.context)[-1] in (("6",) if found.gold == 0 else ("8",))
