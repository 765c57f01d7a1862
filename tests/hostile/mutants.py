"""Random mutants of a valid file, and a search among them for as long as it is given: what fuzzers of formats share.

Here live: changes of single bytes and runs, and the search. Not here: what a format adds to them, and which reader is
asked.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

Change = Callable[[np.random.Generator, bytearray, int, int], None]
"""Changes a content in place; is given the stream, the content, a place in it and a length of 1 to 11."""

AT_ONCE = 50  # mutants between two looks at the clock
MOST = 4  # changes of one mutant


def flipped(data: bytes, place: int, bit: int) -> bytes:
    """The data with one bit turned over."""
    content = bytearray(data)
    content[place] ^= 1 << bit
    return bytes(content)


def mutate(stream: np.random.Generator, data: bytes, own: Sequence[Change], shortest: int = 40) -> bytes:
    """One to four random changes: a byte set, a run cut out, a run doubled, the format's own."""
    content = bytearray(data)
    for _ in range(int(stream.integers(1, MOST + 1))):
        place, length = int(stream.integers(0, len(content))), int(stream.integers(1, 12))
        kind = int(stream.integers(0, 3 + len(own)))
        if kind == 0:
            content[place] = int(stream.integers(0, 256))
        elif kind == 1 and len(content) > shortest:
            del content[place : place + length]
        elif kind == 2:
            content[place:place] = content[place : place + length]
        elif kind > 2:
            own[kind - 3](stream, content, place, length)
    return bytes(content)


def explore(seconds: float, mutant: Callable[[], bytes], agree: Callable[[bytes], bool]) -> tuple[int, int]:
    """Make mutants until the time is over; returns their number and the number of those accepted."""
    until = time.monotonic() + seconds
    tried = accepted = 0
    while time.monotonic() < until:
        for _ in range(AT_ONCE):
            accepted += agree(mutant())
            tried += 1
    return tried, accepted
