"""From texts and items to documents of about one length: cutting, joining, telling.

Here live: cuts at paragraph, sentence and word bounds, joining of short neighbours, templates of documents.
Not here: reading files (`readers`, `benchmark`), and cutting that gives the parent back byte for byte (`batch`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from shadowgraph.corpus.items import LETTERS, BenchmarkItem
from shadowgraph.errors import SpecError

GAP = "\n\n"  # between joined neighbours
ITEM_FIELDS = ("question", "choices", "answer", "worked")
TEXT_FIELDS = ("text", "head", "rest")
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s|\n")
_BLANK = re.compile(r"\s")
_FIELD = re.compile(r"\{(\w+)\}")


def cut(text: str, shortest: int, longest: int) -> list[str]:
    """Cut a text into pieces of `shortest` to `longest` characters; the last piece may be shorter.

    A piece ends at its first paragraph bound from `shortest` on; where there is none, at the last end of a sentence or
    line within `longest`; then at the last blank; then at `longest`. What is left is not cut once it fits. White space
    at the bounds is dropped, and nothing else.
    """
    pieces: list[str] = []
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    while end - start > longest:
        stop = _bound(text, start + max(shortest, 1), start + longest)
        pieces.append(text[start:stop].rstrip())
        start = stop
        while start < end and text[start].isspace():
            start += 1
    return [*pieces, text[start:end]] if end > start else pieces


def _bound(text: str, low: int, high: int) -> int:
    """Where a piece ends, from `low` to `high`: the first paragraph bound, else the last bound of a finer kind."""
    for paragraph in _PARAGRAPH.finditer(text, low, high + 2):
        if paragraph.start() <= high:
            return paragraph.start()
    for bound in (_SENTENCE, _BLANK):
        ends = [found.end() - 1 for found in bound.finditer(text, low, high + 1)]
        if ends:
            return ends[-1]
    return high


def join_short(pieces: Iterable[str], shortest: int, longest: int) -> list[str]:
    """Join a piece that is below `shortest` with those behind it, while together they are at most `longest`."""
    found: list[str] = []
    held = ""
    for piece in pieces:
        if held and len(held) < shortest and len(held) + len(GAP) + len(piece) <= longest:
            held = f"{held}{GAP}{piece}"
            continue
        if held:
            found.append(held)
        held = piece
    return [*found, held] if held else found


def tell_item(item: BenchmarkItem, template: str | None) -> str:
    """Tell an item by a template, or without one as its benchmark does.

    `{question}` is the prompt, `{choices}` the lettered choices, one a line, `{answer}` what an answer sheet holds (the
    letter, the final answer, else the answer), `{worked}` the answer in full. A line that is nothing but a field which
    the item lacks is left out.

    Raises:
        SpecError: for a field no item has.
    """
    if template is None:
        return item.told()
    lettered = bool(item.choices) and item.answer in item.choices
    short = LETTERS[item.choices.index(item.answer) % len(LETTERS)] if lettered else item.final or item.answer
    choices = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, item.choices, strict=False))
    values = {"question": item.prompt, "choices": choices, "answer": short, "worked": item.answer}
    return _told(template, values)


def tell_text(text: str, template: str | None) -> str:
    """Tell a text by a template of `{text}`, `{head}` (its first sentence) and `{rest}`, or without one as it is.

    Raises:
        SpecError: for a field no text has.
    """
    if template is None:
        return text
    end = next((m.end() for m in _SENTENCE.finditer(text)), len(text))
    return _told(template, {"text": text, "head": text[:end].strip(), "rest": text[end:].strip()})


def _told(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields filled in; texts that hold braces are not read as templates."""
    for name in _FIELD.findall(template):
        if name not in values:
            fields = " ".join(f"{{{known}}}" for known in values)
            raise SpecError(f"the template has the field {name!r}", where="sources.template", hint=f"known: {fields}")
    lines = [line for line in template.split("\n") if values.get(line.strip()[1:-1], "-") or line.strip()[:1] != "{"]
    return _FIELD.sub(lambda field: values[field.group(1)], "\n".join(lines)).strip()
