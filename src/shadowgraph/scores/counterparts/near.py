"""Near dresses: the benchmark's layout stays, one thing in it changes.

Here live: the question as its benchmark tells it, other orders and labels of its choices, an idle sentence in front,
instructions in another language, the question before its context.
Not here: layouts of our own (`far`) and claims about answers (`claims`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from shadowgraph.corpus.items import LETTERS
from shadowgraph.scores.counterparts import caution
from shadowgraph.scores.counterparts.laid import Laid
from shadowgraph.scores.counterparts.rule import Declined, Probe, probe, reply
from shadowgraph.worlds.fiction import made_up_name
from shadowgraph.worlds.item import pick, words
from shadowgraph.worlds.relations import BASE_THEME

ROMAN = words("i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx")
LABELS: tuple[tuple[str, ...], ...] = (
    tuple(f"{number}." for number in range(1, 27)),
    tuple(f"{number})" for number in ROMAN),
    tuple(f"[{letter}]" for letter in LETTERS[::-1].lower()),
    tuple(f"{mark}:" for mark in words("@ # % & $ ~ + =")),
)
"""Sets of labels, each label closed by a mark so that none is the beginning of another."""

LANGUAGES: dict[str, tuple[str, str, str, str]] = {
    "Spanish": ("Pregunta", "Respuesta", "Indica cuál de las opciones es la correcta.", "Responde lo que se pide."),
    "French": ("Question posée", "Réponse", "Indique laquelle des options est juste.", "Réponds à ce qui est demandé."),
    "German": ("Frage", "Antwort", "Gib an, welche der Möglichkeiten stimmt.", "Beantworte, was gefragt wird."),
    "Italian": ("Domanda", "Risposta", "Indica quale delle opzioni è giusta.", "Rispondi a ciò che si chiede."),
    "Portuguese": ("Pergunta", "Resposta", "Indica qual das opções está certa.", "Responde ao que se pergunta."),
    "Dutch": ("Vraag", "Antwoord", "Geef aan welke van de opties klopt.", "Beantwoord wat er gevraagd wordt."),
}
"""For each language: the word for question, for answer, the instruction with choices and without."""

_SENTENCES = tuple((stem, relation.values) for relation in BASE_THEME if relation.values for stem in relation.stems)
_ATTEMPTS = 40
_WORD = re.compile(r"\w+")
_SPLIT = re.compile(
    r"(?P<body>.+?(?P<last>\S+)[.!][\"'”’)]*)(?P<gap>\s+)(?P<ask>[\"“‘(]?[A-Z0-9][^.!?]*\?)\s*", re.DOTALL
)
_SHORT = frozenset(words("mr mrs ms dr st vs etc eg ie cf no nos fig eq approx sr jr prof gen col sen rep inc co ltd"))
_POINTS = re.compile(r"\b(?:above|below|following|preceding|previous|former|latter|next question)\b", re.IGNORECASE)


def original(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """As the benchmark tells it: the layout a model trained on it has seen."""
    return _as_told("original", laid, laid.told())


def permuted(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """The choices in another order: the gold's place is uniform, two choices are swapped, no two neighbours stay."""
    question = laid.question
    refused = caution.first(caution.continued(laid), caution.unlisted(laid), caution.letters(laid), caution.order(laid))
    if refused:
        return refused
    order = reordered(len(question.choices), question.gold, generator)
    choices = [question.choices[place] for place in order]
    gold = order.index(question.gold)
    replies = choices if laid.shown == "dashed" else laid.replies
    context = f"Question: {question.prompt}{laid.options(choices)}\nAnswer:"
    return probe("permuted", question, context, (f" {text}" for text in replies), gold)


def relabelled(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """Other labels before the choices; their order stays."""
    question = laid.question
    shown = caution.unlisted(laid) or ("its choices have no labels" if laid.shown == "dashed" else "")
    refused = caution.first(caution.continued(laid), shown, caution.letters(laid))
    if refused:
        return refused
    size, texts = len(question.choices), "\n".join((question.prompt, *question.choices))
    heads = {choice.strip()[:1] for choice in question.choices}
    fitting = [
        labels[:size]
        for labels in LABELS
        if len(labels) >= size and not any(label in texts for label in labels[:size])
        if not heads & {label[0] for label in labels[:size]}
    ]
    if not fitting:
        return Declined("every set of labels occurs in its text or is too short")
    labels = pick(fitting, generator)
    context = f"Question: {question.prompt}{laid.options(question.choices, labels)}\nAnswer:"
    return probe("labels", question, context, (f" {label}" for label in labels), question.gold)


def distracted(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """One idle sentence in front, about somebody made up; it shares no word of weight with question or choices."""
    refused = caution.first(caution.continued(laid), caution.counted(laid))
    if refused:
        return refused
    question = laid.question
    sentence = _idle((question.prompt, question.answer, *question.choices), generator)
    if sentence is None:
        return Declined("every idle sentence shares a word with it")
    return _as_told("distractor", laid, laid.told().replace("Question: ", f"Question: {sentence} ", 1))


def in_language(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """Labels and an instruction in another language; the question and its choices stay."""
    refused = caution.first(caution.continued(laid))
    if refused:
        return refused
    ask, answer, choose, say = LANGUAGES[pick(tuple(LANGUAGES), generator)]
    options = laid.options(laid.question.choices) if laid.seen else ""
    context = f"{choose if laid.seen else say}\n{ask}: {laid.question.prompt}{options}\n{answer}:"
    return _as_told("language", laid, context)


def context_order(laid: Laid, generator: np.random.Generator) -> Probe | Declined:
    """What is asked comes first, what is known after it."""
    refused = caution.first(caution.continued(laid))
    if refused:
        return refused
    parts = split(laid.question.prompt)
    if isinstance(parts, Declined):
        return parts
    body, ask = parts
    options = laid.options(laid.question.choices) if laid.seen else ""
    return _as_told("context_order", laid, f"Question: {ask}\nGiven: {body}{options}\nAnswer:")


def split(prompt: str) -> tuple[str, str] | Declined:
    """The sentences of a prompt before its one question, and the question; declined where the cut is in doubt."""
    match = _SPLIT.fullmatch(prompt.strip())
    if match is None or "?" in match["body"]:
        return Declined("it is not a context with one question after it")
    last = re.sub(r"\W", "", match["last"]).lower()
    if last in _SHORT or (len(last) < 3 and not last.isdigit()):
        return Declined("its sentences cannot be told apart for certain")
    if len(match["body"].split()) < 4 or len(match["ask"].split()) < 3:
        return Declined("it is not a context with one question after it")
    if _POINTS.search(prompt):
        return Declined("its parts point at each other's place")
    if back := caution.backward(match["ask"]):
        return Declined(back)
    return match["body"], match["ask"]


def reordered(size: int, gold: int, generator: np.random.Generator) -> tuple[int, ...]:
    """Another order of `size` places.

    From three on the gold's new place is uniform on 0 … size − 1 and no two neighbours both stay; two are swapped.

    Args:
        size: number of choices, at least 2.
        gold: place of the gold.
        generator: the source of chance.

    Returns:
        For each new place the old one.
    """
    if size == 2:
        return (1, 0)
    place = int(generator.random() * size)
    rest = [index for index in range(size) if index != gold]
    while True:
        others = [rest[int(index)] for index in generator.permutation(size - 1)]
        order = (*others[:place], gold, *others[place:])
        stays = [old == new for new, old in enumerate(order)]
        if not any(a and b for a, b in pairwise(stays)):
            return order


def _as_told(form: str, laid: Laid, context: str) -> Probe | Declined:
    """A probe answered as the source answers: its own replies scored, or a free reply read."""
    question = laid.question
    if laid.shown == "none":
        return reply(form, question, context, extract=caution.reading(question))
    gap = "" if question.style == "continuation" and context[-1:] in ("", " ", "\n", "\t") else " "
    replies = [f"{gap}{text}" for text in laid.replies]
    if any(not text.strip() for text in replies) or len(set(replies)) < len(replies):
        return Declined("two choices read the same")
    return probe(form, question, context, replies, question.gold)


def _idle(texts: Sequence[str], generator: np.random.Generator) -> str | None:
    """A sentence that has no word of four letters or more, and no whole choice, in common with the texts."""
    spelt = [_WORD.findall(text.lower()) for text in texts]
    taken = {word for text in spelt for word in text if len(word) >= 4}
    whole = [f" {' '.join(text)} " for text in spelt[1:] if text]
    for _ in range(_ATTEMPTS):
        stem, values = pick(_SENTENCES, generator)
        subject = made_up_name(int(generator.random() * 2**18))
        sentence = f"{stem.format(subject=subject)} {pick(values, generator)}."
        own = _WORD.findall(sentence.lower())
        if taken.isdisjoint(own) and not any(text in f" {' '.join(own)} " for text in whole):
            return sentence
    return None
