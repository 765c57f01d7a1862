"""How few things carry a corpus: repeated texts, near copies, repeated patterns, and how far apart repeats stand.

Here live: effective prompts, duplicate rates, the frequency spectrum of templates, the distance of repeats.
Not here: copies of benchmark items (`contamination`), clusters of what is said (`coverage`).

A prompt is the whole text of a document, or what the caller says it is; two are equal when their words are. Counting
is exact for up to `tally.MOST` distinct texts or templates, and a fair sample of the distinct ones beyond: `kept` says
which share was held. Below 1 the interval covers what the sample leaves open as well; a few very heavy ones may still
be missed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.kernels import describing
from shadowgraph.corpus.kernels.described_arrays import mix
from shadowgraph.corpus.near import bin_minima, densify, near_pairs
from shadowgraph.corpus.shards import SHARDS, Estimate, mean_estimate, shard_of
from shadowgraph.corpus.tally import Kept, Tally

SIGNATURES = 1 << 13  # distinct texts compared for near copies
ALIKE = 0.8  # smallest similarity of 5-shingles that counts as a near copy
SPECTRUM = tuple(1 << k for k in range(11))  # lower bounds of the classes of frequency: 1, 2-3, 4-7, … 1024 and more
_EMPTY = np.uint64(np.iinfo(np.uint64).max)
_PACKED = np.uint64(32)
_Contribution = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class ConcentrationReading:
    """What `Concentration.finish` says.

    Attributes:
        effective_prompts: exp(H) of the shares of documents by text; equals the number of documents when none repeats.
        exact_duplicate_rate: share of documents that are copies of another one beyond the first.
        near_duplicate_rate: the same with texts counted as one when their 5-shingles have an estimated Jaccard
            similarity of at least `ALIKE`, among documents of at least five words. On a sample a copy of similarity J
            is kept beside its original with probability J, so that the rate is then a lower bound.
        effective_patterns: exp(H) of the shares of sentences and lines by template.
        spectrum: share of sentences and lines whose template occurs 1, 2-3, 4-7, … times, by the lower bound.
        kept_prompts: share of distinct texts held; 1: exact.
        kept_near: share of distinct texts compared for near copies.
        kept_patterns: share of distinct templates held.
    """

    effective_prompts: Estimate
    exact_duplicate_rate: Estimate
    near_duplicate_rate: Estimate
    effective_patterns: Estimate
    spectrum: dict[int, Estimate]
    kept_prompts: float
    kept_near: float
    kept_patterns: float


@dataclass
class Concentration:
    """Counts of texts and templates; `update` with batches, `merge` with other counts, `finish`.

    Attributes:
        prompts: tally of texts.
        patterns: tally of templates.
        near: tally of signatures, in the order of a document's smallest shingle, so that near copies stay together.
        values: (k,) digests of the signatures held, ascending.
        rows: (k, 128) their bin minima.
    """

    prompts: Tally = field(default_factory=Tally)
    patterns: Tally = field(default_factory=Tally)
    near: Tally = field(default_factory=lambda: Tally(SIGNATURES))
    values: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    rows: NDArray[np.uint64] = field(default_factory=lambda: np.zeros((0, 128), np.uint64), repr=False)

    def update(self, batch: Batch, prompts: NDArray[np.uint64] | None = None) -> None:
        """Count a batch.

        Args:
            batch: n documents.
            prompts: (n,) digest of what counts as the prompt of each; the words of the whole text without.
        """
        shards = shard_of(batch.keys)
        texts = describing(batch.path).text_hashes(*batch.words)
        self.prompts.update(texts if prompts is None else prompts, shards)
        hashes, owner = describing(batch.path).template_hashes(batch.buffer, batch.offsets)
        self.patterns.update(hashes, shards[owner])
        self._offer(batch, texts, shards)

    def _offer(self, batch: Batch, texts: NDArray[np.uint64], shards: NDArray[np.int64]) -> None:
        """Offer the signatures of a batch, one for each distinct text."""
        made = bin_minima(batch)
        smallest = made.min(axis=1)
        full = np.flatnonzero(smallest != _EMPTY)
        digests = (mix(smallest[full]) >> _PACKED << _PACKED) | (mix(texts[full]) >> _PACKED)
        self.near.update(digests, shards[full], mixed=True)
        digests = digests >> np.uint64(5)
        within = digests <= self.near.limit >> np.uint64(5)
        digests, full = digests[within], full[within]
        self._hold(digests, made[full])

    def _hold(self, values: NDArray[np.uint64], rows: NDArray[np.uint64]) -> None:
        """Keep signatures of what the tally holds."""
        joined, stacked = np.concatenate([self.values, values]), np.concatenate([self.rows, rows])
        found, first = np.unique(joined, return_index=True)
        self.values, self.rows = found[: SIGNATURES + 1], stacked[first[: SIGNATURES + 1]]

    def merge(self, other: Concentration) -> None:
        """Add other counts."""
        self.prompts.merge(other.prompts)
        self.patterns.merge(other.patterns)
        self.near.merge(other.near)
        self._hold(other.values, other.rows)

    def settle(self) -> None:
        """Sum what is waiting; afterwards equal corpora have equal arrays."""
        for tally in (self.prompts, self.patterns, self.near):
            tally.settle()

    def finish(self) -> ConcentrationReading:
        """The readings with their intervals."""
        prompts, patterns, near = self.prompts.kept(), self.patterns.kept(), self.near.kept()
        documents, lines = self.prompts.totals, self.patterns.totals
        spectrum = {
            low: _mean(patterns, lines, lambda c, low=low: ((c >= low) & _below(c, low)).astype(np.float64), f"c{low}")
            for low in SPECTRUM
        }
        return ConcentrationReading(
            _effective(prompts, documents, "prompts"),
            _mean(prompts, documents, lambda c: 1.0 - 1.0 / c, "exact duplicates"),
            self._near_rate(near),
            _effective(patterns, lines, "patterns"),
            spectrum,
            prompts.share,
            near.share,
            patterns.share,
        )

    def _near_rate(self, near: Kept) -> Estimate:
        """Documents beyond the first of each group of near copies."""
        place = np.searchsorted(self.values, near.values)
        pairs = near_pairs(densify(self.rows[place]), least=ALIKE) if len(place) else []
        group = _groups(len(place), [(pair.first, pair.second) for pair in pairs])
        size = np.bincount(group, near.whole, len(place))[group] if len(place) else np.zeros(0)
        sums = np.bincount(near.shards, ((1.0 - 1.0 / np.maximum(size, 1.0))[near.owner]) * near.counts, SHARDS)
        counts = np.bincount(near.shards, near.counts, SHARDS)
        return mean_estimate(counts.astype(np.int64), sums, counts, "near duplicates", bounds=(0.0, 1.0))


def _below(counts: NDArray[np.float64], low: int) -> NDArray[np.bool_]:
    """Whether counts lie below the next class; the last class has no end."""
    return counts < 2 * low if low != SPECTRUM[-1] else np.ones(len(counts), bool)


def _mean(kept: Kept, totals: NDArray[np.int64], contribution: _Contribution, label: str) -> Estimate:
    """Mean over occurrences of a function of how often their value occurs, a share."""

    def share(mean: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(mean, 0.0, 1.0)

    even = np.full(SHARDS, totals.sum() / SHARDS)
    over_shards = mean_estimate(totals, kept.sums(contribution), totals, label, transform=share)
    over_values = mean_estimate(totals, kept.group_sums(contribution), even, label, transform=share)
    return _wider(kept, over_shards, over_values, (0.0, 1.0))


def _effective(kept: Kept, totals: NDArray[np.int64], label: str) -> Estimate:
    """exp(ln N − mean over occurrences of ln c)."""
    size = float(max(totals.sum(), 1))

    def number(mean: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(size * np.exp(-mean), 1.0, size)

    even, name = np.full(SHARDS, totals.sum() / SHARDS), f"effective {label}"
    over_shards = mean_estimate(totals, kept.sums(np.log), totals, name, transform=number)
    over_values = mean_estimate(totals, kept.group_sums(np.log), even, name, transform=number)
    return _wider(kept, over_shards, over_values, (1.0, size))


def _wider(kept: Kept, one: Estimate, two: Estimate, bounds: tuple[float, float]) -> Estimate:
    """An estimate over shards whose interval also covers what a sample of values leaves open (`two`)."""
    if one.low is None or one.high is None:
        return one
    low, high = one.low, one.high
    if kept.share < 1.0 and two.low is not None and two.high is not None:
        low, high = min(low, two.low), max(high, two.high)
    return Estimate(one.value, one.status, max(low, bounds[0]), min(high, bounds[1]), one.shards)


def _groups(count: int, pairs: list[tuple[int, int]]) -> NDArray[np.int64]:
    """(count,) smallest member of each one's connected group."""
    parent = np.arange(count)
    changed = True
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    while changed:
        least = np.minimum(parent[first], parent[second])
        before = parent.copy()
        np.minimum.at(parent, first, least)
        np.minimum.at(parent, second, least)
        parent = parent[parent]
        changed = not np.array_equal(before, parent)
    return parent
