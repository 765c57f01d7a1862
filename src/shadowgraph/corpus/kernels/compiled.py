"""The kernels as machine code: loops over bytes and words that numba compiles at first use.

Here live: the compiled twins of `arrays`; every function gives the same bytes as its twin there, where it is explained.
Not here: what the numbers mean (`features`, `contamination`), and the choice between the two (`kernels`).

The code is compiled lazily and kept in the user's cache folder, so that only the first call on a machine waits.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false, reportMissingImports=false, reportArgumentType=false
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numba.core.config
import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.kernels.constants import (
    ADDEND,
    BUCKET_SHIFT,
    EVENTS,
    FACTOR,
    GRAM,
    LABEL_HASHES,
    PAIR,
    SPREAD,
    STEP_HASH,
)

NAME = "numba"
_CONFIG: Any = numba.core.config
_Function = TypeVar("_Function", bound=Callable[..., Any])
_ZERO, _ONE, _LOW, _STEP = np.uint64(0), np.uint64(1), np.uint64(63), np.uint64(6)


def kernel(function: _Function) -> _Function:
    """Mark a function for compilation at its first call; the code is cached on disk for the next process.

    The folder is NUMBA_CACHE_DIR when that is set, else one of ours in the user's cache.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    before = _CONFIG.CACHE_DIR
    _CONFIG.CACHE_DIR = before or str(home / "shadowgraph" / "kernels")
    try:
        compiled: Any = numba.njit(cache=True, nogil=True)(function)
        return compiled
    finally:
        _CONFIG.CACHE_DIR = before


@kernel
def word_hashes(buffer: NDArray[np.uint8], offsets: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hash every word; two bytes a step halve the chain of multiplications, and no branch asks for a word's end."""
    count = offsets.size - 1
    out = np.empty((offsets[count] - offsets[0]) // 2 + count + 2, np.uint64)
    ends = np.zeros(count + 1, np.int64)
    n = np.uintp(0)  # unsigned indices spare the test for negative ones
    two, one = np.uintp(2), np.uintp(1)
    for d in range(count):
        i, stop = np.uintp(offsets[d]), np.uintp(offsets[d + 1])
        h = _ZERO
        while i + one < stop:
            b1, b2 = buffer[i], buffer[i + one]
            m1, a1 = FACTOR[b1], ADDEND[b1]
            m2, a2 = FACTOR[b2], ADDEND[b2]
            out[n] = h
            n += np.uintp((h != _ZERO) & (m1 == _ZERO))
            middle = h * m1 + a1
            out[n] = middle
            n += np.uintp((middle != _ZERO) & (m2 == _ZERO))
            h = h * (m1 * m2) + (a1 * m2 + a2)
            i += two
        if i < stop:
            out[n] = h
            n += np.uintp((h != _ZERO) & (FACTOR[buffer[i]] == _ZERO))
            h = h * FACTOR[buffer[i]] + ADDEND[buffer[i]]
        if h != _ZERO:
            out[n] = h
            n += one
        ends[d + 1] = n
    return out[:n], ends


@kernel
def count_grams(
    words: NDArray[np.uint64], ends: NDArray[np.int64], rows: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    """Add the buckets of document d to counts[rows[d]].

    Args:
        words: word hashes.
        ends: bounds of the documents.
        rows: row of each document.
        counts: changed in place.
    """
    for d in range(ends.size - 1):
        row = counts[rows[d]]
        for k in range(ends[d], ends[d + 1]):
            w = words[k]
            row[(w * SPREAD) >> BUCKET_SHIFT] += 1
            if k > ends[d]:
                row[((words[k - 1] * PAIR + w) * SPREAD) >> BUCKET_SHIFT] += 1


@kernel
def score_grams(words: NDArray[np.uint64], ends: NDArray[np.int64], table: NDArray[np.int32]) -> NDArray[np.int64]:
    """Sum the table over the buckets of each document."""
    sums = np.zeros(ends.size - 1, np.int64)
    for d in range(ends.size - 1):
        total = np.int64(0)
        if ends[d] < ends[d + 1]:
            total += table[(words[ends[d]] * SPREAD) >> BUCKET_SHIFT]
        for k in range(ends[d] + 1, ends[d + 1]):
            w = words[k]
            total += table[(w * SPREAD) >> BUCKET_SHIFT]
            total += table[((words[k - 1] * PAIR + w) * SPREAD) >> BUCKET_SHIFT]
        sums[d] = total
    return sums


@kernel
def find_grams(
    words: NDArray[np.uint64],
    ends: NDArray[np.int64],
    n: int,
    bitmap: NDArray[np.uint64],
    slots: NDArray[np.int32],
    grams: NDArray[np.uint64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Find the n-grams of an index: a bitmap that fits the cache stops most windows, a table decides.

    Args:
        words: word hashes.
        ends: bounds of the documents.
        n: words of a gram.
        bitmap: filter in front of the table.
        slots: open-addressed table.
        grams: hashes of the index.

    Returns:
        Document, place and number of the gram for every hit.
    """
    room = 1024
    docs, places, found = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    count = 0
    drop = _ONE
    for _ in range(n):
        drop = drop * GRAM
    bits, size = _ZERO, bitmap.size
    while size > 1:
        size >>= 1
        bits += _ONE
    block_shift = np.uint64(64) - bits
    mask = np.uint64(slots.size - 1)
    for d in range(ends.size - 1):
        start = ends[d]
        g = _ZERO
        for k in range(start, ends[d + 1]):
            g = g * GRAM + words[k]
            if k - start >= n:
                g -= words[k - n] * drop
            if k - start < n - 1:
                continue
            s = g * SPREAD
            wanted = (_ONE << (s & _LOW)) | (_ONE << ((s >> _STEP) & _LOW)) | (_ONE << ((s >> np.uint64(12)) & _LOW))
            if bitmap[s >> block_shift] & wanted != wanted:
                continue
            slot = (s >> np.uint64(20)) & mask
            while slots[slot] >= 0 and grams[slots[slot]] != g:
                slot = (slot + _ONE) & mask
            if slots[slot] < 0:
                continue
            if count == room:
                room *= 2
                docs = np.concatenate((docs, np.empty_like(docs)))
                places = np.concatenate((places, np.empty_like(places)))
                found = np.concatenate((found, np.empty_like(found)))
            docs[count], places[count], found[count] = d, k - start - (n - 1), slots[slot]
            count += 1
    return docs[:count].copy(), places[:count].copy(), found[:count].copy()


@kernel
def fill_slots(grams: NDArray[np.uint64], slots: NDArray[np.int32]) -> None:
    """Place every gram in an open-addressed table, in order."""
    mask = np.uint64(slots.size - 1)
    for g in range(grams.size):
        slot = ((grams[g] * SPREAD) >> np.uint64(20)) & mask
        while slots[slot] >= 0:
            slot = (slot + _ONE) & mask
        slots[slot] = g


@kernel
def bin_minima(words: NDArray[np.uint64], ends: NDArray[np.int64], n: int, bits: int) -> NDArray[np.uint64]:
    """Smallest hash of a document's n-word shingles in each of 2^bits bins.

    Args:
        words: word hashes.
        ends: bounds of the documents.
        n: words of a shingle.
        bits: log₂ of the number of bins.

    Returns:
        A row of minima for each document.
    """
    out = np.full((ends.size - 1, 1 << bits), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64)
    drop = _ONE
    for _ in range(n):
        drop = drop * GRAM
    shift = np.uint64(64 - bits)
    for d in range(ends.size - 1):
        start = ends[d]
        g = _ZERO
        for k in range(start, ends[d + 1]):
            g = g * GRAM + words[k]
            if k - start >= n:
                g -= words[k - n] * drop
            if k - start < n - 1:
                continue
            s = (g ^ (g >> np.uint64(32))) * SPREAD
            s ^= s >> np.uint64(29)
            bin_ = s >> shift
            value = s * SPREAD
            if value < out[d, bin_]:
                out[d, bin_] = value
    return out


@kernel
def _is_digit(b: int) -> bool:
    """Whether a byte is an ASCII digit."""
    return 48 <= b <= 57


@kernel
def _line_start(buffer: NDArray[np.uint8], i: int, row: NDArray[np.int64]) -> None:
    """Judge how a line opens; i is its first byte that is not blank."""
    row[8] += 1
    stop = buffer.size
    b = buffer[i]
    j = i + 1 if b == 40 else i
    if j + 1 < stop and (65 <= buffer[j] <= 74 or (97 <= buffer[j] <= 106 and b == 40)):
        closing = buffer[j + 1]
        closed = closing == 41 or (b != 40 and (closing == 46 or closing == 58))
        if closed and (j + 2 >= stop or buffer[j + 2] <= 32):
            row[0] += 1
    if _is_digit(b):
        j = i + 1
        while j < stop and _is_digit(buffer[j]) and j < i + 3:
            j += 1
        if j < stop and (buffer[j] == 46 or buffer[j] == 41) and (j + 1 >= stop or buffer[j + 1] <= 32):
            row[4] += 1
    if b == 35 and i + 3 < stop and buffer[i + 1] == 35 and buffer[i + 2] == 35 and buffer[i + 3] == 35:
        row[3] += 1
    h = _ZERO
    j = i
    while j < stop and j < i + 9 and FACTOR[buffer[j]] != _ZERO and not _is_digit(buffer[j]):
        h = h * FACTOR[buffer[j]] + ADDEND[buffer[j]]
        j += 1
    label = False
    for known in LABEL_HASHES:
        label = label or known == h
    step = h == STEP_HASH
    if not label and not step:
        return
    space = j
    while j < stop and j < space + 8 and (buffer[j] == 32 or _is_digit(buffer[j])):
        j += 1
    if label and j < stop and buffer[j] == 58:
        row[1] += 1
    if step and j > space + 1 and buffer[space] == 32 and _is_digit(buffer[space + 1]):
        row[4] += 1


_ANSWER_IS = np.frombuffer(b"answer is", np.uint8)
_BOXED = np.frombuffer(b"\\boxed{", np.uint8)


@kernel
def _spells(buffer: NDArray[np.uint8], i: int, which: int) -> bool:
    """Whether the bytes at i spell "answer is" (0) or the boxed answer of LaTeX (1), ASCII case aside."""
    wanted = _ANSWER_IS if which == 0 else _BOXED
    for k in range(wanted.size):
        b = buffer[i + k]
        if 65 <= b <= 90:
            b += 32
        if b != wanted[k]:
            return False
    return True


@kernel
def _mark(text: NDArray[np.uint8], i: int, kind: int, row: NDArray[np.int64]) -> None:
    """Judge one byte that may be part of a mark of format."""
    if kind == 2:  # an equals sign
        j = i - 1
        while j >= 0 and text[j] == 32:
            j -= 1
        if j >= 0 and (_is_digit(text[j]) or text[j] == 41 or text[j] == 93):
            row[5] += 1
    elif kind == 3:  # an underscore
        if i > 0 and text[i - 1] == 95 and (i == 1 or text[i - 2] != 95):
            row[2] += 1
    elif kind == 4:  # "w" or "W": the middle of "answer is"
        if i >= 3 and i + 5 < text.size and _spells(text, i - 3, 0):
            row[3] += 1
    elif i + 6 < text.size and _spells(text, i, 1):  # a backslash
        row[3] += 1


@kernel
def format_events(buffer: NDArray[np.uint8], offsets: NDArray[np.int64], kinds: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the events of the format fingerprint; most bytes are of kind 0 and only passed over."""
    out = np.zeros((offsets.size - 1, len(EVENTS)), np.int64)
    for d in range(offsets.size - 1):
        row = out[d]
        text = buffer[offsets[d] : offsets[d + 1]]
        digits, questions = np.int32(0), np.int32(0)
        for b in text:
            digits += np.int32((b >= np.uint8(48)) & (b <= np.uint8(57)))
            questions += np.int32(b == np.uint8(63))
        row[6], row[7] = digits, questions
        i, stop = np.uintp(0), np.uintp(text.size)
        one = np.uintp(1)
        fresh = True
        while i < stop:
            if fresh:
                while i < stop and text[i] <= 32:
                    i += one
                if i == stop:
                    break
                _line_start(text, np.int64(i), row)
                fresh = False
            while i < stop and kinds[text[i]] == 0:
                i += one
            if i < stop:
                if kinds[text[i]] == 1:
                    fresh = True
                else:
                    _mark(text, np.int64(i), kinds[text[i]], row)
                i += one
        j = text.size - 1
        while j >= 0 and text[j] <= 32:
            j -= 1
        if j >= 0:
            last = text[j]
            closes = last == 46 or last == 33 or last == 63 or last == 34 or last == 39 or last == 41 or last == 125
            row[9] = np.int64(not closes)
    return out
