"""Where a text names numbers, and which of them may be exchanged.

Here live: the `Mention` (place, value, manner of writing), finding all of them, and the range fresh ones come from.
Not here: what the numbers mean for the answer (`template`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from fractions import Fraction

_UNITS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_WORDS = {word: index + 2 for index, word in enumerate(_UNITS)}
_TEENS = {"thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19}
_TENS = {
    **{"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50},
    **{"sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90},
}
_FAMILIES = (_WORDS, _TEENS, _TENS)
WORDS: dict[str, int] = {"one": 1, **_WORDS, **_TEENS, **_TENS}
"""Number words that are read; "one" is never exchanged, because it is a pronoun too."""

_SPELLED = {value: word for word, value in WORDS.items()}
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_PARTS = "half|halves|thirds?|quarters?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?"
_NUMBER = re.compile(
    r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
    r"|\b(?:" + "|".join(sorted(WORDS, key=len, reverse=True)) + r")\b",
    re.IGNORECASE,
)
_SCALED = re.compile(r"[ -](?:hundred|thousand|million|billion|trillion)\b", re.IGNORECASE)
_PART_AFTER = re.compile(rf"[ -](?:{_PARTS})\b", re.IGNORECASE)
_CLOCK_AFTER = re.compile(r" ?(?:[ap]\.?m\b|o['’]clock)", re.IGNORECASE)
_DATE_BEFORE = re.compile(rf"\b(?:{_MONTHS})\.? $", re.IGNORECASE)
_VOWEL_SOUND = re.compile(r"(?:8|11(?![0-9])|18(?![0-9])|11,|18,|eight|eleven)", re.IGNORECASE)
_UNIT_CAPS = {
    **{"hour": 24, "hours": 24, "minute": 60, "minutes": 60, "second": 60, "seconds": 60},
    **{"day": 7, "days": 7, "week": 52, "weeks": 52, "month": 12, "months": 12, "inches": 12, "percent": 99},
}


@dataclass(frozen=True, slots=True)
class Mention:
    """One number in a text.

    Attributes:
        start: index of its first character.
        end: index after its last character.
        text: as written.
        value: what it is worth.
        fixed: why it must stay as it is; empty when it may be exchanged.
        percent: whether a percent sign or the word follows.
        article: "a" or "an" when one stands before it, else empty.
        cap: largest sensible value in its unit, 0 for none ("hours" that are at most 24 stay at most 24).
    """

    start: int
    end: int
    text: str
    value: Fraction
    fixed: str = ""
    percent: bool = False
    article: str = ""
    cap: int = 0

    @property
    def spelled(self) -> bool:
        """Whether it is written as a word."""
        return self.text.isalpha()

    @property
    def places(self) -> int:
        """Digits after its point."""
        return len(self.text.partition(".")[2])

    def span(self) -> Span:
        """The values a fresh number of the same kind and size may have.

        Whole numbers keep their count of digits and their final zeros, decimals their places and final zeros, words
        stay words of their size, percentages that are multiples of five stay so; 0 and 1 are never drawn.
        """
        if self.spelled:
            family = next(family for family in _FAMILIES if self.text.lower() in family)
            values = [value for value in family.values() if not self.cap or value <= self.cap]
            return Span(1, tuple(values))
        scale = 10**self.places
        scaled = int(self.value * scale)
        digits = str(scaled)
        step = 10 ** (len(digits) - len(digits.rstrip("0")))
        if self.percent and not self.places and scaled % 5 == 0:
            step = 5
        low = max(10 ** (len(digits) - 1), step, 2 if not self.places else 1)
        high = 10 ** len(digits) - 1
        if self.cap and self.value <= self.cap:
            high = min(high, self.cap * scale)
        low = -(-low // step) * step
        return Span(scale, range(low, high + 1, step))

    def write(self, value: Fraction) -> str | None:
        """The value in this mention's manner, None when it cannot be written so."""
        if self.spelled:
            word = _SPELLED.get(int(value)) if value.denominator == 1 else None
            if word is None:
                return None
            return word.capitalize() if self.text[0].isupper() else word
        scaled = value * 10**self.places
        if scaled.denominator != 1 or value < 0:
            return None
        digits = str(int(scaled)).rjust(self.places + 1, "0")
        whole, part = (digits[: -self.places], digits[-self.places :]) if self.places else (digits, "")
        if "," in self.text:
            whole = f"{int(whole):,}"
        if self.text.startswith("."):
            whole = whole.removeprefix("0")
        return f"{whole}.{part}" if part else whole

    def fits(self, written: str) -> bool:
        """Whether the article before it ("a 7", "an 8") still agrees."""
        return not self.article or (self.article == "an") is bool(_VOWEL_SOUND.match(written))


@dataclass(frozen=True, slots=True)
class Span:
    """A set of values: numerators over one denominator."""

    scale: int
    numerators: range | tuple[int, ...] = field(default=())

    def at(self, uniform: float) -> Fraction:
        """The value at a place in [0, 1): the logarithm is spread evenly, so that small values are the more frequent.

        With values v₁ < … < vₙ and v₍ₙ₊₁₎ = 2vₙ − v₍ₙ₋₁₎, vᵢ has the share log(v₍ᵢ₊₁₎/vᵢ) of the whole.
        """
        low, last = self.numerators[0], self.numerators[-1]
        end = last + (last - self.numerators[-2] if len(self.numerators) > 1 else 1)
        place = bisect_right(self.numerators, low * (end / low) ** uniform) - 1
        return Fraction(self.numerators[min(place, len(self.numerators) - 1)], self.scale)

    def holds(self, value: Fraction) -> bool:
        """Whether the value is one of the set."""
        scaled = value * self.scale
        return scaled.denominator == 1 and int(scaled) in self.numerators


def mentions(text: str) -> tuple[Mention, ...]:
    """Every number a text names in digits or words, in order; ordinals and parts of words are no numbers."""
    found: list[Mention] = []
    for match in _NUMBER.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        if not match[0][0].isalpha() and before[-1:].isalnum():
            continue  # "B2"
        value = Fraction(WORDS[match[0].lower()]) if match[0].isalpha() else Fraction(match[0].replace(",", ""))
        percent = bool(re.match(r" ?%| percent\b", after))
        unit = re.match(r"(?:%|[ -]?([A-Za-z]+))", after)
        cap = 99 if percent else _UNIT_CAPS.get((unit[1] or "").lower(), 0) if unit else 0
        mention = Mention(
            match.start(),
            match.end(),
            match[0],
            value,
            _fixed(match[0], value, before, after),
            percent,
            (re.search(r"\b([Aa]n?) $", before) or ["", ""])[1].lower(),
            cap if value <= cap else 0,
        )
        if not mention.fixed and mention.write(value) != match[0]:
            mention = _held(mention, "is written in a manner of its own")
        if not mention.fixed and len(mention.span().numerators) < 3:
            mention = _held(mention, "has no others of its size")
        found.append(mention)
    return tuple(found)


def _held(mention: Mention, reason: str) -> Mention:
    """The same mention, to be left alone."""
    fields = mention.start, mention.end, mention.text, mention.value
    return Mention(*fields, reason, mention.percent, mention.article, mention.cap)


def _fixed(text: str, value: Fraction, before: str, after: str) -> str:
    """Why a number must stay; empty when it may be exchanged."""
    if value in (0, 1):
        return "0 and 1 change the grammar around them"
    if re.match(r"[A-Za-z]", after) or re.match(r"[-–/:][0-9]", after) or re.search(r"[0-9][-–/:.,]$", before):
        return "is part of an ordinal, a fraction, a range or a time"
    if re.search(r"[-–#]$", before) or re.match(r"-(?:[0-9]|" + "|".join(_UNITS) + r"|one)\b", after.lower()):
        return "is part of a compound"
    if _SCALED.match(after) or _PART_AFTER.match(after) or re.match(r" [0-9]+/[0-9]", after):
        return "is scaled by the words after it"
    if _CLOCK_AFTER.match(after) or _DATE_BEFORE.search(before):
        return "is a time or a date"
    if text.isdigit() and len(text) == 4 and 1800 <= value <= 2100 and not before.endswith("$"):
        return "may be a year"
    return ""
