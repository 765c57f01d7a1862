# pyright: reportUnknownMemberType=false
"""Towers of a vision-language model: effective rank layer by layer, concentration by tower, scores by kind.

Here live: this figure and its tables. Not here: the numbers, which the result carries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.numerals import percent, with_interval
from shadowgraph.report.palette import ArmStyle, light
from shadowgraph.report.plates import Plate, label
from shadowgraph.report.record import Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import Cell, Table, arm_cell, effect_cell, p_cell, raw, value, words

RANKS = {"erank_amplitude": "amplitudes", "erank_energy": "energies"}
MOST_TICKS = 20
TICKS = {"vision": "v", "projector": "p", "decoder": "d"}


def tower_plate(study: Record, styles: Mapping[str, ArmStyle]) -> Plate:
    """One panel an effective rank: its change along the layers of every tower, an arm a colour, the null a band."""
    found = study.record("towers")
    layers = found.records("layers")
    panels = [_panel(layers, styles, key, found.number("band").value) for key in RANKS] if layers else []
    caption = (
        "O2, the change of the effective rank of the weights of each MLP up-projection (and of both matrices of the "
        "projector) from base to tuned model: the delta effective rank of the paper, by amplitudes as there, and by "
        "energies. Marks are means over draws with their intervals. The band is the null of the layer: what Gaussian "
        "noise of the update's own norm, added to the same weights, does to the rank, for one run. A layer inside it "
        "is not told apart from what the size of its update does. v vision tower, p projector, d decoder."
    )
    shown = [
        ("whether the models look", sight_table(found)),
        ("swings over layers and near-static layers", swing_table(found)),
        ("concentration of the update by tower", tower_table(found)),
        ("contrasts by tower", contrast_table(found, "tower")),
        ("scores by kind, change from the base", kind_table(found)),
    ]
    folded = [("contrasts of scores by kind", contrast_table(found, "kind"))]
    return Plate("towers", "Layers and towers", caption, panels, layer_table(found),
                 absent="The result holds no layers.", shown=shown, folded=folded)  # fmt: skip


def _panel(layers: Sequence[Record], styles: Mapping[str, ArmStyle], key: str, band: float | None) -> Markup:
    """The change of one effective rank along the layers; of very many layers some have their name."""
    arms = list(dict.fromkeys(row.text("arm") for row in layers))
    places = list(dict.fromkeys((row.text("tower"), row.text("layer")) for row in layers))
    own = {arm: {(row.text("tower"), row.text("layer")): row.record(key) for row in layers if row.text("arm") == arm}
           for arm in arms}  # fmt: skip
    with draw.drawing():
        figure = draw.canvas(460, 320)
        axes = draw.plot_area(figure, 48, 34, 14, 34)
        draw.rule(axes)
        draw.zero_line(axes, vertical=False)
        for shift, arm in enumerate(arms):
            offset = (shift - (len(arms) - 1) / 2) * 0.18
            for place, at in enumerate(places):
                _mark(axes, own[arm].get(at), place + offset, styles[arm], band)
        named = range(0, len(places), -(-len(places) // MOST_TICKS) or 1)
        axes.set_xticks(named, [_tick(*places[place]) for place in named])
        axes.set_xlim(-0.6, len(places) - 0.4)
        draw.few_ticks(axes, "y")
        draw.head(axes, f"change of effective rank, by {RANKS[key]}", left=40)
        told = "; ".join(f"{label(arm)} {_largest(own[arm])}" for arm in arms)
        return inline(figure, f"towers-{key}", f"Change of effective rank by layer, by {RANKS[key]}",
                      f"Largest change by arm: {told}.")  # fmt: skip


def _tick(tower: str, layer: str) -> str:
    return f"{TICKS.get(tower, label(tower))}{label(layer)}"


def _mark(axes: draw.Axes, found: Record | None, x: float, style: ArmStyle, band: float | None) -> None:
    """One arm in one layer: the null's band, the interval over draws, the mean."""
    if found is None:
        return
    null, sd, mean = (found.number(key).value for key in ("null_mean", "null_sd", "mean"))
    if null is not None and sd is not None and band is not None:
        axes.fill_between([x - 0.08, x + 0.08], null - band * sd, null + band * sd, color=light("null"), alpha=0.35,
                          linewidth=0)  # fmt: skip
        axes.plot([x - 0.08, x + 0.08], [null, null], color=light("null"), linewidth=1.2)
    ends = found.interval()
    if ends is not None:
        axes.plot([x, x], list(ends), color=style.colour, linewidth=1.4)
    if mean is not None:
        draw.dots(axes, [x], [mean], style, size=6, alpha=1.0)


def _largest(rows: Mapping[tuple[str, str], Record]) -> str:
    known = [mean for row in rows.values() if (mean := row.number("mean").value) is not None]
    return f"{max(known, key=abs):+.3g}" if known else "none"


def layer_table(found: Record) -> Table:
    """Every layer of every arm."""
    rows: list[list[Cell]] = []
    for row in found.records("layers"):
        cells = [arm_cell(row.text("arm")), words(row.text("tower")), words(row.text("layer"))]
        for key in RANKS:
            own = row.record(key)
            static = own.number("static").value
            cells += [_ranged(own), raw(own.number("null_mean").value, sign=True), raw(own.number("null_sd").value),
                      words(percent(static) if static is not None else "")]  # fmt: skip
        rows.append([*cells, value(row.number("k")), value(row.number("relative_norm"))])
    columns = ["arm", "tower", ">layer"]
    for name in RANKS.values():
        columns += [f">Δ rank, {name} [interval]", ">null", ">sd of null", ">draws inside its band"]
    return Table([*columns, ">k", ">‖D‖ / ‖W₀‖"], rows).cut()


def swing_table(found: Record) -> Table:
    """Largest less smallest change over the layers of a tower."""
    rows: list[list[Cell]] = [
        [
            arm_cell(row.text("arm")),
            words(row.text("tower")),
            words(RANKS.get(row.text("measure"), row.text("measure"))),
            _ranged(row),
            value(row.number("null_swing")),
            words(_of(row)),
        ]
        for row in found.records("swings")
    ]
    columns = ["arm", "tower", "rank by", ">swing [interval]", ">swing of the null", ">near-static layers"]
    return Table(
        columns,
        rows,
        "Swing: max − min over layers; of the null: what it comes to on average "
        "where all layers are noise. Near-static: inside the null's band in most draws.",
    )


def _of(row: Record) -> str:
    static, layers = _count(row, "static_layers"), _count(row, "layers")
    return f"{static} of {layers}" if static and layers else ""


def _count(row: Record, key: str) -> str:
    found = row.number(key).value
    return "" if found is None else f"{found:.0f}"


def sight_table(found: Record) -> Table:
    """Loss on descriptions with the picture described and with another."""
    rows: list[list[Cell]] = [
        [
            Cell("base", "base") if row.text("arm") == "base" else arm_cell(row.text("arm")),
            value(row.number("own")),
            value(row.number("other")),
        ]
        for row in found.records("sight")
    ]
    note = "Loss on descriptions of pictures that nobody saw, nats a token. Equal columns: the model does not look."
    return Table(["model", ">with its picture", ">with another's"], rows, note)


def tower_table(found: Record) -> Table:
    """K of each tower's update beside its size."""
    rows: list[list[Cell]] = [
        [
            arm_cell(row.text("arm")),
            words(row.text("tower")),
            _ranged(row),
            value(row.number("relative_norm")),
            words(_count(row, "matrices")),
        ]
        for row in found.records("towers")
    ]
    columns = ["arm", "tower", ">k [interval]", ">‖D‖ / ‖W₀‖", ">matrices"]
    return Table(columns, rows, "k of the update, nats: 0 for Gaussian noise of its shape. Levels mean nothing.")


def contrast_table(found: Record, role: str) -> Table:
    """The contrasts of the plan in every tower, or in every score; they describe."""
    rows: list[list[Cell]] = [
        [
            words(row.text("name")),
            words(row.text("endpoint").replace("_", " ")),
            effect_cell(row),
            p_cell(row),
            words(row.sizes()),
            words(row.text("reason")),
        ]
        for row in found.records("contrasts")
        if row.text("role") == role
    ]
    columns = ["test", "endpoint", ">estimate [interval]", ">p", ">n", "why there is no number"]
    return Table(columns, rows, "Described: no p here is corrected for the number of rows.").cut()


def kind_table(found: Record) -> Table:
    """What every arm gained over the base on every split."""
    rows: list[list[Cell]] = [
        [
            words(row.text("split").replace("_", " ")),
            words(row.text("measure").replace("_", " ")),
            arm_cell(row.text("arm")),
            value(row.number("base")),
            _ranged(row),
        ]
        for row in found.records("kinds")
    ]
    return Table(["split", "measure", "arm", ">base", ">change [interval]"], rows).cut()


def _ranged(row: Record) -> Cell:
    """A mean over draws with its interval, or its reason."""
    return value(row.number("mean"), with_interval(row.number("mean"), row.interval()))
