"""How a source lays out a question: which choices it has, whether they are seen, with what its answers are named.

Here live: the `Laid` question that rules work on and the telling of it as its benchmark does.
Not here: what forbids a change of dress (`caution`), the changes themselves (`near`, `far`, `claims`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from shadowgraph.corpus.items import LETTERS
from shadowgraph.scores.counterparts.rule import Declined, Probe
from shadowgraph.scores.question import Question

Shown = Literal["lettered", "bracketed", "dashed", "unseen", "none"]

CLOSED = (("yes", "no"), ("true", "false"), ("valid", "invalid"))
"""Answers that name all that could be answered; a question answered so has these two choices, unseen."""

_OPTIONS = re.compile(r"\s*\n[ \t]*options:[ \t]*\n(?P<lines>.+)\Z", re.IGNORECASE | re.DOTALL)
_BRACKETED = re.compile(r"\(([A-Z])\)\s*(\S.*)")
_DASHED = re.compile(r"-\s*(\S.*)")


@dataclass(frozen=True, slots=True)
class Laid:
    """A question with its choices in the open, whatever way its source wrote them.

    Attributes:
        question: the question; choices that stood inside its prompt are taken out of it.
        shown: how the source shows the choices: "lettered" (A. …), "bracketed" ((A) …, inside the prompt), "dashed"
            (- …, inside the prompt), "unseen" (known, not written), "none" (there are none).
        replies: what the source answers with, one a choice; for free answers the answer alone.
    """

    question: Question
    shown: Shown
    replies: tuple[str, ...]

    @property
    def seen(self) -> bool:
        """Whether the source writes the choices down."""
        return self.shown in ("lettered", "bracketed", "dashed")

    def options(self, choices: Sequence[str], labels: Sequence[str] | None = None) -> str:
        """The choices as lines in the source's own layout, each line opened by a line break.

        Args:
            choices: in the order wanted.
            labels: complete labels, "1." for example; by default the source's own.

        Returns:
            The lines, led by "Options:" where the source has that.
        """
        marks = {"bracketed": "({})", "dashed": "-"}.get(self.shown, "{}.")
        labels = labels or [marks.format(letter) for letter in LETTERS]
        lines = "".join(f"\n{label} {choice}" for label, choice in zip(labels, choices, strict=False))
        return lines if self.shown not in ("bracketed", "dashed") else f"\nOptions:{lines}"

    def told(self) -> str:
        """The context as the source tells it."""
        if self.question.style == "continuation":
            return self.question.prompt
        options = self.options(self.question.choices) if self.seen else ""
        return f"Question: {self.question.prompt}{options}\nAnswer:"


def lay(question: Question) -> Laid | Declined:
    """Find the choices of a question; declined when no dress at all would give one right answer."""
    if question.choices:
        laid = _given(question)
    elif question.style == "continuation":
        laid = Laid(question, "none", (question.answer,))
    else:
        laid = _inside(question) or _closed(question) or Laid(question, "none", (question.answer,))
    return _unfit(laid.question) or laid


def on_laid(make: Callable[[Laid, np.random.Generator], Probe | Declined]) -> Callable[..., Probe | Declined]:
    """Turn a maker of probes that wants a laid question into the `dress` of a rule."""

    def dress(question: Question, generator: np.random.Generator) -> Probe | Declined:
        laid = lay(question)
        return laid if isinstance(laid, Declined) else make(laid, generator)

    return dress


def _given(question: Question) -> Laid:
    """A question whose source lists its choices: lettered below it, or as continuations."""
    if question.style == "continuation":
        return Laid(question, "unseen", question.choices)
    return Laid(question, "lettered", tuple(LETTERS[: len(question.choices)]))


def _inside(question: Question) -> Laid | None:
    """A question whose prompt ends in its own options, None when it does not or none of them is the answer."""
    found = _OPTIONS.search(question.prompt)
    lines = [line.strip() for line in found["lines"].strip().split("\n")] if found else []
    if found is None or len(lines) < 2 or not question.prompt[: found.start()].strip():
        return None
    prompt, answer = question.prompt[: found.start()], question.answer.strip()
    bracketed = [_BRACKETED.fullmatch(line) for line in lines]
    if all(match and match[1] == LETTERS[place % 26] for place, match in enumerate(bracketed)):
        choices = tuple(match[2].strip() for match in bracketed if match)
        names = tuple(f"({letter})" for letter in LETTERS[: len(choices)])
        if answer not in names:
            return None
        gold = names.index(answer)
        folded = replace(question, prompt=prompt, choices=choices, gold=gold, answer=choices[gold], accepted=())
        return Laid(folded, "bracketed", names)
    dashed = [_DASHED.fullmatch(line) for line in lines]
    choices = tuple(match[1].strip() for match in dashed if match)
    if len(choices) < len(lines) or answer not in choices:
        return None
    folded = replace(question, prompt=prompt, choices=choices, gold=choices.index(answer), answer=answer, accepted=())
    return Laid(folded, "dashed", choices)


def _closed(question: Question) -> Laid | None:
    """A question answered with yes or no, true or false: two choices in the answer's own case."""
    answer = question.answer.strip()
    for pair in CLOSED:
        if answer.lower() in pair:
            cased = tuple(_cased(word, answer) for word in pair)
            if answer in cased:
                gold = cased.index(answer)
                return Laid(replace(question, choices=cased, gold=gold, answer=answer, accepted=()), "unseen", cased)
    return None


def _cased(word: str, like: str) -> str:
    """A word in the case of another."""
    if like.isupper():
        return word.upper()
    return word.capitalize() if like[:1].isupper() else word


def _unfit(question: Question) -> Declined | None:
    """Why no probe of the question could have one right answer; None when it could."""
    if not question.choices:
        spans = any("\n" in text.strip() for text in (question.answer, *question.accepted))
        return Declined("the answer spans lines") if spans else None
    if len(question.choices) < 2:
        return Declined("there is one choice only")
    if len(question.choices) > len(LETTERS):
        return Declined(f"there are more than {len(LETTERS)} choices")
    if len({" ".join(choice.split()) for choice in question.choices}) < len(question.choices):
        return Declined("two choices read the same")
    return None
