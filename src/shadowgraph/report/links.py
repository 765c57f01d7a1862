# pyright: reportUnknownMemberType=false
"""Figures that set spectra against behaviour: own gain against outside gain, and K against asymmetry.

Here live: these figures and their twins. Not here: scores of benchmarks (effects.py) and the tests, which the result
carries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.numerals import probability, sensible
from shadowgraph.report.palette import ArmStyle, light
from shadowgraph.report.plates import Plate
from shadowgraph.report.record import Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import Cell, Table, arm_cell, p_cell, raw, value, words
from shadowgraph.study.names import endpoint_name

Mark = tuple[str, float, float]  # arm, horizontal, vertical
ALPHA = 0.05  # level where a result states none


def own_gains(study: Record) -> list[Mark]:
    """Of a study over sources: arm, drop of loss on its own held-out documents, mean drop on the outside sources."""
    return _marks(study.records("asymmetry"), "own_gain", "outside_gain")


def own_plate(study: Record, styles: Mapping[str, ArmStyle]) -> Plate:
    """Own gain against outside gain in nats a token, one mark an arm."""
    marks = own_gains(study)
    sources = list(dict.fromkeys(name for row in study.records("asymmetry") for name in row.texts("outside")))
    with draw.drawing():
        figure, axes = cloud(marks, styles)
        low = max(axes.get_xlim()[0], axes.get_ylim()[0])
        high = min(axes.get_xlim()[1], axes.get_ylim()[1])
        if high > low:
            axes.plot([low, high], [low, high], color=light("null"), linewidth=1.4, dashes=(3, 2.4))
        draw.zero_line(axes, vertical=False)
        draw.head(axes, "drop of loss outside, nats a token")
        draw.foot(axes, "drop of loss on the arm's own held-out documents, nats a token")
        panel = inline(figure, "scatter-own", "Gain on own documents against gain outside", f"{len(marks)} arms.")
    rows = [[arm_cell(arm), raw(own, sign=True), raw(outside, sign=True)] for arm, own, outside in marks]
    caption = (
        "Mean over draws, one mark an arm; up and right are better. On the dashed line an arm gained as much outside "
        f"as on its own kind of document. Outside are the same sources for all arms: {', '.join(sources) or 'unnamed'}."
    )
    return Plate("scatter", "Inside and outside", caption, [panel],
                 Table(["arm", ">own gain, nats", ">outside gain, nats"], rows).cut())  # fmt: skip


def cloud(marks: Sequence[Mark], styles: Mapping[str, ArmStyle], *, size: float = 8) -> tuple[draw.Figure, draw.Axes]:
    """Axes that hold one mark an entry in the style of its arm; call it inside `draw.drawing()`."""
    figure = draw.canvas(420, 340)
    axes = draw.plot_area(figure, 48, 52, 16, 48)
    axes.grid(visible=True, color=light("grid"), linewidth=0.8)
    for name in dict.fromkeys(arm for arm, _, _ in marks):
        style = styles.get(name)
        if style is not None:
            own = [(x, y) for arm, x, y in marks if arm == name]
            draw.dots(axes, [x for x, _ in own], [y for _, y in own], style, size=size, alpha=0.9)
    axes.set_xlim(*draw.span([x for _, x, _ in marks], 0.08))
    axes.set_ylim(*draw.span([y for _, _, y in marks], 0.08))
    for axis in ("x", "y"):
        draw.few_ticks(axes, axis, 6)
    return figure, axes


def link_plate(study: Record, styles: Mapping[str, ArmStyle]) -> Plate:
    """K of a run against its asymmetry: inside arms first, then pooled."""
    links = study.records("link")
    panels: list[Markup] = []
    for link in links[:1]:
        points = _points(link)
        if points:
            panels = [_link(link, points, styles, within=True), _link(link, points, styles, within=False)]
    caption = (
        "Every mark is a run. First panel: both axes less the mean of the run's arm, so that only draws of one regime "
        "are compared; second: pooled over arms, where any difference between regimes makes a correlation. A link that "
        "stands only in the second speaks of the regimes, not of the spectrum."
    )
    alpha = study.record("design").number("alpha").value or ALPHA
    if any(_verdict(link, alpha).text == "differ" for link in links[:1]):
        caption += " Here the signs of the two differ: pooling would mislead."
    rows = [[arm_cell(arm), raw(x), raw(y)] for link in links[:1] for arm, x, y in _points(link)]
    shown = [("rank correlations", _rhos(links, alpha))]
    return Plate("link", "Spectra and asymmetry", caption, panels, Table(["arm", ">K", ">asymmetry"], rows).cut(),
                 absent="The result holds no link of spectra and asymmetry.", shown=shown)  # fmt: skip


def _points(link: Record) -> list[Mark]:
    return _marks(link.records("points"), "x", "y")


def _marks(rows: Sequence[Record], across: str, up: str) -> list[Mark]:
    """Arm and two numbers of every row that has both."""
    both = [(row.text("arm"), row.number(across).value, row.number(up).value) for row in rows]
    return [(arm, x, y) for arm, x, y in both if x is not None and y is not None]


def _link(link: Record, points: Sequence[Mark], styles: Mapping[str, ArmStyle], *, within: bool) -> Markup:
    if within:
        sums: dict[str, list[tuple[float, float]]] = {}
        for arm, x, y in points:
            sums.setdefault(arm, []).append((x, y))
        means = {arm: tuple(sum(side) / len(row) for side in zip(*row, strict=True)) for arm, row in sums.items()}
        points = [(arm, x - means[arm][0], y - means[arm][1]) for arm, x, y in points if len(sums[arm]) > 1]
    part = link.record("within" if within else "pooled")
    rho = part.number("rho")
    told = f"ρ {sensible(rho.value, 2, sign=True)}, p {probability(part.number('p'))}" if rho.value is not None else (
        f"ρ {rho.status or 'missing'}")  # fmt: skip
    where = "inside arms" if within else "pooled over arms"
    with draw.drawing():
        figure, axes = cloud(points, styles, size=6.5)
        if within:
            draw.zero_line(axes)
            draw.zero_line(axes, vertical=False)
        less = ", less the arm's mean" if within else ""
        draw.head(axes, f"asymmetry{less}", offset=29)
        draw.note_under(axes, f"{where}: {told}")
        draw.foot(axes, f"{endpoint_name(link.text('x'))}, nats{less}")
        return inline(figure, f"link-{'within' if within else 'pooled'}", f"K against asymmetry, {where}",
                      f"{len(points)} runs; {told}.")  # fmt: skip


def _verdict(link: Record, alpha: float) -> Cell:
    """Whether the correlation inside arms and the pooled one agree in sign, where both are told apart from 0."""
    shows = {name: (p := link.record(name).number("p").value) is not None and p <= alpha
             for name in ("within", "pooled")}  # fmt: skip
    if not all(shows.values()):
        one = "only inside arms shows" if shows["within"] else "only pooled shows"
        return Cell(one if any(shows.values()) else "neither shows", "open")
    return Cell("differ", "bad") if link.flag("signs_differ") else Cell("agree", "good")


def _rhos(links: Sequence[Record], alpha: float) -> Table:
    rows: list[list[Cell]] = []
    for link in links:
        within, pooled = link.record("within"), link.record("pooled")
        rows.append([
            words(endpoint_name(link.text("x"))),
            value(within.number("rho")), p_cell(within),
            words(within.text("strata")),
            value(pooled.number("rho")), p_cell(pooled),
            _verdict(link, alpha),
        ])  # fmt: skip
    return Table(["asymmetry with", ">ρ inside arms", ">p", ">arms", ">ρ pooled", ">p pooled", "signs"], rows)
