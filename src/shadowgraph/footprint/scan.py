"""The scan: every matrix of a checkpoint, one at a time, through spectrum and measures into rows.

Here lives: `scan`.
Not here: formulas, nulls, the endpoint. At most one pair of matrices and their difference is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.footprint.floor import rounding_variance
from shadowgraph.footprint.nulls import null_table
from shadowgraph.footprint.table import Coverage, Footprint, MatrixRecord, Row
from shadowgraph.measures.catalogue import CATALOGUE, evaluate_all
from shadowgraph.measures.geometry import relative_norm, zero_fraction
from shadowgraph.measures.null import storage_floor_share
from shadowgraph.measures.spectrum import Reading, Spectrum
from shadowgraph.spectra.plan import spectrum_of
from shadowgraph.weights.checkpoint import Checkpoint
from shadowgraph.weights.matrix import Skipped, WeightMatrix
from shadowgraph.weights.pairing import Update, pair

Progress = Callable[[float], None]


def scan(
    after: Checkpoint, before: Checkpoint | None = None, *, seed: int = 0, progress: Progress | None = None
) -> Footprint:
    """Compute the footprint of a model, alone (O1) or against its base (O1, O2, O3).

    Args:
        after: the model W1.
        before: its base W0; without it only O1 is read.
        seed: seed of the simulated nulls.
        progress: called with the share done, 0 … 1.

    Returns:
        The footprint; a matrix with entries that are not finite is listed, excluded and counted.

    Raises:
        CheckpointError: base and model do not correspond, or no matrix could be read.
    """
    work, skipped, notes = _plan(after, before)
    total = sum(task.after.parameters for task in work) or 1
    rows: list[Row] = []
    records: list[MatrixRecord] = []
    done = 0
    for task in work:
        record, found = _measure(task, seed)
        records.append(record)
        rows.extend(found)
        if record.status == "non_finite":
            skipped.append(Skipped(record.tensor, _non_finite_reason(task)))
        done += task.after.parameters
        if progress is not None:
            progress(done / total)
    if not any(record.spectrum is not None for record in records):
        raise CheckpointError("no matrix could be analysed", where=str(after.path), hint="run inspect to see why")
    parents = {"after": after.fingerprint} | ({} if before is None else {"before": before.fingerprint})
    if len(set(parents.values())) < len(parents):
        notes.append("model and base are the same to the last byte: there is no update to read")
    return Footprint(
        rows=tuple(rows),
        matrices=tuple(records),
        coverage=_coverage(after, records, skipped),
        skipped=tuple(Skipped(printable(item.tensor), printable(item.reason)) for item in skipped),
        parents=parents,
        family=after.family,
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True)
class _Task:
    """One matrix to measure: alone, or as an update."""

    after: WeightMatrix
    update: Update | None
    tensor: str

    @property
    def shape(self) -> tuple[int, int]:
        return self.after.shape if self.update is None else self.update.shape

    def load(self) -> tuple[NDArray[np.float64] | None, NDArray[np.float64]]:
        return (None, self.after.load()) if self.update is None else self.update.load()


def _plan(after: Checkpoint, before: Checkpoint | None) -> tuple[list[_Task], list[Skipped], list[str]]:
    notes = list(after.notes)
    if before is None:
        return [_Task(matrix, None, printable(matrix.name)) for matrix in after.matrices()], list(after.skipped), notes
    pairing = pair(before, after)
    notes.extend(f"base: {note}" for note in before.notes)
    notes.extend(pairing.identity.notes)
    tasks = [_Task(update.after, update, printable(update.after.name)) for update in pairing.updates]
    return tasks, list(pairing.skipped), notes


def _measure(task: _Task, seed: int) -> tuple[MatrixRecord, list[Row]]:
    """Spectra and rows of one matrix."""
    before, after = task.load()
    if not (np.isfinite(after).all() and (before is None or np.isfinite(before).all())):
        return _unreadable(task)
    spectrum = spectrum_of(after)
    readings = evaluate_all(spectrum)
    rows = list(_spectral_rows(task, "O1", spectrum, readings, seed))
    rounding = rounding_variance(after, task.after.dtype)
    if before is None or task.update is None:
        return _record(task, "O1", spectrum, (None, spectrum.energy), (0.0, rounding)), rows
    noise = (rounding_variance(before, task.update.before.dtype), rounding)
    difference = after - before
    base, base_readings = _base(task.update.before, task.shape[0])
    update = spectrum_of(difference)
    rows.extend(_change_rows(task, spectrum, base_readings, readings))
    rows.extend(_spectral_rows(task, "O3", update, evaluate_all(update), seed))
    rows.extend(_size_rows(task, difference, update, base, sum(noise)))
    return _record(task, "O3", update, (base.energy, spectrum.energy), noise), rows


@lru_cache(maxsize=256)
def _base(matrix: WeightMatrix, rows: int) -> tuple[Spectrum, dict[str, Reading]]:
    """Spectrum and readings of a base matrix, cut to the common rows: many models share one base."""
    spectrum = spectrum_of(matrix.load()[:rows])
    return spectrum, evaluate_all(spectrum)


def _spectral_rows(
    task: _Task, what: str, spectrum: Spectrum, readings: dict[str, Reading], seed: int
) -> Iterator[Row]:
    """O1 or O3: every measure of the spectrum, beside its Gaussian null of the same shape."""
    nulls = {} if spectrum.zero else null_table(spectrum.shape, seed=seed)
    for key, reading in readings.items():
        null = nulls.get(key)
        yield _row(task, what, key, reading, spectrum=spectrum, null=None if null is None else (null.mean, null.sd))


def _change_rows(
    task: _Task, spectrum: Spectrum, before: dict[str, Reading], after: dict[str, Reading]
) -> Iterator[Row]:
    """O2: f(W1) − f(W0)."""
    for key, reading in after.items():
        old, new = before[key].value, reading.value
        change = Reading(new - old) if old is not None and new is not None else None
        missing = Reading(None, before[key].status if old is None else reading.status) if change is None else change
        yield _row(task, "O2", key, missing, spectrum=spectrum)


def _size_rows(
    task: _Task, difference: NDArray[np.float64], update: Spectrum, base: Spectrum, noise: float
) -> Iterator[Row]:
    """O3: measures of size, which need entries or norms rather than a spectrum."""
    share = Reading(None, "no_change")
    if update.energy > 0.0:
        share = Reading(storage_floor_share(update.energy, *update.shape, noise))
    readings = {
        "relative_norm": relative_norm(update.energy**0.5, base.energy**0.5),
        "zero_fraction": zero_fraction(difference),
        "floor_share": share,
    }
    for key, reading in readings.items():
        yield _row(task, "O3", key, reading)


def _row(
    task: _Task,
    what: str,
    key: str,
    reading: Reading,
    *,
    spectrum: Spectrum | None = None,
    null: tuple[float, float] | None = None,
) -> Row:
    matrix = task.after
    return Row(
        tensor=task.tensor,
        tower=matrix.role.tower,
        layer=matrix.layer,
        block=matrix.role.block,
        slot=matrix.role.slot,
        expert=matrix.expert,
        object=what,
        measure=key,
        value=reading.value,
        status=reading.status,
        method="none" if spectrum is None else spectrum.method,
        error_bound=None if spectrum is None else spectrum.error_bound,
        null="none" if null is None else "gaussian",
        null_mean=None if null is None else null[0],
        null_sd=None if null is None else null[1],
    )


def _record(
    task: _Task,
    what: str,
    spectrum: Spectrum | None,
    energies: tuple[float | None, float | None],
    noise: tuple[float, float],
) -> MatrixRecord:
    """What is kept of one matrix; `energies` and `noise` are those before and after."""
    status = "non_finite" if spectrum is None else "no_change" if spectrum.zero else "ok"
    return MatrixRecord(
        tensor=task.tensor,
        role=task.after.role,
        layer=task.after.layer,
        expert=task.after.expert,
        object=what,
        shape=task.shape,
        status=status,
        spectrum=spectrum,
        base_energy=energies[0],
        after_energy=energies[1],
        base_noise=noise[0],
        after_noise=noise[1],
    )


def _unreadable(task: _Task) -> tuple[MatrixRecord, list[Row]]:
    """A matrix with entries that are not finite: rows with the status and no number."""
    objects = ("O1",) if task.update is None else ("O1", "O2", "O3")
    missing = Reading(None, "non_finite")
    keys = [key for key, measure in CATALOGUE.items() if measure.function is not None]
    rows = [_row(task, what, key, missing) for what in objects for key in keys]
    return _record(task, objects[-1], None, (None, None), (0.0, 0.0)), rows


def _non_finite_reason(task: _Task) -> str:
    """Count and first place of the entries that are not finite."""
    before, after = task.load()
    for values, side in ((after, "model"), (before, "base")):
        if values is not None and not np.isfinite(values).all():
            bad = ~np.isfinite(values)
            row, column = np.unravel_index(int(np.argmax(bad)), bad.shape)
            return f"non-finite: {int(bad.sum())} entries in the {side}, the first at [{row}, {column}]"
    return "non-finite"


def _coverage(after: Checkpoint, records: list[MatrixRecord], skipped: list[Skipped]) -> Coverage:
    analysed = [record for record in records if record.spectrum is not None]
    return Coverage(
        tensors=len(after.entries),
        matrices=len(analysed),
        skipped=len(skipped),
        parameters=after.parameters,
        block_parameters=after.block_parameters,
        block_analysed=sum(record.parameters for record in analysed if record.role.is_block_linear),
    )
