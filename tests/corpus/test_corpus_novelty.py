"""Novelty: divergences by hand, blindness to order in words alone, and sharding that leaves the same bytes."""

import math

import numpy as np
import pytest
from corpus_data import real_data
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.corpus.batch import Batch, batch_of
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.kernels.constants import BUCKETS
from shadowgraph.corpus.novelty import Novelty, mixture
from shadowgraph.corpus.readers.files import read_batches
from shadowgraph.corpus.state import state_of
from shadowgraph.errors import SpecError
from shadowgraph.seeds import generator


def batch(texts: list[str], label: str = "d", path: str = "auto") -> Batch:
    return batch_of([Document(f"{label}{k}", "s", "f", "plain", text) for k, text in enumerate(texts)], path=path)


def counted(texts: list[str], label: str = "d", path: str = "auto") -> Novelty:
    novelty = Novelty()
    novelty.update(batch(texts, label, path))
    return novelty


def test_divergence_and_entropy_by_hand() -> None:
    corpus, source = counted(["red red red blue"] * 20), counted(["red blue green green"] * 10)
    reading = corpus.finish(mixture([(source, 1.0)]))
    smoothed = 40 + BUCKETS
    bias = 1 / 160  # (2 − 1) / (2 · 80)
    cross = -(0.75 * math.log(11 / smoothed) + 0.25 * math.log(11 / smoothed))
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) + bias
    assert reading.word_entropy.value == pytest.approx(entropy)
    assert reading.word_kl.value == pytest.approx(cross - entropy)
    assert reading.words == 80
    assert corpus.finish().word_kl.status == "no_base"
    assert Novelty().finish().word_entropy.status == "empty"


def test_a_mixture_is_the_weighted_mean_of_its_sources() -> None:
    one, two = counted(["red"] * 5), counted(["blue"] * 7)
    base = mixture([(one, 1.0), (two, 3.0)])
    assert np.exp(base.words).sum() == pytest.approx(1.0)
    assert np.exp(base.words).max() == pytest.approx(0.25 / (5 + BUCKETS) + 0.75 * 8 / (7 + BUCKETS))
    for wrong in ([], [(one, 0.0)], [(one, math.nan)]):
        with pytest.raises(SpecError, match="weights above 0"):
            mixture(wrong)


def test_order_is_new_in_pairs_and_not_in_words() -> None:
    stream = generator(0, "novelty")
    vocabulary = np.array([f"t{n}" for n in range(3000)])
    texts = [" ".join(stream.choice(vocabulary[k * 20 % 2980 :][:20], 40)) for k in range(600)]
    turned = [" ".join(stream.permutation(text.split())) for text in texts]
    base = mixture([(counted(texts, "b"), 1.0)])
    same, other = counted(texts).finish(base), counted(turned).finish(base)
    strange = counted([text.replace("t", "u") for text in texts]).finish(base)
    assert other.word_kl.value == pytest.approx(same.word_kl.value)
    assert (other.gram_kl.low or 0) > (same.gram_kl.high or 9)
    assert (strange.word_kl.low or 0) > (same.word_kl.high or 9) + 1
    assert (same.word_kl.low or 0) <= (same.word_kl.value or 0) <= (same.word_kl.high or 0)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)), st.integers(1, 11))
def test_any_sharding_and_order_leave_equal_bytes(order: list[int], cut: int) -> None:
    whole = batch([f"a{n} b{n % 3} c" for n in range(12)])
    expected, left, right = Novelty(), Novelty(), Novelty()
    expected.update(whole)
    left.update(whole.take(np.array(order[:cut])))
    for d in order[cut:]:
        right.update(whole.take(np.array([d])))
    left.merge(right)
    assert all(np.array_equal(array, state_of(left)[name]) for name, array in state_of(expected).items())


def test_both_paths_leave_equal_bytes() -> None:
    pytest.importorskip("numba", reason="the extra `corpus` is not installed: there is one path only")
    texts = [f"Word {n} and {n * n}, é!" for n in range(50)]
    one, two = (state_of(counted(texts, path=path)) for path in ("numba", "numpy"))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_manual_is_nearer_to_manuals_than_a_book_is() -> None:
    made: dict[str, Novelty] = {}
    for name in ("git_docs", "debian_policy", "python_docs", "books"):
        made[name] = Novelty()
        for each, _ in zip(read_batches([real_data("corpora", f"{name}.jsonl.gz")]), range(3), strict=False):
            made[name].update(each)
    base = mixture([(made["git_docs"], 1.0), (made["python_docs"], 1.0)])
    near, far = made["debian_policy"].finish(base), made["books"].finish(base)
    assert (near.word_kl.high or 9) < (far.word_kl.low or 0)
    known = made["git_docs"].finish(base)
    assert (known.gram_kl.high or 9) < min(near.gram_kl.low or 0, far.gram_kl.low or 0)
