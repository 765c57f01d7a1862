"""What a finished study could have found: the spread it saw, and the smallest effect its tests detect at that spread.

Here live: observed spreads of the primary tests, and the minimal detectable effect of each.
Not here: power worked out before a run from a spread the plan states (`plan`), and its simulation (`stats.power`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Contrast, Trend
from shadowgraph.stats.power import Design, minimal_detectable_effect
from shadowgraph.stats.trend import smallest_p
from shadowgraph.study.contrasts import Row
from shadowgraph.study.doses import used
from shadowgraph.study.effects import draw_differences
from shadowgraph.study.labelled import Strata
from shadowgraph.study.readings import Runs, arm_mean, is_blocked, reader, unmatched
from shadowgraph.study.sharing import uncorrelated

POWER = 0.8
SIMULATED = "simulation of the permutation test on normal units"
T_SLOPE = "t formula of a slope, which the permutation test is close to"
OF_UNITS = "draws of one arm, or corpora of one group"
OF_DIFFERENCES = "differences inside draws"
OF_SETS = "corpora inside matched sets"
OF_DOSES = "draws around the mean of their dose"
OF_SLOPES = "slopes of single draws, in K a unit dose"


def of_contrast(contrast: Contrast, runs: Runs) -> Row:
    """Spread and minimal detectable effect of a contrast of K.

    In an independent design the spread is that inside each arm, and strata are those of the test (`sharing`).
    """
    tables = unmatched(runs, contrast.pairs, reader("K"))
    if is_blocked(runs, contrast.pairs):
        inside = list(draw_differences(tables.pairs).values())
        found = _detectable(runs, contrast.name, _pooled([inside]), Design.paired(len(inside)) if inside else None)
        return found | _told(runs, SIMULATED, OF_DIFFERENCES, uncorrelated(contrast.pairs))
    alone = {pair: unmatched(runs, [pair], reader("K")).pairs for pair in contrast.pairs}
    members = {
        name: list(units.values())
        for pair, found in alone.items()
        for both in found
        for name, units in zip(pair, both, strict=True)
    }
    sizes = tuple((len(first), len(second)) for first, second in tables.pairs)
    whole = not tables.reason and all(min(size) for size in sizes)
    design = Design.stratified(sizes, tables.weights) if whole else None
    found = _detectable(runs, contrast.name, _pooled(list(members.values())), design)
    return found | _told(runs, SIMULATED, OF_UNITS)


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
    row = _detectable(runs, strata.label.name, spread, Design.stratified(sizes) if sizes else None)
    return row | _told(runs, SIMULATED, OF_SETS)


def of_trend(trend: Trend, runs: Runs) -> Row:
    """Spread that the slope is known by, and the slope that would be found.

    Between draws: (t_{1−alpha/2, ν} + t_{power, ν}) sd / √Σ(x − mean x)², sd that around the means of doses, ν the
    degrees left beside slope and mean. In a blocked design the slope is the mean of n slopes of draws: (…) sd/√n,
    sd that of these slopes, on n − 1 degrees. ν is then that of the test, which exchanges doses inside draws and so
    knows its scale by all of n (l − 1) − 1 degrees of l doses; with n − 1 three draws would seem to find half of what
    they do. Levels of draws enter neither.
    """
    analysis = runs.spec.analysis
    blocked = analysis.design == "blocked"
    values = used(trend, runs)
    sizes = [len(one) for one in values]
    doses = np.asarray(trend.doses, dtype=np.float64)
    squares = float(np.sum((doses - doses.mean()) ** 2))
    slopes = _slopes(values, doses) if blocked and values and all(values) else []
    known = bool(values) and all(values)
    spread = (_pooled([slopes]) if blocked else _pooled(values)) if known else None
    units: Row = {"n": list(sizes)}
    told = _told(runs, T_SLOPE, *((OF_SLOPES, 1.0 / math.sqrt(squares)) if blocked else (OF_DOSES, 1.0)))
    found = _detectable(runs, trend.name, spread, None) | units | told
    freedom = sum(sizes) - 1 - (len(slopes) if blocked else 1)
    if spread is None or freedom < 1:
        return found
    if smallest_p(trend.doses, sizes, blocked) > analysis.alpha:
        return found | {"status": "out_of_reach"}
    every = np.repeat(doses, sizes)
    error = spread / math.sqrt(len(slopes) if blocked else float(np.sum((every - every.mean()) ** 2)))
    reach = float(stdtrit(freedom, 1 - analysis.alpha / 2) + stdtrit(freedom, POWER))
    # `smallest_effect` is in K and a slope is per unit of dose, so the two are not held against each other.
    return found | {"detectable": reach * error, "status": "ok"}


def _slopes(values: Sequence[Sequence[float]], doses: NDArray[np.float64]) -> list[float]:
    """The least-squares slope of every draw; the i-th numbers of all doses are one draw."""
    centred = doses - doses.mean()
    return [float(slope) for slope in centred @ np.array(values) / float(np.sum(centred**2))]


def _told(runs: Runs, method: str, spread_of: str, factor: float = 1.0) -> Row:
    """How a row was worked out, what its spread is of, and the planned spread in the same terms.

    The planned one is that of draws of one arm; `factor` is what it makes of the quantity that the test sees, as if
    arms of a draw had nothing in common.
    """
    given = runs.spec.analysis.power
    planned: Json = None if given is None else factor * given.sd
    return {"method": method, "spread_of": spread_of, "planned_sd": planned, "planned_factor": factor}


def _pooled(groups: Sequence[Sequence[float]]) -> float | None:
    """Standard deviation inside groups, pooled; None without freedom or spread."""
    freedom = sum(len(group) - 1 for group in groups if group)
    if freedom < 1:
        return None
    squares = sum(float(np.sum((np.asarray(group) - np.mean(group)) ** 2)) for group in groups if group)
    return math.sqrt(squares / freedom) if squares > 0 else None


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
        "status": "ok" if found is not None else "no_spread" if spread is None else "out_of_reach",
    }
