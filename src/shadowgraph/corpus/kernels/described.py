"""The kernels of `described_arrays` as machine code: every function gives the same bytes as its twin there.

Here live: the compiled twins. Not here: what they are for (`coverage`, `novelty`, `concentration`).
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportArgumentType=false
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.kernels.compiled import kernel
from shadowgraph.corpus.kernels.constants import ADDEND, BUCKET_SHIFT, FACTOR, GRAM, SPREAD
from shadowgraph.corpus.kernels.described_arrays import DIMENSIONS, NUMBER, PROPER, SHORTEST
from shadowgraph.corpus.kernels.function_words import TABLE

NAME = "numba"
_ZERO, _ONE, _BYTE = np.uint64(0), np.uint64(1), np.uint64(255)
_SLOTS = np.uint64(1023)


@kernel
def _mix(value: np.uint64) -> np.uint64:
    """Scramble one value; see `described_arrays.mix`."""
    out = (value ^ (value >> np.uint64(32))) * SPREAD
    out ^= out >> np.uint64(29)
    out *= GRAM
    return out ^ (out >> np.uint64(32))


@kernel
def _is_function(word: np.uint64) -> bool:
    """Whether a word is on the list."""
    slot = (word * SPREAD) >> np.uint64(54)
    while TABLE[slot] != _ZERO:
        if TABLE[slot] == word:
            return True
        slot = (slot + _ONE) & _SLOTS
    return False


@kernel
def count_words(
    words: NDArray[np.uint64], ends: NDArray[np.int64], rows: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    """Add the bucket of every word of document d to counts[rows[d]].

    Args:
        words: word hashes.
        ends: bounds of the documents.
        rows: row of each document.
        counts: changed in place.
    """
    for d in range(ends.size - 1):
        row = counts[rows[d]]
        for k in range(ends[d], ends[d + 1]):
            row[(words[k] * SPREAD) >> BUCKET_SHIFT] += 1


@kernel
def text_hashes(words: NDArray[np.uint64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The hash of each document's words in order."""
    out = np.zeros(ends.size - 1, np.uint64)
    for d in range(ends.size - 1):
        h = _ZERO
        for k in range(ends[d], ends[d + 1]):
            h = h * GRAM + words[k]
        out[d] = h
    return out


@kernel
def sign_sums(words: NDArray[np.uint64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Signed sums over the distinct words of each document; a stamped table tells which were seen."""
    longest = 1
    for d in range(ends.size - 1):
        longest = max(longest, ends[d + 1] - ends[d])
    size = 16
    while size < 2 * longest:
        size *= 2
    seen = np.zeros(size, np.uint64)
    stamp = np.full(size, -1, np.int64)
    mask = np.uint64(size - 1)
    out = np.zeros((ends.size - 1, DIMENSIONS), np.int64)
    for d in range(ends.size - 1):
        row = out[d]
        for k in range(ends[d], ends[d + 1]):
            word = words[k]
            h = _mix(word)
            slot = (h >> np.uint64(40)) & mask
            while stamp[slot] == d and seen[slot] != word:
                slot = (slot + _ONE) & mask
            if stamp[slot] == d:
                continue
            stamp[slot], seen[slot] = d, word
            if _is_function(word):
                continue
            row[h & _BYTE] += 1 - 2 * np.int64((h >> np.uint64(32)) & _ONE)
            row[(h >> np.uint64(8)) & _BYTE] += 1 - 2 * np.int64((h >> np.uint64(33)) & _ONE)
            row[(h >> np.uint64(16)) & _BYTE] += 1 - 2 * np.int64((h >> np.uint64(34)) & _ONE)
            row[(h >> np.uint64(24)) & _BYTE] += 1 - 2 * np.int64((h >> np.uint64(35)) & _ONE)
    return out


@kernel
def sample_places(
    ends: NDArray[np.int64], seeds: NDArray[np.uint64], limit: np.uint64
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]:
    """The words whose keyed digest is at most `limit`.

    Args:
        ends: bounds of the documents.
        seeds: key of each document.
        limit: largest digest kept.

    Returns:
        Place of each among all words, its document, its digest.
    """
    room = 1024
    places, owners, keys = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.uint64)
    count = 0
    for d in range(ends.size - 1):
        key = seeds[d]
        for k in range(ends[d], ends[d + 1]):
            key += GRAM
            mixed = _mix(key)
            if mixed > limit:
                continue
            if count == room:
                room *= 2
                places = np.concatenate((places, np.empty_like(places)))
                owners = np.concatenate((owners, np.empty_like(owners)))
                keys = np.concatenate((keys, np.empty_like(keys)))
            places[count], owners[count], keys[count] = k, d, mixed
            count += 1
    return places[:count].copy(), owners[:count].copy(), keys[:count].copy()


@kernel
def template_hashes(
    buffer: NDArray[np.uint8], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of lines and sentences with numbers and names masked.

    Args:
        buffer: UTF-8 bytes of the documents.
        offsets: bounds of the documents.

    Returns:
        Hashes in the order of the text, and the document of each.
    """
    room = (offsets[offsets.size - 1] - offsets[0]) // (2 * SHORTEST) + offsets.size
    hashes, owners = np.empty(room, np.uint64), np.empty(room, np.int64)
    count = 0
    for d in range(offsets.size - 1):
        total, last, length = _ZERO, _ZERO, 0
        i, stop = offsets[d], offsets[d + 1]
        while i <= stop:
            b = buffer[i] if i < stop else np.uint8(10)
            if FACTOR[b] != _ZERO:
                capital = np.uint8(65) <= b <= np.uint8(90)
                digit = False
                value = _ZERO
                while i < stop and FACTOR[buffer[i]] != _ZERO:
                    b = buffer[i]
                    digit |= np.uint8(48) <= b <= np.uint8(57)
                    value = value * FACTOR[b] + ADDEND[b]
                    i += 1
                if digit:
                    value = NUMBER
                elif capital and not _is_function(value):
                    value = PROPER
                if length == 0 or value != last or value > PROPER:
                    total = total * GRAM + value
                    last = value
                    length += 1
                continue
            mark = b == 46 or b == 63 or b == 33
            if b == 10 or (mark and (i + 1 >= stop or buffer[i + 1] <= 32)):
                if length >= SHORTEST:
                    hashes[count], owners[count] = total, d
                    count += 1
                total, last, length = _ZERO, _ZERO, 0
            i += 1
    return hashes[:count].copy(), owners[:count].copy()
