# pyright: reportUnknownMemberType=false
"""The frontiers of edited updates: outside loss over the benchmark gain that is kept, a curve an edit.

Here live: these panels and their twin. Not here: differences and their tests (intervention.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.numerals import sensible, trimmed
from shadowgraph.report.palette import ArmStyle, arm_style
from shadowgraph.report.plates import Plate, label
from shadowgraph.report.record import Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import Cell, Table, raw, words

PLAIN = "interpolated"
NAMES = {
    "top": "leading components removed",
    "random": "random components removed",
    "top_shrunk": "leading ones shrunk, energy of random",
    "random_energy": "random ones removed, energy of leading",
    "bottom_energy": "trailing ones removed, energy of leading",
    "scaled": "matrices scaled, energy of leading",
    "interpolated": "interpolated with the base",
    "flattened": "spectrum made flat",
    "half_flattened": "spectrum made half as steep",
}
_INK = ArmStyle("ink", "o", "●", ())


def frontier_plate(study: Record) -> Plate:
    """One panel a block, the mean over all draws, and one smaller a base."""
    found = study.record("intervention")
    blocks = found.records("blocks")
    panels = [_panel(block, block.records("curves")[0], f"frontier-{place}", keyed=True)
              for place, block in enumerate(blocks) if block.records("curves")]  # fmt: skip
    lead = len(panels)
    panels += [_panel(block, curve, f"frontier-{place}-{base}", keyed=False)
               for place, block in enumerate(blocks)
               for base, curve in enumerate(block.records("curves")[1:])]  # fmt: skip
    caption = (
        "Mean outside loss above that of the base, nats a token, where a share of the drop of the benchmark loss is "
        "kept: 0 is the base, 1 the tuned model. Of two edits the lower curve does less harm outside at equal "
        "benchmark loss. A curve ends where some run does not reach; a mean is always of the same runs. In one block "
        "everything that is no block linear matrix stays as tuned; in the other its update is scaled as the norm of "
        "the edited matrices."
    )
    return Plate("frontiers", "Edited updates at equal benchmark loss", caption, panels, _twin(blocks), "stack",
                 legend=False, absent="The result holds no edited update.", lead=lead)  # fmt: skip


def _style(edit: str, edits: Sequence[str]) -> ArmStyle:
    """Interpolation in ink, every edit in a colour of its own."""
    others = [name for name in edits if name != PLAIN]
    return _INK if edit == PLAIN else arm_style(others.index(edit))


def _panel(block: Record, curve: Record, key: str, *, keyed: bool) -> Markup:
    """The curves of one block, over all draws or over those of one base."""
    rows = curve.records("edits")
    edits = [row.text("edit") for row in rows]
    name = f"{block.text('arm')}, {block.text('block')}" + ("" if keyed else f": {curve.text('base')}")
    width, below = (460, 40 + 15 * len(rows)) if keyed else (300, 0)
    with draw.drawing():
        figure = draw.canvas(width, 300 + below)
        axes = draw.plot_area(figure, 44, 34, 14, 46 + below)
        draw.rule(axes)
        draw.zero_line(axes, vertical=False)
        for row in sorted(rows, key=lambda row: row.text("edit") == PLAIN):
            style = _style(row.text("edit"), edits)
            draw.line(axes, draw.gaps(row.numbers("kept")), draw.gaps(row.numbers("harm")), style,
                      width=2.6 if style is _INK else 1.5)  # fmt: skip
        axes.set_xlim(-0.02, 1.02)
        draw.few_ticks(axes, "x")
        draw.few_ticks(axes, "y")
        draw.head(axes, label(name, 52 if keyed else 40))
        draw.foot(axes, "share of the benchmark gain that is kept")
        if keyed:
            _key(figure, edits, 300, below)
        told = "; ".join(f"{NAMES.get(row.text('edit'), row.text('edit'))}: {_ends(row)}" for row in rows)
        return inline(figure, key, f"Outside loss over benchmark gain: {label(name, 60)}", f"{told}.")


def _key(figure: draw.Figure, edits: Sequence[str], top: float, height: float) -> None:
    """Names of the curves under the plot."""
    axes = draw.plot_area(figure, 10, top, 10, 4)
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(len(edits) - 0.4, -0.6)
    for place, edit in enumerate(edits):
        style = _style(edit, edits)
        draw.line(axes, [0.0, 0.09], [place, place], style, width=2.6 if style is _INK else 1.5)
        draw.note(axes, NAMES.get(edit, edit), 0.11, place)


def _ends(row: Record) -> str:
    """The part of a curve that there is."""
    there = [(kept, harm) for kept, harm in zip(row.numbers("kept"), row.numbers("harm"), strict=False)
             if kept is not None and harm is not None]  # fmt: skip
    if not there:
        return "nowhere reached by all"
    return ", ".join(f"{sensible(harm)} at {trimmed(round(kept, 2))}" for kept, harm in (there[0], there[-1]))


def _twin(blocks: Sequence[Record]) -> Table:
    """What every edit did at each strength: realised energy, rank and norm, gain kept and harm, means over draws."""
    rows: list[list[Cell]] = []
    for block in blocks:
        for edit in [*block.records("edits"), block.record("plain")]:
            for at in edit.records("strengths"):
                numbers = [raw(at.number(key).value) for key in ("strength", "energy_removed", "rank_changed",
                                                                 "norm_ratio", "kept", "harm")]  # fmt: skip
                name = words(NAMES.get(edit.text("name"), edit.text("name")))
                rows.append([words(block.text("arm")), words(block.text("block")), name, *numbers])
    columns = ["arm", "block", "edit", ">strength", ">energy removed", ">components changed", ">norm ratio",
               ">gain kept", ">outside loss above the base"]  # fmt: skip
    return Table(columns, rows).cut()
