"""Whether a label of corpora goes with K among corpora that are alike in everything measured.

Here live: strata of corpora within calipers, the test of the label inside them, and its sensitivity by regression.
Not here: the second axis (`kinship`), the matching and the tests themselves (`stats`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.balance import RELATIVE
from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Label
from shadowgraph.spec.study import StudySpec
from shadowgraph.stats.matching import matched_sets, residual_test
from shadowgraph.stats.strata import stratified_interval, stratified_permutation
from shadowgraph.study.contrasts import Asked, Row
from shadowgraph.study.effects import interval_fields
from shadowgraph.study.panels import balance_means
from shadowgraph.study.readings import READINGS, Runs, arm_mean, matched_units, reader

METHOD = "mean over strata of K of the labelled corpus minus that of its matches; {exact} exchange of the label inside"
RESIDUAL = "regression of K on the label and all covariates over all corpora, Freedman-Lane permutation"


@dataclass(frozen=True, slots=True)
class Strata:
    """Corpora with and without a label, matched within calipers; K plays no part in it.

    Attributes:
        label: the label and its calipers.
        positive: corpora (arms) that bear it.
        negative: corpora that do not.
        covariates: corpus → covariate → number.
        sets: (a corpus with the label, its matches), disjoint.
    """

    label: Label
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    covariates: Mapping[str, Mapping[str, float]]
    sets: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def limits(self) -> dict[str, float]:
        """The calipers."""
        return {key: float(limit) for key, limit in self.label.calipers.model_dump().items()}

    def apart(self, positive: str, negative: str) -> dict[str, float]:
        """How far a corpus without the label lies from one with it in every covariate, in calipers."""
        a, b = self.covariates[positive], self.covariates[negative]
        return {
            key: abs(b[key] - a[key]) / (limit * abs(a[key]) if key in RELATIVE and a[key] else limit)
            for key, limit in self.limits.items()
        }


def strata_of(runs: Runs, label: Label) -> Strata:
    """Match the corpora of a label on the balance sheets in the records of their runs."""
    arms = [arm for name in (label.positive, label.negative) for arm in runs.members(name)]
    return match_corpora(runs.spec, label, {arm: balance_means(runs.of(arm)) for arm in arms})


def match_corpora(spec: StudySpec, label: Label, means: Mapping[str, Mapping[str, float]]) -> Strata:
    """Match corpora on their mean balance, before any is trained on; none where one stands on both sides."""
    groups = spec.analysis.groups
    positive, negative = (groups.get(name, (name,)) for name in (label.positive, label.negative))
    keys = list(label.calipers.model_dump())
    covariates = {arm: {key: means[arm][key] for key in keys} for arm in (*positive, *negative)}
    limits = np.array(list(label.calipers.model_dump().values()), dtype=np.float64)
    relative = np.array([key in RELATIVE for key in keys])
    tables = [np.array([[covariates[arm][key] for key in keys] for arm in arms]) for arms in (positive, negative)]
    found = [] if set(positive) & set(negative) else matched_sets(tables[0], tables[1], limits, relative)
    sets = tuple((positive[index], tuple(negative[other] for other in others)) for index, others in found if others)
    return Strata(label, positive, negative, covariates, sets)


def asked(runs: Runs, strata: Strata) -> Asked:
    """The label as a test of any endpoint, in the strata that hold; nothing is predicted of its sign."""
    return Asked(
        strata.label.name,
        "label",
        strata.label.role,
        "either",
        lambda endpoint, read: row(runs, strata, endpoint, lambda arm: arm_mean(runs, arm, read)),
    )


def readings(runs: Runs, strata: Strata) -> list[Row]:
    """The label at equal norm and at equal progress, each stratum over the range that its runs share.

    Strata whose runs share too narrow a range drop out, by their norms alone, and are named.
    """
    found: list[Row] = []
    grid = runs.spec.rate_grid
    for axis, name in READINGS.items():
        if axis == "rate" and (grid is None or not set(strata.positive) & set(grid.arms)):
            continue
        values: dict[str, float] = {}
        reason = ""
        for arm, others in strata.sets:
            tables = matched_units(runs, arm, others, axis)
            reason = tables.reason or reason
            values |= {
                name: value for first, second in tables.pairs for name, value in (*first.items(), *second.items())
            }
        one = row(runs, strata, "K", values.get)
        if one["status"] != "ok" and reason:
            one["reason"] = f"in no stratum: {reason}"
        found.append(one | {"reading": name, "role": "reading", "of": strata.label.name})
    return found


def row(runs: Runs, strata: Strata, endpoint: str, value: Callable[[str], float | None]) -> Row:
    """Test a label on one number a corpus, in the form of every test.

    Args:
        runs: the runs; level and seed are those of their study.
        strata: matched corpora.
        endpoint: what the number is.
        value: corpus → its number.

    Returns:
        Estimate: mean over strata of the labelled corpus minus the mean of its matches; or why there is none.
    """
    analysis, label = runs.spec.analysis, strata.label
    sets: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    dropped: list[Json] = []
    for arm, others in strata.sets:
        own, rest = value(arm), [number for other in others if (number := value(other)) is not None]
        if own is None or not rest:
            dropped.append({"arm": arm, "draw": None, "status": "no number"})
        else:
            sets.append((np.array([own]), np.array(rest)))
    found: Row = {
        "name": label.name,
        "kind": "label",
        "endpoint": endpoint,
        "arms": [label.positive, label.negative],
        "reading": "unmatched",
        "level": 1.0 - analysis.alpha,
        "design": "stratified",
        "support": None,
        "dropped": dropped,
        "n": [len(sets), sum(int(rest.size) for _, rest in sets)],
        "hedges_g": None,
        "cliffs_delta": None,
    }
    if not sets:
        both = ", ".join(arm for arm in strata.positive if arm in strata.negative)
        none = "no corpus with the label has a match within the calipers"
        reason = f"{both} both with the label and without it" if both else none
        return found | {"status": "not estimable", "reason": reason, "estimate": None, "interval": None, "p": None}
    streams = [generator(runs.spec.study.seed, kind, label.name, endpoint) for kind in ("permutation", "interval")]
    test = stratified_permutation(sets, streams[0])
    interval = stratified_interval(sets, 1.0 - analysis.alpha, streams[1])
    return found | {
        "status": "ok",
        "estimate": test.statistic,
        **interval_fields(interval),
        "p": test.p,
        "smallest_p": test.smallest_p,
        "method": METHOD.format(exact="exact" if test.exact else "Monte Carlo"),
    }


def table(runs: Runs, strata: Strata, main: Row) -> Row:
    """The whole test of a label: its row, the strata with their corpora, who found no match, and the regression.

    Args:
        runs: the runs.
        strata: matched corpora.
        main: the row of K, see `row`.

    Returns:
        The row with strata, unmatched corpora and the covariates they miss by, balance before and after, residual.
    """
    k = {arm: arm_mean(runs, arm, reader("K")) for arm in (*strata.positive, *strata.negative)}

    def corpus(arm: str) -> dict[str, Json]:
        return {"arm": arm, "K": k[arm], "covariates": dict(strata.covariates[arm])}

    listed: list[Json] = []
    for arm, others in strata.sets:
        own, rest = k[arm], [number for other in others if (number := k[other]) is not None]
        apart = None if own is None or not rest else own - fmean(rest)
        listed.append({"positive": corpus(arm), "negatives": [corpus(other) for other in others], "difference": apart})
    unmatched: dict[str, Json] = {
        side: [corpus(arm) | near for arm, near in found.items()] for side, found in without_match(strata).items()
    }
    further: Row = {
        "positive": strata.label.positive,
        "negative": strata.label.negative,
        "calipers": dict(strata.limits),
        "relative": [key for key in strata.limits if key in RELATIVE],
        "strata": listed,
        "unmatched": unmatched,
        "balance": _balance(strata),
        "residual": _residual(runs, strata, k),
    }
    return main | further


def without_match(strata: Strata) -> dict[str, dict[str, dict[str, Json]]]:
    """Corpora in no stratum, by side, each with the nearest of the other side and what it misses even that by."""
    used = {name for arm, others in strata.sets for name in (arm, *others)}
    sides = {"positive": (strata.positive, strata.negative), "negative": (strata.negative, strata.positive)}
    return {
        side: {arm: _nearest(strata, arm, others) for arm in own if arm not in used}
        for side, (own, others) in sides.items()
    }


def _nearest(strata: Strata, arm: str, others: Sequence[str]) -> dict[str, Json]:
    """The nearest corpus of the other side, and the covariates in which even that lies beyond the caliper."""
    gaps = {other: strata.apart(*((arm, other) if arm in strata.positive else (other, arm))) for other in others}
    near = min(gaps, key=lambda other: sum(gap**2 for gap in gaps[other].values()))
    return {"nearest": near, "misses": [key for key, gap in gaps[near].items() if gap > 1.0]}


def _balance(strata: Strata) -> list[Json]:
    """Mean difference of every covariate between the sides, before matching and inside strata."""
    rows: list[Json] = []
    for key, limit in strata.limits.items():
        values = {arm: float(numbers[key]) for arm, numbers in strata.covariates.items()}
        sides = [fmean(values[arm] for arm in arms) for arms in (strata.positive, strata.negative)]
        inside = [values[arm] - fmean(values[other] for other in others) for arm, others in strata.sets]
        after = fmean(inside) if inside else None
        rows.append({"key": key, "before": sides[0] - sides[1], "after": after, "limit": limit})
    return rows


def _residual(runs: Runs, strata: Strata, k: Mapping[str, float | None]) -> Json:
    """The label's coefficient beside all covariates, over every corpus, matched or not."""
    arms = [arm for arm in (*strata.positive, *strata.negative) if k[arm] is not None]
    keys = list(strata.limits)
    if not arms:
        return {"estimate": None, "p": None, "n": 0, "status": "too_few_units", "method": RESIDUAL}
    values = np.array([float(k[arm] or 0.0) for arm in arms])
    label = np.array([arm in strata.positive for arm in arms])
    covariates = np.array([[strata.covariates[arm][key] for key in keys] for arm in arms])
    found = residual_test(values, label, covariates, generator(runs.spec.study.seed, "residual", strata.label.name))
    return {"estimate": found.estimate, "p": found.p, "n": len(arms), "status": found.status, "method": RESIDUAL}
