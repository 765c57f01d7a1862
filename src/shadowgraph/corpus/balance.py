"""The balance sheet of a regime: how its data differ from the base's and from another arm's.

Here live: counts, entropy, divergence and repetition of one regime, and calipers between two.
Not here: the base's loss on the data, which needs a model (`runs`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.budget import length_bins
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.regime import Regime
from shadowgraph.corpus.tokens import TokenPool
from shadowgraph.spec.analysis import Calipers


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
    """Hold an arm's mean balance against a reference arm's, one caliper a key of `limits`.

    What neither has takes no part: how far an arm is from a base's text where that text is not known.
    """
    found: list[Caliper] = []
    for key, limit in limits.model_dump().items():
        if key not in arm and key not in reference:
            continue
        difference = arm[key] / reference[key] - 1.0 if key in RELATIVE else arm[key] - reference[key]
        found.append(Caliper(key, difference, limit, abs(difference) <= limit))
    return tuple(found)


NOVELTY = {"base_loss": "loss under the base", "kl_to_base": "divergence from its mixture"}
"""What tells how new documents are to a base, both in nats; the loss is the more direct of the two."""


def novelty(held: Iterable[Caliper]) -> str:
    """Where an arm stands against the reference in what is new to the base.

    Returns:
        "within" the calipers, "newer" or "familiar" where what lies beyond them lies on one side, "mixed" where loss
        and divergence lie beyond them on opposite sides.
    """
    signs = {item.difference > 0.0 for item in held if item.key in NOVELTY and not item.met}
    return "mixed" if len(signs) == 2 else {True: "newer", False: "familiar"}[signs.pop()] if signs else "within"


def novelty_in_words(held: Iterable[Caliper]) -> str:
    """By how much an arm lies beyond the calipers of novelty; "" of one within them."""
    missed = [item for item in held if item.key in NOVELTY and not item.met]
    return ", ".join(f"{NOVELTY[item.key]} {item.difference:+.2f}" for item in missed)


def sheet(regime: Regime, ground: Ground, published: NDArray[np.int64]) -> dict[str, float]:
    """The balance sheet of an arm of `corpus build`: every column is one number, weighted by tokens.

    Args:
        regime: the arm.
        ground: what it was built on.
        published: (n,) cell of every document in the published codebook.

    Returns:
        `documents` (training documents, which is also the number of boundaries), `tokens`, `supervised`, `cut`
        (spans that lack their end), `types` (distinct token ids), `unigram_entropy` and `kl_to_pool` (nats; add-one
        smoothed), `document_length`, `unique_token_share` (tokens in first occurrences), `effective_documents` and
        `effective_clusters` (exp of the entropy of token shares), `sources`, `length_distance` (total variation of
        token shares over bins of length from the pool's, 0 … 1), where there is a base `kl_to_base` (as `kl_to_pool`,
        against its text in the same tokens, over the tokenizer's whole vocabulary), where images count `images`,
        `image_tokens` and `text_tokens`, and the mean of every column of the ground.
    """
    chosen, pool = regime.chosen, ground.pool
    taken, total = chosen.taken, float(chosen.taken.sum())
    size = int(max(int(pool.tokens.max()), int(regime.sequences.max()))) + 1
    counts = np.bincount(regime.sequences.ravel(), minlength=size).astype(np.int64)
    own = np.bincount(pool.tokens, minlength=size).astype(np.int64)
    if ground.pictures is not None:  # as many in every arm: they are no words
        counts[ground.pictures.token] = own[ground.pictures.token] = 0
    entries = int(chosen.owners[-1]) + 1
    first = np.unique(chosen.documents, return_index=True)[1]
    labels = ground.sources or pool.families
    bins = length_bins(pool.lengths)
    kept = np.ones(len(pool), bool) if ground.leaked is None else ~ground.leaked
    wanted = np.bincount(bins[kept], weights=pool.lengths[kept], minlength=int(bins.max()) + 1)
    held = np.bincount(bins[chosen.documents], weights=taken, minlength=len(wanted))
    stops = chosen.begins + taken
    sources = np.unique([labels[d] for d in chosen.documents.tolist()], return_inverse=True)[1]
    found = {
        "documents": float(entries),
        "tokens": total,
        "supervised": float(regime.supervised_tokens),
        "cut": float((stops < pool.lengths[chosen.documents]).sum()),
        "types": float((counts > 0).sum()),
        "unigram_entropy": entropy(counts),
        "kl_to_pool": divergence(counts, own),
        "document_length": total / entries,
        "unique_token_share": float(taken[first].sum()) / total,
        "effective_documents": math.exp(entropy(_tokens_by(chosen.documents, taken))),
        "effective_clusters": math.exp(entropy(_tokens_by(published[chosen.documents], taken))),
        "sources": math.exp(entropy(_tokens_by(sources, taken))),
        "length_distance": float(np.abs(held / total - wanted / wanted.sum()).sum()) / 2.0,
    }
    if ground.base_counts is not None:
        known = ground.base_counts
        found["kl_to_base"] = divergence(np.pad(counts[: len(known)], (0, max(0, len(known) - size))), known)
    if ground.pictures is not None:
        standing = float((regime.sequences == ground.pictures.token).sum())
        found["images"] = float(ground.pictures.shown(chosen).sum())
        found |= {"image_tokens": standing, "text_tokens": total - standing}
    means = {name: float((column[chosen.documents] * taken).sum()) / total for name, column in ground.columns.items()}
    return found | dict(sorted(means.items()))


def _tokens_by(labels: NDArray[np.int64], taken: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tokens of each label."""
    return np.bincount(np.unique(labels, return_inverse=True)[1], weights=taken).astype(np.int64)
