"""Rules that cover the pool: every region of it gets equal tokens.

Here live: the covering arms. Not here: cells, and selection by them (`clusters`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.budget import Fill, pace
from shadowgraph.corpus.clusters import balanced_order, facility_order, far_order
from shadowgraph.corpus.ground import Ground
from shadowgraph.errors import DataError
from shadowgraph.spec.corpus import CorpusArm


def covering(arm: CorpusArm, ground: Ground, budget: int | None = None) -> Fill:
    """Flatten the pool: every cell gets equal tokens until it is used up.

    Args:
        arm: `method` says how: by cells (the default), by facility location, or by k-center.
        ground: without cells, family x format stand for them.
        budget: tokens, the last of the arm; the whole budget by default.

    Raises:
        DataError: when a method needs vectors and the pool has none.
    """
    wanted = ground.budget if budget is None else budget
    begin = ground.budget - wanted
    candidates, lengths = ground.candidates, ground.pool.lengths
    key = ground.uniform("covering")
    sequence = candidates[np.argsort(key[candidates], kind="stable")]
    if arm.method == "clusters":
        if ground.cells is None:
            return ground.take(pace(sequence, _strata(ground), lengths), arm.name, wanted, begin=begin)
        quotas = ground.strata() if ground.match_lengths else None
        order = balanced_order(ground.cells, key, sequence, lengths, budget=wanted, quotas=quotas)
        return ground.take(order, arm.name, wanted, begin=begin)
    if ground.vectors is None:
        raise DataError(f'the method "{arm.method}" needs vectors of the pool', where=arm.name)
    choose = facility_order if arm.method == "facility" else far_order
    return ground.take(choose(ground.vectors, sequence, lengths, wanted), arm.name, wanted, begin=begin)


def covering_new(arm: CorpusArm, ground: Ground) -> Fill:
    """Cover the part of the pool that is newest to the base."""
    novelty = ground.column("novelty", arm.name)
    limit = np.quantile(novelty[ground.candidates], 1.0 - arm.quantile)
    return covering(arm, ground.among(novelty >= limit))


def _strata(ground: Ground) -> NDArray[np.int64]:
    """(n,) family and format of every document as one number."""
    labels = [f"{a}\x1f{b}" for a, b in zip(ground.pool.families, ground.pool.formats, strict=True)]
    return np.unique(np.array(labels), return_inverse=True)[1].astype(np.int64)
