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
from shadowgraph.worlds.distractors import numeric_distractors
from shadowgraph.worlds.item import pick

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
    """Answers that are wrong beyond doubt; near numbers where there are no choices."""
    question = laid.question
    if laid.shown == "none":
        answer = question.answer.strip()
        taken = {answer, *question.accepted}
        return numeric_distractors(answer, answer.startswith("-"), taken.__contains__, generator)
    others = (choice for place, choice in enumerate(question.choices) if place != question.gold)
    return tuple(choice for choice in others if caution.distinct(choice, question.answer))
