"""What a contrast compares: one number a unit, at the end of training or at equal norm or progress.

Here live: the runs of a study by arm and draw, endpoints read from records, units, and the tables of every reading.
Not here: tests of those tables (`effects`) and which contrasts there are (`contrasts`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from shadowgraph.errors import Defect
from shadowgraph.identity import Json
from shadowgraph.spec.analysis import Pair
from shadowgraph.spec.study import StudySpec
from shadowgraph.stats.path import Curve
from shadowgraph.study.curves import (
    Axis,
    MissingCurve,
    Side,
    curve_of,
    mean_support,
    over_common,
    over_draws,
    points_of,
    too_narrow,
)
from shadowgraph.study.sharing import inside_draws, strata_of

Record = Mapping[str, Any]
Read = Callable[[Record], float | None]
Units = Mapping[str, float]

READINGS: dict[Axis, str] = {
    "norm": "norm-matched",
    "rate": "norm-matched by rate",
    "progress": "progress-matched",
}


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a study.

    Attributes:
        spec: its specification.
        main: (arm, draw) → records at the study's own rate, one an order of the draw's documents.
        grid: (arm, draw) → records at every rate, the study's own included, of the runs in the rate grid.
        regimens: (arm, draw) → records of its runs under regimens; no test of the plan sees them.
    """

    spec: StudySpec
    main: Mapping[tuple[str, int], tuple[Record, ...]]
    grid: Mapping[tuple[str, int], tuple[Record, ...]]
    regimens: Mapping[tuple[str, int], tuple[Record, ...]] = field(default_factory=dict[tuple[str, int], Any])

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

    def only(self, draws: Collection[int]) -> Runs:
        """The runs of some draws."""
        main, grid, regimens = (
            {at: rows for at, rows in part.items() if at[1] in draws} for part in (self.main, self.grid, self.regimens)
        )
        return Runs(self.spec, main, grid, regimens)

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
    regimens: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for record in records:
        at = str(record["arm"]), int(record["draw"])
        part = regimens if record.get("regimen") is not None else main if record.get("rate") is None else grid
        part[at].append(record)
    wanted = [(arm, draw) for draw in range(spec.study.draws) for arm, one in spec.runs if one == draw]
    missing = [f"{arm}-{draw}" for arm, draw in wanted if len(main[arm, draw]) != spec.study.seeds]
    if missing:
        raise Defect(f"{len(missing)} runs have no record", where=missing[0])
    ordered = {at: tuple(sorted(main[at], key=lambda row: int(row.get("seed_index", 0)))) for at in wanted}
    rates = {at: (ordered[at][0], *rows) for at, rows in grid.items() if at in ordered}
    return Runs(spec, ordered, rates, {at: tuple(rows) for at, rows in regimens.items()})


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
        pairs: for every pair of the contrast the units of its first and second member, by name; in an independent
            design for every stratum, in which pairs that share a member are pooled (`sharing`).
        dropped: units without a number, as {arm, draw, status}.
        support: common range of the axis, averaged over pairs and draws; None where nothing was matched.
        reason: why there is nothing to test, "" where there is.
        weights: pairs that each entry of `pairs` stands for; one each when empty.
    """

    pairs: tuple[tuple[Units, Units], ...]
    dropped: tuple[dict[str, Json], ...] = ()
    support: tuple[float, float] | None = None
    reason: str = ""
    weights: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Levels:
    """As `Tables`, for one line of arms: the units of each."""

    units: tuple[Units, ...]
    dropped: tuple[dict[str, Json], ...] = ()
    support: tuple[float, float] | None = None
    reason: str = ""


def unmatched(runs: Runs, pairs: Sequence[Pair], read: Read) -> Tables:
    """The units of every pair at the end of training; of every stratum in an independent design."""
    places, reason, weights = _places(runs, pairs)
    dropped: list[dict[str, Json]] = []
    units = {name: _units(runs, name, read, dropped) for place in places for side in place for name in side}
    tables = tuple((_pooled(units, first), _pooled(units, second)) for first, second in places)
    unique = [row for index, row in enumerate(dropped) if row not in dropped[:index]]
    empty = "a member of the contrast has no number in any draw" if not all(units.values()) else ""
    return Tables(tables, tuple(unique), None, reason or empty, weights)


_Place = tuple[tuple[str, ...], tuple[str, ...]]


def _places(runs: Runs, pairs: Sequence[Pair]) -> tuple[list[_Place], str, tuple[float, ...]]:
    """The members that are held against each other, why there are none, and the pairs that each entry stands for."""
    if is_blocked(runs, pairs):
        return [((first,), (second,)) for first, second in pairs], "", ()
    found = strata_of(pairs, runs.spec.analysis.groups)
    return (
        [(part.first, part.second) for part in found.parts],
        found.reason,
        tuple(float(part.pairs) for part in found.parts),
    )


def _pooled(units: Mapping[str, Units], names: Sequence[str]) -> Units:
    """The units of one member as they are, of several with the member before their names."""
    if len(names) == 1:
        return units[names[0]]
    return {f"{name} {unit}": value for name in names for unit, value in units[name].items()}


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


def matched(runs: Runs, pairs: Sequence[Pair], axis: Axis) -> Tables:
    """The units of every pair at equal update norm or equal progress.

    K of every run is averaged over the range of the axis that the compared runs share (see `stats.path`), orders of a
    draw first. In an independent design the range is that of all runs of a stratum, a pair or pairs that share a
    member; in a blocked one each draw has its own, and draws without one fall out, by their norms alone. Snapshots
    during warm-up are left out.

    Args:
        runs: the runs.
        pairs: pairs of arms or groups.
        axis: "norm", log norm along training; "rate", log norm at the end of runs at several rates; "progress", drop
            of the loss on the arm's own held-out documents since the start, nats a token.

    Returns:
        The tables; with a reason and without units where supports do not overlap or records hold no such curve.
    """
    width = _least(runs, axis)
    places, reason, weights = _places(runs, pairs)
    if reason:
        return Tables((), reason=reason)
    try:
        made = {name: _side(runs, name, axis) for place in places for side in place for name in side}
    except MissingCurve as missing:
        return Tables((), reason=str(missing))
    sides = [[Side.pooled({name: made[name] for name in side}) for side in place] for place in places]
    if is_blocked(runs, pairs):
        inside = over_draws([first for first, _ in pairs], sides, axis, width)
        tables = tuple((first, second) for first, second in inside.tables)
        return Tables(tables, inside.dropped, inside.support, inside.reason)
    between: list[tuple[Units, Units]] = []
    supports: list[tuple[float, float]] = []
    for place, pair in zip(places, sides, strict=True):
        units, support = over_common(pair, width)
        if not units or support is None:
            named = f"{' and '.join(name for side in place for name in side)}: " if len(places) > 1 else ""
            return Tables((), support=support, reason=named + too_narrow(support, axis, width))
        between.append((units[0], units[1]))
        supports.append(support)
    return Tables(tuple(between), (), mean_support(supports), "", weights)


def matched_arms(runs: Runs, arms: Sequence[str], axis: Axis) -> Levels:
    """The units of several arms over the range of the axis that all of them share, of each draw where it is blocked.

    Args:
        runs: the runs.
        arms: at least two arms.
        axis: as in `matched`.

    Returns:
        The units, draws by name; or why there are none.
    """
    width = _least(runs, axis)
    try:
        sides = [_side(runs, arm, axis) for arm in arms]
    except MissingCurve as missing:
        return Levels((), reason=str(missing))
    if runs.spec.analysis.design == "blocked":
        inside = over_draws([" to ".join((arms[0], arms[-1]))], [sides], axis, width)
        units = inside.tables[0] if inside.tables else ()
        return Levels(tuple(units), inside.dropped, inside.support, inside.reason)
    found, support = over_common(sides, width)
    return Levels(tuple(found), (), support, "" if found else too_narrow(support, axis, width))


def _least(runs: Runs, axis: Axis) -> float:
    """The narrowest range that counts."""
    analysis = runs.spec.analysis
    return analysis.progress_support if axis == "progress" else analysis.norm_support


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
    width = _least(runs, axis)
    try:
        sides = [_arms_side(runs, arms, axis) for arms in ((first,), others)]
    except MissingCurve as missing:
        return Tables((), reason=str(missing))
    units, support = over_common(sides, width)
    if not units:
        return Tables((), support=support, reason=too_narrow(support, axis, width))
    return Tables(((units[0], units[1]),), support=support)


def is_blocked(runs: Runs, pairs: Sequence[Pair]) -> bool:
    """True where differences are taken inside draws: in a blocked design, between arms."""
    return inside_draws(runs.spec.analysis, pairs)


def _side(runs: Runs, name: str, axis: Axis) -> Side:
    """The curves of an arm, draw by draw, or of a group, arm by arm."""
    if runs.is_group(name):
        return _arms_side(runs, runs.members(name), axis)
    side = Side()
    for draw in runs.draws(name):
        curves = _curves(runs, name, draw, axis)
        side.curves += curves
        side.units += [str(draw)] * len(curves)
    if not side.curves:
        raise MissingCurve(f"{name} has no run in the rate grid")
    return side


def _arms_side(runs: Runs, arms: Sequence[str], axis: Axis) -> Side:
    """The curves of some arms, each arm one unit; over rates those of them that are in the rate grid."""
    side = Side()
    for arm in arms:
        curves = [curve for draw in runs.draws(arm) for curve in _curves(runs, arm, draw, axis)]
        side.curves += curves
        side.units += [arm] * len(curves)
    if not side.curves:
        raise MissingCurve(f"{', '.join(arms)} has no run in the rate grid")
    return side


def _curves(runs: Runs, arm: str, draw: int, axis: Axis) -> list[Curve]:
    """The curves of one draw: one a run along training, one in all over rates."""
    if axis == "rate":
        rows = runs.grid.get((arm, draw), ())
        return [curve_of([(row["log_norm"], row["K"]) for row in rows], f"{arm}-{draw}", axis)] if rows else []
    return [
        curve_of(points_of(record, axis, runs.spec.training.warmup_steps), f"{arm}-{draw}", axis)
        for record in runs.main[arm, draw]
    ]
