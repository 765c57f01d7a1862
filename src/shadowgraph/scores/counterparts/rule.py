"""What a rule is: a question in, one probe out, or the reason why not.

Here live: `Rule`, `Probe`, `Declined` and the one door through which a question is dressed.
Not here: the rules (`plain`, `hidden`, `shown`, `claims`, `numbers`, …) and their table (`table`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from shadowgraph.scores.question import Question, check
from shadowgraph.seeds import generator


@dataclass(frozen=True, slots=True)
class Probe:
    """One row of a suite: what a model is shown, and what counts as right.

    Attributes:
        id: unique among the probes of one rule; made of the question's id and the rule's name.
        source: the question's id, shared by all its counterparts.
        family: as the question's.
        group: as the question's.
        form: the rule's name.
        context: everything the model is shown.
        continuations: what is scored after the context, each with its own leading space; empty for free replies.
        gold: index into `continuations`, -1 for free replies.
        answers: texts that count as right replies; empty where continuations are scored.
        extract: how a reply is read: "line", "number" or "whole".
        until: strings at which a reply ends.
    """

    id: str
    source: str
    family: str
    group: str
    form: str
    context: str
    continuations: tuple[str, ...] = ()
    gold: int = -1
    answers: tuple[str, ...] = ()
    extract: str = "line"
    until: tuple[str, ...] = ("\n",)

    @property
    def kind(self) -> Literal["choice", "generate"]:
        """Whether continuations are scored or a reply is read; a split holds one kind."""
        return "choice" if self.continuations else "generate"

    def row(self) -> dict[str, Any]:
        """The probe as a row for `write_suite`."""
        head = {"id": self.id, "family": self.family, "group": self.group, "context": self.context}
        tail = {"form": self.form, "source": self.source}
        if self.continuations:
            return {**head, "continuations": list(self.continuations), "gold": self.gold, **tail}
        reply = {"answers": list(self.answers), "until": list(self.until), "extract": self.extract}
        return {**head, **reply, **tail}


@dataclass(frozen=True, slots=True)
class Declined:
    """Why a rule does not apply to a question: counted and shown, never silent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A change of dress.

    Attributes:
        name: of the rule and of the form its probes have.
        distance: "near" when the benchmark's layout stays, "far" when it is gone.
        changes: one clause: what it changes.
        keeps: one clause: what it keeps.
        shared: the declared part in which probe and source may share runs of words.
        dress: a question and a stream of chance in, a probe or the reason for none out; reach it through `dressed`.
    """

    name: str
    distance: Literal["near", "far"]
    changes: str
    keeps: str
    shared: str
    dress: Callable[[Question, np.random.Generator], Probe | Declined]


def dressed(rule: Rule, question: Question, seed: int) -> Probe | Declined:
    """Dress one question; equal arguments give an equal probe, whatever else is dressed.

    Args:
        rule: how.
        question: what.
        seed: of the panel; the stream belongs to seed, rule and the question's id.

    Raises:
        DataError: when the question is not sound.
    """
    check(question)
    return rule.dress(question, generator(seed, "counterpart", rule.name, question.id))


def probe(form: str, question: Question, context: str, continuations: Iterable[str], gold: int) -> Probe:
    """A probe in which continuations are scored.

    Args:
        form: the rule's name.
        question: where id, family and group come from.
        context: everything the model is shown.
        continuations: what is scored, each with its own leading space.
        gold: index of the right one.
    """
    labels = f"{question.id}#{form}", question.id, question.family, question.group, form
    return Probe(*labels, context, tuple(continuations), gold)


def reply(
    form: str, question: Question, context: str, *, extract: str = "line", until: tuple[str, ...] = ("\n",)
) -> Probe:
    """A probe in which a free reply is read, right when it is the answer or one of those accepted.

    Args:
        form: the rule's name.
        question: where id, family, group and answers come from.
        context: everything the model is shown.
        extract: how the reply is read: "line", "number" or "whole".
        until: strings at which the reply ends.
    """
    labels = f"{question.id}#{form}", question.id, question.family, question.group, form
    answers = tuple(dict.fromkeys(text.strip() for text in (question.answer, *question.accepted)))
    return Probe(*labels, context, answers=answers, extract=extract, until=until)
