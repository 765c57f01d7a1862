"""The estimand of coverage: K of a mixture minus the mean K of what it is mixed of.

Here live: finding the components of a mixture among the runs, and the difference, weighted by tokens.
Not here: the plain contrast of the same arms (`contrasts`). Content and average novelty are equal on both sides, so
that breadth alone differs; a mixture whose parts were not all run alone has no such difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Contrast, Pair
from shadowgraph.stats.paired import paired
from shadowgraph.study.contrasts import Row
from shadowgraph.study.effects import interval_fields
from shadowgraph.study.readings import Record, Runs, draw_values, reader

ALL = 0.995  # share of a mixture's tokens whose sources must have been run alone
TRACE = 0.01  # share of tokens below which a source does not make a mixture
RESAMPLES = 2_000
INSIDE = "token-weighted, components of the same draw; differences inside draws: Hodges-Lehmann, {how}, sign flips"
ACROSS = "token-weighted, components over all their draws; percentile bootstrap over draws of either side, no test"


def rows(contrasts: Sequence[Contrast], runs: Runs, plain: Mapping[str, Json]) -> list[Row]:
    """The estimand of every pair that sets a mixture against single sources.

    Args:
        contrasts: the contrasts of the plan.
        runs: the runs.
        plain: contrast → its unmatched estimate.

    Returns:
        One row a pair; "not estimable" with the share of tokens that has a component, where some has none.
    """
    found: list[Row] = []
    for contrast in contrasts:
        for pair in contrast.pairs:
            if _mixed(runs, pair[0]) and _single(runs, pair[1]):
                alone = plain.get(contrast.name) if len(contrast.pairs) == 1 else None
                found.append(
                    {"name": contrast.name, "arms": list(pair), **_estimate(runs, contrast, pair), "plain": alone}
                )
    return found


def shares(record: Record) -> dict[str, float]:
    """Share of a run's tokens by source; nothing for a run of a procedural pool."""
    tokens = {str(name): float(count) for name, count in (record.get("sources") or {}).items() if count}
    total = sum(tokens.values())
    return {name: count / total for name, count in tokens.items()}


def _sources(record: Record) -> list[str]:
    """Sources that make up more than a trace of a run."""
    return [name for name, share in shares(record).items() if share > TRACE]


def _mixed(runs: Runs, name: str) -> bool:
    """True for an arm whose runs all take several sources."""
    return not runs.is_group(name) and all(len(_sources(record)) > 1 for record in runs.of(name))


def _single(runs: Runs, name: str) -> bool:
    """True for an arm or group whose runs all take one source."""
    return all(len(_sources(record)) == 1 for arm in runs.members(name) for record in runs.of(arm))


def _components(runs: Runs, name: str) -> dict[str, dict[int, list[float]]]:
    """Source → draw → K of the runs that were trained on it alone, orders averaged."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for arm in runs.members(name):
        for draw, value in draw_values(runs, arm, reader("K")).items():
            if value is not None:
                found[_sources(runs.main[arm, draw][0])[0]][draw].append(value)
    return found


def _estimate(runs: Runs, contrast: Contrast, pair: Pair) -> Row:
    """K of each draw of the mixture minus the token-weighted mean of its components."""
    mixtures = {draw: k for draw, k in draw_values(runs, pair[0], reader("K")).items() if k is not None}
    weights = {draw: shares(runs.main[pair[0], draw][0]) for draw in mixtures}
    parts = _components(runs, pair[1])
    covered = [sum(share for name, share in weights[draw].items() if name in parts) for draw in mixtures]
    coverage = fmean(covered) if covered else 0.0
    common: Row = {"level": 1.0 - runs.spec.analysis.alpha, "n": len(mixtures), "coverage": coverage}
    common["components"] = [
        {
            "source": source,
            "K": fmean(value for values in draws.values() for value in values),
            "n": sum(map(len, draws.values())),
            "share": fmean(weights[draw].get(source, 0.0) for draw in mixtures) if mixtures else 0.0,
        }
        for source, draws in sorted(parts.items())
    ]
    if not mixtures or coverage < ALL:
        reason = f"components of {coverage:.0%} of the mixture's tokens were run alone, and all are needed"
        return common | _nothing(reason)
    inside = all(draw in parts[name] for draw in mixtures for name in weights[draw] if name in parts)

    def mean_of(draw: int) -> float:
        own = {name: share for name, share in weights[draw].items() if name in parts}
        level = {name: fmean(parts[name][draw] if inside else _flat(parts[name])) for name in own}
        return sum(share * level[name] for name, share in own.items()) / sum(own.values())

    means = {draw: mean_of(draw) for draw in mixtures}
    common["draws"] = [
        {"draw": draw, "mixture": k, "components": means[draw], "sources": len(weights[draw])}
        for draw, k in mixtures.items()
    ]
    differences = np.array([k - means[draw] for draw, k in mixtures.items()])
    stream = generator(runs.spec.study.seed, "mixture", contrast.name, *pair)
    if inside and runs.spec.analysis.design == "blocked":
        test = paired(differences, stream, level=1.0 - runs.spec.analysis.alpha)
        fields = interval_fields(test.interval)
        method = INSIDE.format(how=test.interval.method)
        return common | {"status": "ok", "estimate": test.estimate, **fields, "p": test.p, "method": method}
    interval = _bootstrap(
        list(mixtures.values()), weights, {name: _flat(draws) for name, draws in parts.items()}, stream
    )
    estimate = float(differences.mean())
    ends: Json = _ends(interval, runs.spec.analysis.alpha) if interval is not None else None
    note = "" if interval is not None else "a side of the comparison has one unit, which has no spread"
    fields: Row = {"status": "ok", "estimate": estimate, "interval": ends, "interval_note": note, "p": None}
    return common | fields | {"method": ACROSS}


def _nothing(reason: str) -> Row:
    empty: Row = {"status": "not estimable", "reason": reason, "estimate": None, "interval": None, "p": None}
    return empty | {"draws": [], "method": ACROSS}


def _flat(draws: Mapping[int, Sequence[float]]) -> list[float]:
    return [value for values in draws.values() for value in values]


def _ends(values: Sequence[float], alpha: float) -> list[Json]:
    return [float(end) for end in np.quantile(np.asarray(values), [alpha / 2, 1 - alpha / 2])]


def _bootstrap(
    mixture: Sequence[float],
    weights: Mapping[int, Mapping[str, float]],
    parts: Mapping[str, Sequence[float]],
    stream: np.random.Generator,
) -> list[float] | None:
    """Resampled differences: draws of the mixture anew, and of every component its own runs; None without spread.

    A component of one run cannot be drawn anew; where there is one, sources are drawn, for they are what varies.
    """
    if len(mixture) < 2:
        return None
    own = {name: fmean(one.get(name, 0.0) for one in weights.values()) for name in parts}
    total = sum(own.values())
    names = [name for name in parts if own[name] > 0]
    whole = np.asarray(mixture)
    alone = any(len(parts[name]) == 1 for name in names)
    if alone and len(names) < 2:
        return None
    found: list[float] = []
    for _ in range(RESAMPLES):
        drawn = float(whole[stream.integers(whole.size, size=whole.size)].mean())
        if alone:
            chosen = [names[place] for place in stream.integers(len(names), size=len(names))]
            mass = sum(own[name] for name in chosen)
            mean = sum(own[name] * fmean(parts[name]) for name in chosen) / mass
        else:
            levels = {n: np.asarray(parts[n])[stream.integers(len(parts[n]), size=len(parts[n]))].mean() for n in names}
            mean = sum(own[name] * float(levels[name]) for name in names) / total
        found.append(drawn - mean)
    return found
