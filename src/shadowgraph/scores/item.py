"""Scores of items, as a table and as a summary.

Here live: the score of one item, the summary of a split, and Parquet in and out.
Not here: how a score comes about (`outcome`, `score`).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from shadowgraph.artifact import whole
from shadowgraph.errors import DataError
from shadowgraph.scores.calibration import brier, calibration_error, softmax
from shadowgraph.scores.row import Kind

_FIRST = ("id", "split", "family", "group", "correct", "bits_per_byte", "margin", "loglikelihoods")  # version 1.0


@dataclass(frozen=True, slots=True)
class ItemScore:
    """What a model made of one item. A number that its kind does not have is None.

    Attributes:
        id: the item.
        split: its split.
        family: its family.
        group: its cluster.
        correct: choice: the gold continuation has the highest log-likelihood, the first of equals counting; generate:
            the reply, read as the row says, is one of the accepted answers.
        bits_per_byte: −log₂ p(gold | context) / UTF-8 bytes of gold; 0 … ∞, lower = better. Gold is the gold
            continuation, or the first accepted answer.
        margin: choice: log-likelihood of gold minus that of the best other continuation, nats.
        loglikelihoods: of all continuations, or of the first accepted answer, nats.
        correct_normalised: choice: the gold continuation has the highest log-likelihood per character.
        probability: choice: of gold, 0 … 1, by softmax over the log-likelihoods.
        reply: generate: what the model wrote, whole.
        kind: "choice" or "generate".
        form: the dress of the item, "original" where the suite names none.
        source: the question behind it, its id where the suite names none.
    """

    id: str
    split: str
    family: str
    group: str
    correct: bool
    bits_per_byte: float | None
    margin: float | None
    loglikelihoods: tuple[float, ...]
    correct_normalised: bool | None = None
    probability: float | None = None
    reply: str = ""
    kind: Kind = "choice"
    form: str = "original"
    source: str = ""


@dataclass(frozen=True, slots=True)
class SplitScore:
    """Summary of a split; a number that its kind does not have is None.

    Attributes:
        split: its name.
        items: number of items.
        accuracy: share of correct items, 0 … 1; of a generate split the exact match.
        bits_per_byte: mean bits per byte of gold; lower = better.
        margin: choice: mean margin, nats.
        chance: choice: mean of 1 / continuations, the accuracy of a blind guess.
        above_chance: choice: (accuracy − chance) / (1 − chance), 0 = a blind guess, 1 = all right; negative below it.
        accuracy_normalised: choice: share of items correct per character.
        exact_match: generate: share of replies that are an accepted answer.
        calibration_error: choice: see `calibration.calibration_error`, 0 … 1, lower = better.
        calibration_bins: choice: number of its bins.
        brier: choice: mean over items of Σ (pᵢ − [i is gold])², 0 … 2, lower = better (Brier 1950).
        kind: "choice" or "generate".
    """

    split: str
    items: int
    accuracy: float
    bits_per_byte: float | None
    margin: float | None
    chance: float | None
    accuracy_normalised: float | None = None
    exact_match: float | None = None
    calibration_error: float | None = None
    calibration_bins: int | None = None
    brier: float | None = None
    kind: Kind = "choice"
    above_chance: float | None = None


def summarise(scores: Iterable[ItemScore]) -> list[SplitScore]:
    """Means over the items of each split, in order of first appearance."""
    splits: dict[str, list[ItemScore]] = {}
    for item in scores:
        splits.setdefault(item.split, []).append(item)
    return [_summary(split, items) for split, items in splits.items()]


def write_scores(scores: Sequence[ItemScore], path: Path) -> None:
    """Write scores as Parquet, one row an item, atomically; equal scores give equal bytes."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema()
    columns: dict[str, list[Any]] = {name: [getattr(item, name) for item in scores] for name in schema.names}
    with whole(path) as temporary:
        parquet.write_table(pa.table(columns, schema=schema), temporary)


def read_scores(path: Path) -> list[ItemScore]:
    """Read scores back; a table of version 1.0 holds choice rows without what came later.

    Raises:
        DataError: when the file is missing, no Parquet, or has other columns.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error
    if table.schema.names not in (_schema().names, list(_FIRST)):
        raise DataError("other columns than scores have", where=str(path))
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        row["loglikelihoods"] = tuple(row["loglikelihoods"])
        row.setdefault("source", row["id"])
    return [ItemScore(**row) for row in rows]


def _summary(split: str, items: Sequence[ItemScore]) -> SplitScore:
    """Summary of the items of one split."""
    accuracy = fmean(item.correct for item in items)
    bits = _mean([item.bits_per_byte for item in items])
    if items[0].kind == "generate":
        return SplitScore(split, len(items), accuracy, bits, None, None, exact_match=accuracy, kind="generate")
    odds = [softmax(item.loglikelihoods) for item in items]
    error, bins = calibration_error([max(one) for one in odds], [item.correct for item in items])
    known = [item.probability for item in items]
    chance = fmean(1 / len(item.loglikelihoods) for item in items)
    return SplitScore(
        split=split,
        items=len(items),
        accuracy=accuracy,
        bits_per_byte=bits,
        margin=_mean([item.margin for item in items]),
        chance=chance,
        above_chance=(accuracy - chance) / (1 - chance) if chance < 1 else None,
        accuracy_normalised=_mean([item.correct_normalised for item in items]),
        calibration_error=error,
        calibration_bins=bins,
        brier=_mean([None if p is None else brier(one, p) for one, p in zip(odds, known, strict=True)]),
    )


def _mean(values: Sequence[float | bool | None]) -> float | None:
    """Mean, or None when any is missing."""
    known = [float(value) for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _schema() -> Any:
    """Columns of a score table."""
    import pyarrow as pa

    texts = {name: pa.string() for name in ("id", "split", "family", "group")}
    numbers = {"correct": pa.bool_(), "bits_per_byte": pa.float64(), "margin": pa.float64()}
    values = {"loglikelihoods": pa.list_(pa.float64())}
    later = {"correct_normalised": pa.bool_(), "probability": pa.float64()}
    words = {name: pa.string() for name in ("reply", "kind", "form", "source")}
    return pa.schema([*({**texts, **numbers, **values, **later, **words}).items()])
