"""A small fictional world: people and places with made-up names, relations between them, facts as items.

Here live: the world, its facts and its two-hop compositions.
Not here: the wording of relations (see `relations`) or of documents (see `formats`).

Names are numbered: a bijection maps 2**18 numbers to three-syllable names, and each pair (seed mod 128, theme) owns a
block of 1,024 of them. Worlds whose seeds differ modulo 128, or whose themes differ, therefore share no name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shadowgraph.errors import SpecError
from shadowgraph.identity import fingerprint
from shadowgraph.seeds import generator
from shadowgraph.worlds.distractors import WRONG_CHOICES
from shadowgraph.worlds.families import FICTION, FICTION_BASE
from shadowgraph.worlds.item import Item, place_gold, words
from shadowgraph.worlds.relations import ARM_THEME, BASE_THEME, Relation

_FIRST = tuple(a + b for a in words("B D F G H J K L M N P R S T V W") for b in "aeio")
_SECOND = tuple(a + b for a in words("b d f g h k l m n p r s t v w z") for b in "aeio")
_LAST = tuple(a + b for a in words("b d l m n r s v") for b in words("an el ick or us eth a owen"))
_BLOCK = 1024
_WORLDS = 128
_SPREAD = 88_675  # odd, so that multiplication modulo 2**18 is a bijection
_THEMES = {"arm": (ARM_THEME, FICTION), "base": (BASE_THEME, FICTION_BASE)}


def made_up_name(number: int) -> str:
    """Name number 0 … 2**18 - 1; different numbers give different names."""
    mixed = (number * _SPREAD) % (64 * 64 * 64)
    return _FIRST[mixed % 64] + _SECOND[mixed // 64 % 64] + _LAST[mixed // 4096]


@dataclass(frozen=True, slots=True)
class Composition:
    """A two-hop fact: the answer of the first is the subject of the second."""

    item: Item
    first: str
    second: str


class FictionalWorld:
    """People, places and waters with relations between them.

    Args:
        seed: which world; worlds of different seeds (modulo 128) share no name.
        people: number of people, 4 … 800.
        places: number of places, 4 … 100; as many waters.
        theme: "arm" or "base", the set of relations.

    Raises:
        SpecError: for a number out of range or an unknown theme.
    """

    def __init__(self, seed: int, people: int = 120, places: int = 16, theme: str = "arm") -> None:
        """Draw the entities and every fact."""
        if not 4 <= people <= 800 or not 4 <= places <= 100:
            raise SpecError(f"{people} people and {places} places", hint="give 4 … 800 people and 4 … 100 places")
        if theme not in _THEMES:
            raise SpecError(f"there is no theme {theme!r}", hint="choose arm or base")
        self.seed, self.theme = seed, theme
        self.relations, self.family = _THEMES[theme]
        block = (seed % _WORLDS) * 2 + (theme == "base")
        names = [made_up_name(block * _BLOCK + index) for index in range(people + 2 * places)]
        self.entities: dict[str, tuple[str, ...]] = {
            "person": tuple(names[:people]),
            "place": tuple(names[people : people + places]),
            "water": tuple(names[people + places :]),
        }
        self.known: dict[tuple[str, str], Item] = {}
        for relation in self.relations:
            self._state(relation)

    def __repr__(self) -> str:
        """One line."""
        return f"FictionalWorld({self.theme}, seed {self.seed}, {len(self.known)} facts)"

    @property
    def fingerprint(self) -> str:
        """Digest of all facts."""
        return fingerprint([self.theme, self.seed, list(self.known.values())])

    def facts(self) -> tuple[Item, ...]:
        """Every fact, relation by relation; each with four choices."""
        return tuple(self.known.values())

    def compositions(self) -> tuple[Composition, ...]:
        """Every two-hop fact whose first hop names a person or a place and whose second hop starts there."""
        found: list[Composition] = []
        for first in self.relations:
            for second in self.relations:
                if first.entity == second.subject_kind and first.entity:
                    found.extend(self._compose(first, second))
        return tuple(found)

    def _pool(self, relation: Relation) -> tuple[str, ...]:
        return relation.values or self.entities[relation.entity]

    def _state(self, relation: Relation) -> None:
        pool = self._pool(relation)
        stream = generator(self.seed, "world", self.theme, relation.key)
        for subject in self.entities[relation.subject_kind]:
            value = subject
            while value == subject:
                value = pool[int(stream.random() * len(pool))]
            choices, gold = _choose(value, pool, subject, stream)
            name = f"{self.family}/{self.seed}/{relation.key}/{subject}"
            question = relation.questions[0].format(subject=subject)
            self.known[subject, relation.key] = Item(
                name, self.family, "fiction", question, value, choices, gold, subject, relation.key
            )

    def _compose(self, first: Relation, second: Relation) -> list[Composition]:
        stream = generator(self.seed, "composition", self.theme, first.key, second.key)
        found: list[Composition] = []
        for subject in self.entities[first.subject_kind]:
            bridge = self.known[subject, first.key]
            end = self.known[bridge.answer, second.key]
            choices, gold = _choose(end.answer, self._pool(second), bridge.answer, stream)
            question = second.questions[0].format(subject=f"the {first.label} of {subject}")
            name = f"{self.family}/{self.seed}/{first.key}+{second.key}/{subject}"
            item = Item(name, self.family, "fiction", question, end.answer, choices, gold, subject)
            found.append(Composition(item, bridge.id, end.id))
        return found


def _choose(
    answer: str, pool: tuple[str, ...], subject: str, stream: np.random.Generator
) -> tuple[tuple[str, ...], int]:
    wrong: list[str] = []
    for index in stream.permutation(len(pool)):
        value = pool[int(index)]
        if value not in (answer, subject):
            wrong.append(value)
            if len(wrong) == WRONG_CHOICES:
                break
    return place_gold(answer, wrong, stream)
