"""The second axis of a benchmark claim: how much of an update lies in the gradient space of benchmarks.

Here live: shares of update energy by source, less those of other sources, by arm; their test in the strata of a label.
Not here: the shares (`footprint.affinity`) and the strata (`labelled`).
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

import numpy as np

from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.stats.partial import stratified_spearman
from shadowgraph.study.contrasts import Row
from shadowgraph.study.labelled import Strata
from shadowgraph.study.labelled import row as label_row
from shadowgraph.study.mixtures import shares
from shadowgraph.study.readings import Record, Runs, arm_mean, draw_values, reader

MINE = 0.01  # share of an arm's tokens from which a source counts as trained on


def table(runs: Runs, strata: Strata | None) -> Row | None:
    """The affinity of every arm to benchmarks, minus that to sources that are none; None where none was recorded.

    An arm's controls are the other sources it was not trained on, for its own source is near to any update of it. For
    the same reason the test in the strata of a label is positive wherever the axis works at all: it says that training
    on a benchmark can be seen in its directions, not that benchmarks differ from other narrow text.
    """
    sources = [source for source in runs.spec.sources if _recorded(runs, source.name)]
    benchmarks = [source.name for source in sources if source.benchmark]
    controls = [source.name for source in sources if not source.benchmark]
    if not benchmarks:
        return None
    arms = [arm for arm in runs.arms if any(record.get("affinity") for record in runs.of(arm))]
    rows = [_arm(runs, arm, benchmarks, controls, strata) for arm in arms]
    test = None
    if strata is not None:
        found = label_row(runs, strata, "affinity", _inside(runs, strata, benchmarks, controls).get)
        test = {key: found.get(key) for key in ("estimate", "interval", "p", "n", "status", "reason", "method")}
    return {
        "benchmarks": list(benchmarks),
        "controls": list(controls),
        "arms": list(rows),
        "matrix": _matrix(runs, arms, [*benchmarks, *controls]),
        "test": test,
        "link": _link(runs, rows),
    }


def _inside(runs: Runs, strata: Strata, benchmarks: list[str], controls: list[str]) -> dict[str, float]:
    """Corpus → its share in the benchmark of its stratum, minus that in controls.

    All corpora of a stratum are read in the same spaces: the benchmarks that its labelled corpus was trained on, and
    the controls that none of them was. Some texts pull every update their way, which then counts for neither side.
    """
    found: dict[str, float] = {}
    for arm, others in strata.sets:
        trained = {name: set().union(*map(_trained, runs.of(name))) for name in (arm, *others)}
        near = [source for source in benchmarks if source in trained[arm]]
        far = [source for source in controls if source not in set().union(*trained.values())]

        def excess(record: Record, near: list[str] = near, far: list[str] = far) -> float | None:
            return _minus(_mean(record, near), _mean(record, far))

        values = {name: arm_mean(runs, name, excess) for name in trained}
        found |= {name: value for name, value in values.items() if value is not None}
    return found


def _recorded(runs: Runs, source: str) -> bool:
    records = [record for arm in runs.arms for record in runs.of(arm)]
    return any((record.get("affinity") or {}).get(source) is not None for record in records)


def _mean(record: Record, sources: list[str]) -> float | None:
    """Mean share over some sources; None where one of them has no number, or there is none."""
    held: Mapping[str, float | None] = record.get("affinity") or {}
    known = [float(value) for source in sources if (value := held.get(source)) is not None]
    return fmean(known) if known and len(known) == len(sources) else None


def _trained(record: Record) -> set[str]:
    return {source for source, share in shares(record).items() if share > MINE}


def _arm(runs: Runs, arm: str, benchmarks: list[str], controls: list[str], strata: Strata | None) -> Row:
    """One arm: shares in benchmarks, in controls and in the benchmarks it was trained on; means over draws."""

    def control(record: Record) -> float | None:
        return _mean(record, [source for source in controls if source not in _trained(record)])

    def own(record: Record) -> float | None:
        return _mean(record, [source for source in benchmarks if source in _trained(record)])

    def excess(record: Record) -> float | None:
        return _minus(_mean(record, benchmarks), control(record))

    label = None
    if strata is not None:
        label = "positive" if arm in strata.positive else "negative" if arm in strata.negative else None
    return {
        "arm": arm,
        "K": arm_mean(runs, arm, reader("K")),
        "benchmark": arm_mean(runs, arm, lambda record: _mean(record, benchmarks)),
        "control": arm_mean(runs, arm, control),
        "excess": arm_mean(runs, arm, excess),
        "own": arm_mean(runs, arm, own),
        "own_excess": arm_mean(runs, arm, lambda record: _minus(own(record), control(record))),
        "values": list(draw_values(runs, arm, excess).values()),
        "label": label,
    }


def _minus(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second


def _matrix(runs: Runs, arms: list[str], sources: list[str]) -> Json:
    """Mean share of every arm in every source."""
    values: list[Json] = [
        [arm_mean(runs, arm, lambda record, source=source: _mean(record, [source])) for source in sources]
        for arm in arms
    ]
    return {"arms": list(arms), "sources": list(sources), "values": values}


def _link(runs: Runs, rows: list[Row]) -> Json:
    """Rank correlation of K and excess over arms."""
    points = [(row["K"], row["excess"]) for row in rows if row["K"] is not None and row["excess"] is not None]
    if not points:
        return {"rho": None, "p": None, "n": 0, "status": "no_number"}
    x, y = (np.array([float(str(point[side])) for point in points]) for side in (0, 1))
    found = stratified_spearman(x, y, ["all"] * len(points), generator(runs.spec.study.seed, "affinity link"))
    if found.pooled is None:
        return {"rho": None, "p": None, "n": len(points), "status": "too_few_arms"}
    return {"rho": found.pooled.statistic, "p": found.pooled.p, "n": len(points), "status": "ok"}
