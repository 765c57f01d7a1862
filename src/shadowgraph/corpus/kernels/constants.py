"""Numbers that both paths of the kernels share, and the table of bytes that defines a word.

Here live: constants only. Changing one changes every hash ever written; `VERSION` goes into what is written down.

A text is its UTF-8 bytes with ASCII letters in lower case; a word is a run of ASCII letters, digits and bytes ≥ 128.
Other scripts are therefore kept byte for byte, without case folding or normal forms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VERSION = 1
BASE = np.uint64(0x9E3779B97F4A7C15)  # a word is the polynomial of its bytes in BASE, modulo 2^64; odd, so invertible
GRAM = np.uint64(0xA0761D6478BD642F)  # an n-gram is the polynomial of its words' hashes in GRAM; odd
PAIR = np.uint64(0xC2B2AE3D27D4EB4F)  # a pair for counting is previous · PAIR + word
SPREAD = np.uint64(0xD6E8FEB86659FD93)  # multiply and keep the upper bits: a bucket or a slot
BUCKETS = 1 << 16  # hashed 1- and 2-grams
BUCKET_SHIFT = np.uint64(48)


def _lower() -> NDArray[np.uint8]:
    """(256,) each byte in lower case, 0 for a byte that ends a word."""
    table = np.zeros(256, np.uint8)
    for byte in range(256):
        if byte >= 128 or chr(byte).isdigit() or "a" <= chr(byte) <= "z":
            table[byte] = byte
        elif "A" <= chr(byte) <= "Z":
            table[byte] = byte + 32
    table.setflags(write=False)
    return table


LOWER = _lower()
FACTOR = np.where(LOWER > 0, BASE, np.uint64(0)).astype(np.uint64)  # what a byte multiplies the running hash with
ADDEND = LOWER.astype(np.uint64)  # and adds

EVENTS = (
    "option_lines",  # a line that opens with a marker of choice: "A." "(b)" "C)" "D:"
    "labels",  # a line that opens with question, answer, problem, solution, choices, options, q or a and a colon
    "blanks",  # a run of two or more underscores
    "final_answers",  # "#### ", "answer is", "\boxed{"
    "steps",  # a line that opens with "1." "2)" or "step 3"
    "equations",  # an equals sign after a digit or a closing bracket
    "digits",  # ASCII digits
    "questions",  # question marks
    "lines",  # lines that hold more than blanks
    "open_end",  # 1 when the last character closes no sentence
)
LABELS = ("question", "answer", "problem", "solution", "choices", "options", "q", "a")


def hash_word(word: bytes) -> int:
    """The hash of one word as the kernels compute it, in plain integers."""
    total = 0
    for byte in word:
        total = (total * int(BASE) + int(LOWER[byte])) % (1 << 64)
    return total


LABEL_HASHES = np.array([hash_word(label.encode()) for label in LABELS], np.uint64)
STEP_HASH = np.uint64(hash_word(b"step"))
