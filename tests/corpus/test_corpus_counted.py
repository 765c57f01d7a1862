"""So many documents with so many tokens: exactly, spread over lengths, new each draw; and the arms that need it."""

import numpy as np
import pytest
from corpus_ground import make_ground
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shadowgraph.corpus.budget import length_bins
from shadowgraph.corpus.counted import counted_fill
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.regime import Regime, build_regime
from shadowgraph.seeds import generator
from shadowgraph.spec.corpus import CorpusArm

ARMS = (
    CorpusArm(name="four", regime="repeated", share=0.1, repeats=4),
    CorpusArm(name="sixteen", regime="repeated", share=0.1, repeats=16),
    CorpusArm(name="cycled", regime="repeated", share=0.1, documents=5),
    CorpusArm(name="near", regime="repeated", share=0.2, repeats=2, kind="near"),
    CorpusArm(name="leak", regime="leak", share=0.05, benchmark="quiz"),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=200),
    st.integers(1, 60),
    st.floats(0.6, 1.5),
    st.integers(0, 99),
)
def test_a_fill_is_exact_or_there_is_none(sizes: list[int], documents: int, factor: float, seed: int) -> None:
    lengths = np.array(sizes, np.int64)
    order = generator(seed, "counted").permutation(len(lengths))
    tokens = max(1, round(float(lengths.mean()) * documents * factor))
    found = counted_fill(order, lengths, documents=documents, tokens=tokens)
    if found is None:
        return
    assert len(found.documents) == documents == len(set(found.documents.tolist()))
    assert found.tokens == tokens
    assert (found.taken[:-1] == lengths[found.documents[:-1]]).all()
    assert 0 < found.taken[-1] <= lengths[found.documents[-1]]
    rank = np.argsort(order)[found.documents]
    assert (np.diff(rank) > 0).all()


def lognormal(count: int, seed: int) -> NDArray[np.int64]:
    return np.maximum(1, generator(seed, "lengths").lognormal(4.5, 0.8, count)).astype(np.int64)


@pytest.mark.parametrize("documents", [1, 7, 60, 900])
def test_where_the_mean_is_the_pools_it_is_met_to_the_token_with_the_pools_lengths(documents: int) -> None:
    lengths = lognormal(4000, 1)
    order = generator(2, "order").permutation(len(lengths))
    tokens = round(float(lengths.mean()) * documents)
    found = counted_fill(order, lengths, documents=documents, tokens=tokens)
    assert found is not None
    assert found.taken.sum() == tokens
    assert lengths[found.documents].sum() - tokens <= 2  # next to nothing is cut
    middle = [np.quantile(each, [0.25, 0.5, 0.75]) for each in (lengths, lengths[found.documents])]
    if documents >= 900:
        assert middle[1] == pytest.approx(middle[0], rel=0.03)


def test_longer_documents_are_taken_by_one_factor_and_what_cannot_be_is_none() -> None:
    lengths = lognormal(4000, 1)
    order = np.arange(len(lengths))
    tokens = round(float(lengths.mean()) * 600 * 1.2)
    found = counted_fill(order, lengths, documents=600, tokens=tokens)
    assert found is not None
    ratio = np.quantile(lengths[found.documents], [0.2, 0.5, 0.8]) / np.quantile(lengths, [0.2, 0.5, 0.8])
    assert ratio == pytest.approx(np.full(3, 1.2), rel=0.1)
    assert counted_fill(order, lengths, documents=3, tokens=10 * int(lengths.max())) is None
    assert counted_fill(order, lengths, documents=5000, tokens=10**6) is None
    assert counted_fill(order, lengths, documents=10, tokens=9) is None


def test_each_draw_takes_others() -> None:
    lengths = np.arange(1, 2001)
    taken: list[set[int]] = []
    for seed in range(2):
        order = generator(seed, "draws").permutation(len(lengths))
        found = counted_fill(order, lengths, documents=50, tokens=50 * 1000)
        assert found is not None
        taken.append(set(found.documents.tolist()))
    assert len(taken[0] & taken[1]) < 10


def length_of(regime: Regime) -> float:
    return regime.chosen.tokens / (int(regime.chosen.owners[-1]) + 1)


@pytest.mark.parametrize("budget", [1280, 3200, 12800])
@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_an_arm_has_as_many_documents_as_the_random_one(arm: CorpusArm, budget: int) -> None:
    """The smallest budget here holds 50 documents: one document too many or too few is 2 % of their mean length."""
    for draw in range(3):
        ground = make_ground(draw=draw, budget=budget, answers=False)
        plain = build_regime(CorpusArm(name="random", regime="random"), ground)
        made = build_regime(arm, ground)
        assert made.sequences.size == budget
        assert abs(length_of(made) / length_of(plain) - 1.0) <= 0.02
        assert int(made.chosen.owners[-1]) == int(plain.chosen.owners[-1]), (arm.name, draw)


def short_items(budget: int, size: int) -> Ground:
    """A ground whose test items are cut to a few tokens: far shorter than any document."""
    from dataclasses import replace

    ground = make_ground(budget=budget, answers=False)
    lengths = ground.pool.lengths.copy()
    assert ground.leaked is not None
    keep = np.minimum(lengths, np.where(ground.leaked, size, lengths))
    rows = np.concatenate([np.arange(a, a + n) for a, n in zip(ground.pool.offsets, keep, strict=False)])
    offsets = np.concatenate([[0], np.cumsum(keep)]).astype(np.int64)
    return replace(ground, pool=replace(ground.pool, tokens=ground.pool.tokens[rows], offsets=offsets))


def test_short_test_items_are_made_up_for_by_longer_documents_as_far_as_the_pool_has_them() -> None:
    random, leak = CorpusArm(name="random", regime="random"), ARMS[-1]
    for size in (12, 6):
        ground = short_items(6400, size)
        assert length_of(build_regime(leak, ground)) == length_of(build_regime(random, ground))
        background = build_regime(leak, ground).chosen
        assert ground.leaked is not None
        rest = background.documents[~ground.leaked[background.documents]]
        assert len(set(rest.tolist())) == len(rest)
    ground = short_items(6400, 2)  # 160 entries of two tokens: no pool makes up for 160 of its own 250
    made = build_regime(leak, ground)
    assert made.sequences.size == 6400
    assert length_of(made) < 0.9 * length_of(build_regime(random, ground))


def test_lengths_keep_their_histogram() -> None:
    ground = make_ground(budget=12800, answers=False)
    kept = ground.candidates
    wanted = np.bincount(length_bins(ground.pool.lengths[kept]), weights=ground.pool.lengths[kept])
    for arm in ARMS[:4]:
        chosen = build_regime(arm, ground).chosen
        held = np.bincount(length_bins(ground.pool.lengths[chosen.documents]), chosen.taken, len(wanted))
        assert np.abs(held / held.sum() - wanted / wanted.sum()).sum() / 2 < 0.1, arm.name
