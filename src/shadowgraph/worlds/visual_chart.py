"""Questions about charts.

Here live: a random `Chart` and the question of each ability about it.
Not here: drawing it (`drawn.charts`).
"""

from __future__ import annotations

import numpy as np

from shadowgraph.worlds.drawn.scene import AXIS, Chart
from shadowgraph.worlds.item import pick, words
from shadowgraph.worlds.visual_asked import (
    NOUNS,
    Asked,
    Maker,
    course,
    other_courses,
    wrong_counts,
    wrong_numbers,
    wrong_seen,
)
from shadowgraph.worlds.visual_asked import sample as draw_some

MONTHS = words("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec")
_STEPS = (1, 2, 5, 10)
_FEWEST, _MOST = 3, 6


def sample(generator: np.random.Generator) -> Chart:
    """Draw a chart: bars of 3 … 6 things or a line through as many months, all values different."""
    step, size = pick(_STEPS, generator), _FEWEST + int(generator.random() * (_MOST - _FEWEST + 1))
    if generator.random() < 0.5:
        labels, form = tuple(draw_some(NOUNS, size, generator)), "bars"
    else:
        first = int(generator.random() * (len(MONTHS) - size + 1))
        labels, form = MONTHS[first : first + size], "line"
    values = tuple(step * value for value in draw_some(range(1, AXIS), len(labels), generator))
    return Chart(labels, values, step, form)


def _two(chart: Chart, generator: np.random.Generator) -> tuple[int, int]:
    """Two places of the chart, the one with the higher value first."""
    one, other = draw_some(range(len(chart.labels)), 2, generator)
    return (one, other) if chart.values[one] > chart.values[other] else (other, one)


def _read(chart: Chart, generator: np.random.Generator) -> Asked | None:
    place = int(generator.random() * len(chart.labels))
    answer = str(chart.values[place])
    wrong = wrong_seen(answer, [str(value) for value in chart.values], generator)
    return None if wrong is None else Asked(f"What value does the chart give {chart.labels[place]}?", answer, wrong)


def _count(chart: Chart, generator: np.random.Generator) -> Asked | None:
    size = len(chart.labels)
    return Asked(
        "How many labels stand along the axis of the chart?", str(size), wrong_counts(size, _FEWEST, _MOST, generator)
    )


def _locate(chart: Chart, generator: np.random.Generator) -> Asked | None:
    place = int(generator.random() * len(chart.labels))
    wrong = wrong_seen(chart.labels[place], chart.labels, generator)
    question = f"Which label of the chart has the value {chart.values[place]}?"
    return None if wrong is None else Asked(question, chart.labels[place], wrong)


def _compare(chart: Chart, generator: np.random.Generator) -> Asked | None:
    names = draw_some(range(len(chart.labels)), 3, generator)
    highest = max(names, key=lambda place: chart.values[place])
    first, second, third = (chart.labels[place] for place in names)
    question = f"Which has the highest value in the chart: {first}, {second} or {third}?"
    wrong = tuple(chart.labels[place] for place in names if place != highest)
    return Asked(question, chart.labels[highest], wrong)


def _difference(chart: Chart, generator: np.random.Generator) -> Asked | None:
    high, low = _two(chart, generator)
    answer = chart.values[high] - chart.values[low]
    question = f"By how much is the value of {chart.labels[high]} higher than that of {chart.labels[low]}?"
    return Asked(question, str(answer), wrong_numbers(answer, generator, chart.step))


def _trend(chart: Chart, generator: np.random.Generator) -> Asked | None:
    if chart.form != "line":
        return None
    windows = range(len(chart.labels) - 2)
    courses = {place: course(chart.values[place : place + 3]) for place in windows}
    answer = pick(sorted(set(courses.values())), generator)
    first = pick([place for place in windows if courses[place] == answer], generator)
    start, end = chart.labels[first], chart.labels[first + 2]
    question = f"How do the values of the chart run from {start} to {end}?"
    return Asked(question, answer, other_courses(answer), positional=True)


def _arithmetic(chart: Chart, generator: np.random.Generator) -> Asked | None:
    one, other = draw_some(range(len(chart.labels)), 2, generator)
    answer = chart.values[one] + chart.values[other]
    question = f"What do the values of {chart.labels[one]} and {chart.labels[other]} add up to?"
    return Asked(question, str(answer), wrong_numbers(answer, generator, chart.step))


def _composition(chart: Chart, generator: np.random.Generator) -> Asked | None:
    if generator.random() < 0.5:
        answer = max(chart.values) + min(chart.values)
        question = "What do the highest and the lowest value of the chart add up to?"
        return Asked(question, str(answer), wrong_numbers(answer, generator, chart.step))
    place = int(generator.random() * len(chart.labels))
    above = sum(value > chart.values[place] for value in chart.values)
    question = f"How many labels of the chart have a higher value than {chart.labels[place]}?"
    return Asked(question, str(above), wrong_counts(above, 0, _MOST - 1, generator))


QUESTIONS: dict[str, Maker[Chart]] = {
    "read": _read,
    "count": _count,
    "locate": _locate,
    "compare": _compare,
    "difference": _difference,
    "trend": _trend,
    "arithmetic": _arithmetic,
    "composition": _composition,
}
