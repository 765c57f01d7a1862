"""Matching: which draws of the arms may stand beside one another.

Here live: the choice of draws within calipers, and the name of the caliper that fails.
Not here: the columns (`balance`, and whatever `runs` adds, such as the base's loss).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import SpecError


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an arm has too few matched draws.

    Attributes:
        arm: the arm.
        matched: draws that found a partner.
        column: the caliper that most pairs of draws fail.
        smallest: the smallest difference in that column over all pairs, in the caliper's unit.
        caliper: its limit.
    """

    arm: str
    matched: int
    column: str
    smallest: float
    caliper: float

    def __str__(self) -> str:
        """The sentence that goes into reports."""
        return (
            f"{self.arm}: {self.matched} draws lie within the calipers; {self.column} differs by at least "
            f"{self.smallest:.4g} and {self.caliper:.4g} is allowed"
        )


@dataclass(frozen=True, slots=True)
class Matched:
    """Sets of draws, one of each arm, that lie within the calipers of the reference's draw.

    Attributes:
        reference: the arm all others are held against.
        sets: for each kept draw of the reference, the draw of every arm; the closest first.
        failures: arms that are not matched often enough; then `sets` holds the other arms only.
    """

    reference: str
    sets: tuple[Mapping[str, int], ...]
    failures: tuple[Failure, ...]

    @property
    def complete(self) -> bool:
        """Whether every arm is matched."""
        return not self.failures


def match(
    rows: Sequence[Mapping[str, Any]],
    calipers: Mapping[str, float],
    *,
    reference: str,
    keep: int,
    relative: Collection[str] = (),
) -> Matched:
    """Pick draws of every arm so that all lie within calipers of the reference's draw.

    For each arm the pairing with the reference's draws is the one of largest size, and among those of smallest summed
    distance; the distance of a pair is its largest difference in units of the caliper. No draw is used twice.

    Args:
        rows: one a draw of an arm, with "arm", "draw" and the columns of the calipers.
        calipers: largest difference allowed in each column.
        reference: the arm the others are held against.
        keep: sets wanted.
        relative: columns compared as |a/b − 1| instead of |a − b|.

    Raises:
        SpecError: when the reference has too few draws, or a row lacks a column.
    """
    table: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        for column in calipers:
            if not isinstance(row.get(column), int | float):
                raise SpecError(f"no number in the column {column!r}", where=f"arm {row['arm']} draw {row['draw']}")
        table.setdefault(str(row["arm"]), []).append(row)
    own = sorted(table.get(reference, []), key=lambda row: int(row["draw"]))
    if len(own) < keep:
        raise SpecError(f"{len(own)} draws of the reference, {keep} sets wanted", where=f"arm {reference}")
    partner: dict[str, dict[int, tuple[int, float]]] = {}
    failures: list[Failure] = []
    for arm in sorted(set(table) - {reference}):
        others = sorted(table[arm], key=lambda row: int(row["draw"]))
        apart = _apart(own, others, calipers, relative)
        found = _pair(apart.max(axis=2))
        if len(found) < keep:
            failures.append(_failure(arm, len(found), apart, calipers))
            continue
        partner[arm] = {a: (int(others[b]["draw"]), float(apart[a, b].max())) for a, b in found}
    places = [a for a in range(len(own)) if all(a in pairs for pairs in partner.values())]
    worst = {a: max((pairs[a][1] for pairs in partner.values()), default=0.0) for a in places}
    places.sort(key=lambda a: (worst[a], a))
    if partner and len(places) < keep:
        short = min(partner, key=lambda arm: (len(partner[arm]), arm))
        apart = _apart(own, sorted(table[short], key=lambda row: int(row["draw"])), calipers, relative)
        failures.append(_failure(short, len(places), apart, calipers))
    sets = tuple(
        {reference: int(own[a]["draw"]), **{arm: pairs[a][0] for arm, pairs in partner.items()}} for a in places[:keep]
    )
    return Matched(reference, sets, tuple(failures))


def _apart(
    own: Sequence[Mapping[str, Any]],
    others: Sequence[Mapping[str, Any]],
    calipers: Mapping[str, float],
    relative: Collection[str],
) -> NDArray[np.float64]:
    """(a, b, c) difference of every pair in every column, in units of its caliper."""
    out = np.zeros((len(own), len(others), len(calipers)))
    for place, (column, limit) in enumerate(calipers.items()):
        x = np.array([float(row[column]) for row in own])[:, None]
        y = np.array([float(row[column]) for row in others])[None, :]
        scale = np.where(x == 0, 1.0, np.abs(x)) if column in relative else 1.0
        out[:, :, place] = np.abs(y - x) / scale / limit
    return out


def _pair(distance: NDArray[np.float64]) -> list[tuple[int, int]]:
    """The largest set of pairs at distance ≤ 1, among those the nearest."""
    from scipy.optimize import linear_sum_assignment

    cost = np.where(distance <= 1.0, distance, 10.0 * (distance.size + 1))
    first, second = linear_sum_assignment(cost)
    return [(int(a), int(b)) for a, b in zip(first, second, strict=True) if distance[a, b] <= 1.0]


def _failure(arm: str, matched: int, apart: NDArray[np.float64], calipers: Mapping[str, float]) -> Failure:
    """The caliper that most pairs fail; of equals the one that is missed most widely."""
    missed = (apart > 1.0).sum(axis=(0, 1)).tolist()
    least = apart.min(axis=(0, 1)).tolist()
    names = list(calipers)
    place = max(range(len(names)), key=lambda c: (missed[c], least[c]))
    return Failure(arm, matched, names[place], least[place] * calipers[names[place]], calipers[names[place]])
