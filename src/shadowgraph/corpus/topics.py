"""What documents are about: words weighted by their rarity, along the directions that explain most of a pool.

Here live: bags of words, the axes learned from a sample of a pool, vectors of documents on them.
Not here: regions of these vectors (`clusters`), the sketches by which corpora are judged (`sketch`).

Latent semantic analysis (Deerwester et al. 1990, doi 10.1002/(SICI)1097-4571(199009)41:6<391::AID-ASI1>3.0.CO;2-9):
a word weighs (1 + ln count) · ln(documents / documents that hold it), bags have length 1, axes are the leading right
singular vectors of the sample's bags. A sketch has no weights and so mostly tells long from short and code from prose;
a choice that is to spread over topics needs vectors that know what is rare.

Legend: `n` documents, `G` buckets of hashed words, `d` axes.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import svds

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.kernels.constants import BUCKET_SHIFT, BUCKETS, SPREAD

AXES = 64
SAMPLE = 8192  # documents the axes are learned from
RAREST = 3  # documents of the sample that must hold a word, else it says nothing of any other document
_DENSE = 512  # up to so many documents the axes come from a full decomposition
_CHUNK = 8192


@dataclass(frozen=True, eq=False)
class Bags:
    """Hashed words of n documents.

    Attributes:
        sizes: (n,) distinct buckets of each document.
        buckets: (Σ sizes,) bucket, ascending within a document.
        counts: (Σ sizes,) occurrences, at most 65,535.
    """

    sizes: NDArray[np.int64]
    buckets: NDArray[np.uint16]
    counts: NDArray[np.uint16]

    def __repr__(self) -> str:
        """One line: documents and entries."""
        return f"Bags({len(self.sizes)} documents, {len(self.buckets)} entries)"

    def rows(self, start: int, stop: int) -> Bags:
        """The documents from `start` to before `stop`."""
        ends = np.concatenate([[0], np.cumsum(self.sizes)])
        inside = slice(int(ends[start]), int(ends[stop]))
        return Bags(self.sizes[start:stop], np.asarray(self.buckets[inside]), np.asarray(self.counts[inside]))

    def take(self, documents: NDArray[np.int64]) -> Bags:
        """Some of the documents, in the order given."""
        ends = np.concatenate([[0], np.cumsum(self.sizes)])
        sizes = self.sizes[documents]
        first = np.repeat(ends[documents] - np.concatenate([[0], np.cumsum(sizes)])[:-1], sizes)
        places = first + np.arange(int(sizes.sum()))
        return Bags(sizes, np.asarray(self.buckets[places]), np.asarray(self.counts[places]))


def bags_of(batch: Batch) -> Bags:
    """Count the hashed words of every document of a batch."""
    words, ends = batch.words
    bucket = ((words * np.uint64(SPREAD)) >> np.uint64(BUCKET_SHIFT)).astype(np.int64)
    owner = np.repeat(np.arange(len(batch), dtype=np.int64), np.diff(ends))
    found, counts = np.unique(owner * BUCKETS + bucket, return_counts=True)
    sizes = np.bincount(found // BUCKETS, minlength=len(batch))
    return Bags(sizes, (found % BUCKETS).astype(np.uint16), np.minimum(counts, 65_535).astype(np.uint16))


def join_bags(parts: Sequence[Bags]) -> Bags:
    """Bags of several sets of documents, one after the other."""
    none = Bags(np.zeros(0, np.int64), np.zeros(0, np.uint16), np.zeros(0, np.uint16))
    held = (none, *parts)
    return Bags(
        np.concatenate([part.sizes for part in held]),
        np.concatenate([part.buckets for part in held]),
        np.concatenate([part.counts for part in held]),
    )


@dataclass(frozen=True, eq=False)
class Topics:
    """Axes of a pool.

    Attributes:
        rarity: (G,) ln(documents / documents with the word) in the sample; 0 for words of fewer than `RAREST`.
        axes: (G, d) orthonormal columns.
    """

    rarity: NDArray[np.float32]
    axes: NDArray[np.float32]

    def __repr__(self) -> str:
        """One line: words and axes."""
        return f"Topics({int((self.rarity > 0).sum())} words, {self.axes.shape[1]} axes)"

    def vectors(self, bags: Bags) -> NDArray[np.float32]:
        """(n, d) unit vectors of documents; zeros for a document none of whose words lies on an axis."""
        parts = [
            unit_rows(_weighted(bags.rows(start, min(start + _CHUNK, len(bags.sizes))), self.rarity) @ self.axes)
            for start in range(0, len(bags.sizes), _CHUNK)
        ]
        return np.concatenate([*parts, np.zeros((0, self.axes.shape[1]), np.float32)])


def learn_topics(sample: Bags) -> Topics:
    """Learn axes.

    Args:
        sample: bags of documents drawn without regard to their content, in an order of their own.

    Returns:
        At most `AXES` axes, fewer when the sample holds fewer directions.
    """
    count = max(len(sample.sizes), 1)
    held = np.bincount(sample.buckets, minlength=BUCKETS)
    rarity = np.where(held >= RAREST, np.log(count / np.maximum(held, 1)), 0.0).astype(np.float32)
    rows = _weighted(sample, rarity)
    if len(sample.sizes) <= _DENSE:
        values, left = np.linalg.eigh((rows @ rows.T).toarray().astype(np.float64))
        kept = np.argsort(-values, kind="stable")[:AXES]
        kept = kept[values[kept] > len(values) * np.finfo(np.float32).eps * max(float(values.max(initial=0.0)), 1e-30)]
        right = (rows.T @ left[:, kept]) / np.sqrt(values[kept])
        return Topics(rarity, right.astype(np.float32))
    start = np.ones(min(rows.shape))  # a fixed start: the axes depend on the sample alone
    found: Any = svds(rows.astype(np.float64), k=AXES, v0=start)
    _, values, right = found
    return Topics(rarity, right[values > 0].T.astype(np.float32))


def _weighted(bags: Bags, rarity: NDArray[np.float32]) -> Any:
    """(n, G) sparse rows of length 1; zero rows stay."""
    weights = (1.0 + np.log(np.maximum(bags.counts, 1).astype(np.float32))) * rarity[bags.buckets]
    ends = np.concatenate([[0], np.cumsum(bags.sizes)])
    owner = np.repeat(np.arange(len(bags.sizes)), bags.sizes)
    length = np.sqrt(np.bincount(owner, weights.astype(np.float64) ** 2, len(bags.sizes)))
    weights = (weights / np.maximum(length, 1e-9)[owner]).astype(np.float32)
    return sparse.csr_array((weights, bags.buckets.astype(np.int32), ends), shape=(len(bags.sizes), BUCKETS))


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1; zero rows stay."""
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)
