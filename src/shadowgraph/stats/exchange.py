"""Every way of exchanging labels inside parts of a design, and what follows from it.

Here live: the listing or sampling of exchanges, the two-sided p, and the interval of all effects that are not rejected.
Not here: what may be exchanged with what, which is a matter of the design (`strata`, `paired`, `trend`, `partial`).

Legend: `n` units of one part, `l` different labels, `p` exchanges, `q` numbers kept of each exchange; parts are
exchanged independently.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int

from shadowgraph.errors import Defect
from shadowgraph.stats.resample import EXACT_LIMIT, Interval

METHOD = "all effects that the two-sided permutation test does not reject"


@dataclass(frozen=True, slots=True)
class Part:
    """Units whose labels may be exchanged among themselves.

    Attributes:
        labels: (n,) the labels as they are, whole numbers from 0.
        statistic: labels (p, n) → numbers (p, q); the statistic of the design is their sum over its parts.
    """

    labels: Int[np.ndarray, " n"]
    statistic: Callable[[Int[np.ndarray, "p n"]], Float64[np.ndarray, "p q"]]


@dataclass(frozen=True, slots=True)
class Exchanges:
    """The numbers of a design as it is, and under exchanged labels.

    Attributes:
        values: (p, q).
        observed: (q,).
        exact: whether every exchange is there, the observed one included; else they are random ones.
    """

    values: Float64[np.ndarray, "p q"]
    observed: Float64[np.ndarray, " q"]
    exact: bool


def linear(
    coefficients: Float64[np.ndarray, " l"], columns: Float64[np.ndarray, "n q"], labels: Int[np.ndarray, "p n"]
) -> Float64[np.ndarray, "p q"]:
    """The statistic Σ_i c(label_i) · column_i, which is what mean differences, slopes and rank correlations are.

    Args:
        coefficients: c of each label (l,).
        columns: the numbers of each unit (n, q).
        labels: whole numbers below l (p, n).

    Returns:
        (p, q).
    """
    return coefficients[labels] @ columns


def arrangements(labels: Int[np.ndarray, " n"]) -> int:
    """Number of different orders of the labels, n! / Π n_l!.

    Args:
        labels: (n,) whole numbers.

    Returns:
        The number, at least 1.
    """
    counts = np.unique(labels, return_counts=True)[1]
    return math.factorial(labels.size) // math.prod(math.factorial(int(count)) for count in counts)


def listed(labels: Int[np.ndarray, " n"]) -> Int[np.ndarray, "p n"]:
    """Every different order of the labels, one a row; `arrangements` says how many.

    Args:
        labels: (n,) whole numbers below 32,768.

    Returns:
        (p, n) in int16, each order once.
    """
    rows = np.zeros((1, 0), dtype=np.int16)
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        length = rows.shape[1] + int(count)
        ways = math.comb(length, int(count))
        flat = itertools.chain.from_iterable(itertools.combinations(range(length), int(count)))
        inside = np.zeros((ways, length), dtype=bool)
        places = np.fromiter(flat, dtype=np.int64, count=ways * int(count)).reshape(ways, int(count))
        np.put_along_axis(inside, places, values=True, axis=1)
        grown = np.full((rows.shape[0], ways, length), int(label), dtype=np.int16)
        grown[:, ~inside] = np.tile(rows, (1, ways))
        rows = grown.reshape(-1, length)
    return rows


def exchanged(
    parts: Sequence[Part], generator: np.random.Generator | None, *, samples: int = 19_999, where: str = "exchange"
) -> Exchanges:
    """The numbers of a design under every exchange of labels inside its parts, or under random ones.

    Every combination of the orders of the parts while there are at most `EXACT_LIMIT`; above that `samples` independent
    random ones.

    Args:
        parts: what may be exchanged, at least one part.
        generator: random stream, needed only above the limit.
        samples: random exchanges.
        where: name of the caller, for the message.

    Returns:
        The numbers of each exchange, summed over parts.

    Raises:
        Defect: no part, or too many exchanges without a generator.
    """
    if not parts:
        raise Defect("nothing to exchange", where=where)
    counts = [arrangements(part.labels) for part in parts]
    observed = np.sum([part.statistic(part.labels[np.newaxis])[0] for part in parts], axis=0)
    if math.prod(counts) <= EXACT_LIMIT:
        sums = np.zeros((1, observed.size))
        for part in parts:
            sums = (sums[:, np.newaxis] + part.statistic(listed(part.labels))).reshape(-1, observed.size)
        return Exchanges(sums, observed, True)
    if generator is None:
        raise Defect(f"{math.prod(counts)} exchanges are too many to list, and no generator was given", where=where)
    drawn = np.zeros((samples, observed.size))
    for part, count in zip(parts, counts, strict=True):
        if count <= samples:
            drawn += part.statistic(listed(part.labels))[generator.integers(count, size=samples)]
        else:
            drawn += part.statistic(generator.permuted(np.tile(part.labels, (samples, 1)), axis=1))
    return Exchanges(drawn, observed, False)


def orders(
    parts: Sequence[Int[np.ndarray, " _"]],
    generator: np.random.Generator | None,
    *,
    samples: int = 19_999,
    limit: int = EXACT_LIMIT,
    where: str = "orders",
) -> tuple[Int[np.ndarray, "p n"], bool]:
    """The labels of all parts side by side, under every exchange inside parts or under random ones.

    For statistics that are no sum over parts, or of many columns; else `exchanged` needs less memory.

    Args:
        parts: labels of each part, whole numbers below 32,768.
        generator: random stream, needed only above the limit.
        samples: random exchanges.
        limit: the most exchanges that are listed.
        where: name of the caller, for the message.

    Returns:
        (p, n) with n the units of all parts, and whether every exchange is there.

    Raises:
        Defect: no part, or too many exchanges without a generator.
    """
    if not parts:
        raise Defect("nothing to exchange", where=where)
    total = math.prod(arrangements(labels) for labels in parts)
    if total > limit:
        if generator is None:
            raise Defect(f"{total} exchanges are too many to list, and no generator was given", where=where)
        tiled = [np.tile(labels.astype(np.int16), (samples, 1)) for labels in parts]
        return np.concatenate([generator.permuted(rows, axis=1) for rows in tiled], axis=1), False
    found = np.zeros((1, 0), dtype=np.int16)
    for labels in parts:
        rows = listed(labels)
        found = np.concatenate([np.repeat(found, len(rows), axis=0), np.tile(rows, (len(found), 1))], axis=1)
    return found, True


def flips(
    units: int, generator: np.random.Generator | None, *, samples: int = 19_999, where: str = "flips"
) -> tuple[Float64[np.ndarray, "p n"], bool]:
    """Every way to turn the signs of differences round, or random ones: exchanges of labels inside pairs.

    Args:
        units: differences n, at least 1.
        generator: random stream, needed only above the limit (n > 17).
        samples: random flips.
        where: name of the caller, for the message.

    Returns:
        Signs 1 and −1 (p, n), the first row all 1 when every way is there, and whether it is.

    Raises:
        Defect: too many flips without a generator.
    """
    if 2**units <= EXACT_LIMIT:
        return 1.0 - 2.0 * ((np.arange(2**units)[:, np.newaxis] >> np.arange(units)) & 1), True
    if generator is None:
        raise Defect(f"{2**units} sign flips are too many to list, and no generator was given", where=where)
    return 1.0 - 2.0 * generator.integers(2, size=(samples, units)), False


def two_sided(values: Float[np.ndarray, " p"], observed: float, scale: float, *, exact: bool) -> float:
    """Two-sided p: how often an exchange is as far from 0 as what was observed.

    Args:
        values: (p,) the statistic of each exchange, centred on 0.
        observed: the statistic as it is.
        scale: size of the numbers it is made of; differences below 1e-12 of it are ties.
        exact: whether every exchange is there; else p = (1 + hits) / (1 + p).

    Returns:
        p, above 0, at most 1.

    Source:
        Phipson and Smyth, Permutation p-values should never be zero (2010), equation 2, for random exchanges.
    """
    hits = int(np.count_nonzero(np.abs(values) >= abs(observed) - 1e-12 * scale))
    return hits / values.size if exact else (1 + hits) / (1 + values.size)


def not_rejected(
    values: Float[np.ndarray, " p"], tilts: Float[np.ndarray, " p"], observed: float, level: float, *, exact: bool
) -> tuple[float, float]:
    """Ends of the interval of all effects Δ that the two-sided permutation test does not reject at 1 − level.

    Taking an effect Δ off the data turns the statistic T into T − Δ and that of exchange π into T_π − c_π Δ, c_π its
    tilt. |T_π − c_π Δ| ≥ |T − Δ| holds between (T − T_π)/(1 − c_π) and (T + T_π)/(1 + c_π), a range that holds T; so
    the ends are order statistics of the ends of those ranges, and no search is needed. For paired units these are
    Hartigan's means of subsets. The interval covers at least `level` wherever the labels can be exchanged once Δ is
    taken off, and leaves out 0 exactly where p ≤ 1 − level.

    Args:
        values: (p,) statistic of each exchange.
        tilts: (p,) the statistic of the effect itself under each exchange, −1 … 1; 1 for the exchange as observed.
        observed: the statistic as it is.
        level: nominal coverage, 0 < level < 1.
        exact: whether every exchange is there; else the observed one is added.

    Returns:
        (low, high), unit of the effect; infinite where no effect can be rejected.

    Raises:
        Defect: a level outside 0 … 1.

    Source:
        Hartigan, Using subsample values as typical values (1969); Garthwaite, Confidence intervals from randomization
        tests (1996), section 2.
    """
    if not 0 < level < 1:
        raise Defect(f"level {level} is not between 0 and 1", where="not_rejected")
    blind = np.minimum(1.0 - tilts, 1.0 + tilts) < 1e-9
    below, above = np.where(blind, 1.0, 1.0 - tilts), np.where(blind, 1.0, 1.0 + tilts)
    ends = np.stack([(observed - values) / below, (observed + values) / above])
    lows, highs = np.where(blind, -np.inf, ends.min(axis=0)), np.where(blind, np.inf, ends.max(axis=0))
    if not exact:
        lows, highs = np.append(lows, -np.inf), np.append(highs, np.inf)
    outside = math.floor((1.0 - level) * lows.size + 1e-9)
    last = lows.size - 1 - outside
    return float(np.partition(lows, outside)[outside]), float(np.partition(highs, last)[last])


def interval_of(
    found: Exchanges, level: float, *, note: str = "", method: str = METHOD, no_variation: bool = False
) -> Interval:
    """The interval of `not_rejected`, or the reason why there is none.

    Args:
        found: exchanges whose first two numbers are the statistic and its tilt.
        level: nominal coverage, 0 < level < 1.
        note: what a reader must know.
        method: how it was made.
        no_variation: whether all units agree, so that there is no spread to judge by.

    Returns:
        The interval; "no_variation" then, "too_few_draws" where no effect can be rejected at this level.
    """
    if no_variation:
        return Interval(None, None, level, method, "no_variation", "all units agree, which is no certainty")
    values, tilts = found.values[:, 0], found.values[:, 1]
    low, high = not_rejected(values, tilts, float(found.observed[0]), level, exact=found.exact)
    if not (math.isfinite(low) and math.isfinite(high)):
        why = "so few units that no effect can be rejected at this level"
        return Interval(None, None, level, method, "too_few_draws", why)
    return Interval(low, high, level, method, "ok", note)
