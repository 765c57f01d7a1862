"""Asymmetry of what arms learned, and whether K goes with it: inside arms first, pooled second.

Here live: asymmetry of studies over sources, from losses on one panel of outside text, and the link of K to asymmetry.
Not here: asymmetry of scores (`lopsided`) and rank correlation (`stats.partial`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.stats.paired import paired
from shadowgraph.stats.partial import stratified_spearman
from shadowgraph.stats.resample import PermutationTest
from shadowgraph.study.contrasts import Row
from shadowgraph.study.readings import Read, Record, Runs, draw_values, reader

RIVALS = ("K", "K_emb", "log_norm")


def loss_asymmetry(runs: Runs, bases: Mapping[int, Record]) -> list[Row]:
    """Asymmetry of every arm: loss won on its own held-out documents minus mean loss won on the outside sources.

    Args:
        runs: the runs of a study over sources.
        bases: draw → record of the base it starts from, with its loss on every source.

    Returns:
        One row an arm; nats a token, one value a draw, the same outside sources for all arms.
    """
    outside = [source.name for source in runs.spec.sources if source.role == "outside"]
    rows: list[Row] = []
    for arm in runs.arms:
        values = draw_values(runs, arm, loss_reader(runs, bases))
        known = [value for value in values.values() if value is not None]
        stream = generator(runs.spec.study.seed, "asymmetry", arm)
        interval = paired(np.array(known), stream, level=1.0 - runs.spec.analysis.alpha).interval if known else None
        own = draw_values(runs, arm, own_gain)
        gains = draw_values(runs, arm, lambda record: outside_gain(record, bases, outside))
        rows.append(
            {
                "arm": arm,
                "measure": "nats",
                "estimate": fmean(known) if known else None,
                "interval": list(interval.ends) if interval is not None and interval.ends else None,
                "values": list(values.values()),
                "own_gain": _mean(list(own.values())),
                "outside_gain": _mean(list(gains.values())),
                "status": "ok" if known else "no_losses",
                "outside": list(outside),
            }
        )
    return rows


def loss_reader(runs: Runs, bases: Mapping[int, Record]) -> Read:
    """How a record gives its asymmetry in nats a token."""
    outside = [source.name for source in runs.spec.sources if source.role == "outside"]

    def read(record: Record) -> float | None:
        own, other = own_gain(record), outside_gain(record, bases, outside)
        return None if own is None or other is None else own - other

    return read


def own_gain(record: Record) -> float | None:
    """Drop of the loss on a run's own held-out documents, nats a token."""
    own = record.get("own_loss")
    if not own or own.get("start") is None or own.get("end") is None:
        return None
    return float(own["start"]) - float(own["end"])


def outside_gain(record: Record, bases: Mapping[int, Record], outside: Sequence[str]) -> float | None:
    """Mean drop of the loss on the outside sources, nats a token; negative when they were unlearned."""
    before = bases[int(record["draw"])].get("source_losses") or {}
    after = record.get("source_losses") or {}
    if not outside or any(name not in before or name not in after for name in outside):
        return None
    return fmean(float(before[name]) - float(after[name]) for name in outside)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def links(runs: Runs, asymmetry: Read) -> list[Row]:
    """Rank correlation of K, and of its rivals, with asymmetry: mean over arms of that inside arms, and pooled."""
    rows: list[Row] = []
    for x in RIVALS:
        points = _points(runs, x, asymmetry)
        if len(points) < 3:
            continue
        strata = [" ".join(filter(None, (str(point["arm"]), _setting(runs, point)))) for point in points]
        sides = [np.array([float(str(point[side])) for point in points]) for side in ("x", "y")]
        stream = generator(runs.spec.study.seed, "link", x)
        found = stratified_spearman(sides[0], sides[1], strata, stream)
        inside = [rho for rho in found.by_stratum.values() if rho is not None]
        within: dict[str, Json] = {"strata": len(inside), "n": len(points), "by_arm": dict(found.by_stratum)}
        rows.append(
            {
                "x": x,
                "y": "asymmetry",
                "within": _plain(found.within, found.status) | within,
                "pooled": _plain(found.pooled, "ok" if found.pooled else "no_variation") | {"n": len(points)},
                "signs_differ": found.contradict,
                "points": [dict(point) for point in points],
            }
        )
    return rows


def _points(runs: Runs, x: str, asymmetry: Read) -> list[dict[str, Json]]:
    found: list[dict[str, Json]] = []
    for arm in runs.arms:
        first, second = draw_values(runs, arm, reader(x)), draw_values(runs, arm, asymmetry)
        for draw in first:
            if first[draw] is not None and second[draw] is not None:
                found.append({"arm": arm, "draw": draw, "x": first[draw], "y": second[draw]})
    return found


def _setting(runs: Runs, point: Mapping[str, Json]) -> str:
    """Name of the setting of a point: between settings levels mean nothing."""
    setting = runs.spec.setting_of(int(str(point["draw"])))
    return "" if setting is None else setting.name


def _plain(test: PermutationTest | None, status: str) -> dict[str, Json]:
    if test is None:
        return {"rho": None, "p": None, "status": status}
    return {"rho": test.statistic, "p": test.p, "status": status}
