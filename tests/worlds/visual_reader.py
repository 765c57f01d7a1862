"""An independent reader: from what was drawn and the words of the question to the answer.

Here lives: one reading of each question's wording; it shares no code with the makers of questions.
"""

# pyright: reportUnknownLambdaType=false
from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeAlias

from sklearn.datasets import load_digits  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from shadowgraph.worlds.drawn.scene import Chart, Digits, Listing, Scene, Shapes

Reader: TypeAlias = Callable[..., object]
PLACES = {name: place for place, name in enumerate(("first", "second", "third", "fourth", "fifth", "sixth", "seventh"))}
LABELS: list[int] = load_digits().target.tolist()  # pyright: ignore


def table(scene: Chart | Listing) -> dict[str, int]:
    """Name → value."""
    return dict(zip(scene.labels, scene.values, strict=True)) if isinstance(scene, Chart) else dict(scene.lines)


def run(numbers: list[int]) -> str:
    """The course of three numbers."""
    signs = ["rise" if later > sooner else "fall" for sooner, later in pairwise(numbers)]
    return f"{signs[0]} all the way" if signs[0] == signs[1] else f"{signs[0]}, then {signs[1]}"


def grid(scene: Shapes) -> dict[tuple[int, int], tuple[str, str]]:
    """Cell from 0 → (shape, colour)."""
    return {(figure.row - 1, figure.column - 1): (figure.shape, figure.colour) for figure in scene.figures}


def single(scene: Shapes, shape: str) -> tuple[tuple[int, int], str]:
    """Cell and colour of the only figure of a shape."""
    found = [(cell, colour) for cell, (name, colour) in grid(scene).items() if name == shape]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} figures of the shape {shape}")
    return found[0]


def many(scene: Shapes, what: str) -> int:
    """How many figures have a shape or a colour."""
    return sum(what in pair for pair in grid(scene).values())


def rows(scene: Digits) -> list[list[int]]:
    """Digits by row."""
    return [[LABELS[index] for index in row] for row in scene.rows]


def next_to(scene: Shapes, way: str, shape: str) -> str:
    """The shape beside the only one of its shape."""
    (row, column), _ = single(scene, shape)
    down = {"above": -1, "below": 1}.get(way, 0)
    right = {"left of": -1, "right of": 1}.get(way, 0)
    return grid(scene)[row + down, column + right][0]


def more(scene: Shapes, one: str, other: str) -> str:
    """Which of two shapes there are more of."""
    a, b = many(scene, one), many(scene, other)
    return "the same number of both" if a == b else f"more of the shape {one if a > b else other}"


def after_largest(scene: Listing) -> str:
    """The word below the largest number."""
    words = [word for word, _ in scene.lines]
    return words[words.index(max(table(scene), key=lambda word: table(scene)[word])) + 1]


def largest_row(scene: Digits) -> str:
    """Name of the row with the one largest sum."""
    sums = sorted((sum(row), place) for place, row in enumerate(rows(scene)))
    if sums[-1][0] == sums[-2][0]:
        raise AssertionError("two rows tie")
    return list(PLACES)[sums[-1][1]]


def row_of(scene: Digits, digit: str) -> str:
    """Name of the one row with a digit."""
    found = [place for place, row in enumerate(rows(scene)) if int(digit) in row]
    if len(found) != 1:
        raise AssertionError(f"the digit {digit} stands in {len(found)} rows")
    return list(PLACES)[found[0]]


def name_of(scene: Chart, value: str) -> str:
    """The label of a value."""
    return next(label for label, held in table(scene).items() if held == int(value))


def trend(scene: Chart, start: str, end: str) -> str:
    """The course between two labels."""
    places = scene.labels.index(start), scene.labels.index(end)
    return run(list(scene.values[places[0] : places[1] + 1]))


def best(scene: Chart | Listing, *names: str) -> str:
    """The name with the largest value."""
    return max(names, key=lambda name: table(scene)[name])


READINGS: dict[type[Any], dict[str, Reader]] = {
    Chart: {
        r"What value does the chart give (\w+)\?": lambda s, a: table(s)[a],
        r"How many labels stand along the axis of the chart\?": lambda s: len(s.labels),
        r"Which label of the chart has the value (\d+)\?": name_of,
        r"Which has the highest value in the chart: (\w+), (\w+) or (\w+)\?": best,
        r"By how much is the value of (\w+) higher than that of (\w+)\?": lambda s, a, b: table(s)[a] - table(s)[b],
        r"How do the values of the chart run from (\w+) to (\w+)\?": trend,
        r"What do the values of (\w+) and (\w+) add up to\?": lambda s, a, b: table(s)[a] + table(s)[b],
        r"What do the highest and the lowest value of the chart add up to\?": lambda s: max(s.values) + min(s.values),
        r"How many labels of the chart have a higher value than (\w+)\?": lambda s, a: sum(
            value > table(s)[a] for value in s.values
        ),
    },
    Listing: {
        r"Which number stands beside (\w+) in the list\?": lambda s, a: table(s)[a],
        r"How many lines does the list have\?": lambda s: len(s.lines),
        r"Which word stands on the (\w+) line of the list\?": lambda s, a: s.lines[PLACES[a]][0],
        r"Which word has the largest number in the list: (\w+), (\w+) or (\w+)\?": best,
        r"How much larger is the number of (\w+) than the number of (\w+)\?": lambda s, a, b: table(s)[a] - table(s)[b],
        r"What is the sum of the numbers of (\w+) and (\w+) in the list\?": lambda s, a, b: table(s)[a] + table(s)[b],
        r"How much larger is the largest number of the list than its smallest\?": lambda s: (
            max(table(s).values()) - min(table(s).values())
        ),
        r"Which word stands on the line after the one with the largest number of the list\?": after_largest,
    },
    Shapes: {
        r"What colour is the (\w+) in the picture\?": lambda s, a: single(s, a)[1],
        r"How many figures of the shape (\w+) does the picture show\?": many,
        r"How many (\w+) figures does the picture show\?": many,
        r"Counting from the top left, which shape is in the (\w+) row and the (\w+) column\?": lambda s, a, b: grid(s)[
            PLACES[a], PLACES[b]
        ][0],
        r"Counting from the top, in which row is the (\w+)\?": lambda s, a: list(PLACES)[single(s, a)[0][0]],
        r"Are there more figures of the shape (\w+) or of the shape (\w+), or the same number of both\?": more,
        r"How many more figures of the shape (\w+) are there than of the shape (\w+)\?": lambda s, a, b: (
            many(s, a) - many(s, b)
        ),
        r"A (\w+) costs (\d+) coins and a (\w+) costs (\d+) coins\. How many coins do all figures of these two shapes "
        r"cost together\?": lambda s, a, x, b, y: many(s, a) * int(x) + many(s, b) * int(y),
        r"How many other figures have the same colour as the (\w+)\?": lambda s, a: many(s, single(s, a)[1]) - 1,
        r"Which shape is in the cell directly ([a-z ]+) the (\w+)\?": next_to,
    },
    Digits: {
        r"Which number do the digits of the (\w+) row form, read from left to right\?": lambda s, a: "".join(
            map(str, rows(s)[PLACES[a]])
        ),
        r"How many times does the digit (\d) occur in the picture\?": lambda s, a: sum(
            row.count(int(a)) for row in rows(s)
        ),
        r"Counting from the top, in which row is the digit (\d)\?": row_of,
        r"Counting from the top, which row has the largest sum of digits\?": largest_row,
        r"In the (\w+) row from the top, what is the largest digit minus the smallest\?": lambda s, a: (
            max(rows(s)[PLACES[a]]) - min(rows(s)[PLACES[a]])
        ),
        r"How do the digits of the (\w+) row from the top run from left to right\?": lambda s, a: run(
            rows(s)[PLACES[a]]
        ),
        r"What do the digits of the (\w+) row from the top add up to\?": lambda s, a: sum(rows(s)[PLACES[a]]),
        r"Add the largest digit of the (\w+) row from the top to the smallest digit of the (\w+) row\. What is the "
        r"result\?": lambda s, a, b: max(rows(s)[PLACES[a]]) + min(rows(s)[PLACES[b]]),
    },
}


def answer(scene: Scene, question: str) -> tuple[str, str]:
    """The answer, and the wording by which it was found."""
    found = [
        (str(reader(scene, *match.groups())), wording)
        for wording, reader in READINGS[type(scene)].items()
        if (match := re.fullmatch(wording, question))
    ]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} readings of {question!r}")
    return found[0]
