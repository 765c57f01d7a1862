"""Variety of words at equal length: distinct n-grams and entropy that a text of a fixed number of words would show.

Here live: a fair sample of the places of a corpus, and rarefied numbers from it.
Not here: distances to another corpus (`novelty`), variety of documents (`coverage`).

Both numbers change with the length of a text, so that corpora compare at one length only: `WORDS` words. A corpus
leaves a sample of places (those with the smallest keyed digests), which merges by keeping the smallest again; from the
sample follows the exact mean over all its parts of `WORDS` places (rarefaction; Hurlbert 1971, doi 10.2307/1934145).
Places are drawn from all over the corpus, so the words of one document weigh as much as those of many.

Copies of a document need names of their own: two documents with one id are sampled together or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.kernels import describing
from shadowgraph.corpus.kernels.constants import GRAM
from shadowgraph.corpus.kernels.described_arrays import mix
from shadowgraph.corpus.shards import SHARDS, Estimate, mean_estimate, shard_of

WORDS = 1 << 15  # the length numbers are stated at
KEPT = 1 << 16  # places kept
ORDERS = (1, 2, 3)
_SCALES = tuple(np.uint64(pow(int(GRAM), k, 1 << 64)) for k in range(len(ORDERS)))
_SALT = np.uint64(0x2545F4914F6CDD1D)


@dataclass(frozen=True, slots=True)
class RarefiedReading:
    """Numbers by order of the n-gram, at `WORDS` n-grams.

    Attributes:
        distinct: expected share of n-grams that are distinct, in (0, 1].
        entropy: expected entropy of their shares, nats.
        places: places in the sample.
    """

    distinct: dict[int, Estimate]
    entropy: dict[int, Estimate]
    places: int


_Offer = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]


@dataclass
class Rarefaction:
    """A sample of places; `update` with batches, `merge` with other samples, `finish`.

    Attributes:
        keys: (p,) digests of places, ascending.
        grams: (p, 3) hashes of the 1-, 2- and 3-gram that end there; 0 where the document is too short.
        shards: (p,) shard of the document.
        documents: (S,) documents.
    """

    keys: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    grams: NDArray[np.uint64] = field(default_factory=lambda: np.zeros((0, len(ORDERS)), np.uint64))
    shards: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    documents: NDArray[np.int64] = field(default_factory=lambda: np.zeros(SHARDS, np.int64))
    _waiting: list[_Offer] = field(default_factory=list, repr=False)

    def update(self, batch: Batch) -> None:
        """Offer the places of a batch."""
        words, ends = batch.words
        rows = shard_of(batch.keys)
        np.add.at(self.documents, rows, 1)
        seeds = mix((batch.keys ^ _SALT) + (batch.parts.astype(np.uint64) + np.uint64(1)) * GRAM)
        limit = self.keys[-1] if len(self.keys) >= KEPT else np.uint64(np.iinfo(np.uint64).max)
        places, owner, keys = describing(batch.path).sample_places(ends, seeds, limit)
        if len(places):
            grams = np.zeros((len(places), len(ORDERS)), np.uint64)
            running = np.zeros(len(places), np.uint64)
            for column in range(len(ORDERS)):
                inside = places - column >= ends[owner]
                running += words[np.maximum(places - column, 0)] * _SCALES[column]
                grams[:, column] = np.where(inside, running, np.uint64(0))
            self._waiting.append((keys, grams, rows[owner]))
            if sum(len(each) for each, _, _ in self._waiting) >= KEPT:
                self.settle()

    def merge(self, other: Rarefaction) -> None:
        """Take another sample in."""
        other.settle()
        self.documents += other.documents
        self._waiting.append((other.keys, other.grams, other.shards))
        self.settle()

    def settle(self) -> None:
        """Sort in what is waiting; afterwards equal corpora have equal arrays."""
        if not self._waiting:
            return
        offers = [(self.keys, self.grams, self.shards), *self._waiting]
        self._waiting.clear()
        self._keep(*(np.concatenate(column) for column in zip(*offers, strict=True)))

    def _keep(self, joined: NDArray[np.uint64], grams: NDArray[np.uint64], shards: NDArray[np.int64]) -> None:
        """Keep the smallest digests; equal ones are ordered by what stands there."""
        if len(joined) > KEPT:
            border = np.partition(joined, KEPT - 1)[KEPT - 1]
            chosen = np.flatnonzero(joined <= border)
        else:
            chosen = np.arange(len(joined))
        held, where = grams[chosen], shards[chosen]
        order = np.lexsort((where, held[:, 2], held[:, 1], held[:, 0], joined[chosen]))[:KEPT]
        self.keys, self.grams, self.shards = joined[chosen][order], held[order], where[order]

    def finish(self, words: int = WORDS) -> RarefiedReading:
        """The numbers with their intervals; status "few_words" where a corpus has fewer than `words` n-grams."""
        self.settle()
        made = [self._order(column, words) for column in range(len(ORDERS))]
        distinct, entropy = ({n: each[k] for n, each in zip(ORDERS, made, strict=True)} for k in (0, 1))
        return RarefiedReading(distinct, entropy, len(self.keys))

    def _order(self, column: int, words: int) -> tuple[Estimate, Estimate]:
        """Both numbers of one order."""
        present = np.flatnonzero(self.grams[:, column])
        total = len(present)
        if total < words:
            status = "few_words" if self.documents.sum() else "empty"
            return Estimate(None, status), Estimate(None, status)
        _, back, counts = np.unique(self.grams[present, column], return_inverse=True, return_counts=True)
        kinds, kind = np.unique(counts, return_inverse=True)
        seen, surprise = rarefied_parts(kinds, total, words)
        shards = self.shards[present]
        sizes = np.bincount(shards, minlength=SHARDS)
        found: list[Estimate] = []
        for parts, label, most in ((seen / words, "distinct", 1.0), (surprise, "entropy", float(np.log(words)))):
            each = (parts / kinds)[kind][back] * total
            sums = np.bincount(shards, each, SHARDS)
            name = f"rarefied {label} {ORDERS[column]}"
            found.append(mean_estimate(self.documents, sums, sizes, name, bounds=(0.0, most)))
        return found[0], found[1]


def rarefied_parts(counts: NDArray[np.int64], total: int, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a kind that occurs c times among N contributes to a random part of m without replacement.

    J, how often it occurs in the part, is hypergeometric. Distinct kinds: P(J > 0) = 1 − C(N−c, m) / C(N, m).
    Entropy: E[−(J/m) ln(J/m)]. Sums over kinds are the exact means over all C(N, m) parts.

    Args:
        counts: (k,) c of each kind, at least 1.
        total: N.
        size: m, at most N.

    Returns:
        (k,) probabilities to occur, and (k,) contributions to the entropy, nats.
    """
    factorial = gammaln(np.arange(total + 1, dtype=np.float64) + 1.0)
    all_ways = factorial[total] - factorial[size] - factorial[total - size]
    seen, surprise = np.ones(len(counts)), np.zeros(len(counts))
    for place, c in enumerate(counts.tolist()):
        rest = total - c
        if rest >= size:
            seen[place] = -np.expm1(factorial[rest] - factorial[size] - factorial[rest - size] - all_ways)
        mean = c * size / total
        reach = 12.0 * np.sqrt(mean) + 24.0
        low = max(1, size - rest, int(mean - reach))
        high = min(c, size, int(mean + reach))
        j = np.arange(low, high + 1)
        ways = factorial[c] - factorial[j] - factorial[c - j]
        others = factorial[rest] - factorial[size - j] - factorial[rest - size + j]
        share = j / size
        surprise[place] = -(np.exp(ways + others - all_ways) * share * np.log(share)).sum()
    return seen, surprise
