"""lm-eval in this process: items in, log-likelihoods out.

Here live: loading a model, tasks that hold their items in memory, one quiet evaluation over all splits.
Not here: what a log-likelihood means (`score`). This module imports torch, transformers and lm-eval.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import logging
import random
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import datasets
import lm_eval.api.task
import numpy as np
import torch
import transformers
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from transformers.utils import logging as transformers_logging

from shadowgraph.errors import CheckpointError, Defect
from shadowgraph.scores.suite import PREFIX, task_config

_HFLM: Any = HFLM  # its registering decorator hides the type


class QuietLM(_HFLM):
    """lm-eval's own Hugging Face model without a progress bar, encoding each text once."""

    def __init__(self, **kwargs: Any) -> None:
        self._encoded = lru_cache(maxsize=None)(super().tok_encode)
        super().__init__(**kwargs)

    def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> Any:
        """Log-likelihoods as the parent computes them, silently."""
        return super().loglikelihood(requests, disable_tqdm=True)

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        """Encode as the parent does; the four continuations of an item share one encoded context."""
        return list(self._encoded(string, add_special_tokens, **kwargs))


def load(folder: Path) -> tuple[Any, Any]:
    """Load model (float32, evaluation mode) and tokenizer from a local folder.

    Parameters are copied into memory of torch's own alignment, since products may differ in the last bit between
    alignments.

    Raises:
        CheckpointError: when either cannot be loaded.
    """
    try:
        module: Any = transformers.AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot be loaded ({str(error).splitlines()[0]})", where=str(folder)) from error
    for parameter in module.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    return module.eval(), tokenizer


def loglikelihoods(
    module: Any, tokenizer: Any, items: Mapping[str, Sequence[Mapping[str, Any]]], batch: int
) -> dict[str, list[tuple[float, ...]]]:
    """Log-likelihood of every continuation of every item.

    Args:
        module: a Hugging Face causal language model.
        tokenizer: its tokenizer.
        items: for each split its items (see `suite`).
        batch: requests a forward pass.

    Returns:
        For each split, in the order given, one tuple an item: nats, in the order of its continuations.

    Raises:
        Defect: when lm-eval returns nothing.
    """
    model = QuietLM(pretrained=module, tokenizer=tokenizer, batch_size=batch, backend="causal")
    tasks = {split: _task(split, rows) for split, rows in items.items()}
    results: Any = evaluate(
        lm=model,
        task_dict={"tasks": {PREFIX + split: task for split, task in tasks.items()}, "groups": {}, "group_map": {}},
        bootstrap_iters=0,
        log_samples=True,
    )
    if results is None:
        raise Defect("lm-eval gave no result", where="scores")
    return {split: [_values(sample) for sample in results["samples"][PREFIX + split]] for split in items}


@contextmanager
def quiet(threads: int) -> Generator[None]:
    """Run with `threads` threads, without chatter and gradients; restore the process on the way out."""
    task_module: Any = lm_eval.api.task
    python, legacy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    before, chatter = torch.get_num_threads(), logging.getLogger("lm_eval")
    level, bars, bar = chatter.level, transformers_logging.is_progress_bar_enabled(), task_module.tqdm
    verbosity = transformers_logging.get_verbosity()
    torch.set_num_threads(threads)
    chatter.setLevel(logging.ERROR)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    task_module.tqdm = partial(bar, disable=True)
    try:
        with torch.inference_mode():
            yield
    finally:
        task_module.tqdm = bar
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
        chatter.setLevel(level)
        torch.set_num_threads(before)
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        torch.set_rng_state(cpu)


def _task(split: str, rows: Sequence[Mapping[str, Any]]) -> Any:
    """The split's lm-eval task with its items in memory: no cache folder, no file lock."""
    config = task_config(split, "")
    config.pop("dataset_kwargs")
    held = {"test": datasets.Dataset.from_list([dict(row) for row in rows])}
    config["custom_dataset"] = lambda **_: held  # pyright: ignore[reportUnknownLambdaType]
    task = ConfigurableTask(config=config)
    task.set_fewshot_seed(0)
    return task


def _values(sample: Mapping[str, Any]) -> tuple[float, ...]:
    """Log-likelihoods of a logged sample, in the order of its continuations."""
    return tuple(float(value) for value, _greedy in sample["filtered_resps"])
