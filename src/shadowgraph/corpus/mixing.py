"""What stands together in a batch: sources, and borders between documents.

Here live: the count over the ordered, packed training sequence and the readings from it.
Not here: packing (`budget`) and order (`regime`); what the documents say.

The same documents can be shown mixed or source by source; only this reading tells the two apart. Its unit is the
batch: intervals exchange batches, not documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.shards import SHARDS, Estimate, mean_estimate, surprise
from shadowgraph.errors import SpecError


@dataclass(frozen=True, slots=True)
class MixingReading:
    """What `Mixing.finish` says.

    Attributes:
        sources_per_batch: mean number of sources with a token in a batch.
        effective_sources: exp of the mean entropy of the token shares of sources inside a batch.
        total_effective_sources: exp of the entropy of the token shares of sources in the whole, in the same order of
            batches or any other.
        separation: share of the whole's source entropy that lies between batches, 0 = every batch is the whole in
            small, 1 = one source a batch (mutual information of batch and source over the entropy of the source).
            Batches of few documents differ by chance: compare with the same documents shuffled.
        boundary_share: documents begun for each token.
        crossing_share: tokens that stand behind a border inside their sequence, and so have another document's text in
            their context unless attention is masked.
        batches: batches seen.
    """

    sources_per_batch: Estimate
    effective_sources: Estimate
    total_effective_sources: Estimate
    separation: Estimate
    boundary_share: Estimate
    crossing_share: Estimate
    batches: int


@dataclass
class Mixing:
    """Tokens of every source in every batch; `update` with spans in any order, `merge`, `finish`.

    Attributes:
        length: tokens of a sequence.
        batch: sequences of a batch.
        rows: (r, 2) batch and digest of a source, ascending.
        tokens: (r,) tokens.
        borders: (r,) documents begun.
        crossing: (r,) tokens behind a border inside their sequence.
    """

    length: int
    batch: int
    rows: NDArray[np.uint64] = field(default_factory=lambda: np.zeros((0, 2), np.uint64))
    tokens: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    borders: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    crossing: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            SpecError: for a sequence or batch of nothing.
        """
        if self.length < 1 or self.batch < 1:
            raise SpecError("sequences and batches hold at least one", where="mixing", hint="give lengths above 0")

    def update(self, starts: NDArray[np.int64], sizes: NDArray[np.int64], sources: Sequence[str]) -> None:
        """Take in documents as they stand in the packed stream of tokens.

        Args:
            starts: (n,) place of each document's first token in the whole stream, in training order.
            sizes: (n,) tokens of each document there.
            sources: n labels.
        """
        known = {each: int.from_bytes(hashlib.blake2b(each.encode(), digest_size=8).digest()) for each in set(sources)}
        self.count(starts, sizes, np.array([known[each] for each in sources], np.uint64))

    def count(self, starts: NDArray[np.int64], sizes: NDArray[np.int64], digests: NDArray[np.uint64]) -> None:
        """Take in documents whose sources are known by digest: `update` without their names."""
        if not len(starts):
            return
        offset = starts % self.length
        behind = np.where(offset > 0, np.minimum(sizes, self.length - offset), 0)
        whole = self.length * self.batch
        first, last = starts // whole, (starts + np.maximum(sizes, 1) - 1) // whole
        pieces = last - first + 1
        owner = np.repeat(np.arange(len(starts)), pieces)
        turn = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        number = first[owner] + turn
        low = np.maximum(starts[owner], number * whole)
        high = np.minimum((starts + sizes)[owner], (number + 1) * whole)
        self._add(
            np.stack([number.astype(np.uint64), digests[owner]], axis=1),
            high - low,
            (turn == 0).astype(np.int64),
            np.where(turn == 0, behind[owner], 0),
        )

    def merge(self, other: Mixing) -> None:
        """Add another part of the same stream.

        Raises:
            SpecError: when sequences or batches have other lengths.
        """
        if (self.length, self.batch) != (other.length, other.batch):
            raise SpecError("batches of different sizes cannot be merged", where="mixing")
        self._add(other.rows, other.tokens, other.borders, other.crossing)

    def _add(
        self,
        rows: NDArray[np.uint64],
        tokens: NDArray[np.int64],
        borders: NDArray[np.int64],
        crossing: NDArray[np.int64],
    ) -> None:
        """Sum rows of equal batch and source."""
        self.rows, back = np.unique(np.concatenate([self.rows, rows]), axis=0, return_inverse=True)
        for name, more in (("tokens", tokens), ("borders", borders), ("crossing", crossing)):
            total = np.zeros(len(self.rows), np.int64)
            np.add.at(total, back, np.concatenate([getattr(self, name), more]))
            setattr(self, name, total)

    def finish(self) -> MixingReading:
        """The readings with intervals over batches."""
        batches, place = np.unique(self.rows[:, 0], return_inverse=True)
        sources, source = np.unique(self.rows[:, 1], return_inverse=True)
        shards = (batches % np.uint64(SHARDS)).astype(np.int64)
        tokens = self.tokens.astype(np.float64)
        whole = np.bincount(place, tokens, len(batches))
        inside = np.bincount(place, tokens * surprise(tokens, whole[place]), len(batches))
        total = np.bincount(source, tokens, len(sources))
        overall = np.bincount(place, tokens * surprise(total, np.full(len(sources), total.sum()))[source], len(batches))
        sizes = np.bincount(shards, minlength=SHARDS)

        def mean(values: NDArray[Any], label: str, of: NDArray[Any], exp: bool = False) -> Estimate:
            sums, units = np.bincount(shards, values, SHARDS), np.bincount(shards, of, SHARDS)
            bounds = (1.0, float(max(1, len(sources)))) if exp else (0.0, np.inf)
            return mean_estimate(sizes, sums, units, label, transform=np.exp if exp else np.asarray, bounds=bounds)

        count = np.bincount(place, tokens > 0, len(batches))
        split = Estimate(None, "one_source" if len(sources) else "empty")
        if overall.sum() > 0:
            split = mean(overall - inside, "separation", overall)
        borders, crossing = (np.bincount(place, each, len(batches)) for each in (self.borders, self.crossing))
        return MixingReading(
            mean(count, "sources per batch", np.ones(len(batches))),
            mean(inside, "effective sources", whole, exp=True),
            mean(overall, "total effective sources", whole, exp=True),
            split,
            mean(borders, "boundary share", whole),
            mean(crossing, "crossing share", whole),
            len(batches),
        )
