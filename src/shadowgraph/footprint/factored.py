"""The updates of an adapter: each a product of two factors, from the factors to its record and its rows.

Here live: the task of one factored update and its measurement.
Not here: the product itself (`product`), dense matrices (`single`), which updates an adapter has (`weights.adapters`).

Only O3 can be read: an adapter holds an update and no weights. Every measure stands beside the null "factors", Gaussian
factors of the same shape and rank: noise of full rank would make every adapter look concentrated. What needs the
entries of D is read with a base, a few rows at a time, and has the status "factored" without one; what needs the base
has the status "no_base" without one.

Legend: `m n` rows and columns of an update, `r` its inner size; W0 the base, D the update, W1 = W0 + D.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import DataError, SpecError
from shadowgraph.footprint.nulls import FACTOR_NULL, NullValue, adapter_null_table
from shadowgraph.footprint.product import Moved, Product, product_tally
from shadowgraph.footprint.relation import relation_keys, relation_nulls, relation_readings
from shadowgraph.footprint.single import GATHERED, Found, Options, below_the_floor, moments_of, rows_of
from shadowgraph.footprint.size import size_readings
from shadowgraph.footprint.source import Pair, pair_of
from shadowgraph.footprint.table import MatrixRecord, Row
from shadowgraph.footprint.weighted import factored_weighted_readings
from shadowgraph.measures.catalogue import CATALOGUE, evaluate_all
from shadowgraph.measures.null import FLOOR_LIMIT
from shadowgraph.measures.spectrum import Reading, Spectrum
from shadowgraph.spectra.failure import DecompositionFailure
from shadowgraph.spectra.source import as_source, gather
from shadowgraph.weights.adapters.factored import FactoredUpdate

BY_ENTRY = ("zero_fraction", "zero_fraction_1e5")
OF_THE_BASE = ("relative_norm", "radial_share", "cosine", "variance_of_change", "zero_fraction_step")


@dataclass(frozen=True, slots=True)
class FactoredTask:
    """One update of an adapter to measure; `tensor` is the printable name of the matrix it changes."""

    update: FactoredUpdate
    tensor: str

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        return self.update.shape

    @property
    def work(self) -> float:
        """Multiplications of its decompositions and, with a base, of the pass over it, about."""
        (m, n), rank = self.shape, self.update.rank
        alone = 4.0 * (m + n) * rank * rank
        return alone if self.update.before is None else alone + m * n * (rank + 4.0)


def unread(tasks: Iterable[object], options: Options) -> list[str]:
    """Say what a scan of an adapter was asked for and does not read.

    Args:
        tasks: of the scan.
        options: what was asked for.

    Returns:
        Remarks; none about matrices that are not factored.

    Raises:
        SpecError: updates were not asked for.
    """
    if "O3" not in options.objects:
        raise SpecError("an adapter is an update: of it only the object O3 can be read", hint="ask for O3, or merge it")
    count = sum(isinstance(task, FactoredTask) for task in tasks)
    if not count:
        return []
    notes: list[str] = []
    objects = " and ".join(what for what in options.objects if what != "O3")
    if objects:
        notes.append(f"{objects} of {count} updates are not read: an adapter holds no weights; merge it to read them")
    nulls = ", ".join(kind for kind in options.nulls if kind != "gaussian")
    if nulls:
        notes.append(f"nulls not made for {count} products of factors, whose entries are not formed: {nulls}")
    if options.heads:
        notes.append("heads are not read of an adapter; merge it to read them")
    return notes


def measure(task: FactoredTask, options: Options) -> Found:
    """Measure one update of an adapter.

    Args:
        task: the update.
        options: what to read.

    Returns:
        Record and rows. Factors that are not finite, products that leave the float64 range and decompositions that do
        not converge give rows with that status and no number, and a reason.
    """
    left, right = task.update.factors()
    product = Product(left, right, task.update.scale)
    if not product.finite:
        return _unreadable(task, "non_finite", _non_finite_reason(product))
    try:
        return _Measurement(task, options, product, product.spectrum()).found()
    except DataError as fault:
        return _unreadable(task, "non_finite", f"non-finite: {fault.found}")
    except DecompositionFailure as failure:
        return _unreadable(task, "not_converged", str(failure))


@dataclass(frozen=True, slots=True)
class _Measurement:
    """The measurement of one update of finite factors."""

    task: FactoredTask
    options: Options
    product: Product
    spectrum: Spectrum

    def found(self) -> Found:
        """Measures of the spectrum first, then sizes, then what needs vectors."""
        before = self.task.update.before
        base = None if before is None else pair_of(before, None, self.task.shape[0])
        sums = product_tally(self.product, base)
        known = base is not None and sums.finite
        if base is not None and not known:
            sums = product_tally(self.product, None)
        noise = self.product.noise_energy(self.task.update.dtype)
        share = Reading(None, "no_change") if self.spectrum.zero else Reading(noise / self.spectrum.energy)
        readings = evaluate_all(self.spectrum, "O3")
        if share.value is not None and share.value > FLOOR_LIMIT:
            readings = {key: below_the_floor(key, reading) for key, reading in readings.items()}
        sizes = size_readings(sums, turned=False) | {"floor_share": share}
        missing = "no_base" if base is None else "non_finite"
        if not known:
            sizes |= dict.fromkeys(BY_ENTRY, Reading(None, "factored"))
            sizes |= dict.fromkeys(OF_THE_BASE, Reading(None, missing))
        rows = [
            *self._rows(readings, self.spectrum, self._nulls()),
            *self._rows({"spectral_drift": Reading(None, "factored" if known else missing)}, None),
            *self._rows(sizes, None),
            *self._extra_rows(base if known else None),
        ]
        margins = None if self.spectrum.zero else self._margins(sums.row_energies, sums.column_energies)
        energies = (sums.before_energy, sums.after_energy) if known else (None, None)
        return Found(self._record(energies, noise, margins), tuple(rows))

    def _nulls(self) -> dict[str, Mapping[str, NullValue]]:
        """The table of Gaussian factors, where a null of noise was asked for."""
        if self.spectrum.zero or "gaussian" not in self.options.nulls:
            return {}
        folder = None if self.options.cache is None else Path(self.options.cache)
        return {FACTOR_NULL: adapter_null_table(self.task.shape, self.task.update.rank, self.options.seed, folder)}

    def _extra_rows(self, base: Pair | None) -> Iterator[Row]:
        """What needs more than a spectrum: leading vectors of both sides, moments of the inputs."""
        if self.spectrum.zero:
            return
        if self.options.geometry:
            rank = min(self.task.update.rank, *self.task.shape)
            nulls = {"gaussian": relation_nulls(self.task.shape, rank=rank)} if "gaussian" in self.options.nulls else {}
            yield from self._rows(self._relation(base), None, nulls)
        if self.options.moments is not None:
            root = moments_of(self.options.moments).root(self.task.update.tensor, self.task.shape[1])
            if root is None:
                found = {"weighted_concentration": Reading(None, "no_moments")}
            else:
                found = factored_weighted_readings(self.product.left, self.product.right, self.product.scale, root)
            yield from self._rows(found, None)

    def _relation(self, base: Pair | None) -> Mapping[str, Reading]:
        """Leading vectors of base, model and update against one another, rows being outputs."""
        if base is None:
            status = "no_base" if self.task.update.before is None else "non_finite"
            return dict.fromkeys(relation_keys(), Reading(None, status))
        source = as_source(base.source("after"))
        if base.turned:
            source = as_source(gather(source, max(1, GATHERED // source.shape[1])).T)
        return relation_readings(source, Moved(source, self.product), self.product)

    def _margins(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> float:
        """Participation ratio of Gaussian factors whose product has the row and column energies of D.

        The null of an adapter with its numbers of rows and columns replaced by the participation ratios of the margins,
        of which it is the case of equal margins.
        """
        spread = sum(float(np.sum(np.square(each / each.sum()))) for each in (rows, columns))
        return 1.0 / (1.0 / self.task.update.rank + spread)

    def _rows(
        self,
        readings: Mapping[str, Reading],
        spectrum: Spectrum | None,
        nulls: Mapping[str, Mapping[str, NullValue]] | None = None,
    ) -> Iterator[Row]:
        return rows_of(_head(self.task), readings, spectrum, nulls)

    def _record(self, energies: tuple[float | None, float | None], noise: float, margins: float | None) -> MatrixRecord:
        update = self.task.update
        return MatrixRecord(
            tensor=self.task.tensor,
            role=update.role,
            layer=update.layer,
            expert=update.expert,
            object="O3",
            shape=self.task.shape,
            status="no_change" if self.spectrum.zero else "ok",
            spectrum=self.spectrum,
            base_energy=energies[0],
            after_energy=energies[1],
            base_noise=noise / update.parameters,
            rank=update.rank,
            rowcol_ratio=margins,
        )


def _head(task: FactoredTask) -> tuple[str, str, int | None, str, str, int | None, str]:
    """The columns that say what a row is about."""
    update, role = task.update, task.update.role
    return task.tensor, role.tower, update.layer, role.block, role.slot, update.expert, "O3"


def _unreadable(task: FactoredTask, status: str, reason: str) -> Found:
    """An update that gives no number: rows with the status."""
    keys = [key for key, entry in CATALOGUE.items() if entry.function and "O3" in entry.objects]
    rows = rows_of(_head(task), dict.fromkeys(keys, Reading(None, status)), None)
    update = task.update
    record = MatrixRecord(
        tensor=task.tensor,
        role=update.role,
        layer=update.layer,
        expert=update.expert,
        object="O3",
        shape=task.shape,
        status=status,
        spectrum=None,
        base_energy=None,
        after_energy=None,
        base_noise=0.0,
        rank=update.rank,
    )
    return Found(record, tuple(rows), reason)


def _non_finite_reason(product: Product) -> str:
    """Count and first place of the entries that are not finite."""
    for name, factor in (("left", product.left), ("right", product.right)):
        bad = ~np.isfinite(factor)
        if bad.any():
            row, column = np.unravel_index(int(np.argmax(bad)), bad.shape)
            return f"non-finite: {int(bad.sum())} entries in the {name} factor, the first at [{row}, {column}]"
    return "non-finite: its scale is not a finite number"
