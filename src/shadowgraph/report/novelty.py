"""On which side of the reference an arm lies in what is new to the base.

Here live: the words for it. Not here: the calipers, which the result carries (`corpus.balance`).
"""

from __future__ import annotations

from shadowgraph.report.record import Record

WORDS = {
    "within": "",
    "newer": "newer",
    "familiar": "more familiar",
    "mixed": "newer in one, more familiar in the other",
}
"""What `novelty` of an arm is called on a page."""


def of(arm: Record) -> str:
    """On which side of the reference an arm lies beyond the calipers of novelty, in a word; "" within them."""
    word = arm.text("novelty", "within")
    return WORDS.get(word, word)


def unmatched(study: Record) -> list[tuple[str, str]]:
    """Names of the arms beyond the calipers of novelty, each with its word."""
    words = [(arm.text("name", "unnamed"), of(arm)) for arm in study.records("arms")]
    return [(name, word) for name, word in words if word]
