"""Curves of K along norm or progress, and the range of it that runs share.

Here live: the points of a run, the curves of one member of a comparison with the units they belong to, and their means
over a common range, over all runs or draw by draw.
Not here: which runs are compared (`readings`) and the mean over a range itself (`stats.path`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

import numpy as np

from shadowgraph.identity import Json
from shadowgraph.stats.path import Curve, path_matched_difference

Axis = Literal["norm", "rate", "progress"]
Span = tuple[float, float]
FEWEST_LEFT = 2  # units that must keep a common support before a matched reading is given


@dataclass(slots=True)
class Side:
    """Curves of one member of a pair, with the unit and the draw each belongs to."""

    curves: list[Curve] = field(default_factory=list[Curve])
    units: list[str] = field(default_factory=list[str])

    def means(self, values: Sequence[float]) -> dict[str, float]:
        """Mean over the curves of every unit."""
        found: dict[str, list[float]] = defaultdict(list)
        for unit, value in zip(self.units, values, strict=True):
            found[unit].append(value)
        return {unit: fmean(own) for unit, own in found.items()}

    @classmethod
    def pooled(cls, sides: Mapping[str, Side]) -> Side:
        """One side as it is, several with their names before those of the units."""
        if len(sides) == 1:
            return next(iter(sides.values()))
        units = [f"{name} {unit}" for name, side in sides.items() for unit in side.units]
        return cls([curve for side in sides.values() for curve in side.curves], units)

    def only(self, unit: str) -> Side:
        """The curves of one unit."""
        kept = [index for index, name in enumerate(self.units) if name == unit]
        return Side([self.curves[index] for index in kept], [unit] * len(kept))


class MissingCurve(Exception):
    """A run has no curve; the text says why."""


def points_of(record: Mapping[str, Any], axis: Axis, warmup: int) -> list[tuple[float | None, float | None]]:
    """(axis, K) at the snapshots of a run from the end of warm-up on."""
    points = [point for point in record["snapshots"] if int(point["step"]) >= warmup]
    if axis == "norm":
        return [(point["log_norm"], point["K"]) for point in points]
    own = record.get("own_loss")
    if own is None or own["start"] is None:
        return []
    losses = [(point.get("own_loss"), point["K"]) for point in points]
    return [(None if loss is None else float(own["start"]) - float(loss), k) for loss, k in losses]


def curve_of(points: Sequence[tuple[float | None, float | None]], name: str, axis: Axis) -> Curve:
    """A curve out of the points that have both numbers.

    Raises:
        MissingCurve: fewer than two have.
    """
    known = [(float(x), float(k)) for x, k in points if x is not None and k is not None]
    if len(known) < 2:
        wanted = "loss on its own held-out documents" if axis == "progress" else "update norm"
        raise MissingCurve(f"the run {name} has fewer than two points with K and {wanted}")
    return np.array([x for x, _ in known]), np.array([k for _, k in known])


def mean_support(supports: Sequence[Span]) -> Span:
    """Mean of both ends; of one range its own."""
    if len(supports) == 1:
        return supports[0]
    return fmean(low for low, _ in supports), fmean(high for _, high in supports)


def _width(support: Span | None) -> float:
    return support[1] - support[0] if support else 0.0


def too_narrow(support: Span | None, axis: Axis, width: float) -> str:
    """Why a range does not count."""
    what = "progress" if axis == "progress" else "update norm"
    return f"the runs share {_width(support):.2f} nats of {what}, {width} needed"


def over_common(sides: Sequence[Side], width: float) -> tuple[list[dict[str, float]], Span | None]:
    """The units of every side over the range that all their curves share; none where it is too narrow."""
    rest = [curve for side in sides[1:] for curve in side.curves]
    found = path_matched_difference(sides[0].curves, rest, width)
    values = iter((*found.a_values, *found.b_values))
    units = [] if found.estimate is None else [side.means([next(values) for _ in side.curves]) for side in sides]
    return units, found.support


@dataclass(frozen=True, slots=True)
class Inside:
    """The units of every side of every set, draws by name, and what became of the draws."""

    tables: list[list[dict[str, float]]]
    dropped: tuple[dict[str, Json], ...]
    support: Span | None
    reason: str = ""


def over_draws(names: Sequence[str], sets: Sequence[Sequence[Side]], axis: Axis, width: float) -> Inside:
    """As `matched`, each draw with its own range; a draw must have one in every set of sides.

    Args:
        names: of the sets of sides, for what is left out.
        sets: sides that are compared with one another.
        axis: what the runs are matched on.
        width: narrowest range that counts, nats.
    """
    shared = set.intersection(*(set(side.units) for sides in sets for side in sides))
    draws = sorted(shared, key=int)
    tables: list[list[dict[str, float]]] = [[{} for _ in sides] for sides in sets]
    dropped: list[dict[str, Json]] = []
    supports: list[Span] = []
    widest: Span | None = None
    for draw in draws:
        found = [over_common([side.only(draw) for side in sides], width) for sides in sets]
        narrow = next((index for index, (units, _) in enumerate(found) if not units), None)
        if narrow is not None:
            own = found[narrow][1]
            widest = own if _width(own) >= _width(widest) else widest
            dropped.append({"arm": names[narrow], "draw": int(draw), "status": "no common support"})
            continue
        for table, (units, support) in zip(tables, found, strict=True):
            for side, own in zip(table, units, strict=True):
                side.update(own)
            supports += [support] if support is not None else []
    left = len(draws) - len(dropped)
    if left < FEWEST_LEFT or 2 * left < len(draws):
        reason = f"{len(dropped)} of {len(draws)} draws without support: at best {too_narrow(widest, axis, width)}"
        return Inside([], tuple(dropped), widest, reason)
    return Inside(tables, tuple(dropped), mean_support(supports))
