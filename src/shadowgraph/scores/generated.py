"""Questions made on the fly: procedural families with gold answers and a difficulty dial.

Here live: the table of families by ability, what easy, medium and hard mean for each, and drawing items of which no two
in one call are the same.
Not here: the generators themselves (`worlds.reasoning`), how splits are laid out (`panel`).

Only families whose every item comes in milliseconds are here: some generators of stories and of rules over lists search
without an end for some seeds. Items come from streams that no training pool uses; what was seen elsewhere can be ruled
out by its text (`taken`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from shadowgraph.errors import SpecError
from shadowgraph.scores.counterparts.rule import Probe, probe, reply
from shadowgraph.scores.question import Question
from shadowgraph.seeds import derive, generator
from shadowgraph.worlds.distractors import WRONG_CHOICES
from shadowgraph.worlds.families import FAMILIES, Family
from shadowgraph.worlds.item import Item, normal, place_gold
from shadowgraph.worlds.reasoning import FamilySource

Level = Literal["easy", "medium", "hard"]
LEVELS: tuple[Level, ...] = ("easy", "medium", "hard")

_SEARCH = 400  # candidates in a row that bring nothing new before a family is called exhausted
_SWAPS = 60


@dataclass(frozen=True, slots=True)
class Dialled:
    """A family with its dial.

    Attributes:
        family: how its questions are shortened and which answers it has; its own configuration is not used.
        ability: arithmetic, logic, algorithmic, language, induction or time (composition is the panel's "two_hop").
        levels: for each level the parameters of the generator.
        longest: for each level the largest number of characters of a question; longer candidates are passed over.
        parts: for an open family what its answers consist of: "letters" or "words" are swapped to make wrong choices;
            empty when it is asked without choices only.
    """

    family: Family
    ability: str
    levels: Mapping[Level, Mapping[str, Any]]
    longest: tuple[int, int, int] = (220, 320, 480)
    parts: str = ""

    def at(self, level: Level) -> Family:
        """The family at one level."""
        longest = self.longest[LEVELS.index(level)]
        return replace(self.family, config=self.levels[level], longest=longest)


def _dial(name: str, ability: str, easy: Any, medium: Any, hard: Any, **more: Any) -> Dialled:
    """A family of the worlds with a dial."""
    return Dialled(FAMILIES[name], ability, {"easy": easy, "medium": medium, "hard": hard}, **more)


_DAYS = {"tasks": ["weekday_offset", "weekday_of_date", "weekday_of_date_from_first_date"]}
_ALL: tuple[Dialled, ...] = (
    _dial(
        "chain_sum",
        "arithmetic",
        {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 2},
        {"min_terms": 3, "max_terms": 4, "min_digits": 2, "max_digits": 2},
        {"min_terms": 4, "max_terms": 6, "min_digits": 2, "max_digits": 4},
    ),
    _dial(
        "leg_counting",
        "arithmetic",
        {"min_animals": 2, "max_animals": 2, "max_instances": 9},
        {"min_animals": 3, "max_animals": 4, "max_instances": 12},
        {"min_animals": 5, "max_animals": 8, "max_instances": 15},
    ),
    _dial(
        "products",
        "arithmetic",
        {"min_digits": 1, "max_digits": 1, "max_terms": 3},
        {"min_digits": 1, "max_digits": 2},
        {"min_digits": 2, "max_digits": 3},
    ),
    _dial(
        "basic_arithmetic",
        "arithmetic",
        {"max_terms": 2, "max_digits": 1, "operators": ("+", "-", "*")},
        {"max_terms": 3, "max_digits": 2, "operators": ("+", "-", "*")},
        {"min_terms": 4, "max_terms": 6, "max_digits": 2, "operators": ("+", "-", "*")},
    ),
    _dial(
        "syllogism",
        "logic",
        {"allow_some": False, "allow_some_not": False, "inversion_probability": 0.0, "invalid_ratio": 0.5},
        {"inversion_probability": 0.0, "invalid_ratio": 0.5},
        {"inversion_probability": 0.5, "invalid_ratio": 0.5},
    ),
    _dial(
        "aiw",
        "logic",
        {"task_type_weights": (1.0, 0.0, 0.0), "max_entities": 4},
        {"task_type_weights": (0.5, 0.5, 0.0), "max_entities": 8},
        {"task_type_weights": (0.2, 0.4, 0.4), "max_entities": 20},
    ),
    _dial(
        "course_schedule",
        "logic",
        {"min_num_courses": 3, "max_num_courses": 3, "max_num_prerequisites": 1, "max_cycle_length": 3},
        {"min_num_courses": 4, "max_num_courses": 5, "max_num_prerequisites": 1, "max_cycle_length": 4},
        {"min_num_courses": 6, "max_num_courses": 8, "max_num_prerequisites": 2, "max_cycle_length": 5},
    ),
    _dial(
        "letter_counting",
        "algorithmic",
        {"min_words": 2, "max_words": 4},
        {"min_words": 5, "max_words": 9},
        {"min_words": 12, "max_words": 20},
    ),
    _dial(
        "count_bits",
        "algorithmic",
        {"max_n": 255},
        {"min_n": 256, "max_n": 65535},
        {"min_n": 65536, "max_n": 2147483647},
    ),
    _dial(
        "binary_alternation",
        "algorithmic",
        {"min_n": 5, "max_n": 9, "p_solvable": 1.0},
        {"min_n": 10, "max_n": 16, "p_solvable": 1.0},
        {"min_n": 20, "max_n": 32, "p_solvable": 1.0},
    ),
    _dial(
        "number_sorting",
        "algorithmic",
        {"min_numbers": 4, "max_numbers": 4, "max_decimals": 0},
        {"min_numbers": 5, "max_numbers": 6, "max_decimals": 0},
        {"min_numbers": 8, "max_numbers": 12, "max_decimals": 1},
        parts="words",
    ),
    _dial(
        "spell_backward",
        "language",
        {"min_word_len": 4, "max_word_len": 5},
        {"min_word_len": 6, "max_word_len": 7},
        {"min_word_len": 8, "max_word_len": 10},
        parts="letters",
    ),
    _dial(
        "word_sorting",
        "language",
        {"min_words": 4, "max_words": 4},
        {"min_words": 5, "max_words": 6},
        {"min_words": 8, "max_words": 10},
        parts="words",
    ),
    _dial(
        "family_relationships",
        "language",
        {"min_family_size": 3, "max_family_size": 3},
        {"min_family_size": 4, "max_family_size": 5},
        {"min_family_size": 6, "max_family_size": 8},
    ),
    _dial(
        "number_sequence",
        "induction",
        {"max_terms": 6, "max_complexity": 1},
        {"max_terms": 6, "max_complexity": 2},
        {"max_terms": 7, "max_complexity": 3},
    ),
    _dial(
        "caesar_cipher",
        "induction",
        {"min_words": 3, "max_words": 4, "max_rotation": 3},
        {"min_words": 4, "max_words": 7, "max_rotation": 13},
        {"min_words": 8, "max_words": 14},
    ),
    _dial(
        "calendar_arithmetic",
        "time",
        {**_DAYS, "offset_upper_bound": 7},
        {**_DAYS, "offset_upper_bound": 60},
        {**_DAYS, "offset_upper_bound": 900},
    ),
)

GENERATED: Mapping[str, Dialled] = MappingProxyType({one.family.name: one for one in _ALL})
"""The families by name."""


def generated(
    name: str, *, seed: int, items: int, level: Level = "medium", taken: Collection[str] = ()
) -> tuple[Question, ...]:
    """Draw questions of one family, all different.

    Args:
        name: a name of `GENERATED`.
        seed: of the panel; other seeds give other questions.
        items: how many.
        level: where the dial stands.
        taken: questions that must not come, by their text; case and spacing do not count.

    Returns:
        `items` questions; with choices where the family has them.

    Raises:
        SpecError: for an unknown family or level, or when the family has too few different questions at that level.
        EnvironmentFault: when reasoning-gym is not installed.
    """
    if name not in GENERATED:
        raise SpecError(f"there is no generated family {name!r}", hint=f"choose from {', '.join(GENERATED)}")
    if level not in LEVELS:
        raise SpecError(f"there is no level {level!r}", hint=f"choose from {', '.join(LEVELS)}")
    dialled = GENERATED[name]
    source = FamilySource(dialled.at(level), derive(seed, "generated", level))
    seen = {normal(text) for text in taken}
    found: list[Question] = []
    last = index = -1
    while len(found) < items and index - last < _SEARCH:
        index += 1
        item = source.item(index)
        if normal(item.question) in seen:
            continue
        seen.add(normal(item.question))
        question = _question(dialled, source, item, index, f"{name}/{level}/{seed}/{index}")
        if question is not None:
            found.append(question)
            last = index
    if len(found) < items:
        raise SpecError(
            f"{name} has {len(found)} different questions at level {level}, {items} were asked for",
            hint="ask for fewer, or turn the dial up",
        )
    return tuple(found)


def choice_probe(question: Question) -> Probe:
    """A generated question with its choices scored as answers; they are not listed."""
    gold = (f" {choice}" for choice in question.choices)
    return probe("choice", question, _told(question), gold, question.gold)


def free_probe(question: Question) -> Probe:
    """A generated question with a free reply."""
    return reply("free", replace(question, choices=(), gold=-1), _told(question))


def _told(question: Question) -> str:
    return f"Question: {question.prompt}\nAnswer:"


def _question(dialled: Dialled, source: FamilySource, item: Item, index: int, name: str) -> Question | None:
    """The item as a question; None when it should have choices and none can be made."""
    choices, gold = item.choices, item.gold
    if dialled.parts:
        stream = generator(source.seed, "swapped", item.id)
        wrong = swapped(item.answer, dialled.parts, lambda text: source.score(index, text) >= 1.0, stream)
        if wrong is None:
            return None
        choices, gold = place_gold(item.answer, wrong, stream)
    family = f"generated_{item.family}"
    return Question(name, "generated", name, family, item.question, item.answer, choices, gold)


def swapped(
    answer: str, parts: str, is_gold: Callable[[str], bool], generator: np.random.Generator
) -> tuple[str, ...] | None:
    """Three wrong answers, each the right one with two of its parts exchanged.

    Args:
        answer: the gold: a word whose letters, or a list whose elements are exchanged.
        parts: "letters" or "words".
        is_gold: the family's scorer; what it accepts is refused.
        generator: the source of chance.

    Returns:
        Three distinct texts, none equal to the answer, or None when there are no three.
    """
    opening, closing = ("[", "]") if answer.startswith("[") else ("", "")
    pieces = list(answer) if parts == "letters" else answer.removeprefix("[").removesuffix("]").split(", ")
    gap = "" if parts == "letters" else ", "
    found: list[str] = []
    for _ in range(_SWAPS if len(pieces) > 1 else 0):
        one, two = (int(place) for place in generator.permutation(len(pieces))[:2])
        other = list(pieces)
        other[one], other[two] = other[two], other[one]
        text = f"{opening}{gap.join(other)}{closing}"
        if text != answer and text not in found and not is_gold(text):
            found.append(text)
            if len(found) == WRONG_CHOICES:
                return tuple(found)
    return None
