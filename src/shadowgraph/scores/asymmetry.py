"""Asymmetry: did a model gain where it was trained more than where it must transfer?

Here live: the index, its item-level cluster bootstrap and the share of items that had no room to improve.
Not here: comparisons of arms and tests over draws (`study`, `stats`).

The index describes scores; it says nothing of a cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import DataError
from shadowgraph.scores.item import ItemScore

Measure = Literal["bits_per_byte", "accuracy", "margin"]


@dataclass(frozen=True, slots=True)
class Asymmetry:
    """The asymmetry index of one arm against its base.

    Attributes:
        estimate: standardised gain on the aligned splits minus that on the transfer splits; positive = lopsided
            towards what was aligned; None when `status` is "no_variation".
        interval: (lower, upper) of the percentile bootstrap over clusters of items, given these runs; or None.
        level: coverage asked of the interval.
        values: the index of every run alone.
        aligned_gain: mean standardised gain on the aligned splits.
        transfer_gain: the same on the transfer splits.
        aligned_ceiling: share of aligned items that the base already answered correctly, 0 … 1.
        transfer_ceiling: the same for transfer items.
        status: "ok", or why there is no number: "no_variation" (the base scores all items of a split alike),
            "too_few_clusters" (a split has one cluster: an estimate but no interval).
    """

    estimate: float | None
    interval: tuple[float, float] | None
    level: float
    values: tuple[float, ...]
    aligned_gain: float | None
    transfer_gain: float | None
    aligned_ceiling: float
    transfer_ceiling: float
    status: str


@dataclass(frozen=True, slots=True)
class _Split:
    """One split: standardised gains (R runs × n items), cluster index (n,), sign and weight in the index."""

    gains: NDArray[np.float64]
    clusters: NDArray[np.int64]
    weight: float


def asymmetry(
    base: Sequence[ItemScore],
    runs: Sequence[Sequence[ItemScore]],
    *,
    aligned: Sequence[str],
    transfer: Sequence[str],
    generator: np.random.Generator,
    measure: Measure = "bits_per_byte",
    level: float = 0.95,
    resamples: int = 2000,
) -> Asymmetry:
    """Measure how much more the runs of one arm gained on aligned splits than on transfer splits.

    Gain of an item = its score in the run minus its score in the base (bits per byte with the sign turned, so that a
    gain is an improvement). Standardised gain of a split = mean gain / standard deviation (n − 1) of the base's scores
    of its items: Glass's Δ with the base as control, one scale for all arms. Index = mean over aligned splits − mean
    over transfer splits, averaged over runs. The bootstrap draws clusters (`group`) with replacement inside each split,
    the same for all runs; the scale stays fixed. It carries the uncertainty of the items, not of the corpus draw.

    Args:
        base: scores of the shared base.
        runs: scores of one or more runs (draws) of one arm, on the same items.
        aligned: splits in the benchmark's image.
        transfer: splits disjoint from what any arm was trained on; the same for all arms.
        generator: randomness of the bootstrap.
        measure: which score of an item.
        level: coverage of the interval, 0 … 1.
        resamples: bootstrap draws.

    Raises:
        DataError: a split is missing or runs and base hold different items.

    Source: Glass, "Primary, secondary, and meta-analysis of research", 1976 (Δ); Cameron, Gelbach and Miller,
    "Bootstrap-based improvements for inference with clustered errors", 2008 (cluster bootstrap).
    """
    if not runs or not aligned or not transfer or set(aligned) & set(transfer):
        raise DataError("needs runs and two disjoint, non-empty sets of splits", where="asymmetry")
    weights = {**{name: 1 / len(aligned) for name in aligned}, **{name: -1 / len(transfer) for name in transfer}}
    splits = {name: _split(name, base, runs, measure, weight) for name, weight in weights.items()}
    ceilings = _ceiling(base, aligned), _ceiling(base, transfer)
    present = [split for split in splits.values() if split is not None]
    if len(present) < len(splits):
        return Asymmetry(None, None, level, (), None, None, *ceilings, "no_variation")
    values = sum((split.weight * split.gains.mean(axis=1) for split in present), np.zeros(len(runs)))
    gains = [sum(abs(s.weight) * float(s.gains.mean()) for s in present if s.weight * sign > 0) for sign in (1, -1)]
    few = any(split.clusters.max() < 1 for split in present)
    interval = None if few else _interval(present, generator, level, resamples)
    return Asymmetry(
        estimate=float(values.mean()),
        interval=interval,
        level=level,
        values=tuple(float(value) for value in values),
        aligned_gain=gains[0],
        transfer_gain=gains[1],
        aligned_ceiling=ceilings[0],
        transfer_ceiling=ceilings[1],
        status="too_few_clusters" if few else "ok",
    )


def _split(
    name: str, base: Sequence[ItemScore], runs: Sequence[Sequence[ItemScore]], measure: Measure, weight: float
) -> _Split | None:
    """Standardised gains of one split; None when the base's scores there do not vary."""
    items = [item for item in base if item.split == name]
    if not items:
        raise DataError("no items in the base's scores", where=f"split {name!r}")
    before = np.array([_value(item, measure) for item in items])
    scale = float(before.std(ddof=1)) if len(items) > 1 else 0.0
    if scale == 0.0:
        return None
    after: list[list[float]] = []
    for number, run in enumerate(runs):
        scores = {item.id: _value(item, measure) for item in run if item.split == name}
        if set(scores) != {item.id for item in items}:
            raise DataError("holds other items than the base's scores", where=f"run {number} split {name!r}")
        after.append([scores[item.id] for item in items])
    _, clusters = np.unique([item.group for item in items], return_inverse=True)
    return _Split((np.array(after) - before) / scale, clusters.astype(np.int64), weight)


def _value(item: ItemScore, measure: Measure) -> float:
    """The chosen score of an item, higher = better."""
    value = float(item.correct) if measure == "accuracy" else getattr(item, measure)
    if value is None:
        raise DataError(f"has no {measure}", where=f"split {item.split!r} item {item.id!r}")
    return -float(value) if measure == "bits_per_byte" else float(value)


def _ceiling(base: Sequence[ItemScore], splits: Sequence[str]) -> float:
    """Share of the splits' items that the base answers correctly already."""
    correct = [item.correct for item in base if item.split in set(splits)]
    if not correct:
        raise DataError("no items in the base's scores", where=f"splits {', '.join(splits)}")
    return sum(correct) / len(correct)


def _interval(
    splits: Sequence[_Split], generator: np.random.Generator, level: float, resamples: int
) -> tuple[float, float]:
    """Percentile interval of the index under resampling of clusters inside each split."""
    total = np.zeros(resamples)
    for split in splits:
        clusters = int(split.clusters.max()) + 1
        sums = np.bincount(split.clusters, weights=split.gains.mean(axis=0), minlength=clusters)
        counts = np.bincount(split.clusters, minlength=clusters)
        drawn = generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
        total += split.weight * (drawn @ sums) / (drawn @ counts)
    lower, upper = np.quantile(total, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)
