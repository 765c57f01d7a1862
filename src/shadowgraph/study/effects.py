"""Effects between arms, the draw as the unit.

Here live: contrasts of one endpoint between two arms in each reading, the equivalence claim, and their plain form.
Not here: the statistics (`stats`) and the wording (`answer`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import Defect
from shadowgraph.identity import Json
from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Analysis, Equivalence
from shadowgraph.stats.effect import cliffs_delta, hedges_g, hodges_lehmann
from shadowgraph.stats.equivalence import draws_needed, tost
from shadowgraph.stats.path import path_matched_difference
from shadowgraph.stats.resample import bootstrap_interval, permutation_test

METHOD = "Hodges-Lehmann shift, percentile bootstrap over draws, exact two-sided permutation of draw labels"


@dataclass(frozen=True, slots=True)
class Curve:
    """K along one run: log relative update norm and K at each snapshot, oldest first."""

    log_norm: tuple[float, ...]
    K: tuple[float, ...]


def contrast(
    name: str,
    endpoint: str,
    arms: tuple[str, str],
    values: Mapping[str, Sequence[float]],
    *,
    analysis: Analysis,
    seed: int,
    reading: str = "unmatched",
) -> dict[str, Json]:
    """Compare two arms on one endpoint, one value a draw.

    Args:
        name: label of the contrast.
        endpoint: what is compared, for example "K".
        arms: first minus second.
        values: arm → one number a draw.
        analysis: level of the tests.
        seed: seed of the bootstrap.
        reading: "unmatched" or "norm-matched".

    Returns:
        Plain fields: estimate, interval, p, n, effect sizes, status "ok".

    Raises:
        Defect: an arm without values, or a value that is not finite.
    """
    if any(arm not in values for arm in arms):
        raise Defect("an arm has no values", where=f"{name}: {arms}")
    a, b = (np.asarray(values[arm], dtype=np.float64) for arm in arms)
    test = permutation_test(a, b, generator(seed, "permutation", name, endpoint, reading))
    level = 1.0 - analysis.alpha
    interval = bootstrap_interval(a, b, level, generator(seed, "bootstrap", name, endpoint, reading))
    known = interval.low is not None and interval.high is not None
    return {
        "name": name,
        "endpoint": endpoint,
        "arms": list(arms),
        "reading": reading,
        "status": "ok",
        "estimate": hodges_lehmann(a, b),
        "interval": [interval.low, interval.high] if known else None,
        "interval_note": interval.note,
        "level": level,
        "p": test.p,
        "smallest_p": test.smallest_p,
        "n": [int(a.size), int(b.size)],
        "hedges_g": hedges_g(a, b),
        "cliffs_delta": cliffs_delta(a, b),
        "method": METHOD if test.exact else METHOD.replace("exact two-sided", "Monte Carlo two-sided"),
        "support": None,
    }


def norm_matched(
    name: str, arms: tuple[str, str], curves: Mapping[str, Sequence[Curve]], analysis: Analysis, seed: int
) -> dict[str, Json]:
    """Compare K of two arms at equal update norm, by snapshots along training.

    Args:
        name: label of the contrast.
        arms: first minus second.
        curves: arm → one curve a draw; log norms and K in nats.
        analysis: level of the tests, and the narrowest support of log norm that counts, nats.
        seed: seed of the bootstrap.

    Returns:
        As `contrast`; status "not estimable" and no number where the norms of the runs share too narrow a range.
    """
    pairs = [[(np.array(curve.log_norm), np.array(curve.K)) for curve in curves[arm]] for arm in arms]
    found = path_matched_difference(pairs[0], pairs[1], analysis.norm_support)
    support: Json = list(found.support) if found.support else None
    if found.estimate is None:
        return {
            "name": name,
            "endpoint": "K",
            "arms": list(arms),
            "reading": "norm-matched",
            "status": found.status,
            "reason": f"the runs share {_width(found.support):.2f} nats of update norm, {analysis.norm_support} needed",
            "estimate": None,
            "interval": None,
            "p": None,
            "n": [len(curves[arm]) for arm in arms],
            "support": support,
        }
    values = {arms[0]: found.a_values, arms[1]: found.b_values}
    return contrast(name, "K", arms, values, analysis=analysis, seed=seed, reading="norm-matched") | {
        "support": support
    }


def _width(support: tuple[float, float] | None) -> float:
    return support[1] - support[0] if support else 0.0


def _draws_needed(a: NDArray[np.float64], b: NDArray[np.float64], margin: float) -> int | None:
    """Draws an arm that would show equivalence with power .9 if shift and spread are as seen; None when none would."""
    if min(a.size, b.size) < 2:
        return None
    sd = float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2))
    return draws_needed(sd, float(a.mean() - b.mean()), margin) if sd > 0 else None


def equivalence(
    claim: Equivalence,
    concentration: Mapping[str, Sequence[float]],
    outside: Mapping[str, Sequence[float]],
    alpha: float,
) -> list[dict[str, Json]]:
    """Test the claim of no shift on both of its endpoints: K, and the loss on text outside every arm's data.

    Args:
        claim: arms, margins and the origin of the margin.
        concentration: arm → K of each draw.
        outside: arm → loss of each draw on held-out text of the base, nats a token.
        alpha: size of each one-sided test.

    Returns:
        Two rows, K and then outside loss: estimate (first arm minus second), 1 − 2 alpha interval or None, p, margin,
        whether equivalent, and the status of the test. The claim holds when both rows are equivalent.
    """
    rows: list[dict[str, Json]] = []
    sources = (("K", concentration, claim.margin), ("outside loss", outside, claim.outside_margin))
    for endpoint, values, margin in sources:
        a, b = (np.asarray(values[arm], dtype=np.float64) for arm in claim.arms)
        found = tost(a, b, margin, alpha)
        rows.append(
            {
                "name": f"{claim.arms[0]} like {claim.arms[1]}",
                "endpoint": endpoint,
                "arms": list(claim.arms),
                "estimate": found.estimate,
                "interval": list(found.interval) if found.interval else None,
                "level": 1.0 - 2.0 * alpha,
                "margin": margin,
                "origin": claim.origin if endpoint == "K" else "fixed in the recipe",
                "p": found.p,
                "equivalent": found.equivalent,
                "status": found.status,
                "n": [int(a.size), int(b.size)],
                "draws_needed": _draws_needed(a, b, margin),
            }
        )
    return rows
