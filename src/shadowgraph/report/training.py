# pyright: reportUnknownMemberType=false
"""The figure of K along training: against steps, the norm of the update, progress, and over a grid of rates.

Here live: these panels and their table twin.
Not here: contrasts at equal norm or progress (contrasts.py), marks (draw.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.numerals import fixed
from shadowgraph.report.palette import ArmStyle
from shadowgraph.report.plates import Plate, label, many_arms
from shadowgraph.report.record import Record
from shadowgraph.report.runs import plain_runs, regimen_table
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import Cell, Table, arm_cell, raw, value

# key of a panel -> (words in titles, name of the horizontal axis)
_AXES = {
    "step": ("optimiser steps", "optimiser steps"),
    "log_norm": ("the log relative norm of the update", "log ‖D‖ / ‖W₀‖ of the update so far, nats"),
    "progress": ("progress", "drop of loss on the arm's own held-out documents, nats"),
    "rate": ("the log relative norm of the update over the rate grid", "log ‖D‖ / ‖W₀‖ at the end of training, nats"),
}


@dataclass(frozen=True, slots=True)
class _Shot:
    """One snapshot of a run; None where a number is missing."""

    step: float
    k: float | None
    log_norm: float | None
    progress: float | None

    def at(self, by: str) -> float | None:
        return {"step": self.step, "log_norm": self.log_norm, "progress": self.progress}[by]


_Path = list[_Shot]


def training_plate(study: Record, styles: Mapping[str, ArmStyle]) -> Plate:
    """K at the snapshots, against steps, the log relative norm and progress, and at the ends of a rate grid."""
    paths, grid = _paths(study), _grid(study)
    panels = [_path_panel(paths, styles, by) for by in _present(paths)]
    if grid:
        panels.append(_rate_panel(grid, styles))
    caption = (
        "Thin lines are draws, thick ones their mean by arm. K moves while a run goes on, so levels compare at "
        "equal steps only (first panel), or at equal norm of the update (second panel, read vertically). The two ways "
        "of matching ask different questions, and both are shown."
    )
    if "progress" in _present(paths):
        caption += " Progress is the third: how much an arm has learnt of its own kind of document so far."
    if grid:
        caption += " The last panel joins runs of one arm and draw at different learning rates."
    if study.record("settings").data:
        caption += " Means are over all settings, whose levels mean nothing against each other."
    if many_arms(study):
        caption += " Colours name the groups of arms."
    regimens = regimen_table(study)
    shown = [("regimens beside the study's own training", regimens)] if regimens.rows else []
    return Plate("training", "K along training", caption, panels, _twin(study), shown=shown,
                 absent="The result holds no snapshots.")  # fmt: skip


def _twin(study: Record) -> Table:
    """Every snapshot of every run at the main rate, then the ends of the rate grid."""
    runs = plain_runs(study)
    progress = any(shot.data.get("own_loss") is not None for run in runs for shot in run.records("snapshots"))
    rows: list[list[Cell]] = []
    for run in runs:
        rate = run.data.get("rate") is not None
        for shot in [run] if rate else run.records("snapshots"):
            step = Cell(f"end, rate {run.text('rate')}") if rate else value(shot.number("step"))
            row = [arm_cell(run.text("arm")), Cell(run.text("draw")), step]
            row += [value(shot.number(key)) for key in ("K", "K_emb", "log_norm")]
            rows.append([*row, raw(_progress(run, shot))] if progress else row)
    columns = ["arm", ">draw", ">step", ">K", ">K of embeddings", ">log relative norm"]
    return Table([*columns, ">progress, nats"] if progress else columns, rows).cut()


def _progress(run: Record, shot: Record) -> float | None:
    """Loss on the arm's own held-out documents at the start minus at a snapshot."""
    if not isinstance(run.data.get("own_loss"), Mapping) or isinstance(shot.data.get("own_loss"), Mapping):
        return None
    start, now = run.record("own_loss").number("start").value, shot.number("own_loss").value
    return None if start is None or now is None else start - now


def _paths(study: Record) -> dict[str, list[_Path]]:
    """Per arm and run at the main rate: the snapshots that have a step, in order."""
    paths: dict[str, list[_Path]] = {}
    for run in plain_runs(study):
        if run.data.get("rate") is not None:
            continue
        path = [
            _Shot(step, shot.number("K").value, shot.number("log_norm").value, _progress(run, shot))
            for shot in run.records("snapshots") if (step := shot.number("step").value) is not None
        ]  # fmt: skip
        if path:
            paths.setdefault(run.text("arm"), []).append(sorted(path, key=lambda shot: shot.step))
    return paths


def _present(paths: Mapping[str, Sequence[_Path]]) -> list[str]:
    """The panels there is something for."""
    shots = [shot for runs in paths.values() for path in runs for shot in path]
    found = ["step", "log_norm"] if shots else []
    return [*found, "progress"] if any(shot.progress is not None for shot in shots) else found


def _grid(study: Record) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Per arm and draw with runs at further rates: (log norm, K) at the end of training, in order of norm."""
    ends: dict[tuple[str, str], list[tuple[float, float]]] = {}
    wanted = {(run.text("arm"), run.text("draw")) for run in plain_runs(study) if run.data.get("rate") is not None}
    for run in plain_runs(study):
        place = (run.text("arm"), run.text("draw"))
        norm, k = run.number("log_norm").value, run.number("K").value
        if place in wanted and norm is not None and k is not None and run.text("seed_index", "0") == "0":
            ends.setdefault(place, []).append((norm, k))
    return {place: sorted(row) for place, row in ends.items()}


def _mean_path(runs: Sequence[_Path], by: str) -> tuple[list[float], list[float]]:
    """Means at the steps for which at least two thirds of the runs, and two of them, have numbers."""
    cells: dict[float, list[tuple[float, float]]] = {}
    for path in runs:
        for shot in path:
            x = shot.at(by)
            if x is not None and shot.k is not None:
                cells.setdefault(shot.step, []).append((x, shot.k))
    enough = max(2, -(-2 * len(runs) // 3))
    kept = [cell for _, cell in sorted(cells.items()) if len(cell) >= enough]
    return [sum(x for x, _ in cell) / len(cell) for cell in kept], [
        sum(k for _, k in cell) / len(cell) for cell in kept
    ]


def _panel() -> tuple[draw.Figure, draw.Axes]:
    figure = draw.canvas(460, 320)
    axes = draw.plot_area(figure, 44, 34, 14, 48)
    draw.rule(axes)
    return figure, axes


def _path_panel(paths: Mapping[str, Sequence[_Path]], styles: Mapping[str, ArmStyle], by: str) -> Markup:
    with draw.drawing():
        figure, axes = _panel()
        for name, runs in paths.items():
            for path in runs:
                draw.thread(axes, draw.gaps([shot.at(by) for shot in path]), draw.gaps([shot.k for shot in path]),
                            styles[name])  # fmt: skip
        for name, runs in paths.items():
            x, y = _mean_path(runs, by)
            many = len(paths) > len(set(map(id, styles.values())))
            draw.line(axes, x, y, styles[name], width=1.4 if many else 2.2)
            draw.dots(axes, x, y, styles[name], size=5 if many else 7, alpha=1.0)
        if by == "step":
            steps = sorted({shot.step for runs in paths.values() for path in runs for shot in path})
            axes.set_xticks(steps if len(steps) <= 8 else steps[:: -(-len(steps) // 8)])
            axes.xaxis.set_major_formatter(lambda x, _: fixed(x, 0))
        else:
            draw.few_ticks(axes, "x")
        return _finish(
            figure, axes, by, f"K of every run at its snapshots, and the mean by arm, against {_AXES[by][0]}."
        )


def _rate_panel(
    grid: Mapping[tuple[str, str], Sequence[tuple[float, float]]], styles: Mapping[str, ArmStyle]
) -> Markup:
    with draw.drawing():
        figure, axes = _panel()
        for (name, _), ends in grid.items():
            x, y = [norm for norm, _ in ends], [k for _, k in ends]
            draw.line(axes, x, y, styles[name], width=1.2)
            draw.dots(axes, x, y, styles[name], size=7, alpha=1.0)
        draw.few_ticks(axes, "x")
        names = ", ".join(label(name, 30) for name in dict.fromkeys(name for name, _ in grid))
        return _finish(figure, axes, "rate", f"K at the end of training over learning rates: {names}.")


def _finish(figure: draw.Figure, axes: draw.Axes, by: str, told: str) -> Markup:
    draw.few_ticks(axes, "y")
    draw.head(axes, "K, nats")
    draw.foot(axes, _AXES[by][1])
    return inline(figure, f"path-{by}", f"K against {_AXES[by][0]}", told)  # fmt: skip
