"""One matrix: from its entries to its record and its rows.

Here live: the options of a scan, the task of one matrix and its measurement.
Not here: which matrices there are (`scan`), formulas (`measures`), decompositions (`spectra`), nulls (`nulls`,
`randomised`). Nothing but the matrix and its base is looked at, so any process can do any task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from shadowgraph.errors import Defect, SpecError, printable
from shadowgraph.footprint.entries import Tally, tally
from shadowgraph.footprint.floor import packed_steps
from shadowgraph.footprint.nulls import NullValue, null_table
from shadowgraph.footprint.randomised import null_rows, rowcol_participation_ratio, trap_count
from shadowgraph.footprint.relation import relation_nulls, relation_readings
from shadowgraph.footprint.size import size_readings
from shadowgraph.footprint.source import Matrix, Pair, Side, Strips, pair_of
from shadowgraph.footprint.table import MatrixRecord, Row
from shadowgraph.footprint.weighted import Moments, open_moments, weighted_readings
from shadowgraph.measures.catalogue import CATALOGUE, evaluate_all
from shadowgraph.measures.geometry import spectral_drift
from shadowgraph.measures.null import FLOOR_LIMIT
from shadowgraph.measures.spectrum import Reading, Spectrum
from shadowgraph.seeds import generator
from shadowgraph.spectra.failure import DecompositionFailure
from shadowgraph.spectra.plan import Precision, plan_spectrum, spectrum_of
from shadowgraph.spectra.source import as_source, gather
from shadowgraph.weights.matrix import WeightMatrix
from shadowgraph.weights.pairing import Update
from shadowgraph.weights.tensor import ELEMENT_TYPES

OBJECTS = ("O1", "O2", "O3")
NULLS = {
    "gaussian": ("O1", "O3"),
    "permuted": ("O1", "O3"),
    "rowcol": ("O1", "O3"),
    "floor": ("O3",),
    "change": ("O2",),
}
PRECISIONS: tuple[Precision, ...] = ("auto", "float64", "float32")
GATHERED = 1 << 20  # elements of a block when a whole matrix is collected
ABOVE_THE_FLOOR = frozenset({"spike_count", "spike_energy"})  # these are counted above the storage noise


@dataclass(frozen=True, slots=True)
class Options:
    """What a scan is asked for.

    Attributes:
        objects: of "O1", "O2", "O3"; without a base only "O1" is read.
        nulls: keys of `NULLS`, each with the objects it belongs to.
        geometry: whether leading vectors are compared with those of the base.
        seed: seed of the simulated nulls.
        precision: of the decompositions: "auto", "float64" or "float32".
        moments: file of second moments of the inputs, for the input-weighted measures; None for none.
        cache: folder where simulated tables are kept between processes; None for none.
        heads: whether the products of attention heads are read too (see `circuits`).
    """

    objects: tuple[str, ...] = OBJECTS
    nulls: tuple[str, ...] = ("gaussian",)
    geometry: bool = False
    seed: int = 0
    precision: Precision = "auto"
    moments: str | None = None
    cache: str | None = None
    heads: bool = False

    def __post_init__(self) -> None:
        """Refuse what no scan knows; order and repetition are made the same for all.

        Raises:
            SpecError: an unknown object, null or precision, or no object at all.
        """
        for name, given, known in (("objects", self.objects, OBJECTS), ("nulls", self.nulls, tuple(NULLS))):
            if strange := ", ".join(item for item in given if item not in known):
                raise SpecError(f"unknown {name}: {printable(strange)}", hint=f"choose from {', '.join(known)}")
            object.__setattr__(self, name, tuple(item for item in known if item in given))
        if not self.objects or self.precision not in PRECISIONS:
            raise SpecError("no object, or an unknown precision", hint=f"precision is one of {', '.join(PRECISIONS)}")


@dataclass(frozen=True, slots=True)
class Task:
    """One matrix to measure, alone or with its base; `tensor` is its printable name, `made` that W1 is W0 moved."""

    after: WeightMatrix
    update: Update | None
    tensor: str
    made: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n), the common rows of a resized vocabulary."""
        return self.after.shape if self.update is None else self.update.shape


@dataclass(frozen=True, slots=True)
class Found:
    """What one task gave: the record of a matrix, its rows, and why it was left out ("" when it was not)."""

    record: MatrixRecord | None
    rows: tuple[Row, ...]
    reason: str = ""


def measure(task: Task, options: Options) -> Found:
    """Measure one matrix.

    Args:
        task: the matrix.
        options: what to read.

    Returns:
        Record and rows. Entries that are not finite, and decompositions that do not converge, give rows with that
        status and no number, and a reason.
    """
    pair = pair_of(task.after, task.update)
    before, rows = None if task.update is None else task.update.before, task.shape[0]
    start = task.after if task.made else before  # where W1 is W0 as stored and moved, its rounding is in both
    types = (task.after.dtype, "" if start is None else start.dtype)
    sums = tally(pair, *types, after_steps=packed_steps(task.after, rows), before_steps=packed_steps(start, rows))
    if not sums.finite:
        return _unreadable(task, options, "non_finite", _non_finite_reason(pair))
    try:
        return _Measurement(task, options, pair, sums).found()
    except DecompositionFailure as failure:
        return _unreadable(task, options, "not_converged", str(failure))


@dataclass(frozen=True, slots=True)
class _Measurement:
    """The measurement of one finite matrix."""

    task: Task
    options: Options
    pair: Pair
    sums: Tally

    def found(self) -> Found:
        """Spectra first, then rows in the order of objects."""
        wanted = wanted_objects(self.options, self.task.update is not None)
        rows: list[Row] = []
        after = self._spectrum("after") if {"O1", "O2"} & set(wanted) else None
        base = self._base() if "O2" in wanted else None
        if after is not None:
            state = evaluate_all(after, "O1")
            if "O1" in wanted:
                rows.extend(self._state_rows(after, state))
            if base is not None:
                rows.extend(self._change_rows(after, state, base[1]))
        if "O3" not in wanted:
            return Found(self._record("O1", after), tuple(rows))
        update = self._spectrum("update")
        rows.extend(self._update_rows(update, after, None if base is None else base[0]))
        return Found(self._record("O3", update), tuple(rows))

    def _spectrum(self, side: Side) -> Spectrum:
        return _decompose(self.pair.source(side), self.options.precision)

    def _base(self) -> tuple[Spectrum, Mapping[str, Reading]]:
        if self.task.update is None:
            raise Defect("a matrix without a base has no O2", where=self.task.tensor)
        return _base_state(self.task.update.before, self.task.shape[0], self.options.precision)

    def _whole(self, side: Side) -> Matrix:
        """All rows of one side in memory, for what shuffles entries or needs vectors."""
        return gather(as_source(self.pair.source(side)), max(1, GATHERED // self.pair.shape[1]))

    def _state_rows(self, spectrum: Spectrum, readings: Mapping[str, Reading]) -> Iterator[Row]:
        """O1: every measure of the weights beside its nulls."""
        nulls = self._nulls("O1", spectrum)
        yield from _rows(self.task, "O1", readings, spectrum, nulls)
        if "permuted" in self.options.nulls:
            stream = generator(self.options.seed, "traps", self.task.tensor)
            yield from _rows(self.task, "O1", {"trap_count": trap_count(self._whole("after"), stream)}, spectrum)

    def _change_rows(
        self, spectrum: Spectrum, after: Mapping[str, Reading], before: Mapping[str, Reading]
    ) -> Iterator[Row]:
        """O2: f(W1) − f(W0)."""
        changes: dict[str, Reading] = {}
        for key, old in before.items():
            new = after[key]
            if old.value is None or new.value is None:
                changes[key] = Reading(None, old.status if old.value is None else new.status)
            else:
                changes[key] = Reading(new.value - old.value)
        yield from _rows(self.task, "O2", changes, spectrum, self._nulls("O2", spectrum))

    def _update_rows(self, update: Spectrum, after: Spectrum | None, base: Spectrum | None) -> Iterator[Row]:
        """O3: measures of the update, refused where rounding of the files explains too much of them."""
        noise = self.sums.before_noise + self.sums.after_noise
        readings = evaluate_all(update, "O3", floor_variance=noise)
        sizes = size_readings(self.sums, self.pair.turned)
        share = sizes["floor_share"].value
        if share is not None and share > FLOOR_LIMIT:
            readings = {key: below_the_floor(key, reading) for key, reading in readings.items()}
        yield from _rows(self.task, "O3", readings, update, self._nulls("O3", update))
        if after is not None and base is not None:
            yield from _rows(self.task, "O3", {"spectral_drift": spectral_drift(base, after)}, None)
        yield from _rows(self.task, "O3", sizes, None)
        yield from self._extra_rows(update)

    def _extra_rows(self, update: Spectrum) -> Iterator[Row]:
        """O3: what needs more than a spectrum: leading vectors of both sides, moments of the inputs."""
        if update.zero:
            return
        if self.options.geometry:
            nulls = {"gaussian": relation_nulls(self.task.shape)} if "gaussian" in self.options.nulls else None
            yield from _rows(self.task, "O3", self._relation(), None, nulls)
        if self.options.moments is not None:
            root = moments_of(self.options.moments).root(self.task.after.tensor, self.task.shape[1])
            if root is None:
                found = {"weighted_concentration": Reading(None, "no_moments")}
            else:
                values = self._whole("update")
                found = weighted_readings(values.T if self.pair.turned else values, root)
            yield from _rows(self.task, "O3", found, None)

    def _relation(self) -> Mapping[str, Reading]:
        """Leading vectors of base, model and update against one another, rows being outputs."""
        sides: tuple[Side, ...] = ("before", "after", "update")
        sources = [self._whole(side).T if self.pair.turned else self.pair.source(side) for side in sides]
        return relation_readings(*sources)

    def _nulls(self, what: str, spectrum: Spectrum) -> dict[str, Mapping[str, NullValue]]:
        """The tables of the nulls asked for that belong to an object, by kind."""
        found: dict[str, Mapping[str, NullValue]] = {}
        if spectrum.zero:
            return found
        for kind in self.options.nulls:
            if what not in NULLS[kind]:
                continue
            if kind == "gaussian":
                folder = None if self.options.cache is None else Path(self.options.cache)
                found[kind] = null_table(spectrum.shape, seed=self.options.seed, folder=folder, object=what)
                continue
            found[kind] = null_rows(
                kind,
                self._whole("after" if what == "O1" else "update"),
                tensor=self.task.tensor,
                object=what,
                seed=self.options.seed,
                before=self._whole("before") if kind in {"floor", "change"} else None,
                grid=self.task.after.dtype if self.task.after.dtype in ELEMENT_TYPES else self.sums.after_step,
                floor_variance=self.sums.before_noise + self.sums.after_noise if what == "O3" else 0.0,
            )
        return found

    def _record(self, what: str, spectrum: Spectrum | None) -> MatrixRecord:
        sums, alone = self.sums, self.task.update is None
        rowcol = None if alone else rowcol_participation_ratio(sums.row_energies, sums.column_energies).value
        return MatrixRecord(
            tensor=self.task.tensor,
            role=self.task.after.role,
            layer=self.task.after.layer,
            expert=self.task.after.expert,
            object=what,
            shape=self.task.shape,
            status="ok" if spectrum is not None and not spectrum.zero else "no_change",
            spectrum=_turned(spectrum, self.task.shape),
            base_energy=None if alone else sums.before_energy,
            after_energy=sums.after_energy,
            base_noise=sums.before_noise,
            after_noise=sums.after_noise,
            rowcol_ratio=rowcol,
        )


def wanted_objects(options: Options, has_base: bool) -> tuple[str, ...]:
    """The objects that can be read: those asked for with a base, O1 without one."""
    return options.objects if has_base else ("O1",)


def _decompose(source: Matrix | Strips, precision: Precision) -> Spectrum:
    rows, columns = source.shape
    return spectrum_of(source, plan_spectrum((rows, columns), precision=precision))


@lru_cache(maxsize=256)
def _base_state(matrix: WeightMatrix, rows: int, precision: Precision) -> tuple[Spectrum, Mapping[str, Reading]]:
    """Spectrum and readings of a base matrix, cut to the common rows: many models share one base."""
    spectrum = _decompose(pair_of(matrix, None, rows).source("after"), precision)
    return spectrum, evaluate_all(spectrum, "O2")


@lru_cache(maxsize=1)
def moments_of(path: str) -> Moments:
    """The second moments of a file, opened once."""
    return open_moments(path)


def _turned(spectrum: Spectrum | None, shape: tuple[int, int]) -> Spectrum | None:
    """The same singular values for the matrix as it acts, where its transpose was read."""
    if spectrum is None or spectrum.shape == shape:
        return spectrum
    return replace(spectrum, shape=shape)


def below_the_floor(key: str, reading: Reading) -> Reading:
    """A number that could bear a verdict is withheld where rounding of the files explains too much of the update."""
    if reading.value is None or CATALOGUE[key].direction_sign == 0 or key in ABOVE_THE_FLOOR:
        return reading
    return Reading(None, "floor")


def _rows(
    task: Task,
    what: str,
    readings: Mapping[str, Reading],
    spectrum: Spectrum | None,
    nulls: Mapping[str, Mapping[str, NullValue]] | None = None,
) -> Iterator[Row]:
    """The rows of one matrix and object, see `rows_of`."""
    matrix, role = task.after, task.after.role
    head = (task.tensor, role.tower, matrix.layer, role.block, role.slot, matrix.expert, what)
    return rows_of(head, readings, spectrum, nulls)


def rows_of(
    head: tuple[str, str, int | None, str, str, int | None, str],
    readings: Mapping[str, Reading],
    spectrum: Spectrum | None,
    nulls: Mapping[str, Mapping[str, NullValue]] | None = None,
) -> Iterator[Row]:
    """One row a reading and null; a reading without a null has one row with the null "none".

    Args:
        head: the columns of `Row` from `tensor` to `object`.
        readings: by key of the catalogue.
        spectrum: what they were read from, None where no spectrum stands behind them.
        nulls: tables by kind of null.
    """
    method = ("none", None) if spectrum is None else (spectrum.method, spectrum.error_bound)
    for key, reading in readings.items():
        found = [(kind, table[key]) for kind, table in (nulls or {}).items() if key in table]
        for kind, null in found:
            yield Row(*head, key, reading.value, reading.status, *method, kind, null.mean, null.sd)
        if not found:
            yield Row(*head, key, reading.value, reading.status, *method, "none", None, None)


def _unreadable(task: Task, options: Options, status: str, reason: str) -> Found:
    """A matrix that gives no number: rows with the status."""
    objects = wanted_objects(options, task.update is not None)
    rows = [
        row
        for what in objects
        for row in _rows(
            task,
            what,
            {
                key: Reading(None, status)
                for key, entry in CATALOGUE.items()
                if entry.function and what in entry.objects
            },
            None,
        )
    ]
    matrix = task.after
    record = MatrixRecord(
        tensor=task.tensor,
        role=matrix.role,
        layer=matrix.layer,
        expert=matrix.expert,
        object="O3" if "O3" in objects else "O1",
        shape=task.shape,
        status=status,
        spectrum=None,
        base_energy=None,
        after_energy=None,
        base_noise=0.0,
    )
    return Found(record, tuple(rows), reason)


def _non_finite_reason(pair: Pair) -> str:
    """Count and first place of the entries that are not finite, or that their squares are too large to sum."""
    counts, first, seen = {"base": 0, "model": 0}, dict[str, tuple[int, int]](), 0
    for before, after in pair.strips():
        for values, side in ((before, "base"), (after, "model")):
            bad = None if values is None else ~np.isfinite(values)
            if bad is not None and bad.any():
                counts[side] += int(bad.sum())
                row, column = np.unravel_index(int(np.argmax(bad)), bad.shape)
                first.setdefault(side, (seen + int(row), int(column)))
        seen += after.shape[0]
    for side in ("model", "base"):
        if counts[side]:
            place = first[side][::-1] if pair.turned else first[side]
            return f"non-finite: {counts[side]} entries in the {side}, the first at [{place[0]}, {place[1]}]"
    return "non-finite: the squares of its entries leave the float64 range"
