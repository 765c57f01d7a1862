"""Mixing and repeats: known values on built streams, and parts of a stream that add up in any order."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shadowgraph.corpus.mixing import Mixing, MixingReading
from shadowgraph.corpus.repeats import Repeats
from shadowgraph.corpus.state import restore, state_of
from shadowgraph.errors import SpecError
from shadowgraph.seeds import generator

Stream = tuple[NDArray[np.int64], NDArray[np.int64], list[str]]


def stream(sizes: list[int], sources: list[str]) -> Stream:
    lengths = np.array(sizes, np.int64)
    return np.cumsum(lengths) - lengths, lengths, sources


def mixed(part: Stream, length: int = 10, batch: int = 4) -> MixingReading:
    mixing = Mixing(length, batch)
    mixing.update(*part)
    return mixing.finish()


def test_blocks_of_sources_and_their_mixture() -> None:
    blocked = mixed(stream([10] * 400, ["a"] * 200 + ["b"] * 200))
    laid = mixed(stream([10] * 400, ["a", "b"] * 200))
    assert blocked.batches == laid.batches == 100
    assert (blocked.separation.value, blocked.sources_per_batch.value) == (pytest.approx(1.0), 1.0)
    assert (laid.separation.value, laid.sources_per_batch.value) == (pytest.approx(0.0), 2.0)
    for reading, inside in ((blocked, 1.0), (laid, 2.0)):
        assert reading.effective_sources.value == pytest.approx(inside)
        assert reading.total_effective_sources.value == pytest.approx(2.0)
        assert reading.boundary_share.value == pytest.approx(0.1)
        assert reading.crossing_share.value == 0.0


def test_borders_and_what_stands_behind_them() -> None:
    reading = mixed(stream([7, 3, 12, 18], ["a", "b", "a", "c"]), length=10, batch=1)
    # a sequence a word: aaaaaaabbb aaaaaaaaaa aacccccccc cccccccccc
    assert reading.boundary_share.value == pytest.approx(4 / 40)
    assert reading.crossing_share.value == pytest.approx((3 + 8) / 40)
    assert reading.sources_per_batch.value == pytest.approx((2 + 1 + 2 + 1) / 4)
    assert reading.boundary_share.status == "few_shards"


def test_one_source_has_nothing_to_separate() -> None:
    assert mixed(stream([5, 5], ["a", "a"])).separation.status == "one_source"
    assert Mixing(4, 2).finish().separation.status == "empty"
    assert Mixing(4, 2).finish().sources_per_batch.status == "empty"
    with pytest.raises(SpecError, match="at least one"):
        Mixing(0, 1)
    with pytest.raises(SpecError, match="different sizes"):
        Mixing(4, 2).merge(Mixing(4, 3))


def test_shuffled_sources_separate_little_and_the_interval_says_so() -> None:
    labels = generator(0, "mixing").choice(["a", "b", "c"], 4000).tolist()
    reading = mixed(stream([10] * 4000, labels), batch=20)
    assert 0.0 < (reading.separation.value or 0) < 0.08
    assert (reading.separation.low or 0) <= (reading.separation.value or 0) <= (reading.separation.high or 0)
    assert reading.sources_per_batch.value == pytest.approx(3.0, abs=0.01)


SPANS = st.lists(st.tuples(st.integers(1, 30), st.sampled_from("abc")), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(SPANS, st.data(), st.integers(1, 9), st.integers(1, 3))
def test_parts_add_up_in_any_order(spans: list[tuple[int, str]], data: st.DataObject, length: int, batch: int) -> None:
    starts, sizes, sources = stream([size for size, _ in spans], [source for _, source in spans])
    expected = Mixing(length, batch)
    expected.update(starts, sizes, sources)
    parts = [Mixing(length, batch) for _ in range(3)]
    order = data.draw(st.permutations(range(len(spans))))
    for turn, d in enumerate(order):
        parts[turn % 3].update(starts[d : d + 1], sizes[d : d + 1], sources[d : d + 1])
    left = Mixing(length, batch)
    restore(left, state_of(parts[0]))
    left.merge(parts[1])
    left.merge(parts[2])
    parts[1].merge(parts[2])
    parts[0].merge(parts[1])
    for each in (left, parts[0]):
        assert all(np.array_equal(array, state_of(each)[name]) for name, array in state_of(expected).items())
    assert expected.tokens.sum() == sizes.sum()
    assert expected.borders.sum() == len(spans)
    whole = np.concatenate([np.full(size, number) for number, (size, _) in enumerate(spans)])
    crossing = sum(whole[k] != whole[k - k % length] for k in range(len(whole)))
    assert expected.crossing.sum() == crossing


def test_repeats_stand_as_far_apart_as_they_were_put() -> None:
    prompts = np.concatenate([np.arange(50), np.arange(50), np.arange(100, 140)]).astype(np.uint64)
    places = np.concatenate([np.arange(50), np.arange(50) + 500, np.arange(40) + 1000])
    repeats = Repeats()
    repeats.update(prompts, places)
    reading = repeats.finish()
    assert (reading.median_distance.value, reading.mean_distance.value, reading.pairs) == (500.0, 500.0, 50)
    assert reading.repeated_share.value == pytest.approx(50 / 140)
    assert (reading.median_distance.low, reading.median_distance.high) == (500.0, 500.0)
    fresh = Repeats()
    fresh.update(np.arange(9, dtype=np.uint64), np.arange(9))
    assert fresh.finish().median_distance.status == "no_repeats"
    assert fresh.finish().repeated_share.value == 0.0
    assert Repeats().finish().mean_distance.status == "empty"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 99)), min_size=1, max_size=30), st.integers(0, 30))
def test_repeats_are_the_same_in_any_order(rows: list[tuple[int, int]], cut: int) -> None:
    prompts = np.array([prompt for prompt, _ in rows], np.uint64)
    places = np.array([place for _, place in rows], np.int64)
    whole, left, right = Repeats(), Repeats(), Repeats()
    whole.update(prompts, places)
    left.update(prompts[cut:][::-1], places[cut:][::-1])
    right.update(prompts[:cut], places[:cut])
    left.merge(right)
    assert np.array_equal(whole.rows, left.rows)
    gaps: list[int] = []
    for prompt in set(prompts.tolist()):
        held = sorted(places[prompts == prompt].tolist())
        gaps.extend(b - a for a, b in pairwise(held))
    reading = whole.finish()
    assert reading.pairs == len(gaps)
    if gaps:
        assert reading.mean_distance.value == pytest.approx(np.mean(gaps))
        assert reading.median_distance.value == sorted(gaps)[(len(gaps) - 1) // 2]
