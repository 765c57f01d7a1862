"""Trends over a dose: the slope of K, what five points of dose are worth, and the same of its rivals.

Here live: the rows of a result that are trends. Not here: the test (`stats.trend`) and contrasts (`contrasts`).
"""

from __future__ import annotations

from statistics import fmean

import numpy as np

from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Trend
from shadowgraph.stats.trend import trend_test
from shadowgraph.study.contrasts import BESIDE, Asked, Row
from shadowgraph.study.effects import interval_fields
from shadowgraph.study.readings import Read, Runs, draw_values, reader

FIVE_POINTS = 0.05
METHOD = "least-squares slope per unit of dose, {exact} permutation of doses {where}"


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
    analysis = runs.spec.analysis
    blocked = analysis.design == "blocked"
    values = samples(trend, runs, read)
    known = [[value for value in sample.values() if value is not None] for sample in values]
    shared = sorted(set.intersection(*({d for d, v in sample.items() if v is not None} for sample in values)))
    found: Row = {
        "name": trend.name,
        "kind": "trend",
        "endpoint": endpoint,
        "arms": list(trend.arms),
        "reading": "unmatched",
        "level": 1.0 - analysis.alpha,
        "design": analysis.design,
        "support": None,
        "dropped": [
            {"arm": arm, "draw": draw, "status": "no number"}
            for arm, sample in zip(trend.arms, values, strict=True)
            for draw, value in sample.items()
            if value is None
        ],
        "hedges_g": None,
        "cliffs_delta": None,
    }
    used = [[float(sample[draw] or 0.0) for draw in shared] for sample in values] if blocked else known
    if not all(used):
        none: Row = {"estimate": None, "interval": None, "p": None, "n": [len(sample) for sample in used]}
        return found | {"status": "not estimable", "reason": "an arm has no number in any draw"} | none
    stream = generator(runs.spec.study.seed, "trend", trend.name, endpoint)
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
        "method": METHOD.format(exact="exact" if test.exact else "Monte Carlo", where=where),
    }
    return found | slope


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
