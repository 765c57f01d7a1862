"""How far an equal stretch goes on: the words of an item that stand in a document along its stretches.

Here live: extension of stretches over changed words. Not here: finding stretches (`ngrams`), what is a finding
(`contamination`).

A stretch is continued to both sides word against word, an equal word counting 1 and a different one -2, and ends where
the sum has fallen more than `DROP` below its highest: the extension without gaps of Altschul et al. 1990 (J. Mol. Biol.
215:403). So an item of which every tenth word was replaced is seen nearly whole, and a shared phrase stays a phrase.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DIFFERENT = -2
DROP = 6
MOST = 64  # stretches of one document and item that are continued, the longest first


def shared_words(
    item: NDArray[np.uint64],
    document: NDArray[np.uint64],
    place: NDArray[np.int64],
    start: NDArray[np.int64],
    length: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which words of an item stand in a document along stretches of equal words.

    Args:
        item: (w,) words of the item.
        document: (v,) words of the document.
        place: (r,) first word of each stretch in the item.
        start: (r,) the same in the document.
        length: (r,) its words.

    Returns:
        (w,) whether a word stands there, on a stretch or on its continuation.
    """
    found = np.zeros(len(item), bool)
    for row in np.argsort(-length, kind="stable")[:MOST].tolist():
        first, shift = int(place[row]), int(start[row] - place[row])
        last = first + int(length[row])
        low, high = max(0, -shift), min(len(item), len(document) - shift)
        equal = item[low:high] == document[low + shift : high + shift]
        begin = first - _reach(equal[: first - low][::-1])
        end = last + _reach(equal[last - low :])
        found[begin:end] |= equal[begin - low : end - low]
    return found


def _reach(equal: NDArray[np.bool_]) -> int:
    """Words by which a stretch is continued."""
    if not len(equal):
        return 0
    score = np.concatenate([[0], np.cumsum(np.where(equal, 1, DIFFERENT))])
    fallen = np.maximum.accumulate(score) - score > DROP
    stop = int(fallen.argmax()) if fallen.any() else len(score)
    return int(score[:stop].argmax())
