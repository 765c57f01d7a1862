"""Training under several regimens, held against each other along its path: outside loss and K at equal benchmark loss.

Here lives: `training_table`. Not here: paths (`paths`), what draws say (`over_bases`), words (`licence`).

A plain run is read at all its snapshots, so its path is what stopping early would have given. Where its update was
edited, it is a control once more: interpolated with its base, which keeps K as it was and costs no training. Regimens
are not interpolated, so that comparison is one-sided.

The base has no K and is no point of a path: before the first snapshot, up to half of the gain, nothing is read, and a
straight line there would overstate outside loss where it grows faster than the gain, unequally for unequal snapshots.
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
from shadowgraph.study.edited import TOGETHER
from shadowgraph.study.frontiers import KEPT_SHARES, bases_of, corrected
from shadowgraph.study.intervene import PLAIN as INTERPOLATION
from shadowgraph.study.over_bases import over_bases

PLAIN = "plain training, stopped early"
INTERPOLATED = "plain training, interpolated with its base"
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
        One row a pair: arm, regimen, role, against, against_role ("plain", "interpolated" or "control"); "outside" and
        "K", rows of `over_bases` at equal benchmark loss over one range, both with p_adjusted (Holm over the rows of an
        arm).
    """
    paths: dict[tuple[str, str], dict[int, Sequence[Record]]] = {}
    spans: dict[str, dict[int, tuple[Record, Record]]] = {}
    for record in records:
        if record.get("path") is not None and record.get("rate") is None and not record.get("seed_index"):
            at = str(record["arm"]), str(record.get("regimen") or PLAIN)
            paths.setdefault(at, {})[int(record["draw"])] = record["path"]
            if at[1] == PLAIN:
                spans.setdefault(at[0], {})[int(record["draw"])] = (record["path"][0], record["path"][-1])
                if mixed := _interpolated(record):
                    paths.setdefault((at[0], INTERPOLATED), {})[int(record["draw"])] = mixed
    rows: list[Row] = []
    for arm in spec.arm:
        own: list[Row] = []
        for name, role in regimens:
            others = [(PLAIN, "plain"), (INTERPOLATED, "interpolated")]
            others += [(other, kind) for other, kind in regimens if kind == "control" and role == "flattening"]
            for other, kind in others:
                both = paths.get((arm, name)), paths.get((arm, other))
                if both[0] and both[1]:
                    told: Row = {"arm": arm, "regimen": name, "role": role, "against": other, "against_role": kind}
                    found = _pair(spec, asked, (both[0], both[1]), spans.get(arm, {}), f"{arm}, {name}, {other}")
                    own.append(told | found)
        rows += _corrected(own)
    return rows


def _corrected(rows: Sequence[Row]) -> list[Row]:
    """Rows of an arm with Holm's p beside that of either quantity."""
    found: list[Row] = [dict(row) for row in rows]
    for key in ("outside", "K"):
        for row, test in zip(found, corrected([_object(row[key]) for row in rows]), strict=True):
            row[key] = test
    return found


def _object(value: Json) -> Row:
    return value if isinstance(value, dict) else {}


def _interpolated(record: Record) -> list[Record]:
    """The path of an update interpolated with its base as a whole; its K is that of the run at any length but 0."""
    points = [
        {"benchmark": point["benchmark"], "outside": point["outside"], "K": record["K"]}
        | {"strength": float(point["strength"])}
        for point in record.get("edits") or ()
        if (point["edit"], point["block"]) == (INTERPOLATION, TOGETHER) and float(point["strength"]) > 0.0
    ]
    return sorted(points, key=lambda point: point["strength"])


def _pair(
    spec: StudySpec,
    asked: Intervention,
    both: tuple[Mapping[int, Sequence[Record]], Mapping[int, Sequence[Record]]],
    spans: Mapping[int, tuple[Record, Record]],
    label: str,
) -> Row:
    """One regimen against another over the draws that both have."""
    draws = sorted(both[0].keys() & both[1].keys() & spans.keys())
    bases = bases_of(spec, draws)
    differences = {draw: _difference(both[0][draw], both[1][draw], spans[draw], asked.support) for draw in draws}
    found: Row = {}
    for key in ("outside", "K"):
        stream = generator(spec.study.seed, "regimen", label, key)
        found[key] = over_bases(differences, bases, asked, stream, alpha=spec.analysis.alpha, companion=key == "K")
    return found


def _difference(
    first: Sequence[Record], second: Sequence[Record], span: tuple[Record, Record], support: float
) -> FrontierDifference:
    """The difference of two paths; the gain is that of plain training."""
    ends = [point["benchmark"] for point in span]
    sides = [_path(points) for points in (first, second)]
    if any(end is None for end in ends):
        return FrontierDifference(None, None, "non_finite")
    if sides[0] is None or sides[1] is None:
        return FrontierDifference(None, None, "too_few_points")
    return frontier_difference(sides[0], sides[1], (float(ends[0]), float(ends[1])), support=support, kept=KEPT_SHARES)


def _path(points: Sequence[Record]) -> Path | None:
    """The points of a run that have all numbers, in order."""
    rows = [[point[key] for key in ("benchmark", "outside", "K")] for point in points]
    known = np.array([row for row in rows if None not in row], dtype=np.float64)
    return path_from(*known.T) if known.size else None
