"""Kernels of the measures that describe a corpus by itself, as array arithmetic; `described` must equal them.

Here live: counting words, hashes of whole texts, sums of word signs, sampled places, templates of sentences.
Not here: what is made of them (`coverage`, `novelty`, `concentration`).
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.kernels.constants import BUCKET_SHIFT, GRAM, SPREAD, hash_word
from shadowgraph.corpus.kernels.function_words import TABLE

NAME = "numpy"
DIMENSIONS = 256  # of a sketch; 8 bits of a hash name one
NUMBER, PROPER = np.uint64(3), np.uint64(5)  # what stands for numbers and for names in a template
SHORTEST = 3  # words of a template
_FUNCTION = np.sort(TABLE[TABLE > 0])
_KNOWN = frozenset(_FUNCTION.tolist())


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit values one to one, so that any of their bits may be used as random."""
    out = (values ^ (values >> np.uint64(32))) * SPREAD
    out ^= out >> np.uint64(29)
    out *= GRAM
    return out ^ (out >> np.uint64(32))


def count_words(
    words: NDArray[np.uint64], ends: NDArray[np.int64], rows: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    """Add the bucket of every word of document d to counts[rows[d]].

    Args:
        words: (w,) word hashes.
        ends: (n+1,) bounds of the documents.
        rows: (n,) row of each document.
        counts: (r, BUCKETS), changed in place.
    """
    places = np.repeat(rows, np.diff(ends)) * counts.shape[1] + ((words * SPREAD) >> BUCKET_SHIFT).astype(np.int64)
    counts += np.bincount(places, minlength=counts.size).reshape(counts.shape)


def text_hashes(words: NDArray[np.uint64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
    """(n,) hash of each document's words in order, Σ w_i · GRAM^(last − i); 0 without words."""
    out = np.zeros(len(ends) - 1, np.uint64)
    lengths = np.diff(ends)
    for k in range(int(lengths.max(initial=0))):
        alive = np.flatnonzero(lengths > k)
        out[alive] = out[alive] * GRAM + words[ends[alive] + k]
    return out


def sign_sums(words: NDArray[np.uint64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, DIMENSIONS) signed sums over the distinct words of a document that are no function words.

    Each word adds +1 or −1 in four dimensions that its hash names.
    """
    owner = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    kept = ~np.isin(words, _FUNCTION)
    owner, found = owner[kept], words[kept]
    order = np.lexsort((found, owner))
    owner, found = owner[order], found[order]
    fresh = np.ones(len(found), bool)
    fresh[1:] = (owner[1:] != owner[:-1]) | (found[1:] != found[:-1])
    owner, mixed = owner[fresh], mix(found[fresh])
    out = np.zeros((len(ends) - 1, DIMENSIONS), np.int64)
    for k in range(4):
        place = ((mixed >> np.uint64(8 * k)) & np.uint64(255)).astype(np.int64)
        sign = 1 - 2 * ((mixed >> np.uint64(32 + k)) & np.uint64(1)).astype(np.int64)
        np.add.at(out, (owner, place), sign)
    return out


def sample_places(
    ends: NDArray[np.int64], seeds: NDArray[np.uint64], limit: np.uint64
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]:
    """The words whose keyed digest is at most `limit`.

    Args:
        ends: (n+1,) bounds of the documents.
        seeds: (n,) key of each document.
        limit: largest digest kept.

    Returns:
        Place of each among all words, its document, its digest.
    """
    owner = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    inside = np.arange(ends[-1]) - ends[owner]
    keys = mix(seeds[owner] + (inside.astype(np.uint64) + np.uint64(1)) * GRAM)
    places = np.flatnonzero(keys <= limit)
    return places, owner[places], keys[places]


_WORD_OR_END = re.compile(rb"([A-Za-z0-9\x80-\xff]+)|\n|[.?!](?=[\x00-\x20]|\Z)")


def template_hashes(
    buffer: NDArray[np.uint8], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of lines and sentences with numbers and names masked.

    A sentence ends at a line end, or at a full stop, question or exclamation mark before a blank. A word that holds a
    digit is a number, one that opens with an ASCII capital and is no function word is a name; neighbours of one kind
    are one. Templates of fewer than `SHORTEST` words are passed over.

    Args:
        buffer: UTF-8 bytes of the documents.
        offsets: (n+1,) bounds of the documents.

    Returns:
        (t,) hashes in the order of the text, and the document of each.
    """
    text = buffer.tobytes()
    hashes: list[int] = []
    owners: list[int] = []
    for d, (start, stop) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
        held: list[int] = []
        for found in _WORD_OR_END.finditer(text[start:stop]):
            if found[1] is None:
                _close(held, d, hashes, owners)
            else:
                value = _masked(found[1])
                if not held or value != held[-1] or value > 5:
                    held.append(value)
        _close(held, d, hashes, owners)
    return np.array(hashes, np.uint64), np.array(owners, np.int64)


@lru_cache(maxsize=1 << 16)
def _masked(word: bytes) -> int:
    """The hash of a word, or what stands for a number or a name."""
    if re.search(rb"[0-9]", word):
        return int(NUMBER)
    value = hash_word(word)
    return int(PROPER) if 65 <= word[0] <= 90 and value not in _KNOWN else value


def _close(held: list[int], document: int, hashes: list[int], owners: list[int]) -> None:
    """End a sentence: write its template, empty the list."""
    if len(held) >= SHORTEST:
        total = 0
        for value in held:
            total = (total * int(GRAM) + value) % (1 << 64)
        hashes.append(total)
        owners.append(document)
    held.clear()
