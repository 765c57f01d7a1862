"""The Hugging Face Trainer, set up so that the same inputs give the same bytes.

Here live: the Trainer's arguments, the order of data, the ledger and the sealing of resume points.
Not here: what a run's folder means (`train`, `run`). This module imports torch and transformers.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from shadowgraph.artifact import Ledger
from shadowgraph.errors import DataError, EnvironmentFault, SpecError, printable
from shadowgraph.runs.folder import seal
from shadowgraph.runs.model import initial_model, is_adapter, load_model
from shadowgraph.runs.optimisers import optimiser_of
from shadowgraph.runs.penalty import Penalty, penalty_of
from shadowgraph.runs.recipe import Recipe
from shadowgraph.runs.run import LEDGER
from shadowgraph.runs.sequences import Stream, batch_digest, consumption_order
from shadowgraph.runs.snapshots import SnapshotCallback, save_model


class Positions(torch.utils.data.Dataset[int]):
    """The positions 0 … n − 1; the collator turns them into rows, a whole batch at a time."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        """Number of positions."""
        return self.count

    def __getitem__(self, index: int) -> int:
        """The position itself."""
        return index


class RecordingTrainer(Trainer):
    """A Trainer that remembers the digest of the batch it really trained on, and adds a penalty where there is one.

    The loss that it logs is that of the data alone; the norm of the gradient is that of the sum.
    """

    consumed: str = ""
    penalty: Penalty | None = None
    added: float = 0.0  # value of the penalty before the step
    masked: bool = False  # labels differ from ids
    recipe: Recipe

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The recipe's optimiser where it is not the Trainer's own."""
        if self.optimizer is None:
            known: Any = self.model if model is None else model
            self.optimizer = optimiser_of(self.recipe, known, set(self.get_decay_parameter_names(known)))
        return super().create_optimizer(model)

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        """Digest the batch, then train on it."""
        along = [inputs["labels"]] if self.masked else []
        along += [inputs["pixel_values"]] if "pixel_values" in inputs else []
        self.consumed = batch_digest(inputs["input_ids"].numpy(), *(part.numpy() for part in along))
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.penalty is not None:
            self.added = self.penalty.add()
        return loss

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load a resume point by its stored names.

        The Trainer's own way passes over tensors whose names or shapes in memory differ from those stored (towers,
        stacked experts) and would go on from the start weights there.
        """
        folder = Path(resume_from_checkpoint)
        if is_adapter(folder):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            network: Any = self.model
            network.load_state_dict(load_model(folder).state_dict())


class LedgerCallback(TrainerCallback):
    """Writes one ledger row a step from the log history, seals resume points, tells progress.

    A loss that is not finite stops the training; `diverged` then holds the step.
    """

    def __init__(self, recipe: Recipe, out: Path, progress: Callable[[float], None] | None) -> None:
        self.recipe = recipe
        self.rows = Ledger(out / LEDGER)
        self.progress = progress
        self.trainer: RecordingTrainer | None = None
        self.diverged: int | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Add the row of the step just made; called before a resume point is saved."""
        if logs is None or "loss" not in logs or self.trainer is None:
            return
        if not (math.isfinite(logs["loss"]) and math.isfinite(logs["grad_norm"])):
            self.diverged = state.global_step
            control.should_training_stop = True
            control.should_save = False
            return
        self.rows.append(
            {
                "step": state.global_step,
                "tokens": state.global_step * self.recipe.batch * self.recipe.sequence_length,
                "batch": self.trainer.consumed,
                "loss": float(logs["loss"]),
                "learning_rate": float(logs["learning_rate"]),
                "grad_norm": float(logs["grad_norm"]),
                **({} if self.trainer.penalty is None else {"penalty": self.trainer.added}),
            }
        )
        if self.progress is not None:
            self.progress(state.global_step / self.recipe.steps)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Seal the resume point just written."""
        seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def fit(
    recipe: Recipe,
    stream: Stream,
    out: Path,
    *,
    start: Path | None,
    tokenizer: Path | None,
    resume: Path | None,
    progress: Callable[[float], None] | None,
) -> None:
    """Train, from `resume` if given, and save snapshots, ledger rows and the final model under `out`.

    Args:
        recipe: everything but the data.
        stream: what it consumes, as `read_stream` gives it.
        out: the run's folder.
        start: folder of the start model, or None for fresh weights.
        tokenizer: folder whose tokenizer files are saved with every model, or None.
        resume: a sealed resume point, or None to begin.
        progress: told the done fraction after every step, or None.

    Raises:
        SpecError: when the loss is no longer finite.
        DataError: when the model refuses the pictures.
        EnvironmentFault: when the disk refuses a write.
    """
    model = initial_model(recipe, start)
    collate = _collator(stream, consumption_order(recipe))
    if stream.pictures is not None:
        _try_pictures(model, collate([0]))
    ledger = LedgerCallback(recipe, out, progress)
    snapshots = SnapshotCallback(out / "snapshots", recipe.snapshots, tokenizer)
    trainer = RecordingTrainer(
        model=model,
        args=trainer_arguments(recipe, out / "checkpoints"),
        data_collator=collate,
        train_dataset=cast("Any", Positions(len(stream.ids))),
        callbacks=[snapshots, ledger],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.masked, trainer.recipe = stream.labels is not None, recipe
    trainer.penalty, ledger.trainer = penalty_of(recipe, model), trainer  # before a resume point is loaded
    try:
        trainer.train(resume_from_checkpoint=str(resume) if resume is not None else None)
        if ledger.diverged is None and not snapshots.faults:
            save_model(model, out / "model", tokenizer)
    except (OSError, SafetensorError) as error:
        raise EnvironmentFault(
            f"a file could not be written ({error})", where=str(out), hint="free space, then run the same command again"
        ) from error
    if ledger.diverged is not None:
        raise SpecError(
            f"the loss is not finite at step {ledger.diverged}", where="recipe.learning_rate", hint="lower it"
        )
    if snapshots.faults:
        raise EnvironmentFault(
            f"a snapshot could not be written ({snapshots.faults[0]})",
            where=str(out),
            hint="free space, then run the same command again",
        )


def _collator(stream: Stream, order: NDArray[np.int64]) -> Callable[[Sequence[int]], dict[str, torch.Tensor]]:
    """A collator from positions to a batch; where all tokens carry loss, labels are the ids, the model shifts them."""

    def collate(positions: Sequence[int]) -> dict[str, torch.Tensor]:
        rows = order[np.asarray(positions)]
        ids = torch.from_numpy(stream.ids[rows].astype(np.int64))
        batch = {"input_ids": ids, "labels": ids if stream.labels is None else torch.from_numpy(stream.labels[rows])}
        pictures = stream.pixels(rows)
        if pictures is not None:
            batch["pixel_values"] = torch.from_numpy(pictures.reshape(-1, *pictures.shape[2:]))
        return batch

    return collate


def _try_pictures(model: Any, row: dict[str, torch.Tensor]) -> None:
    """Show the model one row, so that pictures of the wrong form are refused before the training."""
    try:
        with torch.inference_mode():
            model(**{name: value for name, value in row.items() if name != "labels"}, use_cache=False)
    except (ValueError, TypeError, RuntimeError) as error:
        words = " ".join(str(error).split())
        raise DataError(f"the model refuses the pictures ({printable(words)})", where="pictures") from error


def trainer_arguments(recipe: Recipe, checkpoints: Path) -> TrainingArguments:
    """The Trainer's arguments: a loss every step, sequential rows, no reporting, no network."""
    return TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=recipe.steps,
        per_device_train_batch_size=recipe.batch,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup_steps,
        weight_decay=recipe.weight_decay,
        adam_beta1=recipe.adam_betas[0],
        adam_beta2=recipe.adam_betas[1],
        adam_epsilon=recipe.adam_epsilon,
        max_grad_norm=recipe.max_grad_norm,
        optim="adamw_torch",
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=recipe.checkpoint_every,
        save_total_limit=2,
        train_sampling_strategy="sequential",
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        seed=recipe.seed,
        data_seed=recipe.order_seed,
        log_level="error",
        push_to_hub=False,
    )
