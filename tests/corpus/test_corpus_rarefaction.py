"""Rarefaction against all parts counted one by one, its sample against the whole, and compression of far repeats."""

import itertools
import zlib
from collections import Counter
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.corpus import compression, rarefaction
from shadowgraph.corpus.batch import Batch, batch_of
from shadowgraph.corpus.compression import Compression
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.rarefaction import Rarefaction, rarefied_parts
from shadowgraph.corpus.state import restore, state_of
from shadowgraph.seeds import generator


def batch(texts: list[str], label: str = "d", path: str = "auto") -> Batch:
    return batch_of([Document(f"{label}{k}", "s", "f", "plain", text) for k, text in enumerate(texts)], path=path)


def prose(count: int, words: int = 40, seed: int = 0, vocabulary: int = 400) -> list[str]:
    stream = generator(seed, "prose")
    kinds = np.array([f"term{n}" for n in range(vocabulary)])
    weights = 1.0 / np.arange(1, vocabulary + 1)
    return [" ".join(stream.choice(kinds, words, p=weights / weights.sum())) + "." for _ in range(count)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4).filter(lambda c: sum(c) <= 10), st.data())
def test_rarefied_numbers_are_the_means_over_all_parts(counts: list[int], data: st.DataObject) -> None:
    total = sum(counts)
    size = data.draw(st.integers(1, total))
    things = [kind for kind, count in enumerate(counts) for _ in range(count)]
    distinct, entropy = [], []
    for part in itertools.combinations(range(total), size):
        shares = np.array(list(Counter(things[k] for k in part).values())) / size
        distinct.append(len(shares))
        entropy.append(-(shares * np.log(shares)).sum())
    seen, surprise = rarefied_parts(np.array(counts), total, size)
    assert seen.sum() == pytest.approx(np.mean(distinct), rel=1e-9)
    assert surprise.sum() == pytest.approx(np.mean(entropy), rel=1e-9, abs=1e-12)


def test_rarefied_entropy_of_large_counts_keeps_its_tails() -> None:
    counts = np.array([40_000, 20_000, 5536])
    _, surprise = rarefied_parts(counts, 65_536, 32_768)
    shares = counts / 65_536
    assert surprise.sum() == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-4)


def test_the_sample_is_fair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rarefaction, "KEPT", 400)
    texts = prose(100)
    words = [word for text in texts for word in text.rstrip(".").split()]
    counts = np.array(list(Counter(words).values()))
    seen, surprise = rarefied_parts(counts, len(words), 200)
    found = []
    for name in range(60):
        sample = Rarefaction()
        sample.update(batch(texts, f"n{name}-"))
        reading = sample.finish(200)
        assert reading.places == 400
        found.append((reading.distinct[1].value, reading.entropy[1].value))
    means, errors = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / len(found) ** 0.5
    assert abs(means[0] - seen.sum() / 200) < 4 * errors[0]
    assert abs(means[1] - surprise.sum()) < 4 * errors[1]
    assert errors[0] < 0.01


def test_repeated_text_has_less_variety_at_equal_length() -> None:
    fresh, again = Rarefaction(), Rarefaction()
    fresh.update(batch(prose(400)))
    again.update(batch(prose(20) * 20))
    one, two = fresh.finish(8000), again.finish(8000)
    for order in (2, 3):
        assert (two.distinct[order].high or 1) < (one.distinct[order].low or 0)
        assert (two.entropy[order].high or 99) < (one.entropy[order].low or 0)
    assert fresh.finish().distinct[1].status == "few_words"
    assert Rarefaction().finish().entropy[1].status == "empty"


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(30)), st.integers(1, 29), st.sampled_from([10, 200, 5000]))
def test_any_sharding_and_order_leave_equal_bytes(order: list[int], cut: int, kept: int) -> None:
    whole = batch([*prose(28), "", "one two"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rarefaction, "KEPT", kept)
        patch.setattr(compression, "SAMPLE", 4 * kept)
        for make in (Rarefaction, Compression):
            expected, left, right = (cast(Rarefaction, make()) for _ in range(3))
            expected.update(whole)
            for d in order[:cut]:
                left.update(whole.take(np.array([d])))
            right.update(whole.take(np.array(order[cut:])))
            kept_state = cast(Rarefaction, make())
            restore(kept_state, state_of(right))
            kept_state.merge(left)
            left.merge(right)
            wanted = {name: array.tobytes() for name, array in state_of(expected).items()}
            for each in (left, kept_state):
                assert {name: array.tobytes() for name, array in state_of(each).items()} == wanted


def test_both_paths_leave_equal_bytes() -> None:
    pytest.importorskip("numba", reason="the extra `corpus` is not installed: there is one path only")
    made = []
    for path in ("numba", "numpy"):
        sample = Rarefaction()
        sample.update(batch(prose(50), path=path))
        made.append({name: array.tobytes() for name, array in state_of(sample).items()})
    assert made[0] == made[1]


def test_compression_sees_repeats_that_stand_far_apart() -> None:
    pytest.importorskip("zstandard", reason="the extra `corpus` is not installed")
    texts = prose(700, words=100, vocabulary=20_000)
    once, twice = Compression(), Compression()
    once.update(batch(texts))
    twice.update(batch(texts, "first"))
    twice.update(batch(texts, "second"))
    one, two = once.finish(), twice.finish()
    assert (two.value or 1) < 0.65 * (one.value or 0)
    assert (two.high or 1) < (one.low or 0)
    plain = "".join(texts).encode()
    near = len(zlib.compress(plain)) / len(plain), len(zlib.compress(plain * 2)) / (2 * len(plain))
    assert near[1] > 0.95 * near[0]  # 32 KiB back there is nothing to see


def test_compression_without_the_extra_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "find_spec", {}.get)
    assert Compression().finish().status == "no_zstandard"
    monkeypatch.undo()
    pytest.importorskip("zstandard", reason="the extra `corpus` is not installed")
    assert Compression().finish().status == "empty"
