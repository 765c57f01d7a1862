# pyright: reportUnknownMemberType=false
"""Figures of what the update did: inside against outside, effects with intervals, equivalence.

Here live: these figures, their captions and their table twins.
Not here: figures of the weights (figures.py, heatmap.py), marks (draw.py), markup (svg.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.figures import Plate, label
from shadowgraph.report.numerals import missing, with_interval
from shadowgraph.report.palette import ArmStyle, light
from shadowgraph.report.record import Quantity, Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import (
    MEANING,
    MEASURES,
    Cell,
    Table,
    arm_cell,
    arm_names,
    effect_name,
    effect_table,
    effects_of,
    endpoint_name,
    outside_of,
    pair_of,
    raw,
    score_of,
)

VARIANTS = "variants of K"  # one panel for all readings "K:…" of the primary pair


@dataclass(frozen=True, slots=True)
class Gain:
    """What one run gained over the base, inside the benchmark and outside it; None where a score is missing."""

    arm: str
    draw: int
    measure: str
    inside: float | None
    outside: float | None


def gains(study: Record) -> list[Gain]:
    """Gain over the base by run: positive is better, for accuracy (higher) and for bits per byte (lower).

    Outside is the plain mean over the splits of the result's transfer panel. Values are taken in the order of draws.
    """
    found: list[Gain] = []
    for measure, _ in MEASURES:
        sign = 1.0 if measure == "accuracy" else -1.0
        for arm in arm_names(study):
            inside = _gain(study, arm, "benchmark", measure, sign)
            panels = [_gain(study, arm, split, measure, sign) for split in outside_of(study)]
            count = max((len(row) for row in (inside, *panels)), default=0)
            for position in range(count):
                beyond = [row[position] if position < len(row) else None for row in panels]
                known = [item for item in beyond if item is not None]
                outside = sum(known) / len(known) if known and len(known) == len(beyond) else None
                own = inside[position] if position < len(inside) else None
                found.append(Gain(arm, position, measure, own, outside))
    return found


def _gain(study: Record, arm: str, split: str, measure: str, sign: float) -> list[float | None]:
    base = score_of(study, "base", split, measure).number("mean").value
    values = score_of(study, arm, split, measure).numbers("values")
    return [None if item is None or base is None else sign * (item - base) for item in values]


def scatter_plate(study: Record, styles: Mapping[str, ArmStyle]) -> Plate:
    """Benchmark gain against transfer gain, one mark a run."""
    found = gains(study)
    panels: list[Markup] = []
    for measure, title in MEASURES:
        known = [(gain.arm, gain.inside, gain.outside) for gain in found if gain.measure == measure]
        marks = [(arm, x, y) for arm, x, y in known if x is not None and y is not None]
        if marks:
            panels.append(_scatter(marks, styles, measure, title))
    rows = [
        [arm_cell(gain.arm), Cell(str(gain.draw)), Cell(gain.measure.replace("_", " ")), raw(gain.inside, sign=True),
         raw(gain.outside, sign=True)]
        for gain in found
    ]  # fmt: skip
    named = [f"{name} ({MEANING.get(name, 'see the recipe')})" for name in outside_of(study)]
    outside = ", ".join(named) or "none present"
    caption = (
        "Gain over the shared base, one mark a run; up and right are better in both panels. On the dashed line a run "
        f"gained as much outside the benchmark as inside it. Outside is the transfer panel, the mean over {outside}; "
        "it holds no family an arm trained on. All splits are in the table of scores."
    )
    columns = ["arm", ">draw", "measure", ">gain inside", ">gain outside"]
    return Plate("scatter", "Inside and outside the benchmark", caption, panels, Table(columns, rows).cut(),
                 absent="The result holds no scores of runs against the base.")  # fmt: skip


def _scatter(marks: Sequence[tuple[str, float, float]], styles: Mapping[str, ArmStyle], measure: str,
             title: str) -> Markup:  # fmt: skip
    across = draw.span([x for _, x, _ in marks], 0.08, zero=True)
    up = draw.span([y for _, _, y in marks], 0.08, zero=True)
    wide = across[1] - across[0]
    if up[1] - up[0] < 0.6 * wide:
        up = (up[0], up[0] + 0.6 * wide)
    scale = min(400 / wide, 460 / (up[1] - up[0]))
    across = (across[0], across[0] + 400 / scale)
    with draw.drawing():
        figure = draw.canvas(460, 82 + scale * (up[1] - up[0]))
        axes = draw.plot_area(figure, 44, 34, 16, 48)
        axes.grid(visible=True, color=light("grid"), linewidth=0.8)
        draw.zero_line(axes)
        draw.zero_line(axes, vertical=False)
        low, high = max(across[0], up[0]), min(across[1], up[1])
        axes.plot([low, high], [low, high], color=light("null"), linewidth=1.4, dashes=(3, 2.4))
        for name, style in styles.items():
            own = [(x, y) for arm, x, y in marks if arm == name]
            draw.dots(axes, [x for x, _ in own], [y for _, y in own], style, size=9, alpha=0.9)
        axes.set_xlim(*across)
        axes.set_ylim(*up)
        for axis in ("x", "y"):
            draw.few_ticks(axes, axis, 6)
        unit = "points of accuracy" if measure == "accuracy" else "bits per byte saved"
        draw.head(axes, f"gain outside, {unit}")
        draw.foot(axes, f"gain on the benchmark, {unit}")
        return inline(figure, f"scatter-{measure.replace('_', '-')}", f"Benchmark gain against outside gain, {title}",
                      f"{len(marks)} runs; gain over the base in {unit}, inside against outside.")  # fmt: skip


def forest_plate(study: Record) -> Plate:
    """Every effect with its interval: a panel an endpoint, one for the variants of K, one for equivalence."""
    effects = effects_of(study)
    primary = study.record("primary").data
    panels: list[Markup] = []
    for position, group in enumerate(dict.fromkeys(map(_group, effects))):
        own = [effect for effect in effects if _group(effect) == group]
        rows = [_row(effect, main=effect.data is primary) for effect in own]
        unit = ", nats" if group in {"K", VARIANTS, "K_emb", "log_norm"} else ""
        title = f"difference of {label(endpoint_name(group), 30)}{unit}"
        panels.append(_forest(rows, f"forest-{position}", title, margin=False))
    tests = [_test_row(test) for test in study.records("equivalence")]
    if tests:
        panels.append(_forest(tests, "forest-margin", "difference in units of its equivalence margin", margin=True))
    caption = (
        "Estimates with their intervals over draws; the filled mark is the primary effect, fixed before the first run. "
        "Where an effect cannot be estimated, the reason stands in its place. In the last panel an interval inside the "
        "band shows equivalence, one wholly outside a difference beyond the margin; one across an edge decides nothing."
    )
    return Plate("forest", "Effects with intervals", caption, panels, effect_table(study), "stack", legend=False,
                 absent="The result holds no effects.")  # fmt: skip


def _group(effect: Record) -> str:
    """The panel of an effect: its endpoint, or that of all variants of K."""
    endpoint = effect.text("endpoint")
    return VARIANTS if endpoint.startswith("K:") else endpoint


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    estimate: Quantity
    interval: tuple[float, float] | None
    text: str
    main: bool = False


def _row(effect: Record, *, main: bool) -> _Row:
    estimate, interval = effect.number("estimate"), effect.interval()
    text = missing(estimate) if estimate.value is None else with_interval(estimate, interval)
    endpoint = effect.text("endpoint")
    variant = endpoint.removeprefix("K:").replace("_", " ") if endpoint.startswith("K:") else ""
    return _Row(variant or effect_name(effect), estimate, interval, text, main)


def _test_row(test: Record) -> _Row:
    estimate, interval, margin = test.number("estimate"), test.interval(), test.number("margin").value
    name = f"{test.text('name') or pair_of(test)}, {endpoint_name(test.text('endpoint'))}"
    if not margin or estimate.value is None:
        return _Row(name, Quantity(None, estimate.status or "no margin"), None, estimate.status or "no margin")
    scaled = None if interval is None else (interval[0] / margin, interval[1] / margin)
    return _Row(name, Quantity(estimate.value / margin), scaled, with_interval(estimate, interval))


def _forest(rows: Sequence[_Row], key: str, title: str, *, margin: bool) -> Markup:
    bounds = [bound for row in rows if row.interval for bound in row.interval]
    bounds += [row.estimate.value for row in rows if row.estimate.value is not None]
    if margin:
        bounds += [-1.2, 1.2]
    with draw.drawing():
        figure = draw.canvas(460, 70 + 46 * len(rows))
        axes = draw.plot_area(figure, 10, 36, 10, 26)
        axes.set_xlim(*draw.span(bounds, 0.05, zero=True))
        axes.set_ylim(len(rows) - 0.45, -0.75)
        axes.set_yticks([])
        draw.few_ticks(axes, "x", 6)
        for position, row in enumerate(rows):
            _mark(axes, row, position, margin=margin)
            draw.row_note(axes, label(row.name, 44), position - 0.46, bold=row.main)
            role = "muted" if row.estimate.value is None else "ink"
            draw.row_note(axes, label(row.text, 30), position - 0.46, role=role, end=True)
        draw.head(axes, title)
        told = "; ".join(f"{label(row.name, 60)}: {row.text}" for row in rows)
        return inline(figure, key, f"Forest plot: {title}", f"{told}.")


def _mark(axes: draw.Axes, row: _Row, position: int, *, margin: bool) -> None:
    """One estimate with its interval beside the line of no difference; nothing where there is no estimate."""
    if row.estimate.value is None:
        return
    if margin:
        axes.fill_between([-1, 1], position - 0.22, position + 0.22, facecolor=light("band"), linewidth=0)
    axes.plot([0, 0], [position - 0.22, position + 0.22], color=light("axis"), linewidth=1.0)
    if row.interval is not None:
        axes.plot(list(row.interval), [position, position], color=light("ink"), linewidth=2.6 if row.main else 1.6,
                  clip_on=False)  # fmt: skip
    axes.plot([row.estimate.value], [position], marker="D" if row.main else "o", markersize=9 if row.main else 7,
              color=light("ink") if row.main else light("paper"), markeredgecolor=light("ink"), markeredgewidth=1.6,
              clip_on=False)  # fmt: skip
