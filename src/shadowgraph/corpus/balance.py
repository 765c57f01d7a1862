"""The balance sheet of a regime: how its data differ from the base's and from another arm's.

Here live: counts, entropy, divergence and repetition of one regime, and calipers between two.
Not here: the base's loss on the data, which needs a model (`runs`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.regime import Regime
from shadowgraph.corpus.tokens import TokenPool
from shadowgraph.spec.study import Calipers


@dataclass(frozen=True, slots=True)
class Balance:
    """What a regime's data are, beside its tokens.

    Attributes:
        documents: documents taken, repeats counted.
        tokens: tokens in all.
        unigram_entropy: entropy of the token frequencies, nats.
        kl_to_base: KL(regime ‖ base mixture) of add-one smoothed token frequencies, nats.
        document_length: mean tokens of a document.
        unique_token_share: share of tokens in first occurrences of a document, 0 … 1.
        strata: effective number of family x format strata, exp of the entropy of their token shares.
        benchmark_format_share: share of tokens in the benchmark's format.
        benchmark_family_share: share of tokens about the benchmark's families.
        alignment: mean alignment score over tokens, nats.
    """

    documents: int
    tokens: int
    unigram_entropy: float
    kl_to_base: float
    document_length: float
    unique_token_share: float
    strata: float
    benchmark_format_share: float
    benchmark_family_share: float
    alignment: float


def entropy(counts: NDArray[np.int64]) -> float:
    """Shannon entropy of counts, nats; zero counts add nothing."""
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


def divergence(counts: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """KL(counts ‖ other), nats, both add-one smoothed over the same vocabulary (V,)."""
    p = (counts + 1.0) / (counts.sum() + counts.size)
    q = (other + 1.0) / (other.sum() + other.size)
    return float((p * np.log(p / q)).sum())


def balance(
    regime: Regime,
    pool: TokenPool,
    alignment: NDArray[np.float64],
    base_counts: NDArray[np.int64],
    *,
    benchmark_format: str,
    benchmark_families: Collection[str],
) -> Balance:
    """Measure a regime.

    Args:
        regime: the regime.
        pool: the pool it was built from.
        alignment: (n,) scores of the pool's documents.
        base_counts: (V,) token counts of the base's training text.
        benchmark_format: the benchmark's format label.
        benchmark_families: the benchmark's family labels.
    """
    chosen, taken = regime.chosen.documents, regime.chosen.taken
    counts = np.bincount(regime.sequences.ravel(), minlength=base_counts.size).astype(np.int64)
    total = float(taken.sum())
    first = np.unique(chosen, return_index=True)[1]
    labels = [f"{pool.families[i]}\x1f{pool.formats[i]}" for i in chosen]
    strata = np.bincount(np.unique(labels, return_inverse=True)[1], weights=taken).astype(np.int64)
    in_format = np.array([pool.formats[i] == benchmark_format for i in chosen])
    in_family = np.array([pool.families[i] in benchmark_families for i in chosen])
    return Balance(
        documents=len(chosen),
        tokens=int(total),
        unigram_entropy=entropy(counts),
        kl_to_base=divergence(counts, base_counts),
        document_length=total / len(chosen),
        unique_token_share=float(taken[first].sum()) / total,
        strata=math.exp(entropy(strata)),
        benchmark_format_share=float(taken[in_format].sum()) / total,
        benchmark_family_share=float(taken[in_family].sum()) / total,
        alignment=float((alignment[chosen] * taken).sum()) / total,
    )


@dataclass(frozen=True, slots=True)
class Caliper:
    """One comparison: the difference of an arm from the reference arm, its limit, and whether it is met."""

    key: str
    difference: float
    limit: float
    met: bool


RELATIVE = ("document_length", "unique_token_share")  # these compare as |a/b − 1|, the rest as |a − b|


def compare(arm: Mapping[str, float], reference: Mapping[str, float], limits: Calipers) -> tuple[Caliper, ...]:
    """Hold an arm's mean balance against a reference arm's, one caliper a key of `limits`."""
    found: list[Caliper] = []
    for key, limit in limits.model_dump().items():
        difference = arm[key] / reference[key] - 1.0 if key in RELATIVE else arm[key] - reference[key]
        found.append(Caliper(key, difference, limit, abs(difference) <= limit))
    return tuple(found)
