"""Footprints of one model put together: other objects, other nulls, read at other times or places.

Here lives: `merge`. Not here: comparing two models (`contrast`).
"""

from __future__ import annotations

from collections.abc import Iterable

from shadowgraph.errors import DataError, Defect
from shadowgraph.footprint.table import Coverage, Footprint, MatrixRecord, Row, canonical, flat_record
from shadowgraph.weights.matrix import Skipped


def merge(*footprints: Footprint) -> Footprint:
    """Join footprints of the same model and base; any order gives the same footprint, to the byte.

    A row without a null gives way to the same row beside a null; a matrix is kept with its update where one footprint
    has read it.

    Args:
        *footprints: at least one.

    Returns:
        The union of rows and matrices.

    Raises:
        DataError: other parents, or two footprints that disagree about one number.
        Defect: no footprint at all.
    """
    if not footprints:
        raise Defect("nothing to merge", where="merge")
    first = min(footprints, key=lambda each: each.fingerprint)
    for other in footprints:
        if dict(other.parents) != dict(first.parents):
            raise DataError("the footprints are of different models or bases", hint="merge scans of one pair only")
    records = _records(footprints)
    skipped = _skipped(footprints, {record.tensor for record in records if record.spectrum is not None})
    seen = first.coverage
    return Footprint(
        rows=canonical(_rows(footprints)),
        matrices=records,
        coverage=Coverage.of((seen.tensors, seen.parameters, seen.block_parameters), records, len(skipped)),
        skipped=skipped,
        parents=dict(sorted(first.parents.items())),
        family=first.family,
        notes=tuple(sorted({note for each in footprints for note in each.notes})),
    )


def _rows(footprints: Iterable[Footprint]) -> list[Row]:
    found: dict[tuple[str, str, str, str], Row] = {}
    for row in (row for each in footprints for row in each.rows):
        key = (row.tensor, row.object, row.measure, row.null)
        if found.setdefault(key, row) != row:
            raise DataError(
                f"two numbers for {row.measure} of {row.object} beside the null {row.null}",
                where=row.tensor,
                hint="merge scans made with the same seed and precision",
            )
    beside = {key[:3] for key in found if key[3] != "none"}
    return [row for key, row in found.items() if key[3] != "none" or key[:3] not in beside]


def _records(footprints: Iterable[Footprint]) -> tuple[MatrixRecord, ...]:
    """One record a matrix, that of the update where there is one; in order of name."""
    found: dict[tuple[str, str], MatrixRecord] = {}
    for record in (record for each in footprints for record in each.matrices):
        kept = found.setdefault((record.tensor, record.object), record)
        if flat_record(kept) != flat_record(record):
            raise DataError("two spectra of one matrix", where=record.tensor, hint="merge scans of equal precision")
    best: dict[str, MatrixRecord] = {}
    for (tensor, what), record in sorted(found.items(), key=lambda item: item[0]):
        if tensor not in best or what == "O3":
            best[tensor] = record
    return tuple(best[tensor] for tensor in sorted(best))


def _skipped(footprints: Iterable[Footprint], read: set[str]) -> tuple[Skipped, ...]:
    """What no footprint has read."""
    items = {(item.tensor, item.reason) for each in footprints for item in each.skipped if item.tensor not in read}
    return tuple(Skipped(*item) for item in sorted(items))
