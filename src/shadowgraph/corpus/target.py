"""What a benchmark looks like against a reference, and how near each document lies to it.

Here live: the fitted target, its fixed-point tables, and scores of documents.
Not here: which documents are taken (`regime`), how near a whole corpus lies (`alignment`), tokens (`token_target`).

Content weights come from the bare words of the items, format weights from the items as the benchmark tells them; the
two never share a table. Weights are whole numbers of 2^-20 nats, so a score does not depend on the order of addition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch, batch_of
from shadowgraph.corpus.benchmark import Benchmark
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.features import Profile, format_bins, format_shares, log_probabilities
from shadowgraph.corpus.kernels import kernels
from shadowgraph.errors import DataError

UNIT = 1 << 20  # of a nat


@dataclass(frozen=True, eq=False)
class Target:
    """A benchmark against a reference.

    Attributes:
        name: the benchmark.
        content: (G,) int32 log ratio of each bucket, in units of 2^-20 nats.
        format: (F, B) int32 log ratio of each bin of the fingerprint, same unit.
        bare: batch of the held-out items without any layout.
        told: batch of the held-out items as the benchmark tells them.
        fitted: number of items the weights come from.
        reference: the profile the ratios are against.
    """

    name: str
    content: NDArray[np.int32]
    format: NDArray[np.int32]
    bare: Batch
    told: Batch
    fitted: int
    reference: Profile

    def __repr__(self) -> str:
        """One line: name, items fitted and held out."""
        return f"Target({self.name}: fitted on {self.fitted} items, {len(self.told)} held out)"


@dataclass(frozen=True, slots=True)
class Scores:
    """Nearness of n documents to a benchmark.

    Attributes:
        content: (n,) mean over words of the log ratio of the word and of the pair it ends together, nats; 0 without
            words.
        words: (n,) words.
    """

    content: NDArray[np.float64]
    format: NDArray[np.float64]
    words: NDArray[np.int64]

    @property
    def both(self) -> NDArray[np.float64]:
        """(n,) content plus format, nats."""
        return self.content + self.format


def render_batches(benchmark: Benchmark, *, fit: bool, path: str = "auto") -> tuple[Batch, Batch]:
    """One part of a benchmark as two batches, bare and as it is told.

    Args:
        benchmark: the benchmark.
        fit: the part weights come from, else the part measures are held against.
        path: kernels to use.
    """
    items = benchmark.part(fit=fit)
    bare = [Document(item.id, benchmark.name, item.group, "bare", item.bare()) for item in items]
    told = [Document(item.id, benchmark.name, item.group, "told", item.told()) for item in items]
    return batch_of(bare, limit=None, path=path), batch_of(told, limit=None, path=path)


def fit_target(benchmark: Benchmark, reference: Profile, *, path: str = "auto") -> Target:
    """Estimate ln p_benchmark − ln p_reference of buckets and of format bins.

    The weights of importance resampling (Xie et al. 2023, arXiv 2302.03169, eq. 2) on hashed 1- and 2-grams, add-one
    smoothed, and the same for the bins of the format fingerprint.

    Args:
        benchmark: its fit part is used: the train split where there is one, else one half by hash of the item id.
        reference: counts of the pool or mixture that documents come from.
        path: kernels to use.

    Raises:
        DataError: when the benchmark has no items to fit on, or the reference no words.
    """
    bare, told = render_batches(benchmark, fit=True, path=path)
    if not len(bare):
        raise DataError("no items to fit a target on", where=benchmark.name, hint="give a train split or more items")
    if not reference.words.sum():
        raise DataError("the reference holds no words", where=benchmark.name, hint="count the pool first")
    content, form = Profile(), Profile()
    content.update(bare)
    form.update(told)
    ratio = log_probabilities(_total(content.grams)) - log_probabilities(_total(reference.grams))
    wanted, present = format_shares(_total(form.formats)), format_shares(_total(reference.formats))
    shares = np.log(np.where(wanted > 0, wanted, 1.0)) - np.log(np.where(present > 0, present, 1.0))
    held_bare, held_told = render_batches(benchmark, fit=False, path=path)
    return Target(benchmark.name, _fixed(ratio), _fixed(shares), held_bare, held_told, len(bare), reference)


def score(target: Target, batch: Batch, *, content: bool = True, form: bool = True) -> Scores:
    """Score every document of a batch.

    Args:
        target: the target.
        batch: n documents.
        content: whether to score content; zeros otherwise, and no words are hashed.
        form: whether to score format; zeros otherwise.

    A mean, not a sum: summed weights prefer short documents and would bend the token budget.
    """
    zeros = np.zeros(len(batch))
    by_words, words = zeros, np.zeros(len(batch), np.int64)
    if content:
        hashes, ends = batch.words
        sums = kernels(batch.path).score_grams(hashes, ends, target.content)
        words = np.diff(ends)
        by_words = sums / (np.maximum(words, 1) * float(UNIT))
    by_form = zeros
    if form:
        bins = format_bins(batch)
        blocks = np.arange(bins.shape[1])
        by_form = target.format[blocks, bins].sum(axis=1, dtype=np.int64) / float(len(blocks) * UNIT)
    return Scores(by_words, by_form, words)


def _total(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Counts summed over shards."""
    return counts.sum(axis=0).astype(np.float64)


def _fixed(weights: NDArray[np.float64]) -> NDArray[np.int32]:
    """Weights in whole units."""
    return np.rint(weights * UNIT).astype(np.int32)
