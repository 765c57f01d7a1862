"""Coverage: known values on built corpora, Vendi by definition, mixtures, anchors, any order the same bytes."""

import hashlib

import numpy as np
import pytest
from corpus_data import real_data
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.corpus.batch import Batch, batch_of
from shadowgraph.corpus.codebook import cells, directions
from shadowgraph.corpus.coverage import Coverage, choose_anchors
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.kernels import describing
from shadowgraph.corpus.kernels.function_words import FUNCTION_WORDS
from shadowgraph.corpus.readers.files import read_batches
from shadowgraph.corpus.sketch import UNIT, held_out, sketches
from shadowgraph.corpus.state import restore, state_of
from shadowgraph.errors import SpecError
from shadowgraph.seeds import generator

PIECES = st.sampled_from(
    ["Tom", "tom", " has", " ", "\n", ". ", "? ", "12", "3.5", "the", "The", "é", "日本", "Ann", "x9", "-", "word", "."]
)
TEXTS = st.lists(st.lists(PIECES, max_size=14).map("".join), min_size=1, max_size=8)


def batch(texts: list[str], label: str = "d", path: str = "auto") -> Batch:
    return batch_of([Document(f"{label}{k}", "s", "f", "plain", text) for k, text in enumerate(texts)], path=path)


def clusters(count: int) -> list[str]:
    """Texts without a common word that lie in different cells."""
    texts = [" ".join(f"w{n}v{k}" for k in range(40)) for n in range(4 * count)]
    _, first = np.unique(cells(sketches(batch(texts))), return_index=True)
    assert len(first) >= count
    return [texts[k] for k in first[:count]]


def measured(*batches: Batch) -> Coverage:
    coverage = Coverage()
    for each in batches:
        coverage.update(each)
    coverage.settle()
    return coverage


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_both_paths_give_the_same_bytes(texts: list[str]) -> None:
    pytest.importorskip("numba", reason="the extra `corpus` is not installed: there is one path only")
    one, two = describing("numba"), describing("numpy")
    held = batch(texts)
    words, ends = held.words
    assert np.array_equal(one.sign_sums(words, ends), two.sign_sums(words, ends))
    assert np.array_equal(one.text_hashes(words, ends), two.text_hashes(words, ends))
    for limit in (np.uint64(1 << 62), np.uint64((1 << 64) - 1)):
        found = [path.sample_places(ends, held.keys, limit) for path in (one, two)]
        assert [each.tolist() for each in found[0]] == [each.tolist() for each in found[1]]
    found = [path.template_hashes(held.buffer, held.offsets) for path in (one, two)]
    assert [each.tolist() for each in found[0]] == [each.tolist() for each in found[1]]
    counts = np.zeros((2, 2, 1 << 16), np.int64)
    for path, into in zip((one, two), counts, strict=True):
        path.count_words(words, ends, np.arange(len(texts)) % 2, into)
    assert np.array_equal(counts[0], counts[1])
    assert counts[0].sum() == len(words)


def test_what_is_published_does_not_move() -> None:
    """Digests of version 1; another value means that published numbers no longer compare: raise the versions."""
    digest = hashlib.sha256(directions().astype(np.int8).tobytes()).hexdigest()[:16]
    assert digest == "91079cb84e1f36e2"
    made = sketches(batch(["Quiet rivers carry green boats past the old mill, and 7 herons wait."]))
    assert hashlib.sha256(made.astype("<i2").tobytes()).hexdigest()[:16] == "5c0bf4e04753320c"
    assert abs(directions().mean()) < 0.02


def test_a_sketch_is_a_direction_of_content_words() -> None:
    made = sketches(batch(["green boats on the river", "River boats, green!", "of the and", "", "boats boats boats"]))
    assert made[0].tolist() == made[1].tolist()
    assert not made[2].any()
    assert not made[3].any()
    assert np.linalg.norm(made[[0, 4]].astype(float), axis=1) == pytest.approx([UNIT, UNIT], rel=1e-3)
    assert not sketches(batch([" ".join(FUNCTION_WORDS)])).any()


def test_cosines_of_sketches_estimate_shared_words() -> None:
    stream = generator(0, "overlap")
    found: list[float] = []
    for n in range(60):
        words = [f"q{n}x{k}" for k in range(150)]
        one, two = " ".join(words[:100]), " ".join(stream.permutation(words[50:]))
        a, b = sketches(batch([one, two])).astype(float)
        found.append(float(a @ b) / UNIT**2)
    assert np.mean(found) == pytest.approx(0.5, abs=4 * np.std(found) / len(found) ** 0.5)
    assert np.std(found) < 0.09


@pytest.mark.parametrize("count", [1, 2, 7, 30])
def test_equal_clusters_count_as_many_as_they_are(count: int) -> None:
    reading = measured(batch(clusters(count) * 8)).finish()
    assert reading.effective_clusters.value == pytest.approx(count, rel=1e-9)
    assert reading.documents == 8 * count
    assert reading.vendi.value == pytest.approx(count, rel=0.1)
    if count == 1:
        assert reading.vendi_inf.value == pytest.approx(1.0)


def test_vendi_is_that_of_the_matrix_of_all_pairs() -> None:
    stream = generator(3, "vendi")
    vocabulary = np.array([f"t{n}" for n in range(60)])
    held = batch([" ".join(stream.choice(vocabulary, 12)) for _ in range(90)])
    reading = measured(held).finish()
    rows = sketches(held).astype(float)
    values = np.linalg.eigvalsh(rows @ rows.T / (rows**2).sum())
    values = values[values > 1e-12]
    assert reading.vendi.value == pytest.approx(np.exp(-(values * np.log(values)).sum()), rel=1e-9)
    assert reading.vendi_inf.value == pytest.approx(1 / values.max(), rel=1e-9)
    for each in (reading.vendi, reading.vendi_inf, reading.effective_clusters):
        assert each.status == "ok"
        assert (each.low or 0) <= (each.value or 0) <= (each.high or 0)


COUNTS = st.lists(st.integers(0, 9), min_size=6, max_size=6)


@settings(max_examples=80, deadline=None)
@given(COUNTS, COUNTS)
def test_a_mixture_holds_no_fewer_clusters_than_its_parts_on_average(one: list[int], two: list[int]) -> None:
    parts = [Coverage(), Coverage()]
    for part, counts in zip(parts, (one, two), strict=True):
        part.cells[0, : len(counts)] = counts
    values = [part.finish().effective_clusters.value for part in parts]
    sizes = np.array([sum(one), sum(two)])
    parts[0].merge(parts[1])
    both = parts[0].finish().effective_clusters.value
    if sizes.min() == 0:
        assert both == max((value for value in values if value is not None), default=None)
        return
    logs = np.log(np.array(values, float))
    assert np.log(both or 0.0) >= (logs @ sizes) / sizes.sum() - 1e-9


def test_a_mixture_of_unlike_corpora_holds_more() -> None:
    texts = clusters(8)
    one, two = batch(texts[:4] * 9, "a"), batch(texts[4:] * 9, "b")
    apart = [measured(each).finish() for each in (one, two)]
    both = measured(one, two).finish()
    assert both.effective_clusters.value == pytest.approx(8.0)
    assert (both.vendi.value or 0) > 1.5 * max(each.vendi.value or 0 for each in apart)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(12)), st.integers(1, 11), st.integers(0, 10))
def test_any_sharding_and_order_leave_equal_bytes(order: list[int], cut: int, second: int) -> None:
    texts = [f"alpha{n} beta{n % 5} gamma{n % 3} the" for n in range(11)] + ["the of"]
    whole = batch(texts)
    anchors = choose_anchors([batch([f"alpha{n} gamma1 delta" for n in range(300)], "anchor")])
    pieces = [whole.take(np.array(order[:cut])), whole.take(np.array(order[cut:]))]
    expected = Coverage(anchors)
    expected.update(whole)
    parts = [Coverage(anchors) for _ in range(3)]
    for number, piece in enumerate(pieces):
        for d in range(len(piece)):
            parts[(number + d * (second % 2)) % 3].update(piece.take(np.array([d])))
    left = Coverage(anchors)  # (a + b) + c against a + (b + c)
    restore(left, state_of(parts[0]))
    left.merge(parts[1])
    left.merge(parts[2])
    parts[1].merge(parts[2])
    parts[0].merge(parts[1])
    wanted = {name: array.tobytes() for name, array in state_of(expected).items()}
    assert {name: array.tobytes() for name, array in state_of(left).items()} == wanted
    assert {name: array.tobytes() for name, array in state_of(parts[0]).items()} == wanted
    assert left.finish() == expected.finish()


def test_anchors_are_held_out_and_never_cover_themselves() -> None:
    pool = batch([f"topic{n % 40} word{n} other{n}" for n in range(2000)])
    away = held_out(pool)
    assert 10 < away.sum() < 70  # 2000 / 64 = 31
    anchors = choose_anchors([pool])
    halves = choose_anchors([pool.take(np.arange(1000, 2000)), pool.take(np.arange(1000))])
    assert anchors.keys.tolist() == halves.keys.tolist()
    assert len(anchors.keys) == away.sum()
    assert set(anchors.keys.tolist()) == set(pool.keys[away].tolist())
    everything, alone = Coverage(anchors), Coverage(anchors)
    everything.update(pool)
    assert everything.finish().documents == 2000 - away.sum()
    alone.update(pool.take(np.flatnonzero(away)))
    assert alone.finish().anchor_coverage.status == "empty"
    copies = Coverage(anchors)
    copies.update(batch([pool.text(d) for d in np.flatnonzero(away).tolist()], "copy"))
    near, same = everything.finish().anchor_coverage, copies.finish().anchor_coverage
    assert same.value == pytest.approx(1.0, abs=1e-3)
    assert 0.2 < (near.value or 0) < 0.6
    few = Coverage(anchors)
    few.update(pool.take(np.flatnonzero(~away)[:50]))
    assert (few.finish().anchor_coverage.value or 1) < (near.value or 0)
    assert Coverage().finish().anchor_coverage.status == "no_anchors"
    with pytest.raises(SpecError, match="different anchors"):
        few.merge(Coverage())
    with pytest.raises(SpecError, match="at least one"):
        choose_anchors([pool], 0)


def test_nothing_is_measured_on_nothing() -> None:
    reading = Coverage().finish()
    assert {reading.effective_clusters.status, reading.vendi.status, reading.vendi_inf.status} == {"empty"}
    blank = measured(batch(["", "of the"])).finish()
    assert (blank.documents, blank.blank) == (0, 2)
    few = measured(batch(["green boats"])).finish()
    assert few.effective_clusters.status == "few_shards"


def test_one_manual_covers_less_than_many_sources() -> None:
    names = ("libreoffice_help", "wordnet_glosses", "books", "linux_docs")
    parts: dict[str, Coverage] = {}
    for name in names:
        paths = [real_data("corpora", f"{name}.jsonl.gz")]
        parts[name] = measured(*(each for each, _ in zip(read_batches(paths), range(4), strict=False)))
    found = {name: part.finish() for name, part in parts.items()}
    both = Coverage()
    for part in parts.values():
        both.merge(part)
    manual, wide = found["libreoffice_help"], both.finish()
    assert (manual.effective_clusters.high or 0) < (wide.effective_clusters.low or 0) - 20
    assert (manual.vendi.high or 0) < (wide.vendi.low or 0)
    assert (manual.vendi_inf.high or 0) < (found["wordnet_glosses"].vendi_inf.low or 0)
