"""What a finished study could have found: the spread it saw, and the smallest effect its tests detect at that spread.

Here live: observed spreads of the primary tests, and the minimal detectable effect of each.
Not here: power worked out before a run from a spread the plan states (`plan`), and its simulation (`stats.power`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
from scipy.stats import norm

from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Contrast, Trend
from shadowgraph.stats.power import Design, minimal_detectable_effect
from shadowgraph.study.contrasts import Row
from shadowgraph.study.doses import samples
from shadowgraph.study.effects import draw_differences
from shadowgraph.study.labelled import Strata
from shadowgraph.study.readings import Runs, arm_mean, is_blocked, reader, unmatched

POWER = 0.8


def of_contrast(contrast: Contrast, runs: Runs) -> Row:
    """Spread and minimal detectable effect of a contrast of K."""
    pairs = unmatched(runs, contrast.pairs, reader("K")).pairs
    if is_blocked(runs, contrast.pairs):
        inside = list(draw_differences(pairs).values())
        return _detectable(runs, contrast.name, _pooled([inside]), Design.paired(len(inside)) if inside else None)
    sizes = tuple((len(first), len(second)) for first, second in pairs)
    design = Design.stratified(sizes) if all(min(size) for size in sizes) else None
    spread = _pooled([list(units.values()) for pair in pairs for units in pair])
    return _detectable(runs, contrast.name, spread, design)


def of_label(strata: Strata, runs: Runs) -> Row:
    """Spread of corpora inside strata, and the minimal detectable effect of the label.

    The variance of one stratum's difference is sd² (1 + 1/c) with c matches.
    """
    found: list[tuple[float, int]] = []
    for arm, others in strata.sets:
        own = arm_mean(runs, arm, reader("K"))
        rest = [k for other in others if (k := arm_mean(runs, other, reader("K"))) is not None]
        if own is not None and rest:
            found.append((own - fmean(rest), len(rest)))
    spread = _pooled([[difference for difference, _ in found]])
    if spread is not None:
        spread /= math.sqrt(fmean(1.0 + 1.0 / count for _, count in found))
    sizes = tuple((1, count) for _, count in found)
    return _detectable(runs, strata.label.name, spread, Design.stratified(sizes) if sizes else None)


def of_trend(trend: Trend, runs: Runs) -> Row:
    """Spread around the mean of a dose (and of a draw, in a blocked design), and the slope that would be found.

    The slope is by the normal approximation, (z_{1−alpha/2} + z_power) sd / √Σ(x − mean x)².
    """
    drawn = samples(trend, runs, reader("K"))
    values = [[value for value in one.values() if value is not None] for one in drawn]
    analysis = runs.spec.analysis
    spread = _pooled(values) if analysis.design == "independent" else _inside_draws(drawn)
    doses = np.repeat(np.asarray(trend.doses, dtype=np.float64), [len(one) for one in values])
    squares = float(np.sum((doses - doses.mean()) ** 2)) if doses.size else 0.0
    row = _detectable(runs, trend.name, spread, None)
    if spread is None or squares <= 0:
        return row
    reach = float(norm.isf(analysis.alpha / 2) + norm.ppf(POWER))
    # `smallest_effect` is in K and a slope is per unit of dose, so the two are not held against each other.
    return row | {"detectable": reach * spread / math.sqrt(squares), "status": "ok"}


def _pooled(groups: Sequence[Sequence[float]]) -> float | None:
    """Standard deviation inside groups, pooled; None without freedom or spread."""
    freedom = sum(len(group) - 1 for group in groups if group)
    if freedom < 1:
        return None
    squares = sum(float(np.sum((np.asarray(group) - np.mean(group)) ** 2)) for group in groups if group)
    return math.sqrt(squares / freedom) if squares > 0 else None


def _inside_draws(drawn: Sequence[Mapping[int, float | None]]) -> float | None:
    """Standard deviation around the means of doses and draws, of the draws that have a number at every dose."""
    whole = sorted(set.intersection(*({d for d, v in one.items() if v is not None} for one in drawn)))
    table = np.array([[float(one[draw] or 0.0) for draw in whole] for one in drawn])
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    if freedom < 1:
        return None
    rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    return math.sqrt(float(np.sum(rest**2)) / freedom) or None


def _detectable(runs: Runs, name: str, spread: float | None, design: Design | None) -> Row:
    """The row of one test; without spread or design it says so."""
    analysis = runs.spec.analysis
    found: float | None = None
    if spread is not None and design is not None:
        stream = generator(runs.spec.study.seed, "power", name)
        found = minimal_detectable_effect(design, spread, analysis.alpha, POWER, stream)
    sizes: list[Json] = [sum(side) for side in zip(*design.sizes, strict=True)] if design is not None else []
    return {
        "name": name,
        "sd": spread,
        "n": sizes,
        "alpha": analysis.alpha,
        "power": POWER,
        "detectable": found,
        "smallest_effect": analysis.smallest_effect,
        "enough": None if found is None else found <= analysis.smallest_effect,
        "planned_sd": analysis.power.sd if analysis.power is not None else None,
        "status": "ok" if found is not None else "no_spread" if spread is None else "out_of_reach",
    }
