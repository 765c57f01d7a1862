"""An exact index of the n-grams of many short texts, and the stretches that documents share with them.

Here live: building the index, finding its grams, joining them to runs.
Not here: what a run means for an item (`contamination`).

Grams are compared as 64-bit hashes: with a million grams and a billion windows one false meeting is expected in
20,000 corpora. A run of r grams is r + n − 1 equal words in a row, so one index answers for every longer n as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.kernels import kernels
from shadowgraph.corpus.kernels.constants import GRAM, SPREAD

LARGEST_BITMAP = 1 << 16  # 64-bit blocks, 512 KiB: what fits the second-level cache of common processors
MOST_OWNERS = 16  # a gram that more texts share says nothing about one of them


@dataclass(frozen=True, slots=True)
class Runs:
    """Stretches of equal words, one row each, ordered by document, text and place.

    Attributes:
        document: (r,) document of the batch.
        text: (r,) text of the index.
        start: (r,) first word in the document.
        place: (r,) first word in the text.
        grams: (r,) grams in a row.
    """

    document: NDArray[np.int64]
    text: NDArray[np.int64]
    start: NDArray[np.int64]
    place: NDArray[np.int64]
    grams: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GramIndex:
    """The n-grams of T texts.

    Attributes:
        n: words of a gram.
        grams: (g,) distinct hashes, ascending.
        starts: (g+1,) bounds of each gram's owners.
        texts: (p,) owning text.
        places: (p,) place in the owning text.
        bitmap: (b,) 64-bit blocks; three bits of one block stand for a gram.
        slots: open-addressed table of the grams.
        common: grams left out because more than `MOST_OWNERS` texts hold them.
    """

    n: int
    grams: NDArray[np.uint64]
    starts: NDArray[np.int64]
    texts: NDArray[np.int64]
    places: NDArray[np.int64]
    bitmap: NDArray[np.uint64]
    slots: NDArray[np.int32]
    common: int

    def __repr__(self) -> str:
        """One line: n, grams, and how many were left out."""
        return f"GramIndex({self.n}-grams: {len(self.grams)}, {self.common} too common)"

    def find(self, batch: Batch) -> Runs:
        """The runs of a batch's documents."""
        words, ends = batch.words
        found = kernels(batch.path).find_grams(words, ends, self.n, self.bitmap, self.slots, self.grams)
        documents, starts, numbers = found
        counts = self.starts[numbers + 1] - self.starts[numbers]
        owners = np.repeat(self.starts[numbers] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        document, start = np.repeat(documents, counts), np.repeat(starts, counts)
        text, place = self.texts[owners], self.places[owners]
        order = np.lexsort((start, start - place, text, document))
        document, start, text, place = document[order], start[order], text[order], place[order]
        follows = (np.diff(document) == 0) & (np.diff(text) == 0) & (np.diff(start) == 1) & (np.diff(place) == 1)
        first = np.flatnonzero(np.concatenate([[True], ~follows])[: len(document)])
        lengths = np.diff(np.append(first, len(document)))
        return Runs(document[first], text[first], start[first], place[first], lengths)


def gram_hashes(words: NDArray[np.uint64], n: int) -> NDArray[np.uint64]:
    """Hashes of the n-grams of one text, Σ w_i · GRAM^(n−1−i) modulo 2^64; empty when it is shorter."""
    count = max(0, len(words) - n + 1)
    grams = np.zeros(count, np.uint64)
    for k in range(n):
        grams = grams * GRAM + words[k : k + count]
    return grams


def build_index(
    sequences: Sequence[NDArray[np.uint64]], n: int, *, anchors: bool = False, path: str = "auto"
) -> GramIndex:
    """Index the n-grams of texts.

    Args:
        sequences: T texts as word hashes.
        n: words of a gram.
        anchors: keep one gram a text, the one that fewest texts share.
        path: kernels to use.
    """
    hashes = [gram_hashes(words, n) for words in sequences]
    every = np.concatenate([*hashes, np.zeros(0, np.uint64)])
    text = np.repeat(np.arange(len(hashes)), [len(each) for each in hashes])
    place = np.concatenate([*(np.arange(len(each)) for each in hashes), np.zeros(0, np.int64)]).astype(np.int64)
    if anchors and len(every):
        _, back, shared = np.unique(every, return_inverse=True, return_counts=True)
        order = np.lexsort((place, shared[back], text))
        kept = np.sort(order[np.flatnonzero(np.diff(text[order], prepend=-1))])
        every, text, place = every[kept], text[kept], place[kept]
    order = np.lexsort((place, text, every))
    every, text, place = every[order], text[order], place[order]
    grams, starts, counts = np.unique(every, return_index=True, return_counts=True)
    wide = np.repeat(counts > MOST_OWNERS, counts) & (not anchors)
    common = int((counts > MOST_OWNERS).sum()) if not anchors else 0
    every, text, place = every[~wide], text[~wide], place[~wide]
    grams, starts = np.unique(every, return_index=True)
    bitmap, slots = _filter(grams, path)
    return GramIndex(n, grams, np.append(starts, len(every)), text, place, bitmap, slots, common)


def _filter(grams: NDArray[np.uint64], path: str) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """The bitmap in front of the table, about eight bits a gram while the cache holds them, and the table."""
    blocks = 2
    while blocks * 8 < len(grams) and blocks < LARGEST_BITMAP:
        blocks *= 2
    spread = grams * SPREAD
    bits = np.zeros(len(grams), np.uint64)
    for shift in (0, 6, 12):
        bits |= np.uint64(1) << ((spread >> np.uint64(shift)) & np.uint64(63))
    bitmap = np.zeros(blocks, np.uint64)
    np.bitwise_or.at(bitmap, (spread >> np.uint64(64 - blocks.bit_length() + 1)).astype(np.int64), bits)
    size = 16
    while size < 4 * len(grams):
        size *= 2
    slots = np.full(size, -1, np.int32)
    kernels(path).fill_slots(grams, slots)
    return bitmap, slots
