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
from shadowgraph.report.forest import forest, margin_row, row_of
from shadowgraph.report.links import own_gains, own_plate
from shadowgraph.report.palette import ArmStyle, light
from shadowgraph.report.plates import Plate, label
from shadowgraph.report.record import Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import (
    MEANING,
    MEASURES,
    TESTED,
    Cell,
    Table,
    arm_cell,
    arm_names,
    effect_name,
    effect_table,
    effects_of,
    exceptions_of,
    key_of,
    outside_of,
    raw,
    score_of,
    several,
)
from shadowgraph.study.names import endpoint_name, variant_name

VARIANTS = "variants of K"  # one panel for all "K:…" and "K@…" of a primary test


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
    if not panels and own_gains(study):
        return own_plate(study, styles)
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
    """Every effect with its interval: a panel an endpoint, one for the variants of K, one for equivalence.

    Where the plan has several tests, their readings stand in a figure of their own and only what belongs to them is
    here: variants of K, other endpoints, equivalence.
    """
    apart = several(study)
    effects = [effect for effect in effects_of(study) if not apart or effect.text("role") not in ("reading", *TESTED)]
    strays = exceptions_of(study)
    panels: list[Markup] = []
    for position, group in enumerate(dict.fromkeys(_group(effect, apart) for effect in effects)):
        own = [effect for effect in effects if _group(effect, apart) == group]
        rows = [row_of(effect, effect_name(effect), main=effect.text("role") == "primary",
                       against=key_of(effect) in strays)
                for effect in own]  # fmt: skip
        endpoint, test = group
        unit = ", nats" if endpoint in {"K", VARIANTS, "K_emb", "log_norm"} and own[0].text("kind") != "trend" else ""
        title = f"difference of {label(endpoint_name(endpoint), 30)}{unit}"
        panels.append(forest(rows, f"forest-{position}", title, note=label(test, 60)))
    tests = [margin_row(test) for test in study.records("equivalence")]
    if tests:
        panels.append(forest(tests, "forest-margin", "difference in units of its equivalence margin", margin=True))
    caption = (
        "Estimates with their intervals over draws; the filled mark is the primary effect, fixed before the first run. "
        "Where an effect cannot be estimated, the reason stands in its place. In the last panel an interval inside the "
        "band shows equivalence, one wholly outside a difference beyond the margin; one across an edge decides nothing."
    )
    if apart:
        caption = (
            "What belongs to the tests above: variants of K, which must keep the sign of the primary reading, other "
            "endpoints, and equivalence, where an interval inside the band shows it, one wholly outside a difference "
            "beyond the margin, and one across an edge decides nothing."
        )
    if strays:
        caption += " In colour: against the sign of its primary test."
    title = "Variants, other endpoints, equivalence" if apart else "Effects with intervals"
    return Plate("forest", title, caption, panels, effect_table(study), "stack", legend=False,
                 absent="The result holds no effects.")  # fmt: skip


def _group(effect: Record, apart: bool) -> tuple[str, str]:
    """The panel of an effect: its endpoint, or that of all variants of K; of several tests also which it belongs to."""
    endpoint = VARIANTS if variant_name(effect.text("endpoint")) else effect.text("endpoint")
    return endpoint, (effect.text("of") or effect.text("name")) if apart and endpoint == VARIANTS else ""
