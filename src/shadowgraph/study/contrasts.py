"""The contrasts of a study: each in all its readings, its variants, what stands beside it, and who disagrees.

Here live: the rows of a result that are tests of contrasts, corrections over families, and exceptions of sign.
Not here: the test itself (`effects`), its units (`readings`), trends (`doses`) and the label (`labelled`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Contrast
from shadowgraph.stats.multiple import holm, westfall_young
from shadowgraph.stats.strata import smallest_p
from shadowgraph.study.effects import draw_differences, effect
from shadowgraph.study.readings import (
    READINGS,
    Axis,
    Read,
    Record,
    Runs,
    Tables,
    is_blocked,
    matched,
    reader,
    unmatched,
)
from shadowgraph.weights.roles import SLOTS

Row = dict[str, Json]
MOST_PAIRS = 8  # arms up to which all their pairs are compared, where the plan names one contrast and no more
BESIDE = ("K_emb", "log_norm", "outside_loss")


@dataclass(frozen=True, slots=True)
class Asked:
    """One test of the plan, which can be asked of any endpoint.

    Attributes:
        name: its name.
        kind: "contrast", "trend" or "label".
        role: "primary" or "secondary".
        expected: sign the plan predicts.
        row: (endpoint, how a record gives it) → row of the result.
    """

    name: str
    kind: str
    role: str
    expected: str
    row: Callable[[str, Read], Row]

    def on(self, endpoint: str, role: str, read: Read | None = None) -> Row:
        """The row of one endpoint in a role."""
        return self.row(endpoint, read or reader(endpoint)) | {"role": role, "of": self.name}

    def main(self) -> Row:
        """The row of K, with what was expected of it."""
        row = self.on("K", self.role)
        return row | {"expected": self.expected, "as_expected": _as_expected(row["estimate"], self.expected)}


def _as_expected(estimate: Json, expected: str) -> bool | None:
    if expected == "either" or not isinstance(estimate, int | float):
        return None
    return estimate > 0 if expected == "positive" else estimate < 0


def asked(contrast: Contrast, runs: Runs) -> Asked:
    """A contrast as a test of any endpoint."""
    return Asked(
        contrast.name,
        "contrast",
        contrast.role,
        contrast.expected,
        lambda endpoint, read: _row(contrast, runs, endpoint, unmatched(runs, contrast.pairs, read)),
    )


def _row(contrast: Contrast, runs: Runs, endpoint: str, tables: Tables, reading: str = "unmatched") -> Row:
    spec = runs.spec
    blocked = is_blocked(runs, contrast.pairs)
    return effect(
        contrast, endpoint, tables, analysis=spec.analysis, seed=spec.study.seed, blocked=blocked, reading=reading
    )


def readings(contrast: Contrast, runs: Runs) -> list[Row]:
    """A contrast of K at equal norm (along training, over rates) and at equal progress, estimable or not."""
    grid = runs.spec.rate_grid
    found: list[Row] = []
    for axis, name in READINGS.items():
        if axis != "rate" or (grid is not None and _in_grid(contrast, runs, grid.arms)):
            found.append(_matched_row(contrast, runs, axis) | {"reading": name, "role": "reading", "of": contrast.name})
    return found


def _in_grid(contrast: Contrast, runs: Runs, arms: Sequence[str]) -> bool:
    """True where a rate was asked of every member of a contrast."""
    return all(set(runs.members(name)) & set(arms) for pair in contrast.pairs for name in pair)


def _matched_row(contrast: Contrast, runs: Runs, axis: Axis) -> Row:
    return _row(contrast, runs, "K", matched(runs, contrast.pairs, axis), READINGS[axis])


def beside(test: Asked, runs: Runs) -> list[Row]:
    """The rival endpoints of a test: K of the embedding, log norm, loss on text outside; none that no run has."""
    records = [record for arm in runs.arms for record in runs.of(arm)]
    held = [key for key in BESIDE if any(record.get(key) is not None for record in records)]
    return [test.on(key, "beside") for key in held]


def sensitivity(test: Asked, runs: Runs) -> list[Row]:
    """A primary test on every variant of K, at every snapshot but the last, and on every slot alone.

    Variants that no unit of the test has a number for are left out; they were not asked of the runs.
    """
    found = [test.on(endpoint, "sensitivity") for endpoint in sensitivity_endpoints(runs)]
    return [row for row in found if row["status"] == "ok"]


def sensitivity_endpoints(runs: Runs) -> list[str]:
    """Names of the readings of K that every primary test is held against."""
    records = [record for arm in runs.arms for record in runs.of(arm)]
    steps = [int(point["step"]) for point in records[0]["snapshots"]][:-1]
    slots = [slot for slot in SLOTS if any(slot in record["per_slot"] for record in records)]
    variants = {str(key) for record in records for key in record["variants"]} - {"K"}
    return [
        *(f"K:{key}" for key in sorted(variants)),
        *(f"K@{step}" for step in steps),
        *(f"K:only_{slot}" for slot in slots),
    ]


def turns_claim(row: Mapping[str, Any]) -> bool:
    """Whether a sign against the primary test in this row takes the claim away.

    Variants of K, K at the snapshots and K at equal norm must agree. A slot alone need not, as long as K without any
    one slot does; K_emb is a rival of K and not a reading of it; progress is not the same thing as K in all arms.
    """
    if row["role"] == "sensitivity":
        return not str(row["endpoint"]).startswith("K:only_")
    return row["role"] == "reading" and row["reading"] != READINGS["progress"]


def exploratory_pairs(runs: Runs) -> list[Row]:
    """All other pairs of arms, corrected over their family; only where the plan names one contrast and few arms."""
    analysis = runs.spec.analysis
    pair = analysis.primary
    if pair is None or analysis.contrasts or len(runs.arms) > MOST_PAIRS:
        return []
    found: list[Row] = []
    for a, b in combinations(runs.arms, 2):
        if pair not in ((a, b), (b, a)):
            test = asked(Contrast(name=f"{a} - {b}", pairs=((a, b),)), runs)
            found.append(test.on("K", "exploratory"))
    return adjusted(found)


def adjusted(rows: Sequence[Row]) -> list[Row]:
    """Rows of one family with p adjusted by Holm; rows without a p take no part."""
    known = {str(index): float(str(row["p"])) for index, row in enumerate(rows) if row.get("p") is not None}
    corrected = holm(known)
    return [row | {"p_adjusted": corrected.get(str(index)), "family": len(known)} for index, row in enumerate(rows)]


def exceptions(primaries: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Every row whose sign is against that of the primary test it belongs to."""
    found: list[Row] = []
    for main in primaries:
        for row in others:
            if row.get("of") != main["name"] or row["role"] not in {"reading", "sensitivity", "beside"}:
                continue
            if not str(row["endpoint"]).startswith("K") or not _against(main["estimate"], row["estimate"]):
                continue
            interval = row["interval"]
            firm = isinstance(interval, list) and _against(main["estimate"], interval[0]) == _against(
                main["estimate"], interval[1]
            )
            keys = ("name", "kind", "endpoint", "reading", "role", "estimate", "interval")
            found.append({key: row[key] for key in keys} | {"against": main["estimate"], "firm": firm})
    return found


def _against(main: Json, other: Json) -> bool:
    known = isinstance(main, int | float) and isinstance(other, int | float)
    return known and float(str(main)) * float(str(other)) < 0


def modules(contrast: Contrast, runs: Runs) -> Row:
    """A contrast of k in every slot and layer, corrected over all of them together; exploratory.

    Cells that some unit has no number for stay empty and take no part.
    """
    first = runs.of(runs.arms[0])[0]["per_slot"]
    slots = [slot for slot in SLOTS if slot in first]
    layers = sorted({int(layer) for rows in first.values() for layer, _ in rows})
    cells = [(slot, layer) for slot in slots for layer in layers]
    row: Row = {"name": contrast.name, "role": "exploratory", "slots": list(slots), "layers": list(layers)}
    blocked = is_blocked(runs, contrast.pairs)
    if not blocked and len(contrast.pairs) > 1:
        return row | {"status": "not estimable", "reason": "several pairs of independent units have no joint exchange"}
    tables = {cell: unmatched(runs, contrast.pairs, _cell(*cell)) for cell in cells}
    whole = [cell for cell, table in tables.items() if not table.reason and not table.dropped]
    stream = generator(runs.spec.study.seed, "modules", contrast.name)
    few = min((len(units) for cell in whole for pair in tables[cell].pairs for units in pair), default=0)
    if few < 2:
        return row | {"status": "not estimable", "reason": "fewer than two units with a number in every cell"}
    if blocked:
        inside = np.array([list(draw_differences(tables[cell].pairs).values()) for cell in whole]).T
        found = westfall_young(inside, None, stream)
        estimates, n = inside.mean(axis=0), [inside.shape[0]] * 2
        smallest = smallest_p([(1, 1)] * inside.shape[0])
    else:
        a, b = (np.array([list(tables[cell].pairs[0][side].values()) for cell in whole]).T for side in (0, 1))
        found = westfall_young(a, b, stream)
        estimates, n = a.mean(axis=0) - b.mean(axis=0), [a.shape[0], b.shape[0]]
        smallest = smallest_p([(a.shape[0], b.shape[0])])
    place = {cell: index for index, cell in enumerate(whole)}

    def grid(values: np.ndarray[Any, Any]) -> Json:
        return [
            [float(values[place[slot, layer]]) if (slot, layer) in place else None for layer in layers]
            for slot in slots
        ]

    found_row: Row = {
        "status": "ok",
        "estimate": grid(estimates),
        "p_adjusted": grid(np.asarray(found)),
        "smallest_p": smallest,
        "n": list(n),
        "cells": len(whole),
        "method": "Westfall-Young step-down max-T over all cells, difference of means",
    }
    return row | found_row


def _cell(slot: str, layer: int) -> Read:
    """Concentration of one slot in one layer."""

    def read(record: Record) -> float | None:
        return next((float(k) for at, k in record["per_slot"].get(slot, ()) if int(at) == layer), None)

    return read
