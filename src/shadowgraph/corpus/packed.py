"""A corpus as a training run would show it: documents end to end, cut into sequences and batches of words.

Here live: the declared packing, and mixing measured over it. Not here: what mixing says (`mixing`).

Without a tokenizer the unit is the word. In the order of the files nothing is kept of a document once its part of the
corpus is put behind the ones before it. Shuffled, by digest of its id, 24 bytes a document are kept until the end.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.kernels.described_arrays import mix
from shadowgraph.corpus.mixing import Mixing, MixingReading

Sequence = Literal["files", "shuffled"]
ORDERS: tuple[Sequence, ...] = ("files", "shuffled")
_SALT = np.uint64(0x9FB21C651E98DF25)


@dataclass(frozen=True, slots=True)
class Packing:
    """What is declared: words of a sequence, sequences of a batch, the order of documents."""

    length: int
    batch: int
    order: Sequence = "files"


@dataclass
class Packed:
    """Documents in order; `update` with batches, `merge` with the next part of the stream, `finish`.

    Attributes:
        packing: what is declared.
        rows: (d, 3) digest that shuffles, digest of the source, words; of documents that are not yet placed.
        placed: words that are.
        mixing: what was counted of them.
    """

    packing: Packing
    rows: NDArray[np.uint64] = field(default_factory=lambda: np.zeros((0, 3), np.uint64))
    placed: int = 0
    mixing: Mixing = field(init=False)
    _waiting: list[NDArray[np.uint64]] = field(default_factory=list[NDArray[np.uint64]], repr=False)
    _known: dict[str, int] = field(default_factory=dict[str, int], repr=False)

    def __post_init__(self) -> None:
        """Start with nothing counted.

        Raises:
            SpecError: for a sequence or batch of nothing.
        """
        self.mixing = Mixing(self.packing.length, self.packing.batch)

    def update(self, batch: Batch) -> None:
        """Take in documents as they stand in the files; the pieces of one are one."""
        if not len(batch):
            return
        heads = np.flatnonzero(batch.parts <= 1)
        names = [batch.sources[d] for d in heads.tolist()]
        for name in set(names) - self._known.keys():
            self._known[name] = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
        words = np.add.reduceat(np.diff(batch.words[1]), heads)
        sources = np.array([self._known[name] for name in names], np.uint64)
        self._waiting.append(np.stack([mix(batch.keys[heads] ^ _SALT), sources, words.astype(np.uint64)], axis=1))

    def settle(self) -> None:
        """Put together what is waiting."""
        self.rows = np.concatenate([self.rows, *self._waiting])
        self._waiting.clear()

    def merge(self, other: Packed) -> None:
        """Put the next part of the stream behind this one; a part into which others were put cannot be put itself."""
        self.settle()
        other.settle()
        if self.packing.order == "files":
            self._place(self.rows)
            self._place(other.rows)
            self.rows = self.rows[:0]
        else:
            self.rows = np.concatenate([self.rows, other.rows])

    def _place(self, rows: NDArray[np.uint64]) -> None:
        """Count documents behind those that were counted."""
        sizes = rows[:, 2].astype(np.int64)
        starts = self.placed + np.cumsum(sizes) - sizes
        full = sizes > 0
        self.mixing.count(starts[full], sizes[full], rows[full, 1])
        self.placed += int(sizes.sum())

    def finish(self) -> MixingReading:
        """The readings; afterwards nothing can be merged."""
        self.settle()
        rows = self.rows
        if self.packing.order == "shuffled":
            rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
        self._place(rows)
        self.rows = rows[:0]
        return self.mixing.finish()
