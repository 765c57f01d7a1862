"""How near a corpus lies to a benchmark, in three readings that never become one number.

Here live: the lexical reading, the format reading, and the two-sample classifier.
Not here: scores of single documents (`target`), counting (`features`), copies of items (`contamination`).

Each is fooled by a different corpus: a text about ducks and dollars can share the words of a benchmark of sums without
its format, a quiz about rivers the format without the words. All are held against the benchmark's held-out part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.features import BLOCKS, Profile, format_shares, log_probabilities
from shadowgraph.corpus.kernels.constants import BUCKET_SHIFT, PAIR, SPREAD
from shadowgraph.corpus.passages import Passages
from shadowgraph.corpus.shards import SHARDS, Estimate, estimate
from shadowgraph.corpus.target import UNIT, Target

_FEATURES = 1 << 12  # hashed 1- and 2-grams of the classifier
_RIDGE = 0.1


@dataclass(frozen=True, slots=True)
class Alignment:
    """The readings of one corpus against one benchmark.

    Attributes:
        log_ratio: mean over the corpus's words of ln p_benchmark − ln p_reference of the word and its pair, nats.
        kl_reduction: KL(held-out items ‖ reference) − KL(held-out items ‖ corpus) of hashed 1- and 2-grams, nats;
            above 0 the corpus is nearer to the benchmark than the reference is (the data metric of Xie et al. 2023,
            arXiv 2302.03169, section 5).
        format_distance: mean over the blocks of the fingerprint of the Jensen-Shannon divergence between documents and
            held-out items, bits; 0 same format, 1 nothing in common.
        auc: area under the curve of a linear classifier that tells passages of the corpus from passages of held-out
            items of the same length; .5 cannot tell, 1 always can (Lopez-Paz & Oquab 2017, arXiv 1610.06545).
    """

    log_ratio: Estimate
    kl_reduction: Estimate
    format_distance: Estimate
    auc: Estimate


def align(profile: Profile, passages: Passages, target: Target) -> Alignment:
    """Hold a corpus against a benchmark.

    Args:
        profile: counts of the corpus.
        passages: a sample of passages of the same corpus.
        target: the benchmark, fitted against a reference.
    """
    if not len(target.told):
        missing = Estimate(None, "no_target")
        return Alignment(missing, missing, missing, missing)
    held = Profile()
    held.update(target.bare)
    told = Profile()
    told.update(target.told)
    return Alignment(
        _log_ratio(profile, target),
        _kl_reduction(profile, held, target),
        _format_distance(profile, told),
        two_sample(passages, Passages.of(target.told)),
    )


def _log_ratio(profile: Profile, target: Target) -> Estimate:
    """Mean log ratio of the corpus's words."""
    sums = profile.grams @ target.content.astype(np.int64) / float(UNIT)
    words = profile.words.astype(np.float64)

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return (weights @ sums) / np.maximum(weights @ words, 1.0)

    return estimate(profile.documents, statistic, "log ratio")


def _kl_reduction(profile: Profile, held: Profile, target: Target) -> Estimate:
    """KL(T ‖ R) − KL(T ‖ C) = Σ p_T (ln p_C − ln p_R), over the buckets where T has words."""
    counts = held.grams.sum(axis=0).astype(np.float64)
    present = np.flatnonzero(counts)
    share = counts[present] / counts.sum()
    reference = log_probabilities(target.reference.grams.sum(axis=0).astype(np.float64))[present]
    totals = profile.grams.sum(axis=1).astype(np.float64)
    seen = profile.grams[:, present].astype(np.float64)
    buckets = profile.grams.shape[1]

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.empty(len(weights))
        for start in range(0, len(weights), 32):  # bounds the memory to 32 tables
            piece = weights[start : start + 32]
            corpus = np.log(piece @ seen + 1.0) - np.log(piece @ totals + buckets)[:, None]
            found[start : start + 32] = (corpus - reference) @ share
        return found

    return estimate(profile.documents, statistic, "kl reduction")


def jensen_shannon(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Jensen-Shannon divergence of distributions over the last axis, bits: 0 equal, 1 disjoint."""
    middle = (p + q) / 2.0
    return (_relative(p, middle) + _relative(q, middle)) / 2.0


def _relative(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """KL(p ‖ q) in bits; q is above 0 wherever p is."""
    ratio = np.where(p > 0, p, 1.0) / np.where(p > 0, q, 1.0)
    return (p * np.log2(ratio)).sum(axis=-1)


def format_distances(profile: Profile, told: Profile) -> dict[str, float]:
    """Jensen-Shannon divergence of two corpora in every block of the fingerprint, bits."""
    mine, theirs = (format_shares(each.formats.sum(axis=0).astype(np.float64)) for each in (profile, told))
    return dict(zip(BLOCKS, jensen_shannon(mine, theirs).tolist(), strict=True))


def _format_distance(profile: Profile, told: Profile) -> Estimate:
    """Mean divergence over the blocks of the fingerprint."""
    theirs = format_shares(told.formats.sum(axis=0).astype(np.float64))
    counts = profile.formats.astype(np.float64)

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        mine = format_shares(np.einsum("bs,sfk->bfk", weights, counts))
        return jensen_shannon(mine, theirs).mean(axis=-1)

    return estimate(profile.documents, statistic, "format distance", (0.0, 1.0))


def two_sample(passages: Passages, items: Passages) -> Estimate:
    """Tell passages of a corpus from items by their words; judged on passages that were not learned from.

    A ridge classifier on hashed 1- and 2-grams of unit length. Each corpus passage is cut to the length of an item, so
    that length tells nothing. Half of the passages are learned from, the others judged, then the halves change sides.

    Returns:
        The area under the curve over both halves, with an interval over the shards of the corpus.
    """
    own, other = passages.cut_like(items), items.cut_like(items)
    halves = [((order >> np.uint64(8)) % np.uint64(2)).astype(np.int64) for order in (own.order, other.order)]
    if min(np.bincount(half, minlength=2).min() for half in halves) < 8:
        return Estimate(None, "empty")
    features = [_vectors(each) for each in (own, other)]
    wins = np.zeros(SHARDS)
    pairs = np.zeros(SHARDS)
    for side in (0, 1):
        learn = [vectors[half != side] for vectors, half in zip(features, halves, strict=True)]
        judge = [vectors[half == side] for vectors, half in zip(features, halves, strict=True)]
        weights = _ridge(learn[0], learn[1])
        mine, theirs = judge[0] @ weights, np.sort(judge[1] @ weights)
        above = np.searchsorted(theirs, mine, "left") + np.searchsorted(theirs, mine, "right")
        np.add.at(wins, own.shards[halves[0] == side], 1.0 - above / (2.0 * len(theirs)))
        np.add.at(pairs, own.shards[halves[0] == side], 1.0)

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return (weights @ wins) / np.maximum(weights @ pairs, 1.0)

    return estimate(pairs.astype(np.int64), statistic, "two sample", (0.0, 1.0))


def _vectors(passages: Passages) -> NDArray[np.float64]:
    """(n, features) square roots of hashed 1- and 2-gram counts, unit length."""
    out = np.zeros((len(passages), _FEATURES))
    shift = np.uint64(4) + BUCKET_SHIFT
    for row, length in enumerate(passages.lengths.tolist()):
        words = passages.words[row, :length]
        pairs = words[:-1] * PAIR + words[1:]
        np.add.at(out[row], ((np.concatenate([words, pairs]) * SPREAD) >> shift).astype(np.int64), 1.0)
    out = np.sqrt(out)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1.0)


def _ridge(mine: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """(features,) weights of ridge regression onto −1 (corpus) and +1 (items), classes weighted alike, in its dual."""
    rows = np.concatenate([mine, theirs])
    scale = np.concatenate([np.full(len(mine), 0.5 / len(mine)), np.full(len(theirs), 0.5 / len(theirs))])
    rows = rows - scale @ rows
    sign = np.concatenate([-np.ones(len(mine)), np.ones(len(theirs))])
    root = np.sqrt(scale * len(rows))
    weighted = rows * root[:, None]
    gram = weighted @ weighted.T
    gram[np.diag_indices_from(gram)] += _RIDGE
    return weighted.T @ np.linalg.solve(gram, sign * root)
