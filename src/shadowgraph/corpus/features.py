"""What a text is made of: hashed words and word pairs, and the fingerprint of its format.

Here live: the profile of a corpus (counts, by shard), the bins of the format fingerprint, distributions from counts.
Not here: comparison with a benchmark (`target`, `alignment`), bytes and words (`kernels`).

Content and format are counted apart, so that both can be asked for alone. A profile holds integers only: profiles of
shards add up to the profile of the whole, byte for byte, in any order.

Legend: `S` shards, `G` buckets of 1- and 2-grams, `F` blocks of the fingerprint, `B` bins of a block.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.kernels import kernels
from shadowgraph.corpus.kernels.constants import BUCKETS, EVENTS
from shadowgraph.corpus.shards import SHARDS, shard_of


def _kinds() -> NDArray[np.uint8]:
    """(256,) which mark of format a byte may begin, for the compiled kernel; 0 for most bytes."""
    table = np.zeros(256, np.uint8)
    for mark, kind in (("\n", 1), ("=", 2), ("_", 3), ("w", 4), ("W", 4), ("\\", 5)):
        table[ord(mark)] = kind
    table.setflags(write=False)
    return table


KINDS = _kinds()
# Lower bounds of the bins of each block. Shares are per 10,000 bytes; length is in bytes, each bin twice the last.
BLOCKS: dict[str, tuple[int, ...]] = {
    "option_lines": (0, 1, 3, 4, 5, 6),
    "labels": (0, 1, 2, 3, 5),
    "blanks": (0, 1, 2),
    "final_answers": (0, 1, 2),
    "steps": (0, 1, 3, 6),
    "equation_share": (0, 1, 11, 51, 201),
    "digit_share": (0, 1, 51, 201, 501, 1001),
    "questions": (0, 1, 2, 4),
    "lines": (0, 2, 3, 5, 7, 11, 21),
    "open_end": (0, 1),
    "length": (0, 32, 64, 128, 256, 512, 1024, 2048, 4096),
}
BINS = max(len(bounds) for bounds in BLOCKS.values())


def format_bins(batch: Batch) -> NDArray[np.int64]:
    """(n, F) the bin of every document in every block of the fingerprint."""
    events = kernels(batch.path).format_events(batch.buffer, batch.offsets, KINDS)
    sizes = np.diff(batch.offsets)
    columns = {name: events[:, place] for place, name in enumerate(EVENTS)}
    columns["equation_share"] = 10_000 * columns.pop("equations") // np.maximum(sizes, 1)
    columns["digit_share"] = 10_000 * columns.pop("digits") // np.maximum(sizes, 1)
    columns["length"] = sizes
    bins = [np.searchsorted(bounds, columns[name], "right") - 1 for name, bounds in BLOCKS.items()]
    return np.stack(bins, axis=1).astype(np.int64)


def _zeros(*shape: int) -> NDArray[np.int64]:
    return np.zeros(shape, np.int64)


@dataclass
class Profile:
    """Counts of a corpus by shard; `update` with batches, `merge` with other profiles, read the arrays.

    Attributes:
        grams: (S, G) 1- and 2-grams by bucket.
        formats: (S, F, B) documents by bin of the fingerprint.
        documents: (S,) documents, pieces counted one by one.
        words: (S,) words.
        bytes: (S,) bytes of text.
    """

    grams: NDArray[np.int64] = field(default_factory=lambda: _zeros(SHARDS, BUCKETS))
    formats: NDArray[np.int64] = field(default_factory=lambda: _zeros(SHARDS, len(BLOCKS), BINS))
    documents: NDArray[np.int64] = field(default_factory=lambda: _zeros(SHARDS))
    words: NDArray[np.int64] = field(default_factory=lambda: _zeros(SHARDS))
    bytes: NDArray[np.int64] = field(default_factory=lambda: _zeros(SHARDS))

    def __repr__(self) -> str:
        """One line: documents, words, bytes."""
        return f"Profile({self.documents.sum()} documents, {self.words.sum()} words, {self.bytes.sum()} bytes)"

    def update(self, batch: Batch) -> None:
        """Count a batch."""
        rows = shard_of(batch.keys)
        words, ends = batch.words
        kernels(batch.path).count_grams(words, ends, rows, self.grams)
        bins = format_bins(batch)
        np.add.at(self.formats, (rows[:, None], np.arange(len(BLOCKS)), bins), 1)
        np.add.at(self.documents, rows, 1)
        np.add.at(self.words, rows, np.diff(ends))
        np.add.at(self.bytes, rows, np.diff(batch.offsets))

    def merge(self, other: Profile) -> None:
        """Add another profile."""
        for mine, theirs in zip(self._arrays(), other._arrays(), strict=True):
            np.add(mine, theirs, out=mine)

    def _arrays(self) -> tuple[NDArray[np.int64], ...]:
        return self.grams, self.formats, self.documents, self.words, self.bytes


def log_probabilities(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln((c + 1) / (Σ c + G)) of counts (…, G): add-one smoothed, so that no bucket is impossible."""
    return np.log(counts + 1.0) - np.log(counts.sum(axis=-1, keepdims=True) + counts.shape[-1])


def format_shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smoothed share of every bin: (…, F, B) counts to shares that sum to 1 in each block; 0 outside its bins.

    A half is added to every bin of a block (Jeffreys' prior), so that a rare bin weighs finitely.
    """
    sizes = np.array([len(bounds) for bounds in BLOCKS.values()])
    inside = np.arange(BINS) < sizes[:, None]
    raised = (counts + 0.5) * inside
    return raised / raised.sum(axis=-1, keepdims=True)
