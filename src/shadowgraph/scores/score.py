"""Scoring a model.

Here live: the public call, from a model and a suite or tasks of lm-eval to one score an item.
Not here: the engines (`engine`, `harness`), what an answer is worth (`outcome`), tables
(`item`), resuming (`part`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from shadowgraph.errors import SpecError, require
from shadowgraph.identity import file_digest, fingerprint
from shadowgraph.scores.engine import Engine, Progress, Seeing, Watched, ask_loglikelihoods, ask_replies
from shadowgraph.scores.item import ItemScore
from shadowgraph.scores.outcome import chosen, generated
from shadowgraph.scores.part import Part, run
from shadowgraph.scores.row import Row, golden, kind_of
from shadowgraph.scores.suite import Suite, read_suite


def score(
    model: Path | str | Engine,
    suite_dir: Path | str | None = None,
    *,
    tasks: Sequence[str] = (),
    include: Path | str | None = None,
    batch: int = 16,
    threads: int = 1,
    share: bool = False,
    folder: Path | str | None = None,
    progress: Progress | None = None,
) -> list[ItemScore]:
    """Score a model on every split of a suite, on tasks that lm-eval knows by name, or on both; offline.

    Of a model's folder the engine is lm-eval, in this process, one call a split, or `VisionEngine` where the suite has
    pictures; nothing of an earlier call is kept that could change a result.

    Args:
        model: folder of a language model with its tokenizer, or any `Engine`.
        suite_dir: folder written by `write_suite`.
        tasks: names of lm-eval tasks or groups whose data lie on this machine; a task becomes a split of its name.
        include: folder with lm-eval task files of your own; without it the tasks that come with lm-eval.
        batch: requests a forward pass; may change the last digits.
        threads: threads used.
        share: compute the context of an item's continuations once: faster, and the last digits may differ.
        folder: keeps each finished split as Parquet, so that a killed scoring goes on and gives the same bytes.
        progress: told the share done, 0 … 1.

    Returns:
        One score an item, splits and items in the order of the suite, then the tasks.

    Raises:
        SpecError: when there is nothing to score, or a task has no such name.
        CheckpointError: when the folder holds no model or no tokenizer; says why.
        DataError: when the suite was changed, a text does not fit the model, or `folder` holds other scores.
        EnvironmentFault: when lm-eval, transformers or torch is missing, or a task's data are not on this machine.
    """
    if suite_dir is None and not tasks:
        raise SpecError("neither a suite nor a task to score", where="score")
    suite = None if suite_dir is None else read_suite(Path(suite_dir))
    engine: Engine
    if isinstance(model, Path | str) and suite is not None and suite.pictures and not tasks:
        from shadowgraph.scores.vision import VisionEngine

        engine = VisionEngine(model, suite.path, batch=batch, threads=threads)
    elif isinstance(model, Path | str):
        ready()
        from shadowgraph.scores.harness import ModelEngine

        engine = ModelEngine.open(Path(model), batch=batch, threads=threads, share=share)
    else:
        engine = model
    parts = [] if suite is None else _suite_parts(engine, suite)
    if tasks:
        from shadowgraph.scores.named import task_parts

        ready()
        parts += task_parts(engine, tasks, None if include is None else Path(include))
    return run(engine, parts, None if folder is None else Path(folder), progress)


def score_module(
    module: Any, tokenizer: Any, suite: Suite, *, batch: int = 16, threads: int = 1, share: bool = False
) -> list[ItemScore]:
    """Score a live Hugging Face module; it is left in evaluation mode.

    Args:
        module: a language model.
        tokenizer: its tokenizer.
        suite: from `write_suite` or `read_suite`.
        batch: requests a forward pass; may change the last digits.
        threads: threads used.
        share: compute the context of an item's continuations once.

    Returns:
        One score an item, splits and items in the order of the suite.

    Raises:
        DataError: when a split's file is malformed.
        EnvironmentFault: when lm-eval, transformers or torch is missing.
    """
    ready()
    from shadowgraph.scores.harness import ModelEngine

    engine = ModelEngine(module, tokenizer, batch=batch, threads=threads, share=share)
    return run(engine, _suite_parts(engine, suite), None, None)


def ready() -> None:
    """Demand the packages and forbid the network, before their first import."""
    for module in ("torch", "transformers", "lm_eval"):
        require(module, "eval")
    for key in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        os.environ.setdefault(key, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def _suite_parts(engine: Engine, suite: Suite) -> list[Part]:
    """One part a split."""
    if suite.pictures and not isinstance(engine, Seeing):
        found = "its questions are about pictures, which this model is not shown"
        hint = "give a model that looks at pictures, and no tasks beside it"
        raise SpecError(found, where=str(suite.path), hint=hint)

    def part(split: str, size: int) -> Part:
        return Part(
            split,
            size,
            fingerprint([file_digest(suite.path / f"{split}.jsonl"), *([suite.pictures] if suite.pictures else [])]),
            lambda tell: _split(engine, split, suite.items(split), tell),
        )

    return [part(split, size) for split, size in suite.splits.items()]


def _split(engine: Engine, split: str, rows: Sequence[Row], tell: Progress) -> list[ItemScore]:
    """Score the rows of one split, which are of one kind."""
    if kind_of(rows[0]) == "choice":
        _watch(engine, tell)
        found = ask_loglikelihoods(engine, split, rows)
        return [chosen(split, row, values) for row, values in zip(rows, found, strict=True)]
    _watch(engine, lambda share: tell(0.9 * share))
    replies = ask_replies(engine, split, rows)
    _watch(engine, lambda share: tell(0.9 + 0.1 * share))
    bits = ask_loglikelihoods(engine, split, [golden(row) for row in rows])
    return [generated(split, *asked) for asked in zip(rows, replies, bits, strict=True)]


def _watch(engine: Engine, tell: Callable[[float], None]) -> None:
    """Let an engine that can tell how far it is tell it to `tell`."""
    if isinstance(engine, Watched):
        engine.watch = tell
