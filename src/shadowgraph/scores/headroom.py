"""What a split could show at all: its items, its clusters, its chance, and how many items have no room.

Here live: the measures an index can be read in, the value of an item in one of them, and the headroom of a split.
Not here: the indices (`asymmetry`, `gap`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np

from shadowgraph.errors import DataError, printable
from shadowgraph.scores.item import ItemScore
from shadowgraph.stats.cluster import ClusterEstimate, ratio, studentised_interval

Measure = Literal["bits_per_byte", "accuracy", "margin"]
BOTH: tuple[Measure, ...] = ("accuracy", "bits_per_byte")
"""Small models sit at chance in accuracy long before they do in bits per byte, so no index shows one alone."""


@dataclass(frozen=True, slots=True)
class Headroom:
    """What a split leaves to gain or to lose.

    Attributes:
        split: its name.
        items: number of items.
        clusters: number of clusters of items, the sample size that counts.
        chance: accuracy of a blind guess, mean of 1 / continuations; None where replies are generated.
        at_ceiling: share of items the base answers correctly, which cannot gain in accuracy, 0 … 1.
        at_chance: share of items on which the base gives gold no more probability than a blind guess would, and so
            cannot lose much; None where replies are generated.
        at_ceiling_after: `at_ceiling` of the runs, their mean.
        at_chance_after: `at_chance` of the runs, their mean.
    """

    split: str
    items: int
    clusters: int
    chance: float | None
    at_ceiling: float
    at_chance: float | None
    at_ceiling_after: float
    at_chance_after: float | None


def value_of(item: ItemScore, measure: Measure) -> float:
    """The score of an item in one measure, turned so that higher is better (bits per byte change sign).

    Raises:
        DataError: the item has no such score; generated replies have no margin.
    """
    found = {"bits_per_byte": item.bits_per_byte, "accuracy": item.correct, "margin": item.margin}[measure]
    if found is None:
        raise DataError(f"has no {measure.replace('_', ' ')}", where=f"split {item.split!r} item {printable(item.id)}")
    return -float(found) if measure == "bits_per_byte" else float(found)


def items_of(scores: Sequence[ItemScore], split: str) -> dict[str, ItemScore]:
    """The items of one split by id.

    Raises:
        DataError: the split is empty, or an item occurs twice.
    """
    found = [item for item in scores if item.split == split]
    if not found:
        raise DataError("no items in the scores", where=f"split {split!r}")
    by_id = {item.id: item for item in found}
    if len(by_id) != len(found):
        raise DataError("an item occurs twice in the scores", where=f"split {split!r}")
    return by_id


def clustered_mean(
    values: Sequence[float],
    groups: Sequence[str],
    generator: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 2000,
) -> ClusterEstimate:
    """Mean over items with the studentised interval over their clusters; see `stats.cluster`.

    Args:
        values: one number an item.
        groups: the cluster of each.
        generator: randomness of the bootstrap.
        level: coverage of the interval, 0 … 1.
        resamples: bootstrap draws.

    Raises:
        Defect: no item, or a number that is not finite.
    """
    names, at = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(at, weights=np.asarray(values, dtype=np.float64), minlength=names.size)
    totals = np.stack([np.bincount(at, minlength=names.size), sums], axis=1)
    strata = np.zeros(names.size, dtype=np.int64)
    return studentised_interval(totals, strata, ratio, generator, level=level, resamples=resamples)


def headroom(split: str, base: Sequence[ItemScore], runs: Sequence[Sequence[ItemScore]]) -> Headroom:
    """Count what a split leaves to gain or to lose.

    Args:
        split: its name.
        base: scores of the base.
        runs: scores of one or more runs.

    Raises:
        DataError: the split has no items somewhere.
    """
    before = list(items_of(base, split).values())
    after = [item for run in runs for item in items_of(run, split).values()]
    chosen = all(item.kind == "choice" for item in before)
    return Headroom(
        split=split,
        items=len(before),
        clusters=len({item.group for item in before}),
        chance=fmean(1 / len(item.loglikelihoods) for item in before) if chosen else None,
        at_ceiling=fmean(item.correct for item in before),
        at_chance=_at_chance(before),
        at_ceiling_after=fmean(item.correct for item in after),
        at_chance_after=_at_chance(after),
    )


def _at_chance(items: Sequence[ItemScore]) -> float | None:
    """Share of items whose gold is no more probable than by a blind guess; None when probabilities are missing."""
    below: list[bool] = []
    for item in items:
        if item.probability is None:
            return None
        below.append(item.probability <= 1 / len(item.loglikelihoods))
    return fmean(below)
