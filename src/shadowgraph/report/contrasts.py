"""The tests of a plan with several: every contrast with its readings side by side, and what was expected of it.

Here live: the figure of contrasts, its table, and the tables of power and exceptions.
Not here: variants and equivalence (effects.py), trends (doses.py), how a forest is drawn (forest.py).
"""

from __future__ import annotations

from markupsafe import Markup

from shadowgraph.report.forest import Row, forest, limits_of, row_of
from shadowgraph.report.numerals import percent, probability, sensible, shown
from shadowgraph.report.plates import Plate, label
from shadowgraph.report.record import Record
from shadowgraph.report.tables import (
    Cell,
    Table,
    contrasts_of,
    effect_cell,
    exceptions_of,
    key_of,
    p_cell,
    pair_of,
    raw,
    tests_of,
    value,
    words,
)
from shadowgraph.study.names import endpoint_name

READINGS = ("unmatched", "norm-matched", "norm-matched by rate", "progress-matched")


def readings_of(study: Record, test: Record) -> list[Record]:
    """A test and its further readings, in the order of `READINGS`."""
    own = [row for row in study.records("contrasts")
           if row.text("role") == "reading" and (row.text("of") or row.text("name")) == test.text("name")]  # fmt: skip
    order = {reading: place for place, reading in enumerate(READINGS)}
    return [test, *sorted(own, key=lambda row: order.get(row.text("reading"), len(order)))]


def contrast_plate(study: Record) -> Plate:
    """One panel a contrast, all on one scale, primary ones first; trends stand with their doses."""
    tests = contrasts_of(study)
    strays = exceptions_of(study)
    groups: list[tuple[Record, list[Row]]] = []
    for test in tests:
        rows = [row_of(row, row.text("reading") or "unmatched", main=row is test and test.text("role") == "primary",
                       against=key_of(row) in strays) for row in readings_of(study, test)]  # fmt: skip
        groups.append((test, rows))
    limits = limits_of([row for _, rows in groups for row in rows])
    panels: list[Markup] = [
        forest(rows, f"contrast-{place}", label(test.text("name", "unnamed"), 52), note=label(_note(test), 74),
               limits=limits)
        for place, (test, rows) in enumerate(groups)
    ]  # fmt: skip
    caption = (
        "Differences of K in nats, first minus second, with intervals over draws; a panel a test, all on one scale, "
        "primary tests first with filled marks. The readings compare at equal steps (unmatched), at equal norm of the "
        "update, along training or over learning rates, and at equal progress on the arm's own documents. Where "
        "supports do not overlap a reading is not estimable, and says why."
    )
    if strays:
        caption += " In colour: against the sign of its primary test."
    return Plate("contrasts", "Contrasts, reading by reading", caption, panels, reading_table(study), "stack",
                 legend=False, absent="The result holds no contrasts.")  # fmt: skip


def _note(test: Record) -> str:
    """Role, expectation and fate of a test, in a line."""
    parts = [test.text("role"), expectation(test).text]
    p, adjusted = test.number("p"), test.number("p_adjusted")
    if p.value is not None:
        parts.append(f"p {probability(p)}" + (f", Holm {probability(adjusted)}" if adjusted.value is not None else ""))
    if test.sizes():
        parts.append(f"n {test.sizes()}")
    return "; ".join(part for part in parts if part)


def expectation(test: Record) -> Cell:
    """The sign that the plan expected, and whether the estimate has it."""
    expected, met = test.text("expected"), test.flag("as_expected")
    if expected not in {"positive", "negative"}:
        return Cell("either sign expected" if expected else "")
    if met is None:
        return Cell(f"expected {expected}", "missing")
    if not confirmed(test):
        return Cell(f"expected {expected}: sign {'' if met else 'not '}as expected, not confirmed", "open")
    return Cell(f"expected {expected}: {'as expected' if met else 'not so'}", "good" if met else "bad")


def confirmed(test: Record) -> bool:
    """Whether a test rejects at its level, after the correction for its family where there is one."""
    p, level = test.number("p_adjusted").value, test.number("level").value
    p = test.number("p").value if p is None else p
    return p is not None and p <= 1.0 - (0.95 if level is None else level) + 1e-12


def claim_table(study: Record) -> Table:
    """Every test of the plan in one line."""
    rows: list[list[Cell]] = []
    for test in tests_of(study):
        level = test.number("level").value
        rows.append([
            Cell(test.text("name", "unnamed"), "primary" if test.text("role") == "primary" else ""),
            words(f"{test.text('role')} {test.text('kind')}".strip()),
            effect_cell(test),
            words(percent(level) if level is not None and test.interval() is not None else ""),
            p_cell(test),
            p_cell(test, "p_adjusted"),
            words(test.sizes()),
            expectation(test) if expectation(test).text else words(""),
        ])  # fmt: skip
    columns = ["test", "kind", ">estimate [interval]", ">level", ">p", ">p, Holm", ">n", "expectation"]
    note = "Nats of K, first minus second; of a trend nats a unit dose. Holm's correction is over tests of one role."
    return Table(columns, rows, note)


def reading_table(study: Record) -> Table:
    """Every test with its readings: pairs, estimate, support, and the method or the reason for no number."""
    rows: list[list[Cell]] = []
    for test in tests_of(study):
        for row in readings_of(study, test):
            support = " to ".join(sensible(item) for item in row.numbers("support") if item is not None)
            dropped = [f"{item.text('arm')} {item.text('draw')} ({item.text('status')})"
                       for item in row.records("dropped")]  # fmt: skip
            rows.append([
                Cell(row.text("name", "unnamed"), "primary" if row.text("role") == "primary" else ""),
                words(row.text("reading")),
                words(_pairs(row)),
                effect_cell(row),
                p_cell(row),
                words(row.sizes()),
                value(row.number("hedges_g")),
                words(support),
                words(row.text("reason") or row.text("method")),
                words(", ".join(dropped)),
            ])  # fmt: skip
    columns = ["test", "reading", "pairs", ">estimate [interval]", ">p", ">n", ">Hedges g", ">common support",
               "method, or why there is no number", "left out"]  # fmt: skip
    return Table(columns, rows).cut()


def _pairs(test: Record) -> str:
    """The pairs of a contrast, or the two sides or arms of another test."""
    pairs = [" − ".join(Record({"pair": pair}).texts("pair")) for pair in test.items("pairs")]
    if not pairs:
        return ", ".join(test.texts("arms")) if test.text("kind") == "trend" else pair_of(test)
    return "; ".join(pairs[:6]) + (f"; and {len(pairs) - 6} more" if len(pairs) > 6 else "")


def exception_table(study: Record) -> Table:
    """Readings and variants whose sign is against their primary's."""
    rows = [
        [words(item.text("name")), words(endpoint_name(item.text("endpoint"))), words(item.text("reading")),
         effect_cell(item),
         value(item.number("against"), shown(item.number("against"), sign=True)),
         _weight(item)]
        for item in study.records("exceptions")
    ]  # fmt: skip
    return Table(["test", "endpoint", "reading", ">estimate [interval]", ">primary estimate", "weight"], rows)


def _weight(item: Record) -> Cell:
    """Whether the interval of a reading of the other sign leaves out 0."""
    if item.interval() is None:
        return Cell("no interval", "open")
    return Cell("its interval leaves out 0", "bad") if item.flag("firm") else Cell("its interval holds 0", "open")


def power_table(study: Record) -> Table:
    """What the study could detect with the spread it observed."""
    rows: list[list[Cell]] = []
    for item in study.records("power"):
        fate = {True: Cell("enough", "good"), False: Cell("not enough", "open"), None: words(item.text("reason"))}
        rows.append([
            words(item.text("name")), value(item.number("sd")), raw(item.number("planned_sd").value),
            words(item.text("spread_of")), words(item.sizes()),
            value(item.number("detectable")), value(item.number("smallest_effect")),
            words(item.text("method")), fate[item.flag("enough")],
        ])  # fmt: skip
    share = next((item.number("power").value for item in study.records("power")), None)
    told = f"Detectable with a power of {percent(share)}; of a trend in nats a unit dose. " if share else ""
    note = f"{told}The planned sd is that of draws of one arm, turned into what the observed one is of."
    return Table(["test", ">sd observed", ">sd planned with", "both sd are of", ">n", ">detectable, nats",
                  ">smallest effect of interest", "method", "reading"], rows, note)  # fmt: skip
