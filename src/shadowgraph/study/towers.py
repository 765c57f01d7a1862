"""What is read of one update tower by tower and layer by layer, for the record of a run over pictures.

Here live: the change of effective rank of each MLP up-projection and of the projector beside its null, relative norms,
and concentration by tower.
Not here: what is made of them over draws (`tower_table`), measures and nulls (`footprint`).

O2 is f(W1) − f(W0), the "delta effective rank" of the paper when f is `erank_amplitude`; its null is the same of
W0 + Gaussian noise of the update's norm. O3 is k of the update W1 − W0: 0 for Gaussian noise of its shape.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean

from shadowgraph.footprint.endpoint import LEAST_READABLE, concentration_of
from shadowgraph.footprint.table import Footprint, MatrixRecord, Row
from shadowgraph.identity import Json

TOWERS = {"vision": "vision", "projector": "projector", "text": "decoder"}
"""Towers as roles name them, in the order of the data, and what a result calls them."""
RANKS = ("erank_amplitude", "erank_energy")
NULLS = ("gaussian", "change")
"""Nulls of the scan of a run over pictures: of O3, and of O2."""
UP, PROJECTION = "up", "projection"


def tower_reading(footprint: Footprint) -> dict[str, Json]:
    """Read an update by tower.

    Args:
        footprint: of a run, scanned with `NULLS`.

    Returns:
        "layers": one row for the up-projection of each layer of a tower, and for each matrix of the projector in order:
        tower, layer, for each of `RANKS` [O2, mean of its null, sd of its null] or None, "relative_norm" of all block
        matrices of the layer (of the matrix in the projector), "k" of the matrix. "towers": tower → k (mean over slots
        of the mean over layers, nats), its matrices, and relative_norm of all of them. A number that cannot be had is
        None, with its reason under "status", of an effective rank under "<rank>_status". "status" beside a k says why
        some matrices of its tower have none; where that is more than half of them, the tower has none.
    """
    found = [record for record in footprint.matrices if _name(record) is not None]
    changes = {(row.tensor, row.measure): row for row in footprint.rows if row.object == "O2" and row.null == NULLS[1]}
    rows: list[Json] = [_layer_row(*at, records, changes) for at, records in _layers(found).items()]
    towers: dict[str, Json] = {}
    for name in TOWERS.values():
        own = [record for record in found if _name(record) == name]
        if own:
            towers[name] = _tower(own)
    return {"layers": rows, "towers": towers}


def _name(record: MatrixRecord) -> str | None:
    """The tower that a matrix counts in; None for embeddings, patches, positions and other matrices."""
    own = TOWERS.get(record.role.tower)
    if own == "projector" or record.role.block == "projector":
        return "projector" if record.role.slot == PROJECTION else None
    return own if record.role.is_block_linear else None


def _layers(records: Iterable[MatrixRecord]) -> dict[tuple[str, int], list[MatrixRecord]]:
    """Matrices by tower and layer, those of the projector one by one."""
    found: defaultdict[tuple[str, int], list[MatrixRecord]] = defaultdict(list)
    count = 0
    for record in sorted(records, key=lambda record: record.tensor):
        name = str(_name(record))
        if name == "projector":
            found[name, count] = [record]
            count += 1
        else:
            found[name, _place_of(record)].append(record)
    order = list(TOWERS.values())
    return {at: found[at] for at in sorted(found, key=lambda at: (order.index(at[0]), at[1]))}


def _place_of(record: MatrixRecord) -> int:
    """Layer of a matrix; one outside the layers counts as layer 0, as in K."""
    return record.layer or 0


def _layer_row(
    tower: str, layer: int, records: list[MatrixRecord], changes: dict[tuple[str, str], Row]
) -> dict[str, Json]:
    """The row of one layer; of several up-projections in it (experts) numbers are averaged."""
    mains = records if tower == "projector" else [record for record in records if record.role.slot == UP]
    row: dict[str, Json] = {"tower": tower, "layer": layer, "relative_norm": _relative_norm(records)}
    readings = [concentration_of(record) for record in mains]
    known = [reading.value for reading in readings if reading.value is not None]
    row["k"] = fmean(known) if known and len(known) == len(readings) else None
    if row["k"] is None:
        row["status"] = next((reading.status for reading in readings if reading.value is None), "absent")
    for measure in RANKS:
        row |= _change(measure, [changes.get((record.tensor, measure)) for record in mains])
    return row


def _change(measure: str, rows: list[Row | None]) -> dict[str, Json]:
    """O2 beside the mean and spread of its null; None with the reason where one of them is missing."""
    found: list[tuple[float, float, float]] = []
    for row in rows:
        if row is None or row.value is None or row.null_mean is None or row.null_sd is None:
            reason = "no_null" if row is None or row.value is not None else row.status
            return {measure: None, f"{measure}_status": reason}
        found.append((row.value, row.null_mean, row.null_sd))
    if not found:
        return {measure: None, f"{measure}_status": "absent"}
    return {measure: [fmean(column) for column in zip(*found, strict=True)]}


def _tower(records: list[MatrixRecord]) -> dict[str, Json]:
    """Concentration, by the rule of K, and size of one tower's update."""
    cells: defaultdict[str, defaultdict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    left: list[str] = []
    for record in records:
        reading = concentration_of(record)
        if reading.value is None:
            left.append(reading.status)
        else:
            cells[record.role.cell][_place_of(record)].append(reading.value)
    readable = len(left) <= LEAST_READABLE * len(records)
    slots = [fmean(fmean(experts) for experts in layers.values()) for layers in cells.values()]
    k = fmean(slots) if readable else None
    found: dict[str, Json] = {"k": k, "matrices": len(records), "relative_norm": _relative_norm(records)}
    return found | ({"status": left[0]} if left else {})


def _relative_norm(records: list[MatrixRecord]) -> float | None:
    """‖D‖ / ‖W0‖ over some matrices together; None where a matrix has neither."""
    update = base = 0.0
    for record in records:
        if record.spectrum is None or record.base_energy is None:
            return None
        update += record.spectrum.energy
        base += record.base_energy
    return math.sqrt(update / base) if base > 0.0 else None
