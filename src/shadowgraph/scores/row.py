"""One row of a suite: an item as it is asked.

Here live: the two kinds of rows, their keys, and the check of one row.
Not here: files (`suite`), how a reply is read (`reply`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from shadowgraph.errors import DataError, printable
from shadowgraph.scores.picture import picture_fault
from shadowgraph.scores.reply import EXTRACTS, extracted

Row: TypeAlias = Mapping[str, Any]
Kind: TypeAlias = Literal["choice", "generate"]

COMMON = ("id", "family", "group", "context")
REQUIRED: dict[Kind, tuple[str, ...]] = {
    "choice": (*COMMON, "continuations", "gold"),
    "generate": (*COMMON, "answers"),
}
OPTIONAL: dict[Kind, tuple[str, ...]] = {
    "choice": ("form", "source", "image"),
    "generate": ("until", "extract", "tokens", "form", "source", "image"),
}
UNTIL = ("\n",)  # what ends a reply, unless its row says otherwise
TOKENS = 32  # most tokens of a reply, unless its row says otherwise


def kind_of(row: Row) -> Kind:
    """The kind of a row: one with `answers` is generated, any other chosen."""
    return "generate" if "answers" in row and "continuations" not in row else "choice"


def until_of(row: Row) -> tuple[str, ...]:
    """Texts that end the reply to a generate row."""
    return tuple(row.get("until", UNTIL))


def extract_of(row: Row) -> str:
    """How the reply to a generate row is read."""
    return str(row.get("extract", "line"))


def tokens_of(row: Row) -> int:
    """Most tokens of the reply to a generate row."""
    return int(row.get("tokens", TOKENS))


def form_of(row: Row) -> str:
    """The dress of a row, "original" where none is named."""
    return str(row.get("form", "original"))


def source_of(row: Row) -> str:
    """The question behind a row, its own id where none is named."""
    return str(row.get("source", row["id"]))


def golden(row: Row) -> Row:
    """The first accepted answer of a generate row as its one continuation, so that its bits can be counted.

    A space stands between context and answer where neither has white space there.
    """
    answer = str(row["answers"][0])
    gap = "" if row["context"][-1:].isspace() or answer[:1].isspace() else " "
    return {**row, "continuations": [gap + answer], "gold": 0}


def check_items(split: str, rows: Sequence[Row]) -> Kind:
    """Check the rows of one split and say of what kind they are.

    Raises:
        DataError: names split, row and key.
    """
    if not split.isidentifier():
        raise DataError("a split's name must be letters, digits and underscores", where=f"split {printable(split)!r}")
    if not rows:
        raise DataError("no items", where=f"split {split!r}")
    seen: set[str] = set()
    kind = kind_of(rows[0])
    for number, row in enumerate(rows, start=1):
        fault = row_fault(row, kind)
        if fault is None and row["id"] in seen:
            fault = "id", f"{printable(row['id'])!r} occurs twice"
        if fault is not None:
            raise DataError(fault[1], where=f"split {split!r} row {number} key {fault[0]!r}")
        seen.add(row["id"])
    return kind


def row_fault(row: Row, kind: Kind) -> tuple[str, str] | None:
    """Key and words of the first fault of a row that should be of `kind`; None when it is sound."""
    wanted = "answers" if kind == "generate" else "continuations"
    if "answers" in row and "continuations" in row:
        return "answers", "stands beside continuations; a row has one or the other"
    if wanted not in row and {"answers", "continuations"} & set(row):
        return wanted, "missing; all rows of a split are of one kind"
    for key in REQUIRED[kind]:
        if key not in row:
            return key, "missing"
    for key in (*COMMON, "form", "source"):
        if key in row and (fault := _text_fault(row[key])):
            return key, fault
    if "image" in row and (fault := picture_fault(row["image"])):
        return "image", fault
    if row["context"] and not row["context"].strip():
        return "context", "holds white space alone; leave it empty or give it words"
    return _choice_fault(row) if kind == "choice" else _generate_fault(row)


def _text_fault(value: Any) -> str | None:
    """What is wrong with a value that should be text."""
    if not isinstance(value, str):
        return f"{printable(repr(value))} is not text"
    if any("\ud800" <= character <= "\udfff" for character in value):
        return "holds half a character"
    return None


def _texts_fault(values: Any) -> str | None:
    """What is wrong with a value that should be a list of texts."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        return "is no list of texts"
    return next((fault for text in values if (fault := _text_fault(text))), None)


def _choice_fault(row: Row) -> tuple[str, str] | None:
    """First fault of what only choice rows have."""
    continuations, gold = row["continuations"], row["gold"]
    if isinstance(continuations, str) or not isinstance(continuations, Sequence) or len(continuations) < 2:
        return "continuations", "needs at least two"
    if fault := _texts_fault(continuations):
        return "continuations", fault
    if any(not text.strip() for text in continuations):
        return "continuations", "holds an empty one"
    if len(set(continuations)) != len(continuations):
        return "continuations", "holds the same one twice"
    if isinstance(gold, bool) or not isinstance(gold, int) or not 0 <= gold < len(continuations):
        return "gold", f"{printable(repr(gold))} is no index of a continuation"
    return None


def _generate_fault(row: Row) -> tuple[str, str] | None:
    """First fault of what only generate rows have."""
    if not row["context"]:
        return "context", "is empty; a reply needs something to reply to"
    for key in ("answers", "until"):
        if key in row and (fault := _texts_fault(row[key])):
            return key, fault
    extract, tokens = row.get("extract", "line"), row.get("tokens", TOKENS)
    if extract not in EXTRACTS:
        return "extract", f"{printable(repr(extract))} is none of {', '.join(EXTRACTS)}"
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
        return "tokens", f"{printable(repr(tokens))} is no number of tokens"
    if any(not text for text in until_of(row)):
        return "until", "holds an empty text, which would end every reply before it begins"
    if not row["answers"] or any(not text.strip() for text in row["answers"]):
        return "answers", "holds no answer, or an empty one"
    for text in row["answers"]:
        if extracted(text, extract) is None:
            return "answers", f"{printable(repr(text))} can never be read from a reply as {extract!r}"
    return None
