"""How far a corpus lies from what a base was trained on, in words and in hashed pairs, and its own entropy.

Here live: counts of words by shard, the reference mixture, divergences from it.
Not here: distance to a benchmark (`alignment`), variety at equal length (`rarefaction`).

KL(corpus ‖ base) = Σ p (ln p − ln q). q is the mixture of the base's sources, each smoothed by adding one to every of
the 65,536 buckets; p is the corpus as counted. Counted p has too low an entropy, by about (K − 1) / 2N with K buckets
in use and N grams (Miller 1955); this is put back, so that short corpora do not look far from everything. Intervals
hold the corpus's frequencies fixed. Not the base loss: a text of the base's words in another order has KL 0 in words.

Legend: `S` shards, `G` buckets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.features import log_probabilities
from shadowgraph.corpus.kernels import describing, kernels
from shadowgraph.corpus.kernels.constants import BUCKETS
from shadowgraph.corpus.shards import SHARDS, Estimate, mean_estimate, shard_of, surprise
from shadowgraph.errors import SpecError


def _counts() -> NDArray[np.int64]:
    return np.zeros((SHARDS, BUCKETS), np.int64)


@dataclass(frozen=True, slots=True)
class NoveltyReading:
    """What `Novelty.finish` says; all in nats.

    Attributes:
        word_kl: KL of words to the base.
        gram_kl: KL of hashed 1- and 2-grams to the base.
        word_entropy: entropy of words by bucket.
        gram_entropy: entropy of hashed 1- and 2-grams; nears its ceiling ln 65536 = 11.1 for large corpora.
        words: words counted.
    """

    word_kl: Estimate
    gram_kl: Estimate
    word_entropy: Estimate
    gram_entropy: Estimate
    words: int


@dataclass(frozen=True, eq=False)
class Base:
    """A reference mixture: (G,) log probabilities of words and of 1- and 2-grams."""

    words: NDArray[np.float64]
    grams: NDArray[np.float64]


@dataclass
class Novelty:
    """Counts of a corpus by shard; `update` with batches, `merge` with other counts, `finish` against a base.

    Attributes:
        words: (S, G) words by bucket.
        grams: (S, G) 1- and 2-grams by bucket.
        documents: (S,) documents.
    """

    words: NDArray[np.int64] = field(default_factory=_counts)
    grams: NDArray[np.int64] = field(default_factory=_counts)
    documents: NDArray[np.int64] = field(default_factory=lambda: np.zeros(SHARDS, np.int64))

    def __repr__(self) -> str:
        """One line: documents and words."""
        return f"Novelty({self.documents.sum()} documents, {self.words.sum()} words)"

    def update(self, batch: Batch) -> None:
        """Count a batch."""
        rows = shard_of(batch.keys)
        words, ends = batch.words
        describing(batch.path).count_words(words, ends, rows, self.words)
        kernels(batch.path).count_grams(words, ends, rows, self.grams)
        np.add.at(self.documents, rows, 1)

    def merge(self, other: Novelty) -> None:
        """Add other counts."""
        self.words += other.words
        self.grams += other.grams
        self.documents += other.documents

    def finish(self, base: Base | None = None) -> NoveltyReading:
        """The readings; without a base the divergences have the status "no_base"."""
        missing = Estimate(None, "no_base")
        word_kl = missing if base is None else self._divergence(self.words, base.words, "word kl")
        gram_kl = missing if base is None else self._divergence(self.grams, base.grams, "gram kl")
        return NoveltyReading(
            word_kl,
            gram_kl,
            self._divergence(self.words, None, "word entropy"),
            self._divergence(self.grams, None, "gram entropy"),
            int(self.words.sum()),
        )

    def _divergence(self, counts: NDArray[np.int64], base: NDArray[np.float64] | None, label: str) -> Estimate:
        """Mean over grams of ln p − ln q, or of −ln p without a base, the bias of ln p put back."""
        total = counts.sum(axis=0).astype(np.float64)
        present = np.flatnonzero(total)
        if not len(present):
            return Estimate(None, "empty")
        share = -surprise(total[present], total.sum())
        bias = (len(present) - 1) / (2.0 * total.sum())
        each = bias - share if base is None else share - bias - base[present]
        sums = counts[:, present] @ each
        grams = counts.sum(axis=1)
        return mean_estimate(self.documents, sums, grams, label, transform=_floor, bounds=(0.0, np.inf))


def _floor(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """No divergence is below 0; an estimate whose bias was put back may be."""
    return np.maximum(mean, 0.0)


def mixture(parts: Sequence[tuple[Novelty, float]]) -> Base:
    """The base as a mixture of the corpora it was trained on.

    Args:
        parts: counts of each source and its weight, for example the tokens taken from it.

    Returns:
        ln Σ w q_source / Σ w, each q add-one smoothed over the buckets.

    Raises:
        SpecError: without parts, or with a weight that is not above 0.
    """
    if not parts or not all(weight > 0 and np.isfinite(weight) for _, weight in parts):
        raise SpecError("a base needs sources with weights above 0", where="mixture", hint="leave out unused sources")
    weights = np.array([weight for _, weight in parts])
    weights = weights / weights.sum()
    made: list[NDArray[np.float64]] = []
    for name in ("words", "grams"):
        each = [np.exp(log_probabilities(getattr(part, name).sum(axis=0).astype(np.float64))) for part, _ in parts]
        made.append(np.log(weights @ np.array(each)))
    return Base(*made)
