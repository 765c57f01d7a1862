"""Where the update is concentrated: which maps of layers and slots a page shows, and their twins.

Here live: the figure of maps, with adjusted p of every module where the result has them, and its tables.
Not here: how a map is drawn (heatmap.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from shadowgraph.report.heatmap import Grid, band, bands, difference_map, grid_of, mean_of, small_maps
from shadowgraph.report.numerals import sensible
from shadowgraph.report.plates import Plate, groups_of, label, legend_of, many_arms
from shadowgraph.report.record import Quantity, Record
from shadowgraph.report.tables import Cell, Table, one_setting, p_cell, primaries_of, raw, value, words

SMALL_P = 0.05


def heat_plate(study: Record) -> Plate:
    """Difference of k by layer and slot, one large map a primary contrast, then k of each arm unless arms are many."""
    heat = study.record("heatmap")
    slots, layers = heat.texts("slots"), heat.texts("layers")
    grids = {name: grid_of(heat.record("arms"), name, len(slots), len(layers)) for name in heat.record("arms").data}
    pair = [name for name in study.record("primary").texts("arms") if name in grids][:2]
    tested = _module_maps(study)
    panels: list[Markup] = tested
    rows, banded = bands(layers)
    small = _by_group(study, grids) if many_arms(study) else grids
    if len(pair) < 2:
        sides = [study.record("label").text(side) for side in ("positive", "negative")]
        pair = sides if all(side in small for side in sides) else []
    known = {**grids, **small}
    if slots and layers and len(pair) == 2 and not tested:
        title = f"Difference of k, {label(pair[0])} minus {label(pair[1])}, by layer and slot"
        panels = [difference_map(slots, rows, _less(band(known[pair[0]]), band(known[pair[1]])), "heat", title,
                                 ends=_ends(pair))]  # fmt: skip
    lead = len(panels)
    if small and slots and layers:
        panels = panels + small_maps({name: band(grid) for name, grid in small.items()}, slots, rows)
    mapped = [row for row in study.records("modules") if row.items("estimate")] if tested else []
    caption = _caption(pair, mapped, arms=len(panels) > lead)
    caption += f" {alone}" if (alone := one_setting(study)) else ""
    caption += " Arms are averaged by group." if small is not grids else ""
    caption += " Neighbouring layers are averaged into bands of depth." if banded else ""
    shown = [("modules, exploratory", _module_table(study))] if tested else []
    told = {name: known[name] for name in dict.fromkeys([*small, *pair])}
    twin = _twin(heat, told, slots, layers, pair)
    return Plate("heatmap", "Where the update is concentrated", caption, panels, twin, "heat", legend=False,
                 absent="The result holds no map of layers and slots.", lead=lead, folded=shown)  # fmt: skip


def _by_group(study: Record, grids: Mapping[str, Grid]) -> dict[str, Grid]:
    """Mean over the arms of each group of the legend, cell by cell."""
    groups = groups_of(study)
    members: dict[str, list[Grid]] = {group: [] for group in legend_of(study)}
    for name, grid in grids.items():
        members[groups[name]].append(grid)
    return {
        group: [[mean_of(cell) for cell in zip(*rows, strict=True)] for rows in zip(*own, strict=True)]
        for group, own in members.items() if own
    }  # fmt: skip


def _caption(pair: Sequence[str], tested: Sequence[Record], *, arms: bool) -> str:
    tail = "Rows are layers in order of depth, columns the slots of a block. Grey with a stroke: no number."
    repeated = " Layers are repeated measures of the same runs, not samples."
    small = " Small maps: k of each arm, all on one scale." if arms else ""
    if tested:
        which = "each primary contrast" if len(tested) > 1 else "the primary contrast"
        return (
            f"Large maps: the difference of k in {which}, warm where its first side is the more concentrated; the foot "
            f"row is the mean over layers. {_marks(tested)}{small} {tail}{repeated}"
        )
    if len(pair) < 2:
        return f"Mean k over draws, by arm, on one scale. {tail}"
    return (
        f"Large map: k of {label(pair[0])} minus k of {label(pair[1])}, mean over draws; the foot row is the mean over "
        f"layers. Warm where {label(pair[0])} is the more concentrated, cool where {label(pair[1])} is.{small} "
        f"{tail}{repeated}"
    )


def _marks(tested: Sequence[Record]) -> str:
    """What a dot marks, and which maps can have none, for their draws are too few."""
    blind = [row for row in tested if (row.number("smallest_p").value or 0.0) > SMALL_P]
    told = f"A dot marks cells whose p, adjusted over all cells together, is at most {SMALL_P}; exploratory."
    if not blind:
        return told
    reach = "; ".join(
        dict.fromkeys(
            f"{row.sizes()} draws, smallest p {sensible(row.number('smallest_p').value or 0.0, 2)}" for row in blind
        )
    )
    if len(blind) == len(tested):
        return f"No cell is marked, for with so few draws no p can reach {SMALL_P} ({reach}); exploratory."
    names = ", ".join(row.text("name", "unnamed") for row in blind)
    return f"{told} In {names} no p can reach {SMALL_P} with so few draws ({reach})."


def _ends(pair: Sequence[str]) -> tuple[str, str]:
    """What the two ends of a scale of differences mean, cool first."""
    return f"{label(pair[1], 10)} more concentrated", f"{label(pair[0], 10)} more concentrated"


def _module_maps(study: Record) -> list[Markup]:
    """One map a primary contrast with numbers, cells of small adjusted p marked."""
    pairs = {test.text("name"): test.texts("arms") for test in primaries_of(study) if len(test.items("pairs")) < 2}
    panels: list[Markup] = []
    for place, found in enumerate(study.records("modules")):
        slots, layers = found.texts("slots"), found.texts("layers")
        if not slots or not layers or not found.items("estimate"):
            continue
        grid, p = (grid_of(found, key, len(slots), len(layers)) for key in ("estimate", "p_adjusted"))
        rows, banded = bands(layers)
        marked = set() if banded else {(column, row) for column, line in enumerate(p) for row, item in enumerate(line)
                                       if item is not None and item <= SMALL_P}  # fmt: skip
        name = found.text("name", "unnamed")
        pair = pairs.get(name, [])
        ends = _ends(pair) if len(pair) == 2 else ("second side more so", "first side more so")
        title = f"Difference of k, {label(name, 60)}"
        panels.append(difference_map(slots, rows, band(grid), f"heat-{place}-module", title,
                                     ends=ends, marked=marked, name=name))  # fmt: skip
    return panels


def _module_table(study: Record) -> Table:
    """Every module of every primary contrast with its adjusted p."""
    rows: list[list[Cell]] = []
    for found in study.records("modules"):
        slots, layers = found.texts("slots"), found.texts("layers")
        name = found.text("name", "unnamed")
        if found.text("status", "ok") != "ok":
            rows.append([Cell(name), words(""), words(""),
                         Cell(found.text("status").replace("_", " "), "missing"),
                         words(found.text("reason"))])  # fmt: skip
        estimate, p = (grid_of(found, key, len(slots), len(layers)) for key in ("estimate", "p_adjusted"))
        for column, slot in enumerate(slots):
            for row, layer in enumerate(layers):
                rows.append([Cell(name), Cell(slot), Cell(layer), raw(estimate[column][row], sign=True),
                             p_cell(Record({"p": p[column][row]}))])  # fmt: skip
    return Table(["contrast", "slot", ">layer", ">difference of k", ">p adjusted"], rows).cut()


def _less(first: Grid, second: Grid) -> Grid:
    return [
        [None if a is None or b is None else a - b for a, b in zip(left, right, strict=True)]
        for left, right in zip(first, second, strict=True)
    ]


def _twin(heat: Record, grids: Mapping[str, Grid], slots: Sequence[str], layers: Sequence[str],
          pair: Sequence[str]) -> Table:  # fmt: skip
    rows: list[list[Cell]] = []
    reason = Quantity(None, heat.reason("arms"))
    for column, slot in enumerate(slots):
        for row, layer in enumerate(layers):
            numbers = {name: grid[column][row] for name, grid in grids.items()}
            cells = [value(reason) if number is None else raw(number) for number in numbers.values()]
            if len(pair) == 2:
                first, second = numbers[pair[0]], numbers[pair[1]]
                gap = None if first is None or second is None else first - second
                cells.append(value(reason) if gap is None else raw(gap, sign=True))
            rows.append([Cell(slot), Cell(layer), *cells])
    extra = [f">{pair[0]} − {pair[1]}"] if len(pair) == 2 else []
    return Table(["slot", ">layer", *(f">{name}" for name in grids), *extra], rows).cut()
