# pyright: reportUnknownMemberType=false
"""The second axis: how much of an update lies in the leading gradient space of the benchmarks, beyond controls.

Here live: the figure of affinity against K and its tables. Not here: how affinity is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.links import Mark, cloud
from shadowgraph.report.numerals import percent, sensible
from shadowgraph.report.palette import ArmStyle, light
from shadowgraph.report.plates import Plate, label, many_arms
from shadowgraph.report.record import Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import Cell, Table, arm_cell, effect_cell, p_cell, value, words

NAMED = 12  # at most this many marks carry their name
MOST_SHOWN = 16  # sources up to which the table of shares stands open


def affinity_plate(study: Record, styles: Mapping[str, ArmStyle]) -> Plate:
    """K against affinity minus controls, one mark an arm."""
    found = study.record("affinity")
    rows = found.records("arms")
    panels = [panel for key in ("excess", "own_excess") if (panel := _panel(rows, styles, key)) is not None]
    caption = (
        "Share of an update's energy in the leading gradient space of benchmarks at the base, less the same for "
        f"controls the arm was not trained on ({_few(found.texts('controls'))}); one mark an arm. At 0 "
        "an update lies no more in the benchmarks' directions than in those of other text. In the second panel only "
        "the benchmarks count that the arm was trained on."
    )
    if len(panels) < 2:
        caption = caption.partition(" In the second panel")[0]
    shown = [("tests", _tests(found))]
    matrix = found.record("matrix")
    wide = [("share of energy by arm and source", _matrix(matrix))] if matrix.items("values") else []
    open_ = len(matrix.texts("sources")) <= MOST_SHOWN
    return Plate("affinity", "Affinity with the benchmarks", caption, panels, _twin(found), legend=many_arms(study),
                 absent="The result holds no affinity.", shown=[*shown, *(wide if open_ else [])],
                 folded=[] if open_ else wide)  # fmt: skip


def _few(names: Sequence[str]) -> str:
    """The first names of many."""
    told = ", ".join(names[:NAMED]) or "none"
    return told if len(names) <= NAMED else f"{told} and {len(names) - NAMED} more"


def _panel(rows: Sequence[Record], styles: Mapping[str, ArmStyle], key: str) -> Markup | None:
    marks: list[Mark] = []
    for row in rows:
        x, y = row.number(key).value, row.number("K").value
        if x is not None and y is not None:
            marks.append((row.text("arm"), x, y))
    if not marks:
        return None
    named = {row.text("arm") for row in rows if row.text("label") == "positive"} or {arm for arm, _, _ in marks}
    own = "own benchmarks" if key == "own_excess" else "all benchmarks"
    with draw.drawing():
        figure, axes = cloud(marks, styles)
        axes.set_xlim(*draw.span([x for _, x, _ in marks], 0.08, zero=True))
        draw.zero_line(axes)
        _names(axes, [mark for mark in marks if mark[0] in named][:NAMED])
        draw.head(axes, f"K, nats: affinity with {own}")
        draw.foot(axes, "share of energy, benchmarks minus controls")
        told = "; ".join(f"{label(arm, 40)} {sensible(x, sign=True)}" for arm, x, _ in marks)
        return inline(figure, f"affinity-{key.replace('_', '-')}", f"K against affinity with {own}", f"{told}.")


def _names(axes: draw.Axes, marks: Sequence[Mark]) -> None:
    """Names beside marks, moved apart so that none covers another."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    tall, wide = 13 / 240 * (high - low), right - left
    last: dict[bool, float] = {}
    for arm, x, y in sorted(marks, key=lambda mark: -mark[2]):
        end = (x - left) / wide > 0.6
        place = min(y, last.get(end, high + tall) - tall)
        last[end] = place
        shift = -0.022 * wide if end else 0.022 * wide
        if place < y - tall / 2:
            axes.plot([x, x + shift], [y, place], color=light("axis"), linewidth=0.7)
        draw.note(axes, label(arm, 16), x + shift, place, role="muted", ha="right" if end else "left", size=draw.SMALL)


def _twin(found: Record) -> Table:
    rows = [
        [arm_cell(row.text("arm")), words(row.text("label")), value(row.number("K")),
         *(_share(row, key) for key in ("benchmark", "control", "excess", "own", "own_excess"))]
        for row in found.records("arms")
    ]  # fmt: skip
    columns = ["arm", "label", ">K", ">benchmarks", ">controls", ">excess", ">own benchmarks", ">own excess"]
    return Table(columns, rows, f"Benchmarks: {', '.join(found.texts('benchmarks')) or 'none'}.").cut()


def _share(row: Record, key: str) -> Cell:
    number = row.number(key)
    return value(number, percent(number.value) if number.value is not None else None)


def _tests(found: Record) -> Table:
    rows: list[list[Cell]] = []
    test, link = found.record("test"), found.record("link")
    if test.data:
        rows.append([words("label on excess, inside the strata"), effect_cell(test),
                     p_cell(test), words(test.sizes())])  # fmt: skip
    if link.data:
        rows.append([words("rank correlation of K and excess over arms"), value(link.number("rho"), None, sign=True),
                     p_cell(link), words(link.sizes())])  # fmt: skip
    return Table(["test", ">estimate [interval]", ">p", ">n"], rows)


def _matrix(found: Record) -> Table:
    sources = found.texts("sources")
    rows: list[list[Cell]] = []
    for arm, line in zip(found.texts("arms"), found.items("values"), strict=False):
        numbers = Record({"line": line}).numbers("line")
        rows.append(
            [arm_cell(arm), *(Cell("—", "missing") if item is None else Cell(percent(item)) for item in numbers)]
        )
    return Table(["arm", *(f">{label(name, 20)}" for name in sources)], rows).cut()
