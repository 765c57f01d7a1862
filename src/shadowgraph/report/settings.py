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
from shadowgraph.report.tables import Cell, Table, effect_cell, p_cell, raw, value, words
from shadowgraph.study.names import endpoint_name

UNMATCHED = "unmatched"
SHOWN = ("K", "outside_loss")
"""Endpoints that have panels; the others stand in the table."""
LEANING = ("leans on differences", "leans on means")  # how the note of a t interval begins
_TERMS = ("anchor", "flatten")  # added to the loss


def setting_plate(study: Record) -> Plate:
    """One panel a contrast, one row a setting, the estimate over all settings first; all on one scale."""
    found = study.record("settings")
    panels: list[Markup] = []
    for place, endpoint in enumerate(SHOWN):
        groups = [(summary, _group(study, found, summary, endpoint)) for summary in found.records("summary")]
        groups = [(summary, rows) for summary, rows in groups if rows]
        limits = limits_of([row for _, rows in groups for row in rows])
        for number, (summary, rows) in enumerate(groups):
            title = f"{label(summary.text('name', 'unnamed'), 42)}, {endpoint_name(endpoint)}"
            note = _note(summary) if endpoint == SHOWN[0] else ""
            key = f"setting-{place * len(groups) + number}"
            panels.append(forest(rows, key, title, note=note, limits=limits))
    caption = (
        "Differences of K in nats, and of the loss on outside text in nats a token, inside each setting, equal steps, "
        "with intervals over its draws. Settings have draws "
        "of documents of their own; what is held out takes no part in the estimate of all together. Levels of K mean "
        "nothing between settings, and a difference may be larger in one of them for reasons of shape alone. In "
        "colour: against the sign of all together."
    )
    caption += f" {leaning}" if (leaning := interval_words(found)) else ""
    return Plate("settings", "Setting by setting", caption, panels, row_table(found), "stack", legend=False,
                 shown=[("what the settings are", fact_table(found))])  # fmt: skip


def interval_words(found: Record) -> str:
    """What the intervals inside settings of few draws rest on; "" where none of them leans on normal differences."""
    leaning = [row for row in found.records("rows") if row.text("interval_note").startswith(LEANING) and _blind(row)]
    if not leaning:
        return ""
    few = sorted({int(size) for row in leaning for size in row.numbers("n") if size is not None})
    draws = f"{few[0]}" if len(few) == 1 else f"{few[0]} to {few[-1]}"
    return (
        f"Inside a setting of {draws} draws the exact test cannot reject, and an interval is a t interval instead: it "
        "leans on differences being nearly normal, and can leave out 0 where that test cannot reject."
    )


def _blind(row: Record) -> bool:
    """Whether no p of a test can reach its level."""
    smallest, level = row.number("smallest_p").value, row.number("level").value
    return None not in (smallest, level) and (smallest or 0.0) > 1.0 - (level or 0.0) + 1e-9


def _group(study: Record, found: Record, summary: Record, endpoint: str) -> list[Row]:
    """The rows of one contrast: all settings together, then each of them; none where no setting has the endpoint."""
    name = summary.text("name")
    tests = [*study.records("primaries"), *study.records("contrasts")]
    whole = next((row for row in tests if _is_whole(row, name, endpoint)), None)
    sign = None if whole is None else whole.number("estimate").value
    rows = [] if whole is None else [row_of(whole, "all together", main=True)]
    inside = _rows(found, name, endpoint)
    for row in inside:
        estimate = row.number("estimate").value
        other = None not in (sign, estimate) and (sign or 0.0) * (estimate or 0.0) < 0
        held = ", held out" if row.flag("held_out") else ""
        rows.append(row_of(row, f"{row.text('setting')}{held}", against=other))
    return rows if inside else []


def _is_whole(row: Record, name: str, endpoint: str) -> bool:
    """Whether a test is that of a contrast over all settings, at equal steps."""
    role = row.text("role") in {"primary", "secondary", "beside"}
    return role and (row.text("name"), row.text("endpoint"), row.text("reading")) == (name, endpoint, UNMATCHED)


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
            words(", ".join([item.text("optimiser"), *_terms(item)])),
            raw(item.number("learning_rate").value),
            words(f"{rank:.0f}" if (rank := item.number("adapter_rank").value) is not None else "full"),
            words(f"{item.number('parameters').value or 0:,.0f}"),
            words(f"{item.number('draws').value or 0:.0f}"),
        ]
        for item in found.records("settings")
    ]
    columns = ["setting", "part", "family", "optimiser", ">rate", ">adapter rank", ">parameters", ">draws"]
    return Table(columns, rows)


def _terms(item: Record) -> list[str]:
    """What a setting adds to the loss."""
    return [f"{key} {item.text(key)}" for key in _TERMS if key in item.data]


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
