# pyright: reportUnknownMemberType=false
"""Figures of where the update is concentrated: endpoints, heat map, spectra, training.

Here live: what these figures show, their captions and their table twins.
Not here: figures of effects and scores (effects.py), marks (draw.py), markup (svg.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shadowgraph.errors import printable
from shadowgraph.report import draw
from shadowgraph.report.numerals import fixed, sensible, trimmed
from shadowgraph.report.palette import ArmStyle, arm_style
from shadowgraph.report.record import Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import Cell, Table, arm_cell, arm_names, endpoint_table, raw, value

POINTS = 256


@dataclass(frozen=True, slots=True)
class Plate:
    """One numbered figure of the page: its panels, its words and its twin."""

    key: str
    title: str
    caption: str
    panels: Sequence[Markup]
    table: Table
    layout: str = "two"
    legend: bool = True
    absent: str = ""


def styles_of(study: Record) -> dict[str, ArmStyle]:
    """The style of every arm named anywhere in the result, in order of appearance."""
    names = [*arm_names(study), *(run.text("arm") for run in study.records("runs"))]
    for group in ("heatmap", "spectra"):
        names += list(study.record(group).record("arms").data)
    return {name: arm_style(position) for position, name in enumerate(dict.fromkeys(names))}


def label(name: str, limit: int = 18) -> str:
    """A foreign name made safe and short for a figure."""
    text = printable(name)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def endpoint_plate(study: Record, styles: Mapping[str, ArmStyle]) -> Plate:
    """Every draw as a dot, for K, K_emb and the log relative norm."""
    panels: list[Markup] = []
    titles = (("K", "K, nats"), ("K_emb", "K of embeddings, nats"), ("log_norm", "log ‖D‖ / ‖W₀‖, nats"))
    for key, title in titles:
        drawn = {arm.text("name", "unnamed"): [item for item in arm.record("endpoint").record(key).numbers("values")
                                               if item is not None] for arm in study.records("arms")}  # fmt: skip
        if any(drawn.values()):
            panels.append(_strip(drawn, styles, f"ends-{key}", title))
    caption = (
        "Each mark is one corpus draw, each bar the mean of its arm. k is the natural logarithm of how many times "
        "fewer directions an update uses than Gaussian noise of its shape (0.69 = half as many); K averages k over "
        "layers, then over slots. Levels mean nothing by themselves; only differences at equal base, method and "
        "tokens do. Embeddings stay out of K and are shown beside it."
    )
    return Plate("endpoints", "The endpoint, draw by draw", caption, panels, endpoint_table(study), "three",
                 absent="The result holds no endpoint.")  # fmt: skip


def _strip(drawn: Mapping[str, Sequence[float]], styles: Mapping[str, ArmStyle], key: str, title: str) -> Markup:
    height = 62 + 34 * len(drawn)
    with draw.drawing():
        figure = draw.canvas(340, height)
        axes = draw.plot_area(figure, 10, 28, 12, 28)
        draw.rule(axes, "x")
        for row, (name, values) in enumerate(drawn.items()):
            style = styles[name]
            draw.dots(axes, values, [row] * len(values), style, size=7.5)
            if values:
                mean = sum(values) / len(values)
                axes.plot([mean, mean], [row - 0.3, row + 0.3], color=style.colour, linewidth=2.2, clip_on=False)
        axes.set_ylim(len(drawn) - 0.4, -0.6)
        axes.set_yticks([])
        axes.set_xlim(*draw.span([item for values in drawn.values() for item in values], 0.08))
        draw.few_ticks(axes, "x")
        draw.head(axes, title)
        words = "; ".join(f"{label(name)} {_mean_text(values)}" for name, values in drawn.items())
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
    columns = [">rank fraction", *(f">{name}" for name in curves), ">Gaussian null"]
    return Plate("spectra", "The spectrum of the update", caption, panels, Table(columns, rows).cut(),
                 absent="The result holds no spectra.")  # fmt: skip


def _at(values: Sequence[float | None], position: int) -> float | None:
    return values[position] if position < len(values) else None


def _gaps(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if item is None else item for item in values]


def _paired(x: Sequence[float | None], y: Sequence[float | None]) -> tuple[list[float], list[float]]:
    size = min(len(x), len(y))
    step = max(1, -(-size // POINTS))
    return _gaps(x[:size:step]), _gaps(y[:size:step])


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
            draw.line(axes, *_paired(place, curve), styles[name])
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
            draw.line(axes, *_paired(place, above), styles[name])
        axes.axhline(1, color=draw.light("null"), linewidth=1.6, dashes=(3, 2.4))
        axes.set_yscale("log")
        draw.one_two_five(axes)
        axes.yaxis.set_major_formatter(lambda y, _: f"{trimmed(y)}×")
        axes.yaxis.set_minor_formatter(lambda y, _: "")
        draw.head(axes, "times the Gaussian null")
        return inline(figure, "excess", "Update spectra over the Gaussian null",
                      "The ratio of each arm's spectrum to the Gaussian null; one is no difference.")  # fmt: skip


def training_plate(study: Record, styles: Mapping[str, ArmStyle]) -> Plate:
    """K at the snapshots, against steps and against the log relative norm."""
    paths = _paths(study)
    panels = [_path_panel(paths, styles, by) for by in ("step", "log_norm")] if any(paths.values()) else []
    rows: list[list[Cell]] = []
    for run in study.records("runs"):
        for shot in run.records("snapshots"):
            numbers = (value(shot.number(key)) for key in ("step", "K", "K_emb", "log_norm"))
            rows.append([arm_cell(run.text("arm")), Cell(run.text("draw")), *numbers])
    caption = (
        "Thin lines are draws, thick ones their mean by arm. K is a clock: it falls while a run goes on, so arms "
        "compare only at equal length (against steps) or at equal norm of the update (against the norm, read "
        "vertically). The two ways of matching ask different questions, and both are shown."
    )
    columns = ["arm", ">draw", ">step", ">K", ">K of embeddings", ">log relative norm"]
    return Plate("training", "K along training", caption, panels, Table(columns, rows).cut(),
                 absent="The result holds no snapshots.")  # fmt: skip


Path = list[tuple[float, float | None, float | None]]


def _paths(study: Record) -> dict[str, list[Path]]:
    """Per arm and run: (step, log norm, K) at every snapshot with a step."""
    paths: dict[str, list[Path]] = {}
    for run in study.records("runs"):
        shots = [(shot.number("step").value, shot.number("log_norm").value, shot.number("K").value)
                 for shot in run.records("snapshots")]  # fmt: skip
        path = sorted(((step, norm, k) for step, norm, k in shots if step is not None), key=lambda row: row[0])
        if path:
            paths.setdefault(run.text("arm"), []).append(path)
    return paths


def _mean_path(runs: Sequence[Path]) -> Path:
    """Means at the steps for which at least two thirds of the runs, and two of them, have numbers."""
    cells: dict[float, list[tuple[float, float]]] = {}
    for path in runs:
        for step, norm, k in path:
            if norm is not None and k is not None:
                cells.setdefault(step, []).append((norm, k))
    enough = max(2, -(-2 * len(runs) // 3))
    return [
        (step, sum(norm for norm, _ in cell) / len(cell), sum(k for _, k in cell) / len(cell))
        for step, cell in sorted(cells.items()) if len(cell) >= enough
    ]  # fmt: skip


def _path_panel(paths: Mapping[str, Sequence[Path]], styles: Mapping[str, ArmStyle], by: str) -> Markup:
    column = 0 if by == "step" else 1
    with draw.drawing():
        figure = draw.canvas(460, 320)
        axes = draw.plot_area(figure, 44, 34, 14, 48)
        draw.rule(axes)
        for name, runs in paths.items():
            for path in runs:
                draw.thread(axes, _gaps([row[column] for row in path]), _gaps([row[2] for row in path]), styles[name])
        for name, runs in paths.items():
            mean = _mean_path(runs)
            x, y = _gaps([row[column] for row in mean]), _gaps([row[2] for row in mean])
            draw.line(axes, x, y, styles[name], width=2.2)
            draw.dots(axes, x, y, styles[name], size=7, alpha=1.0)
        if by == "step":
            steps = sorted({row[0] for runs in paths.values() for path in runs for row in path})
            axes.set_xticks(steps if len(steps) <= 8 else steps[:: -(-len(steps) // 8)])
            axes.xaxis.set_major_formatter(lambda x, _: fixed(x, 0))
        else:
            draw.few_ticks(axes, "x")
        draw.few_ticks(axes, "y")
        draw.head(axes, "K, nats")
        draw.foot(axes, "optimiser steps" if by == "step" else "log ‖D‖ / ‖W₀‖ of the update so far, nats")
        against = "optimiser steps" if by == "step" else "the log relative norm of the update"
        return inline(figure, f"path-{by}", f"K against {against}",
                      f"K of every run at its snapshots, and the mean by arm, against {against}.")  # fmt: skip
