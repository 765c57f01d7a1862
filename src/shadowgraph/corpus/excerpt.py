"""Words of a text shown where they stand.

Here live: a stretch of words with what surrounds it. Not here: which stretch matters (`contamination`).
"""

from __future__ import annotations

import re
from itertools import islice

AROUND = 160  # characters on each side
LONGEST = 600  # characters of the stretch itself that are kept
_WORD = re.compile(r"[0-9A-Za-z\u0080-\U0010ffff]+")  # as the kernels cut words: any byte ≥ 128 belongs to one


def excerpt(text: str, first: int, count: int) -> tuple[str, int, int]:
    """The words `first` to `first + count` of a text, with their surroundings.

    Returns:
        The excerpt, and where the stretch begins and ends in it.
    """
    words = list(islice(_WORD.finditer(text), first + count))
    if len(words) <= first:
        return "", 0, 0
    begin = words[first].start()
    end = max((word.end() for word in words[first:] if word.end() <= begin + LONGEST), default=begin + LONGEST)
    left, right = max(0, begin - AROUND), min(len(text), end + AROUND)
    if left:
        left = min(begin, text.find(" ", left, begin) + 1 or left)
    if right < len(text):
        right = max(end, text.rfind(" ", end, right))
    return text[left:right], begin - left, end - left
