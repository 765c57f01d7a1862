"""The item: one question with its gold answer, and the text helpers every maker of items needs.

Here live: the `Item` value and the normal form in which answers are compared.
Not here: where items come from (see `reasoning`, `fiction`) or how they are worded (see `formats`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from shadowgraph.errors import Defect
from shadowgraph.identity import fingerprint

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True, repr=False)
class Item:
    """One question with gold.

    Attributes:
        id: unique name of the item.
        family: reasoning family, or "fiction" and "fiction_base" for facts.
        world: "reasoning" or "fiction".
        question: one line of text.
        answer: one line of text, the gold.
        choices: answers to choose from, gold included, shuffled; () when the family offers none.
        gold: index of the gold in `choices`, -1 when there are none.
        subject: name of the entity a fact is about, "" for reasoning.
        relation: key of the relation a fact states, "" for reasoning.
    """

    id: str
    family: str
    world: str
    question: str
    answer: str
    choices: tuple[str, ...] = ()
    gold: int = -1
    subject: str = ""
    relation: str = ""

    def __post_init__(self) -> None:
        """Refuse an item whose gold is not the answer, or whose choices repeat."""
        if self.choices and (not 0 <= self.gold < len(self.choices) or self.choices[self.gold] != self.answer):
            raise Defect("the gold index does not point at the answer", where=self.id)
        if len({normal(choice) for choice in self.choices}) != len(self.choices):
            raise Defect("two choices read the same", where=self.id)

    def __repr__(self) -> str:
        """One line."""
        return f"Item({self.id!r}, {self.question!r} → {self.answer!r}, {len(self.choices)} choices)"

    @property
    def fingerprint(self) -> str:
        """Digest of all fields."""
        return fingerprint(self)


def normal(text: str) -> str:
    """Normal form of an answer: lower case, single spaces, no final stop."""
    return " ".join(text.lower().split()).rstrip(".")


def words(text: str) -> tuple[str, ...]:
    """The words of a line, for tables written as data."""
    return tuple(text.split())


def pick(options: Sequence[Kind], generator: np.random.Generator) -> Kind:
    """Choose one option uniformly with a single uniform number, much cheaper than `Generator.choice`."""
    return options[int(generator.random() * len(options))]


def place_gold(answer: str, distractors: Sequence[str], generator: np.random.Generator) -> tuple[tuple[str, ...], int]:
    """Put the answer at a uniform position among the distractors.

    Returns:
        The choices and the index of the answer.
    """
    gold = int(generator.random() * (len(distractors) + 1))
    choices = (*distractors[:gold], answer, *distractors[gold:])
    return choices, gold
