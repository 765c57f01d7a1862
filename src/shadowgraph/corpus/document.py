"""One document, and what a row of a file must hold to be one.

Here live: the document, the names of columns, templates of chat records, and writing documents.
Not here: opening files (`readers`), many documents as one buffer (`batch`), tokens and selection.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadowgraph.artifact import whole
from shadowgraph.errors import DataError, printable

COLUMNS = ("id", "source", "family", "format", "text")


@dataclass(frozen=True, slots=True)
class Document:
    """A text and its labels; `family` says what it is about, `format` how it is told, `source` where it comes from.

    `media` is a reference to an image that belongs to the text, a path or an address; the bytes stay where they are.
    """

    id: str
    source: str
    family: str
    format: str
    text: str
    media: str | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """Which key or column of a file holds what. None means: the key of the same name where it exists, else a default.

    Attributes:
        text: the text; not used when `messages` is given.
        id: default is the file's name and the row.
        source: default is the file's name.
        family: default is the source.
        format: default is "plain".
        media: default is the key "media"; a row without it is a text alone.
        messages: a list of chat turns with `role` and `content`, told through `turn`, one after another.
        turn: template of one turn.
        skip_empty: pass over rows whose text is blank instead of refusing them.
    """

    text: str = "text"
    id: str | None = None
    source: str | None = None
    family: str | None = None
    format: str | None = None
    media: str | None = None
    messages: str | None = None
    turn: str = "{role}: {content}\n"
    skip_empty: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys read of a row: text or messages, id, source, family, format, media."""
        names = ("id", "source", "family", "format", "media")
        return (self.messages or self.text, *(getattr(self, name) or name for name in names))

    def demanded(self, field: int) -> bool:
        """Whether a row must hold the key at this place of `keys`: the text, and whatever label was named.

        A record without an image is a text, so no row must hold the key of images.
        """
        named = (self.text, self.id, self.source, self.family, self.format, None)
        return field == 0 or named[field] is not None


def row_values(value: Mapping[str, Any], columns: Columns, where: str) -> tuple[str | None, ...]:
    """The values of one row in the order of `Columns.keys`, checked; None where a row may lack one.

    Raises:
        DataError: for a missing key, a value that is no text, or a lone surrogate; names place and key.
    """
    found: list[str | None] = []
    for field, key in enumerate(columns.keys):
        item = value.get(key)
        if item is None:
            if columns.demanded(field):
                keys = printable(", ".join(map(str, value)))
                raise DataError(f"the key {key!r} is missing", where=where, hint=f"keys found: {keys}"[:200])
            found.append(None)
            continue
        if field == 0 and columns.messages is not None:
            item, picture = _conversation(item, columns, where)
            found.append(item)
            value = {columns.keys[5]: picture, **value} if picture else value
            continue
        if field == 5 and isinstance(item, Mapping):
            item = item.get("path")
            if item is None:
                raise DataError(f"the key {key!r} holds bytes, not a path", where=where, hint="keep images as files")
        if field == 1 and isinstance(item, int) and not isinstance(item, bool):
            item = str(item)
        if not isinstance(item, str):
            raise DataError(f"the key {key!r} holds {type(item).__name__}, expected text", where=where)
        try:
            item.encode()
        except UnicodeEncodeError as error:
            message = f"the key {key!r} holds a lone surrogate"
            raise DataError(message, where=where, hint="write the file as UTF-8") from error
        found.append(item)
    return tuple(found)


def _conversation(turns: Any, columns: Columns, where: str) -> tuple[str, str | None]:
    """A chat record as text, and the first image it refers to."""
    told: list[str] = []
    picture: str | None = None
    if not isinstance(turns, list):
        raise DataError(f"the key {columns.messages!r} holds {type(turns).__name__}, expected a list", where=where)
    for place, turn in enumerate(turns):
        content = turn.get("content") if isinstance(turn, Mapping) else None
        role = turn.get("role") if isinstance(turn, Mapping) else None
        if isinstance(content, list):
            parts = [part for part in content if isinstance(part, Mapping)]
            picture = picture or next((str(p["image"]) for p in parts if isinstance(p.get("image"), str)), None)
            content = "\n".join(str(part["text"]) for part in parts if isinstance(part.get("text"), str))
        if not isinstance(role, str) or not isinstance(content, str):
            raise DataError(f"turn {place} of the key {columns.messages!r} lacks a role or a content", where=where)
        told.append(columns.turn.format(role=role, content=content))
    return "".join(told), picture


def write_documents(path: Path, documents: Iterable[Document]) -> None:
    """Write documents as Parquet (zstd), in the given order; `media` is written where any document has one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = (*COLUMNS, "media")
    columns: dict[str, list[str | None]] = {name: [] for name in names}
    for document in documents:
        for name in names:
            columns[name].append(getattr(document, name))
    if not any(columns["media"]):
        del columns["media"]
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    with whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
