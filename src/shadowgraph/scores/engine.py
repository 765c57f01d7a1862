"""Anything that gives log-likelihoods and continuations.

Here live: the protocol every engine keeps, the ways a model is named, and the check of what an engine answers.
Not here: lm-eval in this process (`harness`), what becomes of the answers (`score`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from shadowgraph.errors import CheckpointError, Defect, printable
from shadowgraph.identity import Json
from shadowgraph.scores.row import Row

Progress = Callable[[float], None]  # told the share done, 0 … 1


@runtime_checkable
class Engine(Protocol):
    """Anything that gives log-likelihoods and continuations."""

    @property
    def name(self) -> str:
        """What to call it in a table."""
        ...

    @property
    def identity(self) -> dict[str, Json]:
        """What is being scored, for the manifest: equal identities may share finished splits."""
        ...

    def loglikelihoods(self, split: str, rows: Sequence[Row]) -> list[tuple[float, ...]]:
        """Log-likelihood (nats) of every continuation of every row after its context, in the order given."""
        ...

    def replies(self, split: str, rows: Sequence[Row]) -> list[str]:
        """What follows the context of every row, greedily, up to the first of its `until`."""
        ...


@runtime_checkable
class Seeing(Protocol):
    """An engine that shows its model the pictures of rows."""

    pictures: Path


@runtime_checkable
class Watched(Protocol):
    """An engine that tells which share of a call is done."""

    watch: Progress | None


def ask_loglikelihoods(engine: Engine, split: str, rows: Sequence[Row]) -> list[tuple[float, ...]]:
    """Log-likelihoods from an engine, checked.

    Raises:
        Defect: when it gives another number of them than it was asked for.
        CheckpointError: when one is no finite number; names the item.
    """
    found = engine.loglikelihoods(split, rows)
    if [len(values) for values in found] != [len(row["continuations"]) for row in rows]:
        raise Defect("the engine gave another number of log-likelihoods", where=f"{engine.name} split {split!r}")
    for row, values in zip(rows, found, strict=True):
        if not all(math.isfinite(value) for value in values):
            raise CheckpointError(
                "the model gives a log-likelihood that is not a finite number",
                where=f"{engine.name} split {split!r} item {printable(str(row['id']))!r}",
                hint="check its weights for values that are not finite",
            )
    return found


def ask_replies(engine: Engine, split: str, rows: Sequence[Row]) -> list[str]:
    """Replies from an engine, checked.

    Raises:
        Defect: when it gives another number of them than it was asked for.
    """
    found = engine.replies(split, rows)
    if len(found) != len(rows):
        raise Defect("the engine gave another number of replies", where=f"{engine.name} split {split!r}")
    return found
