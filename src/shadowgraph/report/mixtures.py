# pyright: reportUnknownMemberType=false
"""A mixture against its own components run alone: the same content on both sides, only breadth differs.

Here live: this figure and its tables. Not here: the estimate, which the result carries.
"""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.numerals import percent, probability, sensible, with_interval
from shadowgraph.report.palette import ArmStyle, arm_style, light
from shadowgraph.report.plates import Plate, label
from shadowgraph.report.record import Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import Cell, Table, effect_cell, p_cell, raw, value, words


def mixture_plate(study: Record, styles: Mapping[str, ArmStyle]) -> Plate:
    """One panel a mixture: the components, and draw by draw their mean and the mixture."""
    found = study.records("mixture")
    panels = [_panel(item, styles, f"mixture-{place}") for place, item in enumerate(found) if item.records("draws")]
    caption = (
        "Upper row: K of every component trained alone, the mark the larger the larger its share of the mixture. "
        "Below, draw by draw: the token-weighted mean of the components (open) and their mixture (filled). Content "
        "and novelty are the same on both sides, only breadth differs: a mixture to the left is the less concentrated "
        "for being broad."
    )
    rows: list[list[Cell]] = []
    for item in found:
        coverage = item.number("coverage").value
        rows.append([
            words(item.text("name")), words(" against ".join(item.texts("arms"))),
            effect_cell(item),
            p_cell(item), words(item.sizes()),
            words(percent(coverage) if coverage is not None else ""), value(item.number("plain"), None, sign=True),
            words(item.text("reason") or item.text("method")),
        ])  # fmt: skip
    shown = Table(["contrast", "mixture, components", ">mixture − components [interval]", ">p", ">n",
                   ">tokens covered", ">plain contrast", "method"], rows)  # fmt: skip
    return Plate("mixture", "Mixtures and their components", caption, panels, _twin(study), legend=False,
                 absent="No component of a mixture was run alone.", shown=[("estimates", shown)])  # fmt: skip


def _panel(found: Record, styles: Mapping[str, ArmStyle], key: str) -> Markup:
    parts = [(item.number("K").value, item.number("share").value or 0.0) for item in found.records("components")]
    draws = [(item.text("draw"), item.number("components").value, item.number("mixture").value)
             for item in found.records("draws")]  # fmt: skip
    style = styles.get(found.texts("arms")[0] if found.texts("arms") else "", arm_style(0))
    known = [k for k, _ in parts if k is not None] + [k for _, a, b in draws for k in (a, b) if k is not None]
    with draw.drawing():
        figure = draw.canvas(420, 96 + 24 * (len(draws) + 1))
        axes = draw.plot_area(figure, 92, 50, 14, 28)
        draw.rule(axes, "x")
        axes.set_ylim(len(draws) + 0.6, -0.6)
        axes.set_yticks([])
        axes.set_xlim(*draw.span(known, 0.06))
        draw.few_ticks(axes, "x", 5)
        draw.side_note(axes, "components", 0, role="muted")
        for k, share in parts:
            if k is not None:
                axes.plot([k], [0], marker="o", markersize=4 + 12 * share**0.5, color=light("null"), alpha=0.6,
                          markeredgecolor=light("paper"), markeredgewidth=0.8, clip_on=False)  # fmt: skip
        for row, (name, apart, mixed) in enumerate(draws, start=1):
            draw.side_note(axes, f"draw {label(name, 8)}", row)
            if apart is not None and mixed is not None:
                axes.plot([apart, mixed], [row, row], color=light("axis"), linewidth=1.4)
            if apart is not None:
                axes.plot([apart], [row], marker="o", markersize=7, color=light("paper"), clip_on=False,
                          markeredgecolor=light("ink"), markeredgewidth=1.4)  # fmt: skip
            if mixed is not None:
                draw.dots(axes, [mixed], [row], style, size=8, alpha=1.0)
        draw.head(axes, f"K, nats: {label(found.text('name'), 46)}", offset=29, left=82)
        draw.note_under(axes, _told(found), left=82)
        return inline(figure, key, f"Mixture against components, {label(found.text('name'), 60)}", f"{_told(found)}.")


def _told(found: Record) -> str:
    estimate = found.number("estimate")
    if estimate.value is None:
        return label(f"{estimate.status or 'no number'}: {found.text('reason')}".removesuffix(": "), 72)
    p = found.number("p")
    tail = f", p {probability(p)}" if p.value is not None else ""
    return f"mixture − components {with_interval(estimate, found.interval())}{tail}"


def _twin(study: Record) -> Table:
    rows: list[list[Cell]] = []
    for found in study.records("mixture"):
        name = found.text("name")
        for item in found.records("components"):
            share = item.number("share").value
            rows.append([words(name), words(item.text("source")), value(item.number("K")),
                         words(percent(share) if share is not None else ""), words(""),
                         words(item.text("n"))])  # fmt: skip
        for item in found.records("draws"):
            apart, mixed = item.number("components").value, item.number("mixture").value
            gap = None if apart is None or mixed is None else mixed - apart
            rows.append([words(name), Cell(f"draw {item.text('draw')}"), value(item.number("mixture")),
                         words(sensible(apart) if apart is not None else ""), raw(gap, sign=True),
                         words(item.text("sources"))])  # fmt: skip
    return Table(["contrast", "component or draw", ">K", ">share, or K of components", ">mixture − components",
                  ">draws, or sources"], rows).cut()  # fmt: skip
