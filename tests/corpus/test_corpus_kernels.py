"""The compiled kernels and their array twins give the same bytes, and both say what a plain program says."""

import itertools
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shadowgraph.corpus.batch import LONGEST, Batch, batch_of, cut_points
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.features import KINDS, Profile, format_bins
from shadowgraph.corpus.kernels import kernels
from shadowgraph.corpus.kernels.constants import BUCKETS, EVENTS, hash_word
from shadowgraph.corpus.near import bin_minima, densify, near_pairs
from shadowgraph.corpus.ngrams import build_index

pytest.importorskip("numba", reason="the extra `corpus` is not installed: there is one path only")
NUMBA, NUMPY = kernels("numba"), kernels("numpy")
PIECES = st.sampled_from(
    ["Question: ", "q 3:", "\n", " ", "A. ", "(b) ", "C)", "12", "= ", "____", "#### ", "the answer is ", "\\boxed{2}",
     "Step 4 ", "7) ", "é", "日本", "?", ".", "word", "Zebra", "\t", "(1+2) =", "}"]
)  # fmt: skip
TEXTS = st.lists(st.lists(PIECES, max_size=12).map("".join), min_size=1, max_size=6)


def batch(texts: list[str], path: str = "auto", limit: int | None = None) -> Batch:
    documents = [Document(str(i), "s", "f", "plain", text) for i, text in enumerate(texts)]
    return batch_of(documents, limit=limit, path=path)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_both_paths_give_the_same_bytes(texts: list[str]) -> None:
    one, two = batch(texts, "numba"), batch(texts, "numpy")
    for mine, theirs in zip(one.words, two.words, strict=True):
        assert mine.tolist() == theirs.tolist()
    words, ends = one.words
    events = [path.format_events(one.buffer, one.offsets, KINDS) for path in (NUMBA, NUMPY)]
    assert events[0].tolist() == events[1].tolist()
    table = np.arange(BUCKETS, dtype=np.int32) - 30_000
    assert NUMBA.score_grams(words, ends, table).tolist() == NUMPY.score_grams(words, ends, table).tolist()
    counts = np.zeros((2, 2, BUCKETS), np.int64)
    rows = np.arange(len(texts)) % 2
    for path, into in zip((NUMBA, NUMPY), counts, strict=True):
        path.count_grams(words, ends, rows, into)
    assert np.array_equal(counts[0], counts[1])
    assert counts[0].sum() == 2 * len(words) - np.count_nonzero(np.diff(ends))
    assert np.array_equal(NUMBA.bin_minima(words, ends, 2, 3), NUMPY.bin_minima(words, ends, 2, 3))
    index = build_index([words[a:b] for a, b in itertools.pairwise(ends)], 3)
    found = [p.find_grams(words, ends, 3, index.bitmap, index.slots, index.grams) for p in (NUMBA, NUMPY)]
    assert [each.tolist() for each in found[0]] == [each.tolist() for each in found[1]]
    assert len(found[0][0]) == sum(max(0, n - 2) for n in np.diff(ends))


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_words_are_runs_of_letters_digits_and_high_bytes(texts: list[str]) -> None:
    expected = [[hash_word(w) for w in re.findall(rb"[A-Za-z0-9\x80-\xff]+", text.encode())] for text in texts]
    words, ends = batch(texts).words
    assert [words[a:b].tolist() for a, b in itertools.pairwise(ends)] == expected


def test_case_and_punctuation_do_not_change_words() -> None:
    words, ends = batch(["The cat, sat!", "THE CAT SAT", "the cats at"]).words
    assert words[: ends[1]].tolist() == words[ends[1] : ends[2]].tolist()
    assert words[: ends[1]].tolist() != words[ends[2] :].tolist()


def test_format_events_of_a_text_that_has_them_all() -> None:
    text = "Question: Is 5 = 5? ____\nA. x\n (b) y\nC) z\n#### 18\nThe Answer is 4 \\boxed{4}\nStep 3 go\n1. a\nq 1: x"
    row = dict(zip(EVENTS, NUMPY.format_events(*_bytes(text), KINDS)[0].tolist(), strict=True))
    assert row == {
        "option_lines": 3, "labels": 2, "blanks": 1, "final_answers": 3, "steps": 2, "equations": 1,
        "digits": 9, "questions": 1, "lines": 9, "open_end": 1,
    }  # fmt: skip
    assert format_bins(batch([text, "Prose that ends."])).shape == (2, 11)


def _bytes(text: str) -> tuple[np.ndarray, np.ndarray]:
    one = batch([text])
    return one.buffer, one.offsets


@settings(max_examples=80, deadline=None)
@given(st.text(st.sampled_from("ab é\n日"), max_size=80), st.integers(1, 12))
def test_pieces_are_short_and_together_the_whole(text: str, limit: int) -> None:
    cut = {path: list(batch([text, "x"], path, limit).documents()) for path in ("numba", "numpy")}
    assert cut["numba"] == cut["numpy"]
    pieces = [piece for piece in cut["numba"] if piece.id.split("#")[0] == "0"]
    assert "".join(piece.text for piece in pieces) == text
    assert all(len(piece.text) <= limit for piece in pieces)
    names = [piece.id for piece in pieces]
    assert names == (["0"] if len(pieces) == 1 else [f"0#{k}" for k in range(1, len(pieces) + 1)])


def test_cuts_prefer_paragraphs_then_lines_then_spaces() -> None:
    assert cut_points("aa\n\nb\nc dd", 8) == [4, 10]
    assert cut_points("aaa\nb c dd", 8) == [4, 10]
    assert cut_points("aaabb c dd", 9) == [8, 10]
    assert cut_points("aaabbccddd", 9) == [9, 10]
    assert LONGEST == 4000


def test_pieces_of_one_document_share_its_shard_key() -> None:
    pieces = batch(["word " * 5000], limit=LONGEST)
    assert len(pieces) == 7
    assert len(set(pieces.keys.tolist())) == 1


@pytest.mark.parametrize("path", ["numba", "numpy"])
def test_profiles_add_up_in_any_order(path: str) -> None:
    texts = [f"Question: number {n} is {n * n}\nAnswer: {n}" for n in range(40)]
    whole, left, right = Profile(), Profile(), Profile()
    everything = batch(texts, path)
    whole.update(everything)
    left.update(everything.take(np.arange(25, 40)))
    right.update(everything.take(np.arange(25)))
    left.merge(right)
    for name in ("grams", "formats", "documents", "words", "bytes"):
        assert np.array_equal(getattr(whole, name), getattr(left, name)), name
    assert whole.bytes.sum() == sum(len(text) for text in texts)


def signatures(texts: list[str]) -> NDArray[np.uint64]:
    return densify(bin_minima(batch(texts)))


def test_near_duplicates_are_found_and_strangers_are_not() -> None:
    text = " ".join(f"w{n % 97}{n * n % 89}" for n in range(300))
    close = text.replace("w5", "v5", 3)
    other = " ".join(f"u{n * 7 % 101}" for n in range(300))
    pairs = near_pairs(signatures([text, close, other, "too short"]))
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 1)]
    assert pairs[0].similarity > 0.8
    both = near_pairs(signatures([text, other]), signatures([other]))
    assert [(pair.first, pair.second, pair.similarity) for pair in both] == [(1, 0, 1.0)]


def test_scanned_rows_are_what_a_json_parser_reads() -> None:
    from shadowgraph.corpus.kernels.rows import scan_rows
    from shadowgraph.corpus.readers.lines import _key_hash  # pyright: ignore[reportPrivateUsage]

    keys = np.array([_key_hash("text"), _key_hash("id")], np.uint64)
    rows = [
        {"text": 'é "q" \\ \n\t\b\f\r/ \U0001f600', "id": 7, "z": None, "y": True},
        {"id": "a", "text": ""},
        {"n": -12, "text": "日本"},
    ]
    for ascii_only in (True, False):
        data = "\n\n".join(json.dumps(row, ensure_ascii=ascii_only) for row in rows).encode()
        flat, numbers, spans, texts, others = scan_rows(np.frombuffer(data, np.uint8), keys)
        assert flat
        assert numbers.tolist() == [1, 3, 5]
        assert [texts[a:b].tobytes().decode() for a, b in spans[:, 0]] == [row["text"] for row in rows]
        assert [others[a:b].tobytes().decode() if a >= 0 else None for a, b in spans[:, 1]] == ["7", "a", None]
    for bad in (
        '{"text":"a"',
        '{"text":1}',
        '{"text":"a","text":"b"}',
        '{"text":"\\ud800"}',
        "[1]",
        '{"text":"a",}',
        '{"text":"a"} x',
        '{"a":1.5,"text":"b"}',
        '{"text":"a\tb"}',
        '{"id":null,"text":"a"}',
        '{"x":01}',
    ):
        assert not scan_rows(np.frombuffer(bad.encode(), np.uint8), keys)[0], bad
