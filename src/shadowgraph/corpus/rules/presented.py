"""Controls that keep a set of documents and change how its tokens are told.

Here live: reversed documents, renamed tokens, near copies of repeats, answers handed on to other prompts.
Not here: which documents an arm takes (the other rules) and their order (`regime`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.budget import Fill, turns_of
from shadowgraph.corpus.ground import Ground
from shadowgraph.errors import DataError
from shadowgraph.seeds import generator
from shadowgraph.spec.corpus import CorpusArm

NEAR_SHARE = 0.05  # of the tokens of a near copy that are replaced, at least one


def edited(arm: CorpusArm, chosen: Fill, ground: Ground, sequences: NDArray[Any]) -> NDArray[Any]:
    """The sequences as the arm presents them.

    Args:
        arm: its regime and kind say how.
        chosen: what is taken, in training order.
        ground: the ground.
        sequences: (N, L) what was packed.

    Returns:
        (N, L) the same tokens in another order or with other values; equal length, END tokens untouched.
    """
    if arm.regime == "reversed":
        return sequences.ravel()[backwards(chosen, ground)].reshape(sequences.shape)
    if arm.regime == "permuted":
        return _renamed(ground, sequences)
    if arm.regime == "repeated" and arm.kind == "near":
        return _near(chosen, ground, sequences)
    return sequences


def backwards(chosen: Fill, ground: Ground) -> NDArray[np.int64]:
    """(T,) where each token of the reversed arm comes from: every training document backwards, its END still last."""
    owners = chosen.owners
    sizes = np.bincount(owners, weights=chosen.taken).astype(np.int64)
    ends = np.cumsum(sizes)
    tails = np.flatnonzero(np.diff(owners, append=-1))
    last_span = chosen.begins[tails] + chosen.taken[tails]
    closed = last_span == ground.pool.lengths[chosen.documents[tails]]
    first, last = np.repeat(ends - sizes, sizes), np.repeat(ends - 1 - closed, sizes)
    place = np.arange(chosen.tokens)
    return np.where(place > last, place, first + last - place)


def _renamed(ground: Ground, sequences: NDArray[Any]) -> NDArray[Any]:
    """Every token id replaced by another, one to one among the ids the pool uses; END and image tokens stay."""
    used = np.unique(ground.pool.tokens)
    used = used[used != ground.end]
    if ground.pictures is not None:
        used = used[used != ground.pictures.token]
    names = generator(ground.seed, "renamed", f"draw-{ground.draw}").permutation(used)
    table = np.arange(int(max(ground.pool.tokens.max(), ground.end)) + 1)
    table[used] = names
    return table[sequences].astype(sequences.dtype)


def _near(chosen: Fill, ground: Ground, sequences: NDArray[Any]) -> NDArray[Any]:
    """Copies after the first with numbers and some words replaced by others of their kind, as a filled-in template is.

    Raises:
        DataError: when the kinds of tokens are not known.
    """
    if ground.classes is None:
        raise DataError("near copies need the kinds of the tokenizer's tokens", where="repeated")
    flat = sequences.ravel().copy()
    kinds = ground.classes[flat]
    by_kind = np.argsort(ground.classes, kind="stable")
    rank = np.argsort(by_kind)
    starts = np.searchsorted(ground.classes[by_kind], np.arange(int(ground.classes.max()) + 2))
    ends = np.cumsum(chosen.taken)
    for row, turn in enumerate(turns_of(chosen.documents).tolist()):
        if not turn:
            continue
        begin, end = int(ends[row] - chosen.taken[row]), int(ends[row])
        name = ground.pool.ids[int(chosen.documents[row])]
        stream = generator(ground.seed, "near", f"draw-{ground.draw}", name, str(turn))
        open_places = begin + np.flatnonzero(kinds[begin:end] > 0)
        if not len(open_places):
            continue
        numbers = open_places[kinds[open_places] == 1]
        count = max(1, round(NEAR_SHARE * (end - begin)))
        words = stream.choice(open_places, min(count, len(open_places)), replace=False)
        for place in np.unique(np.concatenate([numbers, words])).tolist():
            low, high = int(starts[kinds[place]]), int(starts[kinds[place] + 1])
            if high - low > 1:
                step = 1 + int(stream.integers(high - low - 1))  # never the token itself
                flat[place] = by_kind[low + (int(rank[flat[place]]) - low + step) % (high - low)]
    return flat.reshape(sequences.shape)


def rejoined(chosen: Fill, ground: Ground, where: str) -> Fill:
    """Hand every answer on to the next prompt in a random circle; tokens and their frequencies are unchanged.

    Args:
        chosen: what the arm takes, one span a document.
        ground: the ground; its prompts say where answers begin.
        where: name of the arm.

    Raises:
        DataError: when the pool knows no answers, or fewer than two chosen documents have one.
    """
    if ground.prompts is None or chosen.entries is not None:
        raise DataError("the pool knows no answers to shuffle", where=where, hint='set "tokens.answer_after"')
    prompts = ground.prompts[chosen.documents]
    whole = (chosen.taken == ground.pool.lengths[chosen.documents]) & (prompts > 0) & (prompts < chosen.taken)
    able = np.flatnonzero(whole)
    if len(able) < 2:
        raise DataError("fewer than two documents have an answer", where=where, hint='check "tokens.answer_after"')
    names = [f"{ground.pool.ids[d]}#{place}" for place, d in enumerate(chosen.documents[able].tolist())]
    circle = able[np.argsort(ground.keyed("answers", names), kind="stable")]
    giver = np.arange(len(chosen.documents))
    giver[circle] = np.roll(circle, -1)
    rows: list[tuple[int, int, int, int]] = []
    for place, document in enumerate(chosen.documents.tolist()):
        if not whole[place]:
            rows.append((document, int(chosen.taken[place]), int(chosen.begins[place]), place))
            continue
        other = int(chosen.documents[giver[place]])
        start = int(ground.prompts[other])
        rows.append((document, int(prompts[place]), 0, place))
        rows.append((other, int(ground.pool.lengths[other]) - start, start, place))
    table = np.array(rows, np.int64).T
    return Fill(table[0], table[1], table[2], table[3])
