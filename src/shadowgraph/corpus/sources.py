"""How much of a corpus comes from where.

Here live: documents, words and bytes of each source. Not here: their order (`mixing`) and what the texts are.

At most `KEPT` sources are held: those whose names have the smallest digests. A source that is held is counted in full,
whatever the sharding, because it is held wherever it appears.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from shadowgraph.corpus.batch import Batch

KEPT = 4096


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


@dataclass
class Sources:
    """Counts by source; `update` with batches, `merge` with others.

    Attributes:
        rows: for each source: documents (pieces counted one by one), words, bytes.
    """

    rows: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    def update(self, batch: Batch) -> None:
        """Count a batch."""
        names = {name: place for place, name in enumerate(dict.fromkeys(batch.sources))}
        label = np.array([names[name] for name in batch.sources], np.int64)
        sums = np.zeros((len(names), 3), np.int64)
        np.add.at(sums[:, 0], label, 1)
        np.add.at(sums[:, 1], label, np.diff(batch.words[1]))
        np.add.at(sums[:, 2], label, np.diff(batch.offsets))
        self._add(dict(zip(names, sums.tolist(), strict=True)))

    def merge(self, other: Sources) -> None:
        """Add other counts."""
        self._add(other.rows)

    def _add(self, rows: dict[str, list[int]]) -> None:
        for name, row in rows.items():
            held = self.rows.get(name)
            self.rows[name] = list(row) if held is None else [a + b for a, b in zip(held, row, strict=True)]
        if len(self.rows) > KEPT:
            self.rows = {name: self.rows[name] for name in sorted(self.rows, key=_digest)[:KEPT]}

    def largest(self, count: int) -> list[tuple[str, int, int, int]]:
        """The sources with most words, then by name: name, documents, words, bytes."""
        order = sorted(self.rows.items(), key=lambda item: (-item[1][1], item[0]))
        return [(name, row[0], row[1], row[2]) for name, row in order[:count]]
