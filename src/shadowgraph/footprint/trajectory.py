"""The path of a training run: K, its companions and the drift of the spectrum at every checkpoint.

Here live: `trajectory`, its row and its files.
Not here: which folders are checkpoints (`weights.series`), one scan (`scan`).
"""
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from shadowgraph.artifact import whole, write_json
from shadowgraph.errors import CheckpointError, DataError, printable
from shadowgraph.footprint.endpoint import concentration_of, denoised_ratio, endpoint
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import SCHEMA_VERSION, Footprint, read_footprint
from shadowgraph.identity import Json
from shadowgraph.measures.spectrum import Reading
from shadowgraph.weights.adapters.adapter import Adapter
from shadowgraph.weights.checkpoint import Checkpoint
from shadowgraph.weights.matrix import Skipped
from shadowgraph.weights.series import Series, open_series

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, slots=True)
class Moment:
    """One checkpoint of a run against the base.

    Attributes:
        step: its number.
        K: mean over slots of the mean over layers of k, nats.
        K_emb: the same over embedding and unembedding.
        log_norm: ln(‖D‖_F / ‖W0‖_F) over the block linear matrices.
        drift: ‖s(W1) − s(W0)‖ / ‖s(W0)‖, pooled over the block linear matrices.
        ratios: slot → geometric mean over layers of the participation ratio of the update, storage noise taken out.
    """

    step: int
    K: Reading
    K_emb: Reading
    log_norm: Reading
    drift: Reading
    ratios: dict[str, Reading]

    def flat(self) -> dict[str, Json]:
        """Numbers with their statuses beside them: one row of `series.parquet`."""
        row: dict[str, Json] = {"step": self.step}
        named = {"K": self.K, "K_emb": self.K_emb, "log_norm": self.log_norm, "drift": self.drift}
        for name, reading in (named | {f"PR_{slot}": ratio for slot, ratio in self.ratios.items()}).items():
            row[name] = reading.value
            row[f"{name}_status"] = reading.status
        return row


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A run by its checkpoints.

    Attributes:
        base: fingerprint of the base that every step is compared with, None for adapters read without one.
        moments: one a checkpoint, in order of step.
        skipped: checkpoints left out, with the reason.
        notes: remarks that are no errors.
    """

    base: str | None
    moments: tuple[Moment, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Json]:
        """For `series.json` and `--json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "series",
            "base": self.base,
            "steps": [moment.flat() for moment in self.moments],
            "skipped": [{"tensor": printable(each.tensor), "reason": each.reason} for each in self.skipped],
            "notes": list(self.notes),
        }

    def to_table(self) -> pyarrow.Table:
        """One row a step; a slot that one step lacks is null there."""
        import pyarrow as pa

        rows = [moment.flat() for moment in self.moments]
        names = list(dict.fromkeys(name for row in rows for name in row))
        fields = [
            (name, pa.int64() if name == "step" else pa.string() if name.endswith("_status") else pa.float64())
            for name in names
        ]
        return pa.Table.from_pydict({name: [row.get(name) for row in rows] for name in names}, schema=pa.schema(fields))

    def write(self, path: Path | str) -> None:
        """Write `series.parquet` and, last, `series.json` into the folder `path`.

        Raises:
            EnvironmentFault: when the disk refuses.
        """
        from pyarrow import parquet

        path = Path(path)
        with whole(path / "series.parquet") as temporary:
            parquet.write_table(self.to_table(), temporary, compression="zstd", version="2.6")
        write_json(path / "series.json", self.as_dict())


def trajectory(
    series: Series | Path | str,
    before: Checkpoint | None = None,
    *,
    seed: int = 0,
    jobs: int = 1,
    folder: Path | str | None = None,
    progress: Callable[[float], None] | None = None,
) -> Trajectory:
    """Scan every checkpoint of a run against one base.

    Args:
        series: the checkpoints or adapters, or the folder that holds them.
        before: the base; None takes the first checkpoint, which then has no row of its own. Adapters are updates
            without one too.
        seed: seed of the simulated nulls.
        jobs: worker processes, see `scan`.
        folder: where each step leaves its footprint, `step-<number>`; a killed series goes on from there.
        progress: told the share done, 0 … 1.

    Returns:
        The trajectory. A step that cannot be compared with the base is left out with its reason.

    Raises:
        CheckpointError: no checkpoint can be read, or compared with the base.
    """
    series = series if isinstance(series, Series) else open_series(Path(series))
    steps = list(series.steps)
    notes = list(series.notes)
    base, first = before, steps[0]
    if base is None and isinstance(first.checkpoint, Adapter):
        notes.append("no base was given: every step is read as the update that its adapter is")
    elif base is None and isinstance(first.checkpoint, Checkpoint):
        base = first.checkpoint
        del steps[0]
        notes.append(f"step {first.step} is the base")
    skipped = list(series.skipped)
    moments: list[Moment] = []
    for done, each in enumerate(steps):

        def tell(share: float, done: int = done) -> None:
            if progress is not None:
                progress((done + share) / len(steps))

        place = None if folder is None else Path(folder) / f"step-{each.step}"
        try:
            found = _footprint(each.checkpoint, base, place, seed=seed, jobs=jobs, tell=tell)
        except CheckpointError as error:
            skipped.append(Skipped(each.checkpoint.path.name, printable(error.found, 400)))
            continue
        moments.append(_moment(each.step, found))
    if not moments:
        why = f": {skipped[-1].tensor}: {skipped[-1].reason}" if skipped else ""
        raise CheckpointError(
            f"no checkpoint can be compared with the base{printable(why, 400)}",
            where=str(series.path),
            hint="give the base the run began from",
        )
    return Trajectory(None if base is None else base.fingerprint, tuple(moments), tuple(skipped), tuple(notes))


def _footprint(
    after: Checkpoint | Adapter,
    before: Checkpoint | None,
    place: Path | None,
    *,
    seed: int,
    jobs: int,
    tell: Callable[[float], None],
) -> Footprint:
    """The footprint of one step: as it was written, else scanned and written."""
    parents = {"after": after.fingerprint} | ({} if before is None else {"before": before.fingerprint})
    if place is not None and (place / "footprint.json").exists():
        try:
            stored = read_footprint(place)
        except DataError:  # a damaged footprint is made again
            stored = None
        if stored is not None and dict(stored.parents) == parents:
            tell(1.0)
            return stored
    objects = ("O3",) if isinstance(after, Adapter) else ("O2", "O3")
    found = scan(after, before, objects=objects, seed=seed, jobs=jobs, folder=place, progress=tell)
    if place is not None:
        found.write(place)
    return found


def _moment(step: int, footprint: Footprint) -> Moment:
    ends = endpoint(footprint)
    ratios: dict[str, list[float]] = {}
    for record in footprint.matrices:
        if record.role.is_block_linear and concentration_of(record).value is not None:
            ratio = denoised_ratio(record).value
            ratios.setdefault(record.role.cell, []).extend([] if ratio is None else [math.log(ratio)])
    return Moment(
        step=step,
        K=ends.K,
        K_emb=ends.K_emb,
        log_norm=ends.log_norm,
        drift=_drift(footprint),
        ratios={slot: Reading(math.exp(fmean(logs))) for slot, logs in sorted(ratios.items()) if logs},
    )


def _drift(footprint: Footprint) -> Reading:
    """Pooled drift: the root of Σ drift² ‖W0‖² over Σ ‖W0‖²."""
    energies = {record.tensor: record.base_energy for record in footprint.matrices if record.role.is_block_linear}
    parts: Sequence[tuple[float, float]] = [
        (row.value, energy)
        for row in footprint.rows
        if row.measure == "spectral_drift" and row.value is not None
        if (energy := energies.get(row.tensor)) is not None
    ]
    total = sum(energy for _, energy in parts)
    if total <= 0.0:
        return Reading(None, "absent")
    return Reading(math.sqrt(sum(drift * drift * energy for drift, energy in parts) / total))
