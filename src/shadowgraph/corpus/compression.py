"""How far a corpus shortens under a compressor that sees far back.

Here live: a fair sample of documents of a fixed size, and its compressed share.
Not here: counts of copies (`concentration`).

A window of 32 KiB, as zlib has, cannot see repeats that stand apart. Here documents are sampled (smallest keyed
digests of their ids), laid out in blocks of one shard each in shuffled order, and compressed by zstandard with
long-distance matching and a window larger than the sample. Each block is closed before the next, so that its bytes are
its own. The number depends on the size of the sample and, in its last digits, on the version of zstandard.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingImports=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.kernels.constants import GRAM
from shadowgraph.corpus.kernels.described_arrays import mix
from shadowgraph.corpus.shards import SHARDS, Estimate, mean_estimate, shard_of

SAMPLE = 1 << 22  # bytes compressed
BLOCK = 1 << 16
LEVEL = 3
WINDOW_LOG = 23  # twice the sample
_SALT = np.uint64(0x9FB21C651E98DF25)


@dataclass
class Compression:
    """A sample of documents; `update` with batches, `merge` with other samples, `finish`.

    Attributes:
        keys: (d,) digests of documents, ascending.
        shards: (d,) their shards.
        texts: d texts, UTF-8; those before the last hold fewer than `SAMPLE` bytes together.
    """

    keys: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    shards: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    texts: list[bytes] = field(default_factory=list, repr=False)

    def update(self, batch: Batch) -> None:
        """Offer the documents of a batch."""
        keys = mix((batch.keys ^ _SALT) + (batch.parts.astype(np.uint64) + np.uint64(1)) * GRAM)
        offered = np.arange(len(batch))
        if sum(map(len, self.texts)) >= SAMPLE:
            offered = np.flatnonzero(keys <= self.keys[-1])
        texts = [batch.buffer[batch.offsets[d] : batch.offsets[d + 1]].tobytes() for d in offered.tolist()]
        self._keep(keys[offered], shard_of(batch.keys)[offered], texts)

    def merge(self, other: Compression) -> None:
        """Take another sample in."""
        self._keep(other.keys, other.shards, other.texts)

    def _keep(self, keys: NDArray[np.uint64], shards: NDArray[np.int64], texts: list[bytes]) -> None:
        """Keep documents in the order of their digests until the sample is full; equal digests by their texts."""
        if not texts:
            return
        joined, where = np.concatenate([self.keys, keys]), np.concatenate([self.shards, shards])
        held = [*self.texts, *texts]
        ranked: list[int] = np.argsort(joined, kind="stable").tolist()
        if len(np.unique(joined)) < len(joined):
            ranked.sort(key=lambda d: (int(joined[d]), held[d]))
        before = np.cumsum([0, *(len(held[d]) for d in ranked)])[:-1]
        order = ranked[: int(np.searchsorted(before, SAMPLE))]
        self.keys, self.shards, self.texts = joined[order], where[order], [held[d] for d in order]

    def finish(self) -> Estimate:
        """Compressed bytes over bytes of the sample, about .1 … .5 for text; "no_zstandard" without the extra."""
        if find_spec("zstandard") is None:
            return Estimate(None, "no_zstandard")
        import zstandard

        shards, blocks = self._blocks()
        settings = zstandard.ZstdCompressionParameters.from_level(LEVEL, window_log=WINDOW_LOG, enable_ldm=True)
        stream = zstandard.ZstdCompressor(compression_params=settings).compressobj()
        small, large = np.zeros(SHARDS), np.zeros(SHARDS)
        for shard, block in zip(shards, blocks, strict=True):
            size = len(stream.compress(block)) + len(stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
            small[shard] += size
            large[shard] += len(block)
        sizes = np.bincount(self.shards, minlength=SHARDS)
        return mean_estimate(sizes, small, large, "compression", bounds=(0.0, np.inf))

    def _blocks(self) -> tuple[list[int], list[bytes]]:
        """Shard and bytes of the blocks in shuffled order; the last document is cut at the size of the sample."""
        left = SAMPLE
        parts: list[list[bytes]] = [[] for _ in range(SHARDS)]
        for shard, text in zip(self.shards.tolist(), self.texts, strict=True):
            parts[shard].append(text[:left])
            left -= len(parts[shard][-1])
        numbered = [
            (shard, whole[start : start + BLOCK])
            for shard, whole in enumerate(b"".join(part) for part in parts)
            for start in range(0, len(whole), BLOCK)
        ]
        order: list[int] = np.argsort(mix(np.arange(1, len(numbered) + 1, dtype=np.uint64)), kind="stable").tolist()
        return [numbered[k][0] for k in order], [numbered[k][1] for k in order]
