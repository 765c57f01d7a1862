"""The footprint as a value and as files: one row per (tensor, object, measure, null), and the spectra beside it.

Here live: `Row`, `MatrixRecord`, `Coverage`, `Footprint`, the Parquet schemas, writing and reading back.
Not here: how a row is computed (see `scan`).
"""
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from shadowgraph.artifact import read_json, whole, write_json
from shadowgraph.errors import DataError
from shadowgraph.identity import fingerprint
from shadowgraph.measures.catalogue import CATALOGUE
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.weights.matrix import Skipped
from shadowgraph.weights.roles import Role

if TYPE_CHECKING:
    import pyarrow

SCHEMA_VERSION = "1.1"
PARTS = "parts"  # folder of what a scan under way has finished, beside its footprint


@dataclass(frozen=True, slots=True)
class Row:
    """One number of a footprint, or the status that says why there is none.

    Attributes:
        tensor: printable name, with the part in brackets after a split; of a head, its layer's with product and number,
            such as "model.layers.0.self_attn[ov,head 3]", and `slot` is the product.
        object: "O1" f(W1), "O2" f(W1) − f(W0), "O3" f(W1 − W0).
        measure: key of the catalogue, or "floor_share".
        value: a finite number, or None with a status other than "ok".
        method: how the spectrum was computed.
        error_bound: absolute bound on each singular value, None where no spectrum stands behind the number.
        null: "gaussian", "permuted", "rowcol", "floor", "change", for heads and adapters "factors" (Gaussian factors of
            the same shapes), or "none"; a row for each null asked for.
        null_mean: mean of the measure under the null.
        null_sd: its standard deviation.
    """

    tensor: str
    tower: str
    layer: int | None
    block: str
    slot: str
    expert: int | None
    object: str
    measure: str
    value: float | None
    status: str
    method: str
    error_bound: float | None
    null: str
    null_mean: float | None
    null_sd: float | None


@dataclass(frozen=True, slots=True)
class MatrixRecord:
    """What is kept of one matrix beyond its rows: enough to compute the endpoint again without the weights.

    Attributes:
        tensor: printable name.
        role: block, slot, tower.
        object: "O3" with a base or of an adapter, else "O1".
        shape: (m, n).
        status: "ok", "no_change", "non_finite" or "not_converged".
        spectrum: singular values of the object, None when not finite or not converged.
        base_energy: ‖W0‖_F², None without a base.
        after_energy: ‖W1‖_F², None when not finite.
        base_noise: variance of the rounding error of an entry of W0 (see `floor`), 0 without a base; of an adapter,
            the energy that rounding of its factors puts into the product, per entry.
        after_noise: the same for W1.
        rank: r of an adapter's update B A, None for a dense one; it decides what noise reads.
        rowcol_ratio: participation ratio of noise of that rank with the update's row and column energies, None for O1.
    """

    tensor: str
    role: Role
    layer: int | None
    expert: int | None
    object: str
    shape: tuple[int, int]
    status: str
    spectrum: Spectrum | None
    base_energy: float | None
    after_energy: float | None
    base_noise: float
    after_noise: float = 0.0
    rank: int | None = None
    rowcol_ratio: float | None = None

    def __repr__(self) -> str:
        """One line: name, object, status."""
        return f"MatrixRecord({self.tensor!r}, {self.object}, {self.status})"

    @property
    def parameters(self) -> int:
        """Number of elements."""
        return self.shape[0] * self.shape[1]

    @property
    def floor_energy(self) -> float:
        """Upper estimate of the energy that rounding of both stored sides puts into the difference: mn (v0 + v1)."""
        return self.parameters * (self.base_noise + self.after_noise)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the model was analysed.

    Attributes:
        tensors: stored tensors seen.
        matrices: matrices analysed.
        skipped: tensors and matrices left out, each with a reason.
        parameters: stored elements seen.
        block_parameters: elements of the stored matrices inside the layers, for an adapter of those it changes.
        block_analysed: those of them in block linear matrices with a reading.
    """

    tensors: int
    matrices: int
    skipped: int
    parameters: int
    block_parameters: int
    block_analysed: int

    @classmethod
    def of(cls, stored: tuple[int, int, int], records: Iterable[MatrixRecord], skipped: int) -> Coverage:
        """Count what records cover.

        Args:
            stored: tensors, parameters and block parameters of the model.
            records: one a matrix.
            skipped: how many tensors and matrices were left out.
        """
        done = [record for record in records if record.spectrum is not None]
        blocks = sum(record.parameters for record in done if record.role.is_block_linear)
        return cls(stored[0], len(done), skipped, stored[1], stored[2], blocks)

    @property
    def block_share(self) -> float:
        """Share of block parameters analysed, 0 … 1."""
        return self.block_analysed / self.block_parameters if self.block_parameters else 0.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """All rows of one model, with the spectra, the coverage and the parents.

    Attributes:
        rows: the numbers.
        matrices: one record a matrix.
        coverage: how much was analysed.
        skipped: what was not, and why; names are printable.
        parents: fingerprints of "after" and, with a base, "before".
        family: naming family of the model.
        notes: remarks that are no errors.
    """

    rows: tuple[Row, ...]
    matrices: tuple[MatrixRecord, ...]
    coverage: Coverage
    skipped: tuple[Skipped, ...]
    parents: Mapping[str, str]
    family: str
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        """One line: counts."""
        return f"Footprint({len(self.matrices)} matrices, {len(self.rows)} rows, {len(self.skipped)} skipped)"

    @property
    def has_updates(self) -> bool:
        """Whether every matrix was read as an update, so that K can be read."""
        return all(record.object == "O3" for record in self.matrices)

    @property
    def fingerprint(self) -> str:
        """Digest of parents and rows: 16 hex digits."""
        return fingerprint({"parents": dict(self.parents), "rows": [dataclasses.astuple(row) for row in self.rows]})

    def to_table(self) -> pyarrow.Table:
        """The rows as an Arrow table with the columns of the footprint schema."""
        return _table([_plain(row) for row in self.rows], footprint_schema())

    def spectra_table(self) -> pyarrow.Table:
        """The spectra as an Arrow table, one row a matrix, `values` a list."""
        return _table([flat_record(record) for record in self.matrices], spectra_schema())

    def write(self, path: Path | str) -> None:
        """Write `footprint.parquet`, `spectra.parquet` and, last, `footprint.json` into the folder `path`.

        What a scan into the same folder left of single matrices is removed then.

        Raises:
            EnvironmentFault: when the disk refuses.
        """
        from pyarrow import parquet

        path = Path(path)
        for name, table in (("footprint.parquet", self.to_table()), ("spectra.parquet", self.spectra_table())):
            with whole(path / name) as temporary:
                parquet.write_table(table, temporary, compression="zstd", version="2.6")
        write_json(
            path / "footprint.json",
            {
                "schema_version": SCHEMA_VERSION,
                "kind": "footprint",
                "family": self.family,
                "coverage": self.coverage,
                "skipped": list(self.skipped),
                "parents": dict(self.parents),
                "notes": list(self.notes),
            },
        )
        with suppress(OSError):  # parts that cannot be removed do no harm
            shutil.rmtree(path / PARTS)


def footprint_schema() -> pyarrow.Schema:
    """Columns of `footprint.parquet`; permanent."""
    import pyarrow as pa

    return pa.schema(
        [
            ("tensor", pa.string()),
            ("tower", pa.string()),
            ("layer", pa.int32()),
            ("block", pa.string()),
            ("slot", pa.string()),
            ("expert", pa.int32()),
            ("object", pa.string()),
            ("measure", pa.string()),
            ("value", pa.float64()),
            ("status", pa.string()),
            ("method", pa.string()),
            ("error_bound", pa.float64()),
            ("null", pa.string()),
            ("null_mean", pa.float64()),
            ("null_sd", pa.float64()),
        ]
    )


def spectra_schema() -> pyarrow.Schema:
    """Columns of `spectra.parquet`; permanent."""
    import pyarrow as pa

    return pa.schema(
        [
            ("tensor", pa.string()),
            ("tower", pa.string()),
            ("layer", pa.int32()),
            ("block", pa.string()),
            ("slot", pa.string()),
            ("expert", pa.int32()),
            ("object", pa.string()),
            ("rows", pa.int64()),
            ("columns", pa.int64()),
            ("status", pa.string()),
            ("energy", pa.float64()),
            ("base_energy", pa.float64()),
            ("after_energy", pa.float64()),
            ("base_noise", pa.float64()),
            ("after_noise", pa.float64()),
            ("rank", pa.int64()),
            ("rowcol_ratio", pa.float64()),
            ("method", pa.string()),
            ("error_bound", pa.float64()),
            ("values", pa.list_(pa.float64())),
        ]
    )


def read_footprint(path: Path | str) -> Footprint:
    """Read a folder written by `Footprint.write`.

    Raises:
        DataError: a file is absent, broken, or of a newer schema.
    """
    path = Path(path)
    head = cast(dict[str, Any], read_json(path / "footprint.json"))
    if str(head.get("schema_version", "")).split(".", maxsplit=1)[0] != SCHEMA_VERSION.split(".", maxsplit=1)[0]:
        raise DataError("the footprint has another schema version", where=str(path), hint="scan the model again")
    return Footprint(
        rows=tuple(Row(**row) for row in _read(path / "footprint.parquet")),
        matrices=tuple(record_of(row) for row in _read(path / "spectra.parquet")),
        coverage=Coverage(**head["coverage"]),
        skipped=tuple(Skipped(**item) for item in head["skipped"]),
        parents=dict(head["parents"]),
        family=head["family"],
        notes=tuple(head["notes"]),
    )


def canonical(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows in the order of every footprint: by tensor, object, measure (as in the catalogue), null."""
    places = {key: place for place, key in enumerate(CATALOGUE)}
    last = len(places)
    return tuple(
        sorted(rows, key=lambda row: (row.tensor, row.object, places.get(row.measure, last), row.measure, row.null))
    )


def _plain(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Row.__slots__}


def flat_record(record: MatrixRecord) -> dict[str, Any]:
    """A record as one row of `spectra_schema`."""
    spectrum = record.spectrum
    return {
        "tensor": record.tensor,
        "tower": record.role.tower,
        "layer": record.layer,
        "block": record.role.block,
        "slot": record.role.slot,
        "expert": record.expert,
        "object": record.object,
        "rows": record.shape[0],
        "columns": record.shape[1],
        "status": record.status,
        "energy": spectrum.energy if spectrum else None,
        "base_energy": record.base_energy,
        "after_energy": record.after_energy,
        "base_noise": record.base_noise,
        "after_noise": record.after_noise,
        "rank": record.rank,
        "rowcol_ratio": record.rowcol_ratio,
        "method": spectrum.method if spectrum else "none",
        "error_bound": spectrum.error_bound if spectrum else None,
        "values": spectrum.values.tolist() if spectrum else None,
    }


def record_of(row: Mapping[str, Any]) -> MatrixRecord:
    """The record of one row of `spectra_schema`; columns that an older file lacks are None."""
    shape = (row["rows"], row["columns"])
    spectrum = None
    if row["values"] is not None:
        values = np.asarray(row["values"], dtype=np.float64)
        spectrum = Spectrum(values, shape, row["energy"], row["method"], row["error_bound"])
    return MatrixRecord(
        tensor=row["tensor"],
        role=Role(row["block"], row["slot"], row["tower"]),
        layer=row["layer"],
        expert=row["expert"],
        object=row["object"],
        shape=shape,
        status=row["status"],
        spectrum=spectrum,
        base_energy=row["base_energy"],
        after_energy=row["after_energy"],
        base_noise=row["base_noise"],
        after_noise=row["after_noise"],
        rank=row.get("rank"),
        rowcol_ratio=row.get("rowcol_ratio"),
    )


def _table(rows: Sequence[dict[str, Any]], schema: pyarrow.Schema) -> pyarrow.Table:
    import pyarrow as pa

    columns = {name: [row[name] for row in rows] for name in schema.names}
    return pa.Table.from_pydict(columns, schema=schema)


def _read(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except FileNotFoundError as error:
        raise DataError("no such file", where=str(path)) from error
    except pa.ArrowException as error:
        raise DataError(f"not a Parquet file ({error})", where=str(path), hint="scan the model again") from error
    for row in rows:
        if isinstance(row.get("value"), float) and not math.isfinite(row["value"]):
            raise DataError("a value is not finite", where=str(path), hint="scan the model again")
    return rows
