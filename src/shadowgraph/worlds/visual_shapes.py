"""Questions about figures on a grid.

Here live: random `Shapes` and the question of each ability about them.
Not here: drawing them (`drawn.marks`).
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from shadowgraph.worlds.drawn.scene import COLOURS, SHAPES, Figure, Shapes
from shadowgraph.worlds.item import pick
from shadowgraph.worlds.visual_asked import Asked, Maker, wrong_counts, wrong_numbers, wrong_seen
from shadowgraph.worlds.visual_asked import sample as draw_some

_MOST = 8
_ORDINALS = ("first", "second", "third", "fourth")
_BESIDE = {"right of": (0, 1), "left of": (0, -1), "below": (1, 0), "above": (-1, 0)}


def sample(generator: np.random.Generator) -> Shapes:
    """Draw 6 … 8 figures of 3 … 4 shapes and colours; one shape occurs exactly once."""
    side = 3 + int(generator.random() * 2)
    cells = draw_some(range(side * side), 6 + int(generator.random() * (_MOST - 5)), generator)
    shapes = draw_some(SHAPES, 3 + int(generator.random() * 2), generator)
    colours = draw_some(COLOURS, 3 + int(generator.random() * 2), generator)
    figures: list[Figure] = []
    for place, cell in enumerate(cells):
        shape = shapes[0] if place == 0 else pick(shapes[1:], generator)
        figures.append(Figure(shape, pick(colours, generator), cell // side + 1, cell % side + 1))
    return Shapes(side, tuple(sorted(figures, key=lambda figure: (figure.row, figure.column))))


def _counts(shapes: Shapes) -> Counter[str]:
    return Counter(figure.shape for figure in shapes.figures)


def _alone(shapes: Shapes, generator: np.random.Generator) -> Figure:
    """A figure that is the only one of its shape."""
    counts = _counts(shapes)
    return pick([figure for figure in shapes.figures if counts[figure.shape] == 1], generator)


def _read(shapes: Shapes, generator: np.random.Generator) -> Asked | None:
    figure = _alone(shapes, generator)
    wrong = wrong_seen(figure.colour, COLOURS, generator)
    question = f"What colour is the {figure.shape} in the picture?"
    return None if wrong is None else Asked(question, figure.colour, wrong, chromatic=True)


def _count(shapes: Shapes, generator: np.random.Generator) -> Asked | None:
    if generator.random() < 0.5:
        shape, found = pick(sorted(_counts(shapes).items()), generator)
        question, chromatic = f"How many figures of the shape {shape} does the picture show?", False
    else:
        colours = Counter(figure.colour for figure in shapes.figures)
        colour, found = pick(sorted(colours.items()), generator)
        question, chromatic = f"How many {colour} figures does the picture show?", True
    return Asked(question, str(found), wrong_counts(found, 1, _MOST, generator), chromatic=chromatic)


def _locate(shapes: Shapes, generator: np.random.Generator) -> Asked | None:
    if generator.random() < 0.5:
        figure = pick(shapes.figures, generator)
        wrong = wrong_seen(figure.shape, SHAPES, generator)
        row, column = _ORDINALS[figure.row - 1], _ORDINALS[figure.column - 1]
        question = f"Counting from the top left, which shape is in the {row} row and the {column} column?"
        return None if wrong is None else Asked(question, figure.shape, wrong, positional=True)
    figure = _alone(shapes, generator)
    answer, rows = _ORDINALS[figure.row - 1], _ORDINALS[: shapes.side]
    question = f"Counting from the top, in which row is the {figure.shape}?"
    return Asked(question, answer, tuple(row for row in rows if row != answer), positional=True)


def _compare(shapes: Shapes, generator: np.random.Generator) -> Asked | None:
    counts = _counts(shapes)
    one, other = draw_some(sorted(counts), 2, generator)
    answers = f"more of the shape {one}", f"more of the shape {other}", "the same number of both"
    answer = answers[2 if counts[one] == counts[other] else int(counts[one] < counts[other])]
    question = f"Are there more figures of the shape {one} or of the shape {other}, or the same number of both?"
    return Asked(question, answer, tuple(text for text in answers if text != answer))


def _difference(shapes: Shapes, generator: np.random.Generator) -> Asked | None:
    counts = _counts(shapes)
    one, other = draw_some(sorted(counts), 2, generator)
    if counts[one] == counts[other]:
        return None
    many, few = (one, other) if counts[one] > counts[other] else (other, one)
    answer = counts[many] - counts[few]
    question = f"How many more figures of the shape {many} are there than of the shape {few}?"
    return Asked(question, str(answer), wrong_counts(answer, 1, _MOST, generator))


def _arithmetic(shapes: Shapes, generator: np.random.Generator) -> Asked | None:
    counts = _counts(shapes)
    one, other = draw_some(sorted(counts), 2, generator)
    prices = [2 + int(generator.random() * 8) for _ in range(2)]
    answer = prices[0] * counts[one] + prices[1] * counts[other]
    question = (
        f"A {one} costs {prices[0]} coins and a {other} costs {prices[1]} coins. "
        "How many coins do all figures of these two shapes cost together?"
    )
    return Asked(question, str(answer), wrong_numbers(answer, generator))


def _composition(shapes: Shapes, generator: np.random.Generator) -> Asked | None:
    figure = _alone(shapes, generator)
    if generator.random() < 0.5:
        alike = sum(other.colour == figure.colour for other in shapes.figures) - 1
        question = f"How many other figures have the same colour as the {figure.shape}?"
        return Asked(question, str(alike), wrong_counts(alike, 0, _MOST, generator), chromatic=True)
    held = {(other.row, other.column): other.shape for other in shapes.figures}
    near = {way: held.get((figure.row + down, figure.column + right)) for way, (down, right) in _BESIDE.items()}
    ways = [way for way, shape in near.items() if shape is not None]
    if not ways:
        return None
    way = pick(ways, generator)
    answer = near[way] or ""
    wrong = wrong_seen(answer, SHAPES, generator)
    question = f"Which shape is in the cell directly {way} the {figure.shape}?"
    return None if wrong is None else Asked(question, answer, wrong, positional=True)


QUESTIONS: dict[str, Maker[Shapes]] = {
    "read": _read,
    "count": _count,
    "locate": _locate,
    "compare": _compare,
    "difference": _difference,
    "arithmetic": _arithmetic,
    "composition": _composition,
}
