"""Rules that give every source equal tokens, for arms over sources of real documents.

Here live: the even arm, and the repeated and blended arms whose background is even.
Not here: which sources an arm takes, and rules of one pool (`repeated`, `aligned`).

Quotas are exact: every source gives the same number of tokens, one apart where the budget does not divide, and the
last document of each is cut. A source that holds too little is an error that names it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.budget import Fill, fill, join, pace
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.rules.aligned import share_of
from shadowgraph.corpus.rules.narrow import shares
from shadowgraph.errors import DataError
from shadowgraph.spec.corpus import CorpusArm


def even(arm: CorpusArm, ground: Ground) -> Fill:
    """Random documents, equal tokens of every source."""
    return evenly(ground, arm.name, ground.budget)


def even_repeated(arm: CorpusArm, ground: Ground) -> Fill:
    """An even arm, and a share of tokens that is a few further documents over and over, sources taking turns.

    With `repeats` every repeated document stands in the arm exactly that often, the last of them cut; with `documents`
    that many are cycled until the share is full. The repeated documents of another draw are others.

    Raises:
        DataError: when a source holds too little, or the share cannot hold the repeats.
    """
    wanted = round(share_of(arm) * ground.budget)
    lengths = ground.pool.lengths
    turns = pace(ground.random_order("repeated"), _numbers(ground), lengths)
    if arm.repeats is not None:
        if wanted < arm.repeats:
            raise DataError(f"a share of {wanted} tokens cannot hold {arm.repeats} repeats", where=arm.name)
        few = fill(turns, lengths, wanted // arm.repeats, arm.name)
        copies = Fill(np.tile(few.documents, arm.repeats), np.tile(few.taken, arm.repeats))
    else:
        chosen = turns[: arm.documents]
        if len(chosen) < (arm.documents or 1):
            raise DataError(f"{len(chosen)} documents of the {arm.documents} that are to be repeated", where=arm.name)
        cycles = -(-wanted // max(1, int(lengths[chosen].sum())))
        copies = fill(np.tile(chosen, cycles), lengths, wanted, arm.name)
    rest = np.ones(len(ground.pool), bool)
    rest[copies.documents] = False
    return join([evenly(ground.among(rest), arm.name, ground.budget - copies.tokens), copies])


def even_blend(arm: CorpusArm, ground: Ground) -> Fill:
    """A share of tokens from the sources that `benchmarks` names, the rest from all others, both evenly.

    Raises:
        DataError: when no source is named or none is left, or one holds too little.
    """
    near = np.isin(np.array(_labels(ground)), np.array(arm.benchmarks or (), str))
    count = round(share_of(arm) * ground.budget)
    first = evenly(ground.among(near), arm.name, count)
    return join([first, evenly(ground.among(~near), arm.name, ground.budget - count)])


def evenly(ground: Ground, where: str, budget: int) -> Fill:
    """Fill a budget with equal tokens of every source that has candidates, each in random order.

    Args:
        ground: the ground; its sources, or families where it has none.
        where: name of the arm.
        budget: tokens.

    Raises:
        DataError: naming the source that holds too little, what it holds and what is needed.
    """
    order = ground.random_order()
    labels = _labels(ground)
    names = sorted({labels[document] for document in order.tolist()})
    if not names:
        raise DataError("no source to take documents from", where=where)
    number = {name: place for place, name in enumerate(names)}
    own = np.array([number[labels[document]] for document in order.tolist()])
    parts: list[Fill] = []
    for name, quota in zip(names, shares(budget, len(names), 0.0), strict=True):
        documents = order[own == number[name]]
        held = int(ground.pool.lengths[documents].sum())
        if held < quota:
            raise DataError(
                f"the source {name!r} holds {held} tokens for this arm and {quota} are needed",
                where=where,
                hint="give the source more text, the arm more sources, or all arms fewer tokens",
            )
        if quota:
            parts.append(fill(documents, ground.pool.lengths, quota, where))
    return join(parts)


def _labels(ground: Ground) -> tuple[str, ...]:
    """(n,) name of the source of every document."""
    return ground.pool.families if ground.sources is None else ground.sources


def _numbers(ground: Ground) -> NDArray[np.int64]:
    """(n,) sources as numbers."""
    return np.unique(np.array(_labels(ground)), return_inverse=True)[1].astype(np.int64)
