"""Training one run, resumable at any moment to the same bytes.

Here live: the life of a run's folder: begin, resume, finish.
Not here: the Trainer itself (`engine`), several runs (`study`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from shadowgraph.artifact import Ledger, write_json
from shadowgraph.errors import SpecError
from shadowgraph.identity import Json, file_digest, plain
from shadowgraph.runs.folder import choose_resume_point, cut_ledger, drop_snapshots_after
from shadowgraph.runs.matched import check_ledger, statement, tokenizer_folder
from shadowgraph.runs.recipe import Recipe
from shadowgraph.runs.run import COMPLETE, LEDGER, MANIFEST, Run, read_run
from shadowgraph.runs.sequences import Along, read_stream


def train(
    recipe: Recipe,
    sequences: Path,
    out: Path,
    *,
    start: Path | None = None,
    tokenizer: Path | None = None,
    along: Along | None = None,
    progress: Callable[[float], None] | None = None,
) -> Run:
    """Train a model, or go on where an interrupted call stopped, or return the finished run.

    The same arguments give the same bytes of model, snapshots and ledger, interrupted or not, whatever ran before in
    the same process; losses come from the ledger, never from the Trainer's returned loss, which changes on resume.

    Args:
        recipe: everything but the data.
        sequences: `.npy` file of (steps × batch, sequence_length) uint16 or int32 token ids.
        out: the run's folder: `run.json`, `ledger.jsonl`, `snapshots/step-N`, `model`, `timing.json`, `_COMPLETE`
            (written last); `checkpoints` while unfinished.
        start: folder of the start model, or of an adapter on one; None starts from fresh weights of `recipe.seed`.
        tokenizer: folder of the tokenizer saved with every model; None takes the start model's.
        along: files whose rows go along with the sequences: which tokens carry loss, pictures.
        progress: told the done fraction after every step.

    Raises:
        SpecError: the folder holds another run, start model and recipe disagree, or the loss diverged.
        DataError: sequences or tokenizer are malformed, or the ledger contradicts the statement.
        CheckpointError: the start folder holds no model.
        EnvironmentFault: a missing package or a full disk; run again to go on.
    """
    stated = statement(recipe, sequences, start, tokenizer, along)
    manifest = {"schema_version": "1.0", "recipe": recipe.as_dict(), "statement": stated.as_dict()}
    if (out / MANIFEST).exists():
        found = read_run(out)
        if found.statement != stated.as_dict():
            raise _another_run(found, stated.as_dict())
        if found.complete:
            shutil.rmtree(out / "checkpoints", ignore_errors=True)
            return found
    else:
        write_json(out / MANIFEST, manifest)
    step, resume = _prepare(out)
    began = time.monotonic()
    from shadowgraph.runs.engine import fit
    from shadowgraph.runs.session import session

    with session(recipe.threads):
        fit(
            recipe,
            read_stream(sequences, recipe, along),
            out,
            start=start,
            tokenizer=tokenizer_folder(tokenizer, start),
            resume=resume,
            progress=progress,
        )
    write_json(out / "timing.json", {"seconds": time.monotonic() - began, "steps": recipe.steps - step})
    return _finish(out)


def _prepare(out: Path) -> tuple[int, Path | None]:
    """Bring a run's folder back to its latest resume point; returns its step and folder, (0, None) at the start."""
    step, resume = choose_resume_point(out / "checkpoints", len(Ledger(out / LEDGER).rows()))
    cut_ledger(out / LEDGER, step)
    drop_snapshots_after(out / "snapshots", step)
    return step, resume


def _finish(out: Path) -> Run:
    """Check the ledger, mark the run complete, drop its resume points."""
    run = read_run(out)
    check_ledger(run)
    folders = {"model": run.model, **{f"snapshots/step-{step}": path for step, path in run.snapshots.items()}}
    digests = {
        f"{name}/{file.name}": file_digest(file)
        for name, path in folders.items()
        for file in sorted(path.glob("*.safetensors"))
    }
    write_json(out / COMPLETE, {**digests, LEDGER: file_digest(run.ledger)})
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    return read_run(out)


def _another_run(found: Run, stated: Mapping[str, Json]) -> SpecError:
    """The error for a folder that holds a run of another statement."""
    keys = [*stated, *found.statement]
    key = next(key for key in keys if plain(stated.get(key)) != found.statement.get(key))
    return SpecError(
        f"the folder holds another run: {key} differs", where=str(found.path), hint="choose another folder or empty it"
    )
