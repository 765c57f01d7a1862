"""Bar and line charts.

Here live: drawing a `Chart` upright or with its bars lying, as bars or as a line.
Not here: other scenes (`marks`).
"""

from __future__ import annotations

from shadowgraph.worlds.drawn.canvas import Point, Sheet
from shadowgraph.worlds.drawn.scene import AXIS, Chart

_LETTERS = 0.05


def draw_chart(sheet: Sheet, chart: Chart) -> None:
    """Draw a chart: axes in ink, a grid line and its number for each step, one mark a label.

    The plot is a multiple of AXIS pixels high, so a value v ends v / step whole grid spaces from the axis.
    """
    line_wanted = (chart.form == "line") != sheet.dress.other_form
    if sheet.dress.turned and not line_wanted:
        _lying(sheet, chart)
    else:
        _standing(sheet, chart, line_wanted)


def _standing(sheet: Sheet, chart: Chart, as_line: bool) -> None:
    """Labels along the bottom, values upwards."""
    size, height = sheet.dress.size, sheet.letters(_LETTERS)
    left = 2 * height + max(sheet.width(str(AXIS * chart.step), height), height)
    unit = int((size - 4 * height) / AXIS)
    bottom = size - 2 * height - sheet.line
    right = size - height
    for tick in range(AXIS + 1):
        y = bottom - tick * unit
        if tick:
            sheet.pen.line([(left, y), (right, y)], fill=sheet.palette.grid, width=sheet.line)
        sheet.write((left - height / 2, y), str(tick * chart.step), height, "rm")
    room = (right - left) / len(chart.labels)
    small = sheet.fitting(chart.labels, height, room * 0.95)
    tops: list[Point] = []
    for place, (label, value) in enumerate(zip(chart.labels, chart.values, strict=True)):
        middle = round(left + (place + 0.5) * room)
        top = bottom - value // chart.step * unit
        tops.append((middle, top))
        if not as_line:
            half = round(room * 0.3)
            sheet.pen.rectangle([middle - half, top, middle + half, bottom - 1], fill=sheet.palette.mark)
        sheet.write((middle, bottom + height / 2), label, small, "ma")
    if as_line:
        _joined(sheet, tops)
    sheet.pen.line([(left, bottom - AXIS * unit), (left, bottom)], fill=sheet.palette.ink, width=sheet.line)
    sheet.pen.line([(left, bottom), (right, bottom)], fill=sheet.palette.ink, width=sheet.line)


def _joined(sheet: Sheet, points: list[Point]) -> None:
    """A line through points, each of them dotted."""
    sheet.pen.line(points, fill=sheet.palette.mark, width=2 * sheet.line)
    radius = 3 * sheet.line
    for x, y in points:
        sheet.pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=sheet.palette.mark)


def _lying(sheet: Sheet, chart: Chart) -> None:
    """Labels down the left side, values to the right."""
    size, height = sheet.dress.size, sheet.letters(_LETTERS)
    left = round(height + max(sheet.width(label, height) for label in chart.labels))
    unit = int((size - left - 1.5 * height) / AXIS)
    top, bottom = height, size - 2 * height
    small = sheet.fitting((str(AXIS * chart.step),), height, unit * 0.95)
    for tick in range(AXIS + 1):
        x = left + tick * unit
        if tick:
            sheet.pen.line([(x, top), (x, bottom)], fill=sheet.palette.grid, width=sheet.line)
        sheet.write((x, bottom + height / 2), str(tick * chart.step), small, "ma")
    room = (bottom - top) / len(chart.labels)
    for place, (label, value) in enumerate(zip(chart.labels, chart.values, strict=True)):
        middle, half = round(top + (place + 0.5) * room), round(room * 0.3)
        end = left + value // chart.step * unit
        sheet.pen.rectangle([left + 1, middle - half, end, middle + half], fill=sheet.palette.mark)
        sheet.write((left - height / 3, middle), label, height, "rm")
    sheet.pen.line([(left, top), (left, bottom)], fill=sheet.palette.ink, width=sheet.line)
    sheet.pen.line([(left, bottom), (left + AXIS * unit, bottom)], fill=sheet.palette.ink, width=sheet.line)
