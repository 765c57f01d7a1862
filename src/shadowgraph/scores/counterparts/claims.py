"""Claims about answers: is this one right, and which of two is not.

Here live: the true-or-false probe and the negated question.
Not here: dresses that ask for the answer itself (`near`, `far`).
"""

from __future__ import annotations

import re

import numpy as np

from shadowgraph.scores.counterparts import caution
from shadowgraph.scores.counterparts.laid import Laid
from shadowgraph.scores.counterparts.rule import Declined, Probe, probe
from shadowgraph.worlds.item import pick

_ATTEMPTS = 40
_NEAR = 1.3
_NEAR_SHORT = 2.5  # of two digits, so that each has another of its kind near it

CLAIMS: tuple[tuple[str, tuple[str, str]], ...] = (
    (
        "A claim is checked.\n{prompt}{offer}\nClaimed to be it: {claim}\nTrue or false? The claim is",
        (" true", " false"),
    ),
    ("{prompt}{offer}\nSomebody replied: {claim}\nIs the reply right or wrong? The reply is", (" right", " wrong")),
)
"""Wordings of a claim, each with the words for a right and a wrong one."""

OFFER = "\nIt is one of these, the one that fits best:"
"""Leads the choices where the source shows them: an answer right among them need not be the only one in the world."""

UNTRUE = "One of the two below is right, the other is not. Which is NOT right?"


def true_false(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """One claim that an answer is right: the gold or, by a fair coin, a wrong one; chance is one half."""
    question = laid.question
    free = laid.shown == "none"
    plain = "" if not free or caution.whole(question.answer) else "it has no choices and its answer is no whole number"
    refused = caution.first(
        caution.continued(laid),
        plain,
        caution.order(laid) if laid.seen else "",
        caution.rowed(question.choices, "\n") if laid.seen else "",
    )
    if refused:
        return refused
    wrong = _wrong(laid, generator)
    if not wrong:
        return Declined("no wrong choice is clearly another than the right one")
    wording, words = pick(CLAIMS, generator)
    right = bool(generator.random() < 0.5)
    claim = question.answer if right else pick(wrong, generator)
    offer = "".join((OFFER, *(f"\n- {choice.strip()}" for choice in question.choices))) if laid.seen else ""
    head, between, end = re.split(r"\{prompt\}\{offer\}|\{claim\}", wording)
    context = f"{head}{question.prompt.strip()}{offer}{between}{claim.strip()}{end}"
    return probe("true_false", question, context, words, 0 if right else 1)


def negated(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """The right choice and one wrong one, in drawn order; asked for is the one that is not right."""
    question = laid.question
    refused = caution.first(
        caution.continued(laid),
        "it has no choices" if laid.shown == "none" else "",
        caution.negated(laid),
        caution.letters(laid),
        caution.order(laid),
        caution.tallied(laid) if len(question.choices) > 2 else "",
    )
    if refused:
        return refused
    wrong = _wrong(laid, generator)
    if not wrong:
        return Declined("no wrong choice is clearly another than the right one")
    one = pick(wrong, generator)
    gold = int(generator.random() * 2)
    pair = (one, question.answer) if gold == 0 else (question.answer, one)
    options = "".join(f"\n{letter}. {text}" for letter, text in zip("AB", pair, strict=True))
    return probe("negated", question, f"Question: {question.prompt}\n{UNTRUE}{options}\nAnswer:", (" A", " B"), gold)


def _wrong(laid: Laid, generator: np.random.Generator) -> tuple[str, ...]:
    """Answers that are wrong beyond doubt; a number near the right one where there are no choices."""
    question = laid.question
    if laid.shown == "none":
        right = (question.answer, *question.accepted)
        if int(question.answer) == 0:
            return ()  # a zero is like no other number
        drawn = (wrong_number(question.answer.strip(), generator) for _ in range(_ATTEMPTS))
        found = next((text for text in drawn if all(caution.distinct_number(text, one) for one in right)), None)
        return (found,) if found is not None else ()
    others = (choice for place, choice in enumerate(question.choices) if place != question.gold)
    return tuple(choice for choice in others if caution.distinct(choice, question.answer))


def wrong_number(answer: str, generator: np.random.Generator) -> str:
    """A number near a whole one that cannot be told from a right answer by its looks.

    Kept are the sign, the count of digits, the final zeros and how the digits before these end: even or odd and, where
    there are two or more of them, in a five or not. Drawn log-uniformly between s/f and s·f, s the digits before the
    zeros, f = 2.5 for two and 1.3 for more of them; from 1 … 9 for one, evenly where no zeros follow.

    Args:
        answer: a whole number without separators, not zero.
        generator: the source of chance.

    Returns:
        The number, written as the answer is.
    """
    sign, digits = answer[: answer.startswith("-")], answer.removeprefix("-")
    plain = str(int(digits))
    kept = plain.rstrip("0")
    zeros = plain[len(kept) :]
    near = _NEAR_SHORT if len(kept) == 2 else _NEAR
    low, high = max(10 ** (len(kept) - 1), int(int(kept) / near)), min(10 ** len(kept) - 1, int(int(kept) * near))
    while True:
        uniform = float(generator.random())
        if len(kept) > 1:
            drawn = str(_log_uniform(low, high, uniform))
        else:
            drawn = str(_log_uniform(1, 9, uniform) if zeros else 1 + int(9 * uniform))
        if drawn != kept and _ending(drawn) == _ending(kept):
            return sign + f"{drawn}{zeros}".zfill(len(digits))


def _log_uniform(low: int, high: int, uniform: float) -> int:
    """The whole number from low to high at a place in [0, 1); n has a share of log((n + 1)/n)."""
    return min(high, int(low * ((high + 1) / low) ** uniform))


def _ending(digits: str) -> str:
    """How a number ends: in a zero or, beside other digits, a five; else even or odd."""
    if digits[-1] == "0" or (digits[-1] == "5" and len(digits) > 1):
        return digits[-1]
    return "odd" if int(digits[-1]) % 2 else "even"
