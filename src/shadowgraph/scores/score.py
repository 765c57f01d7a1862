"""Scoring a model on a suite.

Here live: the public call, from a model's folder or a live module to one score an item.
Not here: lm-eval itself (`harness`), summaries and files (`item`).
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from shadowgraph.errors import CheckpointError, Defect, require
from shadowgraph.scores.item import ItemScore
from shadowgraph.scores.suite import Suite, read_suite


def score(model_dir: Path | str, suite_dir: Path | str, *, batch: int = 16, threads: int = 1) -> list[ItemScore]:
    """Score a saved model on every split of a suite, offline, by log-likelihood.

    The engine is lm-eval, in this process; nothing of an earlier call is kept that could change a result.

    Args:
        model_dir: folder of a causal language model with its tokenizer.
        suite_dir: folder written by `write_suite`.
        batch: requests a forward pass; may change the last digits.
        threads: threads used.

    Returns:
        One score an item, splits and items in the order of the suite.

    Raises:
        CheckpointError: when the folder holds no model or no tokenizer.
        DataError: when the suite was changed.
        EnvironmentFault: when lm-eval, transformers or torch is missing.
    """
    _ready()
    model_dir = Path(model_dir)
    suite = read_suite(Path(suite_dir))
    if not (model_dir / "tokenizer.json").is_file() and not (model_dir / "tokenizer_config.json").is_file():
        raise CheckpointError("no tokenizer", where=str(model_dir), hint="save the tokenizer beside the model")
    from shadowgraph.scores.harness import load, quiet

    with quiet(threads):
        module, tokenizer = load(model_dir)
        return _score(module, tokenizer, suite, batch)


def score_module(module: Any, tokenizer: Any, suite: Suite, *, batch: int = 16, threads: int = 1) -> list[ItemScore]:
    """Score a live Hugging Face module; it is left in evaluation mode.

    Args:
        module: a causal language model.
        tokenizer: its tokenizer.
        suite: from `write_suite` or `read_suite`.
        batch: requests a forward pass; may change the last digits.
        threads: threads used.

    Returns:
        One score an item, splits and items in the order of the suite.

    Raises:
        DataError: when a split's file is malformed.
        EnvironmentFault: when lm-eval, transformers or torch is missing.
    """
    _ready()
    from shadowgraph.scores.harness import quiet

    with quiet(threads):
        return _score(module, tokenizer, suite, batch)


def _ready() -> None:
    """Demand the packages and forbid the network, before their first import."""
    for module in ("torch", "transformers", "lm_eval"):
        require(module, "eval")
    for key in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        os.environ.setdefault(key, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def _score(module: Any, tokenizer: Any, suite: Suite, batch: int) -> list[ItemScore]:
    """Ask the harness for log-likelihoods and turn them into scores."""
    from shadowgraph.scores.harness import loglikelihoods

    items = {split: suite.items(split) for split in suite.splits}
    found = loglikelihoods(module, tokenizer, items, batch)
    return [
        _item_score(split, row, values)
        for split, rows in items.items()
        for row, values in zip(rows, found[split], strict=True)
    ]


def _item_score(split: str, row: dict[str, Any], values: tuple[float, ...]) -> ItemScore:
    """Score one item from the log-likelihoods (nats) of its continuations."""
    gold = int(row["gold"])
    if not all(math.isfinite(value) for value in values):
        raise Defect("a log-likelihood is not finite", where=f"split {split!r} item {row['id']!r}")
    rival = max(value for index, value in enumerate(values) if index != gold)
    return ItemScore(
        id=row["id"],
        split=split,
        family=row["family"],
        group=row["group"],
        correct=values.index(max(values)) == gold,
        bits_per_byte=-values[gold] / math.log(2) / len(row["continuations"][gold].encode()),
        margin=values[gold] - rival,
        loglikelihoods=values,
    )
