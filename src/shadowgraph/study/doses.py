"""Trends over a dose: the slope of K, at the end and at equal norm, what five points of dose are worth, its rivals.

Here live: the rows of a result that are trends. Not here: the test (`stats.trend`) and contrasts (`contrasts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

import numpy as np

from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Trend
from shadowgraph.stats.trend import trend_test
from shadowgraph.study.contrasts import BESIDE, Asked, Row
from shadowgraph.study.effects import interval_fields
from shadowgraph.study.readings import READINGS, Levels, Read, Runs, Units, draw_values, matched_arms, reader

FIVE_POINTS = 0.05
METHOD = (
    "least-squares slope per unit of dose, {exact} permutation of doses {where}; the interval holds all slopes that it "
    "does not reject"
)


def asked(trend: Trend, runs: Runs) -> Asked:
    """A trend as a test of any endpoint; nothing is predicted of its sign."""
    return Asked(trend.name, "trend", trend.role, "either", lambda endpoint, read: row(trend, runs, endpoint, read))


def row(trend: Trend, runs: Runs, endpoint: str, read: Read) -> Row:
    """The slope of an endpoint over the dose, in the form of every test.

    Args:
        trend: arms and doses.
        runs: the runs.
        endpoint: what is regressed, for example "K".
        read: how a record gives it.

    Returns:
        The row; its estimate is the slope in nats per unit of dose, or there is a reason why there is none.
    """
    drawn = dict(zip(trend.arms, samples(trend, runs, read), strict=True))
    lost = [(arm, draw) for arm, one in drawn.items() for draw, value in one.items() if value is None]
    dropped: list[dict[str, Json]] = [{"arm": arm, "draw": draw, "status": "no number"} for arm, draw in lost]
    units = [{str(d): value for d, value in one.items() if value is not None} for one in drawn.values()]
    return _row(trend, runs, endpoint, Levels(tuple(units), tuple(dropped)))


def readings(trend: Trend, runs: Runs) -> list[Row]:
    """The slope of K at equal norm along training, over the range that all arms share; estimable or not."""
    name = READINGS["norm"]
    found = _row(trend, runs, "K", matched_arms(runs, trend.arms, "norm"), name)
    return [found | {"reading": name, "role": "reading", "of": trend.name}]


def _row(trend: Trend, runs: Runs, endpoint: str, levels: Levels, *reading: str) -> Row:
    """The test of a trend on the units of every dose."""
    analysis = runs.spec.analysis
    blocked = analysis.design == "blocked"
    found: Row = {
        "name": trend.name,
        "kind": "trend",
        "endpoint": endpoint,
        "arms": list(trend.arms),
        "reading": "unmatched",
        "level": 1.0 - analysis.alpha,
        "design": analysis.design,
        "support": list(levels.support) if levels.support else None,
        "dropped": [dict(unit) for unit in levels.dropped],
        "hedges_g": None,
        "cliffs_delta": None,
    }
    used = _used(levels.units, blocked)
    if levels.reason or not used or not all(used):
        none: Row = {"estimate": None, "interval": None, "p": None}
        reason = levels.reason or "an arm has no number in any draw"
        counts: list[Json] = [len(one) for one in used] if used else [0 for _ in trend.arms]
        sizes: Row = {"n": counts}
        return found | {"status": "not estimable", "reason": reason} | none | sizes
    stream = generator(runs.spec.study.seed, "trend", trend.name, endpoint, *reading)
    test = trend_test([np.array(sample) for sample in used], trend.doses, stream, blocked, level=1.0 - analysis.alpha)
    where = "inside draws" if blocked else "over all draws"
    slope: Row = {
        "status": "ok",
        "estimate": test.slope,
        **interval_fields(test.interval),
        "p": test.p,
        "smallest_p": test.smallest_p,
        "jonckheere": test.jonckheere,
        "jonckheere_p": test.jonckheere_p,
        "n": [len(sample) for sample in used],
        "segments": _segments(trend, used),
        "method": METHOD.format(exact="exact" if test.exact else "Monte Carlo", where=where),
    }
    return found | slope


def _segments(trend: Trend, used: Sequence[Sequence[float]]) -> list[Json]:
    """Slopes of the means between neighbouring doses, from the lowest: whether one line stands for them all."""
    means: dict[float, list[float]] = {}
    for dose, sample in zip(trend.doses, used, strict=True):
        means.setdefault(dose, []).extend(sample)
    points = sorted((dose, fmean(sample)) for dose, sample in means.items())
    return [(b - a) / (second - first) for (first, a), (second, b) in pairwise(points)]


def _used(units: Sequence[Units], blocked: bool) -> list[list[float]]:
    """The numbers of every dose; in a blocked design of the draws that have one at every dose."""
    if not blocked or not units:
        return [list(one.values()) for one in units]
    shared = sorted(set.intersection(*(set(one) for one in units)), key=int)
    return [[one[draw] for draw in shared] for one in units]


def used(trend: Trend, runs: Runs) -> list[list[float]]:
    """K of every dose as `row` takes it, one number a draw; in a blocked design the i-th of all are one draw."""
    drawn = samples(trend, runs, reader("K"))
    units = [{str(d): value for d, value in one.items() if value is not None} for one in drawn]
    return _used(units, runs.spec.analysis.design == "blocked")


def samples(trend: Trend, runs: Runs, read: Read) -> list[dict[int, float | None]]:
    """Draw → number, orders averaged, of the arm of every dose."""
    return [draw_values(runs, arm, read) for arm in trend.arms]


def table(trend: Trend, runs: Runs, main: Row) -> Row:
    """The whole trend: its slope, the values of every dose, the margin that five points are worth, its rivals.

    Args:
        trend: arms and doses.
        runs: the runs.
        main: the row of K, see `row`.

    Returns:
        The row with `slope` for the estimate, `means` and `values` of every dose, `margin_for_5_points` = |slope| · .05
        and `margin_for_5_points_low`, the same by the two lowest doses alone, in nats.
    """
    values = [[value for value in one.values() if value is not None] for one in samples(trend, runs, reader("K"))]
    means = [fmean(one) if one else None for one in values]
    low = sorted(zip(trend.doses, means, strict=True), key=lambda pair: pair[0])[:2]
    (first, a), (second, b) = low
    steep = abs(b - a) / (second - first) if a is not None and b is not None and second > first else None
    slope = main["estimate"]
    others: list[Json] = []
    for endpoint in BESIDE:
        other = row(trend, runs, endpoint, reader(endpoint))
        if other["status"] == "ok":
            others.append(
                {"endpoint": endpoint, "slope": other["estimate"], **{k: other[k] for k in ("interval", "p")}}
            )
    further: Row = {
        "slope": slope,
        "doses": list(trend.doses),
        "means": list(means),
        "values": [list(one) for one in values],
        "margin_for_5_points": abs(slope) * FIVE_POINTS if isinstance(slope, float) else None,
        "margin_for_5_points_low": None if steep is None else steep * FIVE_POINTS,
        "beside": others,
    }
    return main | further
