"""Two hops: the answer of one question is the input of the next.

Here live: composition of a question with a second step of our own, and chains of two questions of one benchmark.
Not here: fresh numbers (`numbers`), binding numbers to arithmetic (`template`).

The gold is correct by construction: the second step is computed from the first one's gold, and the first one's gold is
the source's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

import numpy as np

from shadowgraph.scores.counterparts import caution
from shadowgraph.scores.counterparts.arithmetic import decimals, number, plain
from shadowgraph.scores.counterparts.laid import lay
from shadowgraph.scores.counterparts.numbers import drawn
from shadowgraph.scores.counterparts.rule import Declined, Probe, probe, reply
from shadowgraph.scores.counterparts.template import Template, template_of
from shadowgraph.scores.question import Question
from shadowgraph.seeds import generator as stream_of
from shadowgraph.worlds.item import pick, words

LARGEST = 1_000_000
"""Largest answer that is handed on; a longer one would test copying, not two hops."""

STEPS: tuple[tuple[str, str], ...] = (
    ("+", "A rack carries {x} bottles and {k} others are set beside them. How many bottles stand there now?"),
    ("+", "Someone who owned {x} shells found {k} at the beach. How many shells is that?"),
    ("-", "Out of {x} candles {k} burn down. How many candles remain?"),
    ("-", "A gardener with {x} seedlings plants {k} of them. How many seedlings wait in their pots?"),
    ("*", "Every one of {k} trays carries {x} plums. How many plums do the trays carry?"),
    ("*", "A pattern of {x} stitches is knitted {k} times over. How many stitches does that make?"),
)
"""Second steps: the operation on the first answer x and a small number k, and how it is asked."""

ROW = words(
    "amber basin cedar dune ember fjord gravel harbour icicle juniper kettle lantern meadow nettle orchard pebble "
    "quarry ribbon saddle thistle umbrella velvet willow yarrow zinc anchor"
)
"""Words of which one is named by its place; as many as a question may have choices."""

PARTNERS = 12
"""Second questions tried for a first one before it is left without a chain."""

_LOSS = re.compile(
    r"\b(?:lost|los(?:es?|ing)|gave|giv(?:es?|ing)|threw|throws?|ate|eats?|eaten|sold|sells?|spen[dt]s?|used|uses|broke"
    r"|removed?|removes|deleted?|deletes|donated?|donates|dropped|burned|burnt|paid|pays?|took|takes|stole|died|missed"
    r"|popped|cracked|returned|subtracts?|fewer|less(?:er)?|shorter|lighter|younger)\b",
    re.IGNORECASE,
)
_GAIN = re.compile(
    r"\b(?:has|have|had|buys?|bought|gets?|got|found|finds?|adds?|added|more|made|left)\b", re.IGNORECASE
)
_PART = re.compile(r"\W*(?:\w+ )?of (?:the|them|these|those|his|her|their|its|my|our)\b", re.IGNORECASE)
_NOW = re.compile(r"\b(?:now|total|altogether|in all)\b", re.IGNORECASE)
_TOTAL = re.compile(r"[^.?!,]*?\b(?:in total|in all|altogether|now)\b", re.IGNORECASE)
_LETTERS = words("X N Q Z W")
_DRAWS = 20


@dataclass(frozen=True, slots=True)
class Chain:
    """Two questions joined.

    Attributes:
        question: the joined question; its id, group and family are the first one's.
        first: id of the question whose answer is handed on.
        second: id of the question that takes it in.
    """

    question: Question
    first: str
    second: str


def compose(question: Question, generator: np.random.Generator) -> Probe | Declined:
    """A probe in which the question is the first of two hops; its own answer is never asked for.

    Free answers that are whole numbers go into a step of arithmetic; where choices are known, the place of the right
    one points into a row of words.

    Args:
        question: any question.
        generator: the source of chance.
    """
    if question.style == "continuation":
        return Declined("it is a text to be continued")
    laid = lay(question)
    if isinstance(laid, Declined):
        return laid
    if laid.question.choices:
        refused = caution.first(caution.letters(laid), caution.rowed(laid.question.choices, "\n"))
        return refused or _placed(laid.question, generator)
    return _stepped(question, generator)


def chains(questions: Sequence[Question], seed: int) -> tuple[tuple[Chain, ...], tuple[tuple[str, Declined], ...]]:
    """Pairs of questions, no question in two pairs, and for all others why they are in none.

    Args:
        questions: of one benchmark; those whose arithmetic is known can be second ones.
        seed: of the panel.

    Returns:
        The chains in the order of their first questions, and (id, reason) of every question that is in none.
    """
    order = stream_of(seed, "chain order").permutation(len(questions))
    shuffled = [questions[int(index)] for index in order]
    templates = {one.id: bound for one in shuffled if isinstance(bound := template_of(one), Template)}
    used: set[str] = set()
    found: dict[str, Chain] = {}
    declined: dict[str, Declined] = {}
    for first in shuffled:
        given = _handed_on(first)
        if first.id in used:
            continue
        if given is None:
            declined[first.id] = Declined("its answer is no whole number that can be handed on")
            continue
        seconds = (one for name, one in templates.items() if name not in used | {first.id} and _entries(one, given))
        tried = islice(seconds, PARTNERS)
        chain = next((one for second in tried if (one := _chained(first, given, second, seed)) is not None), None)
        if chain is None:
            declined[first.id] = Declined("no second question takes its answer in")
            continue
        used |= {chain.first, chain.second}
        found[first.id] = chain
    ids = [one.id for one in questions]
    left = tuple((name, declined[name]) for name in ids if name in declined and name not in used)
    return tuple(found[name] for name in ids if name in found), left


def chained(chain: Chain) -> Probe:
    """The probe of a chain: a free reply, read as a number."""
    return reply("chained", chain.question, f"Question: {chain.question.prompt}\nAnswer:", extract="number")


def _stepped(question: Question, generator: np.random.Generator) -> Probe | Declined:
    """A whole number goes into a step of our own."""
    given = _handed_on(question)
    letter = _letter(question.prompt)
    if given is None:
        return Declined("its answer is no whole number that can be handed on")
    if not letter:
        return Declined("every letter that could stand for the answer occurs in the text")
    operation, sentence = pick([step for step in STEPS if step[0] != "-" or given > 2], generator)
    high = 9 if operation != "-" else int(min(given - 1, 9))
    second = Fraction(2 + int(generator.random() * (high - 1)))
    value = {"+": given + second, "-": given - second, "*": given * second}[operation]
    step = sentence.format(x=letter, k=plain(second))
    context = (
        f"Question: Let {letter} be the answer to this: {question.prompt.strip()}\nNow take {letter}. {step}\nAnswer:"
    )
    return reply("composed", replace(question, answer=plain(value), accepted=()), context, extract="number")


def _placed(question: Question, generator: np.random.Generator) -> Probe | Declined:
    """The place of the right choice points into a row of words."""
    text = "\n".join((question.prompt, *question.choices)).lower()
    free = [word for word in ROW if word not in text]
    if len(free) < len(question.choices):
        return Declined("too few words of the row are foreign to its text")
    row = [free[int(index)] for index in generator.permutation(len(free))[: len(question.choices)]]
    options = "".join(f"\n{place}. {choice.strip()}" for place, choice in enumerate(question.choices, start=1))
    context = (
        f"Question: {question.prompt.strip()}{options}\nKeep the answer to yourself: count at which place it stands, "
        f"and say the word at the same place in this row: {', '.join(row)}.\nWord:"
    )
    return probe("composed", question, context, (f" {word}" for word in row), question.gold)


def _chained(first: Question, given: Fraction, template: Template, seed: int) -> Chain | None:
    """The chain of two questions, None when no slot of the second takes the first one's answer in."""
    second = template.question
    letter = _letter(f"{first.prompt}\n{second.prompt}")
    stream = stream_of(seed, "counterpart", "chained", first.id, second.id)
    if not letter:
        return None
    for index in stream.permutation(len(template.slots)):
        mention = template.numbers[template.slots[int(index)]]
        if mention.article or mention.percent or mention.places or (mention.cap and given > mention.cap):
            continue
        values = drawn(template, stream, given={int(index): given}, attempts=_DRAWS)
        if values is None or not possible(template, values):
            continue
        written = [
            template.numbers[slot].write(value) or "" for slot, value in zip(template.slots, values, strict=True)
        ]
        written[int(index)] = letter
        prompt = f"{first.prompt.strip()}\nCall the answer {letter} and go on: {template.text(written).strip()}"
        answer = template.answer(values)
        joined = replace(first, prompt=prompt, answer=plain(answer), accepted=(), worked="", equation="")
        return Chain(joined, first.id, second.id)
    return None


def possible(template: Template, values: Sequence[Fraction]) -> bool:
    """Whether a story can go so, as far as its words tell; some sources cannot, and what is joined to them cannot.

    No intermediate result is below zero. All that is lost, given or taken, or is a part of something, is never more
    than all that came before, where anything did, nor at the end than all that was not lost. In a story without loss no
    number before the one there is "now" or "in total" is above it.

    Args:
        template: of the question.
        values: one a slot.

    Returns:
        False as soon as one of these does not hold.
    """
    if any(value < 0 for step in template.nodes(values) for value in step):
        return False
    known = dict(zip(template.slots, values, strict=True))
    prompt = template.question.prompt
    had, gone, most, place, lost = Fraction(0), Fraction(0), Fraction(0), 0, False
    for index, one in enumerate(template.numbers):
        value = known.get(index, one.value)
        *ended, before = re.split(r"[.?!]\s", prompt[place : one.start])
        after = prompt[one.end :]
        goes_on = lost and not ended and not _GAIN.search(before)
        lost = goes_on or bool(_LOSS.search(before) or _PART.match(after))
        if not lost and not gone and value < most and (_NOW.search(before) or _TOTAL.match(after)):
            return False
        had, gone, most = (had, gone + value, most) if lost else (had + value, gone, max(most, value))
        if gone > had > 0:
            return False
        place = one.end
    return gone <= had


def _entries(template: Template, given: Fraction) -> tuple[int, ...]:
    """Slots whose number a given one may replace: whole, of the same count of digits, within its unit's limit."""
    found: list[int] = []
    for index, slot in enumerate(template.slots):
        mention = template.numbers[slot]
        whole = not (mention.article or mention.percent or mention.places)
        if whole and len(str(int(mention.value))) == len(str(int(given))) and (not mention.cap or given <= mention.cap):
            found.append(index)
    return tuple(found)


def _handed_on(question: Question) -> Fraction | None:
    """The answer as a whole number of at most `LARGEST`, None when it is none."""
    value = None if question.choices else number(question.answer)
    return value if value is not None and decimals(value) == 0 and 1 < value <= LARGEST else None


def _letter(text: str) -> str:
    """A letter that stands nowhere alone in the text, empty when there is none."""
    return next((letter for letter in _LETTERS if not re.search(rf"(?<!\w){letter}(?!\w)", text)), "")
