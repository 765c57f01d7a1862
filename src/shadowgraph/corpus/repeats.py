"""How far apart repeats stand in the order of training.

Here live: the places of repeated prompts and the distance from one occurrence to the next.
Not here: how many repeats there are (`concentration`), packing and order (`budget`, `regime`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.kernels.described_arrays import mix
from shadowgraph.corpus.shards import SHARDS, Estimate, estimate, mean_estimate

DISTINCT = 1 << 18  # distinct prompts followed, those with the smallest digests
_NONE = "no_repeats"


@dataclass(frozen=True, slots=True)
class RepeatReading:
    """What `Repeats.finish` says; intervals exchange prompts.

    Attributes:
        median_distance: median distance between an occurrence and the next of the same prompt, in the unit of places.
        mean_distance: their mean.
        repeated_share: share of occurrences that are not the first of their prompt.
        pairs: distances seen.
    """

    median_distance: Estimate
    mean_distance: Estimate
    repeated_share: Estimate
    pairs: int


@dataclass
class Repeats:
    """Places of prompts; `update` in any order, `merge`, `finish`. Memory grows with the occurrences followed.

    Attributes:
        rows: (r, 2) digest of a prompt and its place, ascending.
    """

    rows: NDArray[np.uint64] = field(default_factory=lambda: np.zeros((0, 2), np.uint64))

    def update(self, prompts: NDArray[np.uint64], places: NDArray[np.int64]) -> None:
        """Take in occurrences.

        Args:
            prompts: (n,) digest of each prompt.
            places: (n,) its place in the order of training: token, sequence or batch.
        """
        self._keep(np.stack([mix(prompts), places.astype(np.uint64)], axis=1))

    def merge(self, other: Repeats) -> None:
        """Take in the occurrences of another part of the same order."""
        self._keep(other.rows)

    def _keep(self, rows: NDArray[np.uint64]) -> None:
        """Sort rows in and keep the prompts with the smallest digests."""
        joined = np.concatenate([self.rows, rows])
        joined = joined[np.lexsort((joined[:, 1], joined[:, 0]))]
        fresh = np.flatnonzero(np.diff(joined[:, 0]) != 0) + 1
        self.rows = joined[: fresh[DISTINCT - 1]] if len(fresh) >= DISTINCT else joined

    def finish(self) -> RepeatReading:
        """The readings; "no_repeats" where every prompt occurs once."""
        same = np.flatnonzero(self.rows[1:, 0] == self.rows[:-1, 0])
        gaps = (self.rows[same + 1, 1] - self.rows[same, 1]).astype(np.float64)
        shards = (self.rows[:, 0] & np.uint64(SHARDS - 1)).astype(np.int64)
        occurrences = np.bincount(shards, minlength=SHARDS)
        again = np.bincount(shards[same], minlength=SHARDS)
        share = mean_estimate(occurrences, again, occurrences, "repeated share", bounds=(0.0, 1.0))
        if not len(gaps):
            missing = Estimate(None, _NONE if len(self.rows) else "empty")
            return RepeatReading(missing, missing, share, 0)
        order = np.argsort(gaps, kind="stable")
        ranked, owner = gaps[order], shards[same][order]

        def median(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            found = np.empty(len(weights))
            for row, each in enumerate(weights):
                heights = np.cumsum(each[owner])
                found[row] = ranked[np.searchsorted(heights, heights[-1] / 2.0)]
            return found

        sums = np.bincount(shards[same], gaps, SHARDS)
        bounds = (0.0, np.inf)
        return RepeatReading(
            estimate(again, median, "median distance", bounds),
            mean_estimate(again, sums, again, "mean distance", bounds=bounds),
            share,
            len(gaps),
        )
