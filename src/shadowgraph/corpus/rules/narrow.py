"""Rules that let a few patterns carry the mass, without leaning towards a benchmark.

Here live: the concentrated arms. Not here: repetition of single documents (`repeated`) and clusters (`clusters`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.budget import Fill, join
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.rules.aligned import score_of
from shadowgraph.errors import DataError
from shadowgraph.spec.corpus import CorpusArm


def concentrated(arm: CorpusArm, ground: Ground) -> Fill:
    """Few patterns by Zipf's law, from the half of the pool that is less like the benchmark, new ones each draw."""
    name = arm.benchmark or (ground.benchmarks[0] if ground.benchmarks else "")
    score = score_of(ground, name, arm.name)
    return _few_patterns(arm, ground.among(score <= np.median(score[ground.candidates])))


def narrow_familiar(arm: CorpusArm, ground: Ground) -> Fill:
    """Few patterns by Zipf's law, from the part of the pool that is most familiar to the base."""
    novelty = ground.column("novelty", arm.name)
    return _few_patterns(arm, ground.among(novelty <= np.quantile(novelty[ground.candidates], arm.quantile)))


def _few_patterns(arm: CorpusArm, ground: Ground) -> Fill:
    """Give the k-th pattern tokens in proportion to k^−skew; patterns too small for theirs are passed over.

    Raises:
        DataError: when too few patterns are large enough.
    """
    labels = _patterns(ground)
    candidates, lengths = ground.candidates, ground.pool.lengths
    kinds, inverse = np.unique(labels[candidates], return_inverse=True)
    held = np.bincount(inverse, weights=lengths[candidates]).astype(np.int64)
    turn = np.argsort(ground.keyed("patterns", [str(kind) for kind in kinds.tolist()]), kind="stable")
    free = turn.tolist()
    order = ground.random_order()
    shown = np.zeros(len(kinds), np.int64)
    if ground.pictures is not None:
        shown = np.bincount(inverse, weights=ground.pictures.ends[candidates] > 0, minlength=len(kinds)).astype(
            np.int64
        )
    parts: list[Fill] = []
    filled = 0
    for quota in shares(ground.budget, arm.patterns, arm.skew):
        images = ground.images(filled, filled + quota)
        able = (place for place, pattern in enumerate(free) if held[pattern] >= quota and shown[pattern] >= images)
        part: Fill | None = None
        for place in able:
            try:
                part = ground.take(order[labels[order] == kinds[free[place]]], arm.name, quota, images=images)
            except DataError:  # enough of both, but the texts between its images do not fill what they leave
                continue
            del free[place]
            break
        if part is None:
            wanted = f"{quota} tokens" + (f" and {images} images" if images else "")
            raise DataError(
                f"no pattern holds the {wanted} that {arm.patterns} patterns with skew {arm.skew:g} ask for",
                where=arm.name,
                hint="ask for more patterns or less skew, or enlarge the pool; nothing is repeated silently",
            )
        parts.append(part)
        filled += quota
    return join(parts)


def shares(budget: int, patterns: int, skew: float) -> list[int]:
    """Tokens of each pattern, largest first, that sum to the budget."""
    weights = np.arange(1, patterns + 1, dtype=np.float64) ** -skew
    ends = np.rint(np.cumsum(weights) / weights.sum() * budget).astype(np.int64)
    return [int(tokens) for tokens in np.diff(ends, prepend=0)]


def _patterns(ground: Ground) -> NDArray[np.int64]:
    """(n,) pattern of every document: its topic cluster, or its family and format where there are no cells."""
    if ground.cells is not None:
        return ground.cells[0].astype(np.int64)
    labels = [f"{a}\x1f{b}" for a, b in zip(ground.pool.families, ground.pool.formats, strict=True)]
    return np.unique(np.array(labels), return_inverse=True)[1].astype(np.int64)
