"""Effects between arms in plain form: what a table of units says of a contrast, and the equivalence claims.

Here live: the test of one contrast on the units of one reading in each design, and the claims of no shift.
Not here: the units (`readings`), which contrasts are tested (`contrasts`), the statistics (`stats`), the wording
(`answer`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Analysis, Contrast, Equivalence
from shadowgraph.stats.effect import cliffs_delta, hedges_g, hodges_lehmann
from shadowgraph.stats.equivalence import Equivalence as Tost
from shadowgraph.stats.equivalence import draws_needed, tost
from shadowgraph.stats.paired import paired, paired_tost
from shadowgraph.stats.resample import Interval, bootstrap_interval, permutation_test
from shadowgraph.stats.strata import stratified_interval, stratified_permutation
from shadowgraph.study.readings import Tables, Units

INDEPENDENT = "Hodges-Lehmann shift, percentile bootstrap over draws, exact two-sided permutation of draw labels"
STRATIFIED = "mean difference inside pairs, exact two-sided permutation of labels inside pairs and its inversion"
BLOCKED = "differences inside draws: Hodges-Lehmann, {how}, exact two-sided sign flips"
WELCH_TOST = "TOST on means: two one-sided Welch t tests"
PAIRED_TOST = "TOST on means: two one-sided t tests of differences inside draws"
FEWEST_BOOTSTRAPPED = 5  # units a side below which the percentile bootstrap covers far too little
POOLED = "several pairs share a member and are one stratum, their other members pooled"


def effect(
    contrast: Contrast,
    endpoint: str,
    tables: Tables,
    *,
    analysis: Analysis,
    seed: int,
    blocked: bool,
    reading: str = "unmatched",
) -> dict[str, Json]:
    """Test a contrast on one endpoint in one reading.

    Args:
        contrast: its pairs; first minus second.
        endpoint: what is compared, for example "K".
        tables: the units, see `readings`.
        analysis: level of the tests.
        seed: seed of bootstrap and Monte Carlo.
        blocked: whether differences are taken inside draws; else labels are exchanged, inside strata when the contrast
            has several pairs.
        reading: "unmatched" or a matched one.

    Returns:
        A row of the result: estimate, interval, p, n, effect sizes and status "ok"; or "not estimable", the reason and
        no number.
    """
    design = "blocked" if blocked else "stratified" if len(contrast.pairs) > 1 else "independent"
    row: dict[str, Json] = {
        "name": contrast.name,
        "kind": "contrast",
        "endpoint": endpoint,
        "arms": list(next(iter(contrast.pairs))),
        "pairs": [list(pair) for pair in contrast.pairs],
        "reading": reading,
        "level": 1.0 - analysis.alpha,
        "design": design,
        "support": list(tables.support) if tables.support else None,
        "dropped": [dict(unit) for unit in tables.dropped],
    }
    if not tables.reason and blocked and not _inside(tables).size:
        return row | not_estimable("no draw has a number in every arm", tables)
    if tables.reason:
        return row | not_estimable(tables.reason, tables)
    streams = (contrast.name, endpoint, reading)
    if blocked:
        return row | _blocked(_inside(tables), analysis, seed, streams)
    if design == "stratified":
        return row | _stratified(tables, analysis, seed, streams)
    return row | _independent(tables, analysis, seed, streams)


def not_estimable(reason: str, tables: Tables) -> dict[str, Json]:
    """The fields of a row without a number."""
    return {
        "status": "not estimable",
        "reason": reason,
        "estimate": None,
        "interval": None,
        "p": None,
        "n": [len(units) for units in tables.pairs[0]] if tables.pairs else [0, 0],
        "hedges_g": None,
        "cliffs_delta": None,
    }


def interval_fields(interval: Interval) -> dict[str, Json]:
    """An interval in plain form, with what a reader must know of it."""
    return {"interval": list(interval.ends) if interval.ends else None, "interval_note": interval.note}


def _array(units: Units) -> NDArray[np.float64]:
    return np.array([units[name] for name in units], dtype=np.float64)


def _independent(tables: Tables, analysis: Analysis, seed: int, streams: tuple[str, str, str]) -> dict[str, Json]:
    """Two samples of independent units."""
    a, b = (_array(units) for units in tables.pairs[0])
    test = permutation_test(a, b, generator(seed, "permutation", *streams))
    level, stream = 1.0 - analysis.alpha, generator(seed, "bootstrap", *streams)
    many = min(a.size, b.size) >= FEWEST_BOOTSTRAPPED
    interval = bootstrap_interval(a, b, level, stream) if many else stratified_interval([(a, b)], level, stream)
    told = INDEPENDENT if many else INDEPENDENT.replace("percentile bootstrap over draws", interval.method)
    return {
        "status": "ok",
        "estimate": hodges_lehmann(a, b),
        "mean": test.statistic,
        **interval_fields(interval),
        "p": test.p,
        "smallest_p": test.smallest_p,
        "n": [int(a.size), int(b.size)],
        "hedges_g": hedges_g(a, b),
        "cliffs_delta": cliffs_delta(a, b),
        "method": told if test.exact else told.replace("exact two-sided", "Monte Carlo two-sided"),
    }


def _stratified(tables: Tables, analysis: Analysis, seed: int, streams: tuple[str, str, str]) -> dict[str, Json]:
    """Several pairs of independent units; each pair is a stratum, and so are pairs that share a member together."""
    pairs = [(_array(first), _array(second)) for first, second in tables.pairs]
    weights = tables.weights or None
    test = stratified_permutation(pairs, generator(seed, "permutation", *streams), weights=weights)
    stream = generator(seed, "interval", *streams)
    interval = stratified_interval(pairs, 1.0 - analysis.alpha, stream, weights=weights)
    fields = interval_fields(interval)
    if max(tables.weights, default=1) > 1:
        fields["interval_note"] = "; ".join(filter(None, [interval.note, POOLED]))
    return {
        "status": "ok",
        "estimate": test.statistic,
        "mean": test.statistic,
        **fields,
        "p": test.p,
        "smallest_p": test.smallest_p,
        "n": [sum(int(first.size) for first, _ in pairs), sum(int(second.size) for _, second in pairs)],
        "fewest": min(int(side.size) for pair in pairs for side in pair),
        "hedges_g": None,
        "cliffs_delta": None,
        "method": STRATIFIED if test.exact else STRATIFIED.replace("exact two-sided", "Monte Carlo two-sided"),
    }


def _blocked(
    differences: NDArray[np.float64], analysis: Analysis, seed: int, streams: tuple[str, str, str]
) -> dict[str, Json]:
    """One difference a draw, its pairs averaged."""
    found = paired(differences, generator(seed, "paired", *streams), level=1.0 - analysis.alpha)
    return {
        "status": "ok",
        "estimate": found.estimate,
        "mean": found.mean,
        **interval_fields(found.interval),
        "p": found.p,
        "smallest_p": found.smallest_p,
        "n": [found.n, found.n],
        "hedges_g": found.hedges_g,
        "cliffs_delta": None,
        "method": BLOCKED.format(how=found.interval.method),
    }


def _inside(tables: Tables) -> NDArray[np.float64]:
    """Differences inside draws, averaged over pairs, of the draws that have a number in all of them."""
    return np.array(list(draw_differences(tables.pairs).values()), dtype=np.float64)


def draw_differences(pairs: Sequence[tuple[Units, Units]]) -> dict[str, float]:
    """Draw → mean over pairs of first minus second; draws with a number in every arm, in order."""
    shared = set.intersection(*(set(units) for pair in pairs for units in pair)) if pairs else set()
    return {
        draw: float(np.mean([first[draw] - second[draw] for first, second in pairs]))
        for draw in sorted(shared, key=int)
    }


def equivalence(
    claim: Equivalence,
    values: Mapping[str, tuple[Units, Units]],
    *,
    alpha: float,
    blocked: bool,
) -> list[dict[str, Json]]:
    """Test a claim of no shift on both of its endpoints: K, and the loss on text outside every arm's data.

    Args:
        claim: arms, margins and the origin of the margin.
        values: "K" and "outside_loss" → the units of the two arms, seeds averaged; loss in nats a token.
        alpha: size of each one-sided test.
        blocked: whether differences are taken inside draws.

    Returns:
        Two rows, K and then outside loss: estimate (first arm minus second), 1 − 2 alpha interval or None, p, margin,
        whether equivalent, and the status of the test. The claim holds when both rows are equivalent.
    """
    rows: list[dict[str, Json]] = []
    sources = (("K", "K", claim.margin), ("outside loss", "outside_loss", claim.outside_margin))
    for endpoint, key, margin in sources:
        found, sizes, needed = _claimed(values[key], margin, alpha, blocked)
        rows.append(
            {
                "name": f"{claim.arms[0]} like {claim.arms[1]}",
                "endpoint": endpoint,
                "arms": list(claim.arms),
                "estimate": found.estimate if found else None,
                "interval": list(found.interval) if found and found.interval else None,
                "level": 1.0 - 2.0 * alpha,
                "margin": margin,
                "origin": claim.origin if endpoint == "K" else "the key outside_margin of the plan",
                "method": PAIRED_TOST if blocked else WELCH_TOST,
                "p": found.p if found else None,
                "equivalent": found is not None and found.equivalent,
                "status": found.status if found else "no_number",
                "n": list(sizes),
                "draws_needed": needed,
                "design": "blocked" if blocked else "independent",
            }
        )
    return rows


def _claimed(
    pair: tuple[Units, Units], margin: float, alpha: float, blocked: bool
) -> tuple[Tost | None, tuple[int, int], int | None]:
    """The test of one endpoint, its units, and the draws an arm it would need with shift and spread as seen."""
    a, b = (_array(units) for units in pair)
    if not a.size or not b.size:
        return None, (int(a.size), int(b.size)), None
    if not blocked:
        sd = float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)) if min(a.size, b.size) > 1 else 0.0
        return (
            tost(a, b, margin, alpha),
            (int(a.size), int(b.size)),
            _needed(sd, float(a.mean() - b.mean()), margin, alpha, inside=False),
        )
    inside = np.array(list(draw_differences([pair]).values()))
    if not inside.size:
        return None, (0, 0), None
    sd = float(inside.std(ddof=1)) if inside.size > 1 else 0.0
    size, needed = int(inside.size), _needed(sd, float(inside.mean()), margin, alpha, inside=True)
    return paired_tost(inside, margin, alpha), (size, size), needed


def _needed(sd: float, shift: float, margin: float, alpha: float, *, inside: bool) -> int | None:
    """Draws (`inside`: draws with both arms, sd that of their differences) that show equivalence with power .9.

    None when none would, or nothing is known of the spread.
    """
    return draws_needed(sd, shift, margin, alpha=alpha, paired=inside) if sd > 0 else None
