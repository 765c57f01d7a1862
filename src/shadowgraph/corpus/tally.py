"""How often distinct things occur in a stream: exact while they are few, a fair sample of them when they are many.

Here live: the tally, its merging, and sums over what occurs how often. Not here: what is counted (`concentration`).

A tally keeps the distinct values with the smallest digests (bottom-k sampling; Cohen & Kaplan 2007, doi
10.1145/1281100.1281133). A value among the smallest of the whole is among the smallest of every part, so what is kept
was counted from its first occurrence to its last: counts are exact, in any order and over any shards. With k values of
many, each stands for 1/τ, τ the share of digests below the first that is not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.kernels.described_arrays import mix
from shadowgraph.corpus.shards import SHARDS

MOST = 1 << 18  # distinct values kept
_SHARD_BITS = np.uint64(5)


def _none() -> NDArray[np.uint64]:
    return np.zeros(0, np.uint64)


def _zeros() -> NDArray[np.int64]:
    return np.zeros(SHARDS, np.int64)


@dataclass
class Tally:
    """Counts of distinct 64-bit values by shard.

    Attributes:
        most: distinct values kept.
        rows: (r,) ascending; upper 59 bits are the digest of a value, lower 5 the shard it occurred in.
        counts: (r,) occurrences.
        totals: (S,) all occurrences, kept or not.
    """

    most: int = MOST
    rows: NDArray[np.uint64] = field(default_factory=_none)
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    totals: NDArray[np.int64] = field(default_factory=_zeros)
    _limit: np.uint64 = field(default=np.uint64(np.iinfo(np.uint64).max), repr=False)
    _waiting: list[NDArray[np.uint64]] = field(default_factory=list, repr=False)

    def update(self, values: NDArray[np.uint64], shards: NDArray[np.int64], *, mixed: bool = False) -> None:
        """Count values.

        Args:
            values: (v,) values.
            shards: (v,) their shards.
            mixed: the values are digests already; their order decides what is kept.
        """
        self.totals += np.bincount(shards, minlength=SHARDS)
        digests = values if mixed else mix(values)
        packed = (digests >> _SHARD_BITS << _SHARD_BITS) | shards.astype(np.uint64)
        self._waiting.append(packed[packed <= self._limit])
        if sum(len(each) for each in self._waiting) > max(1 << 16, len(self.rows)):
            self.settle()

    @property
    def limit(self) -> np.uint64:
        """The largest digest that can still be kept."""
        return self._limit

    def settle(self) -> None:
        """Sum what is waiting; afterwards equal streams have equal arrays."""
        if self._waiting:
            found, counts = np.unique(np.concatenate(self._waiting), return_counts=True)
            self._waiting.clear()
            self._add(found, counts.astype(np.int64))

    def merge(self, other: Tally) -> None:
        """Add the counts of another part of the stream."""
        self.settle()
        other.settle()
        self.totals += other.totals
        self._add(other.rows, other.counts)

    def _add(self, rows: NDArray[np.uint64], counts: NDArray[np.int64]) -> None:
        """Add counted rows and keep the values with the smallest digests."""
        self.rows, back = np.unique(np.concatenate([self.rows, rows]), return_inverse=True)
        joined = np.concatenate([self.counts, counts])
        self.counts = np.zeros(len(self.rows), np.int64)
        np.add.at(self.counts, back, joined)
        starts = self.starts()
        if len(starts) > self.most + 1:
            end = starts[self.most + 1]
            self.rows, self.counts = self.rows[:end].copy(), self.counts[:end].copy()
            self._limit = self.rows[-1] | np.uint64(31)

    def starts(self) -> NDArray[np.int64]:
        """First row of each distinct value."""
        values = self.rows >> _SHARD_BITS
        return np.flatnonzero(np.concatenate([np.ones(min(1, len(values)), bool), values[1:] != values[:-1]]))

    def kept(self) -> Kept:
        """The values kept, with their counts in the whole stream."""
        self.settle()
        starts = self.starts()
        share = 1.0
        if len(starts) > self.most:  # one more than is used: it marks the border
            border = starts[self.most]
            share = float(self.rows[border] >> _SHARD_BITS) / 2.0**59
            rows, counts, starts = self.rows[:border], self.counts[:border], starts[: self.most]
        else:
            rows, counts = self.rows, self.counts
        whole = np.add.reduceat(counts, starts) if len(starts) else np.zeros(0, np.int64)
        owner = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(rows))))
        shards = (rows & np.uint64(31)).astype(np.int64)
        return Kept(rows[starts] >> _SHARD_BITS, whole, owner, shards, counts, share)


@dataclass(frozen=True, slots=True)
class Kept:
    """Distinct values and where they occurred.

    Attributes:
        values: (d,) digests, 59 bits.
        whole: (d,) occurrences of each in the whole stream.
        owner: (r,) the value of each row.
        shards: (r,) its shard.
        counts: (r,) its occurrences there.
        share: τ, the share of all distinct values that is kept; 1 when all are.
    """

    values: NDArray[np.uint64]
    whole: NDArray[np.int64]
    owner: NDArray[np.int64]
    shards: NDArray[np.int64]
    counts: NDArray[np.int64]
    share: float

    def sums(self, contribution: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
        """(S,) Σ over occurrences of a function of how often their value occurs, scaled up to the whole stream."""
        each = contribution(self.whole.astype(np.float64))
        return np.bincount(self.shards, each[self.owner] * self.counts, SHARDS) / self.share

    def group_sums(self, contribution: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
        """(S,) the same sum over groups of values, drawn by digest: tells what a sample of values leaves open."""
        whole = self.whole.astype(np.float64)
        groups = (self.values & np.uint64(SHARDS - 1)).astype(np.int64)
        return np.bincount(groups, contribution(whole) * whole, SHARDS) / self.share
