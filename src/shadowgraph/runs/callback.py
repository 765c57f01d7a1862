"""A Trainer callback that keeps snapshots of the weights for later footprints.

Here live: the public callback for anyone's Trainer.
Not here: the ledger and resume points of our own runs (see `engine`). This module imports transformers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from shadowgraph.runs.folder import copy_tokenizer, whole_folder

logger = logging.getLogger(__name__)


class ShadowgraphCallback(TrainerCallback):
    """Saves the model as `folder/step-N` after chosen steps, on rank zero; never raises into the training.

    Args:
        folder: receives one model folder a snapshot.
        steps: optimiser steps after which weights are kept.
        tokenizer: folder whose tokenizer files go along, or None.

    Attributes:
        faults: errors met while writing; the training went on without these snapshots.
    """

    def __init__(self, folder: Path, steps: Iterable[int], tokenizer: Path | None = None) -> None:
        self.folder = folder
        self.steps = frozenset(steps)
        self.tokenizer = tokenizer
        self.faults: list[OSError] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep the weights when the step is due; called after the optimiser's step."""
        if state.global_step not in self.steps or not state.is_world_process_zero:
            return
        try:
            save_model(kwargs["model"], self.folder / f"step-{state.global_step}", self.tokenizer)
        except OSError as error:
            self.faults.append(error)
            logger.warning("snapshot of step %d was not written: %s", state.global_step, error)


def save_model(model: Any, folder: Path, tokenizer: Path | None) -> None:
    """Save a model as a Hugging Face folder (safetensors), atomically, with the tokenizer's files if any."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder) as temporary:
        model.save_pretrained(temporary)
        copy_tokenizer(tokenizer, temporary)
