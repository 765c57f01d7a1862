"""Scores of items, as a table and as a summary.

Here live: the score of one item, Parquet in and out, and the summary of a split.
Not here: how a score comes about (`score`).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadowgraph.artifact import whole
from shadowgraph.errors import DataError


@dataclass(frozen=True, slots=True)
class ItemScore:
    """What a model made of one item.

    Attributes:
        id: the item.
        split: its split.
        family: its family.
        group: its cluster.
        correct: whether the gold continuation has the highest log-likelihood.
        bits_per_byte: −log₂ p(gold continuation | context) / its UTF-8 bytes; 0 … ∞, lower = better.
        margin: log-likelihood of gold minus that of the best other continuation, nats.
        loglikelihoods: of all continuations, nats.
    """

    id: str
    split: str
    family: str
    group: str
    correct: bool
    bits_per_byte: float
    margin: float
    loglikelihoods: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SplitScore:
    """Summary of a split: number of items, mean accuracy, bits per byte and margin, accuracy by chance."""

    split: str
    items: int
    accuracy: float
    bits_per_byte: float
    margin: float
    chance: float


def summarise(scores: Iterable[ItemScore]) -> list[SplitScore]:
    """Means over the items of each split, in order of first appearance; chance is the mean of 1 / continuations."""
    splits: dict[str, list[ItemScore]] = {}
    for item in scores:
        splits.setdefault(item.split, []).append(item)
    return [
        SplitScore(
            split=split,
            items=len(items),
            accuracy=sum(item.correct for item in items) / len(items),
            bits_per_byte=sum(item.bits_per_byte for item in items) / len(items),
            margin=sum(item.margin for item in items) / len(items),
            chance=sum(1 / len(item.loglikelihoods) for item in items) / len(items),
        )
        for split, items in splits.items()
    ]


def write_scores(scores: Sequence[ItemScore], path: Path) -> None:
    """Write scores as Parquet, one row an item, atomically; equal scores give equal bytes."""
    from pyarrow import parquet

    schema = _schema()
    columns: dict[str, list[Any]] = {name: [getattr(item, name) for item in scores] for name in schema.names}
    import pyarrow as pa

    with whole(path) as temporary:
        parquet.write_table(pa.table(columns, schema=schema), temporary)


def read_scores(path: Path) -> list[ItemScore]:
    """Read scores back.

    Raises:
        DataError: when the file is missing, no Parquet, or has other columns.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error
    if table.schema.names != _schema().names:
        raise DataError("other columns than scores have", where=str(path))
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        row["loglikelihoods"] = tuple(row["loglikelihoods"])
    return [ItemScore(**row) for row in rows]


def _schema() -> Any:
    """Columns of a score table."""
    import pyarrow as pa

    text = {name: pa.string() for name in ("id", "split", "family", "group")}
    numbers = {"correct": pa.bool_(), "bits_per_byte": pa.float64(), "margin": pa.float64()}
    return pa.schema([*({**text, **numbers}).items(), ("loglikelihoods", pa.list_(pa.float64()))])
