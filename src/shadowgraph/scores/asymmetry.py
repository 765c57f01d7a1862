"""Asymmetry: did a model gain where it was trained more than where it must transfer?

Here live: the index and its item-level cluster bootstrap.
Not here: the proof that a panel is free (`transfer`), the interval itself (`stats.cluster`), comparisons of arms and
tests over draws (`study`).

The index describes scores; it says nothing of a cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import DataError
from shadowgraph.scores.headroom import BOTH, Headroom, Measure, headroom, items_of, value_of
from shadowgraph.scores.item import ItemScore
from shadowgraph.scores.transfer import TransferPanel
from shadowgraph.stats.cluster import FEWEST_CLUSTERS, standardised_sum, studentised_interval


@dataclass(frozen=True, slots=True)
class Asymmetry:
    """The asymmetry index of one arm against its base, in one measure.

    Attributes:
        measure: which score of an item.
        estimate: standardised gain on the aligned splits minus that on the transfer splits; positive = lopsided
            towards what was aligned; None when `status` is "no_variation".
        interval: (lower, upper) by the studentised bootstrap over clusters of items, given these runs; or None.
        level: coverage asked of the interval.
        values: the index of every run alone.
        aligned_gain: mean standardised gain on the aligned splits.
        transfer_gain: the same on the transfer splits.
        clusters: the smallest number of clusters of any split.
        aligned: headroom of the aligned splits.
        transfer: headroom of the transfer splits.
        status: "ok", or why there is no number: "no_variation" (the base scores all items of a split alike,
            or all clusters gained alike: then an estimate but no interval),
            "few_clusters" (too few clusters in a split: an estimate but no interval).
    """

    measure: Measure
    estimate: float | None
    interval: tuple[float, float] | None
    level: float
    values: tuple[float, ...]
    aligned_gain: float | None
    transfer_gain: float | None
    clusters: int
    aligned: tuple[Headroom, ...]
    transfer: tuple[Headroom, ...]
    status: str


_NOTHING: dict[str, Any] = {
    "estimate": None,
    "interval": None,
    "values": (),
    "aligned_gain": None,
    "transfer_gain": None,
    "status": "no_variation",
}


@dataclass(frozen=True, slots=True)
class _Split:
    """One split: gains (runs x items), the base's values and the cluster's name of each item, weight in the index."""

    gains: NDArray[np.float64]
    before: NDArray[np.float64]
    groups: tuple[str, ...]
    weight: float

    @property
    def scale(self) -> float:
        """Standard deviation (n − 1) of the base's values; 0 for one item."""
        return float(self.before.std(ddof=1)) if self.before.size > 1 else 0.0

    def standardised(self) -> NDArray[np.float64]:
        """Standardised mean gain of each run."""
        return self.gains.mean(axis=1) / self.scale


def asymmetry(
    base: Sequence[ItemScore],
    runs: Sequence[Sequence[ItemScore]],
    *,
    aligned: Sequence[str],
    transfer: TransferPanel,
    generator: np.random.Generator,
    measure: Measure = "bits_per_byte",
    level: float = 0.95,
    resamples: int = 2000,
) -> Asymmetry:
    """Measure how much more the runs of one arm gained on aligned splits than on transfer splits.

    Gain of an item = its score in the run minus its score in the base (bits per byte with the sign turned, so that a
    gain is an improvement). Standardised gain of a split = mean gain / standard deviation (n − 1) of the base's scores
    of its items: Glass's Δ with the base as control, one scale for all arms. Index = mean over aligned splits − mean
    over transfer splits, averaged over runs. The bootstrap draws clusters (`group`) with replacement, the same for all
    runs, and counts the scale anew each time; a cluster that occurs in several splits, such as an item and its
    counterpart, is drawn in all of them together. It carries the uncertainty of the items, not of the corpus draw.

    Args:
        base: scores of the shared base.
        runs: scores of one or more runs (draws) of one arm, on the same items.
        aligned: splits in the benchmark's image.
        transfer: splits proven free of what any arm was trained on; the same for all arms.
        generator: randomness of the bootstrap.
        measure: which score of an item.
        level: coverage of the interval.
        resamples: bootstrap draws.

    Raises:
        DataError: a split is missing, runs and base hold different items, or an item has no such score.

    Source: Glass, "Primary, secondary, and meta-analysis of research", 1976 (Δ); the interval: see `stats.cluster`.
    """
    weights = _weights(aligned, transfer.splits)
    splits = [_split(name, base, runs, measure, weight) for name, weight in weights.items()]
    rooms = [headroom(name, base, runs) for name in weights]
    shared: dict[str, Any] = {
        "measure": measure,
        "level": level,
        "clusters": min(room.clusters for room in rooms),
        "aligned": tuple(rooms[: len(aligned)]),
        "transfer": tuple(rooms[len(aligned) :]),
    }
    if any(split.scale == 0.0 for split in splits):
        return Asymmetry(**shared, **_NOTHING)
    smooth = standardised_sum(list(weights.values()))
    found = studentised_interval(*_totals(splits), smooth, generator, level=level, resamples=resamples)
    interval = found.interval.ends if shared["clusters"] >= FEWEST_CLUSTERS else None
    values = np.sum([split.weight * split.standardised() for split in splits], axis=0)
    return Asymmetry(
        **shared,
        estimate=float(values.mean()),
        interval=interval,
        values=tuple(float(value) for value in values),
        aligned_gain=_mean_gain(splits, 1.0),
        transfer_gain=_mean_gain(splits, -1.0),
        status=found.interval.status if shared["clusters"] >= FEWEST_CLUSTERS else "few_clusters",
    )


def asymmetries(
    base: Sequence[ItemScore],
    runs: Sequence[Sequence[ItemScore]],
    *,
    aligned: Sequence[str],
    transfer: TransferPanel,
    generator: np.random.Generator,
    level: float = 0.95,
    resamples: int = 2000,
) -> dict[Measure, Asymmetry]:
    """The index in accuracy and in bits per byte, which are always shown together; see `asymmetry`.

    Args:
        base: scores of the shared base.
        runs: scores of one or more runs of one arm.
        aligned: splits in the benchmark's image.
        transfer: splits proven free of what any arm was trained on.
        generator: randomness of the bootstrap.
        level: coverage of the intervals, 0 … 1.
        resamples: bootstrap draws.

    Returns:
        One index a measure.
    """
    return {
        measure: asymmetry(
            base,
            runs,
            aligned=aligned,
            transfer=transfer,
            generator=generator,
            measure=measure,
            level=level,
            resamples=resamples,
        )
        for measure in BOTH
    }


def _weights(aligned: Sequence[str], transfer: Sequence[str]) -> dict[str, float]:
    """Weight of every split in the index: the mean over the aligned ones minus that over the others."""
    if not aligned or set(aligned) & set(transfer):
        raise DataError("needs two disjoint, non-empty sets of splits", where="asymmetry")
    return {name: 1 / len(aligned) for name in aligned} | {name: -1 / len(transfer) for name in transfer}


def _mean_gain(splits: Sequence[_Split], sign: float) -> float:
    """Mean standardised gain over runs and the splits whose weight has that sign."""
    return sum(abs(split.weight) * float(split.standardised().mean()) for split in splits if split.weight * sign > 0)


def _split(
    name: str, base: Sequence[ItemScore], runs: Sequence[Sequence[ItemScore]], measure: Measure, weight: float
) -> _Split:
    """Gains of one split."""
    if not runs:
        raise DataError("there is no run to hold against the base", where="asymmetry")
    items = items_of(base, name)
    before = np.array([value_of(item, measure) for item in items.values()])
    after: list[list[float]] = []
    for number, run in enumerate(runs):
        scores = {item.id: item for item in run if item.split == name}
        if set(scores) != set(items):
            raise DataError("holds other items than the base's scores", where=f"run {number} split {name!r}")
        after.append([value_of(scores[key], measure) for key in items])
    return _Split(np.array(after) - before, before, tuple(item.group for item in items.values()), weight)


def _totals(splits: Sequence[_Split]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Totals of every cluster, four a split (see `standardised_sum`), and its stratum.

    A stratum is all clusters of splits that are tied to one another by shared clusters.
    """
    names = sorted({group for split in splits for group in split.groups})
    place = {name: index for index, name in enumerate(names)}
    totals = np.zeros((len(names), 4 * len(splits)))
    owner = np.arange(len(splits))
    first: dict[int, int] = {}
    for number, split in enumerate(splits):
        at = np.array([place[group] for group in split.groups])
        gains, before = split.gains.mean(axis=0), split.before
        for moment, values in enumerate((np.ones(at.size), gains, before, before**2)):
            totals[:, 4 * number + moment] = np.bincount(at, weights=values, minlength=len(names))
        for cluster in at.tolist():
            tied = owner[first.setdefault(cluster, number)]
            owner[owner == tied] = owner[number]
    strata = np.array([owner[first[cluster]] for cluster in range(len(names))], dtype=np.int64)
    return totals, strata
