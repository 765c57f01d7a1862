# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Items of the procedural reasoning families, made by reasoning-gym.

Here live: the source that turns (family, seed, index) into an `Item`, its time limit and the family's own scorer.
Not here: which families there are (see `families`) or how an item is worded as a document (see `formats`).

Equal arguments and equal package versions give equal items in any process and on any platform: every random choice of
a family comes from `random.Random(integer)`, and families that iterate over sets of strings are not admitted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import localcontext
from typing import Any

from shadowgraph.errors import Defect, SpecError, require
from shadowgraph.seeds import derive, generator
from shadowgraph.worlds.distractors import listed_distractors, numeric_distractors
from shadowgraph.worlds.families import FAMILIES, FEW_VALUED, NUMERIC, OPEN, Family
from shadowgraph.worlds.item import Item, normal, place_gold

__all__ = ["FEW_VALUED", "NUMERIC", "OPEN", "FamilySource", "items"]

ITEM_SECONDS = 2.0
"""Largest processor time one item may take; admitted families need about a ten-thousandth of it."""

_SPAN = 1 << 32
_PASSED_OVER = 64


class FamilySource:
    """All items of one family under one seed, by index.

    Args:
        family: name of a family in `families.FAMILIES`, or a record of one's own.
        seed: integer seed; sources of different seeds share no random stream.

    Raises:
        SpecError: for an unknown family.
        EnvironmentFault: when reasoning-gym is not installed.
    """

    def __init__(self, family: str | Family, seed: int) -> None:
        """Open the family."""
        if isinstance(family, str) and family not in FAMILIES:
            raise SpecError(f"there is no family {family!r}", hint=f"choose from {', '.join(FAMILIES)}")
        require("reasoning_gym", "worlds")
        import reasoning_gym  # pyright: ignore[reportMissingTypeStubs]

        self.family: Family = FAMILIES[family] if isinstance(family, str) else family
        name = self.family.name
        self.seed = seed
        self._dataset: Any = reasoning_gym.create_dataset(
            name, size=_SPAN, seed=derive(seed, "family", name) * _SPAN, **dict(self.family.config)
        )

    def item(self, index: int, with_choices: bool = True) -> Item:
        """Make item `index`, 0 … 2**26 - 1; over-long candidates are passed over, up to 64 of them.

        Args:
            index: which item.
            with_choices: whether to draw distractors; a document without options does not need them.

        Raises:
            Defect: when a candidate breaks the time limit or all candidates are unfit.
        """
        question, answer, entry = self._fit(index)
        name = f"{self.family.name}/{self.seed}/{index}"
        if not with_choices or self.family.kind == "open":
            return Item(name, self.family.name, "reasoning", question, answer)
        return self._with_choices(name, question, answer, entry)

    def score(self, index: int, answer: str) -> float:
        """Score an answer to item `index` with the family's own scorer; 1.0 is right."""
        return float(self._dataset.score_answer(answer, self._fit(index)[2]))

    def _fit(self, index: int) -> tuple[str, str, dict[str, Any]]:
        for attempt in range(_PASSED_OVER):
            entry = self._entry(index * _PASSED_OVER + attempt)
            question = str(entry["question"])
            for old, new in self.family.shorten:
                question = question.replace(old, new)
            question = " ".join(question.split())
            answer = str(entry["answer"]).strip()
            if answer and "\n" not in answer and len(question) <= self.family.longest:
                return question, answer, entry
        raise Defect(f"{_PASSED_OVER} candidates in a row were unfit", where=f"{self.family.name}, item {index}")

    def _entry(self, position: int) -> dict[str, Any]:
        started = time.process_time()
        with localcontext():  # a family that sets the precision of decimals sets it for itself alone
            entry: dict[str, Any] = self._dataset[position]
        spent = time.process_time() - started
        if spent > ITEM_SECONDS:
            raise Defect(
                f"one item took {spent:.1f} s, the limit is {ITEM_SECONDS} s", where=f"{self.family.name}, {position}"
            )
        return entry

    def _with_choices(self, name: str, question: str, answer: str, entry: dict[str, Any]) -> Item:
        stream = generator(self.seed, "choices", name)
        gold = normal(answer)

        def is_gold(candidate: str) -> bool:
            return normal(candidate) == gold or float(self._dataset.score_answer(candidate, entry)) >= 1.0

        if self.family.kind == "numeric":
            wrong = numeric_distractors(answer, self.family.signed, is_gold, stream)
        else:
            wrong = listed_distractors(answer, self.family.values, is_gold, stream)
        choices, position = place_gold(answer, wrong, stream)
        return Item(name, self.family.name, "reasoning", question, answer, choices, position)


def items(family: str, size: int, seed: int) -> Iterator[Item]:
    """Make `size` items of a family, with choices where the family has them."""
    source = FamilySource(family, seed)
    for index in range(size):
        yield source.item(index)
