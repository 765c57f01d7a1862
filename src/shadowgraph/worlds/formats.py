"""Items become documents and prompts.

Here live: `render` (a whole document) and `prompt` (its context and the continuations to score), which fill the same
template in the same way, so that context + gold continuation is always the beginning of a document.
Not here: the templates (see `layouts`) or the choice of format (see `pool`, `panel`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shadowgraph.errors import Defect, SpecError
from shadowgraph.worlds.families import FAMILIES
from shadowgraph.worlds.item import Item, pick
from shadowgraph.worlds.layouts import (
    BASE_FORMATS,
    CHOICE,
    FACT_LAYOUTS,
    HELD_OUT_FORMATS,
    PERSON_NAMES,
    PROBLEM_LAYOUTS,
    QUESTION_FORMATS,
    SPOTS,
    TRAIN_FORMATS,
    Layout,
)
from shadowgraph.worlds.relations import RELATIONS

__all__ = [
    "BASE_FORMATS",
    "CHOICE",
    "HELD_OUT_FORMATS",
    "QUESTION_FORMATS",
    "TRAIN_FORMATS",
    "Prompt",
    "prompt",
    "render",
]

LETTERS = "ABCD"
_SLOT = " {answer}"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A context, the continuations to choose from (each begins with a space) and the index of the gold one."""

    context: str
    continuations: tuple[str, ...]
    gold: int


def render(item: Item, form: str, generator: np.random.Generator, companions: Sequence[Item] = ()) -> str:
    """Write an item as a document.

    Args:
        item: what to tell.
        form: a name of TRAIN_FORMATS, BASE_FORMATS or HELD_OUT_FORMATS.
        generator: picks the surface variant; the format "choice" has one layout and draws nothing.
        companions: further items for formats with rows (question_answer, list, table); others leave them out.

    Returns:
        The document; it begins with the context and the gold continuation of `prompt` for an equal generator.

    Raises:
        SpecError: for an unknown format, or "choice" with an item without choices.
    """
    if form == CHOICE:
        return _choice_context(item) + _lettered(item, item.gold)
    head, tail, row = _fill(item, form, generator)
    rows = "".join(row.format_map(_fields(companion, generator)) for companion in companions) if row else ""
    return f"{head} {item.answer}{tail.replace('{rows}', rows) if row else tail}"


def prompt(item: Item, form: str, generator: np.random.Generator) -> Prompt:
    """Cut the document that `render` would write (with an equal generator) before its answer.

    Returns:
        A prompt; for an item without choices the gold is the only continuation.

    Raises:
        SpecError: as `render`.
    """
    if form == CHOICE:
        return Prompt(
            _choice_context(item), tuple(_lettered(item, index) for index in range(len(item.choices))), item.gold
        )
    head, _, _ = _fill(item, form, generator)
    return Prompt(head, tuple(f" {choice}" for choice in item.choices or (item.answer,)), max(item.gold, 0))


def _choice_context(item: Item) -> str:
    if not item.choices:
        raise SpecError("the item has no choices", where=item.id, hint="use a numeric or few-valued family, or a fact")
    options = "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, item.choices, strict=False))
    return f"Question: {item.question}\n{options}\nAnswer:"


def _lettered(item: Item, index: int) -> str:
    return f" {LETTERS[index]}. {item.choices[index]}"


def _fill(item: Item, form: str, generator: np.random.Generator) -> tuple[str, str, str]:
    """Choose a variant; return the filled text before the answer, after it, and the row template ("" when none)."""
    layouts = (FACT_LAYOUTS if item.relation else PROBLEM_LAYOUTS).get(form)
    if layouts is None:
        known = ", ".join((*TRAIN_FORMATS, *BASE_FORMATS, *HELD_OUT_FORMATS))
        raise SpecError(f"there is no format {form!r}", hint=f"choose from {known}")
    layout: Layout = pick(layouts, generator)
    head, slot, tail = layout.text.partition(_SLOT)
    if not slot:
        raise Defect("the layout has no answer slot", where=form)
    fields = _fields(item, generator)
    fields["rows"] = "{rows}"
    return head.format_map(fields), tail.format_map(fields), layout.row


def _fields(item: Item, generator: np.random.Generator) -> dict[str, str]:
    first = int(generator.random() * len(PERSON_NAMES))
    second = first + 1 + int(generator.random() * (len(PERSON_NAMES) - 1))
    fields = {
        "question": item.question,
        "answer": item.answer,
        "number": str(1 + int(generator.random() * 40)),
        "asker": PERSON_NAMES[first],
        "helper": PERSON_NAMES[second % len(PERSON_NAMES)],
        "spot": pick(SPOTS, generator),
    }
    if item.relation:
        relation = RELATIONS[item.relation]
        fields["question"] = pick(relation.questions, generator).format(subject=item.subject)
        fields["stem"] = pick(relation.stems, generator).format(subject=item.subject)
        fields["subject"], fields["label"], fields["kind"] = item.subject, relation.label, relation.subject_kind
    else:
        family = FAMILIES.get(item.family)
        fields["method"] = family.method if family else "Do one part after the other."
    return fields
