"""The rules that change what a question says while its solution stays: other numbers, other people, one hop more.

Here lives: the list. Not here: how they do it (`numbers`, `names`, `composed`), the table of all rules (`table`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from shadowgraph.scores.counterparts.composed import compose
from shadowgraph.scores.counterparts.laid import lay
from shadowgraph.scores.counterparts.names import rename
from shadowgraph.scores.counterparts.near import original
from shadowgraph.scores.counterparts.numbers import renumber
from shadowgraph.scores.counterparts.rule import Declined, Probe, Rule
from shadowgraph.scores.question import Question

Change = Callable[[Question, np.random.Generator], Question | Declined]


def changed(form: str, change: Change) -> Callable[[Question, np.random.Generator], Probe | Declined]:
    """The `dress` of a rule that changes the question itself and tells it as its benchmark does.

    Args:
        form: the rule's name.
        change: a question and a stream of chance in, another question or the reason for none out.

    Returns:
        A function of a question and a stream of chance.
    """

    def dress(question: Question, generator: np.random.Generator) -> Probe | Declined:
        found = change(question, generator)
        laid = found if isinstance(found, Declined) else lay(found)
        if isinstance(laid, Declined):
            return laid
        told = original(laid, generator)
        return told if isinstance(told, Declined) else replace(told, id=f"{question.id}#{form}", form=form)

    return dress


def renumber_and_rename(question: Question, generator: np.random.Generator) -> Question | Declined:
    """Other people and other numbers at once."""
    renamed = rename(question, generator)
    return renamed if isinstance(renamed, Declined) else renumber(renamed, generator)


NUMBER_RULES: tuple[Rule, ...] = (
    Rule(
        "renumbered",
        "near",
        "every number its arithmetic uses; the answer follows from the source's own equation or steps",
        "all other words, the arithmetic, the order and the size of the numbers",
        "everything but numbers",
        changed("renumbered", renumber),
    ),
    Rule(
        "renamed",
        "near",
        "the names of people, one for one, within a group of equal pronouns",
        "all other words, every number, the answer",
        "everything but names",
        changed("renamed", rename),
    ),
    Rule(
        "retold",
        "near",
        "names and numbers together",
        "all other words, the arithmetic, the order and the size of the numbers",
        "everything but names and numbers",
        changed("retold", renumber_and_rename),
    ),
    Rule(
        "composed",
        "far",
        "a second step asks for something that needs the answer, which itself is not asked for",
        "the whole question and its choices",
        "the question and the text of each choice",
        compose,
    ),
)
