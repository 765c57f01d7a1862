# pyright: reportUnknownMemberType=false
"""The heat map: layers down, slots across, one shared scale, grey where nothing was analysed.

Here live: maps of differences, small maps of arms, and their scales.
Not here: which maps a page shows and their twins (maps.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.numerals import fixed, sensible
from shadowgraph.report.palette import DIVERGING, SEQUENTIAL, light
from shadowgraph.report.plates import label
from shadowgraph.report.record import Record
from shadowgraph.report.svg import inline

Grid = list[list[float | None]]  # one row a slot, one column a layer, as in the result
BANDS = 32
TINY = 9.5


def grid_of(arms: Record, name: str, slots: int, layers: int) -> Grid:
    """The numbers of one arm, cut or padded with gaps to slots × layers.

    Args:
        arms: arm → list of slots, each a list of numbers by layer.
        name: the arm; an absent one gives gaps alone.
        slots: how many slots the grid has.
        layers: how many layers.

    Returns:
        `slots` rows of `layers` entries; None where the number is missing or not finite.

    Raises:
        DataError: when the arm or one of its slots is no list.
    """
    columns = arms.items(name)
    grid: Grid = []
    for slot in range(slots):
        row = Record({"row": columns[slot] if slot < len(columns) else None}).numbers("row")[:layers]
        grid.append([*row, *[None] * (layers - len(row))])
    return grid


def bands(layers: Sequence[str]) -> tuple[list[str], bool]:
    """Row labels: the layers, or bands of neighbours when there are more than 32."""
    if len(layers) <= BANDS:
        return list(layers), False
    cuts = _cuts(len(layers))
    return [layers[a] if b - a == 1 else f"{layers[a]}–{layers[b - 1]}" for a, b in pairwise(cuts)], True


def _cuts(size: int) -> list[int]:
    return [size * step // BANDS for step in range(BANDS + 1)]


def mean_of(values: Sequence[float | None]) -> float | None:
    """Mean of the numbers there are."""
    known = [item for item in values if item is not None]
    return sum(known) / len(known) if known else None


def band(grid: Grid) -> Grid:
    """A grid with neighbouring layers averaged, when there are more than 32."""
    if not grid or len(grid[0]) <= BANDS:
        return grid
    return [[mean_of(row[a:b]) for a, b in pairwise(_cuts(len(row)))] for row in grid]


def step_of(number: float, low: float, high: float, steps: int) -> int:
    """The bin 0 … steps − 1 of a number between two limits, clamped.

    Args:
        number: a finite number.
        low: lower edge of the first bin.
        high: upper edge of the last bin.
        steps: number of bins, all equally wide.

    Returns:
        The bin; the middle one, steps // 2, when the limits leave no room.
    """
    if high <= low:
        return steps // 2
    return min(steps - 1, max(0, int((number - low) / (high - low) * steps)))


def difference_map(slots: Sequence[str], rows: Sequence[str], grid: Grid, key: str, title: str, *,
                   ends: tuple[str, str], marked: Collection[tuple[int, int]] = (),
                   name: str = "") -> Markup:  # fmt: skip
    """A large map of differences of k with the mean of every slot under it.

    Args:
        slots: names of the columns.
        rows: names of the rows, layers or bands.
        grid: one list a slot, one number a row; None where there is none.
        key: prefix of ids, unique on the page.
        title: accessible name.
        ends: what the cool and the warm end of the scale mean.
        marked: (slot, row) of the cells that get a dot.
        name: stands over the map.

    Returns:
        SVG of the map with its scale.
    """
    known = [abs(item) for column in grid for item in column if item is not None]
    limit = draw.nice_limit(max(known, default=0.0) or 0.1)
    tall = max(9.0, min(34.0, 560 / max(1, len(rows))))
    top = 40.0 + (22 if name else 0)
    width, height = 460.0, top + tall * (len(rows) + 1.35) + 66
    with draw.drawing():
        figure = draw.canvas(width, height)
        axes = _page(figure, width, height)
        left, wide = 46.0, (width - 54) / len(slots)
        if name:
            draw.note(axes, label(name, 52), 6, 10, size=draw.SIZE, bold=True)
        means = [mean_of(column) for column in grid]
        for column, slot in enumerate(slots):
            draw.note(axes, label(slot, 9), left + (column + 0.5) * wide, top - 11, role="muted", ha="center")
            for row, number in enumerate([*grid[column], means[column]]):
                y = top + tall * (row + (0.35 if row == len(rows) else 0))
                _cell(axes, (left + column * wide, y, wide, tall), number, (-limit, limit), "d")
                if (column, row) in marked:
                    axes.plot([left + (column + 1) * wide - 7], [y + 7], marker="o", markersize=4.5, color=light("ink"),
                              markeredgecolor=light("paper"), markeredgewidth=0.8)  # fmt: skip
        for row, depth in enumerate(rows):
            if tall >= 11 or row % 3 == 0:
                draw.note(axes, label(depth, 7), left - 8, top + tall * (row + 0.5), role="muted", ha="right")
        draw.note(axes, "mean", left - 8, top + tall * (len(rows) + 0.85), role="muted", ha="right")
        draw.note(axes, "layer", left - 8, top - 11, role="muted", ha="right")
        _scale(axes, (left, height - 40, width - 54), (-limit, limit), "d", ends)
        told = [f"{label(slot, 9)} {fixed(mean, 2, sign=True)}" for slot, mean in zip(slots, means, strict=True)
                if mean is not None]  # fmt: skip
        return inline(figure, key, title, f"Mean over layers: {', '.join(told)}.")


def small_maps(grids: Mapping[str, Grid], slots: Sequence[str], rows: Sequence[str], *,
               labelled: bool = False) -> list[Markup]:  # fmt: skip
    """One small map an arm, all on the scale of all; then that scale.

    Args:
        grids: arm → k by slot and row; the scale spans the numbers of all arms, or 0 … 1 without any.
        slots: names of the slots, one a column of the map.
        rows: names of the layers or bands, one a row of the map.
        labelled: whether the maps show the names of the rows.

    Returns:
        SVG of each arm in the order of `grids`, and of the scale.
    """
    known = [item for grid in grids.values() for column in grid for item in column if item is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    low, high = round(low - 0.005, 2), round(high + 0.005, 2)
    shown = rows if labelled else [""] * len(rows)
    maps = [_small(f"heat-{position}", name, grid, slots, shown, limits=(low, high))
            for position, (name, grid) in enumerate(grids.items())]  # fmt: skip
    return [*maps, _legend((low, high))]


def _legend(limits: tuple[float, float]) -> Markup:
    """The one scale of all small maps."""
    with draw.drawing():
        figure = draw.canvas(476, 32)
        axes = _page(figure, 476, 32)
        _scale(axes, (6, 3, 464), limits, "q", ("k, closer to noise", "more concentrated"))
        return inline(figure, "heat-scale", "Scale of k for the maps of arms",
                      f"From {fixed(limits[0], 2)} to {fixed(limits[1], 2)}.")  # fmt: skip


def _small(key: str, name: str, grid: Grid, slots: Sequence[str], rows: Sequence[str], *,
           limits: tuple[float, float]) -> Markup:  # fmt: skip
    tall = max(4.5, min(20.0, 300 / max(1, len(rows))))
    width, height = 230.0, 44 + tall * len(rows) + 6
    with draw.drawing():
        figure = draw.canvas(width, height)
        axes = _page(figure, width, height)
        left = 6.0 if not any(rows) else 34.0
        top, wide = 44.0, (width - 6 - left) / len(slots)
        mean = mean_of([mean_of(column) for column in grid])
        draw.note(axes, label(name, 22), 6, 10, size=draw.SIZE, bold=True)
        if mean is not None:
            draw.note(axes, f"mean {fixed(mean, 2)}", width - 6, 10, role="muted", ha="right")
        for column, slot in enumerate(slots):
            draw.note(
                axes, label(slot, 5), left + (column + 0.5) * wide, top - 10, role="muted", ha="center", size=TINY
            )
            for row, number in enumerate(grid[column]):
                box = (left + column * wide, top + tall * row, wide, tall)
                _cell(axes, box, number, limits, "q", digits=tall >= 14)
        for row, name_of_row in enumerate(rows):
            if name_of_row and (tall >= 9 or row % 3 == 0):
                y = top + tall * (row + 0.5)
                draw.note(axes, label(name_of_row, 7), left - 5, y, role="muted", ha="right", size=TINY)
        return inline(figure, key, f"k of {label(name)} by layer and slot",
                      "Mean k; the further a cell stands out from the page, the more concentrated it is.")  # fmt: skip


def _page(figure: draw.Figure, width: float, height: float) -> draw.Axes:
    """Axes in pixels, the origin at the top left, without any furniture."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    return axes


def _cell(axes: draw.Axes, box: tuple[float, float, float, float], number: float | None,
          limits: tuple[float, float], ramp: str, *, digits: bool = True) -> None:  # fmt: skip
    from matplotlib.patches import Rectangle

    x, y, wide, tall = box
    steps = DIVERGING if ramp == "d" else SEQUENTIAL
    step = None if number is None else step_of(number, *limits, steps)
    role = "gap" if step is None else f"{ramp}{step}"
    axes.add_patch(Rectangle((x + 0.75, y + 0.75), wide - 1.5, tall - 1.5, facecolor=light(role), linewidth=0,
                             clip_on=False))  # fmt: skip
    if number is None or step is None:
        axes.plot([x + wide * 0.4, x + wide * 0.6], [y + tall / 2] * 2, color=light("muted"), linewidth=1.2)
    elif digits and tall >= 13:
        strong = abs(step - steps // 2) >= 4 if ramp == "d" else step >= 5
        size = draw.SMALL if ramp == "d" else 8.5
        draw.note(axes, fixed(number, 2, sign=ramp == "d"), x + wide / 2, y + tall / 2, role="on" if strong else "ink",
                  ha="center", size=size)  # fmt: skip


def _scale(axes: draw.Axes, box: tuple[float, float, float], limits: tuple[float, float], ramp: str,
           ends: tuple[str, str]) -> None:  # fmt: skip
    """The colour scale with its limits, and in words what its ends mean."""
    from matplotlib.patches import Rectangle

    x, y, wide = box
    steps = DIVERGING if ramp == "d" else SEQUENTIAL
    for step in range(steps):
        axes.add_patch(Rectangle((x + wide * step / steps, y), wide / steps + 0.2, 7, facecolor=light(f"{ramp}{step}"),
                                 linewidth=0, clip_on=False))  # fmt: skip
    sign = ramp == "d"
    texts = [sensible(bound, sign=sign) if sign else fixed(bound, 2) for bound in limits]
    draw.note(axes, f"{texts[0]}  {ends[0]}".strip(), x, y + 19, role="muted")
    draw.note(axes, f"{ends[1]}  {texts[1]}".strip(), x + wide, y + 19, role="muted", ha="right")
    if sign:
        draw.note(axes, "0", x + wide / 2, y + 19, role="muted", ha="center")
