# pyright: reportUnknownMemberType=false
"""Figures of where the update is concentrated: endpoints and spectra.

Here live: what these figures show, their captions and their table twins.
Not here: the heat map (heatmap.py), training (training.py), effects (effects.py), marks (draw.py), markup (svg.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.endpoints import Level, by_setting, endpoint_table, levels
from shadowgraph.report.numerals import fixed, sensible, trimmed
from shadowgraph.report.palette import ARM_COLOURS, ArmStyle
from shadowgraph.report.plates import Plate, groups_of, label, legend_of, many_arms
from shadowgraph.report.record import Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import Cell, Table, one_setting, raw

POINTS = 256


def endpoint_plate(study: Record, styles: Mapping[str, ArmStyle]) -> Plate:
    """Every draw as a dot, for K, K_emb and the log relative norm."""
    panels: list[Markup] = []
    titles = (("K", "K, nats"), ("K_emb", "K of embeddings, nats"), ("log_norm", "log ‖D‖ / ‖W₀‖, nats"))
    order, inside = _order(study), by_setting(study)
    looks = {level.row: styles[level.name] for level in order}
    for key, title in titles:
        drawn = {level.row: [item for item in level.ends.record(key).numbers("values") if item is not None]
                 for level in order}  # fmt: skip
        if any(drawn.values()):
            panels.append(_strip(drawn, looks, f"ends-{key}", title, named=inside or many_arms(study)))
    caption = (
        "Each mark is one corpus draw, each bar the mean of its arm. k is the natural logarithm of how many times "
        "fewer directions an update uses than Gaussian noise of its shape (0.69 = half as many); K averages k over "
        "layers, then over slots. Levels mean nothing by themselves; only differences at equal base, method and "
        "tokens do. Embeddings stay out of K and are shown beside it."
    )
    if inside:
        caption += " Rows are setting by setting; levels compare inside a setting only."
    elif many_arms(study):
        caption += " Arms stand in groups and, inside a group, in order of K; colours name the groups."
    return Plate("endpoints", "The endpoint, draw by draw", caption, panels, endpoint_table(study), "three",
                 absent="The result holds no endpoint.")  # fmt: skip


def _order(study: Record) -> list[Level]:
    """The endpoints by setting and arm, by arm as in the result, or, of many arms, by group and falling K."""
    found = levels(study)
    if by_setting(study) or not many_arms(study):
        return found
    groups = groups_of(study)
    place = {group: position for position, group in enumerate(legend_of(study))}

    def rank(level: Level) -> tuple[int, float]:
        return place[groups[level.name]], -(level.ends.record("K").number("mean").value or 0.0)

    return sorted(found, key=rank)


def _strip(drawn: Mapping[str, Sequence[float]], styles: Mapping[str, ArmStyle], key: str, title: str, *,
           named: bool) -> Markup:  # fmt: skip
    """One row an arm; of many arms, and of settings, the rows carry names and are set closer."""
    longest = max(map(len, drawn))
    tall, left = (18, 122 if longest <= 17 else 164) if named else (34, 10)
    with draw.drawing():
        figure = draw.canvas(340, 62 + tall * len(drawn))
        axes = draw.plot_area(figure, left, 28, 12, 28)
        draw.rule(axes, "x")
        for row, (name, values) in enumerate(drawn.items()):
            style = styles[name]
            if named:
                draw.side_note(axes, label(name, 17 if longest <= 17 else 25), row)
            draw.dots(axes, values, [row] * len(values), style, size=6 if named else 7.5)
            if len(values) > 1:
                mean = sum(values) / len(values)
                axes.plot([mean, mean], [row - 0.3, row + 0.3], color=style.colour, linewidth=2.2, clip_on=False)
        axes.set_ylim(len(drawn) - 0.4, -0.6)
        axes.set_yticks([])
        axes.set_xlim(*draw.span([item for values in drawn.values() for item in values], 0.08))
        draw.few_ticks(axes, "x")
        draw.head(axes, title, left=left - 10)
        words = "; ".join(f"{label(name, 25)} {_mean_text(values)}" for name, values in drawn.items())
        return inline(figure, key, f"{title} by arm, every draw", f"Mean by arm: {words}.")


def _mean_text(values: Sequence[float]) -> str:
    return sensible(sum(values) / len(values)) if values else "missing"


def spectra_plate(study: Record, styles: Mapping[str, ArmStyle]) -> Plate:
    """Mean update spectra by arm with the Gaussian null, and their distance from it."""
    spectra = study.record("spectra")
    place = spectra.numbers("quantile")
    curves = {name: spectra.record("arms").numbers(name) for name in spectra.record("arms").data}
    null = spectra.numbers("null")
    panels: list[Markup] = []
    if place and curves:
        panels = [_spectrum(place, curves, null, styles), _excess(place, curves, null, styles)]
    rows: list[list[Cell]] = []
    for position, where in enumerate(place):
        numbers = (raw(_at(curve, position)) for curve in (*curves.values(), null))
        rows.append([raw(where), *numbers])
    caption = (
        "Singular values of the update of block matrices, sorted and divided by their root mean square, averaged over "
        "matrices and draws. The dashed grey line is Gaussian noise of the same shapes. An arm above "
        "the null at small ranks and below it at large ones has put its energy in fewer directions."
    )
    caption = " ".join(filter(None, (caption, one_setting(study))))
    columns = [">rank fraction", *(f">{name}" for name in curves), ">Gaussian null"]
    return Plate("spectra", "The spectrum of the update", caption, panels, Table(columns, rows).cut(),
                 absent="The result holds no spectra.")  # fmt: skip


def _at(values: Sequence[float | None], position: int) -> float | None:
    return values[position] if position < len(values) else None


def _paired(x: Sequence[float | None], y: Sequence[float | None]) -> tuple[list[float], list[float]]:
    size = min(len(x), len(y))
    step = max(1, -(-size // POINTS))
    return draw.gaps(x[:size:step]), draw.gaps(y[:size:step])


def _width(curves: Mapping[str, object]) -> float:
    return 2.0 if len(curves) <= ARM_COLOURS else 1.0


def _rank_axes(place: Sequence[float | None]) -> tuple[draw.Figure, draw.Axes]:
    figure = draw.canvas(460, 320)
    axes = draw.plot_area(figure, 44, 34, 14, 48)
    known = [item for item in place if item is not None]
    if known and min(known) > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda x, _: trimmed(x))
        axes.xaxis.set_minor_formatter(lambda x, _: "")
    draw.rule(axes)
    draw.foot(axes, "rank of the singular value, as a fraction of all")
    return figure, axes


def _spectrum(place: Sequence[float | None], curves: Mapping[str, Sequence[float | None]],
              null: Sequence[float | None], styles: Mapping[str, ArmStyle]) -> Markup:  # fmt: skip
    with draw.drawing():
        figure, axes = _rank_axes(place)
        if null:
            x, y = _paired(place, null)
            axes.plot(x, y, color=draw.light("null"), linewidth=1.6, dashes=(3, 2.4))
        for name, curve in curves.items():
            draw.line(axes, *_paired(place, curve), styles[name], width=_width(curves))
        draw.few_ticks(axes, "y")
        axes.yaxis.set_major_formatter(lambda y, _: fixed(y, 1))
        draw.head(axes, "log₁₀ of sᵢ / root mean square of s")
        return inline(figure, "spectrum", "Update spectra by arm",
                      "Sorted singular values over the update's norm, for each arm and the Gaussian null.")  # fmt: skip


def _excess(place: Sequence[float | None], curves: Mapping[str, Sequence[float | None]],
            null: Sequence[float | None], styles: Mapping[str, ArmStyle]) -> Markup:  # fmt: skip
    with draw.drawing():
        figure, axes = _rank_axes(place)
        for name, curve in curves.items():
            size = min(len(curve), len(null))
            above = [None if a is None or b is None else 10 ** (a - b)
                     for a, b in zip(curve[:size], null[:size], strict=True)]  # fmt: skip
            draw.line(axes, *_paired(place, above), styles[name], width=_width(curves))
        axes.axhline(1, color=draw.light("null"), linewidth=1.6, dashes=(3, 2.4))
        axes.set_yscale("log")
        draw.one_two_five(axes)
        axes.yaxis.set_major_formatter(lambda y, _: f"{trimmed(y)}×")
        axes.yaxis.set_minor_formatter(lambda y, _: "")
        draw.head(axes, "times the Gaussian null")
        return inline(figure, "excess", "Update spectra over the Gaussian null",
                      "The ratio of each arm's spectrum to the Gaussian null; one is no difference.")  # fmt: skip
