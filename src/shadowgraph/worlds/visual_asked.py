"""What every scene needs to ask: the question before its choices are placed, and wrong numbers and words.

Here live: `Asked`, the maker's type, the four courses of three numbers, and distractors.
Not here: the questions themselves (`visual_chart` and its like).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np

from shadowgraph.errors import Defect
from shadowgraph.worlds.distractors import WRONG_CHOICES, listed_distractors, numeric_distractors
from shadowgraph.worlds.item import words

S = TypeVar("S")

COURSES: tuple[str, ...] = ("rise all the way", "fall all the way", "rise, then fall", "fall, then rise")
NOUNS = words(
    "pear plum fig lime kiwi bean corn rice leek kale oats salt soap rope nail lamp cup fork bowl sock kite drum bell "
    "boat cart book desk chair glove flute brush spoon candy stone shell wool coin key mug pan"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its answer, the wrong choices, and whether it speaks of places or of colours."""

    question: str
    answer: str
    wrong: tuple[str, ...]
    positional: bool = False
    chromatic: bool = False


Maker: TypeAlias = Callable[[S, np.random.Generator], Asked | None]
"""A scene and a stream of chance in, a question out; None where the scene cannot carry it."""


def course(values: Sequence[int]) -> str:
    """Which of COURSES three different numbers take."""
    first, second = values[1] > values[0], values[2] > values[1]
    if first == second:
        return COURSES[0] if first else COURSES[1]
    return COURSES[2] if first else COURSES[3]


def other_courses(taken: str) -> tuple[str, ...]:
    """The three courses not taken."""
    return tuple(name for name in COURSES if name != taken)


def sample(options: Sequence[S], size: int, generator: np.random.Generator) -> list[S]:
    """Draw `size` different ones of the options, in random order."""
    return [options[int(place)] for place in generator.permutation(len(options))[:size]]


def wrong_numbers(answer: int, generator: np.random.Generator, unit: int = 1) -> tuple[str, ...]:
    """Three wrong numbers near the answer, not negative, whole multiples of the unit as the answer is.

    Raises:
        Defect: when the answer is no multiple of the unit.
    """
    if answer % unit:
        raise Defect(f"{answer} is no multiple of {unit}", where="wrong_numbers")
    found = numeric_distractors(str(answer // unit), False, lambda _: False, generator)
    return tuple(str(int(text) * unit) for text in found)


def wrong_counts(answer: int, low: int, high: int, generator: np.random.Generator) -> tuple[str, ...]:
    """Draw three wrong counts, with the answer four in a row; around a small count others would lie above it only.

    Args:
        answer: the gold.
        low: smallest count there can be.
        high: largest; each row of four between them that holds the answer is as likely as the next.
        generator: the source of chance.

    Returns:
        Three counts, ascending.

    Raises:
        Defect: when the answer lies outside.
    """
    first = [start for start in range(low, high - WRONG_CHOICES + 1) if start <= answer <= start + WRONG_CHOICES]
    if not first:
        raise Defect(f"{answer} is outside {low} … {high}", where="wrong_counts")
    start = first[int(generator.random() * len(first))]
    return tuple(str(count) for count in range(start, start + WRONG_CHOICES + 1) if count != answer)


def wrong_seen(answer: str, seen: Sequence[str], generator: np.random.Generator) -> tuple[str, ...] | None:
    """Up to three wrong answers that the picture shows too; None when it shows no other."""
    values = tuple(dict.fromkeys((answer, *seen)))
    if len(values) < 2:
        return None
    return listed_distractors(answer, values, lambda _: False, generator)
