"""What `scan` shows a person: a line a matrix, a line a layer's heads, where the energy sits, what was left out, K.

Here lives: the table. Not here: the numbers (`footprint`), the document of `--json` (`scan`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import TYPE_CHECKING

from shadowgraph.measures.spectrum import Reading

if TYPE_CHECKING:
    from shadowgraph.footprint.table import Footprint, Row
    from shadowgraph.weights.matrix import Skipped

KEYS = {"participation_ratio": "participation ratio", "erank_energy": "energy rank", "energy_top1": "top-1 energy"}
OBJECTS = {"O1": "the weights", "O3": "the update W1 - W0"}
ADAPTED = "the update that the adapter adds"
NULLS = {
    "gaussian": "Gaussian noise of the same shape",
    "factors": "Gaussian factors of the same shape and rank",
    "permuted": "the same entries shuffled",
    "rowcol": "noise with the same row and column energies",
    "floor": "noise of the update's norm, stored as the model is",
}
HEADS = {"ov": "W_O W_V", "qk": "W_Q^T W_K"}
FEWEST_COLUMNS = 20
SHOWN = 3


def table(footprint: Footprint) -> list[str]:
    """The three numbers of every matrix that people look for, and what belongs to the whole model, as lines."""
    shown = footprint.matrices[0].object
    rows = [row for row in footprint.rows if row.object == shown and row.measure in KEYS]
    cells: dict[str, dict[str, Row]] = {record.tensor: {} for record in footprint.matrices}
    kinds = {row.null for row in rows if row.tensor in cells}
    null = next((kind for kind in NULLS if kind != "factors" and kind in kinds), "none")
    for row in rows:
        if row.tensor in cells and row.null in {null, "factors", "none"}:
            cells[row.tensor][row.measure] = row
    heads = _heads(rows)
    wide = max([FEWEST_COLUMNS, *map(len, [*cells, *heads])])
    factored = any(record.rank is not None for record in footprint.matrices)
    lines = [
        f"{footprint.family}: {footprint.coverage.matrices} matrices;"
        f" {ADAPTED if factored else OBJECTS[shown]} ({shown}); {_against({null, 'factors'} & kinds)}",
        f"{'tensor':{wide}}" + "".join(f" {title:>21}" for title in KEYS.values()),
    ]
    lines.extend(_line(tensor, wide, (_cell(found.get(key)) for key in KEYS)) for tensor, found in cells.items())
    if heads:
        products = ", ".join(f"{name} is {product}" for name, product in HEADS.items())
        against = " / that of Gaussian factors" if null == "gaussian" else ""
        lines.append(f"heads ({products}): median over the heads of a layer{against}")
        lines.extend(_line(tensor, wide, found) for tensor, found in heads.items())
    if shown == "O3":
        lines.extend(_places(footprint))
    lines.extend(_left_out(footprint.skipped))
    lines.extend(f"note: {note}" for note in footprint.notes)
    if footprint.has_updates:
        lines.extend(_ends(footprint))
    return lines


def _against(nulls: set[str]) -> str:
    """What the second number of a cell is."""
    named = [NULLS[kind] for kind in NULLS if kind in nulls]
    if not named:
        return "no null was asked for"
    return f"each value / that of {named[0]}" + (f", of products {named[1]}" if len(named) > 1 else "")


def number(value: float) -> str:
    """Three digits, or all before the point: "6.70", "0.0594", "1234"."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}"


def _line(tensor: str, wide: int, cells: Iterable[str]) -> str:
    return f"{tensor:{wide}}" + "".join(f" {cell:>21}" for cell in cells)


def _cell(row: Row | None) -> str:
    """A value and its null, or the reason why there is none."""
    if row is None:
        return "-"
    if row.value is None:
        return row.status
    return _beside(row.value, row.null_mean)


def _beside(value: float, null: float | None) -> str:
    return number(value) if null is None else f"{number(value)} / {number(null):>6}"


def _heads(rows: Iterable[Row]) -> dict[str, list[str]]:
    """Cells of every product of every layer's heads."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        if row.slot in HEADS:
            name = row.tensor.split(",head ")[0].removesuffix("]") + "]"
            found.setdefault(name, {key: [] for key in KEYS})[row.measure].append(row)
    return {name: [_middle(measured) for measured in by_key.values()] for name, by_key in found.items()}


def _middle(rows: list[Row]) -> str:
    """The median over heads and its null, or the reason why there is none."""
    values = [row.value for row in rows if row.value is not None]
    if len(values) < len(rows) or not values:
        return next((row.status for row in rows if row.value is None), "-")
    return _beside(median(values), rows[0].null_mean)


def _places(footprint: Footprint) -> list[str]:
    """Where the energy of the update sits: by slot, over the block linear matrices, over depth."""
    from shadowgraph.footprint.distribution import distribution

    found = distribution(footprint)
    shares = {slot: reading.value for slot, reading in found.by_slot.items() if reading.value is not None}
    if not shares:
        return []
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    lines = [f"energy of the update by slot: {', '.join(f'{slot} {share:.1%}' for slot, share in ordered)}"]
    if found.effective_matrices.value is not None:
        lines.append(
            f"effective number of block matrices {_short(found.effective_matrices)}"
            f" (energy like size: {_short(found.null_matrices)}),"
            f" Gini {_short(found.energy_gini)} ({_short(found.null_gini)}),"
            f" centre of depth {_short(found.depth_centre)} (0 first layer, 1 last)"
        )
    return lines


def _left_out(skipped: Iterable[Skipped]) -> list[str]:
    """One line a reason, with the first names."""
    by_reason: dict[str, list[str]] = {}
    for item in skipped:
        by_reason.setdefault(item.reason, []).append(item.tensor)
    return [
        f"left out: {len(names)} ({reason}): {', '.join(names[:SHOWN])}{', …' if len(names) > SHOWN else ''}"
        for reason, names in by_reason.items()
    ]


def _ends(footprint: Footprint) -> list[str]:
    """K and its companions, and what they are."""
    from shadowgraph.footprint.endpoint import endpoint

    found = endpoint(footprint)
    named: Mapping[str, Reading] = {"K": found.K, "K_emb": found.K_emb, "log norm": found.log_norm}
    parts = [
        f"{name} {reading.value:.3f}" if reading.value is not None else f"{name} ({reading.status})"
        for name, reading in named.items()
    ]
    lines = [", ".join(parts) + (", in nats" if found.K.value is not None else "")]
    if found.left_out:
        counts = ", ".join(f"{count} {status}" for status, count in found.left_out.items())
        lines.append(f"block matrices not in K: {counts}")
    if found.K.value is None:
        return lines
    lines.append("K: mean over slots and layers of ln(participation ratio of noise / of the update); higher is more")
    lines.append("concentrated, 0 is noise; levels mean nothing alone, compare with matched runs")
    ranks = sorted({record.rank for record in footprint.matrices if record.rank is not None})
    if ranks:
        shown = ", ".join(map(str, ranks[:SHOWN])) + (", …" if len(ranks) > SHOWN else "")
        lines.append(f"noise of an adapter is Gaussian factors of its own rank ({shown}); compare equal ranks only")
    return lines


def _short(reading: Reading) -> str:
    return reading.status if reading.value is None else number(reading.value)
