"""What a benchmark looks like in the tokens of one tokenizer, and how near each tokenised document lies to it.

Here live: the target and score of the built-in study, whose pool is tokenised from the start.
Not here: the target of a corpus of texts (`target`), and which documents are taken (`regime`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.tokens import TokenPool

BUCKETS = 1 << 16  # hashed token pairs


@dataclass(frozen=True, slots=True)
class TokenTarget:
    """Log probability ratios of a benchmark against a pool.

    Attributes:
        single: (V,) log ratio of each token.
        pair: (BUCKETS,) log ratio of each hashed token pair.
    """

    single: NDArray[np.float64]
    pair: NDArray[np.float64]


def fit_token_target(benchmark: TokenPool, pool: TokenPool, vocabulary: int) -> TokenTarget:
    """Estimate ln p_benchmark(g) − ln p_pool(g) for tokens and hashed token pairs, add-one smoothed.

    The weights of importance resampling (Xie et al. 2023, arXiv 2302.03169, eq. 2) on subword 1- and 2-grams.

    Args:
        benchmark: training items of the benchmark, rendered as it renders them.
        pool: the pool the arms draw from.
        vocabulary: V, size of the tokenizer.
    """
    single = _log_ratio(
        np.bincount(benchmark.tokens, minlength=vocabulary), np.bincount(pool.tokens, minlength=vocabulary)
    )
    pair = _log_ratio(
        np.bincount(_pairs(benchmark)[0], minlength=BUCKETS), np.bincount(_pairs(pool)[0], minlength=BUCKETS)
    )
    return TokenTarget(single, pair)


def token_alignment(target: TokenTarget, pool: TokenPool) -> NDArray[np.float64]:
    """Score every document: the mean log ratio over its tokens plus the mean over its pairs, in nats.

    A mean, not a sum: summed weights prefer short documents and would bend the token budget.

    Returns:
        (n,) scores, higher is nearer to the benchmark.
    """
    lengths = pool.lengths.astype(np.float64)
    score = np.add.reduceat(target.single[pool.tokens], pool.offsets[:-1]) / lengths
    buckets, owner = _pairs(pool)
    sums = np.bincount(owner, weights=target.pair[buckets], minlength=len(pool))
    return score + sums / np.maximum(lengths - 1.0, 1.0)


def _log_ratio(wanted: NDArray[np.int64], present: NDArray[np.int64]) -> NDArray[np.float64]:
    """Add-one smoothed log ratio of two count vectors."""
    p = (wanted + 1.0) / (wanted.sum() + wanted.size)
    q = (present + 1.0) / (present.sum() + present.size)
    return np.log(p) - np.log(q)


def _pairs(pool: TokenPool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hash every pair of neighbours inside a document; returns (buckets, owning document)."""
    first = pool.tokens[:-1].astype(np.uint64)
    second = pool.tokens[1:].astype(np.uint64)
    mixed = (first * np.uint64(0x9E3779B97F4A7C15) + second * np.uint64(0xC2B2AE3D27D4EB4F)) >> np.uint64(48)
    owner = np.repeat(np.arange(len(pool), dtype=np.int64), pool.lengths)
    inside = owner[:-1] == owner[1:]
    return mixed[inside].astype(np.int64), owner[:-1][inside]
