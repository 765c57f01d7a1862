"""The gap: what a score loses when the same questions are put in another dress.

Here live: the original-minus-reformatted gap of one run, item by item, beyond that of the base. It is the behavioural
contamination baseline: any detector that reads weights must beat this one number a run.
Not here: reformatting (`counterparts`), means over draws (`study`), the interval itself (`stats.cluster`).

A gap says that a score is tied to a dress. Training on the benchmark is one way to get there, not the only one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import DataError, printable
from shadowgraph.scores.headroom import BOTH, Headroom, Measure, clustered_mean, headroom, items_of, value_of
from shadowgraph.scores.item import ItemScore


@dataclass(frozen=True, slots=True)
class Gap:
    """The gap of one run in one measure, in the unit of the measure (accuracy 0 … 1, bits per byte).

    Attributes:
        measure: which score of an item.
        estimate: mean over questions of (original − reformatted in the run) − (the same in the base); positive = the
            run gained more in the original dress; without a base the first bracket alone.
        interval: (lower, upper) by the studentised bootstrap over clusters of questions, given this run; or None.
        level: coverage asked of the interval.
        run_gap: original − reformatted in the run; bits per byte with the sign turned, so that higher is better.
        base_gap: the same in the base; None without one.
        pairs: questions that occur in both dresses.
        unpaired: questions that occur in one dress only and are left out.
        clusters: number of their clusters.
        original: headroom of the original splits.
        reformatted: headroom of the reformatted splits; where chance differs between the two, accuracy alone misleads.
        status: "ok", or an estimate but no interval: "few_clusters", "no_variation" (all clusters agree) or
            "few_changes" (hardly any differs from the commonest).
    """

    measure: Measure
    estimate: float
    interval: tuple[float, float] | None
    level: float
    run_gap: float
    base_gap: float | None
    pairs: int
    unpaired: int
    clusters: int
    original: tuple[Headroom, ...]
    reformatted: tuple[Headroom, ...]
    status: str


@dataclass(frozen=True, slots=True)
class Differences:
    """Original minus reformatted, for every question that occurs in both dresses.

    Attributes:
        values: mean over the original dresses minus mean over the others, higher = better in the original.
        questions: what each is a question of (`source`).
        groups: its cluster.
        unpaired: questions met in one dress only.
    """

    values: NDArray[np.float64]
    questions: tuple[str, ...]
    groups: tuple[str, ...]
    unpaired: int


def differences(
    scores: Sequence[ItemScore], original: Sequence[str], reformatted: Sequence[str], measure: Measure
) -> Differences:
    """Pair the items of two sets of splits by the question behind them (`source`) and subtract.

    Args:
        scores: one model's scores.
        original: splits in the benchmark's own dress.
        reformatted: splits with the same questions in other dresses; several dresses of a question are averaged.
        measure: which score of an item.

    Returns:
        The differences, questions in alphabetical order.

    Raises:
        DataError: a split is missing, sets overlap, an item has no such score, no question occurs in both, or a
            question's items name two clusters.
    """
    if not original or not reformatted or set(original) & set(reformatted):
        raise DataError("needs two disjoint, non-empty sets of splits", where="gap")
    groups: dict[str, str] = {}
    first, second = (_by_question(scores, splits, measure, groups) for splits in (original, reformatted))
    both = sorted(question for question in first if question in second)
    if not both:
        raise DataError(
            "no question occurs in both dresses",
            where=f"splits {', '.join(original)} and {', '.join(reformatted)}",
            hint="a counterpart names its question in the key 'source'",
        )
    values = np.array([fmean(first[question]) - fmean(second[question]) for question in both])
    unpaired = len(first) + len(second) - 2 * len(both)
    return Differences(values, tuple(both), tuple(groups[question] for question in both), unpaired)


def incomparable(
    scores: Sequence[ItemScore], original: Sequence[str], reformatted: Sequence[str], measure: Measure
) -> str:
    """Why a measure of two sets of splits says nothing when subtracted; "" where it does.

    Args:
        scores: one model's scores.
        original: splits in the benchmark's own dress.
        reformatted: splits with the same questions in other dresses.
        measure: which score of an item.

    Returns:
        "other_kind": a question is chosen in one dress and replied to in the other. "unequal_chance": accuracy only, a
        blind guess is right more often in one of them.
    """
    kinds: list[dict[str, set[str]]] = []
    odds: list[dict[str, set[tuple[str, int]]]] = []
    for splits in (original, reformatted):
        found: dict[str, set[tuple[str, int]]] = {}
        for split in splits:
            for item in items_of(scores, split).values():
                found.setdefault(item.source or item.id, set()).add((item.kind, len(item.loglikelihoods)))
        kinds.append({question: {kind for kind, _ in each} for question, each in found.items()})
        odds.append(found)
    both = kinds[0].keys() & kinds[1].keys()
    if any(kinds[0][question] != kinds[1][question] for question in both):
        return "other_kind"
    unequal = measure == "accuracy" and any(
        odds[0][question] != odds[1][question] for question in both if kinds[0][question] == {"choice"}
    )
    return "unequal_chance" if unequal else ""


def gap(
    base: Sequence[ItemScore] | None,
    run: Sequence[ItemScore],
    *,
    original: Sequence[str],
    reformatted: Sequence[str],
    generator: np.random.Generator,
    measure: Measure = "bits_per_byte",
    level: float = 0.95,
    resamples: int = 2000,
) -> Gap:
    """Measure how much more a run gained in the original dress than in others: a difference in differences.

    Args:
        base: scores of the model before training, on the same items; None compares the run with itself only, and then
            a dress that is harder for any model counts as a gap.
        run: scores of the run.
        original: splits in the benchmark's own dress.
        reformatted: splits with the same questions in other dresses.
        generator: randomness of the bootstrap.
        measure: which score of an item.
        level: coverage of the interval, 0 … 1.
        resamples: bootstrap draws.

    Raises:
        DataError: as `differences`, or base and run hold different items.

    Source: the difference in differences of paired items; the interval: see `stats.cluster`.
    """
    after = differences(run, original, reformatted, measure)
    values, base_gap = after.values, None
    if base is not None:
        for split in (*original, *reformatted):
            if set(items_of(base, split)) != set(items_of(run, split)):
                raise DataError("holds other items than the base's scores", where=f"split {split!r}")
        before = differences(base, original, reformatted, measure)
        values, base_gap = after.values - before.values, float(before.values.mean())
    found = clustered_mean(values.tolist(), after.groups, generator, level=level, resamples=resamples)
    return Gap(
        measure=measure,
        estimate=found.estimate,
        interval=found.interval.ends,
        level=level,
        run_gap=float(after.values.mean()),
        base_gap=base_gap,
        pairs=values.size,
        unpaired=after.unpaired,
        clusters=found.clusters,
        original=tuple(headroom(split, run if base is None else base, [run]) for split in original),
        reformatted=tuple(headroom(split, run if base is None else base, [run]) for split in reformatted),
        status=found.interval.status,
    )


def gaps(
    base: Sequence[ItemScore] | None,
    run: Sequence[ItemScore],
    *,
    original: Sequence[str],
    reformatted: Sequence[str],
    generator: np.random.Generator,
    level: float = 0.95,
    resamples: int = 2000,
) -> dict[Measure, Gap]:
    """The gap in accuracy and in bits per byte, which are always shown together; see `gap`.

    Args:
        base: scores of the model before training, or None.
        run: scores of the run.
        original: splits in the benchmark's own dress.
        reformatted: splits with the same questions in other dresses.
        generator: randomness of the bootstrap.
        level: coverage of the intervals, 0 … 1.
        resamples: bootstrap draws.

    Returns:
        One gap a measure.
    """
    options: dict[str, Any] = {"original": original, "reformatted": reformatted, "generator": generator}
    return {measure: gap(base, run, measure=measure, level=level, resamples=resamples, **options) for measure in BOTH}


def _by_question(
    scores: Sequence[ItemScore], splits: Sequence[str], measure: Measure, groups: dict[str, str]
) -> dict[str, list[float]]:
    """Values of every question over some splits; notes the cluster of each in `groups`."""
    found: dict[str, list[float]] = {}
    for split in splits:
        for item in items_of(scores, split).values():
            question = item.source or item.id
            if groups.setdefault(question, item.group) != item.group:
                raise DataError(
                    f"the question {printable(question)!r} stands in two clusters",
                    where=f"split {split!r} item {printable(item.id)!r}",
                    hint="an item and its counterpart share a group",
                )
            found.setdefault(question, []).append(value_of(item, measure))
    return found
