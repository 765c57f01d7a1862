"""What a finished run is read for: footprints at its snapshots, losses, affinity; everything in its record but scores.

Here live: the numbers of a run's record, and the facts about all corpora that only the corpora can tell.
Not here: training (`training`), the record as a file (`record`), footprints (`footprint`), what is made of them
(`analyse`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.artifact import read_object
from shadowgraph.footprint.affinity import affinity
from shadowgraph.footprint.endpoint import endpoint
from shadowgraph.footprint.nulls import gaussian_spectra
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import Footprint, MatrixRecord
from shadowgraph.footprint.variants import variants
from shadowgraph.identity import Json, file_digest
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.runs.loss import evaluate_loss
from shadowgraph.runs.run import Run
from shadowgraph.seeds import generator
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.arrays import load_array, load_arrays
from shadowgraph.study.layout import Layout, RunKey
from shadowgraph.study.paths import path_of
from shadowgraph.study.sheet import balance_of
from shadowgraph.study.shown import loss_on, sight_of
from shadowgraph.study.towers import NULLS, tower_reading
from shadowgraph.weights.adapters.opened import open_model
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.pairing import pair

QUANTILES = 48  # points of a spectrum curve
BESIDE = ("erank_energy", "stable_rank", "without_first", "median")
"""Variants of K that are read at every snapshot, not at the end alone."""


def run_record(run: Run, key: RunKey, layout: Layout, spec: StudySpec) -> dict[str, Any]:
    """Everything in the record of a run but its scores; the final footprint is left in the run's folder.

    Args:
        run: the finished run, its weights still there.
        key: which run it is.
        layout: the study's folder.
        spec: the study.

    Returns:
        Key → value; losses in nats a token, K, K_emb and log_norm in nats.
    """
    regime, base = layout.regime(key.arm, key.draw), layout.base_of(spec, key.draw) / "run" / "model"
    checkpoint = open_checkpoint(base)
    models = {**run.snapshots, run.recipe.steps: run.model}
    steps = sorted(models)
    nulls = NULLS if spec.pictures is not None else NULLS[:1]
    footprints = {
        step: scan(open_model(models[step]), checkpoint, nulls=nulls if step == steps[-1] else NULLS[:1])
        for step in steps
    }
    final = footprints[steps[-1]]
    final.write(layout.run(key) / "footprint")
    read = endpoint(final)
    own = _own_losses(regime / "own.npy", {0: base, **models})
    return {
        "arm": key.arm,
        "draw": key.draw,
        "seed_index": key.seed,
        "seed": run.recipe.order_seed,
        "rate": key.rate,
        **({"regimen": key.regimen or None} if spec.regimens else {}),
        "tokens": run.recipe.tokens,
        "run": run.fingerprint,
        "ledger": file_digest(run.ledger),
        "final_loss": run.final_loss(),
        "outside_loss": loss_on(run.model, layout.base / "outside.npy"),
        "own_loss": {"start": own[0], "end": own[steps[-1]]},
        "source_losses": source_losses(run.model, layout),
        "sources": read_object(regime / "taken.json") if (regime / "taken.json").exists() else {},
        **balance_of(layout, key.arm, key.draw),
        **read.as_dict(),
        "per_slot": {slot: [[layer, k] for layer, k in layers] for slot, layers in read.per_slot.items()},
        "variants": {name: reading.value for name, reading in variants(final).items()},
        "spectrum": spectrum_curve(final.matrices),
        "snapshots": [_snapshot(step, footprints[step], own[step]) for step in steps],
        "measures": measure_rows(final),
        "affinity": _affinities(layout, spec, key.draw, checkpoint, run.model),
        "parameters": final.coverage.parameters,
        **({"towers": tower_reading(final), "sight": sight_of(run.model, layout.base)} if spec.pictures else {}),
        "shapes": [list(record.shape) for record in final.matrices if record.role.is_block_linear],
        **_path(run, key, base, (layout, spec), footprints),
    }


def _path(
    run: Run, key: RunKey, base: Path, of: tuple[Layout, StudySpec], footprints: Mapping[int, Footprint]
) -> dict[str, Json]:
    """The run's path on the text of an intervention; nothing where none is asked for, or in the rate grid."""
    layout, spec = of
    if spec.intervention is None or key.rate is not None:
        return {}
    readings = {step: endpoint(footprint).as_dict() for step, footprint in footprints.items()}
    return {"path": [*path_of(run, base, layout, spec, readings)]}


def source_losses(model: Path, layout: Layout) -> dict[str, float]:
    """Loss on held-out sequences of every source, nats a token; empty where there are no sources."""
    return {name: evaluate_loss(model, rows) for name, rows in sorted(load_panel(layout).items())}


def load_panel(layout: Layout) -> dict[str, NDArray[Any]]:
    """Held-out sequences of every source; empty where there are no sources."""
    path = layout.base / "panel.npz"
    return load_arrays(path) if path.exists() else {}


def measure_rows(footprint: Footprint) -> list[list[Json]]:
    """Mean of every measure over the layers of a slot, beside the mean of its null.

    Returns:
        [object, slot, measure, mean, null mean or None, matrices], sorted; measures without a number are left out.
    """
    cells: dict[tuple[str, str, str], list[tuple[float, float | None]]] = defaultdict(list)
    for row in footprint.rows:
        if row.value is not None:
            cells[row.object, row.slot, row.measure].append((row.value, row.null_mean))
    rows: list[list[Json]] = []
    for (what, slot, measure), found in sorted(cells.items()):
        nulls = [null for _, null in found if null is not None]
        mean = float(np.mean([value for value, _ in found]))
        rows.append([what, slot, measure, mean, float(np.mean(nulls)) if nulls else None, len(found)])
    return rows


def corpora_facts(layout: Layout, spec: StudySpec) -> dict[str, Json]:
    """What only the corpora of all draws together can tell.

    Returns:
        "shared_documents": arm → mean share of its texts in one draw that stand in another draw of it, None with one
        draw. "trained_on": arm → families and sources of its documents over all draws.
    """
    drawn = {arm.name: [draw for name, draw in spec.runs if name == arm.name] for arm in spec.arms}
    shared: dict[str, Json] = {arm: _shared(layout, arm, draws) for arm, draws in drawn.items()}
    trained: dict[str, set[str]] = {arm: set() for arm in drawn}
    for draw in range(spec.study.draws):
        labels = _pool_labels(layout, draw) if spec.pool is not None else []
        for arm in (arm for arm, draws in drawn.items() if draw in draws):
            chosen = np.unique(load_array(layout.regime(arm, draw) / "documents.npy")[0]) if labels else []
            trained[arm].update(str(name) for label in labels for name in np.unique(label[chosen]))
            trained[arm].update(_taken(layout, arm, draw) if spec.sources or spec.pictures is not None else ())
    found: dict[str, Json] = {arm: [*sorted(names)] for arm, names in trained.items()}
    return {"shared_documents": shared, "trained_on": found}


def spectrum_curve(matrices: tuple[MatrixRecord, ...]) -> list[float]:
    """Mean shape of the update spectra of the block linear matrices.

    Values are scaled to root mean square 1 and read at `QUANTILES` fractions of the rank, in log10, so that matrices
    of different shape can be averaged.

    Returns:
        QUANTILES numbers, leading values first.
    """
    points = (np.arange(QUANTILES) + 0.5) / QUANTILES
    curves = [
        np.interp(points, (np.arange(record.spectrum.kept) + 0.5) / record.spectrum.kept, _scaled(record.spectrum))
        for record in matrices
        if record.role.is_block_linear and record.spectrum is not None and not record.spectrum.zero
    ]
    return np.mean(curves, axis=0).tolist() if curves else []


def null_curve(shapes: Sequence[tuple[int, int]], seed: int) -> list[float]:
    """The same curve for Gaussian matrices of the given shapes, one draw a shape and matrix."""
    points = (np.arange(QUANTILES) + 0.5) / QUANTILES
    curves: list[NDArray[np.float64]] = []
    for index, shape in enumerate(shapes):
        spectrum = gaussian_spectra(shape, 1, generator(seed, "null-curve", str(index)))[0]
        curves.append(np.interp(points, (np.arange(spectrum.kept) + 0.5) / spectrum.kept, _scaled(spectrum)))
    return np.mean(curves, axis=0).tolist()


def _scaled(spectrum: Spectrum) -> NDArray[np.float64]:
    """log10 of singular values over their root mean square; a value of 0 is shown at the rounding floor."""
    root = np.sqrt(spectrum.energy / spectrum.kept)
    return np.log10(np.maximum(spectrum.values / root, np.finfo(np.float64).eps))


def _snapshot(step: int, footprint: Footprint, own_loss: float | None) -> dict[str, Any]:
    """The readings after one step."""
    found = variants(footprint)
    beside = {name: found[name].value for name in BESIDE if name in found}
    return {"step": step, **endpoint(footprint).as_dict(), "own_loss": own_loss, "variants": beside}


def _own_losses(path: Path, models: Mapping[int, Path]) -> dict[int, float | None]:
    """Loss of every model on held-out sequences of the arm's own kind; None where there are none."""
    if not path.exists():
        return dict.fromkeys(models)
    return {step: loss_on(model, path) for step, model in models.items()}


@dataclass(frozen=True, slots=True)
class _Sides:
    """Stored directions of one matrix."""

    left: NDArray[np.float64]
    right: NDArray[np.float64]


def _affinities(
    layout: Layout, spec: StudySpec, draw: int, before: Checkpoint, model: Path
) -> dict[str, float | None] | None:
    """Share of the update's energy in the gradient directions of every source, on the shorter side of each matrix.

    None where not asked for.
    """
    if spec.analysis.affinity is None:
        return None
    found: dict[str, float | None] = {}
    updates = [update for update in pair(before, open_checkpoint(model)).updates if update.role.is_block_linear]
    differences = [(update.after.name, update.difference()) for update in updates]
    for source in spec.sources:
        if source.role == "arm":
            arrays = load_arrays(layout.directions(spec, draw) / f"{source.name}.npz")
            names = [key.removeprefix("left ") for key in arrays if key.startswith("left ")]
            sides = {
                name: _Sides(*(arrays[f"{side} {name}"].astype(np.float64) for side in ("left", "right")))
                for name in names
            }
            found[source.name] = affinity(differences, sides).short.value
    return found


def _pool_labels(layout: Layout, draw: int) -> list[NDArray[Any]]:
    """Family and source of every document of a pool."""
    import pyarrow.parquet as pq

    table = pq.read_table(layout.pool(draw) / "documents.parquet", columns=["family", "source"])
    return [np.asarray(table[name].to_pylist()) for name in table.column_names]


def _taken(layout: Layout, arm: str, draw: int) -> list[str]:
    """Sources that an arm took anything from."""
    return [name for name, tokens in read_object(layout.regime(arm, draw) / "taken.json").items() if tokens]


def _shared(layout: Layout, arm: str, draws: Sequence[int]) -> float | None:
    """Mean share of an arm's document texts in one draw that occur word for word in another draw of it."""
    texts = [np.unique(load_array(layout.regime(arm, draw) / "texts.npy")) for draw in draws]
    shares = [np.isin(a, b).mean() for a, b in combinations(texts, 2)]
    return float(np.mean(shares)) if shares else None
