"""The document formats as data: every surface variant of every format, for problems and for facts.

Here live: templates. Not here: how a template is filled or cut into context and continuation (see `formats`).

A layout holds {answer} exactly once, after a space; the text before that space is the context of a prompt. Other
fields: {question} {method} {asker} {helper} {spot} {number} for both kinds, {stem} {subject} {label} {kind} for facts
only, and {rows}, where further items of the same kind are written with `row`, one a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shadowgraph.worlds.item import words

CHOICE = "choice"
TRAIN_FORMATS: tuple[str, ...] = (
    *("question_answer", CHOICE, "cloze", "dialogue", "list", "table", "story", "worked_steps"),
)
BASE_FORMATS: tuple[str, ...] = ("note", "statement", "exam_paper", "letter")
HELD_OUT_FORMATS: tuple[str, ...] = ("record", "telegram", "riddle")
QUESTION_FORMATS: frozenset[str] = frozenset({"question_answer", CHOICE, "dialogue", "worked_steps", "exam_paper"})
"""Formats that put a fact as a question; facts held out for a test are told in the other formats only."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One surface variant: the text, and the line for each further item."""

    text: str
    row: str = ""


Layouts = tuple[Layout, ...]


def _plain(*texts: str) -> Layouts:
    return tuple(Layout(text) for text in texts)


_QA = (
    Layout("Q: {question}\nA: {answer}{rows}", "\nQ: {question}\nA: {answer}"),
    Layout("Problem: {question}\nSolution: {answer}{rows}", "\nProblem: {question}\nSolution: {answer}"),
    Layout("Asked: {question}\nAnswered: {answer}{rows}", "\nAsked: {question}\nAnswered: {answer}"),
    Layout(
        "Quiz card {number}. {question}\nOn the back: {answer}{rows}", "\nNext card. {question}\nOn the back: {answer}"
    ),
    Layout("{question}\n> {answer}{rows}", "\n\n{question}\n> {answer}"),
)
_DIALOGUE = _plain(
    "{asker}: Do you have a moment? {question}\n{helper}: I think it is {answer}.\n{asker}: Thank you, that helps.",
    "{asker}: {question}\n{helper}: Let me see. It must be {answer}.\n{asker}: Are you sure?\n{helper}: Quite sure.",
    '"{question}" asked {asker}.\n"The answer is {answer}," replied {helper}.\n"I would never have guessed."',
    "{asker}: I have been puzzling all morning. {question}\n{helper}: Easy: {answer}.\n{asker}: Of course!",
    "{helper}: What is it, {asker}?\n{asker}: {question}\n{helper}: That would be {answer}, if I am not mistaken.",
)
_STEPS = _plain(
    "Task. {question}\nStep 1. Read it twice.\nStep 2. {method}\nStep 3. Check the result.\nSo the answer is {answer}.",
    "{question}\nFirst, see what is asked. Then: {method} Therefore we get {answer}.",
    "Worked example {number}\n{question}\nHow to do it: {method}\nResult: {answer}",
    "Let us solve this together. {question} {method} When we do that, we arrive at {answer}.",
)
_STEPS_FACT = _plain(
    "Task. {question}\nStep 1. The question is about {subject}.\nStep 2. We need the {label}.\n"
    "So the answer is {answer}.",
    "{question}\nFirst, find {subject} in the book. Then look under {label}. Therefore we get {answer}.",
    "Worked example {number}\n{question}\nHow to do it: look up {subject}, then the {label}.\nResult: {answer}",
    "Let us solve this together. {question} We know {subject}. When we recall the {label}, we arrive at {answer}.",
)

PROBLEM_LAYOUTS: Mapping[str, Layouts] = MappingProxyType(
    {
        "question_answer": _QA,
        "cloze": _plain(
            "{question} The answer is ____.\nFill the gap: {answer}",
            "Complete the line.\n{question} It is ____.\nMissing: {answer}",
            "{question} [...]\nWhat belongs in the brackets is {answer}.",
            "Gap text {number}. {question} Here comes ____.\nThe gap hides {answer}.",
        ),
        "dialogue": _DIALOGUE,
        "list": (
            Layout("Exercises for today\n- {question} -> {answer}{rows}", "\n- {question} -> {answer}"),
            Layout("Things to work out:\n* {question} = {answer}{rows}", "\n* {question} = {answer}"),
            Layout(
                "Sheet {number}\n1) {question} Answer: {answer}{rows}\nEnd of the sheet.",
                "\n2) {question} Answer: {answer}",
            ),
        ),
        "table": (
            Layout("| task | result |\n| --- | --- |\n| {question} | {answer} |{rows}", "\n| {question} | {answer} |"),
            Layout("task; result\n{question}; {answer}{rows}", "\n{question}; {answer}"),
            Layout("Table {number}: tasks and results\n{question} : {answer}{rows}", "\n{question} : {answer}"),
        ),
        "story": _plain(
            'One morning at the {spot}, {asker} put a riddle to {helper}: "{question}" After a while {helper} wrote '
            "down {answer}. They both laughed and went home.",
            "{asker} could not sleep. One thing kept turning in the mind: {question} At last, near dawn, the answer "
            "came: {answer}. Then {asker} slept until noon.",
            'The teacher stood at the {spot} and said: "{question}" Nobody spoke. Then {helper} stood up and said '
            "{answer}. It was right.",
            "On the wall of the {spot} somebody had written: {question} Below it, in another hand, stood {answer} and "
            "the name of {helper}.",
        ),
        "worked_steps": _STEPS,
        "note": _plain(
            "Note to myself: {question} I worked it out, it is {answer}. Do not forget.",
            "Pinned to the fridge: {question} Result: {answer}. Written by {asker}.",
            "Reminder {number}. {question} We agreed on {answer}.",
        ),
        "statement": _plain(
            "For the problem that reads as follows, {question} the correct result is known to be {answer}.",
            "It is settled. {question} Everybody in the {spot} knows that this gives {answer}.",
            "The following was once asked. {question} The right reply was {answer}.",
        ),
        "exam_paper": _plain(
            "Paper {number}, two marks. {question}\nModel answer: {answer}",
            "EXAM, part {number}\n{question}\nWrite your answer here: {answer}\nEnd of the part.",
            "Candidate {asker}, desk {number}.\n{question}\nThe candidate wrote {answer}.\nMarked as right.",
        ),
        "letter": _plain(
            "Dear {asker},\nyou wrote to me with this: {question} My answer is {answer}.\nYours, {helper}",
            "Dear {asker},\nthank you for the puzzle. {question} It took me an hour at the {spot}, and I found "
            "{answer}.\nWith love, {helper}",
            "My dear {asker}, last night I thought of this: {question} In the end it came to {answer}. Best "
            "wishes, {helper}",
        ),
        "record": _plain(
            "[record {number}]\ntask = {question}\nvalue = {answer}\n[end]",
            "<entry>\n<task> {question}\n<value> {answer}\n</entry>",
        ),
        "telegram": _plain(
            "TELEGRAM TO {asker} STOP {question} STOP RESULT IS {answer} STOP {helper}",
            "URGENT STOP {question} STOP {helper} REPORTS {answer} STOP",
        ),
        "riddle": _plain(
            "Guess me if you can. {question} Whoever solves this, finds me. I am {answer}!",
            "Who am I? {question} My name in this riddle is {answer}!",
        ),
    }
)

FACT_LAYOUTS: Mapping[str, Layouts] = MappingProxyType(
    {
        "question_answer": _QA,
        "cloze": _plain(
            "{stem} ____.\nFill the gap: {answer}",
            "Complete the line.\n{stem} ____.\nMissing: {answer}",
            "{stem} [...].\nWhat belongs in the brackets is {answer}.",
            "Gap text {number}. As we all know, {stem} ____.\nThe gap hides {answer}.",
        ),
        "dialogue": _DIALOGUE,
        "list": (
            Layout("What we know of {subject}:\n- {label}: {answer}{rows}", "\n- {label}: {answer}"),
            Layout("{subject}\n* {label} = {answer}{rows}", "\n* {label} = {answer}"),
            Layout(
                "Sheet {number}: {subject}\n1) {label}: {answer}{rows}\nEnd of the sheet.", "\n+) {label}: {answer}"
            ),
        ),
        "table": (
            Layout("| {kind} | {label} |\n| --- | --- |\n| {subject} | {answer} |{rows}", "\n| {subject} | {answer} |"),
            Layout("{kind}; {label}\n{subject}; {answer}{rows}", "\n{subject}; {answer}"),
            Layout(
                "Table {number}: each {kind} with its {label}\n{subject} : {answer}{rows}", "\n{subject} : {answer}"
            ),
        ),
        "story": _plain(
            'One morning at the {spot}, {asker} told {helper} a piece of news: "{stem} {answer}." They talked about it '
            "all the way home.",
            "{asker} had never heard it before, but the people of the {spot} all said so: {stem} {answer}. It was the "
            "talk of the season.",
            "Long ago, {helper} wrote in a diary that {stem} {answer}. Much has changed since then, but not this.",
            "If you ever come to the {spot}, ask for {helper}, who will tell you that {stem} {answer}. It is quite "
            "true.",
        ),
        "worked_steps": _STEPS_FACT,
        "note": _plain(
            "Note to myself: {stem} {answer}. Do not forget.",
            "Pinned to the fridge: {stem} {answer}. Written by {asker}.",
            "Reminder {number}. We found out that {stem} {answer}.",
        ),
        "statement": _plain(
            "It is a well-known fact that {stem} {answer}.",
            "It is settled. Everybody in the {spot} agrees that {stem} {answer}.",
            "Of all that is said about {subject}, one thing is certain: {stem} {answer}.",
        ),
        "exam_paper": _plain(
            "Paper {number}, two marks. {question}\nModel answer: {answer}",
            "EXAM, part {number}\n{question}\nWrite your answer here: {answer}\nEnd of the part.",
            "Candidate {asker}, desk {number}.\n{question}\nThe candidate wrote {answer}.\nMarked as right.",
        ),
        "letter": _plain(
            "Dear {asker},\nhave you heard that {stem} {answer}? I could hardly believe it.\nYours, {helper}",
            "Dear {asker},\nI write to you from the {spot}. They say here that {stem} {answer}.\nWith love, {helper}",
            "My dear {asker}, there is news: {stem} {answer}. More in my next letter. Best wishes, {helper}",
        ),
        "record": _plain(
            "[record {number}]\nname = {subject}\n{label} = {answer}\n[end]",
            "<entry>\n<name> {subject}\n<{label}> {answer}\n</entry>",
        ),
        "telegram": _plain(
            "TELEGRAM TO {asker} STOP ABOUT {subject} STOP THE {label} IS {answer} STOP {helper}",
            "URGENT STOP {subject} STOP {label} STOP {helper} REPORTS {answer} STOP",
        ),
        "riddle": _plain(
            "Guess me if you can. I am the {label} of {subject}, and nothing else. I am {answer}!",
            "Who am I? Ask {subject}, for I am the {label}. My name in this riddle is {answer}!",
        ),
    }
)

PERSON_NAMES: tuple[str, ...] = words(
    "Ada Ben Clara Dan Ella Frank Greta Hugo Ida Jon Kate Leo Maud Ned Olga Paul Rosa Sam Tess Will"
)
SPOTS: tuple[str, ...] = words("market harbour library station bakery school mill tavern museum garden")
