"""Questions about scanned digits.

Here live: random `Digits` and the question of each ability about them.
Not here: pasting the scans (`drawn.marks`).
"""

from __future__ import annotations

from itertools import chain

import numpy as np

from shadowgraph.worlds.drawn.marks import scans
from shadowgraph.worlds.drawn.scene import Digits
from shadowgraph.worlds.item import pick
from shadowgraph.worlds.visual_asked import Asked, Maker, course, other_courses, wrong_counts, wrong_numbers
from shadowgraph.worlds.visual_asked import sample as draw_some

_ORDINALS = ("first", "second", "third")
_ROWS, _COLUMNS = 3, 3


def sample(generator: np.random.Generator) -> Digits:
    """Draw three rows of three scans; the digits of a row differ, and none begins with 0."""
    _, labels = scans()
    rows: list[tuple[int, ...]] = []
    for _ in range(_ROWS):
        digits = draw_some(range(10), _COLUMNS, generator)
        while digits[0] == 0:
            digits = draw_some(range(10), _COLUMNS, generator)
        rows.append(tuple(int(pick(np.flatnonzero(labels == digit).tolist(), generator)) for digit in digits))
    return Digits(tuple(rows))


def shown(digits: Digits) -> list[list[int]]:
    """What the scans show, row by row."""
    _, labels = scans()
    return [[int(labels[index]) for index in row] for row in digits.rows]


def _row(generator: np.random.Generator) -> int:
    return int(generator.random() * _ROWS)


def _read(digits: Digits, generator: np.random.Generator) -> Asked | None:
    place = _row(generator)
    answer = "".join(map(str, shown(digits)[place]))
    # Two digits, each right or misread: all four readings, so that none is the one the others have most in common with.
    readings = [answer]
    for spot in draw_some(range(_COLUMNS), 2, generator):
        digit = pick([digit for digit in "123456789" if digit not in "".join(readings)], generator)
        readings += [text[:spot] + digit + text[spot + 1 :] for text in readings]
    question = f"Which number do the digits of the {_ORDINALS[place]} row form, read from left to right?"
    return Asked(question, answer, tuple(readings[1:]), positional=True)


def _count(digits: Digits, generator: np.random.Generator) -> Asked | None:
    seen = list(chain(*shown(digits)))
    found = pick(sorted({seen.count(digit) for digit in range(10)}), generator)  # first, so that no count dominates
    digit = pick([digit for digit in range(10) if seen.count(digit) == found], generator)
    question = f"How many times does the digit {digit} occur in the picture?"
    return Asked(question, str(found), wrong_counts(found, 0, _ROWS, generator))


def _locate(digits: Digits, generator: np.random.Generator) -> Asked | None:
    rows = shown(digits)
    seen = list(chain(*rows))
    once = [digit for digit in seen if seen.count(digit) == 1]
    if not once:
        return None
    digit = pick(once, generator)
    answer = next(_ORDINALS[place] for place, row in enumerate(rows) if digit in row)
    question = f"Counting from the top, in which row is the digit {digit}?"
    return Asked(question, answer, tuple(row for row in _ORDINALS if row != answer), positional=True)


def _compare(digits: Digits, generator: np.random.Generator) -> Asked | None:
    sums = [sum(row) for row in shown(digits)]
    if sums.count(max(sums)) > 1:
        return None
    answer = _ORDINALS[sums.index(max(sums))]
    question = "Counting from the top, which row has the largest sum of digits?"
    return Asked(question, answer, tuple(row for row in _ORDINALS if row != answer), positional=True)


def _difference(digits: Digits, generator: np.random.Generator) -> Asked | None:
    place = _row(generator)
    row = shown(digits)[place]
    answer = max(row) - min(row)
    question = f"In the {_ORDINALS[place]} row from the top, what is the largest digit minus the smallest?"
    return Asked(question, str(answer), wrong_numbers(answer, generator), positional=True)


def _trend(digits: Digits, generator: np.random.Generator) -> Asked | None:
    rows = shown(digits)
    answer = pick(sorted({course(row) for row in rows}), generator)
    place = pick([place for place, row in enumerate(rows) if course(row) == answer], generator)
    question = f"How do the digits of the {_ORDINALS[place]} row from the top run from left to right?"
    return Asked(question, answer, other_courses(answer), positional=True)


def _arithmetic(digits: Digits, generator: np.random.Generator) -> Asked | None:
    place = _row(generator)
    answer = sum(shown(digits)[place])
    question = f"What do the digits of the {_ORDINALS[place]} row from the top add up to?"
    return Asked(question, str(answer), wrong_numbers(answer, generator), positional=True)


def _composition(digits: Digits, generator: np.random.Generator) -> Asked | None:
    one, other = draw_some(range(_ROWS), 2, generator)
    rows = shown(digits)
    answer = max(rows[one]) + min(rows[other])
    question = (
        f"Add the largest digit of the {_ORDINALS[one]} row from the top to the smallest digit of the "
        f"{_ORDINALS[other]} row. What is the result?"
    )
    return Asked(question, str(answer), wrong_numbers(answer, generator), positional=True)


QUESTIONS: dict[str, Maker[Digits]] = {
    "read": _read,
    "count": _count,
    "locate": _locate,
    "compare": _compare,
    "difference": _difference,
    "trend": _trend,
    "arithmetic": _arithmetic,
    "composition": _composition,
}
