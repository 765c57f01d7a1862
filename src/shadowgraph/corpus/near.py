"""Near-duplicates by MinHash of word 5-shingles.

Here live: signatures of documents and the pairs that are likely alike.
Not here: exact copies of items (`contamination`). A short item inside a long document is no near-duplicate of it:
shingle sets are compared as wholes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.kernels import kernels
from shadowgraph.corpus.kernels.constants import GRAM, SPREAD

SHINGLE = 5
BITS = 7  # 128 bins
BANDS = 32  # of four bins each: a pair of similarity .5 becomes a candidate with probability .87, one of .8 always
_EMPTY = np.uint64(np.iinfo(np.uint64).max)


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two documents with their estimated Jaccard similarity of 5-shingles, standard error at most .045."""

    first: int
    second: int
    similarity: float


def bin_minima(batch: Batch) -> NDArray[np.uint64]:
    """(n, 128) smallest shingle of each bin over which shingles are spread by hash; all ones where one is empty."""
    words, ends = batch.words
    return kernels(batch.path).bin_minima(words, ends, SHINGLE, BITS)


def densify(minima: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(n, 128) signatures from bin minima: one-permutation MinHash with optimal densification (Shrivastava 2017,
    arXiv 1703.04664).

    An empty bin borrows from a bin that is drawn by number and attempt alone, so that two documents borrow alike.
    Documents of fewer than 5 words have no shingle and stay all ones.
    """
    out = minima.copy()
    rows = np.flatnonzero((minima == _EMPTY).any(axis=1) & (minima != _EMPTY).any(axis=1))
    attempt = 0
    while len(rows):
        attempt += 1
        seeds = (np.arange(1, (1 << BITS) + 1, dtype=np.uint64) * GRAM + np.uint64(attempt)) * SPREAD
        lender = (seeds >> np.uint64(64 - BITS)).astype(np.int64)
        held = out[rows]
        held = np.where(held == _EMPTY, minima[rows][:, lender], held)
        out[rows] = held
        rows = rows[(held == _EMPTY).any(axis=1)]
    return out


def near_pairs(
    mine: NDArray[np.uint64], theirs: NDArray[np.uint64] | None = None, *, least: float = 0.5
) -> list[NearPair]:
    """Pairs of documents that are likely near-duplicates.

    Args:
        mine: (n, 128) signatures.
        theirs: (k, 128) signatures to compare with; None compares `mine` with itself, each pair once.
        least: smallest similarity reported.

    Returns:
        Pairs in ascending order; `second` counts in `theirs` where it is given.
    """
    both = mine if theirs is None else np.concatenate([mine, theirs])
    usable = np.flatnonzero((both != _EMPTY).any(axis=1))
    seen: set[tuple[int, int]] = set()
    width = both.shape[1] // BANDS
    for band in range(BANDS):
        part = both[usable, band * width : (band + 1) * width]
        key = np.zeros(len(part), np.uint64)
        for column in part.T:
            key = (key * GRAM + column) * SPREAD
        order = np.argsort(key, kind="stable")
        edges = np.flatnonzero(np.diff(key[order], prepend=key[order][:1] ^ np.uint64(1)))
        sizes = np.diff(np.append(edges, len(order)))
        for start, size in zip(edges[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
            group = usable[order[start : start + size]]
            seen.update(_links(np.sort(group), len(mine), theirs is not None))
    pairs = np.array(sorted(seen), np.int64).reshape(-1, 2)
    similar = (both[pairs[:, 0]] == both[pairs[:, 1]]).mean(axis=1) if len(pairs) else np.zeros(0)
    shift = len(mine) if theirs is not None else 0
    return [NearPair(int(a), int(b) - shift, float(s)) for (a, b), s in zip(pairs, similar, strict=True) if s >= least]


def _links(group: NDArray[np.int64], border: int, across: bool) -> list[tuple[int, int]]:
    """Pairs of one band's group: everyone with the first of its side, which bounds the work on large groups."""
    if not across:
        return [(int(group[0]), int(other)) for other in group[1:]]
    left, right = group[group < border].tolist(), group[group >= border].tolist()
    if not left or not right:
        return []
    return [(left[0], other) for other in right] + [(other, right[0]) for other in left[1:]]
