"""A worked question as a template: which numbers of its text go where in its arithmetic.

Here live: binding the numbers of an equation to the numbers of the text, the checks that make the binding safe, and
the question with other numbers and the answer that follows from them.
Not here: which numbers to take (`numbers`, `composed`), how numbers are read (`mentions`, `arithmetic`).

A number of the arithmetic is taken to be (1) the one mention in the text that has its value, (2) the result of one
earlier step, or (3) a constant that a word of the text names ("half", "a week"). When two of these agree and one of
them may change, the question is declined.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from shadowgraph.errors import DataError
from shadowgraph.scores.counterparts.arithmetic import Expression, decimals, number, parse, plain
from shadowgraph.scores.counterparts.mentions import Mention, mentions
from shadowgraph.scores.counterparts.rule import Declined
from shadowgraph.scores.question import Question

_STEP = re.compile(r"<<([^<>]*)>>")
_CONSTANTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"half|halves|halved?|halfway", ("2", "0.5", ".5")),
    (r"twice|doubled?|doubles|doubling|both|couples?|pairs?|twins?|average", ("2",)),
    (r"triple[ds]?|thrice|thirds?|triplets", ("3",)),
    (r"quarters?|quarterly|fourths?|quadrupled?|seasons?", ("4", "25", "0.25")),
    (r"fifths?", ("5",)),
    (r"sixths?", ("6",)),
    (r"eighths?", ("8",)),
    (r"tenths?|dimes?", ("10", "0.1")),
    (r"nickels?", ("5", "0.05")),
    (r"penny|pennies|cents?", ("100", "0.01")),
    (r"dozens?", ("12",)),
    (r"weeks?|weekly|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|everyday|every day|daily|each day", ("7",)),
    (r"weekdays?|weekends?|work ?weeks?|school|business days?", ("5", "2")),
    (r"days?|daily", ("24",)),
    (r"years?|yearly|annual|annually|months?|monthly", ("12", "52", "365", "4", "30", "31", "28")),
    (r"hours?|hourly|minutes?|seconds?", ("60", "3600")),
    (r"fort?night(?:s|ly)?", ("14",)),
    (r"decades?", ("10",)),
    (r"century|centuries|meters?|metres?|cm|centimeters?", ("100",)),
    (r"foot|feet|inch|inches|yards?", ("12", "3", "36")),
    (r"kilometers?|kilometres?|km|kilograms?|kg|liters?|litres?|grams?|ml|thousands?", ("1000",)),
    (r"hundreds?", ("100",)),
    (r"pounds?|ounces?", ("16",)),
    (r"gallons?|quarts?|pints?", ("4", "2", "8", "16")),
    (r"percent|percentage", ("100", "1", "0.01", "0.1", "0.5")),
)
_THRESHOLD = re.compile(
    r"\b(?:at least|at most|exceed(?:s|ed|ing)?|or more|or fewer|or less|up to|minimum|maximum|no more than|limit"
    r"|round(?:ed|s|ing)? (?:up|down|to)|nearest|whole number|whichever|remainder|left ?over)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where a number of the arithmetic comes from.

    Attributes:
        origin: "mention", "step" or "constant".
        index: of the mention or the step, -1 for a constant.
        factor: the mention's or the constant's value is multiplied by this (1/100 for percentages).
    """

    origin: str
    index: int
    factor: Fraction


@dataclass(frozen=True, slots=True)
class Template:
    """A question whose numbers can be exchanged.

    Attributes:
        question: as the source has it.
        numbers: every mention of a number in its prompt.
        steps: its arithmetic, in order; the last one gives the answer.
        leaves: for each step where its numbers come from.
        slots: indices of the mentions that the arithmetic uses and that may be exchanged.
    """

    question: Question
    numbers: tuple[Mention, ...]
    steps: tuple[Expression, ...]
    leaves: tuple[tuple[Leaf, ...], ...]
    slots: tuple[int, ...]

    @property
    def values(self) -> tuple[Fraction, ...]:
        """The source's own values of the slots."""
        return tuple(self.numbers[slot].value for slot in self.slots)

    def nodes(self, values: Sequence[Fraction]) -> tuple[tuple[Fraction, ...], ...]:
        """The value of every node of every step.

        Args:
            values: one a slot.

        Raises:
            ZeroDivisionError: when a divisor is zero.
        """
        known = dict(zip(self.slots, values, strict=True))
        found: list[tuple[Fraction, ...]] = []
        for step, leaves in zip(self.steps, self.leaves, strict=True):
            found.append(step.nodes([self._worth(leaf, known, found) for leaf in leaves]))
        return tuple(found)

    def answer(self, values: Sequence[Fraction]) -> Fraction:
        """The answer that follows from the values of the slots.

        Args:
            values: one a slot.

        Raises:
            ZeroDivisionError: when a divisor is zero.
        """
        return self.nodes(values)[-1][-1]

    def text(self, written: Sequence[str]) -> str:
        """The prompt with other texts in its slots, everything else byte for byte.

        Args:
            written: one a slot.

        Returns:
            The prompt.
        """
        parts: list[str] = []
        place = 0
        for slot, text in zip(self.slots, written, strict=True):
            parts += [self.question.prompt[place : self.numbers[slot].start], text]
            place = self.numbers[slot].end
        return "".join([*parts, self.question.prompt[place:]])

    def fill(self, values: Sequence[Fraction]) -> Question:
        """The question with other numbers, its answer and its arithmetic recomputed.

        Args:
            values: one a slot.

        Raises:
            DataError: when a value cannot be written in its slot's manner.
        """
        written: list[str] = []
        for slot, value in zip(self.slots, values, strict=True):
            text = self.numbers[slot].write(value)
            if text is None:
                raise DataError(f"{value} cannot be written like {self.numbers[slot].text!r}", where=self.question.id)
            written.append(text)
        nodes = self.nodes(values)
        digits = plain(nodes[-1][-1])
        answer = f"{int(digits):,}" if "," in self.question.answer and "." not in digits else digits
        return replace(
            self.question,
            prompt=self.text(written),
            answer=answer,
            accepted=(digits,) if digits != answer else (),
            equation=self._equation(values, nodes),
            worked="",
        )

    def _worth(self, leaf: Leaf, known: dict[int, Fraction], done: Sequence[tuple[Fraction, ...]]) -> Fraction:
        if leaf.origin == "constant":
            return leaf.factor
        if leaf.origin == "step":
            return done[leaf.index][-1]
        return known.get(leaf.index, self.numbers[leaf.index].value) * leaf.factor

    def _equation(self, values: Sequence[Fraction], nodes: Sequence[tuple[Fraction, ...]]) -> str:
        known = dict(zip(self.slots, values, strict=True))
        written: list[str] = []
        for step, leaves, found in zip(self.steps, self.leaves, nodes, strict=True):
            texts = [plain(self._worth(leaf, known, nodes)) for leaf in leaves]
            written.append(f"{step.written(texts)} = {plain(found[-1])}")
        return "; ".join(written)


def template_of(question: Question) -> Template | Declined:
    """The template of a question that carries its arithmetic, as an equation or in the steps of its worked solution."""
    if question.choices:
        return Declined("its choices would have to change with the numbers")
    gold = number(question.answer)
    if gold is None:
        return Declined("the answer is no number")
    try:
        steps = _steps(question)
    except (DataError, ZeroDivisionError):
        return Declined("its arithmetic cannot be read")
    if not steps:
        return Declined("it carries no arithmetic")
    numbers = mentions(question.prompt)
    try:
        bound = _bind(steps, numbers, _constants(question.prompt))
    except ZeroDivisionError:
        return Declined("its arithmetic cannot be read")
    if isinstance(bound, Declined):
        return bound
    used = {leaf.index for leaves in bound for leaf in leaves if leaf.origin == "mention"}
    slots = tuple(sorted(index for index in used if not numbers[index].fixed))
    template = Template(question, numbers, tuple(step for step, _ in steps), bound, slots)
    return _sound(template, gold)


def _steps(question: Question) -> list[tuple[Expression, Fraction | None]]:
    """Each step of the arithmetic and the result it claims, None where it claims none."""
    texts = [part for part in question.equation.split(";") if part.strip()] or _STEP.findall(question.worked)
    found: list[tuple[Expression, Fraction | None]] = []
    for text in texts:
        left, equals, right = text.partition("=")
        found.append((parse(left), parse(right).value(parse(right).leaves) if equals else None))
    return found


def _constants(prompt: str) -> frozenset[Fraction]:
    """Numbers that words of the text stand for."""
    return frozenset(
        Fraction(value)
        for pattern, values in _CONSTANTS
        if re.search(rf"\b(?:{pattern})\b", prompt.replace("%", " percent "), re.IGNORECASE)
        for value in values
    )


def _bind(
    steps: Sequence[tuple[Expression, Fraction | None]], numbers: Sequence[Mention], constants: frozenset[Fraction]
) -> tuple[tuple[Leaf, ...], ...] | Declined:
    """Where every number of every step comes from, or the first one of which that is not certain."""
    bound: list[tuple[Leaf, ...]] = []
    results: list[Fraction] = []
    for step, claimed in steps:
        leaves: list[Leaf] = []
        for value in step.leaves:
            leaf = _origin(value, numbers, results, constants)
            if isinstance(leaf, Declined):
                return leaf
            leaves.append(leaf)
        found = step.value(step.leaves)
        if claimed is not None and found != claimed:
            return Declined("a step of its arithmetic is wrong or rounded")
        bound.append(tuple(leaves))
        results.append(found)
    return tuple(bound)


def _origin(
    value: Fraction, numbers: Sequence[Mention], results: Sequence[Fraction], constants: frozenset[Fraction]
) -> Leaf | Declined:
    """Where one number of the arithmetic comes from."""
    found = [Leaf("mention", index, Fraction(1)) for index, one in enumerate(numbers) if one.value == value]
    hundredth = Fraction(1, 100)
    found += [
        Leaf("mention", index, hundredth)
        for index, one in enumerate(numbers)
        if one.percent and one.value * hundredth == value
    ]
    found += [Leaf("step", index, Fraction(1)) for index, result in enumerate(results) if result == value]
    fixed = value in constants
    if not found:
        return Leaf("constant", -1, value) if fixed else Declined("a number of its arithmetic is not in the text")
    if all(leaf.origin == "mention" and numbers[leaf.index].fixed for leaf in found):
        return Leaf("constant", -1, value) if len(found) > 1 else found[0]
    if len(found) > 1:
        return Declined("two numbers could be meant by one of its arithmetic")
    if fixed and found[0].origin == "mention":
        return Declined("a number of its arithmetic could be a word's constant")
    return found[0]


def _sound(template: Template, gold: Fraction) -> Template | Declined:
    """The template when changing its slots is safe, else why not."""
    nodes = template.nodes(template.values)
    if nodes[-1][-1] != gold:
        return Declined("its arithmetic does not give its answer")
    if any(decimals(value) is None for step in nodes for value in step):
        return Declined("a step of its arithmetic has decimals without end")
    if not template.slots:
        return Declined("no number of its arithmetic may be exchanged")
    if _THRESHOLD.search(template.question.prompt):
        return Declined("a threshold or rounding in the text may depend on the numbers")
    if _idle_follows(template):
        return Declined("a number outside the arithmetic follows from those inside")
    starts = [template.numbers[slot].start for slot in template.slots]
    if any(left >= right for left, right in pairwise(starts)):
        return Declined("its numbers overlap in the text")
    return template


def _idle_follows(template: Template) -> bool:
    """Whether a number that the arithmetic leaves alone follows from a slot and another number."""
    used = {leaf.index for leaves in template.leaves for leaf in leaves if leaf.origin == "mention"}
    values = [one.value for one in template.numbers]
    for idle in set(range(len(values))) - used:
        for slot in template.slots:
            if values[idle] == values[slot]:
                return True
            others = [value for index, value in enumerate(values) if index not in (idle, slot)]
            if any(_related(values[idle], values[slot], other) for other in others):
                return True
    return False


def _related(one: Fraction, two: Fraction, three: Fraction) -> bool:
    """Whether one of three numbers is the sum or the product of the other two (products with 1 tell nothing)."""
    sums = one == two + three or two == one + three or three == one + two
    if 1 in (one, two, three) or 0 in (one, two, three):
        return sums and 0 not in (one, two, three)
    return sums or one == two * three or two == one * three or three == one * two
