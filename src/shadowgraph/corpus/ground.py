"""What every regime of one draw shares: the pool, what is known of its documents, the budget, the seed.

Here live: the ground and the keys that make choices independent of order and sharding.
Not here: the rules of regimes (`rules`) and how the columns are made (`pooling`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.budget import Fill, fill, length_bins, quota_order
from shadowgraph.corpus.counted import counted_fill
from shadowgraph.corpus.pictures import Pictures, fill_pictured
from shadowgraph.corpus.tokens import END_ID, TokenPool
from shadowgraph.errors import DataError
from shadowgraph.seeds import keyed_uniform


@dataclass(frozen=True, slots=True)
class Ground:
    """The ground of one draw.

    Attributes:
        pool: n tokenised documents.
        alignment: (n,) nearness to the benchmark, where no column says more.
        budget: tokens of every arm.
        length: tokens of one sequence.
        seed: the seed of all draws.
        draw: number of the draw.
        columns: (n,) values by name: "content/<benchmark>", "format/<benchmark>", "novelty".
        benchmarks: names of the benchmarks with columns.
        cells: (M, n) cell of every document in M codebooks, the topic clusters first; None: family and format stand
            for topics.
        vectors: (n, d) unit vectors behind the cells.
        eligible: (n,) documents the draw may take; None for all.
        leaked: (n,) documents that are test items, which only an arm of that name may take.
        prompts: (n,) tokens of each document before its supervised part; None: all is supervised.
        sources: n labels by which a blocked arm is presented; None for families.
        classes: (V,) kind of every token, for near copies.
        batch: sequences of one training batch.
        match_lengths: whether every arm gives each bin of document length the share it has in the pool.
        end: id of the token that closes a document.
        supervised: tokens that stay in the loss; None for all.
        media: n references to images, None for documents without; None: no document has one.
        pictures: images that count in the budget; None when they do not.
        base_counts: (V,) how often the base's text holds each token; None without a base.
    """

    pool: TokenPool
    alignment: NDArray[np.float64]
    budget: int
    length: int
    seed: int
    draw: int
    columns: Mapping[str, NDArray[np.float64]] = field(default_factory=dict[str, NDArray[np.float64]])
    benchmarks: tuple[str, ...] = ()
    cells: NDArray[np.int64] | None = None
    vectors: NDArray[np.float32] | None = None
    eligible: NDArray[np.bool_] | None = None
    leaked: NDArray[np.bool_] | None = None
    prompts: NDArray[np.int64] | None = None
    sources: tuple[str, ...] | None = None
    classes: NDArray[np.int64] | None = None
    batch: int = 16
    match_lengths: bool = False
    end: int = END_ID
    supervised: int | None = None
    media: tuple[str | None, ...] | None = None
    pictures: Pictures | None = None
    base_counts: NDArray[np.int64] | None = None

    def uniform(self, label: str) -> NDArray[np.float64]:
        """One number in (0, 1) for each document, the same in any order of the pool."""
        return self.keyed(label, self.pool.ids)

    def keyed(self, label: str, names: Iterable[str]) -> NDArray[np.float64]:
        """One number in (0, 1) for each name."""
        return keyed_uniform(self.seed, f"{label}/draw-{self.draw}", names)

    @property
    def candidates(self) -> NDArray[np.int64]:
        """Documents a rule may take, ascending."""
        mask = np.ones(len(self.pool), bool) if self.eligible is None else self.eligible
        return np.flatnonzero(mask if self.leaked is None else mask & ~self.leaked)

    def among(self, mask: NDArray[np.bool_]) -> Ground:
        """The same ground with fewer eligible documents."""
        return replace(self, eligible=mask if self.eligible is None else mask & self.eligible)

    def column(self, name: str, where: str) -> NDArray[np.float64]:
        """A column by name.

        Raises:
            DataError: when the pool was not measured on it.
        """
        if name not in self.columns:
            raise DataError(f"the pool has no column {name!r}", where=where, hint="name a benchmark or a base")
        return self.columns[name]

    def random_order(self, label: str = "random") -> NDArray[np.int64]:
        """The candidates in random order."""
        candidates = self.candidates
        return candidates[np.argsort(self.uniform(label)[candidates], kind="stable")]

    def strata(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(n,) stratum of every document by length, answer's share and image, where known; tokens of each, sum 1."""
        bins = length_bins(self.pool.lengths)
        if self.prompts is not None:
            share = (4 * (self.pool.lengths - self.prompts)) // np.maximum(self.pool.lengths, 1)
            bins = bins * 5 + np.clip(share, 0, 4)
        if self.pictures is not None:
            bins = bins * 2 + (self.pictures.ends > 0)
        kept = np.ones(len(self.pool), bool) if self.leaked is None else ~self.leaked
        weights = np.bincount(bins[kept], weights=self.pool.lengths[kept], minlength=int(bins.max()) + 1)
        return bins, weights / weights.sum()

    def documents(self, where: str) -> int | None:
        """Documents of the random arm of this draw, where lengths are to be matched, else None."""
        if not self.match_lengths or self.pictures is not None:
            return None
        return len(self.take(self.random_order(), where).documents)

    def take_counted(self, order: NDArray[np.int64], where: str, budget: int, documents: int) -> Fill:
        """Fill a budget with so many documents, their lengths spread as the candidates' are.

        Args:
            order: documents, best first.
            where: name of the arm.
            budget: tokens.
            documents: documents wanted; where the pool cannot give them, the budget alone counts and the balance sheet
                shows the difference.
        """
        found = counted_fill(order, self.pool.lengths, documents=documents, tokens=budget)
        return self.take(order, where, budget) if found is None else found

    def images(self, begin: int, stop: int) -> int:
        """Images that fall to the tokens from `begin` to `stop` of the budget; 0 where images do not count."""
        return 0 if self.pictures is None else self.pictures.due(begin, stop, self.budget)

    def take(
        self,
        order: NDArray[np.int64],
        where: str,
        budget: int | None = None,
        *,
        begin: int = 0,
        images: int | None = None,
    ) -> Fill:
        """Fill a budget in this order, lengths matched to the pool's where asked, images where they count.

        Args:
            order: documents, best first.
            where: name of the arm.
            budget: tokens; the whole budget by default.
            begin: tokens of the arm that are filled before.
            images: images to take; by default those that fall to these tokens.
        """
        wanted = self.budget if budget is None else budget
        if self.match_lengths:
            order = quota_order(order, *self.strata(), self.pool.lengths)
        if self.pictures is None:
            return fill(order, self.pool.lengths, wanted, where)
        due = self.images(begin, begin + wanted) if images is None else images
        return fill_pictured(order, self.pool.lengths, self.pictures.ends, wanted, images=due, where=where)
