# pyright: reportUnknownMemberType=false
"""The test of a label: corpora in strata of like corpora, how alike they are, and who found no match.

Here live: the two panels and the tables of the label.
Not here: matching and testing, which the result carries.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from shadowgraph.report import draw
from shadowgraph.report.numerals import fixed, probability, sensible, trimmed, with_interval
from shadowgraph.report.palette import arm_style, light
from shadowgraph.report.plates import Plate, label
from shadowgraph.report.record import Quantity, Record
from shadowgraph.report.svg import inline
from shadowgraph.report.tables import Cell, Table, arm_cell, effect_cell, p_cell, raw, value, words
from shadowgraph.study.names import quantity_name

LEFT = 132


def label_plate(study: Record) -> Plate:
    """K by stratum, and the balance before and after matching."""
    found = study.record("label")
    panels: list[Markup] = []
    if _corpora(found):
        panels.append(_strata(found))
    if found.records("balance"):
        panels.append(_balance(found))
    sides = found.text("positive") or "positive", found.text("negative") or "negative"
    caption = (
        f"First panel: a row for every corpus of {label(sides[0], 40)} (filled), its matches among "
        f"{label(sides[1], 40)} (open); the bar is the mean of the matches, the number the difference. Matched means "
        "within the calipers in every quantity of the balance sheet; corpora without a match take no part in the test "
        "and stand below. Second panel: how far the two groups lie apart before and after matching, in units of the "
        "caliper. The unit is the corpus."
    )
    shown = [("the test", _test(found)), ("strata", _stratum_table(found))]
    if _unmatched(found):
        shown.append(("without a match", _unmatched_table(found)))
    return Plate("label", f"The label: {sides[0]} against {sides[1]}", caption, panels, _twin(found), legend=False,
                 absent="The result holds no strata.", shown=shown)  # fmt: skip


def _corpora(found: Record) -> list[tuple[str, Record]]:
    """(side, corpus) of all, matched ones first."""
    rows: list[tuple[str, Record]] = []
    for stratum in found.records("strata"):
        rows.append(("positive", stratum.record("positive")))
        rows += [("negative", item) for item in stratum.records("negatives")]
    return rows + _unmatched(found)


def _unmatched(found: Record) -> list[tuple[str, Record]]:
    rest = found.record("unmatched")
    return [(side, item) for side in ("positive", "negative") for item in rest.records(side)]


def _strata(found: Record) -> Markup:
    strata, alone = found.records("strata"), [item for side, item in _unmatched(found) if side == "positive"]
    names = [stratum.record("positive").text("arm") for stratum in strata] + [item.text("arm") for item in alone]
    values = [number for _, item in _corpora(found) if (number := item.number("K").value) is not None]
    with draw.drawing():
        figure = draw.canvas(420, 96 + 24 * len(names))
        axes = draw.plot_area(figure, LEFT, 50, 56, 28)
        draw.rule(axes, "x")
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_yticks([])
        axes.set_xlim(*draw.span(values, 0.06))
        draw.few_ticks(axes, "x", 4)
        for row, stratum in enumerate(strata):
            _row(axes, row, stratum.record("positive"), stratum.records("negatives"))
            gap = stratum.number("difference").value
            text = fixed(gap, 2, sign=True) if gap is not None else "—"
            axes.annotate(text, (1, row), (10, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                          fontsize=draw.SMALL, color=light("ink"), va="center", annotation_clip=False)  # fmt: skip
        for row, item in enumerate(alone, start=len(strata)):
            _row(axes, row, item, [])
            axes.annotate("no match", (1, row), (4, 0), xycoords=("axes fraction", "data"), annotation_clip=False,
                          textcoords="offset points", fontsize=10, color=light("muted"), va="center")  # fmt: skip
        for row, name in enumerate(names):
            draw.side_note(axes, label(name, 19), row, role="ink" if row < len(strata) else "muted")
        draw.head(axes, "K by stratum, nats", offset=29, left=LEFT - 10)
        draw.note_under(axes, _told(found), left=LEFT - 10)
        told = "; ".join(
            f"{label(stratum.record('positive').text('arm'), 40)} "
            f"{sensible(stratum.number('difference').value or 0.0, sign=True)}"
            for stratum in strata
        )
        return inline(figure, "label-strata", "K of every corpus by stratum", f"Differences: {told or 'none'}.")


def _row(axes: draw.Axes, row: int, positive: Record, negatives: Sequence[Record]) -> None:
    """One stratum: a filled mark, open marks and the bar of their mean."""
    others = [number for item in negatives if (number := item.number("K").value) is not None]
    second = arm_style(1)
    if others:
        axes.plot(others, [row] * len(others), linestyle="none", marker=second.marker, markersize=6,
                  color=light("paper"), markeredgecolor=second.colour, markeredgewidth=1.4, clip_on=False)  # fmt: skip
        mean = sum(others) / len(others)
        axes.plot([mean, mean], [row - 0.32, row + 0.32], color=second.colour, linewidth=2.2)
    own = positive.number("K").value
    if own is not None:
        draw.dots(axes, [own], [row], arm_style(0), size=8, alpha=1.0)


def _told(found: Record) -> str:
    estimate = found.number("estimate")
    if estimate.value is None:
        return label(f"{estimate.status or 'no number'}: {found.text('reason')}".removesuffix(": "), 70)
    strata, _, matches = found.sizes().partition(" + ")
    counted = f", {strata} strata, {matches} matches" if matches else ""
    return f"{with_interval(estimate, found.interval())}, p {probability(found.number('p'))}{counted}"


def _scaled(row: Record, key: str) -> float | None:
    """A difference in units of its caliper."""
    number, limit = row.number(key).value, row.number("limit").value
    return None if number is None or not limit else number / limit


def _balance(found: Record) -> Markup:
    rows = found.records("balance")
    known = [item for row in rows for key in ("before", "after") if (item := _scaled(row, key)) is not None]
    with draw.drawing():
        figure = draw.canvas(420, 96 + 28 * len(rows))
        axes = draw.plot_area(figure, LEFT + 20, 50, 14, 28)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks([])
        axes.set_xlim(*draw.span([*known, -1.2, 1.2], 0.05))
        draw.few_ticks(axes, "x", 5)
        axes.axvspan(-1, 1, color=light("band"), linewidth=0, zorder=0)
        draw.zero_line(axes)
        for place, row in enumerate(rows):
            before, after = _scaled(row, "before"), _scaled(row, "after")
            if before is not None and after is not None:
                axes.plot([before, after], [place, place], color=light("axis"), linewidth=1.2)
            if before is not None:
                axes.plot([before], [place], marker="o", markersize=7, color=light("paper"), clip_on=False,
                          markeredgecolor=light("ink"), markeredgewidth=1.4)  # fmt: skip
            if after is not None:
                axes.plot([after], [place], marker="o", markersize=8, color=light("ink"), clip_on=False,
                          markeredgecolor=light("paper"), markeredgewidth=0.8)  # fmt: skip
            draw.side_note(axes, label(quantity_name(row.text("key")), 22), place)
        draw.head(axes, "difference of the groups, in calipers", offset=29, left=LEFT + 10)
        draw.note_under(axes, "open: before matching; filled: inside strata", left=LEFT + 10)
        told = "; ".join(f"{quantity_name(row.text('key'))} {_short(_scaled(row, 'before'))} to "
                         f"{_short(_scaled(row, 'after'))}" for row in rows)  # fmt: skip
        return inline(figure, "label-balance", "Balance of the two groups before and after matching", f"{told}.")


def _short(number: float | None) -> str:
    return "missing" if number is None else fixed(number, 2, sign=True)


def _test(found: Record) -> Table:
    """The label's own test and the regression reading over all corpora."""
    rows: list[list[Cell]] = []
    for name, item in (("inside strata", found), ("regression over all corpora", found.record("residual"))):
        if not item.data:
            continue
        rows.append([words(name), effect_cell(item), p_cell(item),
                     p_cell(item, "smallest_p"), words(item.sizes()),
                     words(item.text("reason") or item.text("method"))])  # fmt: skip
    return Table(["reading", ">difference of K [interval]", ">p", ">smallest p possible", ">n", "method"], rows)


def _stratum_table(found: Record) -> Table:
    rows: list[list[Cell]] = []
    for stratum in found.records("strata"):
        own, gap = stratum.record("positive"), stratum.number("difference")
        matches = [f"{item.text('arm')} {_k(item.number('K'))}" for item in stratum.records("negatives")]
        rows.append([arm_cell(own.text("arm")), value(own.number("K")), words(", ".join(matches)),
                     value(gap, sensible(gap.value, sign=True) if gap.value is not None else None)])  # fmt: skip
    return Table(["corpus", ">K", "matches with their K", ">difference"], rows)


def _k(quantity: Quantity) -> str:
    return f"({sensible(quantity.value)})" if quantity.value is not None else f"({quantity.status or 'no number'})"


def _unmatched_table(found: Record) -> Table:
    rows = [
        [arm_cell(item.text("arm")), words(found.text(side)), value(item.number("K")), words(item.text("nearest")),
         words(", ".join(quantity_name(key) for key in item.texts("misses")))]
        for side, item in _unmatched(found)
    ]  # fmt: skip
    return Table(["corpus", "group", ">K", "nearest", "beyond the caliper against it"], rows)


def _twin(found: Record) -> Table:
    """Every corpus with its group, stratum, K and covariates."""
    corpora = _corpora(found)
    keys = list(dict.fromkeys(key for _, item in corpora for key in item.record("covariates").data))
    place = {
        item.text("arm"): str(row + 1)
        for row, stratum in enumerate(found.records("strata"))
        for item in (stratum.record("positive"), *stratum.records("negatives"))
    }
    rows = [
        [arm_cell(item.text("arm")), words(found.text(side)), words(place.get(item.text("arm"), "none")),
         value(item.number("K")), *(value(item.record("covariates").number(key)) for key in keys)]
        for side, item in corpora
    ]  # fmt: skip
    limits = found.record("calipers")
    rows.append([Cell("caliper"), *(Cell("—") for _ in range(3)), *(_limit(limits, key, found) for key in keys)])
    return Table(["corpus", "group", ">stratum", ">K", *(f">{quantity_name(key)}" for key in keys)], rows)


def _limit(limits: Record, key: str, found: Record) -> Cell:
    limit = limits.number(key).value
    if limit is None:
        return raw(None)
    return Cell(f"± {trimmed(100 * limit)} %" if key in found.texts("relative") else f"± {trimmed(limit)}")
