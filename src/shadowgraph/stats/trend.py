"""Whether a number rises or falls with a dose.

Here live: the slope per unit of dose with its interval and permutation test, and the Jonckheere-Terpstra statistic.
Not here: which arms form a dose, nor how large a slope matters.

Legend: `n` units of one block (of the whole design where there are no blocks), `l` doses, `p` exchanges, `q` numbers
kept of each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Float64, Int

from shadowgraph.errors import Defect
from shadowgraph.stats.effect import checked
from shadowgraph.stats.exchange import Part, arrangements, exchanged, interval_of, linear, two_sided
from shadowgraph.stats.resample import Interval


@dataclass(frozen=True, slots=True)
class Trend:
    """A slope over a dose.

    Attributes:
        slope: per unit of dose, least squares, block by block where there are blocks.
        interval: of the slope.
        p: two-sided permutation p of the slope.
        smallest_p: the smallest p the design can give.
        jonckheere: J, pairs of units in which the higher dose has the higher value, ties half.
        jonckheere_p: two-sided permutation p of J, which knows the order of doses only.
        n: units.
        exact: whether every exchange was looked at.
        status: "ok", or "too_few_draws" where no p at 1 − level can be reached.
    """

    slope: float
    interval: Interval
    p: float
    smallest_p: float
    jonckheere: float
    jonckheere_p: float
    n: int
    exact: bool
    status: str


def trend_test(
    values: Sequence[Float[np.ndarray, " _"]],
    doses: Sequence[float],
    generator: np.random.Generator | None = None,
    blocks: bool = False,
    *,
    level: float = 0.95,
    samples: int = 19_999,
) -> Trend:
    """Slope of a number over a dose, with doses exchanged among units, or among the units of a block.

    slope = Σ (x − mean x) y / Σ (x − mean x)², inside each block where there are blocks (equal doses in every block
    make the mean of the slopes of the blocks the pooled one). J = Σ over pairs with x_u < x_v of [y_u < y_v] +
    ½ [y_u = y_v], pairs of one block only where there are blocks. Exact while there are at most 200,000 exchanges, else
    Monte Carlo. The interval holds all slopes that the permutation test does not reject.

    Args:
        values: the numbers of each dose, one a unit; with blocks the i-th of every dose belong to block i.
        doses: one dose an entry of `values`, at least two different ones.
        generator: random stream, needed only for Monte Carlo.
        blocks: whether units of one index share a draw.
        level: nominal coverage, 0 < level < 1.
        samples: Monte Carlo exchanges.

    Returns:
        The trend; its interval "too_few_draws" or "no_variation" where there is none.

    Raises:
        Defect: another number of doses than of samples, fewer than two doses, blocks of unequal size, an empty sample,
            a number that is not finite, too many exchanges without a generator.

    Source:
        Jonckheere, A distribution-free k-sample test against ordered alternatives (1954); Terpstra (1952); Garthwaite,
        Confidence intervals from randomization tests (1996), for the slope.
    """
    units = _units([checked(sample, "trend_test") for sample in values], np.asarray(doses, dtype=np.float64), blocks)
    centred = [(x, y - y.mean()) for x, y in units]
    found = exchanged([_part(x, y, len(units)) for x, y in centred], generator, samples=samples, where="trend_test")
    slope, _, concordance = (float(number) for number in found.observed)
    largest = max(float(np.abs(y).max()) for _, y in units)
    spread = max(float(np.abs(y).max()) for _, y in centred)
    scale = (spread + 1e-3 * largest) / float(np.ptp(doses))
    smallest = smallest_p(doses, [len(sample) for sample in values], blocks) if found.exact else 1 / (1 + samples)
    return Trend(
        slope=slope,
        interval=interval_of(found, level, no_variation=_straight(centred, slope, spread + 1e-3 * largest)),
        p=two_sided(found.values[:, 0], slope, scale, exact=found.exact),
        smallest_p=smallest,
        jonckheere=concordance + sum(_pairs(x) for x, _ in units) / 2,
        jonckheere_p=two_sided(found.values[:, 2], concordance, 1.0, exact=found.exact),
        n=sum(y.size for _, y in units),
        exact=found.exact,
        status="ok" if smallest <= 1.0 - level + 1e-12 else "too_few_draws",
    )


def smallest_p(doses: Sequence[float], sizes: Sequence[int], blocks: bool = False) -> float:
    """Smallest two-sided p of the slope that exact exchanges of a design can give.

    Args:
        doses: of every sample, at least two different ones.
        sizes: units of every sample, at least 1 each.
        blocks: whether units of one index share a draw, of which there are as many as the smallest sample has.

    Returns:
        0 … 1; 2 over the number of exchanges where doses and sizes are their own mirror image, else 1 over it.
    """
    dose = np.asarray(doses, dtype=np.float64)
    units = [dose] * min(sizes) if blocks else [np.repeat(dose, sizes)]
    ways = math.prod(arrangements(np.unique(one, return_inverse=True)[1]) for one in units)
    return min(1.0, (2 if _mirrors(units[0]) else 1) / ways)


def _units(
    held: Sequence[Float[np.ndarray, " _"]], dose: Float64[np.ndarray, " _"], blocks: bool
) -> list[tuple[Float64[np.ndarray, " _"], Float64[np.ndarray, " _"]]]:
    """Doses and values of each block, or of the whole."""
    different = np.unique(checked(dose, "trend_test, doses")).size
    if dose.size != len(held) or different < 2:
        raise Defect(f"{len(held)} samples at {different} different doses", where="trend_test")
    if not blocks:
        return [(np.repeat(dose, [sample.size for sample in held]), np.concatenate(held))]
    if len({sample.size for sample in held}) > 1:
        raise Defect("blocks need one value of every dose each", where="trend_test")
    return [(dose, np.array(block)) for block in zip(*held, strict=True)]


def _part(dose: Float64[np.ndarray, " n"], values: Float64[np.ndarray, " n"], blocks: int) -> Part:
    """One block: its share of the slope, of a slope of 1, and J less half the pairs that J counts."""
    levels, labels = np.unique(dose, return_inverse=True)
    centred = levels - dose.mean()
    coefficients = centred / float(np.sum(centred[labels] ** 2)) / blocks
    columns = np.stack([values, dose - dose.mean()], axis=1)
    # The sign of each pair of values; values that differ by rounding alone are tied.
    step = np.subtract.outer(values, values).T
    signs = np.where(np.abs(step) <= 1e-12 * float(np.abs(values).max()), 0.0, np.sign(step))
    return Part(labels, partial(_statistic, coefficients, columns, signs))


def _statistic(
    coefficients: Float64[np.ndarray, " l"],
    columns: Float64[np.ndarray, "n q"],
    signs: Float64[np.ndarray, "n n"],
    codes: Int[np.ndarray, "p n"],
) -> Float64[np.ndarray, "p _"]:
    """What is linear, and half the sum of the signs of pairs that agree less those that do not."""
    concordance = np.zeros(codes.shape[0])
    for first, second in zip(*np.nonzero(np.triu(signs, 1)), strict=True):
        concordance += 0.5 * signs[first, second] * np.sign(codes[:, second] - codes[:, first])
    return np.column_stack([linear(coefficients, columns, codes), concordance])


def _pairs(dose: Float64[np.ndarray, " n"]) -> int:
    """Pairs of units of different dose."""
    return int(np.count_nonzero(np.subtract.outer(dose, dose) > 0))


def _mirrors(dose: Float64[np.ndarray, " n"]) -> bool:
    """Whether turning the doses round gives the same design, so that the mirror image of the data is as extreme."""
    levels, counts = np.unique(dose, return_counts=True)
    steps = np.diff(levels)
    return bool(np.array_equal(counts, counts[::-1]) and np.allclose(steps, steps[::-1], rtol=1e-9, atol=0.0))


def _straight(
    units: Sequence[tuple[Float64[np.ndarray, " _"], Float64[np.ndarray, " _"]]], slope: float, scale: float
) -> bool:
    """Whether all units lie on lines of this slope, up to rounding."""
    return all(float(np.abs(y - slope * (x - x.mean())).max()) <= 1e-12 * scale for x, y in units)
