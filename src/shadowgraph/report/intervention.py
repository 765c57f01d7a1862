"""Edited updates against interpolation, and training under other regimens: differences at equal benchmark loss.

Here live: the figure of differences, its tables, and the terminal's lines. Not here: curves (frontier.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from shadowgraph.report.forest import Row, forest, limits_of, row_of
from shadowgraph.report.frontier import NAMES
from shadowgraph.report.numerals import percent, sensible
from shadowgraph.report.plates import Plate, label
from shadowgraph.report.record import Record
from shadowgraph.report.tables import Cell, Table, effect_cell, p_cell, raw, value, words
from shadowgraph.report.tests_text import number_of

METHODS = (
    "Intervals take the bases as they are, one part of the draws each. Whether a difference lies within the margin is "
    "tested over all draws, bases left to differ (two one-sided t tests): a mean may have an interval inside the "
    "margin and not be shown to lie within it."
)


def difference_plate(study: Record) -> Plate:
    """One panel a block, one row an edit; of training one panel an arm and endpoint, one row a regimen."""
    found = study.record("intervention")
    groups = [(_title(block), _note(block), _edit_rows(block), "outside") for block in found.records("blocks")]
    for arm in dict.fromkeys(row.text("arm") for row in found.records("training")):
        own = [row for row in found.records("training") if row.text("arm") == arm]
        for key, name in (("outside", "outside loss"), ("K", "K")):
            rows = [row_of(row.record(key), _pair(row)) for row in own]
            groups.append((f"{arm}: {name} of training otherwise", "at equal benchmark loss", rows, key))
    limits = {key: limits_of([row for _, _, rows, kind in groups if kind == key for row in rows])
              for key in ("outside", "K")}  # fmt: skip
    panels: list[Markup] = [
        forest(rows, f"edit-{place}", label(title, 56), note=note, limits=limits[kind])
        for place, (title, note, rows, kind) in enumerate(groups)
    ]
    caption = (
        "Outside loss of an edit minus that of interpolation, nats a token, mean over the benchmark losses that both "
        "reach, over draws with intervals. Right of the line the edit does more harm. Edits that cost too little of "
        "the benchmark have no number. Editing what training made shows what its parts carry, not how they came about."
    )
    if found.records("training"):
        caption += (
            " Of training otherwise: the same of a run trained under a named regimen minus one trained as named after "
            "it, in outside loss and in K; right of the line the former has the more."
        )
    shown = [("differences at equal benchmark loss", _differences(found.records("blocks")))]
    shown += [("training otherwise", _training(found))] if found.records("training") else []
    return Plate("interventions", "What edits cost outside", caption, panels, _by_base(found), "stack", legend=False,
                 absent="The result holds no edited update.", shown=shown)  # fmt: skip


def _title(block: Record) -> str:
    return f"{block.text('arm')}, {block.text('block')}"


def _note(block: Record) -> str:
    return f"{block.text('draws')} draws of {block.text('bases')} bases, against interpolation"


def _edit_rows(block: Record) -> list[Row]:
    """The edits of a block, the removal of leading components first and marked."""
    return [row_of(row, NAMES.get(row.text("name"), row.text("name")), main=row.text("name") == "top")
            for row in block.records("edits")]  # fmt: skip


def _pair(row: Record) -> str:
    return f"{row.text('regimen')} − {row.text('against')}"


def _differences(blocks: Sequence[Record]) -> Table:
    """Every difference with its test, how much of the gain the curves share, and single levels."""
    rows: list[list[Cell]] = []
    for block in blocks:
        for row in [*block.records("edits"), *block.records("controls")]:
            at = {level.text("kept"): level for level in row.records("levels")}
            rows.append([
                words(_title(block)),
                words(_edit_pair(row)),
                effect_cell(row), p_cell(row), p_cell(row, "p_adjusted"), words(_of(row, block.text("draws"))),
                words(_within(row)),
                value(row.number("share"), percent(row.number("share").value or 0.0)),
                *(_level(at.get(kept), row.sizes()) for kept in ("0.75", "0.5", "0.25")),
                words(row.text("reason")),
            ])  # fmt: skip
    columns = ["arm, block", "edit", ">difference [interval]", ">p", ">p, Holm", ">draws", "within the margin",
               ">gain shared", ">at 75 % of the gain", ">at 50 %", ">at 25 %", "why there is no number"]  # fmt: skip
    return Table(columns, rows, METHODS).cut()


def _within(row: Record) -> str:
    """What the test of equivalence says, "" where there is no margin."""
    margin, met = row.number("margin").value, row.flag("equivalent")
    return "" if margin is None or met is None else f"{'yes' if met else 'not shown'}, ±{margin:g}"


def _level(level: Record | None, draws: str) -> Cell:
    """A difference at one level, with its draws where they are not those of the row."""
    if level is None:
        return words("")
    found = raw(level.number("estimate").value, sign=True)
    return found if level.sizes() == draws else Cell(f"{found.text} ({level.sizes()} draws)")


def _of(row: Record, draws: str) -> str:
    """How many draws have a number, and of how many where some have none."""
    return row.sizes() if row.sizes() == draws else f"{row.sizes()} of {draws}"


def _edit_pair(row: Record) -> str:
    """Two edits under the names that their curves have."""
    first, second = (NAMES.get(row.text(key), row.text(key)) for key in ("name", "against"))
    return f"{first} − {second}"


def _by_base(found: Record) -> Table:
    """Every difference in every base by itself."""
    rows: list[list[Cell]] = []
    for block in found.records("blocks"):
        for row in [*block.records("edits"), *block.records("controls")]:
            for base in row.records("bases"):
                held = ", held out" if base.flag("held_out") else ""
                rows.append([words(_title(block)), words(_edit_pair(row)), words(f"{base.text('base')}{held}"),
                             effect_cell(base), words(base.sizes())])  # fmt: skip
    return Table(["arm, block", "edit", "base", ">difference [interval]", ">draws"], rows).cut()


def _training(found: Record) -> Table:
    """Regimens against plain training and against each other."""
    rows = [
        [words(row.text("arm")), words(_pair(row)), words(row.text("role")),
         effect_cell(row.record("outside")), p_cell(row.record("outside")), p_cell(row.record("outside"), "p_adjusted"),
         effect_cell(row.record("K")), p_cell(row.record("K")),
         value(row.record("outside").number("share"), sensible(row.record("outside").number("share").value or 0.0, 2)),
         words(row.record("outside").sizes()),
         words(row.record("outside").text("reason"))]
        for row in found.records("training")
    ]  # fmt: skip
    columns = ["arm", "regimens", "role", ">outside loss [interval]", ">p", ">p, Holm", ">K [interval]", ">p of K",
               ">share of the gain", ">draws", "why there is no number"]  # fmt: skip
    return Table(columns, rows)


def edit_block(study: Record) -> list[str]:
    """The terminal's lines on edited updates and on training otherwise; nothing of a study without them."""
    found = study.record("intervention")
    lines: list[str] = []
    for block in found.records("blocks"):
        for row in block.records("edits"):
            shared = row.number("share").value
            told = (
                f", {sensible(shared, 2)} of the gain shared" if shared is not None and not row.text("reason") else ""
            )
            name = NAMES.get(row.text("name"), row.text("name"))
            lines.append(f"  - {_title(block)}: {name}: {number_of(row)}{told}")
    for row in found.records("training"):
        for key in ("outside", "K"):
            lines.append(f"  - {row.text('arm')}: {_pair(row)}, {key}: {number_of(row.record(key))}")
    head = "Edited updates against interpolation, outside loss in nats a token at equal benchmark loss:"
    return [head, *lines] if lines else []
