"""Jobs that train: the shared base, the proof of matching, the runs and their readings.

Here live: the recipes of a study and the job functions of the training stage.
Not here: training itself (`runs`) and footprints (`footprint`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.artifact import read_json, read_object, write_json
from shadowgraph.errors import DataError
from shadowgraph.footprint.endpoint import endpoint
from shadowgraph.footprint.nulls import gaussian_spectra
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import Footprint, MatrixRecord
from shadowgraph.footprint.variants import variants
from shadowgraph.identity import Json
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.runs.loss import evaluate_loss
from shadowgraph.runs.matched import Statement, prove_matched, statement
from shadowgraph.runs.recipe import Recipe
from shadowgraph.runs.train import train
from shadowgraph.seeds import derive, generator
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.arrays import load_array, read_spec
from shadowgraph.study.layout import Layout
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.work.job import Progress

LOSS_SEQUENCES = 64  # sequences on which the base's loss on an arm's data is read
QUANTILES = 48  # points of a spectrum curve


def architecture(spec: StudySpec) -> dict[str, Any]:
    """The model table in the terms of `LlamaConfig`."""
    return {
        "vocab_size": spec.model.vocabulary,
        "hidden_size": spec.model.hidden,
        "intermediate_size": spec.model.intermediate,
        "num_hidden_layers": spec.model.layers,
        "num_attention_heads": spec.model.heads,
        "num_key_value_heads": spec.model.key_value_heads,
        "max_position_embeddings": max(512, spec.training.sequence_length),
    }


def base_recipe(spec: StudySpec) -> Recipe:
    """How the shared base is trained."""
    training = spec.training
    return Recipe(
        steps=training.base_steps,
        learning_rate=training.base_learning_rate,
        architecture=architecture(spec),
        batch=training.batch,
        sequence_length=training.sequence_length,
        warmup_steps=min(training.base_steps // 10, 50),
        schedule="cosine",
        weight_decay=training.weight_decay,
        seed=derive(spec.study.seed, "init"),
        order_seed=derive(spec.study.seed, "order", "base"),
        checkpoint_every=50,
    )


def arm_recipe(spec: StudySpec, draw: int) -> Recipe:
    """How every arm of a draw is trained; arms of a draw share it to the last field."""
    training = spec.training
    return Recipe(
        steps=training.steps,
        learning_rate=training.learning_rate,
        architecture=architecture(spec),
        batch=training.batch,
        sequence_length=training.sequence_length,
        warmup_steps=training.warmup_steps,
        schedule="constant_with_warmup",
        weight_decay=training.weight_decay,
        order_seed=order_seed(spec, draw),
        snapshots=training.snapshot_steps[:-1],
        checkpoint_every=40,
    )


def order_seed(spec: StudySpec, draw: int) -> int:
    """The one seed of a draw: the order of its sequences, the same stream in every arm."""
    return derive(spec.study.seed, "order", f"draw-{draw}")


def base_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Train the shared base."""
    layout = Layout(Path(str(arguments["root"])))
    spec = read_spec(layout.root)
    train(
        base_recipe(spec),
        layout.base / "sequences.npy",
        layout.base_run,
        tokenizer=layout.base / "tokenizer",
        progress=progress,
    )


def matched_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Prove that runs differ in data alone: inside every draw wholly, between draws up to the order seed."""
    layout = Layout(Path(str(arguments["root"])))
    spec = read_spec(layout.root)
    statements: dict[str, Statement] = {}
    proofs: list[dict[str, Json]] = []
    for draw in range(spec.study.draws):
        recipe = arm_recipe(spec, draw)
        inside = {
            f"{arm.name}-{draw}": statement(
                recipe, layout.regime(arm.name, draw) / "sequences.npy", layout.base_run / "model", None
            )
            for arm in spec.arms
        }
        proof = prove_matched(inside)
        proofs.append({"draw": draw, "fingerprint": proof.fingerprint, "runs": proof.runs})
        statements |= inside
        progress((draw + 1) / spec.study.draws)
    across = prove_matched({name: dataclasses.replace(item, order_seed=0) for name, item in statements.items()})
    write_json(
        layout.matched,
        {
            "schema_version": "1.0",
            "fields": list(across.fields),
            "runs": across.runs,
            "fingerprint": across.fingerprint,
            "draws": proofs,
            "statements": {name: item.as_dict() for name, item in statements.items()},
        },
    )


def run_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Train one run, read its footprint at every snapshot, and write its record."""
    layout = Layout(Path(str(arguments["root"])))
    arm, draw = str(arguments["arm"]), int(str(arguments["draw"]))
    spec = read_spec(layout.root)
    folder, base = layout.run(arm, draw), layout.base_run / "model"
    recipe = arm_recipe(spec, draw)
    sequences = layout.regime(arm, draw) / "sequences.npy"
    run = train(recipe, sequences, folder, start=base, progress=lambda done: progress(0.9 * done))
    _check_promise(layout, f"{arm}-{draw}", run.statement)
    checkpoint = open_checkpoint(base)
    readings: list[tuple[int, Footprint]] = [
        (step, scan(open_checkpoint(path), checkpoint))
        for step, path in sorted({**run.snapshots, recipe.steps: run.model}.items())
    ]
    final = readings[-1][1]
    final.write(folder / "footprint")
    read = endpoint(final)
    packed = load_array(sequences)
    write_json(
        folder / "record.json",
        {
            "arm": arm,
            "draw": draw,
            "seed": recipe.order_seed,
            "tokens": run.recipe.tokens,
            "run": run.fingerprint,
            "final_loss": run.final_loss(),
            "base_loss": evaluate_loss(base, packed[:LOSS_SEQUENCES]),
            "outside_loss": evaluate_loss(run.model, load_array(layout.base / "outside.npy")),
            "balance": read_json(layout.regime(arm, draw) / "balance.json"),
            **read.as_dict(),
            "per_slot": {slot: [[layer, k] for layer, k in layers] for slot, layers in read.per_slot.items()},
            "variants": {key: reading.value for key, reading in variants(final).items()},
            "spectrum": spectrum_curve(final.matrices),
            "snapshots": [{"step": step, **endpoint(footprint).as_dict()} for step, footprint in readings],
        },
    )


def _check_promise(layout: Layout, name: str, stated: Mapping[str, Any]) -> None:
    """Hold what a run states now against what was proven before any run began.

    Raises:
        DataError: the run is not the one that was proven matched.
    """
    promised = read_object(layout.matched)["statements"].get(name)
    if promised != dict(stated):
        raise DataError("the run is not the one that was proven matched", where=f"{layout.matched}: {name}")


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


def _scaled(spectrum: Spectrum) -> NDArray[np.float64]:
    """log10 of singular values over their root mean square; a value of 0 is shown at the rounding floor."""
    root = np.sqrt(spectrum.energy / spectrum.kept)
    return np.log10(np.maximum(spectrum.values / root, np.finfo(np.float64).eps))


def null_curve(shapes: Sequence[tuple[int, int]], seed: int) -> list[float]:
    """The same curve for Gaussian matrices of the given shapes, one draw a shape and matrix."""
    points = (np.arange(QUANTILES) + 0.5) / QUANTILES
    curves: list[NDArray[np.float64]] = []
    for index, shape in enumerate(shapes):
        spectrum = gaussian_spectra(shape, 1, generator(seed, "null-curve", str(index)))[0]
        curves.append(np.interp(points, (np.arange(spectrum.kept) + 0.5) / spectrum.kept, _scaled(spectrum)))
    return np.mean(curves, axis=0).tolist()
