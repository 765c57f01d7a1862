"""Far dresses: the benchmark's layout is gone, the question is told in a layout of our own.

Here live: open, free, closing-gap, spoken, listed, tabled and lettered tellings, and their wordings as data.
Not here: changes inside the benchmark's own layout (`near`), claims about answers (`claims`).

A wording holds {prompt} once, and {offer} where choices that the source shows are told again. Between prompt and answer
each has words of its own, so that no run of words of the source leads into the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from shadowgraph.corpus.items import LETTERS
from shadowgraph.scores.counterparts import caution
from shadowgraph.scores.counterparts.laid import Laid
from shadowgraph.scores.counterparts.rule import Declined, Probe, probe, reply
from shadowgraph.worlds.item import pick
from shadowgraph.worlds.layouts import PERSON_NAMES

OPEN = (
    "Somebody wants to know this.\n{prompt}\nWhat is right is",
    "Asked: {prompt}\nReplied:",
)
FREE = (
    "Say it in a few words.\n{prompt}\nIn short:",
    "Heard on the radio: {prompt}\nThe caller knew it at once:",
)
CLOZE = (
    "The last line has a gap at its end.\n{prompt}\nWhat is asked for here is",
    "Read and complete. {prompt}\nAs everybody in the room agreed, it is",
)
CLOZE_STEM = ("The last line is to be finished so that it holds.\n{prompt}", "Finish this rightly: {prompt}")
CLOZE_TEXT = ("{prompt} (…)\nThe dots stand for:", "A line was torn off below.\n{prompt}\nOn the torn piece stood:")
DIALOGUE = (
    "{asker}: Do you have a minute? {prompt}{offer}\n{helper}: I would say it is",
    "{asker} asked: “{prompt}”{offer}\n{helper} thought for a while and said:",
)
DIALOGUE_TEXT = (
    "{asker}: I heard only the beginning. {prompt}\n{helper}: And then it goes on like this:",
    "{asker} read aloud: “{prompt}”\n{helper}, who knew the rest by heart, went on:",
)
SPOKEN = "\n{asker}: They told me it is one of these: {choices}"
LIST = (
    "Things to settle\n* {prompt}{offer}\n  settled as:",
    "Sheet for today\n1) {prompt}{offer}\n   found to be:",
)
LIST_TEXT = ("Beginnings and how they end\n* {prompt}\n  ends so:",)
LISTED = "\n    + {choice}"
TABLE = (
    "| asked | offered | settled as |\n| --- | --- | --- |\n| {prompt} | {offer} |",
    "| entry | to pick from | picked |\n|---|---|---|\n| {prompt} | {offer} |",
)
TABLE_FREE = ("| asked | state | settled as |\n| --- | --- | --- |\n| {prompt} | done |",)
TABLE_TEXT = ("| beginning | turn | end |\n| --- | --- | --- |\n| {prompt} | goes on |",)
LETTERED_TEXT = "This is how a text begins.\n{prompt}\nOnly one of these goes on from it as it should:{options}\nIt is"
LETTERED_PAIR = "Only one of these is as it should be:{options}\nIt is"
LETTERED = "Consider this. {prompt}\nOnly one of these is right:{options}\nIt is"

_GAP = re.compile(r"_{2,}|\.{4,}|…")
_ASKS = re.compile(
    r"(?:\A|[.!?:,;]\s+)(?:and |but |then |so )?(?:(?:in|on|at|by|for|to|of|from|with|under|during|through|about|into"
    r"|after|before|between|among|within|over|against|because of|as a result of) )?(?:which|what|who|whom|whose|where"
    r"|when|why|how|find|calculate|determine|select|choose|identify|name|compute|evaluate|explain|describe|give|solve"
    r"|state|is|are|was|were|do|does|did|can|could|will|would|should|has|have|had)\b[^.!?]*\Z",
    re.IGNORECASE,
)
_END = re.compile(r"[\s_.…:]+\Z")


def opened(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """The choices are gone from view; their texts are scored as answers."""
    names = caution.others(laid.question.choices)
    refused = caution.first(
        caution.continued(laid), caution.unlisted(laid), names, caution.offered(laid), caution.prefixed(laid)
    )
    return refused or _scored("open", laid, pick(OPEN, generator), generator)


def freed(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """The choices are gone and a free reply is read."""
    question = laid.question
    if laid.shown == "unseen" and question.style == "question":
        return Declined("its answer is one of a few set words or texts")
    if laid.seen:
        whole = "" if caution.whole(question.answer) else "behind choices, only a whole number is surely the one answer"
        asks = "" if question.prompt.rstrip().endswith("?") else "it is not put as a question"
        others = caution.others(question.choices)
        refused = caution.first(whole, asks, caution.offered(laid), caution.graded(laid), others)
    else:
        refused = caution.first(caution.continued(laid))
    return refused or _free("free", laid, _fill(pick(FREE, generator), laid, generator))


def cloze(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """A statement with its gap at the end; where the prompt is itself the beginning of one, that is used."""
    question, prompt = laid.question, laid.question.prompt.rstrip()
    names = (caution.others(question.choices) or caution.offered(laid)) if laid.seen else ""
    refused = caution.first("it has no prompt" if not prompt else "", names, caution.prefixed(laid))
    if refused:
        return refused
    if question.style == "continuation":
        if laid.shown == "none":
            return Declined("it is a text to be continued")
        return _scored("cloze", laid, pick(CLOZE_TEXT, generator), generator)
    stem = _END.sub("", prompt)
    if _GAP.search(stem):
        return Declined("its gap stands inside the prompt")
    ended = prompt[-1] in "?!)\"'”’]" or (prompt[-1] in ".:" and not _GAP.search(prompt)) or _ASKS.search(prompt)
    if ended or laid.shown == "none":
        return _scored("cloze", laid, pick(CLOZE, generator), generator)
    context = pick(CLOZE_STEM, generator).replace("{prompt}", stem, 1)
    return probe("cloze", question, context, _texts(laid), question.gold)


def dialogue(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """Two people talk; the one who is asked answers."""
    wordings = DIALOGUE_TEXT if laid.question.style == "continuation" else DIALOGUE
    return _retold("dialogue", laid, wordings, ";", generator)


def listed(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """An entry of a list, its choices below it without labels."""
    wordings = LIST_TEXT if laid.question.style == "continuation" else LIST
    return _retold("list", laid, wordings, "", generator)


def tabled(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """A row of a table, its choices in one cell without labels."""
    asked = TABLE if laid.seen else TABLE_FREE
    wordings = TABLE_TEXT if laid.question.style == "continuation" else asked
    return _retold("table", laid, wordings, "|;" if laid.seen else "|", generator)


def lettered(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """Choices that the source does not show, shown with letters in drawn order; asked for is the letter."""
    question = laid.question
    if laid.shown != "unseen":
        return Declined("it has no choices" if laid.shown == "none" else "its choices are shown by its source")
    refused = caution.first(
        caution.letters(laid), "" if question.style == "continuation" else caution.others(question.choices)
    )
    if refused:
        return refused
    order = [int(place) for place in generator.permutation(len(question.choices))]
    options = "".join(
        f"\n{letter}. {question.choices[place].strip()}" for letter, place in zip(LETTERS, order, strict=False)
    )
    text = LETTERED_TEXT if question.style == "continuation" else LETTERED
    head, _, tail = (text if question.prompt.strip() else LETTERED_PAIR).partition("{options}")
    context = f"{head.replace('{prompt}', question.prompt.strip(), 1)}{options}{tail}"
    letters = (f" {letter}" for letter in LETTERS[: len(order)])
    return probe("lettered", question, context, letters, order.index(question.gold))


def _retold(
    form: str, laid: Laid, wordings: Sequence[str], marks: str, generator: np.random.Generator
) -> Probe | Declined:
    """A layout that tells the choices again where the source shows them."""
    question = laid.question
    broken = caution.rowed((question.prompt,), "|\n") if form == "table" else ""
    broken = broken or (caution.rowed(question.choices, f"\n{marks}") if laid.seen or form == "table" else "")
    order = caution.order(laid) if laid.seen else ""
    refused = caution.first(
        "it has no prompt" if not question.prompt.strip() else "",
        "it is a text to be continued" if question.style == "continuation" and laid.shown == "none" else "",
        order,
        broken,
        caution.prefixed(laid),
    )
    return refused or _scored(form, laid, pick(wordings, generator), generator)


def _scored(form: str, laid: Laid, wording: str, generator: np.random.Generator) -> Probe | Declined:
    """Fill a wording and score the choices' texts, or read a free reply where there are none."""
    context = _fill(wording, laid, generator)
    if laid.shown == "none":
        return _free(form, laid, context)
    return probe(form, laid.question, context, _texts(laid), laid.question.gold)


def _free(form: str, laid: Laid, context: str) -> Probe:
    """Read a free reply; a cell of a table ends it as well."""
    until = ("\n", "|") if form == "table" else ("\n",)
    return reply(form, laid.question, context, extract=caution.reading(laid.question), until=until)


def _fill(wording: str, laid: Laid, generator: np.random.Generator) -> str:
    """Fill a wording; whatever stands in the texts is never read as part of it."""
    question = laid.question
    texts = " ".join((question.prompt, *question.choices))
    names = [name for name in PERSON_NAMES if name not in texts] or ["Host", "Guest"]
    place = int(generator.random() * len(names))
    asker, helper = names[place], names[(place + 1) % len(names)]
    choices = [choice.strip() for choice in question.choices] if laid.seen else []
    filled = wording.replace("{asker}", asker).replace("{helper}", helper)
    if "|" in wording:
        offer = _row(choices)
    elif "{asker}" in wording:
        offer = SPOKEN.replace("{asker}", asker).replace("{choices}", _sentence(_row(choices))) if choices else ""
    else:
        offer = "".join(LISTED.replace("{choice}", choice) for choice in choices)
    head, _, tail = filled.partition("{prompt}")
    return f"{head}{question.prompt.strip()}{tail.replace('{offer}', offer, 1)}"


def _row(choices: Sequence[str]) -> str:
    """The choices in one line: each in quotation marks where one of them brings its own mark at the end."""
    if any(choice.endswith((".", "!", "?", ",", ":", "…")) for choice in choices):
        return ", ".join(f"“{choice}”" for choice in choices)
    return "; ".join(choices)


def _sentence(row: str) -> str:
    """A row with one mark at its end."""
    return row if re.search(r"[.!?…]”\Z", row) else f"{row}."


def _texts(laid: Laid) -> tuple[str, ...]:
    """The choices' texts as continuations."""
    return tuple(f" {choice.strip()}" for choice in laid.question.choices)
