"""Every rule: exact to the token, independent of order, and what its name says."""

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from corpus_ground import ARMS, ITEMS, make_ground
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shadowgraph.corpus.budget import length_bins
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.regime import Regime, build_regime
from shadowgraph.errors import DataError
from shadowgraph.spec.corpus import CorpusArm

GROUND = make_ground()


def built(name: str, ground: Ground = GROUND) -> Regime:
    return build_regime(ARMS[name], ground, ARMS)


def mean_of(regime: Regime, column: NDArray[np.float64]) -> float:
    return float((column[regime.chosen.documents] * regime.chosen.taken).sum() / regime.chosen.tokens)


def test_every_arm_is_equal_to_the_token_and_a_draw_is_a_draw() -> None:
    other = replace(GROUND, draw=1)
    for name in ARMS:
        regime = built(name)
        assert regime.sequences.shape == regime.document_ids.shape == (100, 64), name
        assert regime.chosen.tokens == 6400
        assert built(name).fingerprint == regime.fingerprint
        assert built(name, other).fingerprint != regime.fingerprint, name


def test_the_order_of_the_pool_does_not_change_a_byte() -> None:
    moved = make_ground(order=3)
    for name in ARMS:
        assert built(name, moved).fingerprint == built(name).fingerprint, name


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(set(ARMS) - {"concentrated", "familiar"})), st.integers(10, 120), st.integers(0, 5))
def test_any_budget_is_met(name: str, sequences: int, draw: int) -> None:
    regime = built(name, replace(GROUND, budget=sequences * 64, draw=draw))
    assert regime.sequences.size == sequences * 64
    assert np.all(np.diff(regime.document_ids.ravel().astype(np.int64)) >= 0)


def test_no_arm_but_the_leak_holds_a_test_item_and_only_repeated_arms_repeat() -> None:
    assert GROUND.leaked is not None
    for name in ARMS:
        chosen = built(name).chosen
        assert GROUND.leaked[chosen.documents].any() == (name == "leak"), name
        whole = chosen.documents[chosen.begins == 0]
        most = Counter(whole.tolist()).most_common(1)[0][1]
        assert (most > 1) == (ARMS[name].regime == "repeated"), name
    share = built("leak").chosen
    assert share.taken[GROUND.leaked[share.documents]].sum() == pytest.approx(0.05 * 6400, abs=1)
    assert len(set(share.documents[GROUND.leaked[share.documents]].tolist())) <= ITEMS


def test_lengths_follow_the_pool_in_every_arm_that_can() -> None:
    bins = length_bins(GROUND.pool.lengths)
    pool = np.bincount(bins, weights=GROUND.pool.lengths)
    for name in ("random", "aligned", "content", "format", "many", "covering", "facility", "mixture"):
        chosen = built(name).chosen
        held = np.bincount(bins[chosen.documents], weights=chosen.taken, minlength=len(pool))
        assert np.abs(held / 6400 - pool / pool.sum()).sum() / 2 < 0.04, name
        assert abs(len(chosen.documents) / len(built("random").chosen.documents) - 1) < 0.05, name


def test_alignment_grows_as_the_temperature_falls() -> None:
    score = GROUND.columns["content/quiz"] / GROUND.columns["content/quiz"].std()
    score = score + GROUND.columns["format/quiz"] / GROUND.columns["format/quiz"].std()
    found = [
        mean_of(build_regime(CorpusArm(name="a", regime="aligned", temperature=t), GROUND), score)
        for t in (10.0, 2.0, 1.0, 0.5, 0.25, 0.0)
    ]
    assert all(later >= earlier - 0.02 for earlier, later in pairwise(found)), found
    assert found[-1] > found[0] + 0.5


def test_content_and_format_are_separate_dials() -> None:
    content, form = GROUND.columns["content/quiz"], GROUND.columns["format/quiz"]
    base = {key: mean_of(built("random"), column) for key, column in (("content", content), ("format", form))}
    assert mean_of(built("content"), content) > base["content"] + 0.1
    assert abs(mean_of(built("content"), form) - base["format"]) < 0.15
    assert mean_of(built("format"), form) > base["format"] + 0.3
    assert abs(mean_of(built("format"), content) - base["content"]) < 0.1
    assert mean_of(built("aligned"), form) > base["format"] + 0.3


def topic_shares(regime: Regime) -> NDArray[np.float64]:
    assert GROUND.cells is not None
    tokens = np.bincount(GROUND.cells[0][regime.chosen.documents], weights=regime.chosen.taken, minlength=12)
    return tokens / tokens.sum()


def effective(shares: NDArray[np.float64]) -> float:
    kept = shares[shares > 0]
    return math.exp(-float((kept * np.log(kept)).sum()))


def test_covering_flattens_and_concentration_narrows() -> None:
    assert effective(topic_shares(built("covering"))) > 11 > effective(topic_shares(built("random")))
    shares = np.sort(topic_shares(built("concentrated")))[::-1]
    zipf = 1 / np.arange(1, 6)
    assert shares[:5] == pytest.approx(zipf / zipf.sum(), abs=1e-3)
    assert shares[5:].sum() == 0
    assert GROUND.columns["content/quiz"][built("concentrated").chosen.documents].max() < 0.6


def test_novel_and_familiar_arms_take_their_half() -> None:
    novelty = GROUND.columns["novelty"]
    middle = np.median(novelty[GROUND.candidates])
    assert novelty[built("new").chosen.documents].min() >= middle
    assert novelty[built("familiar").chosen.documents].max() <= middle


@pytest.mark.parametrize("repeats", [1, 2, 4, 16])
def test_repeats_are_exact(repeats: int) -> None:
    arm = CorpusArm(name="r", regime="repeated", share=0.1, repeats=repeats)
    chosen = build_regime(arm, GROUND).chosen
    counts = Counter(chosen.documents.tolist())
    again = {document for document, count in counts.items() if count > 1}
    assert {counts[document] for document in again} == ({repeats} if repeats > 1 else set())
    tokens = int(chosen.taken[np.isin(chosen.documents, list(again))].sum())
    assert tokens == (640 // repeats * repeats if repeats > 1 else 0)


def test_repeats_stand_where_they_are_asked_to() -> None:
    def gaps(name: str) -> float:
        chosen = built(name).chosen
        place = np.cumsum(chosen.taken) - chosen.taken
        twice = [d for d, count in Counter(chosen.documents.tolist()).items() if count > 1]
        return float(np.mean([np.ptp(place[chosen.documents == d]) for d in twice]))

    assert gaps("close") < 4 * 64
    assert gaps("close") < gaps("near") <= 8 * 64 * 1.3 < gaps("repeated")


def test_near_copies_differ_a_little_and_keep_their_kind() -> None:
    regime = built("near")
    flat = regime.sequences.ravel()
    seen: dict[int, NDArray[np.uint16]] = {}
    for document, end, size in zip(
        regime.chosen.documents.tolist(),
        np.cumsum(regime.chosen.taken).tolist(),
        regime.chosen.taken.tolist(),
        strict=True,
    ):
        text = flat[end - size : end]
        if document in seen:
            changed = text != seen[document]
            assert 0 < changed.mean() < 0.6
            assert GROUND.classes is not None
            assert np.array_equal(GROUND.classes[text], GROUND.classes[seen[document]])
        seen.setdefault(document, text)


def test_other_answers_keep_prompts_and_lengths() -> None:
    assert GROUND.prompts is not None
    regime = built("answers")
    rows = [np.flatnonzero(regime.chosen.owners == entry) for entry in np.unique(regime.chosen.owners)]
    joined = [row for row in rows if len(row) == 2]
    assert joined
    for head, tail in joined:
        document, giver = regime.chosen.documents[[head, tail]].tolist()
        assert regime.chosen.taken[head] == GROUND.prompts[document]
        assert regime.chosen.begins[tail] >= GROUND.prompts[giver]
        assert regime.chosen.begins[tail] + regime.chosen.taken[tail] == GROUND.pool.lengths[giver]


def test_controls_keep_what_they_should() -> None:
    plain = built("covering")
    counts = np.bincount(plain.sequences.ravel(), minlength=300)
    for name in ("blocked", "reversed", "shuffled"):
        assert np.array_equal(np.bincount(built(name).sequences.ravel(), minlength=300), counts), name
    renamed = np.bincount(built("permuted").sequences.ravel(), minlength=300)
    assert renamed[0] == counts[0]
    assert sorted(renamed.tolist()) == sorted(counts.tolist())
    assert not np.array_equal(renamed, counts)
    back = built("reversed")
    assert np.array_equal(back.document_ids, plain.document_ids)
    first = int(plain.chosen.taken[0])
    assert back.sequences.ravel()[: first - 1].tolist() == plain.sequences.ravel()[: first - 1][::-1].tolist()
    for name in ("blocked", "reversed", "permuted", "shuffled"):
        assert built(name).supervised_tokens == plain.supervised_tokens, name
    assert GROUND.sources is not None
    presented = [GROUND.sources[d] for d in built("blocked").chosen.documents.tolist()]
    assert sum(a != b for a, b in pairwise(presented)) == len(set(presented)) - 1


def test_shuffled_answers_leave_no_prompt_its_own() -> None:
    chosen = built("shuffled").chosen
    for entry in np.unique(chosen.owners).tolist():
        rows = np.flatnonzero(chosen.owners == entry)
        assert len(rows) == 1 or chosen.documents[rows[0]] != chosen.documents[rows[1]]
    assert (np.bincount(chosen.owners) == 2).mean() > 0.95


def test_a_mixture_is_what_it_is_mixed_of() -> None:
    score = GROUND.columns["content/quiz"] + GROUND.columns["format/quiz"]
    dose = [
        mean_of(build_regime(CorpusArm(name="m", regime="mixture", share=a), GROUND), score) for a in (0.1, 0.5, 0.9)
    ]
    assert dose[0] < dose[1] < dose[2]


def test_surplus_tokens_leave_the_loss() -> None:
    regime = built("random", replace(GROUND, supervised=3000))
    assert regime.supervised_tokens == 3000
    assert build_regime(ARMS["random"], make_ground(answers=False)).supervised is None


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(DataError, match="no pattern holds"):
        build_regime(CorpusArm(name="c", regime="concentrated", patterns=1), replace(GROUND, budget=12_800))
    with pytest.raises(DataError, match="knows no answers"):
        build_regime(ARMS["shuffled"], make_ground(answers=False), ARMS)
    with pytest.raises(DataError, match="has no column 'content/nothing'"):
        build_regime(CorpusArm(name="x", regime="aligned", benchmark="nothing"), GROUND)
    with pytest.raises(DataError, match="is not given"):
        build_regime(ARMS["blocked"], GROUND)
    with pytest.raises(DataError, match="needs vectors"):
        build_regime(ARMS["facility"], replace(GROUND, vectors=None))
    with pytest.raises(DataError, match="holds no test items"):
        build_regime(ARMS["leak"], replace(GROUND, leaked=None))
