"""The weights of our own runs at chosen steps.

Here live: the Trainer callback that keeps snapshots, and the one way a model or adapter is saved.
Not here: readings of anybody's training (`callback`), resume points (`engine`). This module imports transformers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from shadowgraph.artifact import read_object, write_json
from shadowgraph.runs.folder import copy_tokenizer, whole_folder
from shadowgraph.runs.model import ADAPTER_CONFIG

logger = logging.getLogger(__name__)


class SnapshotCallback(TrainerCallback):
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
    """Save a model as a Hugging Face folder, or an adapter as a PEFT folder (safetensors), atomically.

    The tokenizer's files go along, if any.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder) as temporary:
        model.save_pretrained(temporary)
        copy_tokenizer(tokenizer, temporary)
        if (temporary / ADAPTER_CONFIG).is_file():
            # What peft adds or leaves to the order of a set would differ between two runs of the same statement.
            (temporary / "README.md").unlink(missing_ok=True)
            config = read_object(temporary / ADAPTER_CONFIG)
            targets = config.get("target_modules")
            config["target_modules"] = sorted(str(name) for name in targets) if isinstance(targets, list) else targets
            write_json(temporary / ADAPTER_CONFIG, config)
