"""Which units of a contrast may change places: its pairs as strata, and whether it is taken inside draws.

Here live: the pooling of pairs that share an arm, the reason where no exchange of labels is right, and what the pairs
of a draw add up to.
Not here: the units (`readings`), the tests (`effects`), what a plan can show (`prospect`).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shadowgraph.spec.analysis import Analysis, Pair

Groups = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Stratum:
    """Arms or groups whose units change places among themselves: one name on a side, or one against several."""

    first: tuple[str, ...]
    second: tuple[str, ...]

    @property
    def pairs(self) -> int:
        """Pairs that it stands for, which is its weight."""
        return max(len(self.first), len(self.second))


@dataclass(frozen=True, slots=True)
class Strata:
    """The strata of a contrast between independent units, or why it has none."""

    parts: tuple[Stratum, ...]
    reason: str = ""


def strata_of(pairs: Sequence[Pair], groups: Groups) -> Strata:
    """Pool pairs that share a member on the same side, so that every unit stands in one stratum.

    Taken as independent, the pairs (a, b) and (a, c) move a twice: such a test rejects a true null of 5 + 5 + 5 draws
    at .12 instead of .05. Pooled into a against b and c together, it keeps its level where b and c are alike as well,
    and rejects less where they are not.

    Args:
        pairs: pairs of arms or groups.
        groups: group → its arms.

    Returns:
        One stratum a pair, or a star of pairs; none and a reason where an arm is shared in any other way, alone or as
        part of a group: on both sides, or between partners that are shared themselves.
    """
    hubs = [Counter(pair[side] for pair in pairs) for side in (0, 1)]
    stars: dict[tuple[str, ...], list[Pair]] = defaultdict(list)
    for pair in pairs:
        side = next((side for side in (0, 1) if hubs[side][pair[side]] > 1), None)
        stars[pair if side is None else (pair[side], "" if side == 0 else "second")].append(pair)
    parts: list[Stratum] = []
    for found in stars.values():
        first, second = ([pair[side] for pair in found] for side in (0, 1))
        one, other = len(set(first)) == 1, len(set(second)) == 1
        parts.append(Stratum(tuple(first[:1] if one else first), tuple(second[:1] if other and not one else second)))
    placed = Counter(
        arm
        for part in parts
        for name in (*part.first, *part.second)
        for arm in dict.fromkeys(groups.get(name, (name,)))
    )
    shared = [arm for arm, count in placed.items() if count > 1]
    if shared:
        reason = (
            f"{', '.join(shared)} in several places: pairs of independent units may share one arm, on the same side, "
            "and their other members must be distinct"
        )
        return Strata((), reason)
    return Strata(tuple(parts))


def inside_draws(analysis: Analysis, pairs: Sequence[Pair]) -> bool:
    """True where differences are taken inside draws: in a blocked design, between arms and not groups of them."""
    return analysis.design == "blocked" and not any(name in analysis.groups for pair in pairs for name in pair)


def uncorrelated(pairs: Sequence[Pair]) -> float:
    """Spread of a draw's mean difference over its pairs, in spreads of one arm, were arms of a draw uncorrelated.

    √Σ c², c the share of each arm in the mean: √2 of one pair, 1 of two pairs of four arms.
    """
    shares: dict[str, float] = defaultdict(float)
    for first, second in pairs:
        shares[first] += 1.0 / len(pairs)
        shares[second] -= 1.0 / len(pairs)
    return math.sqrt(math.fsum(share**2 for share in shares.values()))
