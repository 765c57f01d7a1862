"""What a contrast compares: one number a unit, at the end of training or at equal norm or progress.

Here live: the runs of a study by arm and draw, endpoints read from records, units, and the tables of every reading.
Not here: tests of those tables (`effects`) and which contrasts there are (`contrasts`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

import numpy as np

from shadowgraph.errors import Defect
from shadowgraph.identity import Json
from shadowgraph.spec.analysis import Pair
from shadowgraph.spec.study import StudySpec
from shadowgraph.stats.path import Curve, path_matched_difference

Record = Mapping[str, Any]
Read = Callable[[Record], float | None]
Units = Mapping[str, float]
Axis = Literal["norm", "rate", "progress"]

READINGS: dict[Axis, str] = {
    "norm": "norm-matched",
    "rate": "norm-matched by rate",
    "progress": "progress-matched",
}
FEWEST_LEFT = 2  # units that must keep a common support before a matched reading is given


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a study.

    Attributes:
        spec: its specification.
        main: (arm, draw) → records at the study's own rate, one an order of the draw's documents.
        grid: (arm, draw) → records at every rate, the study's own included, of the runs in the rate grid.
    """

    spec: StudySpec
    main: Mapping[tuple[str, int], tuple[Record, ...]]
    grid: Mapping[tuple[str, int], tuple[Record, ...]]

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms in the order of the specification."""
        return tuple(arm.name for arm in self.spec.arms)

    def draws(self, arm: str) -> list[int]:
        """Draws of an arm."""
        return [draw for name, draw in self.main if name == arm]

    def of(self, arm: str) -> list[Record]:
        """All records of an arm at the study's own rate."""
        return [record for draw in self.draws(arm) for record in self.main[arm, draw]]

    def members(self, name: str) -> tuple[str, ...]:
        """The arms of a group, or the arm itself."""
        return self.spec.analysis.groups.get(name, (name,))

    def is_group(self, name: str) -> bool:
        """True for a group of arms, whose units are arms and not draws."""
        return name in self.spec.analysis.groups


def gather(spec: StudySpec, records: Sequence[Record]) -> Runs:
    """Sort records by arm and draw.

    Raises:
        Defect: a run of the plan has no record.
    """
    main: dict[tuple[str, int], list[Record]] = defaultdict(list)
    grid: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for record in records:
        at = str(record["arm"]), int(record["draw"])
        (main if record.get("rate") is None else grid)[at].append(record)
    wanted = [(arm, draw) for draw in range(spec.study.draws) for arm, one in spec.runs if one == draw]
    missing = [f"{arm}-{draw}" for arm, draw in wanted if len(main[arm, draw]) != spec.study.seeds]
    if missing:
        raise Defect(f"{len(missing)} runs have no record", where=missing[0])
    ordered = {at: tuple(sorted(main[at], key=lambda row: int(row.get("seed_index", 0)))) for at in wanted}
    rates = {at: (ordered[at][0], *rows) for at, rows in grid.items() if at in ordered}
    return Runs(spec, ordered, rates)


def reader(endpoint: str) -> Read:
    """How a record gives an endpoint: "K", "log_norm", "K:<variant>", "K:only_<slot>", "K@<step>" and the like."""
    if endpoint.startswith("K:only_"):
        return lambda record: _slot(record, endpoint.removeprefix("K:only_"))
    if endpoint.startswith("K:"):
        return lambda record: _number(record["variants"].get(endpoint[2:]))
    if endpoint.startswith("K@"):
        return lambda record: _at_step(record, int(endpoint[2:]))
    return lambda record: _number(record.get(endpoint))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _slot(record: Record, slot: str) -> float | None:
    """Mean concentration over the layers of one slot."""
    layers = record["per_slot"].get(slot)
    return fmean(float(k) for _, k in layers) if layers else None


def _at_step(record: Record, step: int) -> float | None:
    """K of the snapshot after a step."""
    return next((_number(point["K"]) for point in record["snapshots"] if int(point["step"]) == step), None)


def draw_values(runs: Runs, arm: str, read: Read) -> dict[int, float | None]:
    """One number a draw: the mean over its orders; None where an order has none."""
    found: dict[int, float | None] = {}
    for draw in runs.draws(arm):
        values = [read(record) for record in runs.main[arm, draw]]
        known = [value for value in values if value is not None]
        found[draw] = fmean(known) if len(known) == len(values) else None
    return found


def arm_mean(runs: Runs, arm: str, read: Read) -> float | None:
    """Mean over the draws of an arm that have a number."""
    known = [value for value in draw_values(runs, arm, read).values() if value is not None]
    return fmean(known) if known else None


@dataclass(frozen=True, slots=True)
class Tables:
    """What a reading leaves for a test.

    Attributes:
        pairs: for every pair of the contrast the units of its first and second member, by name.
        dropped: units without a number, as {arm, draw, status}.
        support: common range of the axis, averaged over pairs and draws; None where nothing was matched.
        reason: why there is nothing to test, "" where there is.
    """

    pairs: tuple[tuple[Units, Units], ...]
    dropped: tuple[dict[str, Json], ...] = ()
    support: tuple[float, float] | None = None
    reason: str = ""


def unmatched(runs: Runs, pairs: Sequence[Pair], read: Read) -> Tables:
    """The units of every pair at the end of training."""
    dropped: list[dict[str, Json]] = []
    tables = tuple((_units(runs, first, read, dropped), _units(runs, second, read, dropped)) for first, second in pairs)
    unique = [row for index, row in enumerate(dropped) if row not in dropped[:index]]
    empty = any(not units for pair in tables for units in pair)
    return Tables(tables, tuple(unique), None, "a member of the contrast has no number in any draw" if empty else "")


def _units(runs: Runs, name: str, read: Read, dropped: list[dict[str, Json]]) -> dict[str, float]:
    """Draws of an arm, arms of a group; those without a number are noted in `dropped`."""
    found: dict[str, float] = {}
    for arm in runs.members(name):
        values = draw_values(runs, arm, read)
        dropped.extend({"arm": arm, "draw": draw, "status": "no number"} for draw, v in values.items() if v is None)
        known = {str(draw): value for draw, value in values.items() if value is not None}
        found.update({arm: fmean(known.values())} if runs.is_group(name) and known else {})
        found.update({} if runs.is_group(name) else known)
    return found


@dataclass(slots=True)
class _Side:
    """Curves of one member of a pair, with the unit and the draw each belongs to."""

    curves: list[Curve] = field(default_factory=list[Curve])
    units: list[str] = field(default_factory=list[str])

    def means(self, values: Sequence[float]) -> dict[str, float]:
        """Mean over the curves of every unit."""
        found: dict[str, list[float]] = defaultdict(list)
        for unit, value in zip(self.units, values, strict=True):
            found[unit].append(value)
        return {unit: fmean(own) for unit, own in found.items()}

    def only(self, unit: str) -> _Side:
        """The curves of one unit."""
        kept = [index for index, name in enumerate(self.units) if name == unit]
        return _Side([self.curves[index] for index in kept], [unit] * len(kept))


class _Missing(Exception):
    """A run has no curve; the text says why."""


def matched(runs: Runs, pairs: Sequence[Pair], axis: Axis) -> Tables:
    """The units of every pair at equal update norm or equal progress.

    K of every run is averaged over the range of the axis that the compared runs share (see `stats.path`), orders of a
    draw first. In an independent design the range is that of all runs of a pair; in a blocked one each draw has its
    own, and draws without one fall out, by their norms alone. Snapshots during warm-up are left out.

    Args:
        runs: the runs.
        pairs: pairs of arms or groups.
        axis: "norm", log norm along training; "rate", log norm at the end of runs at several rates; "progress", drop
            of the loss on the arm's own held-out documents since the start, nats a token.

    Returns:
        The tables; with a reason and without units where supports do not overlap or records hold no such curve.
    """
    analysis = runs.spec.analysis
    width = analysis.progress_support if axis == "progress" else analysis.norm_support
    try:
        sides = [(_side(runs, first, axis), _side(runs, second, axis)) for first, second in pairs]
    except _Missing as missing:
        return Tables((), reason=str(missing))
    if is_blocked(runs, pairs):
        return _matched_inside(pairs, sides, axis, width)
    tables: list[tuple[Units, Units]] = []
    supports: list[tuple[float, float]] = []
    for pair, (first, second) in zip(pairs, sides, strict=True):
        found = path_matched_difference(first.curves, second.curves, width)
        if found.estimate is None or found.support is None:
            named = f"{pair[0]} and {pair[1]}: " if len(pairs) > 1 else ""
            return Tables((), support=found.support, reason=named + _too_narrow(found.support, axis, width))
        tables.append((first.means(found.a_values), second.means(found.b_values)))
        supports.append(found.support)
    return Tables(tuple(tables), support=_mean_support(supports))


def matched_units(runs: Runs, first: str, others: Sequence[str], axis: Axis) -> Tables:
    """One arm and some others, each one unit, over the range of the axis that all their runs share.

    Args:
        runs: the runs.
        first: the arm.
        others: the other arms.
        axis: as in `matched`.

    Returns:
        One pair of tables by arm, or the reason why there is none.
    """
    analysis = runs.spec.analysis
    width = analysis.progress_support if axis == "progress" else analysis.norm_support
    try:
        sides = [_arms_side(runs, arms, axis) for arms in ((first,), others)]
    except _Missing as missing:
        return Tables((), reason=str(missing))
    found = path_matched_difference(sides[0].curves, sides[1].curves, width)
    if found.estimate is None:
        return Tables((), support=found.support, reason=_too_narrow(found.support, axis, width))
    return Tables(((sides[0].means(found.a_values), sides[1].means(found.b_values)),), support=found.support)


def is_blocked(runs: Runs, pairs: Sequence[Pair]) -> bool:
    """True where differences are taken inside draws: in a blocked design, between arms."""
    return runs.spec.analysis.design == "blocked" and not any(runs.is_group(name) for pair in pairs for name in pair)


def _matched_inside(pairs: Sequence[Pair], sides: Sequence[tuple[_Side, _Side]], axis: Axis, width: float) -> Tables:
    """As `matched`, each draw with its own range; a draw must have one in every pair."""
    shared = set.intersection(*(set(side.units) for pair in sides for side in pair))
    draws = sorted(shared, key=int)
    tables: list[tuple[dict[str, float], dict[str, float]]] = [({}, {}) for _ in pairs]
    dropped: list[dict[str, Json]] = []
    supports: list[tuple[float, float]] = []
    widest: tuple[float, float] | None = None
    for draw in draws:
        parts = [(first.only(draw), second.only(draw)) for first, second in sides]
        found = [path_matched_difference(first.curves, second.curves, width) for first, second in parts]
        narrow = next((index for index, one in enumerate(found) if one.estimate is None), None)
        if narrow is not None:
            own = found[narrow].support
            widest = own if _width(own) >= _width(widest) else widest
            dropped.append({"arm": pairs[narrow][0], "draw": int(draw), "status": "no common support"})
            continue
        for table, (first, second), one in zip(tables, parts, found, strict=True):
            table[0].update(first.means(one.a_values))
            table[1].update(second.means(one.b_values))
        supports += [one.support for one in found if one.support is not None]
    left = len(draws) - len(dropped)
    if left < FEWEST_LEFT or 2 * left < len(draws):
        reason = f"{len(dropped)} of {len(draws)} draws without support: at best {_too_narrow(widest, axis, width)}"
        return Tables((), tuple(dropped), widest, reason)
    return Tables(tuple(tables), tuple(dropped), _mean_support(supports))


def _side(runs: Runs, name: str, axis: Axis) -> _Side:
    """The curves of an arm, draw by draw, or of a group, arm by arm."""
    if runs.is_group(name):
        return _arms_side(runs, runs.members(name), axis)
    side = _Side()
    for draw in runs.draws(name):
        curves = _curves(runs, name, draw, axis)
        side.curves += curves
        side.units += [str(draw)] * len(curves)
    if not side.curves:
        raise _Missing(f"{name} has no run in the rate grid")
    return side


def _arms_side(runs: Runs, arms: Sequence[str], axis: Axis) -> _Side:
    """The curves of some arms, each arm one unit; over rates those of them that are in the rate grid."""
    side = _Side()
    for arm in arms:
        curves = [curve for draw in runs.draws(arm) for curve in _curves(runs, arm, draw, axis)]
        side.curves += curves
        side.units += [arm] * len(curves)
    if not side.curves:
        raise _Missing(f"{', '.join(arms)} has no run in the rate grid")
    return side


def _curves(runs: Runs, arm: str, draw: int, axis: Axis) -> list[Curve]:
    """The curves of one draw: one a run along training, one in all over rates."""
    if axis == "rate":
        rows = runs.grid.get((arm, draw), ())
        return [_curve([(row["log_norm"], row["K"]) for row in rows], f"{arm}-{draw}", axis)] if rows else []
    return [
        _curve(points_of(record, axis, runs.spec.training.warmup_steps), f"{arm}-{draw}", axis)
        for record in runs.main[arm, draw]
    ]


def points_of(record: Record, axis: Axis, warmup: int) -> list[tuple[float | None, float | None]]:
    """(axis, K) at the snapshots of a run from the end of warm-up on."""
    points = [point for point in record["snapshots"] if int(point["step"]) >= warmup]
    if axis == "norm":
        return [(point["log_norm"], point["K"]) for point in points]
    own = record.get("own_loss")
    if own is None or own["start"] is None:
        return []
    losses = [(point.get("own_loss"), point["K"]) for point in points]
    return [(None if loss is None else float(own["start"]) - float(loss), k) for loss, k in losses]


def _curve(points: Sequence[tuple[float | None, float | None]], name: str, axis: Axis) -> Curve:
    """A curve out of the points that have both numbers."""
    known = [(float(x), float(k)) for x, k in points if x is not None and k is not None]
    if len(known) < 2:
        wanted = "loss on its own held-out documents" if axis == "progress" else "update norm"
        raise _Missing(f"the run {name} has fewer than two points with K and {wanted}")
    return np.array([x for x, _ in known]), np.array([k for _, k in known])


def _mean_support(supports: Sequence[tuple[float, float]]) -> tuple[float, float]:
    if len(supports) == 1:
        return supports[0]
    return fmean(low for low, _ in supports), fmean(high for _, high in supports)


def _width(support: tuple[float, float] | None) -> float:
    return support[1] - support[0] if support else 0.0


def _too_narrow(support: tuple[float, float] | None, axis: Axis, width: float) -> str:
    what = "progress" if axis == "progress" else "update norm"
    return f"the runs share {_width(support):.2f} nats of {what}, {width} needed"
