"""Whether arms that aim at a benchmark came nearer to it than random documents.

Here live: the comparison of such an arm's own score with the random arm's. Not here: the rules (`rules`), the balance
sheet (`balance`), matching of draws (`match`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.spec.corpus import CorpusArm, CorpusSpec

LEAST = 0.25  # standard deviations of the pool that a wholly aligned arm must lie above the random one
ERRORS = 2.0  # standard errors that any arm must
# What each regime aims at, in columns of the pool.
AIMS: dict[str, tuple[str, ...]] = {
    "aligned": ("content", "format"),
    "aligned_many": ("content", "format"),
    "mixture": ("content", "format"),
    "blend": ("content", "format"),
    "content_only": ("content",),
    "format_only": ("format",),
}


def nearness(
    spec: CorpusSpec, columns: Mapping[str, NDArray[Any]], arms: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Hold every arm that aims at nearness against the first random arm, in the score it aims at.

    The gain is the difference of mean scores over tokens, divided by the score's standard deviation over the pool's
    tokens; where content and format both count it is the mean of the two. It is clear from
    max(LEAST · share, ERRORS · sqrt((1/a + 1/b) / draws)) on, a and b the effective documents of the two arms.

    Args:
        spec: the specification.
        columns: (n,) "lengths", "leaked" and "content/NAME", "format/NAME" of the pool's documents.
        arms: each arm and draw with its "balance".

    Returns:
        A row an arm and benchmark: arm, against, benchmark, gain, least, clear, and the keys to change. Empty where
        there is no random arm.
    """
    against = next((arm.name for arm in spec.arms if arm.regime == "random"), None)
    weights = np.where(np.asarray(columns["leaked"]), 0, np.asarray(columns["lengths"])).astype(np.float64)
    sheets: dict[str, list[Mapping[str, float]]] = {}
    for row in arms:
        sheets.setdefault(row["arm"], []).append(row["balance"])
    found: list[dict[str, Any]] = []
    for arm in spec.arms if against is not None else ():
        for name in _benchmarks(arm, spec):
            aims = [f"{kind}/{name}" for kind in AIMS[arm.regime]]
            gain = sum(_gain(sheets[arm.name], sheets[str(against)], columns[aim], weights, aim) for aim in aims)
            error = _error(sheets[arm.name], sheets[str(against)])
            share = 1.0 if arm.share is None else arm.share
            least = max(LEAST * share / max(1, len(_benchmarks(arm, spec))), ERRORS * error)
            gain = gain / len(aims)
            row = {"arm": arm.name, "against": against, "benchmark": name, "gain": gain, "least": least}
            found.append({**row, "clear": gain >= least, "change": _change(arm, spec)})
    return found


def _benchmarks(arm: CorpusArm, spec: CorpusSpec) -> tuple[str, ...]:
    """The benchmarks an arm aims at."""
    names = tuple(table.name for table in spec.benchmarks)
    if arm.regime not in AIMS:
        return ()
    if arm.regime == "aligned_many":
        return arm.benchmarks or names
    return (arm.benchmark,) if arm.benchmark else names[:1]


def _gain(
    own: Sequence[Mapping[str, float]],
    other: Sequence[Mapping[str, float]],
    column: NDArray[np.float64],
    weights: NDArray[np.float64],
    name: str,
) -> float:
    """Difference of two arms' means over draws in one column, in standard deviations of the pool."""
    middle = float(np.average(column, weights=weights))
    spread = math.sqrt(float(np.average((column - middle) ** 2, weights=weights)))
    apart = float(np.mean([row[name] for row in own]) - np.mean([row[name] for row in other]))
    return apart / spread if spread > 0 else 0.0


def _error(own: Sequence[Mapping[str, float]], other: Sequence[Mapping[str, float]]) -> float:
    """Standard error of a gain, were both arms random documents of the pool."""
    parts = [float(np.mean([row["effective_documents"] for row in rows])) for rows in (own, other)]
    return math.sqrt((1 / parts[0] + 1 / parts[1]) / len(own))


def _change(arm: CorpusArm, spec: CorpusSpec) -> list[str]:
    """Keys that stand in the way."""
    keys = ["budget.match_lengths = false"] if spec.budget.match_lengths else []
    keys += [f"temperature (now {arm.temperature:g})"] if arm.temperature else []
    keys += [f"share (now {arm.share:g})"] if arm.share is not None else []
    return [*keys, "the share of the pool that is near (more such documents, or fewer tokens)"]
