"""Regions of the pool's own space, and choices that spread over them.

Here live: cells of a pool, the balanced choice, facility location, k-center.
Not here: the vectors (`topics`), and the published codebook that corpora are judged by (`codebook`), which no choice
may use.

One clustering is an accident: cells that another run of the same method finds would be filled unevenly. So documents
are balanced over many at once, of several starts and two sizes, coarse above fine. Every cell of each of them is a
stratum with an equal quota of tokens; the next document is the one whose cells have received least.

Legend: `n` documents, `d` dimensions, `M` codebooks, `k` cells of one.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.topics import unit_rows
from shadowgraph.seeds import generator

CLUSTERS = 128
COARSE = 16
STARTS = 32  # fine clusterings
SAMPLE = 8192  # documents a clustering is learned from
ROUNDS = 8
SPREAD = 0.02  # weight of chance against ln tokens: documents of equally filled cells are taken at random
ANCHORS = 2048
CANDIDATES = 8192
_CHUNK = 8192


def learn_clusters(vectors: NDArray[np.float32], count: int, seed: int, label: str) -> NDArray[np.float32]:
    """Spherical k-means (Dhillon & Modha 2001) on a sample.

    Args:
        vectors: (n, d) unit vectors in an order of their own that does not depend on how they were read.
        count: k, clusters; at most n.
        seed: the seed of all draws.
        label: name of the clustering.

    Returns:
        (k, d) unit centres.
    """
    stream = generator(seed, "clusters", label)
    sample = vectors[np.sort(stream.permutation(len(vectors))[:SAMPLE])]
    count = min(count, len(sample))
    centres = sample[stream.permutation(len(sample))[:count]]
    for _ in range(ROUNDS):
        nearest = np.argmax(sample @ centres.T, axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, sample)
        empty = np.bincount(nearest, minlength=count) == 0
        sums[empty] = sample[stream.permutation(len(sample))[: int(empty.sum())]]
        centres = unit_rows(sums)
    return centres


def pool_cells(vectors: NDArray[np.float32], seed: int) -> NDArray[np.int16]:
    """(M, n) cells of every document: `STARTS` fine clusterings, the first of which names the topics, and a coarse one.

    Args:
        vectors: (n, d) from `topics`.
        seed: the seed of all draws.

    Returns:
        (M, n) numbers of cells.
    """
    fine = [learn_clusters(vectors, CLUSTERS, seed, f"fine {start}") for start in range(STARTS)]
    books = [*fine, learn_clusters(vectors, COARSE, seed, "coarse")]
    return np.stack([_nearest(vectors, centres) for centres in books])


def _nearest(rows: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int16]:
    """(n,) the centre of largest product."""
    parts = [np.argmax(rows[start : start + _CHUNK] @ centres.T, axis=1) for start in range(0, len(rows), _CHUNK)]
    return np.concatenate([*parts, np.zeros(0, np.int64)]).astype(np.int16)


def balanced_order(
    cells: NDArray[np.int16] | NDArray[np.int64],
    key: NDArray[np.float64],
    sequence: NDArray[np.int64],
    lengths: NDArray[np.int64],
    *,
    budget: int,
    quotas: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None,
) -> NDArray[np.int64]:
    """Choose documents so that the cells of all codebooks receive equal tokens; then the rest in the given order.

    The next documents are those with the smallest Σ_m ln(tokens given to the cell + mean length) / M + chance. A cell
    that is used up drops out and the others share what it leaves.

    Args:
        cells: (M, n) cells of every document of the pool.
        key: (n,) a number in (0, 1) for each document, for chance.
        sequence: (j,) documents that may be taken, in random order.
        lengths: (n,) tokens of every document.
        budget: tokens to choose.
        quotas: (n,) stratum of each document and (b,) share of each; a stratum that has its share is closed.

    Returns:
        (j,) all of `sequence`, the chosen first.
    """
    own = cells[:, sequence].astype(np.int64)
    books, sizes, chance = len(own), lengths[sequence], SPREAD * key[sequence]
    start = max(float(sizes.mean()), 1.0) if len(sizes) else 1.0
    given = np.zeros((books, int(own.max(initial=0)) + 1))
    bins = quotas[0][sequence] if quotas is not None else np.zeros(len(sequence), np.int64)
    room = quotas[1] * budget if quotas is not None else np.full(1, float(budget))
    open_ = room[bins] > 0
    left, chosen = budget, list[NDArray[np.int64]]()
    step = int(np.clip(budget / start / 512, 8, 64))
    book = np.arange(books)[:, None]
    while left > 0 and (places := np.flatnonzero(open_)).size:
        load = np.log(given + start) / books
        score = chance[places].copy()
        for row in range(books):
            score += load[row][own[row, places]]
        first = np.argpartition(score, step)[:step] if len(places) > step else np.arange(len(places))
        taken = places[first[np.lexsort((places[first], score[first]))]]
        before = _before_in(bins[taken], sizes[taken])
        taken = taken[before < room[bins[taken]]]
        open_[taken] = False
        np.add.at(given, (np.broadcast_to(book, (books, len(taken))), own[:, taken]), sizes[taken].astype(np.float64))
        np.subtract.at(room, bins[taken], sizes[taken].astype(np.float64))
        if quotas is not None:
            open_ &= room[bins] > 0
        left -= int(sizes[taken].sum())
        chosen.append(taken)
    first_part = np.concatenate([*chosen, np.zeros(0, np.int64)])
    rest = np.ones(len(sequence), bool)
    rest[first_part] = False
    return np.concatenate([sequence[first_part], sequence[rest]])


def _before_in(bins: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(t,) tokens of the same bin before each place."""
    same = bins[:, None] == bins[None, :]
    return (np.tril(same, -1) * sizes[None, :]).sum(axis=1)


def facility_order(
    vectors: NDArray[np.float32], sequence: NDArray[np.int64], lengths: NDArray[np.int64], budget: int
) -> NDArray[np.int64]:
    """Choose documents that are near to a sample of the pool: lazy greedy facility location.

    Maximises the mean largest cosine of `ANCHORS` documents with any chosen one (Nemhauser, Wolsey & Fisher 1978;
    lazy evaluation after Minoux 1978) among the first `CANDIDATES` of the sequence, or more where the budget asks.

    Args:
        vectors: (n, d) unit vectors.
        sequence: (j,) documents that may be taken, in random order.
        lengths: (n,) tokens of every document.
        budget: tokens to choose.

    Returns:
        (j,) all of `sequence`, the chosen first.
    """
    enough = int(np.searchsorted(np.cumsum(lengths[sequence]), 2 * budget)) + 1
    pool = sequence[: max(CANDIDATES, enough)]
    products = np.maximum(vectors[sequence[:ANCHORS]] @ vectors[pool].T, 0.0)
    best = np.zeros(len(products), np.float32)
    queue = [(-float(gain), place, 0) for place, gain in enumerate(products.sum(axis=0))]
    heapq.heapify(queue)
    chosen: list[int] = []
    left = budget
    while left > 0 and queue:
        _, place, seen = heapq.heappop(queue)
        if seen != len(chosen):
            gain = float(np.maximum(products[:, place] - best, 0.0).sum())
            heapq.heappush(queue, (-gain, place, len(chosen)))
            continue
        chosen.append(place)
        np.maximum(best, products[:, place], out=best)
        left -= int(lengths[pool[place]])
    return _chosen_first(pool[chosen], sequence)


def far_order(
    vectors: NDArray[np.float32], sequence: NDArray[np.int64], lengths: NDArray[np.int64], budget: int
) -> NDArray[np.int64]:
    """Choose documents far from one another: greedy k-center (Gonzalez 1985). It collects outliers; a labelled variant.

    Args:
        vectors: (n, d) unit vectors.
        sequence: (j,) documents that may be taken, in random order.
        lengths: (n,) tokens of every document.
        budget: tokens to choose.

    Returns:
        (j,) all of `sequence`, the chosen first.
    """
    rows = vectors[sequence]
    nearest = np.full(len(sequence), -2.0, np.float32)
    chosen: list[int] = []
    left, place = budget, 0
    while left > 0 and len(chosen) < len(sequence):
        chosen.append(place)
        left -= int(lengths[sequence[place]])
        nearest = np.maximum(nearest, rows @ rows[place])
        nearest[place] = np.inf
        place = int(np.argmin(nearest))
    return _chosen_first(sequence[chosen], sequence)


def _chosen_first(chosen: NDArray[np.int64], sequence: NDArray[np.int64]) -> NDArray[np.int64]:
    """The chosen, then the others in their order."""
    return np.concatenate([chosen, sequence[~np.isin(sequence, chosen)]])
