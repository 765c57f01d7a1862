"""Jobs that train: the bases, the proof of matching, the runs.

Here live: the recipes of a study and the job functions of the training stage.
Not here: training itself (`runs`), what a run is read for (`trained`), scores (`scoring`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from shadowgraph.artifact import read_object, write_json
from shadowgraph.errors import DataError, Defect, SpecError
from shadowgraph.identity import Json, plain
from shadowgraph.runs.families import known_keys
from shadowgraph.runs.gradients import leading_directions
from shadowgraph.runs.matched import Statement, changeable, prove_matched, statement
from shadowgraph.runs.recipe import LLAMA, Adapter, Recipe
from shadowgraph.runs.run import read_run
from shadowgraph.runs.start import bring_in, read_imported
from shadowgraph.runs.train import train
from shadowgraph.seeds import derive
from shadowgraph.spec.study import StudySpec
from shadowgraph.study import regimens
from shadowgraph.study.arrays import load_arrays, read_spec, save_arrays
from shadowgraph.study.edited import edits_of, is_edited
from shadowgraph.study.layout import Layout, RunKey, base_setting, runs_of
from shadowgraph.study.pictured import drop_base_pictures
from shadowgraph.study.record import drop_weights, write_record
from shadowgraph.study.scoring import scored
from shadowgraph.study.sheet import balance_sheet
from shadowgraph.study.shown import along_of, seeing_architecture, sight_of
from shadowgraph.study.start import start_path
from shadowgraph.study.trained import corpora_facts, load_panel, run_record, source_losses
from shadowgraph.work.job import Progress


def architecture(spec: StudySpec) -> dict[str, Any]:
    """The model table in the terms of the configurations of transformers.

    A family without a size that the table gives, such as key heads of its own, is made without it.
    """
    sizes: dict[str, Any] = {
        "vocab_size": spec.model.vocabulary,
        "hidden_size": spec.model.hidden,
        "intermediate_size": spec.model.intermediate,
        "num_hidden_layers": spec.model.layers,
        "num_attention_heads": spec.model.heads,
        "num_key_value_heads": spec.model.key_value_heads,
        "max_position_embeddings": max(512, spec.training.sequence_length),
    }
    if spec.model.family == LLAMA:
        return {**sizes, **spec.model.settings}
    if spec.model.vision is not None:
        return seeing_architecture(spec.model, spec.model.vision, sizes)
    others: dict[str, Any] = {"tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": 0, **sizes}
    known = known_keys(spec.model.family)
    return {**{key: value for key, value in others.items() if key in known}, **spec.model.settings}


def base_recipe(spec: StudySpec, draw: int = 0) -> Recipe:
    """How a base is trained; where every draw has its own, each has its own initial weights and order.

    Of settings with models of their own each has its own initial weights; documents and their order are the same.
    """
    own = () if spec.study.base == "shared" else (f"draw-{draw}",)
    setting = base_setting(spec, draw)
    weights = (*own, setting) if setting else own
    seed, order = derive(spec.study.seed, "init", *weights), derive(spec.study.seed, "order", "base", *own)
    spec = spec.under(draw)
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
        seed=seed,
        order_seed=order,
        checkpoint_every=50,
        family=spec.model.family,
    )


def arm_recipe(
    spec: StudySpec,
    draw: int,
    *,
    seed: int = 0,
    rate: float | None = None,
    regimen: str = "",
    base: Path | None = None,
) -> Recipe:
    """How every arm of a draw is trained; arms of a draw share it to the last field.

    Args:
        spec: the study.
        draw: the corpus draw.
        seed: index of the order of its sequences.
        rate: learning rate of a run of the rate grid; None for the study's own.
        regimen: name of the regimen of a run; "" for the study's own training.
        base: folder of the base, which of a start model says family and architecture.

    Returns:
        The recipe.

    Raises:
        Defect: a start model without its folder.
    """
    spec = spec.under(draw)
    training = spec.regimen[regimen].of_training(spec.training) if regimen else spec.training
    table, own = training.adapter, spec.model.start is None
    make = partial(Recipe, architecture=architecture(spec), family=spec.model.family) if own else _of(base)
    return make(
        steps=training.steps,
        learning_rate=training.learning_rate if rate is None else rate,
        batch=training.batch,
        sequence_length=training.sequence_length,
        warmup_steps=training.warmup_steps,
        schedule="constant_with_warmup",
        weight_decay=training.weight_decay,
        order_seed=order_seed(spec, draw, seed),
        snapshots=training.snapshot_steps[:-1],
        checkpoint_every=40,
        adapter=None if table is None else Adapter(table.rank, table.alpha, table.targets),
        optimiser=training.optimiser,
        anchor=training.anchor,
        flatten=training.flatten,
    )


def _of(base: Path | None) -> partial[Recipe]:
    """A recipe with the family and architecture of a saved model."""
    if base is None:
        raise Defect("the recipe of a start model needs its folder", where="model.start")
    return partial(Recipe.of_model, base)


def recipe_of_run(spec: StudySpec, key: RunKey, base: Path | None = None) -> Recipe:
    """How one run is trained; `base` is the folder of its base, needed with a start model."""
    return arm_recipe(spec, key.draw, seed=key.seed, rate=key.rate, regimen=key.regimen, base=base)


def order_seed(spec: StudySpec, draw: int, seed: int = 0) -> int:
    """Seed of the order of a draw's sequences, the same stream in every arm; `seed` counts the draw's orders."""
    order = f"-seed-{seed}" if seed else ""
    return derive(spec.study.seed, "order", f"draw-{draw}{order}")


def base_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Train the base that a draw starts from, or bring in the start model, which lies beside `files`."""
    layout, draw = Layout(Path(str(arguments["root"]))), int(str(arguments.get("draw", 0)))
    spec = read_spec(layout.root)
    folder = layout.base_of(spec, draw)
    if spec.model.start is not None:
        bring_in(start_path(spec, Path(str(arguments["files"]))), folder / "run", layout.base / "tokenizer")
        return
    train(
        base_recipe(spec, draw),
        folder / "sequences.npy",
        folder / "run",
        tokenizer=layout.base / "tokenizer",
        along=along_of(folder / "sequences.npy"),
        progress=progress,
    )
    if spec.pictures is not None:
        drop_base_pictures(layout, folder.name)


def base_record_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Score a base, read its loss on every source, and write its record."""
    layout, draw = Layout(Path(str(arguments["root"]))), int(str(arguments.get("draw", 0)))
    spec = read_spec(layout.root)
    folder = layout.base_of(spec, draw)
    started = spec.model.start is not None
    run = read_imported(folder / "run") if started else read_run(folder / "run")
    losses = source_losses(run.model, layout)
    record: dict[str, Any] = {"fingerprint": run.fingerprint, "source_losses": losses}
    record |= {"sight": sight_of(run.model, layout.base)} if spec.pictures is not None else {}
    record |= {"start": read_object(layout.start)} if started else {}
    write_record(folder / "record.json", record | {"items": scored(run.model, folder, layout, progress)})


def directions_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Find the directions in which every source pulls a base, on sequences that no arm and no base is trained on.

    Raises:
        Defect: the study asks for no affinity.
    """
    layout, draw = Layout(Path(str(arguments["root"]))), int(str(arguments.get("draw", 0)))
    spec = read_spec(layout.root)
    asked = spec.analysis.affinity
    if asked is None:
        raise Defect("directions of a study that has no affinity")
    base, target = layout.base_of(spec, draw) / "run" / "model", layout.directions(spec, draw)
    names = [source.name for source in spec.sources if source.role == "arm"]
    sequences, panel = load_arrays(layout.base / "gradients.npz"), load_panel(layout)
    batch = spec.training.batch
    facts: dict[str, Json] = {}
    for place, name in enumerate(names):
        rows = sequences[name] if len(sequences[name]) > 1 else panel[name]
        each = batch if len(rows) >= 2 * batch else 1  # of a small source single sequences, not one batch
        batches = min(asked.batches, len(rows) // each)
        found = leading_directions(base, rows, batches=batches, batch=each, top=asked.top)
        sides = {f"{side} {key}": getattr(one, side) for key, one in found.items() for side in ("left", "right")}
        save_arrays(target / f"{name}.npz", {key: side.astype(np.float32) for key, side in sides.items()})
        captured = [one.captured for one in found.values()]
        facts[name] = {"matrices": len(found), "batches": batches, "batch": each, "captured": float(np.mean(captured))}
        progress((place + 1) / len(names))
    write_json(target / "_COMPLETE", facts)


def matched_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Prove that runs differ in data alone, as far as they should, and state how far their data differ.

    See `prove_study` and `balance_sheet`.
    """
    layout = Layout(Path(str(arguments["root"])))
    spec = read_spec(layout.root)
    statements: dict[str, Statement] = {}
    keys = runs_of(spec)
    for place, key in enumerate(keys):
        start = layout.base_of(spec, key.draw) / "run" / "model"
        sequences = layout.regime(key.arm, key.draw) / "sequences.npy"
        statements[key.name] = statement(recipe_of_run(spec, key, start), sequences, start, None, along_of(sequences))
        progress((place + 1) / len(keys))
    found: dict[str, Json] = {"corpora": corpora_facts(layout, spec), "balance": balance_sheet(layout, spec)}
    base = layout.base_of(spec, 0) / "run" / "model"
    write_json(layout.matched, prove_study(spec, statements, base) | found)


# What settings may change of a run, on the same footing for all: tokens, steps, batch, tokenizer and precision stay.
_ACROSS_SETTINGS: dict[str, Any] = {
    "init": "",
    "architecture": {},
    "schedule": {},
    "optimiser": {},
    "family": "",
    "adapter": None,
    "environment": {},
    "anchor": 0.0,
    "flatten": 0.0,
}


def prove_study(spec: StudySpec, statements: Mapping[str, Statement], base: Path | None = None) -> dict[str, Json]:
    """Prove the matching of all runs of a study.

    Runs of one draw and one order agree in every field but the data; runs of the rate grid, too, once the rate that
    their name promises is put back to the study's own, and runs of a regimen once what it changes of the training is.
    Orders and draws differ in the order seed beside; draws, where each has its own base, in the initial weights beside;
    draws of several settings in what settings may change.

    Args:
        spec: the study.
        statements: run's name → what it states.
        base: folder of the base, needed where it is a start model and there are regimens.

    Returns:
        The content of `matched.json`.

    Raises:
        SpecError: names the first field in which two runs disagree that should not, or that is not what the name of a
            run promises.
    """
    own = {key.name: _as_main(spec, key, statements[key.name], base) for key in runs_of(spec)}
    if spec.pictures is not None:  # answers differ in length; the sheet beside the proof says how far
        own = {name: dataclasses.replace(item, supervised_tokens=0) for name, item in own.items()}
    proofs: list[Json] = []
    for draw in range(spec.study.draws):
        for seed in range(spec.study.seeds):
            inside = {k.name: own[k.name] for k in runs_of(spec) if (k.draw, k.seed) == (draw, seed)}
            if len(inside) < 2:
                continue
            proof = prove_matched(inside)
            order: dict[str, Json] = {"seed": seed} if spec.study.seeds > 1 else {}
            proofs.append({"draw": draw, **order, "fingerprint": proof.fingerprint, "runs": proof.runs})
    beside: dict[str, Any] = {"order_seed": 0} if spec.study.base == "shared" else {"order_seed": 0, "init": ""}
    settings: dict[str, Json] = {}
    for setting in spec.settings:
        names = {key.name for key in runs_of(spec) if spec.setting_of(key.draw) == setting}
        proof = prove_matched({name: dataclasses.replace(own[name], **beside) for name in own if name in names})
        settings[setting.name] = {"fingerprint": proof.fingerprint, "runs": proof.runs, "fields": list(proof.fields)}
    beside |= _ACROSS_SETTINGS if spec.settings else {}
    left = {*(beside if spec.settings else ()), *(("supervised_tokens",) if spec.pictures is not None else ())}
    across = prove_matched({name: dataclasses.replace(item, **beside) for name, item in own.items()})
    return {
        **({"settings": settings} if settings else {}),
        **({"regimens": [*regimens.facts(spec)]} if spec.regimens else {}),
        "schema_version": "1.0",
        "fields": [field for field in across.fields if field not in left],
        "runs": across.runs,
        "fingerprint": across.fingerprint,
        "draws": proofs,
        "statements": {name: item.as_dict() for name, item in statements.items()},
    }


def _as_main(spec: StudySpec, key: RunKey, stated: Statement, base: Path | None) -> Statement:
    """A statement of the rate grid or of a regimen as the study's own, after it was held against what it promises."""
    if key.regimen:
        for field, value in changeable(recipe_of_run(spec, key, base)).items():
            _require_promised(key, f"matched.{field}", plain(getattr(stated, field)), plain(value))
        own: dict[str, Any] = changeable(arm_recipe(spec, key.draw, seed=key.seed, base=base))
        return dataclasses.replace(stated, **own)
    if key.rate is not None:
        _require_promised(key, "matched.schedule", stated.schedule["rate"], key.rate)
        rate = spec.under(key.draw).training.learning_rate
        return dataclasses.replace(stated, schedule={**stated.schedule, "rate": rate})
    return stated


def _require_promised(key: RunKey, where: str, stated: Json, promised: Json) -> None:
    """Raise SpecError where a run states something else than its name promises."""
    if stated != promised:
        raise SpecError(f"{key.name} has {stated!r}, and {promised!r} is promised", where=where)


def run_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Train one run, read it, score it, write its record; after that its weights may go."""
    layout = Layout(Path(str(arguments["root"])))
    spec = read_spec(layout.root)
    rate = arguments.get("rate")
    key = RunKey(
        str(arguments["arm"]),
        int(str(arguments["draw"])),
        int(str(arguments.get("seed", 0))),
        None if rate is None else float(str(rate)),
        str(arguments.get("regimen", "")),
    )
    folder, base = layout.run(key), layout.base_of(spec, key.draw) / "run" / "model"
    sequences = layout.regime(key.arm, key.draw) / "sequences.npy"
    recipe = recipe_of_run(spec, key, base)
    along = along_of(sequences)
    run = train(recipe, sequences, folder, start=base, along=along, progress=lambda done: progress(0.8 * done))
    _check_promise(layout, key.name, run.statement)
    record = run_record(run, key, layout, spec)
    if is_edited(key, spec):
        record["edits"] = edits_of(run.model, key, layout, spec, lambda done: progress(0.82 + 0.03 * done))
    record["items"] = scored(run.model, folder, layout, lambda done: progress(0.85 + 0.15 * done))
    write_record(folder / "record.json", record)
    if spec.study.keep == "records":
        drop_weights(folder)


def _check_promise(layout: Layout, name: str, stated: Mapping[str, Any]) -> None:
    """Hold what a run states now against what was proven before any run began.

    Raises:
        DataError: the run is not the one that was proven matched.
    """
    promised = read_object(layout.matched)["statements"].get(name)
    if promised != dict(stated):
        keys = ", ".join(key for key, value in stated.items() if value != (promised or {}).get(key))
        raise DataError(
            f"the run is not the one that was proven matched ({keys} differ)",
            where=f"{layout.matched}: {name}",
            hint="runs of one study are trained with one set of versions on one kind of processor",
        )
