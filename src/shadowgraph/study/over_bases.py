"""What draws of several bases say of one difference of curves: mean, interval, test, each base by itself.

Here lives: `over_bases`. Not here: the differences (`frontiers`, `regimen_paths`), words (`licence`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from shadowgraph.identity import Json
from shadowgraph.spec.intervention import Intervention
from shadowgraph.stats.frontier import FrontierDifference, stratified_mean_interval
from shadowgraph.stats.paired import paired, paired_tost

LEAST = 0.5
"""Share of draws that must have a number for their mean to be given."""
_WHY = {
    "too_narrow": "the curves share too little of the benchmark gain ({share:.2f} in the mean; {support:g} is asked)",
    "no_gain": "the benchmark loss of the base is not above that of the tuned model",
    "too_few_points": "a curve has fewer than two points",
    "non_finite": "losses or weights are not finite",
    "absent": "no run that takes part in the test has a record of it",
}


@dataclass(frozen=True, slots=True)
class Base:
    """The base that a draw starts from: its name, and whether its setting is held out of the tests."""

    name: str
    held_out: bool


def over_bases(
    found: Mapping[int, FrontierDifference],
    bases: Mapping[int, Base],
    asked: Intervention,
    stream: np.random.Generator,
    *,
    alpha: float,
    companion: bool = False,
) -> dict[str, Json]:
    """One difference over draws.

    Args:
        found: draw → difference of its run.
        bases: draw → its base.
        asked: the intervention: resamples, support, margin.
        stream: random stream of the bootstrap.
        alpha: level of tests and, as 1 − alpha, of intervals.
        companion: whether the companion of the difference (K) is meant; it has no levels and no margin.

    Returns:
        estimate (mean over the draws that have one and are not held out), status and reason where it is None; interval,
        level, method; p (sign flips, all of them up to 17 draws), smallest_p; n; share (mean common range over the
        benchmark gain); levels; bases, one row each; values, one a draw; margin and equivalent (None without a margin).
    """
    numbers = {draw: item.companion if companion else item.estimate for draw, item in found.items()}
    seen = [draw for draw in found if not bases[draw].held_out]
    known = {draw: value for draw in seen if (value := numbers[draw]) is not None}
    rows: dict[str, Json] = {
        "n": len(known),
        "share": fmean(found[draw].share for draw in seen) if seen else 0.0,
        "bases": _by_base(numbers, bases, stream, alpha),
        "values": [
            {"draw": draw, "base": bases[draw].name, "value": numbers[draw], "status": item.status}
            for draw, item in found.items()
        ],
        "level": 1.0 - alpha,
        **({} if companion else {"levels": _levels(found, seen)}),
    }
    if not known or len(known) < LEAST * len(seen):
        return rows | _nothing(found, seen, asked)
    values = np.array(list(known.values()))
    strata = _strata(known, bases)
    interval = stratified_mean_interval(strata, 1.0 - alpha, stream, resamples=asked.bootstrap)
    test = paired(values, stream, level=1.0 - alpha)
    rows |= {
        "estimate": float(values.mean()),
        "status": "ok",
        "reason": "",
        "interval": list(interval.ends) if interval.ends is not None else None,
        "interval_status": interval.status,
        "method": interval.method,
        "p": test.p,
        "smallest_p": test.smallest_p,
    }
    if not companion:
        claim = None if asked.margin is None else paired_tost(values, asked.margin, alpha)
        rows |= {"margin": asked.margin, "equivalent": None if claim is None else claim.equivalent}
    return rows


def _nothing(found: Mapping[int, FrontierDifference], seen: list[int], asked: Intervention) -> dict[str, Json]:
    """The row where too few draws have a number, with the commonest reason and the draws that it is that of."""
    fates = [found[draw].status for draw in seen if found[draw].status != "ok"]
    status = max(sorted(set(fates)), key=fates.count) if fates else "absent"
    shares = [found[draw].share for draw in seen if found[draw].status == status]
    told = _WHY[status].format(share=fmean(shares) if shares else 0.0, support=asked.support)
    part = f"{len(shares)} of {len(seen)} draws: " if len(shares) < len(seen) else ""
    gone: dict[str, Json] = dict.fromkeys(("estimate", "interval", "p", "smallest_p", "margin", "equivalent"))
    return {**gone, "status": status, "reason": part + told}


def _strata(known: Mapping[int, float], bases: Mapping[int, Base]) -> list[np.ndarray]:
    """Values by base; where every draw has a base of its own, the draws are one sample."""
    groups: dict[str, list[float]] = {}
    for draw, value in known.items():
        groups.setdefault(bases[draw].name, []).append(value)
    parts = [np.array(values) for values in groups.values()]
    alone = len(parts) > 1 and all(part.size == 1 for part in parts)
    return [np.concatenate(parts)] if alone else parts


def _by_base(
    numbers: Mapping[int, float | None], bases: Mapping[int, Base], stream: np.random.Generator, alpha: float
) -> list[Json]:
    """Mean and interval of each base, held-out ones marked."""
    rows: list[Json] = []
    for base in dict.fromkeys(bases[draw] for draw in numbers):
        own = [value for draw, value in numbers.items() if bases[draw] == base and value is not None]
        ends = paired(np.array(own), stream, level=1.0 - alpha).interval.ends if own else None
        rows.append(
            {
                "base": base.name,
                "held_out": base.held_out,
                "estimate": fmean(own) if own else None,
                "interval": None if ends is None else list(ends),
                "n": len(own),
                "status": "ok" if own else "no_draw",
            }
        )
    return rows


def _levels(found: Mapping[int, FrontierDifference], seen: list[int]) -> list[Json]:
    """Mean difference at each share of the gain that is kept, over the draws that reach it."""
    shares = sorted({share for draw in seen for share in found[draw].at}, reverse=True)
    rows: list[Json] = []
    for share in shares:
        values = [found[draw].at[share] for draw in seen if share in found[draw].at]
        rows.append({"kept": share, "estimate": fmean(values), "n": len(values)})
    return rows
