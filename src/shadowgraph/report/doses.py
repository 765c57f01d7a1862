# pyright: reportUnknownMemberType=false
"""The figure of trends: K of every draw over the dose, its means, and the slope.

Here live: these panels and their twin. Not here: the test, which the result carries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.contrasts import expectation
from shadowgraph.report.numerals import probability, sensible, trimmed, with_interval
from shadowgraph.report.palette import ArmStyle, light
from shadowgraph.report.plates import Plate, label
from shadowgraph.report.record import Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import Cell, Table, arm_cell, effect_cell, p_cell, primaries_of, raw, value, words
from shadowgraph.study.names import endpoint_name


def dose_plate(study: Record, styles: Mapping[str, ArmStyle]) -> Plate:
    """One panel a trend."""
    trends = study.records("trends")
    panels = [_panel(trend, styles, f"dose-{place}") for place, trend in enumerate(trends) if _drawn(trend)]
    rows: list[list[Cell]] = []
    for trend in trends:
        for arm, dose, draws in _drawn(trend):
            rows += [[words(trend.text("name")), arm_cell(arm), raw(dose), Cell(str(place)), raw(item)]
                     for place, item in enumerate(draws)]  # fmt: skip
    caption = (
        "Every mark is one draw, the line joins the means of the doses. The slope is in nats of K a unit dose, tested "
        "by permutation; what a step of 5 points of dose moves is the measure for margins of equivalence. A line that "
        "bends says that no single slope describes it."
    )
    twin = Table(["trend", "arm", ">dose", ">draw", ">K"], rows).cut()
    return Plate("doses", "Dose and response", caption, panels, twin, legend=False,
                 absent="The result holds no trend.", shown=[("slopes", _slopes(study))])  # fmt: skip


def _drawn(trend: Record) -> list[tuple[str, float, list[float | None]]]:
    """Arm, dose and K of every draw, in order of dose."""
    cells = zip(trend.texts("arms"), trend.numbers("doses"), trend.items("values"), strict=False)
    rows = [(arm, dose, Record({"row": row}).numbers("row")) for arm, dose, row in cells if dose is not None]
    return sorted(rows, key=lambda row: row[1])


def _panel(trend: Record, styles: Mapping[str, ArmStyle], key: str) -> Markup:
    rows = _drawn(trend)
    with draw.drawing():
        figure = draw.canvas(420, 330)
        axes = draw.plot_area(figure, 44, 52, 14, 48)
        draw.rule(axes)
        joined = [(dose, _mean(draws)) for _, dose, draws in rows]
        axes.plot([dose for dose, _ in joined], draw.gaps([mean for _, mean in joined]), color=light("null"),
                  linewidth=1.8)  # fmt: skip
        for arm, dose, draws in rows:
            known = [item for item in draws if item is not None]
            colour = styles.get(arm)
            if colour is not None:
                draw.dots(axes, [dose] * len(known), known, colour, size=8)
        axes.set_xticks([dose for dose, _ in joined], [trimmed(round(dose, 2)) for dose, _ in joined])
        draw.few_ticks(axes, "y")
        draw.head(axes, f"K, nats: {label(trend.text('name'), 40)}", offset=29)
        draw.note_under(axes, label(_told(trend), 72))
        draw.foot(axes, "dose")
        means = "; ".join(f"{trimmed(round(dose, 3))}: {sensible(mean)}" for dose, mean in joined if mean is not None)
        return inline(figure, key, f"K over the dose, {label(trend.text('name'), 60)}", f"Means by dose: {means}.")


def _mean(draws: Sequence[float | None]) -> float | None:
    known = [item for item in draws if item is not None]
    return sum(known) / len(known) if known else None


def _told(trend: Record) -> str:
    slope = trend.number("slope")
    if slope.value is None:
        return f"slope {slope.status or 'missing'}: {trend.text('reason')}".removesuffix(": ")
    return f"slope {with_interval(slope, trend.interval())}, p {probability(trend.number('p'))}"


def _slopes(study: Record) -> Table:
    """The slope of K, and of other endpoints beside it."""
    expected = {test.text("name"): expectation(test) for test in primaries_of(study)}
    rows: list[list[Cell]] = []
    for trend in study.records("trends"):
        name = trend.text("name", "unnamed")
        rows.append([
            Cell(name, "primary" if trend.text("role") == "primary" else ""), Cell("K"),
            effect_cell(trend, "slope"), p_cell(trend),
            p_cell(trend, "p_adjusted"), p_cell(trend, "jonckheere_p"),
            value(trend.number("margin_for_5_points")), value(trend.number("margin_for_5_points_low")),
            expected.get(name, Cell("—")) if expected.get(name, Cell("")).text else words(trend.text("reason")),
        ])  # fmt: skip
        for beside in trend.records("beside"):
            rows.append([Cell(name), words(endpoint_name(beside.text("endpoint"))),
                         effect_cell(beside, "slope"), p_cell(beside),
                         *(Cell("—") for _ in range(5))])  # fmt: skip
    return Table(["trend", "endpoint", ">slope [interval]", ">p", ">p, Holm", ">p, Jonckheere", ">5 points move K by",
                  ">5 points at the lowest doses", "expectation"], rows, _method(study))  # fmt: skip


def _method(study: Record) -> str:
    """How slopes were tested and their intervals found, said once."""
    told = dict.fromkeys(trend.text("method") for trend in study.records("trends"))
    return "; ".join(f"{text[:1].upper()}{text[1:]}." for text in told if text)
