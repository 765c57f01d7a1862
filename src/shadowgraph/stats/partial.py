"""Whether two numbers go together inside strata, before they are pooled.

Here live: the rank correlation within strata and pooled, with a flag where they contradict each other.
Not here: what makes a stratum; a study takes the draws of one arm.

Legend: `n` units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Float64
from scipy.stats import rankdata

from shadowgraph.errors import Defect
from shadowgraph.stats.effect import checked
from shadowgraph.stats.exchange import Part, exchanged, linear, two_sided
from shadowgraph.stats.resample import PermutationTest

FEWEST = 3
"""A stratum of fewer units says nothing about order that a coin would not."""


@dataclass(frozen=True, slots=True)
class StratifiedCorrelation:
    """Rank correlation inside strata, and over all units at once.

    Attributes:
        within: mean of the strata's correlations, values exchanged inside strata; None without "ok".
        pooled: over all units, exchanged freely; it also holds what strata differ by. None where it does not exist.
        by_stratum: each stratum's correlation; None where it has fewer than 3 units, or x or y does not vary.
        contradict: whether within and pooled have opposite signs (Simpson's reversal): then only `within` may be told.
        status: "ok", or "no_strata" where no stratum has a correlation.
    """

    within: PermutationTest | None
    pooled: PermutationTest | None
    by_stratum: dict[str, float | None]
    contradict: bool
    status: str


def stratified_spearman(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    strata: Sequence[str],
    generator: np.random.Generator,
    *,
    samples: int = 19_999,
) -> StratifiedCorrelation:
    """Spearman's correlation of x and y: the equally weighted mean over strata, and pooled.

    ρ_s is Pearson's correlation of mid-ranks inside stratum s; the test permutes y inside strata, exactly up to 200,000
    exchanges. The pooled one may be made, or turned round, by what strata differ in.

    Args:
        x: (n,).
        y: (n,).
        strata: the stratum of each unit, length n.
        generator: random stream for Monte Carlo.
        samples: Monte Carlo exchanges.

    Returns:
        Both correlations with their p and what each stratum says.

    Raises:
        Defect: lengths differ, no unit, a number that is not finite.

    Source:
        Spearman (1904); Taylor, Kendall's and Spearman's correlation coefficients in the presence of a blocking
        variable (1987), for the mean over blocks; Simpson (1951).
    """
    first, second = checked(x, "stratified_spearman"), checked(y, "stratified_spearman")
    if not first.size == second.size == len(strata):
        raise Defect(f"{first.size}, {second.size} values and {len(strata)} strata", where="stratified_spearman")
    names = np.asarray(strata, dtype=np.str_)
    members = {str(name): np.flatnonzero(names == name) for name in dict.fromkeys(strata)}
    parts = {name: _part(first[chosen], second[chosen]) for name, chosen in members.items()}
    known = [part for part in parts.values() if part is not None]
    whole = _part(first, second)
    within = _tested(known, generator, samples) if known else None
    pooled = _tested([whole], generator, samples) if whole is not None else None
    return StratifiedCorrelation(
        within=within,
        pooled=pooled,
        by_stratum={name: None if part is None else _observed(part) for name, part in parts.items()},
        contradict=within is not None and pooled is not None and within.statistic * pooled.statistic < 0,
        status="ok" if known else "no_strata",
    )


def _part(x: Float64[np.ndarray, " n"], y: Float64[np.ndarray, " n"]) -> Part | None:
    """One stratum: the correlation of ranks as a function of the order of y; None where there is none."""
    if x.size < FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    ranks, labels = rankdata(x), np.unique(y, return_inverse=True)[1]
    levels = np.unique(rankdata(y))
    across = (ranks - ranks.mean()) / np.linalg.norm(ranks - ranks.mean())
    down = (levels - ranks.mean()) / np.linalg.norm(levels[labels] - ranks.mean())
    return Part(labels, partial(linear, down, across[:, np.newaxis]))


def _observed(part: Part) -> float:
    """The correlation as it is."""
    return float(part.statistic(part.labels[np.newaxis])[0, 0])


def _tested(parts: Sequence[Part], generator: np.random.Generator, samples: int) -> PermutationTest:
    """Mean correlation of the parts, and its p."""
    found = exchanged(parts, generator, samples=samples, where="stratified_spearman")
    values, observed = found.values[:, 0] / len(parts), float(found.observed[0]) / len(parts)
    p = two_sided(values, observed, 1.0, exact=found.exact)
    # The farthest exchanges are as far as any data of these ranks can lie.
    farthest = two_sided(values, float(np.abs(values).max()), 1.0, exact=True)
    return PermutationTest(p, observed, values.size, found.exact, farthest if found.exact else 1 / (1 + samples))
