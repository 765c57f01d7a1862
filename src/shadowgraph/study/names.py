"""What the keys of a result are called: endpoints, variants of K, columns of the balance sheet.

Here live: one name a key for tables, and one for sentences. Not here: names of arms and tests, which the plan gives.
"""

from __future__ import annotations

ENDPOINTS = (("K", "K"), ("K_emb", "K of embeddings"), ("log_norm", "log relative norm"))
BALANCE = {
    "base_loss": "loss of the base on it, nats a token",
    "kl_to_base": "KL to the base's mixture, nats",
    "unigram_entropy": "unigram entropy, nats",
    "document_length": "document length, tokens",
    "unique_token_share": "share of unique tokens",
    "strata": "effective number of family x format strata",
    "alignment": "alignment with the benchmark, nats a token",
    "benchmark_format_share": "share in the benchmark's format",
    "benchmark_family_share": "share from the benchmark's families",
    "documents": "documents",
    "tokens": "tokens",
    "boundary_share": "documents begun for each token",
    "sources_per_batch": "sources in a batch",
    "effective_sources": "effective sources",
    "conditional_entropy": "entropy of a token given the one before, nats",
    "unique_tokens": "unique tokens",
}
_ALONE = "only_"
_SAID = {
    "erank_energy": "K by the rank of the energies",
    "stable_rank": "K by the stable rank",
    "without_first": "K without the leading component",
    "block_pooled": "K with the matrices of a layer pooled",
    "median": "K as the median over matrices",
    "with_embedding": "K with the embedding as one slot more",
    "rowcol_null": "K against noise with the update's row and column energies",
    "input_weighted": "K weighted by the inputs",
    "without_any": "the smallest K without one of its slots",
}
"""Variants of K whose short name no sentence can hold."""


def variant_name(endpoint: str) -> str:
    """The name of a variant of K ("K:stable_rank", "K:only_up", "K@40") in a table; empty for other endpoints."""
    if endpoint.startswith("K@"):
        return f"at step {endpoint[2:]}"
    name = endpoint.removeprefix("K:") if endpoint.startswith("K:") else ""
    return f"{name.removeprefix(_ALONE)} alone" if name.startswith(_ALONE) else name.replace("_", " ")


def endpoint_name(key: str) -> str:
    """An endpoint as tables name it: "K, o alone"."""
    variant = variant_name(key)
    return f"K, {variant}" if variant else dict(ENDPOINTS).get(key, key.replace("_", " "))


def endpoint_in_words(key: str) -> str:
    """An endpoint as sentences name it: "K of o alone", "K at step 40", "K without down"."""
    variant = variant_name(key)
    if not variant:
        return endpoint_name(key)
    if key.startswith(f"K:{_ALONE}"):
        return f"K of {variant}"
    return _SAID.get(key.removeprefix("K:"), f"K {variant}")


def balance_name(key: str) -> str:
    """A column of the balance sheet with its unit, or its bare key in words."""
    return BALANCE.get(key, key.replace("_", " "))


def quantity_name(key: str) -> str:
    """A column of the balance sheet without its unit."""
    return balance_name(key).split(",", maxsplit=1)[0]
