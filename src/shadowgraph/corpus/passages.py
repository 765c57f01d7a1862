"""A fixed-size sample of passages of a corpus, the same in any order and over any shards.

Here live: the sample and its merging. Not here: what is done with passages (`alignment`).

The sample keeps the documents with the smallest keyed digests, one passage each: a simple random sample of documents
that merges by keeping the smallest again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.kernels.constants import GRAM, SPREAD
from shadowgraph.corpus.shards import shard_of

LONGEST = 64  # words of a passage
KEPT = 512  # passages


@dataclass
class Passages:
    """Up to `KEPT` passages of a corpus; `update` with batches, `merge` with other samples.

    Attributes:
        order: (n,) digest of each document, ascending.
        words: (n, LONGEST) word hashes, zeros behind the end.
        lengths: (n,) words of each passage.
        shards: (n,) shard of each document.
    """

    order: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    words: NDArray[np.uint64] = field(default_factory=lambda: np.zeros((0, LONGEST), np.uint64))
    lengths: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    shards: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def of(cls, batch: Batch) -> Passages:
        """The sample of one batch."""
        sample = cls()
        sample.update(batch)
        return sample

    def __len__(self) -> int:
        """Passages held."""
        return len(self.order)

    def update(self, batch: Batch) -> None:
        """Offer the documents of a batch."""
        part = batch.parts.astype(np.uint64)
        order = (batch.keys + (part + np.uint64(1)) * GRAM) * SPREAD
        order ^= order >> np.uint64(31)
        order *= GRAM
        limit = self.order[-1] if len(self) >= KEPT else np.uint64(np.iinfo(np.uint64).max)
        offered = np.flatnonzero(order <= limit)
        if not len(offered):
            return
        hashes, ends = batch.words
        counts = np.diff(ends)
        offered = offered[counts[offered] > 0]
        offered = offered[np.argsort(order[offered], kind="stable")][:KEPT]
        spare = np.maximum(counts[offered] - LONGEST, 0) + 1
        starts = ends[offered] + ((order[offered] >> np.uint64(16)) % spare.astype(np.uint64)).astype(np.int64)
        lengths = np.minimum(counts[offered], LONGEST)
        places = starts[:, None] + np.arange(LONGEST)
        inside = np.arange(LONGEST) < lengths[:, None]
        words = np.where(inside, hashes[np.where(inside, places, 0)], np.uint64(0)) if len(hashes) else places
        self._keep(order[offered], words.astype(np.uint64), lengths, shard_of(batch.keys)[offered])

    def merge(self, other: Passages) -> None:
        """Take another sample in."""
        self._keep(other.order, other.words, other.lengths, other.shards)

    def cut_like(self, items: Passages) -> Passages:
        """The same passages, each cut to the length of one of `items`, by its own digest."""
        if not len(items) or not len(self):
            return Passages()
        wanted = np.sort(items.lengths)[(self.order % np.uint64(len(items))).astype(np.int64)]
        return Passages(self.order, self.words, np.minimum(self.lengths, wanted), self.shards)

    def _keep(
        self,
        order: NDArray[np.uint64],
        words: NDArray[np.uint64],
        lengths: NDArray[np.int64],
        shards: NDArray[np.int64],
    ) -> None:
        """Keep the smallest of what is held and what is offered; ties by the words themselves."""
        joined = np.concatenate([self.order, order])
        held = np.concatenate([self.words, words])
        chosen = np.lexsort((held[:, 0], joined))[:KEPT]
        self.order, self.words = joined[chosen], held[chosen]
        self.lengths = np.concatenate([self.lengths, lengths])[chosen]
        self.shards = np.concatenate([self.shards, shards])[chosen]
