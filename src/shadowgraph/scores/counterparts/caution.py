"""What in a question forbids a change of dress: each look returns the reason, or nothing.

Here live: the signs, as patterns over English texts, that an answer could change with the dress; in doubt they refuse.
Not here: the dresses. A sign found wrongly costs an item; a sign missed costs a wrong gold, so the patterns are wide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Literal

from shadowgraph.scores.counterparts.laid import Laid
from shadowgraph.scores.counterparts.rule import Declined
from shadowgraph.scores.question import Question
from shadowgraph.scores.reply import extracted

NUMBER = re.compile(r"-?\d{1,12}(?:,\d{3})*(?:\.\d+)?")


def _pattern(*parts: str) -> re.Pattern[str]:
    return re.compile("|".join(parts), re.IGNORECASE)


_OTHERS = _pattern(
    r"\b(?:all|none|both|neither|any|either|each|some|two|three|most|more than one|one) of (?:the|these|those|them)\b",
    r"\b(?:above|below|preceding|foregoing|aforementioned|former|latter|previous)\b",
    r"\A\W*(?:all|none|both|neither|either|other|others|everything|nothing|any|same|no (?:answer|choice|option))\W*\Z",
    r"\b(?:options?|choices?|answers?|alternatives?|statements?)\b",
    r"\b(?:all|both|none|neither|others) (?:are|is|were)\b|\Aboth\b",
)
_LETTERS = (
    re.compile(r"\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Aa]lternative)s?\s+\(?[A-Z1-9]\b"),
    re.compile(r"\(?\b[A-Z]\)?\s*(?:,|&|\+|/|\b(?:and|or|nor|but not)\b)\s*\(?[A-Z]\b"),
    re.compile(r"\A\W*(?:[Oo]nly\s+)?[A-Z](?:\s+[Oo]nly)?\W*\Z"),
)
_LABELLED = re.compile(r"^[ \t]*\(?(?:[A-Za-z]|\d{1,2}|[ivxIVX]{2,4})[.):](?:\s|$)", re.MULTILINE)
_ORDER = _pattern(
    r"\b(?:first|second|third|fourth|fifth|last|final|next|previous|preceding|top|bottom)"
    r" (?:option|choice|answer|alternative)s?\b"
)
_OFFERED = _pattern(
    r"\b(?:following|below|above|these|those|options?|choices?|alternatives?|listed|given here|except)\b",
    r"\bwhich (?:one|two|pair|set|statement|sentence|answer|example)\b|\bwhich of\b|\bone of\b",
    r"\bof (?:the|these|those) (?:two|three|four|five|\d)\b",
)
_GRADED = _pattern(
    r"\b(?:best|better|most|least|more|less|mainly|main|primary|primarily|chief|chiefly|closest|nearest|likely)\b",
    r"\b(?:probably|possibl[ey]|usual(?:ly)?|typical(?:ly)?|often|generally|sometimes|approximate(?:ly)?|roughly)\b",
    r"\b(?:might|could|would|may|can|should|must|example|such as|suggests?|implies|effective|appropriate|reason)\b",
    r"\b(?:why|a type of|kind of|an? instance|some|how did)\b|\b(?:what|where|how|when|who) (?:do|does)\b",
    r"\A\W*(?:what|where|who) (?:is|are) (?:an?|some)\b|\babout (?:how|what)\b",
)
_NEGATED = _pattern(
    r"\b(?:not|never|no|none|nor|neither|except|least|false|incorrect|incorrectly|wrong|untrue|invalid|unlikely)\b",
    r"\bcannot\b|n['’]t\b|\b(?:excluding|lacks?|without|but)\b",
)
_COUNTED = _pattern(
    r"\bhow (?:many|much|long)\b[^?]*\b(?:words?|letters?|sentences?|names?|people|persons?|characters?|lines?)\b",
    r"\b(?:passage|paragraph|mentioned|this (?:text|sentence|story)|the (?:text|sentence|story)|string)\b",
)
_TALLIED = _pattern(
    r"\bof (?:(?:the|these|those) )?(?:three|four|five|six|[3-9])\b|\bwhich (?:two|three|pair)\b"
    r"|\b(?:three|four|five|six|[3-9]) (?:options|choices|answers|alternatives|statements)\b"
)
_ANAPHOR = re.compile(
    r"\W*(?:he|she|it|they|him|her|them|his|its|their|this|that|these|those|the (?:above|former|latter|same))\b",
    re.IGNORECASE,
)


_BACK = _pattern(
    r"\b(?:that|this|these|those|such|same|it|its|itself|they|them|their|theirs|themselves|he|him|his|himself"
    r"|she|her|hers|herself|then|thus|therefore|hence|so|here|now|both|either|neither|each|other|others|another|rest"
    r"|remaining|ones|instead|also|again|still|else)\b",
    r"\b(?:there|one|does so|do so)\W*\Z|\A\W*(?:and|but|or)\b",
)


def first(*reasons: str) -> Declined | None:
    """The first reason that is not empty, as a refusal."""
    return next((Declined(reason) for reason in reasons if reason), None)


def continued(laid: Laid) -> str:
    """The question is running text, without question or label."""
    return "it is a text to be continued" if laid.question.style == "continuation" else ""


def unlisted(laid: Laid) -> str:
    """The source does not write the choices down."""
    if laid.shown == "none":
        return "it has no choices"
    return "" if laid.seen else "its choices are not shown"


def letters(laid: Laid) -> str:
    """Prompt or choices name the labels of choices, or look like labels themselves."""
    choices = laid.question.choices
    if any(pattern.search(choice) for pattern in _LETTERS for choice in choices):
        return "a choice names a label"
    if _LETTERS[0].search(laid.question.prompt):
        return "the prompt names a label"
    later = laid.question.prompt.partition("\n")[2]
    labelled = _LABELLED.search(later) or any(_LABELLED.search(choice) for choice in choices)
    return "a line of its text looks like a labelled choice" if labelled else ""


def order(laid: Laid) -> str:
    """The wording leans on the order of the choices."""
    found = any(re.search(r"\b(?:above|below|preceding|previous)\b", x, re.I) for x in laid.question.choices)
    if found or _ORDER.search(laid.question.prompt) or _LETTERS[0].search(laid.question.prompt):
        return "the wording leans on the order of the choices"
    return others(laid.question.choices)


def others(choices: Iterable[str]) -> str:
    """A choice speaks of other choices, so that it means nothing, or something else, without them."""
    if any(_OTHERS.search(text) or any(pattern.search(text) for pattern in _LETTERS) for text in choices):
        return "a choice speaks of other choices"
    return ""


def offered(laid: Laid) -> str:
    """The prompt speaks of choices that the reader has before him."""
    return "the prompt speaks of what is offered" if _OFFERED.search(laid.question.prompt) else ""


def backward(ask: str) -> str:
    """The asking sentence points back to what stands before it."""
    return "its question points back to what stands before it" if _BACK.search(ask) else ""


def graded(laid: Laid) -> str:
    """The right answer is right by comparison or judgement, so another may be right standing alone."""
    return "the answer is right by comparison or judgement" if _GRADED.search(laid.question.prompt) else ""


def negated(laid: Laid) -> str:
    """The prompt holds a negation."""
    return "the prompt holds a negation" if _NEGATED.search(laid.question.prompt) else ""


def tallied(laid: Laid) -> str:
    """The prompt says how many choices there are, or asks for more than one."""
    return "the prompt speaks of how many are offered" if _TALLIED.search(laid.question.prompt) else ""


def counted(laid: Laid) -> str:
    """An added sentence could change what is counted, or be what the text speaks of."""
    prompt = laid.question.prompt
    if _COUNTED.search(prompt):
        return "the prompt counts or names parts of its own text"
    return "the prompt begins by pointing back" if _ANAPHOR.match(prompt) else ""


def prefixed(laid: Laid) -> str:
    """One choice begins with another, so that the shorter is always at least as likely."""
    texts = sorted(choice.strip() for choice in laid.question.choices)
    return "one choice begins with another" if any(b.startswith(a) for a, b in pairwise(texts)) else ""


def rowed(texts: Iterable[str], marks: str) -> str:
    """A text holds a line break or a mark that the layout gives a meaning to."""
    return "a text holds a mark of the layout" if any(m in text.strip() for text in texts for m in marks) else ""


def distinct(wrong: str, right: str) -> bool:
    """Whether a wrong choice is wrong beyond doubt: neither text holds the other, and they are no equal numbers."""
    if number(wrong) and number(right):
        return Decimal(wrong.strip().replace(",", "")) != Decimal(right.strip().replace(",", ""))
    one, two = (re.sub(r"[^\w.,/%-]+", " ", text.lower()).strip(" .,") for text in (wrong, right))
    return bool(one) and bool(two) and one not in two and two not in one


def distinct_number(wrong: str, right: str) -> bool:
    """Whether a number is wrong beside an accepted answer, which may be no number."""
    if number(right):
        return distinct(wrong, right)
    return wrong.strip() != right.strip()


def whole(text: str) -> bool:
    """Whether a text is one whole number without separators."""
    digits = text.strip().removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 12


def number(text: str) -> bool:
    """Whether a text is one written number."""
    return NUMBER.fullmatch(text.strip()) is not None


def reading(question: Question) -> Literal["number", "line"]:
    """How a free reply is read: as a number only where every accepted answer can be read as one."""
    accepted = (question.answer, *question.accepted)
    numbers = all(number(text) and extracted(text, "number") is not None for text in accepted)
    return "number" if numbers else "line"
