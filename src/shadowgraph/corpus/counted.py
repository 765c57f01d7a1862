"""A budget of tokens and of documents at once: exactly so many documents that hold exactly so many tokens.

Here live: the choice of documents by strata of length, and its correction to the token.
Not here: budgets of tokens alone (`budget`) and the rules that need both (`rules`).

A few documents repeated often, or items shorter than the pool's documents, change how long an arm's documents are and
how many borders it has. With both numbers fixed they cannot: the mean length is their quotient.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.budget import Fill

EXCHANGES = 256


def counted_fill(order: NDArray[np.int64], lengths: NDArray[np.int64], *, documents: int, tokens: int) -> Fill | None:
    """Take exactly `documents` documents with exactly `tokens` tokens, spread over lengths as `order` is.

    The candidates, sorted by length, are cut into as many strata as documents are wanted, and each stratum gives the
    one that comes first in `order`. Where their mean length is not the one wanted, every document is exchanged for one
    longer or shorter by the same factor; single exchanges then meet the tokens, and what is still too much is cut off
    the last document.

    Args:
        order: (j,) candidates, best first.
        lengths: (n,) tokens of every document.
        documents: wanted.
        tokens: wanted.

    Returns:
        The fill in the order of `order`; None where the candidates cannot do it.
    """
    if not 0 < documents <= min(len(order), tokens):
        return None
    by_length = np.argsort(lengths[order], kind="stable")  # places in `order`: equals stay in its order
    sizes = lengths[order][by_length]
    strata = np.arange(len(order)) * documents // len(order)
    first = np.flatnonzero(np.diff(strata, prepend=-1))
    best = np.minimum.reduceat(by_length, first)
    chosen = _scaled(np.sort(_rows_of(best, by_length)), sizes, tokens)
    chosen = _exchanged(chosen, sizes, tokens)
    places = np.sort(by_length[chosen])
    taken = lengths[order[places]].copy()
    excess = int(taken.sum()) - tokens
    if excess < 0 or excess >= int(taken[-1]):
        return None
    taken[-1] -= excess
    return Fill(order[places], taken)


def _rows_of(places: NDArray[np.int64], by_length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the sorted table at which these places of `order` stand."""
    rank = np.empty(len(by_length), np.int64)
    rank[by_length] = np.arange(len(by_length))
    return rank[places]


def _scaled(rows: NDArray[np.int64], sizes: NDArray[np.int64], tokens: int) -> NDArray[np.int64]:
    """(k,) ascending rows whose sizes are those of `rows` times one factor, as near as the table has them.

    Args:
        rows: (k,) ascending rows of the table.
        sizes: (j,) ascending sizes.
        tokens: the sum wanted.
    """
    held = int(sizes[rows].sum())
    if abs(held - tokens) <= int(sizes[-1]):
        return rows
    count = len(rows)
    found = np.searchsorted(sizes, sizes[rows] * (tokens / held)).astype(np.int64)
    step = np.arange(count)
    found = np.maximum.accumulate(found - step) + step
    return np.minimum(found, len(sizes) - count + step)


def _exchanged(rows: NDArray[np.int64], sizes: NDArray[np.int64], tokens: int) -> NDArray[np.int64]:
    """Exchange one row at a time for the free one that brings the sum nearest to `tokens`, at last not below it."""
    rows = rows.copy()
    free = np.ones(len(sizes), bool)
    free[rows] = False
    for _ in range(EXCHANGES):
        missing = tokens - int(sizes[rows].sum())
        if missing == 0:
            break
        others = np.flatnonzero(free)
        if not len(others):
            break
        wanted = sizes[rows] + missing
        at = np.minimum(np.searchsorted(sizes[others], wanted), len(others) - 1)  # the next size that is enough
        left = wanted - sizes[others][at]
        worth = np.where(left <= 0, -left, left + int(sizes[-1]))  # too much is cut off; too little is worse
        place = int(np.argmin(worth))
        now = -missing if missing <= 0 else missing + int(sizes[-1])
        if int(worth[place]) >= now:
            break
        new = int(others[at[place]])
        free[rows[place]], free[new] = True, False
        rows[place] = new
    return rows
