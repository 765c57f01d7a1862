"""Regimes: equal to the token, independent of order, and each what its name says."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shadowgraph.corpus.balance import balance, compare, divergence, entropy, novelty, novelty_in_words
from shadowgraph.corpus.budget import fill, pack
from shadowgraph.corpus.regime import Ground, build_regime
from shadowgraph.corpus.token_target import fit_token_target, token_alignment
from shadowgraph.corpus.tokens import TokenPool
from shadowgraph.errors import DataError
from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Calipers
from shadowgraph.spec.material import Arm

ARMS = (
    Arm(name="aligned", regime="aligned"),
    Arm(name="covering", regime="covering"),
    Arm(name="random", regime="random"),
    Arm(name="repeated", regime="repeated", share=0.1, documents=4),
    Arm(name="blend", regime="blend", share=0.3),
)


def make_pool(count: int = 3000, seed: int = 0, skew: float = 1.0) -> TokenPool:
    """Six families of their own vocabulary each, Zipf-skewed, three formats with a marker token each."""
    stream = generator(seed, "pool")
    weights = 1.0 / np.arange(1, 7) ** skew
    families = stream.choice(6, count, p=weights / weights.sum())
    formats = stream.choice(3, count, p=[0.6, 0.3, 0.1])
    documents: list[NDArray[np.uint16]] = []
    for family, form in zip(families, formats, strict=True):
        length = int(stream.integers(5, 40))
        body = 20 + 30 * family + stream.integers(0, 30, length)
        documents.append(np.concatenate([[10 + form], body, [0]]).astype(np.uint16))
    return TokenPool(
        tokens=np.concatenate(documents),
        offsets=np.concatenate([[0], np.cumsum([len(d) for d in documents])]).astype(np.int64),
        ids=tuple(f"doc-{index}" for index in range(count)),
        families=tuple(f"family-{family}" for family in families),
        formats=tuple(f"format-{form}" for form in formats),
    )


def subset(pool: TokenPool, chosen: NDArray[np.int64]) -> TokenPool:
    parts = [pool.tokens[pool.offsets[i] : pool.offsets[i + 1]] for i in chosen]
    return TokenPool(
        np.concatenate(parts),
        np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64),
        tuple(pool.ids[i] for i in chosen),
        tuple(pool.families[i] for i in chosen),
        tuple(pool.formats[i] for i in chosen),
    )


def ground_of(pool: TokenPool, draw: int = 0, budget: int = 6400) -> Ground:
    like = subset(make_pool(seed=1), np.arange(3000))
    wanted = np.array([i for i in range(3000) if like.families[i] == "family-5" and like.formats[i] == "format-2"])
    target = fit_token_target(subset(like, wanted), pool, 256)
    return Ground(pool, token_alignment(target, pool), budget, 64, 7, draw)


def token_share(pool: TokenPool, regime_documents: NDArray[np.int64], taken: NDArray[np.int64], key: str) -> float:
    hits = np.array([pool.families[i] == key or pool.formats[i] == key for i in regime_documents])
    return float(taken[hits].sum() / taken.sum())


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_every_regime_is_equal_to_the_token(arm: Arm) -> None:
    pool = make_pool()
    ground = ground_of(pool)
    regime = build_regime(arm, ground)
    assert regime.sequences.shape == (100, 64)
    assert regime.chosen.tokens == 6400
    assert regime.fingerprint == build_regime(arm, ground).fingerprint
    other = build_regime(arm, ground_of(pool, draw=1))
    assert other.fingerprint != regime.fingerprint


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_the_order_of_the_pool_does_not_matter(arm: Arm) -> None:
    pool = make_pool()
    shuffled = subset(pool, generator(3, "shuffle").permutation(len(pool)))
    original = build_regime(arm, ground_of(pool))
    moved = build_regime(arm, ground_of(shuffled))
    assert moved.fingerprint == original.fingerprint


def test_only_the_repeated_arm_repeats() -> None:
    pool = make_pool()
    for arm in ARMS:
        regime = build_regime(arm, ground_of(pool))
        counts = Counter(regime.chosen.documents.tolist())
        again = [count for count in counts.values() if count > 1]
        assert len(again) == (4 if arm.name == "repeated" else 0)
        if arm.name == "repeated":
            few = [document for document, count in counts.items() if count > 1]
            share = token_share_of(regime.chosen.documents, regime.chosen.taken, few)
            assert share == pytest.approx(0.1, abs=1e-9)


def token_share_of(documents: NDArray[np.int64], taken: NDArray[np.int64], few: list[int]) -> float:
    return float(taken[np.isin(documents, few)].sum() / taken.sum())


def test_aligned_finds_the_target_and_covering_flattens() -> None:
    pool = make_pool()
    ground = ground_of(pool, budget=3200)
    built = {arm.name: build_regime(arm, ground).chosen for arm in ARMS}
    both = {
        name: (token_share(pool, f.documents, f.taken, "family-5"), token_share(pool, f.documents, f.taken, "format-2"))
        for name, f in built.items()
    }
    assert both["aligned"][0] > 0.9 > 0.2 > both["random"][0]
    assert both["random"][0] < both["covering"][0] == pytest.approx(1 / 6, abs=0.02)
    assert both["random"][0] < both["blend"][0] < both["aligned"][0]


def test_covering_gives_every_stratum_its_share_or_all_it_has() -> None:
    pool = make_pool(skew=2.0)
    budget = 19_200
    chosen = build_regime(ARMS[1], ground_of(pool, budget=budget)).chosen
    labels = np.array([f"{a} {b}" for a, b in zip(pool.families, pool.formats, strict=True)])
    given_tokens = {label: int(chosen.taken[labels[chosen.documents] == label].sum()) for label in np.unique(labels)}
    held = {label: int(pool.lengths[labels == label].sum()) for label in np.unique(labels)}
    level = max(given_tokens.values())
    longest = int(pool.lengths.max())
    assert any(held[label] < level for label in held)
    for label, tokens in given_tokens.items():
        assert tokens >= min(held[label], level - 2 * longest), label


def test_a_pool_too_small_is_refused_not_repeated() -> None:
    pool = make_pool(50)
    with pytest.raises(DataError, match="random: the pool holds"):
        build_regime(ARMS[2], ground_of(pool, budget=64_000))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.data())
def test_fill_is_exact_and_cuts_only_the_last(lengths: list[int], data: st.DataObject) -> None:
    budget = data.draw(st.integers(1, sum(lengths)))
    chosen = fill(np.arange(len(lengths)), np.array(lengths), budget, "arm")
    assert chosen.tokens == budget
    assert chosen.taken[:-1].tolist() == lengths[: len(chosen.taken) - 1]
    assert 1 <= chosen.taken[-1] <= lengths[len(chosen.taken) - 1]


def test_pack_keeps_every_token_in_order() -> None:
    pool = make_pool(40)
    order = generator(1, "order").permutation(40)
    chosen = fill(order, pool.lengths, 320, "arm")
    expected = np.concatenate([pool.tokens[pool.offsets[i] : pool.offsets[i + 1]] for i in order])[:320]
    assert pack(pool, chosen, 32).ravel().tolist() == expected.tolist()


def test_alignment_of_one_document_matches_a_direct_sum() -> None:
    pool = make_pool(200)
    like = subset(pool, np.arange(20))
    target = fit_token_target(like, pool, 256)
    document = pool.tokens[pool.offsets[5] : pool.offsets[6]]
    counts_like, counts_pool = np.bincount(like.tokens, minlength=256), np.bincount(pool.tokens, minlength=256)
    total_like, total_pool = counts_like.sum() + 256, counts_pool.sum() + 256
    single = [
        math.log((counts_like[t] + 1) / total_like) - math.log((counts_pool[t] + 1) / total_pool) for t in document
    ]
    assert target.single[document].tolist() == pytest.approx(single)
    no_pairs = type(target)(target.single, np.zeros_like(target.pair))
    assert token_alignment(no_pairs, pool)[5] == pytest.approx(sum(single) / len(single))


def test_entropy_and_divergence_against_closed_forms() -> None:
    assert entropy(np.array([5, 5, 0, 5, 5])) == pytest.approx(math.log(4))
    same = np.array([3, 1, 4])
    assert divergence(same, same) == pytest.approx(0.0, abs=1e-15)
    assert divergence(np.array([9, 0]), np.array([0, 9])) == pytest.approx(
        10 / 11 * math.log(10) + 1 / 11 * math.log(0.1)
    )


def test_balance_and_calipers() -> None:
    pool = make_pool()
    ground = ground_of(pool)
    base = np.bincount(pool.tokens, minlength=256).astype(np.int64)
    sheets = {
        arm.name: balance(
            build_regime(arm, ground),
            pool,
            ground.alignment,
            base,
            benchmark_format="format-2",
            benchmark_families={"family-5"},
        )
        for arm in ARMS
    }
    assert sheets["random"].kl_to_base < 0.1 < sheets["aligned"].kl_to_base
    assert sheets["covering"].strata == pytest.approx(18, abs=0.5)
    assert sheets["repeated"].unique_token_share == pytest.approx(0.9, abs=0.03)
    assert sheets["random"].unique_token_share == 1.0
    assert sheets["aligned"].alignment > sheets["blend"].alignment > sheets["random"].alignment
    keys = ("kl_to_base", "unigram_entropy", "document_length", "unique_token_share")
    means = {name: {key: getattr(sheet, key) for key in keys} | {"base_loss": 3.0} for name, sheet in sheets.items()}
    met = {row.key: row.met for row in compare(means["aligned"], means["covering"], Calipers())}
    assert met["kl_to_base"] is False
    assert met["base_loss"] is True


@pytest.mark.parametrize(
    ("loss", "divergence", "standing", "words"),
    [
        (0.1, -0.1, "within", ""),
        (0.3, 0.1, "newer", "loss under the base +0.30"),
        (-1.6, 0.1, "familiar", "loss under the base -1.60"),
        (0.0, -0.21, "familiar", "divergence from its mixture -0.21"),
        (-0.34, 0.65, "mixed", "loss under the base -0.34, divergence from its mixture +0.65"),
    ],
)
def test_novelty_tells_newer_from_more_familiar(loss: float, divergence: float, standing: str, words: str) -> None:
    same = {"document_length": 1.0, "unique_token_share": 1.0}
    arm = same | {"base_loss": 4.0 + loss, "kl_to_base": 1.0 + divergence, "unigram_entropy": 9.0}
    held = compare(arm, same | {"base_loss": 4.0, "kl_to_base": 1.0, "unigram_entropy": 5.0}, Calipers())
    assert (novelty(held), novelty_in_words(held)) == (standing, words)
