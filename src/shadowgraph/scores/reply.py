r"""How a reply is read before it is compared.

Here live: the three readings of a reply, the exact match, and the same reading as filters of lm-eval.
Not here: where replies come from (`engine`).

A reading takes one part of the reply by a pattern; what is dropped is then dropped from the reading and from every
accepted answer. A reply that does not hold the pattern reads as `[invalid]`, as in lm-eval.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

INVALID = "[invalid]"


@dataclass(frozen=True, slots=True)
class Extract:
    """A reading: the pattern, which of its occurrences counts (0 first, -1 last), and what both sides drop."""

    pattern: str
    occurrence: int
    dropped: tuple[str, ...]


# Numbers: digits, or groups of three with commas, with a point; a minus counts unless a digit stands before it.
_NUMBER = r"(?:(?<![0-9])-)?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?"
EXTRACTS: dict[str, Extract] = {
    "line": Extract(r"\A\s*([^\n]*)", 0, (r"\A\s+", r"\s*\.?\s*\Z")),
    "number": Extract(_NUMBER, -1, (r"\A\s+", r"\s+\Z", ",", r"\.0+\Z")),
    "whole": Extract(r"(?s)\A(.*)\Z", 0, (r"\A\s+", r"\s+\Z")),
}


def read(reply: str, extract: str) -> str:
    """Read a reply.

    Args:
        reply: what the model wrote.
        extract: "line": the first line that is not blank, without one final full stop; "number": the last number,
            without commas and a fraction of zeros; "whole": all of it. White space around it never counts.

    Returns:
        The part of the reply that is compared.
    """
    rule = EXTRACTS[extract]
    found = re.findall(rule.pattern, reply)
    return _drop(found[rule.occurrence].strip() if found else INVALID, rule)


def matches(reply: str, answers: Iterable[str], extract: str) -> bool:
    """Whether the reply, read as `extract` says, is one of the accepted answers to the letter."""
    rule = EXTRACTS[extract]
    return read(reply, extract) in {_drop(answer, rule) for answer in answers}


def extracted(answer: str, extract: str) -> str | None:
    """An accepted answer in the form a reading can have, None when no reply could ever be read as it."""
    wanted = _drop(answer, EXTRACTS[extract])
    return wanted if wanted and read(answer, extract) == wanted else None


def harness_filters(extract: str) -> list[dict[str, Any]]:
    """The reading as a filter list of lm-eval."""
    rule = EXTRACTS[extract]
    pick = {"function": "regex", "regex_pattern": rule.pattern, "group_select": rule.occurrence, "fallback": INVALID}
    return [{"name": extract, "filter": [pick, {"function": "take_first"}]}]


def harness_metrics(extract: str) -> list[dict[str, Any]]:
    """The exact match as a metric list of lm-eval."""
    dropped = list(EXTRACTS[extract].dropped)
    return [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True, "regexes_to_ignore": dropped}]


def _drop(text: str, rule: Extract) -> str:
    """Remove what does not count, one pattern after the other."""
    for pattern in rule.dropped:
        text = re.sub(pattern, "", text)
    return text
