"""What a design can show before anything runs: its power and the smallest effect it can be trusted to find.

Here live: designs by the sizes of their strata, power and minimal detectable effect of the permutation test.
Not here: power of a claim of no difference (`equivalence.tost_power`), and where a spread comes from (the plan).

Legend: `s` simulated data sets, `p` exchanges, `n` units of all strata.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator as stream
from shadowgraph.stats.exchange import orders
from shadowgraph.stats.strata import smallest_p

EXCHANGES = 1_999
"""Above this many exchanges the simulated test takes as many random ones, which costs hardly any power."""


@dataclass(frozen=True, slots=True)
class Design:
    """Sizes of a comparison of two arms inside strata.

    Attributes:
        sizes: units of the first and of the second arm, stratum by stratum.
        differences: whether the sd that goes with it is that of paired differences; then every size is (1, 1).
        weights: of the strata, above 0; equal when empty.
    """

    sizes: tuple[tuple[int, int], ...]
    differences: bool = False
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.sizes or any(min(pair) < 1 for pair in self.sizes):
            raise Defect("a design without strata, or with an empty arm", where="Design")
        if self.differences and set(self.sizes) != {(1, 1)}:
            raise Defect("differences are taken inside pairs", where="Design")
        if self.weights and (len(self.weights) != len(self.sizes) or min(self.weights) <= 0):
            raise Defect("weights that are not one a stratum, above 0", where="Design")

    @classmethod
    def paired(cls, n: int) -> "Design":
        """Differences inside draws, signs exchanged; sd is that of the differences.

        Args:
            n: draws.

        Returns:
            The design.
        """
        return cls(((1, 1),) * n, True)

    @classmethod
    def independent(cls, a: int, b: int) -> "Design":
        """Two arms, labels exchanged; sd is that between draws of one arm.

        Args:
            a: draws of the first arm.
            b: draws of the second arm.

        Returns:
            The design.
        """
        return cls(((a, b),))

    @classmethod
    def stratified(cls, sizes: tuple[tuple[int, int], ...], weights: tuple[float, ...] = ()) -> "Design":
        """Labels exchanged inside strata; sd is that between units of one stratum and arm.

        Args:
            sizes: units of the first and of the second arm, stratum by stratum.
            weights: of the strata, above 0; equal when empty.

        Returns:
            The design.
        """
        return cls(sizes, weights=weights)

    @property
    def smallest_p(self) -> float:
        """The smallest two-sided p the test can give; above the level there is no power at all."""
        return smallest_p(self.sizes)


def power(
    design: Design,
    sd: float,
    effect: float,
    alpha: float = 0.05,
    generator: np.random.Generator | None = None,
    *,
    simulations: int = 2_000,
) -> float:
    """Power of the two-sided permutation test for normal units, by simulation of that very test.

    A data set of noise is rejected with effect e added exactly when −e lies outside the interval of its noise
    (`exchange.not_rejected`), so that one set of simulations serves every effect. Standard error √(π(1 − π)/s), .009
    at power .8 and 2,000 data sets.

    Args:
        design: paired, independent or stratified.
        sd: spread as `design` says, above 0.
        effect: true mean difference, unit of sd.
        alpha: two-sided level, 0 < alpha < 1.
        generator: random stream; a fixed one when None.
        simulations: data sets s.

    Returns:
        Probability of p ≤ alpha, 0 … 1; 0 where the design cannot reach alpha.

    Raises:
        Defect: an sd, effect or level outside its range.

    Source:
        Good, Permutation, Parametric and Bootstrap Tests of Hypotheses (2005), section 3.2 (power by simulation).
    """
    lows, highs = _reach(design, sd, alpha, generator, simulations)
    if not math.isfinite(effect):
        raise Defect(f"effect {effect} is not finite", where="power")
    return float(np.mean((lows > -effect / sd) | (highs < -effect / sd)))


def minimal_detectable_effect(
    design: Design,
    sd: float,
    alpha: float = 0.05,
    power: float = 0.8,
    generator: np.random.Generator | None = None,
    *,
    simulations: int = 2_000,
) -> float | None:
    """Smallest effect that the permutation test finds with the wanted power, by bisection on `power`.

    Args:
        design: paired, independent or stratified.
        sd: spread as `design` says, above 0.
        alpha: two-sided level, 0 < alpha < 1.
        power: wanted power, alpha < power < 1.
        generator: random stream; a fixed one when None.
        simulations: data sets.

    Returns:
        The effect, unit of sd and above 0; None where the design cannot reach alpha.

    Raises:
        Defect: an argument outside its range.

    Source:
        Bloom, Minimum detectable effects (1995), for the notion.
    """
    if not alpha < power < 1:
        raise Defect(f"power {power} is not between {alpha} and 1", where="minimal_detectable_effect")
    lows, highs = _reach(design, sd, alpha, generator, simulations)
    if not np.isfinite(lows).all():
        return None
    low, high = 0.0, max(-float(lows.min()), 1e-9) * 2
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        enough = float(np.mean((lows > -middle) | (highs < -middle))) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high * sd


def _reach(
    design: Design, sd: float, alpha: float, generator: np.random.Generator | None, simulations: int
) -> tuple[Float64[np.ndarray, " s"], Float64[np.ndarray, " s"]]:
    """Ends of the interval of each data set of noise of sd 1; infinite where the design cannot reach alpha."""
    if not (math.isfinite(sd) and sd > 0 and 0 < alpha < 1 and simulations > 0):
        raise Defect(f"sd {sd}, level {alpha} or {simulations} simulations are outside their range", where="power")
    if design.smallest_p > alpha + 1e-12:
        return np.full(simulations, -np.inf), np.full(simulations, np.inf)
    chosen = stream(0, "power") if generator is None else generator
    labels = [np.repeat([0, 1], pair) for pair in design.sizes]
    codes, exact = orders(labels, chosen, samples=EXCHANGES, limit=EXCHANGES)
    heavy = design.weights or (1.0,) * len(labels)
    shares = [
        np.array([1 / first, -1 / second]) / (sum(heavy) / weight)
        for (first, second), weight in zip(design.sizes, heavy, strict=True)
    ]
    ends = np.cumsum([0, *(part.size for part in labels)])
    weights = np.concatenate(
        [share[codes[:, start:stop]] for share, start, stop in zip(shares, ends[:-1], ends[1:], strict=True)], axis=1
    )
    asis = np.concatenate([share[part] for share, part in zip(shares, labels, strict=True)])
    tilts = weights @ (np.concatenate(labels) == 0)
    noise = chosen.normal(scale=math.sqrt(0.5) if design.differences else 1.0, size=(simulations, asis.size))
    blind = 1.0 - np.abs(tilts) < 1e-9
    count = tilts.size + (not exact)
    # Exchanges that never reject take part as infinite ends, the observed one among them.
    outside = math.floor(alpha * count + 1e-9) - int(np.count_nonzero(blind)) - (not exact)
    if outside < 0:
        return np.full(simulations, -np.inf), np.full(simulations, np.inf)
    lows, highs = np.empty(simulations), np.empty(simulations)
    weights, tilts = weights[~blind], tilts[~blind]
    for first in range(0, simulations, 100):
        batch = noise[first : first + 100]
        values, observed = batch @ weights.T, (batch @ asis)[:, np.newaxis]
        below, above = (observed - values) / (1.0 - tilts), (observed + values) / (1.0 + tilts)
        last = tilts.size - 1 - outside
        lows[first : first + 100] = np.partition(np.minimum(below, above), outside, axis=1)[:, outside]
        highs[first : first + 100] = np.partition(np.maximum(below, above), last, axis=1)[:, last]
    return lows, highs
