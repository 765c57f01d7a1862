"""Questions about printed lists of words and numbers.

Here live: a random `Listing` and the question of each ability about it.
Not here: printing it (`drawn.marks`).
"""

from __future__ import annotations

import numpy as np

from shadowgraph.worlds.drawn.scene import Listing
from shadowgraph.worlds.visual_asked import NOUNS, Asked, Maker, wrong_counts, wrong_numbers, wrong_seen
from shadowgraph.worlds.visual_asked import sample as draw_some

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
_LARGEST = 99
_FEWEST, _MOST = 4, 7


def sample(generator: np.random.Generator) -> Listing:
    """Draw 4 … 7 lines, each a word and a number 2 … 99; no word and no number stands twice."""
    size = _FEWEST + int(generator.random() * (_MOST - _FEWEST + 1))
    numbers = draw_some(range(2, _LARGEST + 1), size, generator)
    return Listing(tuple(zip(draw_some(NOUNS, size, generator), numbers, strict=True)))


def _read(listing: Listing, generator: np.random.Generator) -> Asked | None:
    (word, number) = draw_some(listing.lines, 1, generator)[0]
    wrong = wrong_seen(str(number), [str(other) for _, other in listing.lines], generator)
    return None if wrong is None else Asked(f"Which number stands beside {word} in the list?", str(number), wrong)


def _count(listing: Listing, generator: np.random.Generator) -> Asked | None:
    size = len(listing.lines)
    return Asked("How many lines does the list have?", str(size), wrong_counts(size, _FEWEST, _MOST, generator))


def _locate(listing: Listing, generator: np.random.Generator) -> Asked | None:
    place = int(generator.random() * len(listing.lines))
    word = listing.lines[place][0]
    wrong = wrong_seen(word, [other for other, _ in listing.lines], generator)
    question = f"Which word stands on the {_ORDINALS[place]} line of the list?"
    return None if wrong is None else Asked(question, word, wrong, positional=True)


def _compare(listing: Listing, generator: np.random.Generator) -> Asked | None:
    lines = draw_some(listing.lines, 3, generator)
    answer = max(lines, key=lambda line: line[1])[0]
    first, second, third = (word for word, _ in lines)
    question = f"Which word has the largest number in the list: {first}, {second} or {third}?"
    return Asked(question, answer, tuple(word for word, _ in lines if word != answer))


def _difference(listing: Listing, generator: np.random.Generator) -> Asked | None:
    small, large = sorted(draw_some(listing.lines, 2, generator), key=lambda line: line[1])
    answer = large[1] - small[1]
    question = f"How much larger is the number of {large[0]} than the number of {small[0]}?"
    return Asked(question, str(answer), wrong_numbers(answer, generator))


def _arithmetic(listing: Listing, generator: np.random.Generator) -> Asked | None:
    one, other = draw_some(listing.lines, 2, generator)
    answer = one[1] + other[1]
    question = f"What is the sum of the numbers of {one[0]} and {other[0]} in the list?"
    return Asked(question, str(answer), wrong_numbers(answer, generator))


def _composition(listing: Listing, generator: np.random.Generator) -> Asked | None:
    numbers = [number for _, number in listing.lines]
    if generator.random() < 0.5:
        answer = max(numbers) - min(numbers)
        question = "How much larger is the largest number of the list than its smallest?"
        return Asked(question, str(answer), wrong_numbers(answer, generator))
    place = numbers.index(max(numbers)) + 1
    if place == len(numbers):
        return None
    word = listing.lines[place][0]
    wrong = wrong_seen(word, [other for other, _ in listing.lines], generator)
    question = "Which word stands on the line after the one with the largest number of the list?"
    return None if wrong is None else Asked(question, word, wrong, positional=True)


QUESTIONS: dict[str, Maker[Listing]] = {
    "read": _read,
    "count": _count,
    "locate": _locate,
    "compare": _compare,
    "difference": _difference,
    "arithmetic": _arithmetic,
    "composition": _composition,
}
