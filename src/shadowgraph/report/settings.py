"""Settings: every contrast inside each model, optimiser or method that it was asked of.

Here live: the figure of settings and its tables.
Not here: the tests over all settings (contrasts.py), how a forest is drawn (forest.py).
"""

from __future__ import annotations

from markupsafe import Markup

from shadowgraph.report.forest import Row, forest, limits_of, row_of
from shadowgraph.report.numerals import shown
from shadowgraph.report.plates import Plate, label
from shadowgraph.report.record import Record
from shadowgraph.report.tables import Cell, Table, effect_cell, endpoint_name, p_cell, raw, value, words

UNMATCHED = "unmatched"


def setting_plate(study: Record) -> Plate:
    """One panel a contrast, one row a setting, the estimate over all settings first; all on one scale."""
    found = study.record("settings")
    groups: list[tuple[Record, list[Row]]] = []
    for summary in found.records("summary"):
        name = summary.text("name")
        whole = next((row for row in study.records("primaries") if row.text("name") == name), None) or next(
            (row for row in study.records("contrasts") if row.text("name") == name and row.text("role") == "secondary"),
            None,
        )
        rows = [] if whole is None else [row_of(whole, "all together", main=True)]
        sign = None if whole is None else whole.number("estimate").value
        for row in _rows(found, name, "K"):
            estimate = row.number("estimate").value
            other = None not in (sign, estimate) and (sign or 0.0) * (estimate or 0.0) < 0
            held = ", held out" if row.flag("held_out") else ""
            rows.append(row_of(row, f"{row.text('setting')}{held}", against=other))
        groups.append((summary, rows))
    limits = limits_of([row for _, rows in groups for row in rows])
    panels: list[Markup] = [
        forest(rows, f"setting-{place}", label(summary.text("name", "unnamed"), 52), note=_note(summary), limits=limits)
        for place, (summary, rows) in enumerate(groups)
    ]
    caption = (
        "Differences of K in nats inside each setting, equal steps, with intervals over its draws. Settings have draws "
        "of documents of their own; what is held out takes no part in the estimate of all together. Levels of K mean "
        "nothing between settings, and a difference may be larger in one of them for reasons of shape alone. In "
        "colour: against the sign of all together."
    )
    return Plate("settings", "Setting by setting", caption, panels, row_table(found), "stack", legend=False,
                 shown=[("what the settings are", fact_table(found))])  # fmt: skip


def _rows(found: Record, name: str, endpoint: str) -> list[Record]:
    return [
        row
        for row in found.records("rows")
        if (row.text("name"), row.text("endpoint"), row.text("reading")) == (name, endpoint, UNMATCHED)
    ]


def _note(summary: Record) -> str:
    """How many settings agree."""
    same, count = summary.number("same_sign").value, summary.number("settings").value
    if same is None or count is None:
        return "no estimate over all settings"
    return f"{same:.0f} of {count:.0f} settings have the sign of all together"


def fact_table(found: Record) -> Table:
    """What each setting is."""
    rows = [
        [
            words(item.text("name")),
            words("held out" if item.flag("held_out") else "tested"),
            words(item.text("family")),
            words(item.text("optimiser")),
            raw(item.number("learning_rate").value),
            words(f"{rank:.0f}" if (rank := item.number("adapter_rank").value) is not None else "full"),
            words(f"{item.number('parameters').value or 0:,.0f}"),
            words(f"{item.number('draws').value or 0:.0f}"),
        ]
        for item in found.records("settings")
    ]
    columns = ["setting", "part", "family", "optimiser", ">rate", ">adapter rank", ">parameters", ">draws"]
    return Table(columns, rows)


def row_table(found: Record) -> Table:
    """Every contrast in every setting, with the endpoints beside K."""
    rows: list[list[Cell]] = [
        [
            words(row.text("name")),
            words(row.text("setting")),
            words(endpoint_name(row.text("endpoint"))),
            words(row.text("reading")),
            effect_cell(row),
            p_cell(row),
            words(row.sizes()),
            value(row.number("hedges_g"), shown(row.number("hedges_g"))),
            words(row.text("reason")),
        ]
        for row in found.records("rows")
    ]
    columns = ["test", "setting", "endpoint", "reading", ">estimate [interval]", ">p", ">n", ">Hedges g",
               "why there is no number"]  # fmt: skip
    return Table(columns, rows).cut()
