"""The token budget: documents are taken in order until it is full to the token.

Here live: what is taken, filling a budget, quotas by length, packing into sequences, the proof that arms are equal.
Not here: the order of documents (`regime`, `rules`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.tokens import TokenPool
from shadowgraph.errors import DataError

BINS_AN_OCTAVE = 4  # of document length
SUPERVISED_TOLERANCE = 0.001  # share by which supervised tokens of two arms may differ


@dataclass(frozen=True, slots=True)
class Fill:
    """Spans of documents that fill a budget exactly.

    Attributes:
        documents: (k,) indices into the pool, in the order they were taken; repeats are allowed.
        taken: (k,) tokens taken of each; only the last one may be cut, unless `starts` is given.
        starts: (k,) first token of each span in its document; None when all start at 0.
        entries: (k,) number of the training document a span belongs to, ascending; None when each span is one.
    """

    documents: NDArray[np.int64]
    taken: NDArray[np.int64]
    starts: NDArray[np.int64] | None = None
    entries: NDArray[np.int64] | None = None

    @property
    def tokens(self) -> int:
        """Tokens in all."""
        return int(self.taken.sum())

    @property
    def begins(self) -> NDArray[np.int64]:
        """(k,) first token of each span in its document."""
        return np.zeros(len(self.documents), np.int64) if self.starts is None else self.starts

    @property
    def owners(self) -> NDArray[np.int64]:
        """(k,) number of the training document of each span, from 0 in training order."""
        return np.arange(len(self.documents)) if self.entries is None else self.entries


def fill(order: NDArray[np.int64], lengths: NDArray[np.int64], budget: int, where: str) -> Fill:
    """Take documents in `order` until exactly `budget` tokens are taken; the last one is cut.

    Args:
        order: (j,) document indices, best first.
        lengths: (n,) tokens of every document of the pool.
        budget: tokens wanted, above 0.
        where: name of the arm, for the message.

    Raises:
        DataError: when the documents in `order` hold fewer tokens than the budget.
    """
    sizes = lengths[order]
    total = np.cumsum(sizes)
    if not len(order) or total[-1] < budget:
        held = int(total[-1]) if len(order) else 0
        raise DataError(
            f"the pool holds {held} tokens for this arm and the budget is {budget}",
            where=where,
            hint="give the pool more documents or ask for fewer tokens; nothing is repeated silently",
        )
    count = int(np.searchsorted(total, budget)) + 1
    taken = sizes[:count].copy()
    taken[-1] -= int(total[count - 1]) - budget
    return Fill(order[:count], taken)


def join(parts: Sequence[Fill]) -> Fill:
    """Put fills one after another; their spans must each be a training document of its own."""
    return Fill(
        np.concatenate([part.documents for part in parts]),
        np.concatenate([part.taken for part in parts]),
        np.concatenate([part.begins for part in parts]),
    )


def positions(pool: TokenPool, chosen: Fill) -> NDArray[np.int64]:
    """(T,) place in the pool's tokens of every token of a fill, in order."""
    starts = pool.offsets[chosen.documents] + chosen.begins
    ends = np.cumsum(chosen.taken)
    place = np.arange(chosen.tokens, dtype=np.int64)
    place += np.repeat(starts - (ends - chosen.taken), chosen.taken)
    return place


def pack(pool: TokenPool, chosen: Fill, length: int) -> NDArray[np.uint16]:
    """Concatenate the chosen documents and cut them into sequences, no padding, nothing dropped.

    Args:
        pool: the pool the fill points into.
        chosen: a fill whose tokens are a multiple of `length`.
        length: L, tokens of one sequence.

    Returns:
        (N, L) token ids with N·L = chosen.tokens.
    """
    return np.asarray(pool.tokens[positions(pool, chosen)]).reshape(-1, length)


def pace(sequence: NDArray[np.int64], labels: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Merge strata so that all give tokens at one pace: by the tokens a document's stratum gave before it.

    A small stratum ends and the others share what it leaves. Applied from the finest level of a tree to the coarsest,
    it gives every node equal tokens among its siblings until the node is used up.

    Args:
        sequence: (j,) document indices; the order inside a stratum is kept.
        labels: (n,) stratum of every document of the pool.
        lengths: (n,) tokens of every document.

    Returns:
        (j,) the same documents, merged; equals in the order of `sequence`.
    """
    order, before = _before(sequence, labels, lengths)
    return sequence[order][np.lexsort((order, before))]


def _before(
    sequence: NDArray[np.int64], labels: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of `sequence` sorted by stratum, and the tokens of the stratum before each."""
    order = np.argsort(labels[sequence], kind="stable")
    sizes, strata = lengths[sequence][order], labels[sequence][order]
    before = np.cumsum(sizes) - sizes
    first = np.flatnonzero(np.diff(strata, prepend=-1))
    before -= np.repeat(before[first], np.diff(np.append(first, len(order))))
    return order, before


def length_bins(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) bin of each length, four to a doubling."""
    return np.floor(BINS_AN_OCTAVE * np.log2(np.maximum(lengths, 1))).astype(np.int64)


def quota_order(
    sequence: NDArray[np.int64], bins: NDArray[np.int64], shares: NDArray[np.float64], lengths: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Reorder so that, wherever it is cut, each bin has given its share of the tokens; order inside a bin is kept.

    Args:
        sequence: (j,) document indices, best first.
        bins: (n,) bin of every document of the pool.
        shares: (b,) share of the tokens each bin shall give, sum 1; documents of a bin with share 0 come last.
        lengths: (n,) tokens of every document.

    Returns:
        (j,) the same documents; where a bin ends early the others go on.
    """
    order, before = _before(sequence, bins, lengths)
    wanted = shares[bins[sequence][order]]
    pace_of = np.where(wanted > 0, before / np.maximum(wanted, 1e-300), np.inf)
    return sequence[order][np.lexsort((order, pace_of))]


def turns_of(documents: NDArray[np.int64]) -> NDArray[np.int64]:
    """(k,) how many times the same number stood before each place."""
    order = np.argsort(documents, kind="stable")
    first = np.flatnonzero(np.diff(documents[order], prepend=-1))
    turns = np.empty(len(documents), np.int64)
    turns[order] = np.arange(len(documents)) - np.repeat(first, np.diff(np.append(first, len(documents))))
    return turns


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """What one arm of one draw weighs: tokens, those that count in the loss, images that count in the budget."""

    arm: str
    draw: int
    tokens: int
    supervised: int
    images: int = 0


def prove_budget(rows: Sequence[BudgetRow]) -> Mapping[str, int]:
    """Prove that arms are equal: tokens to the token, images to the image, supervised tokens within 0.1 %.

    Returns:
        The common budget, the smallest and largest number of supervised tokens, and the images where there are any.

    Raises:
        DataError: naming the first arm that differs.
    """
    if not rows:
        raise DataError("no arms to compare", where="budget")
    first = rows[0]
    for row in rows:
        if row.tokens != first.tokens:
            message = f"{row.tokens} tokens, {first.arm} has {first.tokens}"
            raise DataError(message, where=f"{row.arm} draw {row.draw}", hint="build all arms with one budget")
        if row.images != first.images:
            message = f"{row.images} images, {first.arm} has {first.images}"
            raise DataError(message, where=f"{row.arm} draw {row.draw}", hint="set budget.images to fewer")
    least = min(rows, key=lambda row: row.supervised)
    most = max(rows, key=lambda row: row.supervised)
    if most.supervised - least.supervised > SUPERVISED_TOLERANCE * most.supervised:
        raise DataError(
            f"{most.supervised} supervised tokens, {least.arm} draw {least.draw} has {least.supervised}: "
            f"more than {SUPERVISED_TOLERANCE:.1%} apart",
            where=f"{most.arm} draw {most.draw}",
            hint=f"set budget.supervised to {least.supervised} or fewer; what is above it leaves the loss",
        )
    images = {"images": first.images} if first.images else {}
    proof = {"tokens": first.tokens, "supervised_least": least.supervised, "supervised_most": most.supervised}
    return proof | images
