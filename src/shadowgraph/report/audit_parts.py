"""The parts of an audit page: endpoint, checks, skipped tensors, heat map.

Here live: what these parts show.
Not here: the verdict's words, which the result itself carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from shadowgraph.report.heatmap import band, bands, grid_of, small_maps
from shadowgraph.report.numerals import shown
from shadowgraph.report.record import Quantity, Record
from shadowgraph.report.tables import Cell, Table, value, words
from shadowgraph.study.names import ENDPOINTS

FATES = {
    "passed": "good", "pass": "good", "ok": "good", "failed": "bad", "fail": "bad", "warning": "off", "warn": "off",
}  # fmt: skip


def endpoint_rows(audit: Record) -> list[tuple[str, str, bool]]:
    """Name, number or reason, and whether it is a number, for K, K_emb and the log norm."""
    rows: list[tuple[str, str, bool]] = []
    for key, name in ENDPOINTS:
        quantity = endpoint_of(audit, key)
        rows.append((name, shown(quantity), quantity.value is not None))
    return rows


def endpoint_of(audit: Record, key: str) -> Quantity:
    """One endpoint, written either as a number or as an object with `value` and `status`."""
    ends = audit.record("endpoint")
    if isinstance(ends.data.get(key), Mapping):
        return ends.record(key).number("value")
    return ends.number(key)


def check_table(audit: Record) -> Table:
    """Every check with its permanent code and fate."""
    rows = [
        [Cell(check.text("code")), words(check.text("title")),
         Cell(check.text("fate"), FATES.get(check.text("fate"), "missing")), words(check.text("detail"))]
        for check in audit.records("checks")
    ]  # fmt: skip
    return Table(["code", "check", "fate", "detail"], rows)


def skipped_table(audit: Record) -> Table:
    """Tensors that were not analysed, each with its reason."""
    rows = [[words(item.text("tensor")), words(item.text("reason"))] for item in audit.records("skipped")]
    return Table(["tensor", "reason"], rows).cut()


def heat_maps(audit: Record) -> tuple[list[Markup], Table]:
    """Concentration k by layer and slot and its table; empty when the result has none."""
    heat = audit.record("heatmap")
    slots, layers = heat.texts("slots"), heat.texts("layers")
    source: dict[str, Any] = dict(heat.record("arms").data) or {"update": heat.items("values") or heat.items("k")}
    grids = {name: grid_of(Record(source), name, len(slots), len(layers)) for name in source}
    if not slots or not layers:
        return [], Table([], [])
    rows = [
        [Cell(slot), Cell(layer), *(value(Quantity(grid[column][row], heat.reason("arms"))) for grid in grids.values())]
        for column, slot in enumerate(slots) for row, layer in enumerate(layers)
    ]  # fmt: skip
    twin = Table(["slot", ">layer", *(f">k, {name}" for name in grids)], rows).cut()
    return small_maps({name: band(grid) for name, grid in grids.items()}, slots, bands(layers)[0], labelled=True), twin
