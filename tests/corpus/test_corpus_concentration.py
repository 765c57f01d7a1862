"""Concentration: duplicates raise it, known spectra, tallies against plain counting, fair samples, any order."""

from collections import Counter

import numpy as np
import pytest
from corpus_data import real_data
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.corpus import concentration
from shadowgraph.corpus.batch import Batch, batch_of
from shadowgraph.corpus.concentration import Concentration, ConcentrationReading
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.readers.files import read_batches
from shadowgraph.corpus.state import restore, state_of
from shadowgraph.corpus.tally import Tally
from shadowgraph.seeds import generator


def batch(texts: list[str], label: str = "d", path: str = "auto") -> Batch:
    return batch_of([Document(f"{label}{k}", "s", "f", "plain", text) for k, text in enumerate(texts)], path=path)


def prose(count: int, words: int = 60, seed: int = 0) -> list[str]:
    stream = generator(seed, "prose")
    kinds = np.array([f"term{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(600)])
    return [" ".join(stream.choice(kinds, words)) + "." for _ in range(count)]


def measured(*batches: Batch) -> ConcentrationReading:
    concentration = Concentration()
    for each in batches:
        concentration.update(each)
    return concentration.finish()


Rows = list[tuple[int, int]]
VALUES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 31)), max_size=60)


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES, VALUES, st.integers(1, 12))
def test_a_tally_counts_what_it_keeps_exactly(one: Rows, two: Rows, three: Rows, most: int) -> None:
    def tally(rows: Rows) -> Tally:
        made = Tally(most)
        for start in range(0, len(rows), 7):
            part = rows[start : start + 7]
            made.update(np.array([v for v, _ in part], np.uint64), np.array([s for _, s in part], np.int64))
            made.settle()
        return made

    whole = tally(one + two + three)
    left, right = tally(three), tally(two)
    left.merge(tally(two))
    left.merge(tally(one))
    right.merge(tally(three))
    other = tally(one)
    other.merge(right)
    for each in (left, other):
        assert all(np.array_equal(array, state_of(each)[name]) for name, array in state_of(whole).items())
    kept = whole.kept()
    counts = Counter(value for value, _ in one + two + three)
    assert whole.totals.sum() == sum(counts.values())
    assert len(kept.values) == min(most, len(counts))
    assert (kept.share == 1.0) == (len(counts) <= most)
    if kept.share == 1.0:
        assert sorted(kept.whole.tolist()) == sorted(counts.values())
        assert kept.sums(lambda c: c).sum() == sum(c * c for c in counts.values())
    else:
        assert not Counter(kept.whole.tolist()) - Counter(counts.values())


def test_a_full_tally_is_a_fair_sample_of_what_is_distinct() -> None:
    found = []
    for seed in range(80):
        values = generator(seed, "tally").integers(0, 2**63, 2000).astype(np.uint64)
        tally = Tally(200)
        tally.update(np.concatenate([values, values[:500]]), np.zeros(2500, np.int64))
        found.append(tally.kept().sums(lambda c: 1.0 / c).sum())
    assert np.mean(found) == pytest.approx(2000, abs=4 * np.std(found) / 80**0.5)
    assert np.std(found) < 2 * 2000 / 200**0.5


def test_the_interval_of_a_sample_covers_the_whole() -> None:
    stream = generator(0, "spectrum")
    values = np.repeat(stream.integers(0, 2**63, 1500), stream.integers(1, 9, 1500)).astype(np.uint64)
    shards = stream.integers(0, 32, len(values))
    whole = Concentration()
    whole.prompts.update(values, shards)
    exact = whole.finish()
    inside = 0
    for salt in range(40):
        part = Concentration(prompts=Tally(150))
        part.prompts.update(values ^ np.uint64(salt << 40), shards)
        found = part.finish().exact_duplicate_rate
        inside += (found.low or 1) <= (exact.exact_duplicate_rate.value or 0) <= (found.high or 0)
    assert inside >= 33  # of 40; 95 % were promised, chance below 33 is .0008


@pytest.mark.parametrize("count", [1, 5, 40])
def test_equal_prompts_count_as_many_as_they_are(count: int) -> None:
    reading = measured(batch(prose(count) * 6))
    assert reading.effective_prompts.value == pytest.approx(count)
    assert reading.exact_duplicate_rate.value == pytest.approx(5 / 6)
    assert reading.near_duplicate_rate.value == pytest.approx(5 / 6)
    assert (reading.kept_prompts, reading.kept_near, reading.kept_patterns) == (1.0, 1.0, 1.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 11), st.integers(1, 6))
def test_duplicates_raise_concentration(which: int, times: int) -> None:
    texts = prose(12, words=12)
    before, after = measured(batch(texts)), measured(batch(texts + [texts[which]] * times))
    assert before.exact_duplicate_rate.value == 0.0
    assert after.exact_duplicate_rate.value == pytest.approx(times / (12 + times))
    assert (after.near_duplicate_rate.value or 0) >= (after.exact_duplicate_rate.value or 1) - 1e-12
    assert (after.effective_prompts.value or 99) < (before.effective_prompts.value or 0)
    assert (after.effective_patterns.value or 99) < (before.effective_patterns.value or 0)


def test_near_copies_are_counted_and_exact_ones_are_not_needed() -> None:
    texts = prose(60, words=200)
    words = [text.split() for text in texts[:20]]
    for each in words:
        each[100] = "changed"  # 5 of about 196 shingles: similarity .95
    reading = measured(batch([*texts, *(" ".join(each) for each in words)]))
    assert reading.exact_duplicate_rate.value == 0.0
    assert reading.near_duplicate_rate.value == pytest.approx(20 / 80)
    assert (reading.near_duplicate_rate.low or 0) > 0.1
    assert measured(batch(["two words"])).near_duplicate_rate.status == "empty"


def test_near_copies_stay_together_in_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concentration, "SIGNATURES", 150)
    texts = prose(400, words=80)
    copies = [text.replace(text.split()[40], "changed", 1) for text in texts]
    held = Concentration(near=Tally(150))
    held.update(batch(texts + copies))
    reading = held.finish()
    assert reading.kept_near == pytest.approx(150 / 800, rel=0.3)
    assert 0.35 < (reading.near_duplicate_rate.value or 0) <= 0.5  # .5 in the whole; J = .88 of pairs stay together


def test_numbers_and_names_do_not_make_a_pattern_new() -> None:
    names = ["Tom", "Janet Smith", "Weng", "Ann"]
    texts = [f"{names[n % 4]} has {n * 7}.50 apples. How many apples are left?\nThe end is {n}" for n in range(16)]
    reading = measured(batch(texts))
    assert reading.effective_patterns.value == pytest.approx(3.0)
    assert reading.spectrum[16].value == 1.0
    assert sum(each.value or 0 for each in reading.spectrum.values()) == pytest.approx(1.0)
    other = measured(batch(["Tom has 3 apples.", "Tom has 3 pears.", "tom has 3 pears.", "4 5 6."]))
    assert other.effective_patterns.value == pytest.approx(3.0)


def test_a_prompt_is_what_the_caller_says() -> None:
    held = Concentration()
    held.update(batch(prose(8)), np.array([1, 1, 1, 1, 2, 2, 2, 2], np.uint64))
    reading = held.finish()
    assert reading.effective_prompts.value == pytest.approx(2.0)
    assert reading.exact_duplicate_rate.value == pytest.approx(6 / 8)


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(24)), st.integers(1, 23), st.sampled_from([5, 1000]))
def test_any_sharding_and_order_leave_equal_bytes(order: list[int], cut: int, most: int) -> None:
    texts = prose(20, words=9)
    whole = batch([*texts, texts[3], texts[3] + " more", "", "two words"])

    def fresh() -> Concentration:
        return Concentration(Tally(most), Tally(most), Tally(most))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(concentration, "SIGNATURES", most)
        expected, left, right, other = fresh(), fresh(), fresh(), fresh()
        expected.update(whole)
        for d in order[:cut]:
            left.update(whole.take(np.array([d])))
        right.update(whole.take(np.array(order[cut:])))
        restore(other, state_of(right))
        other.merge(left)
        left.merge(right)
        wanted = {name: array.tobytes() for name, array in state_of(expected).items()}
        for each in (left, other):
            assert {name: array.tobytes() for name, array in state_of(each).items()} == wanted
            assert each.finish() == expected.finish()


def test_both_paths_leave_equal_bytes() -> None:
    pytest.importorskip("numba", reason="the extra `corpus` is not installed: there is one path only")
    made = []
    for path in ("numba", "numpy"):
        held = Concentration()
        held.update(batch([*prose(20), "Tom has 4. é", "A\nb C d E"], path=path))
        made.append({name: array.tobytes() for name, array in state_of(held).items()})
    assert made[0] == made[1]


def test_nothing_is_measured_on_nothing() -> None:
    reading = Concentration().finish()
    assert {reading.effective_prompts.status, reading.near_duplicate_rate.status} == {"empty"}
    assert {each.status for each in reading.spectrum.values()} == {"empty"}


def test_a_program_help_repeats_its_lines_and_a_book_does_not() -> None:
    held = {name: Concentration() for name in ("libreoffice_help", "books")}
    for name, each in held.items():
        for part, _ in zip(read_batches([real_data("corpora", f"{name}.jsonl.gz")]), range(4), strict=False):
            each.update(part)
    pages, book = (each.finish() for each in held.values())
    assert (pages.spectrum[1].high or 1) < (book.spectrum[1].low or 0)
    assert (pages.near_duplicate_rate.value or 0) > (book.near_duplicate_rate.value or 0)
    sizes = [each.patterns.totals.sum() for each in held.values()]
    assert (pages.effective_patterns.value or 9e9) / sizes[0] < 0.5 < (book.effective_patterns.value or 0) / sizes[1]
