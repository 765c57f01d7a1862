"""The rule that repeats: a share of the tokens is a few documents, each exactly as often as asked.

Here live: which documents are repeated, how often, and with which answer.
Not here: where repeats stand (`regime`) and the wording of near copies (`presented`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.budget import Fill, fill, join
from shadowgraph.corpus.counted import counted_fill
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.rules.aligned import share_of
from shadowgraph.errors import DataError
from shadowgraph.spec.corpus import CorpusArm

NEIGHBOURS = 1024  # answers of the same length or little longer among which one is taken


def repeated(arm: CorpusArm, ground: Ground) -> Fill:
    """Random documents, and a share of tokens that is a few further documents over and over, new ones each draw.

    With `repeats` every repeated document stands in the arm exactly that often; the few tokens that do not divide go
    to the background. With `documents` that many are cycled until the share is full. Where lengths are matched, the
    repeated documents are spread over the pool's lengths, and the arm has as many documents as the random one.

    Args:
        arm: share, repeats or documents, kind.
        ground: the ground.

    Raises:
        DataError: when the pool holds too few further documents.
    """
    order = ground.random_order()
    wanted = round(share_of(arm) * ground.budget)
    if arm.repeats is None:
        return _cycled(arm, ground, order, wanted)
    each = wanted // arm.repeats
    if not each:
        raise DataError(f"a share of {wanted} tokens cannot hold {arm.repeats} repeats", where=arm.name)
    background, few = _apart(arm.name, ground, order, each, arm.repeats)
    copies = Fill(np.tile(few.documents, arm.repeats), np.tile(few.taken, arm.repeats))
    if arm.kind != "answers":
        return join([background, copies])
    return _answered(background, copies, few, ground, arm.name)


def _apart(where: str, ground: Ground, order: NDArray[np.int64], each: int, repeats: int) -> tuple[Fill, Fill]:
    """The background and the documents to repeat, which it does not hold.

    Args:
        where: name of the arm.
        ground: the ground.
        order: candidates in random order.
        each: tokens to repeat.
        repeats: how often.
    """
    left, whole = ground.budget - each * repeats, ground.documents(where)
    if whole is not None:
        few = ground.take_counted(order, where, each, max(1, round(each * whole / ground.budget)))
        rest = order[~np.isin(order, few.documents)]
        return ground.take_counted(rest, where, left, whole - repeats * len(few.documents)), few
    images = ground.images(0, each)
    others = ground.images(0, ground.budget) - images * repeats
    background = ground.take(order, where, left, images=others)
    rest = order[~np.isin(order, background.documents)]
    return background, ground.take(rest, where, each, images=images)


def _cycled(arm: CorpusArm, ground: Ground, order: NDArray[np.int64], wanted: int) -> Fill:
    """A fixed number of documents, cycled until the share is full."""
    if arm.documents is None:
        raise DataError("a repeated arm needs repeats or documents", where=arm.name)
    whole = ground.documents(arm.name)
    size = 0 if whole is None else round(arm.documents * ground.budget / whole)
    found = counted_fill(order, ground.pool.lengths, documents=arm.documents, tokens=size)
    if whole is not None and found is not None:
        copies = _round(found.documents, ground, wanted, arm.name)
        rest, left = order[~np.isin(order, found.documents)], whole - len(copies.documents)
        return join([ground.take_counted(rest, arm.name, ground.budget - wanted, left), copies])
    background = ground.take(order, arm.name, ground.budget - wanted)
    few = order[~np.isin(order, background.documents)][: arm.documents]
    return join([background, _round(few, ground, wanted, arm.name)])


def _round(few: NDArray[np.int64], ground: Ground, wanted: int, where: str) -> Fill:
    """The same documents round and round until so many tokens are taken."""
    cycles = -(-wanted // max(1, int(ground.pool.lengths[few].sum())))
    return fill(np.tile(few, cycles), ground.pool.lengths, wanted, where)


def _answered(background: Fill, copies: Fill, few: Fill, ground: Ground, where: str) -> Fill:
    """Keep the prompt of every copy and give all but the first the answer of another document of the pool.

    An answer of the same number of tokens is taken where there is one, else the end of a longer one.

    Raises:
        DataError: when the pool knows no answers.
    """
    if ground.prompts is None:
        raise DataError("the pool knows no answers", where=where, hint='set "tokens.answer_after"')
    candidates = ground.candidates
    answers = (ground.pool.lengths - ground.prompts)[candidates]
    sort = np.lexsort((ground.uniform("answers")[candidates], answers))
    givers, sizes = candidates[sort], answers[sort]
    rows: list[tuple[int, int, int, int]] = []
    count = len(few.documents)
    for place, (document, taken) in enumerate(zip(copies.documents.tolist(), copies.taken.tolist(), strict=True)):
        turn, prompt = place // count, int(ground.prompts[document])
        tail = taken - prompt
        if turn == 0 or tail <= 0 or prompt <= 0:
            rows.append((document, taken, 0, place))
            continue
        start = int(np.searchsorted(sizes, tail))
        if start == len(givers):
            rows.append((document, taken, 0, place))
            continue
        giver = int(givers[start + (place + turn) % min(len(givers) - start, NEIGHBOURS)])
        rows.append((document, prompt, 0, place))
        rows.append((giver, tail, int(ground.pool.lengths[giver]) - tail, place))
    base = len(background.documents)
    extra = np.array(rows, np.int64).T
    return Fill(
        np.concatenate([background.documents, extra[0]]),
        np.concatenate([background.taken, extra[1]]),
        np.concatenate([background.begins, extra[2]]),
        np.concatenate([np.arange(base), base + extra[3]]),
    )
