# pyright: reportUnknownMemberType=false
"""Forest plots: an estimate a row with its interval, or the reason why there is none.

Here live: the rows and how they are drawn. Not here: which rows stand together (effects.py, contrasts.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.numerals import missing, with_interval
from shadowgraph.report.palette import light
from shadowgraph.report.plates import label
from shadowgraph.report.record import Quantity, Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import pair_of
from shadowgraph.study.names import endpoint_name, variant_name

CLOSE = 16  # more rows than this are set close, one line each


@dataclass(frozen=True, slots=True)
class Row:
    """One estimate of a forest plot.

    `main` fills the mark; `against` marks a sign against that of the primary test; `why` stands where an estimate is
    missing.
    """

    name: str
    estimate: Quantity
    interval: tuple[float, float] | None
    text: str
    main: bool = False
    against: bool = False
    why: str = ""


def row_of(effect: Record, name: str, *, main: bool = False, against: bool = False) -> Row:
    """The row of a test.

    Args:
        effect: one test of the result.
        name: what the row is called; a variant of K goes by its own name.
        main: whether it is the primary reading.
        against: whether its sign is against the primary's.
    """
    estimate, interval = effect.number("estimate"), effect.interval()
    text = missing(estimate) if estimate.value is None else with_interval(estimate, interval)
    why = effect.text("reason") if estimate.value is None else ""
    return Row(variant_name(effect.text("endpoint")) or name, estimate, interval, text, main, against, why)


def margin_row(test: Record) -> Row:
    """The row of an equivalence test in units of its margin."""
    estimate, interval, margin = test.number("estimate"), test.interval(), test.number("margin").value
    name = f"{test.text('name') or pair_of(test)}, {endpoint_name(test.text('endpoint'))}"
    if not margin or estimate.value is None:
        return Row(name, Quantity(None, estimate.status or "no margin"), None, estimate.status or "no margin")
    scaled = None if interval is None else (interval[0] / margin, interval[1] / margin)
    return Row(name, Quantity(estimate.value / margin), scaled, with_interval(estimate, interval))


def limits_of(rows: Sequence[Row], *, margin: bool = False) -> tuple[float, float]:
    """Horizontal limits that hold every interval and zero."""
    bounds = [bound for row in rows if row.interval for bound in row.interval]
    bounds += [row.estimate.value for row in rows if row.estimate.value is not None]
    return draw.span([*bounds, -1.2, 1.2] if margin else bounds, 0.05, zero=True)


def forest(rows: Sequence[Row], key: str, title: str, *, margin: bool = False, note: str = "",
           limits: tuple[float, float] | None = None) -> Markup:  # fmt: skip
    """One panel of estimates.

    Args:
        rows: from the top down.
        key: prefix of ids, unique on the page.
        title: stands over the panel.
        margin: whether the scale is in units of an equivalence margin; the band between -1 and 1 is then shown.
        note: a second line under the title.
        limits: of the horizontal axis; from the rows when None.

    Returns:
        SVG; more than 16 rows are set close, the numbers then in the twin alone.
    """
    close = len(rows) > CLOSE
    top = 36 + (17 if note else 0)
    with draw.drawing():
        figure = draw.canvas(430, top + 34 + (19 if close else 46) * len(rows))
        axes = draw.plot_area(figure, 150 if close else 10, top, 10, 26)
        axes.set_xlim(*(limits or limits_of(rows, margin=margin)))
        axes.set_ylim(len(rows) - 0.45, -0.6 if close else -0.75)
        axes.set_yticks([])
        draw.few_ticks(axes, "x", 6)
        for position, row in enumerate(rows):
            _mark(axes, row, position, margin=margin)
            if close:
                draw.side_note(axes, label(row.name, 24), position, role="a0" if row.against else "ink")
                if row.estimate.value is None:
                    draw.row_note(axes, label(f" {row.text}", 40), position, role="muted")
            else:
                _words(axes, row, position)
        draw.head(axes, title, offset=12 + (17 if note else 0), left=140 if close else 0)
        if note:
            draw.note_under(axes, note, left=140 if close else 0)
        told = "; ".join(f"{label(row.name, 60)}: {row.text}" for row in rows)
        return inline(figure, key, f"Forest plot: {title}", f"{told}.")


def _words(axes: draw.Axes, row: Row, position: int) -> None:
    """Name and number over the mark, and the reason in the mark's place."""
    draw.row_note(axes, label(row.name, 44), position - 0.46, bold=row.main, role="a0" if row.against else "ink")
    role = "muted" if row.estimate.value is None else "ink"
    draw.row_note(axes, label(row.text, 30), position - 0.46, role=role, end=True)
    if row.why:
        draw.row_note(axes, label(row.why, 66), position - 0.04, role="muted")


def _mark(axes: draw.Axes, row: Row, position: int, *, margin: bool) -> None:
    """One estimate with its interval beside the line of no difference; nothing where there is no estimate."""
    if row.estimate.value is None:
        return
    if margin:
        axes.fill_between([-1, 1], position - 0.22, position + 0.22, facecolor=light("band"), linewidth=0)
    colour = light("a0" if row.against else "ink")
    axes.plot([0, 0], [position - 0.22, position + 0.22], color=light("axis"), linewidth=1.0)
    if row.interval is not None:
        axes.plot(list(row.interval), [position, position], color=colour, linewidth=2.6 if row.main else 1.6,
                  clip_on=False)  # fmt: skip
    axes.plot([row.estimate.value], [position], marker="D" if row.main else "o", markersize=9 if row.main else 7,
              color=colour if row.main else light("paper"), markeredgecolor=colour, markeredgewidth=1.6,
              clip_on=False)  # fmt: skip
