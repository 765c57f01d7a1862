"""Training under several regimens, held against each other along its path: outside loss and K at equal benchmark loss.

Here lives: `training_table`. Not here: paths (`paths`), what draws say (`over_bases`), words (`licence`).

A plain run is read at all its snapshots, so its path is what stopping early would have given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.spec.intervention import Intervention
from shadowgraph.spec.study import StudySpec
from shadowgraph.stats.frontier import FrontierDifference, Path, frontier_difference, path_from
from shadowgraph.study.frontiers import KEPT_SHARES, bases_of, corrected
from shadowgraph.study.over_bases import over_bases

PLAIN = "plain training, stopped early"
Role = Literal["flattening", "control"]
Record = Mapping[str, Any]
Row = dict[str, Json]


def training_table(
    spec: StudySpec, asked: Intervention, regimens: Sequence[tuple[str, Role]], records: Sequence[Record]
) -> list[Row]:
    """Every regimen against plain training, and every flattening one against every control, arm by arm.

    Args:
        spec: the study.
        asked: its intervention.
        regimens: name and role of each.
        records: of all runs; those of a regimen hold its name under "regimen", those of plain training None or
            nothing. Order 0 of a draw is read.

    Returns:
        One row a pair: arm, regimen, role, against, against_role ("plain" or "control"); "outside" and "K", rows of
        `over_bases` at equal benchmark loss, outside with p_adjusted (Holm over the rows of an arm).
    """
    paths: dict[tuple[str, str], dict[int, Sequence[Record]]] = {}
    for record in records:
        if record.get("path") is not None and record.get("rate") is None and not record.get("seed_index"):
            at = str(record["arm"]), str(record.get("regimen") or PLAIN)
            paths.setdefault(at, {})[int(record["draw"])] = record["path"]
    rows: list[Row] = []
    for arm in spec.arm:
        own: list[Row] = []
        for name, role in regimens:
            others = [(PLAIN, "plain")]
            others += [(other, kind) for other, kind in regimens if kind == "control" and role == "flattening"]
            for other, kind in others:
                both = paths.get((arm, name)), paths.get((arm, other))
                if both[0] and both[1]:
                    plain = paths.get((arm, PLAIN), {})
                    told: Row = {"arm": arm, "regimen": name, "role": role, "against": other, "against_role": kind}
                    own.append(told | _pair(spec, asked, (both[0], both[1]), plain, f"{arm}, {name}, {other}"))
        tests = corrected([{"p": _p(row)} for row in own])
        rows += [row | {"p_adjusted": test["p_adjusted"]} for row, test in zip(own, tests, strict=True)]
    return rows


def _p(row: Row) -> Json:
    outside = row["outside"]
    return outside["p"] if isinstance(outside, dict) else None


def _pair(
    spec: StudySpec,
    asked: Intervention,
    both: tuple[Mapping[int, Sequence[Record]], Mapping[int, Sequence[Record]]],
    plain: Mapping[int, Sequence[Record]],
    label: str,
) -> Row:
    """One regimen against another over the draws that both have."""
    draws = sorted(both[0].keys() & both[1].keys() & plain.keys())
    bases = bases_of(spec, draws)
    found: Row = {}
    for key in ("outside", "K"):
        differences = {
            draw: _difference(both[0][draw], both[1][draw], plain[draw], asked.support, of_k=key == "K")
            for draw in draws
        }
        stream = generator(spec.study.seed, "regimen", label, key)
        found[key] = over_bases(differences, bases, asked, stream, alpha=spec.analysis.alpha, companion=key == "K")
    return found


def _difference(
    first: Sequence[Record], second: Sequence[Record], plain: Sequence[Record], support: float, *, of_k: bool
) -> FrontierDifference:
    """The difference of two paths; the gain is that of plain training. The base has no K, and is left out for it."""
    ends = [point["benchmark"] for point in (plain[0], plain[-1])]
    sides = [_path(points, of_k=of_k) for points in (first, second)]
    if any(end is None for end in ends):
        return FrontierDifference(None, None, "non_finite")
    if sides[0] is None or sides[1] is None:
        return FrontierDifference(None, None, "too_few_points")
    return frontier_difference(
        sides[0], sides[1], (float(ends[0]), float(ends[1])), support=support, kept=() if of_k else KEPT_SHARES
    )


def _path(points: Sequence[Record], *, of_k: bool) -> Path | None:
    """The points of a run that have all numbers, in order of steps."""
    keys = ("benchmark", "outside", "K") if of_k else ("benchmark", "outside")
    rows = [[point[key] for key in keys] for point in points]
    known = np.array([row for row in rows if None not in row], dtype=np.float64)
    return path_from(*known.T) if known.size else None
