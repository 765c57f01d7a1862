"""The rules that change how a question is told: each with what it changes, what it keeps and what it may share.

Here lives: the list. Not here: how they do it (`near`, `far`, `claims`), the table of all rules (`table`).
"""

from __future__ import annotations

from shadowgraph.scores.counterparts import claims, far, near
from shadowgraph.scores.counterparts.laid import on_laid
from shadowgraph.scores.counterparts.rule import Rule

EVERYTHING = "everything"
TOLD = "the question as told, its choices included"
LINES = "single lines of the telling, and the step from one line to the next"
SENTENCES = "each sentence of the prompt, the choices as told"
TEXTS = "the prompt and the text of each choice"
SHARED = (EVERYTHING, TOLD, LINES, SENTENCES, TEXTS)
"""All that a rule may declare as shared with its source."""

TEXT_RULES: tuple[Rule, ...] = (
    Rule(
        "original",
        "near",
        "nothing",
        "the telling of the benchmark, word for word",
        EVERYTHING,
        on_laid(near.original),
    ),
    Rule(
        "permuted",
        "near",
        "the order of the choices; never the same order, the gold's new place uniform from three choices on",
        "labels, question, every choice",
        LINES,
        on_laid(near.permuted),
    ),
    Rule(
        "labels",
        "near",
        "the labels before the choices: numbers, Roman numerals, letters from the alphabet's end, signs",
        "question, choices and their order",
        LINES,
        on_laid(near.relabelled),
    ),
    Rule(
        "distractor",
        "near",
        "one idle sentence about a made-up person or place stands in front of the question",
        "question, choices, layout",
        TOLD,
        on_laid(near.distracted),
    ),
    Rule(
        "language",
        "near",
        "labels and instruction stand in Spanish, French, German, Italian, Portuguese or Dutch",
        "question and choices in their own language",
        TOLD,
        on_laid(near.in_language),
    ),
    Rule(
        "context_order",
        "near",
        "what is asked stands before what is known",
        "every sentence, choices",
        SENTENCES,
        on_laid(near.context_order),
    ),
    Rule(
        "negated",
        "near",
        "the right choice and one wrong one are shown and the one that is NOT right is asked for",
        "question, both choices; the gold is the choice beside the right one",
        LINES,
        on_laid(claims.negated),
    ),
    Rule(
        "true_false",
        "far",
        "one claim is judged, right or wrong by a fair coin; choices are told without labels; chance is one half",
        "question, choices and their order; without choices a wrong claim is a near number, as long and as round",
        TEXTS,
        on_laid(claims.true_false),
    ),
    Rule(
        "open",
        "far",
        "labels and choices are gone from view; the texts of the choices are scored",
        "question and what is chosen from",
        TEXTS,
        on_laid(far.opened),
    ),
    Rule(
        "free",
        "far",
        "choices are gone and a free reply is read (whole numbers alone); without choices, another wording",
        "question and right answer",
        TEXTS,
        on_laid(far.freed),
    ),
    Rule(
        "cloze",
        "far",
        "a statement whose gap at the end is to be filled; choices are gone from view",
        "question and what is chosen from",
        TEXTS,
        on_laid(far.cloze),
    ),
    Rule(
        "dialogue",
        "far",
        "two people talk, choices are told in speech without labels",
        "question, choices and their order",
        TEXTS,
        on_laid(far.dialogue),
    ),
    Rule(
        "list",
        "far",
        "an entry of a list, choices as entries below it without labels",
        "question, choices and their order",
        TEXTS,
        on_laid(far.listed),
    ),
    Rule(
        "table",
        "far",
        "a row of a table, choices in one cell without labels",
        "question, choices and their order",
        TEXTS,
        on_laid(far.tabled),
    ),
    Rule(
        "lettered",
        "far",
        "choices that the source does not write down are shown with letters in drawn order",
        "prompt and choices",
        TEXTS,
        on_laid(far.lettered),
    ),
)
