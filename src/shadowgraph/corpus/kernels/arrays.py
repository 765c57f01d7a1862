"""The kernels as array arithmetic: what is used where numba is not installed, and what the compiled twins must equal.

Here live: hashing words, counting and scoring n-grams, finding n-grams of an index, minima of shingles, format events.
Not here: what the numbers mean (`features`, `contamination`).

All arithmetic is in integers modulo 2^64, so both paths give the same bytes, in any order and over any shards.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.kernels.constants import (
    BASE,
    BUCKET_SHIFT,
    BUCKETS,
    EVENTS,
    GRAM,
    LABELS,
    LOWER,
    PAIR,
    SPREAD,
)

NAME = "numpy"
_PIECE = 1 << 20  # bytes hashed at once; bounds the memory of the wide intermediate arrays


def word_hashes(buffer: NDArray[np.uint8], offsets: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hash every word: h = Σ b_i · BASE^(last − i) modulo 2^64 over its lower-cased bytes.

    BASE is odd and has an inverse, so the hash of a word is a difference of running sums of b_i · BASE^(−i), scaled.

    Args:
        buffer: UTF-8 bytes of the documents.
        offsets: (n+1,) document d is buffer[offsets[d]:offsets[d+1]].

    Returns:
        (w,) hashes in the order of the text, and (n+1,) with words[ends[d]:ends[d+1]] of document d.
    """
    hashes: list[NDArray[np.uint64]] = []
    ends = np.zeros(len(offsets), np.int64)
    first = 0
    while first < len(offsets) - 1:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + _PIECE, "right")) - 1)
        piece, owner = _hash_piece(buffer[offsets[first] : offsets[last]], offsets[first : last + 1] - offsets[first])
        hashes.append(piece)
        ends[first + 1 : last + 1] = np.bincount(owner, minlength=last - first)
        first = last
    return np.concatenate(hashes) if hashes else np.zeros(0, np.uint64), np.cumsum(ends)


def _hash_piece(buffer: NDArray[np.uint8], offsets: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of the words of a few documents, and the document of each."""
    letters = LOWER[buffer]
    inside = np.zeros(len(buffer) + 1, bool)
    inside[:-1] = letters > 0
    border = np.zeros(len(buffer) + 1, bool)
    border[offsets] = True
    before = np.concatenate([[False], inside[:-1]])
    starts = np.flatnonzero(inside & (~before | border))
    stops = np.flatnonzero(before & (~inside | border))
    inverse = np.uint64(pow(int(BASE), -1, 1 << 64))
    powers = np.cumprod(np.full(len(buffer) + 1, BASE))  # BASE^(i+1)
    shrinking = np.cumprod(np.full(len(buffer) + 1, inverse))
    sums = np.concatenate([[np.uint64(0)], np.cumsum(letters.astype(np.uint64) * shrinking[:-1])])
    hashes = (sums[stops] - sums[starts]) * powers[stops - 1]
    owner = np.searchsorted(offsets, starts, "right") - 1
    kept = hashes != 0
    return hashes[kept], owner[kept].astype(np.int64)


def _buckets(
    words: NDArray[np.uint64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Buckets of single words and of pairs, with the document of each."""
    owner = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    single = ((words * SPREAD) >> BUCKET_SHIFT).astype(np.int64)
    same = owner[1:] == owner[:-1]
    pair = (((words[:-1] * PAIR + words[1:]) * SPREAD) >> BUCKET_SHIFT).astype(np.int64)[same]
    return single, owner, pair, owner[1:][same]


def count_grams(
    words: NDArray[np.uint64], ends: NDArray[np.int64], rows: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    """Add the 1- and 2-gram buckets of every document to a row of counts.

    Args:
        words: (w,) word hashes.
        ends: (n+1,) bounds of the documents in `words`.
        rows: (n,) the row of each document.
        counts: (r, BUCKETS) int64, changed in place.
    """
    single, owner, pair, pair_owner = _buckets(words, ends)
    places = np.concatenate([rows[owner] * BUCKETS + single, rows[pair_owner] * BUCKETS + pair])
    counts += np.bincount(places, minlength=counts.size).reshape(counts.shape)


def score_grams(words: NDArray[np.uint64], ends: NDArray[np.int64], table: NDArray[np.int32]) -> NDArray[np.int64]:
    """Sum a table of fixed-point weights over the 1- and 2-grams of every document.

    Args:
        words: (w,) word hashes.
        ends: (n+1,) bounds of the documents.
        table: (BUCKETS,) weights.

    Returns:
        (n,) sums, exact.
    """
    single, _, pair, pair_owner = _buckets(words, ends)
    running = np.concatenate([[0], np.cumsum(table[single], dtype=np.int64)])
    pairs = np.concatenate([[0], np.cumsum(table[pair], dtype=np.int64)])
    bounds = np.searchsorted(pair_owner, np.arange(len(ends)))
    return np.diff(running[ends]) + np.diff(pairs[bounds])


def _windows(
    words: NDArray[np.uint64], ends: NDArray[np.int64], n: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Hashes of all n-word windows inside documents, with document and place."""
    count = max(0, len(words) - n + 1)
    grams = np.zeros(count, np.uint64)
    for k in range(n):
        grams = grams * GRAM + words[k : k + count]
    owner = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    inside = np.flatnonzero(owner[:count] == owner[n - 1 : n - 1 + count]) if count else np.zeros(0, np.int64)
    docs = owner[inside]
    return grams[inside], docs, inside - ends[docs]


def find_grams(
    words: NDArray[np.uint64],
    ends: NDArray[np.int64],
    n: int,
    bitmap: NDArray[np.uint64],
    slots: NDArray[np.int32],
    grams: NDArray[np.uint64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Find every n-gram of an index in the documents.

    Args:
        words: (w,) word hashes.
        ends: (n+1,) bounds of the documents.
        n: words of a gram.
        bitmap: (b,) filter in front of the index, b a power of two; used by the compiled twin.
        slots: (s,) open-addressed places, s a power of two; used by the compiled twin.
        grams: (g,) hashes of the index, ascending.

    Returns:
        Document, place (first word inside the document) and number of the gram for every hit, in the order of the text.
    """
    found, docs, places = _windows(words, ends, n)
    if not len(grams) or not len(found):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    number = np.minimum(np.searchsorted(grams, found), len(grams) - 1)
    hit = grams[number] == found
    return docs[hit], places[hit], number[hit].astype(np.int64)


def fill_slots(grams: NDArray[np.uint64], slots: NDArray[np.int32]) -> None:
    """Leave the table empty: the search by halves needs none."""


def bin_minima(words: NDArray[np.uint64], ends: NDArray[np.int64], n: int, bits: int) -> NDArray[np.uint64]:
    """Smallest hash of a document's n-word shingles in each of 2^bits bins (one-permutation MinHash).

    Args:
        words: (w,) word hashes.
        ends: (d+1,) bounds of the documents.
        n: words of a shingle.
        bits: log₂ of the number of bins.

    Returns:
        (d, 2^bits) minima; all ones where a bin is empty.
    """
    grams, docs, _ = _windows(words, ends, n)
    mixed = (grams ^ (grams >> np.uint64(32))) * SPREAD
    mixed ^= mixed >> np.uint64(29)
    out = np.full((len(ends) - 1) << bits, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(out, (docs << bits) + (mixed >> np.uint64(64 - bits)).astype(np.int64), mixed * SPREAD)
    return out.reshape(len(ends) - 1, 1 << bits)


def format_events(buffer: NDArray[np.uint8], offsets: NDArray[np.int64], kinds: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the events of the format fingerprint, in the order of `constants.EVENTS`.

    Args:
        buffer: UTF-8 bytes of the documents.
        offsets: (n+1,) bounds of the documents.
        kinds: (256,) what a byte may begin; used by the compiled twin.

    Returns:
        (n, events) counts.
    """
    text = buffer.tobytes()
    rows = [_events(text[start:stop]) for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    return np.array(rows, np.int64).reshape(len(rows), len(EVENTS))


_BLANK = bytes(range(33))
_OPTION = re.compile(rb"(?:\([A-Ja-j]\)|[A-J][.):])(?:[\x00-\x20]|\Z)")
_LABEL = re.compile(rb"(?i)(?:" + "|".join(LABELS).encode() + rb")[ 0-9]{0,8}:")
_STEP = re.compile(rb"[0-9]{1,3}[.)](?:[\x00-\x20]|\Z)|(?i:step) [0-9]")
_FINAL = re.compile(rb"(?i)answer is|\\boxed\{")


def _events(text: bytes) -> tuple[int, ...]:
    """The events of one document, by regular expressions."""
    opened = [stripped for line in text.split(b"\n") if (stripped := line.lstrip(_BLANK))]
    whole = text.rstrip(_BLANK)
    return (
        sum(_OPTION.match(line) is not None for line in opened),
        sum(_LABEL.match(line) is not None for line in opened),
        len(re.findall(rb"__+", text)),
        sum(line.startswith(b"####") for line in opened) + len(_FINAL.findall(text)),
        sum(_STEP.match(line) is not None for line in opened),
        len(re.findall(rb"[0-9)\]] *=", text)),
        len(re.findall(rb"[0-9]", text)),
        text.count(b"?"),
        len(opened),
        int(bool(whole) and whole[-1:] not in b".!?\"')}"),
    )
