"""The same problem with fresh numbers; its answer follows from the item's own arithmetic.

Here live: drawing fresh numbers for a template, and judging them.
Not here: binding numbers to arithmetic (`template`), names (`names`), composition (`composed`).

What a draw keeps: whole numbers stay whole and numbers keep their count of digits, decimals and final zeros; the order
of all numbers of the text; sign, wholeness and being below one of every intermediate result; units' limits (hours of a
day, percent). Every exchanged number and the answer differ from the source's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from shadowgraph.scores.counterparts.arithmetic import decimals
from shadowgraph.scores.counterparts.mentions import Span
from shadowgraph.scores.counterparts.rule import Declined
from shadowgraph.scores.counterparts.template import Template, template_of
from shadowgraph.scores.question import Question

ATTEMPTS = 400
"""Draws before a question is declined for want of fresh numbers."""

REDRAWS = 8
"""Draws that pass but leave the new text ambiguous before a question is declined."""

NOTHING: Mapping[int, Fraction] = MappingProxyType({})
_ORDINARY_PLACES = 2  # money may get cents where the source had none in an intermediate result


def renumber(question: Question, generator: np.random.Generator) -> Question | Declined:
    """The question with fresh numbers and the answer that its own arithmetic gives for them.

    Args:
        question: an arithmetic problem with `equation` or a `worked` solution in steps.
        generator: the source of chance.

    Returns:
        The question with id, source, group and family kept, or why it was left alone.
    """
    template = template_of(question)
    return template if isinstance(template, Declined) else fresh(template, generator)


def fresh(template: Template, generator: np.random.Generator) -> Question | Declined:
    """A template filled with numbers drawn anew, so that the new text binds to its arithmetic as surely as the old one.

    Args:
        template: of the question.
        generator: the source of chance.
    """
    for _ in range(REDRAWS):
        values = drawn(template, generator)
        if values is None:
            break
        image = template.fill(values)
        again = template_of(image)
        if isinstance(again, Template) and again.slots == template.slots:
            return image
    return Declined("no fresh numbers keep its results of the same kind")


def drawn(
    template: Template,
    generator: np.random.Generator,
    *,
    given: Mapping[int, Fraction] = NOTHING,
    attempts: int = ATTEMPTS,
) -> tuple[Fraction, ...] | None:
    """Fresh values for the slots of a template, None when none were found.

    Args:
        template: of the question.
        generator: the source of chance.
        given: values by index of the slot that are not drawn and need not be of the source's size.
        attempts: how often to draw.
    """
    judge = Judge(template, tuple(given))
    for _ in range(attempts):
        values = _draw(template, judge.spans, given, generator)
        if values is not None and judge.passes(values):
            return values
    return None


class Judge:
    """What values of a template's slots must keep; the source's own values are the standard.

    Args:
        template: of the question.
        free: slots whose value is given from outside; they need not fit their span or differ from the source's.
    """

    def __init__(self, template: Template, free: Sequence[int] = ()) -> None:
        """Note kinds and order of the source."""
        self.template = template
        self.old = template.values
        self.free = frozenset(free)
        self.spans = tuple(template.numbers[slot].span() for slot in template.slots)
        self.nodes = template.nodes(self.old)
        self.gold = self.nodes[-1][-1]
        self.order = _order([one.value for one in template.numbers])

    def passes(self, values: Sequence[Fraction]) -> bool:
        """Whether the values are fresh, in order, and give results of the source's kinds.

        Args:
            values: one a slot.

        Returns:
            False as soon as one demand of this module's head is not met.
        """
        if any(
            index not in self.free and value == old
            for index, (value, old) in enumerate(zip(values, self.old, strict=True))
        ):
            return False
        told = [one.value for one in self.template.numbers]
        for slot, value in zip(self.template.slots, values, strict=True):
            told[slot] = value
        if _order(told) != self.order or not self._written(values):
            return False
        try:
            nodes = self.template.nodes(values)
        except ZeroDivisionError:
            return False
        answer = nodes[-1][-1]
        if answer == self.gold or (answer in told and self.gold not in [one.value for one in self.template.numbers]):
            return False
        pairs = (
            (new, old)
            for left, right in zip(nodes, self.nodes, strict=True)
            for new, old in zip(left, right, strict=True)
        )
        return all(_same_kind(new, old) for new, old in pairs) and _places(answer) <= _places(self.gold)

    def _written(self, values: Sequence[Fraction]) -> bool:
        for index, (slot, value) in enumerate(zip(self.template.slots, values, strict=True)):
            if index in self.free:
                continue
            mention = self.template.numbers[slot]
            text = mention.write(value) if self.spans[index].holds(value) else None
            if text is None or not mention.fits(text):
                return False
        return True


def _draw(
    template: Template, spans: Sequence[Span], given: Mapping[int, Fraction], generator: np.random.Generator
) -> tuple[Fraction, ...] | None:
    """Values for all slots: log-uniform in their spans, in the source's order where spans agree, divisible."""
    values = [span.at(float(generator.random())) for span in spans]
    for span in dict.fromkeys(spans):
        same = [index for index, one in enumerate(spans) if one == span and index not in given]
        ranked = sorted(same, key=lambda index: template.values[index])
        for index, value in zip(ranked, sorted(values[index] for index in same), strict=True):
            values[index] = value
    for index, value in given.items():
        values[index] = value
    exact = _divisible(template, values)
    return exact if exact is None or all(exact[index] == value for index, value in given.items()) else None


def _divisible(template: Template, values: list[Fraction]) -> tuple[Fraction, ...] | None:
    """The values with every bare numerator moved to a near multiple of its divisor, where the source's was one."""
    place = {slot: index for index, slot in enumerate(template.slots)}
    for number, (step, leaves) in enumerate(zip(template.steps, template.leaves, strict=True)):
        for leaf, divisor in step.quotients():
            origin = leaves[leaf]
            if origin.origin != "mention" or origin.index not in place or origin.factor != 1:
                continue
            try:
                old = _part(template, template.values, number, divisor)
                new = _part(template, values, number, divisor)
            except ZeroDivisionError:
                return None
            index = place[origin.index]
            if new and old and (template.values[index] / old).denominator == 1:
                values[index] = round(values[index] / new) * new
    return tuple(values)


def _part(template: Template, values: Sequence[Fraction], number: int, code: tuple[int | str, ...]) -> Fraction:
    """The value of a part of a step."""
    nodes = template.nodes(values)
    step = template.steps[number]
    leaves: dict[int, Fraction] = {}
    for item, value in zip(step.code, nodes[number], strict=True):
        if isinstance(item, int):
            leaves[item] = value
    found = type(step)(step.leaves, code)
    return found.value([leaves[index] for index in range(len(step.leaves))])


def _order(values: Sequence[Fraction]) -> tuple[int, ...]:
    """The order of all pairs: -1, 0 or 1."""
    return tuple((left > right) - (left < right) for index, left in enumerate(values) for right in values[index + 1 :])


def _same_kind(new: Fraction, old: Fraction) -> bool:
    """Whether a result keeps sign, wholeness, being below one, and decimals of ordinary length."""
    if (new > 0) - (new < 0) != (old > 0) - (old < 0) or (abs(new) < 1) != (abs(old) < 1):
        return False
    if (new.denominator == 1) < (old.denominator == 1):
        return False
    return _places(new) <= max(_places(old), _ORDINARY_PLACES)


def _places(value: Fraction) -> int:
    """Decimals of a value; 99 when they never end."""
    found = decimals(value)
    return 99 if found is None else found
