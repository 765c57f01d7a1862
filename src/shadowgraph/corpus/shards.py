"""Shards: how a corpus is cut for merging, and what its parts say about the whole.

Here live: the shard of a document, the estimate with its interval, the bootstrap over shards, surprise.
Not here: what is estimated.

A document's shard is decided by its parent's id, so the pieces of one book stay together and count as one unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator

SHARDS = 32
FEW_SHARDS = 8
DRAWS = 200
LEVEL = 0.95


def shard_of(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(n,) the shard, 0 … 31, of documents with these keys (`Batch.keys`)."""
    return (keys >> np.uint64(59)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number about a corpus with an interval, or the reason why there is none.

    Attributes:
        value: the number, None unless the status is "ok" or "few_shards".
        status: "ok"; "few_shards": a number without an interval, too few shards hold documents; "empty": nothing to
            measure; "no_target": the benchmark has no part to compare with; "no_anchors": no held-out documents were
            given; "few_words": fewer words than the size the number is stated at; "no_repeats": nothing occurs twice;
            "no_zstandard": the extra `corpus` is not installed; "no_base": no reference was given.
        low: lower end of the 95 % interval of the bootstrap over shards, None without one.
        high: upper end.
        shards: shards that hold documents.
    """

    value: float | None
    status: str = "ok"
    low: float | None = None
    high: float | None = None
    shards: int = 0

    def __post_init__(self) -> None:
        """Hold value and status together.

        Raises:
            Defect: a number with a status that has none, or one that is not finite.
        """
        numbers = [number for number in (self.value, self.low, self.high) if number is not None]
        if not np.isfinite(numbers).all() or (self.value is None) == (self.status in {"ok", "few_shards"}):
            raise Defect(f"an estimate of {self.value} cannot have the status {self.status!r}")


def estimate(
    sizes: NDArray[np.int64],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    label: str,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """A number and its interval over resampled shards.

    Shards that hold documents are drawn with replacement, `DRAWS` times; the statistic is recomputed from weighted
    sums. The percentiles are moved so that the mean of the draws falls on the value: a resample lacks a third of the
    shards, and so of the rare words, which bends divergences one way. The interval speaks of documents exchanged for
    others of the same sources, not of other sources.

    Args:
        sizes: (S,) documents of each shard.
        statistic: from weights (B, S) to B values; the first row is all ones.
        label: what is estimated; names the stream of random numbers.
        bounds: smallest and largest possible value.

    Returns:
        The estimate; "empty" when no shard holds a document.
    """
    held = np.flatnonzero(sizes)
    if not len(held):
        return Estimate(None, "empty")
    few = len(held) < FEW_SHARDS
    weights = np.ones((1 if few else DRAWS + 1, len(sizes)))
    if not few:
        drawn = generator(0, "shards", label).integers(0, len(held), (DRAWS, len(held)))
        weights[1:] = 0.0
        np.add.at(weights, (np.arange(1, DRAWS + 1)[:, None], held[drawn]), 1.0)
    values = statistic(weights)
    if few:
        return Estimate(float(values[0]), "few_shards", shards=len(held))
    tail = 50.0 * (1.0 - LEVEL)
    moved = values[1:] + (values[0] - values[1:].mean())
    low, high = np.clip(np.percentile(moved, [tail, 100.0 - tail]), *bounds)
    return Estimate(float(values[0]), "ok", float(low), float(high), len(held))


def surprise(part: NDArray[Any], whole: NDArray[Any] | float) -> NDArray[np.float64]:
    """−ln(part / whole), what a unit of a part contributes to an entropy, nats; 0 where the part is empty."""
    return np.where(part > 0, np.log(np.maximum(whole, 1.0)) - np.log(np.maximum(part, 1.0)), 0.0)


def mean_estimate(
    sizes: NDArray[np.int64],
    sums: NDArray[Any],
    counts: NDArray[Any],
    label: str,
    *,
    transform: Callable[[NDArray[np.float64]], NDArray[np.float64]] = np.asarray,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """A transformed mean Σ sums / Σ counts over shards, with its interval.

    Numbers that are no means, such as an entropy, come as the mean of what each unit contributes to them at the
    frequencies of the whole (their influence function; Efron & Tibshirani 1993, chapter 22). Frequencies must not be
    counted anew in a resample: a shard drawn twice would make every document of it a duplicate.

    Args:
        sizes: (S,) documents of each shard.
        sums: (S,) summed contributions.
        counts: (S,) units that contribute.
        label: names the stream of random numbers.
        transform: from means (B,) to values (B,).
        bounds: smallest and largest possible value.

    Returns:
        The estimate; "empty" when no unit contributes.
    """
    if not counts.sum():
        return Estimate(None, "empty")
    held = np.where(counts > 0, np.maximum(sizes, 1), 0)
    return estimate(held, lambda w: transform((w @ sums) / (w @ counts)), label, bounds)
