"""The proof that runs differ in their data alone.

Here live: what a run states before it starts, the comparison of statements, and the check of a ledger against one.
Not here: training, and calipers between corpora (those are statistics of documents, not of runs).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadowgraph.errors import DataError, SpecError, require
from shadowgraph.identity import Json, file_digest, fingerprint, plain, versions
from shadowgraph.runs.recipe import LLAMA, Recipe
from shadowgraph.runs.run import Run
from shadowgraph.runs.sequences import Along, chain_digest, planned_batches, read_stream
from shadowgraph.runs.session import offline, session

# The only fields in which matched runs may differ.
DATA_FIELDS = frozenset({"data", "order", "supervised", "picture_data", "shown"})
NONE = "none"


@dataclass(frozen=True, slots=True)
class Statement:
    """What a run will do, said before it starts.

    Attributes:
        init: digest of the initial weights' bytes.
        tokenizer: digest of `tokenizer.json`, "none" without one.
        architecture: keys of the model's configuration.
        steps: optimiser steps.
        tokens: tokens consumed.
        supervised_tokens: tokens that carry loss.
        batch: sequences a step.
        sequence_length: tokens a sequence.
        order_seed: seed of the order of rows.
        schedule: learning rate, its schedule and warm-up.
        optimiser: its name and its constants.
        precision: of weights, gradients and moments.
        threads: of the training process.
        snapshots: steps after which weights are kept.
        environment: versions of the numeric libraries and the instruction set of the processor.
        data: digest of the sequence file.
        order: digest of the batches in the order of their consumption.
        family: of the model, as transformers names it.
        adapter: rank, scale and targets of a low-rank adapter, None where all weights are trained.
        pictures: number a row, channels, height and width, None without pictures.
        supervised: digest of the file that says which tokens carry loss, "none" without one.
        picture_data: digest of the pictures' file, "none" without one.
        anchor: weight of the distance from the start in the loss (see `penalty`).
        flatten: weight of the unevenness of updates in the loss.
        shown: digest of the file that says which picture goes with which row, "none" without one.
    """

    init: str
    tokenizer: str
    architecture: Mapping[str, Any]
    steps: int
    tokens: int
    supervised_tokens: int
    batch: int
    sequence_length: int
    order_seed: int
    schedule: Mapping[str, Any]
    optimiser: Mapping[str, Any]
    precision: str
    threads: int
    snapshots: tuple[int, ...]
    environment: Mapping[str, str]
    data: str
    order: str
    family: str = LLAMA
    adapter: Mapping[str, Any] | None = None
    pictures: tuple[int, ...] | None = None
    supervised: str = NONE
    picture_data: str = NONE
    anchor: float = 0.0
    flatten: float = 0.0
    shown: str = NONE

    @property
    def fingerprint(self) -> str:
        """Identity of the run: equal statements give equal models, byte for byte."""
        return fingerprint(self.as_dict())

    def as_dict(self) -> dict[str, Json]:
        """The statement as JSON values; fields with a default only where they differ from it."""
        return {
            item.name: plain(getattr(self, item.name))
            for item in dataclasses.fields(self)
            if getattr(self, item.name) != item.default
        }

    def __repr__(self) -> str:
        """One line: identity, length, data."""
        return f"Statement({self.fingerprint}, {self.tokens} tokens, data {self.data[:8]})"


@dataclass(frozen=True, slots=True)
class MatchProof:
    """Evidence that statements agree: the fields compared, their shared values' digest, how many runs."""

    fields: tuple[str, ...]
    fingerprint: str
    runs: int


def statement(
    recipe: Recipe, sequences: Path, start: Path | None, tokenizer: Path | None, along: Along | None = None
) -> Statement:
    """State what a run of `recipe` on `sequences` will do.

    Args:
        recipe: everything but the data.
        sequences: `.npy` file of packed token ids.
        start: folder of the start model, or None for fresh weights.
        tokenizer: folder with `tokenizer.json`; None takes the start model's, if it has one.
        along: masks and pictures that go with the sequences.

    Raises:
        SpecError: start model and recipe disagree.
        DataError: sequences or tokenizer are missing or malformed.
        CheckpointError: the start folder holds no model.
    """
    stream, along = read_stream(sequences, recipe, along), along or Along()
    source = tokenizer_folder(tokenizer, start)
    require("torch", "train")
    require("transformers", "train")
    offline()
    from shadowgraph.runs.model import initial_model, state_digest

    with session(recipe.threads):
        init = state_digest(initial_model(recipe, start))
    return Statement(
        init=init,
        tokenizer=file_digest(source / "tokenizer.json") if source is not None else "none",
        architecture=dict(recipe.architecture),
        steps=recipe.steps,
        tokens=recipe.tokens,
        supervised_tokens=stream.supervised_tokens,
        batch=recipe.batch,
        sequence_length=recipe.sequence_length,
        order_seed=recipe.order_seed,
        **changeable(recipe),
        precision=recipe.precision,
        threads=recipe.threads,
        snapshots=recipe.snapshots,
        environment=_environment(recipe),
        data=file_digest(sequences),
        order=chain_digest(planned_batches(stream, recipe)),
        family=recipe.family,
        adapter=None if recipe.adapter is None else dataclasses.asdict(recipe.adapter),
        pictures=None if stream.pictures is None else stream.pictures.shape[1:],
        supervised=NONE if along.supervised is None else file_digest(along.supervised),
        picture_data=NONE if along.pictures is None else file_digest(along.pictures),
        shown=NONE if along.shown is None else file_digest(along.shown),
    )


def changeable(recipe: Recipe) -> dict[str, Any]:
    """What a recipe states of how it trains: the fields that a regimen may change, data, length and order being equal.

    Raises:
        EnvironmentFault: torch is not installed.
    """
    require("torch", "train")
    from shadowgraph.runs.optimisers import stated

    return {
        "schedule": {"name": recipe.schedule, "rate": recipe.learning_rate, "warmup_steps": recipe.warmup_steps},
        "optimiser": stated(recipe),
        "anchor": recipe.anchor,
        "flatten": recipe.flatten,
    }


def tokenizer_folder(tokenizer: Path | None, start: Path | None) -> Path | None:
    """The folder whose tokenizer goes with a run: the named one, else the start model's, else None.

    Raises:
        DataError: when a named folder has no `tokenizer.json`.
    """
    if tokenizer is not None:
        if not (tokenizer / "tokenizer.json").is_file():
            raise DataError("no tokenizer.json", where=str(tokenizer), hint="give a tokenizer folder")
        return tokenizer
    return start if start is not None and (start / "tokenizer.json").is_file() else None


def prove_matched(statements: Mapping[str, Statement] | Sequence[Statement]) -> MatchProof:
    """Prove that runs differ in data alone.

    Args:
        statements: one a run, by the run's name if given as a mapping.

    Returns:
        The fields that were compared and the fingerprint of their shared values.

    Raises:
        SpecError: names the first field, and the two runs, that disagree.
    """
    named = (
        dict(statements)
        if isinstance(statements, Mapping)
        else {f"run {index}": item for index, item in enumerate(statements)}
    )
    if len(named) < 2:
        raise SpecError("a match needs at least two runs", where="matched")
    (first_name, first), *others = named.items()
    stated = {key for item in named.values() for key in item.as_dict()} - DATA_FIELDS
    fields = tuple(item.name for item in dataclasses.fields(Statement) if item.name in stated)
    for name, other in others:
        for key in fields:
            mine, theirs = plain(getattr(first, key)), plain(getattr(other, key))
            if mine != theirs:
                raise SpecError(
                    f"{first_name} has {mine!r}, {name} has {theirs!r}",
                    where=f"matched.{key}",
                    hint="only data may differ",
                )
    shared = {key: plain(getattr(first, key)) for key in fields}
    return MatchProof(fields=fields, fingerprint=fingerprint(shared), runs=len(named))


def check_ledger(run: Run) -> None:
    """Check that what a run consumed is what it stated: every step once, the stated batches in order, all tokens.

    Raises:
        DataError: names the ledger and the row.
    """
    stated = run.statement
    rows = run.ledger_rows()
    step_tokens = int(stated["batch"]) * int(stated["sequence_length"])
    for index, row in enumerate(rows, start=1):
        place = f"{run.ledger} row {index}"
        if row.get("step") != index or row.get("tokens") != index * step_tokens:
            raise DataError(f"step {row.get('step')!r} with {row.get('tokens')!r} tokens is out of line", where=place)
        loss = row.get("loss")
        if not isinstance(loss, float) or not math.isfinite(loss):
            raise DataError(f"the loss is {loss!r}", where=place)
    if len(rows) != stated["steps"]:
        raise DataError(f"{len(rows)} steps were consumed, {stated['steps']} stated", where=str(run.ledger))
    if chain_digest(str(row["batch"]) for row in rows) != stated["order"]:
        raise DataError("other batches were consumed than stated", where=str(run.ledger))


def _environment(recipe: Recipe) -> dict[str, str]:
    """Versions and instruction set that decide the last bit of a result."""
    import torch

    return {
        **versions("torch", "transformers", "accelerate", "numpy", *(["peft"] if recipe.adapter else [])),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
