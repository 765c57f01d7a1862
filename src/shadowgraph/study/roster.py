"""The roster of a suite: which items a study asked, without a word of them, so that records can be read without data.

Here live: the roster as a file, and the items of a suite as a record's columns follow them.
Not here: the suite itself (`scores`), scores in records (`record`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shadowgraph.artifact import read_object, write_json
from shadowgraph.errors import DataError
from shadowgraph.identity import Json, file_digest
from shadowgraph.scores.row import Row, golden, kind_of
from shadowgraph.scores.suite import read_suite

SPLITS = "splits.json"
ROSTER = "roster.json"
KEYS = ("split", "id", "family", "group", "kind", "form", "source", "continuations", "gold", "gold_bytes")


@dataclass(frozen=True, slots=True)
class Asked:
    """One item as it was asked.

    Attributes:
        split: as the study calls it.
        id: of the item.
        family: its subject.
        group: its cluster.
        kind: "choice" or "generate".
        form: its dress.
        source: the question behind it.
        continuations: how many were compared.
        gold: place of the right one.
        gold_bytes: length of the right one in UTF-8.
    """

    split: str
    id: str
    family: str
    group: str
    kind: Literal["choice", "generate"]
    form: str
    source: str
    continuations: int
    gold: int
    gold_bytes: int


@dataclass(frozen=True, slots=True)
class Roster:
    """The digest of a suite, and its items in order."""

    suite: str
    items: tuple[Asked, ...]


def has_roster(suite: Path) -> bool:
    """Whether a folder holds a suite or its roster."""
    return (suite / "suite.json").exists() or (suite / ROSTER).exists()


def write_roster(suite: Path) -> None:
    """Write the roster of a suite beside it; nothing where there is no suite."""
    if not (suite / "suite.json").exists():
        return
    roster = _of_suite(suite)
    columns: dict[str, Json] = {key: [getattr(item, key) for item in roster.items] for key in KEYS}
    write_json(suite / ROSTER, {"schema_version": "1.0", "suite": roster.suite, "items": columns})


def read_roster(suite: Path) -> Roster:
    """The items of a suite: from the suite where it is there, else from its roster.

    Raises:
        DataError: the folder holds neither, or one that was changed or is malformed.
    """
    if (suite / "suite.json").exists() or not (suite / ROSTER).exists():
        return _of_suite(suite)
    held = read_object(suite / ROSTER)
    columns = held.get("items")
    if not isinstance(columns, dict) or {len(columns.get(key, ())) for key in KEYS} != {len(columns.get("id", ()))}:
        raise DataError("is no roster of items", where=str(suite / ROSTER), hint="restore the file")
    rows = zip(*(columns[key] for key in KEYS), strict=True)
    return Roster(str(held.get("suite")), tuple(Asked(*row) for row in rows))


def _of_suite(suite: Path) -> Roster:
    """The roster of a suite that is there."""
    found = read_suite(suite)
    shown: Mapping[str, str] = read_object(suite / SPLITS) if (suite / SPLITS).exists() else {}
    rows = [(shown.get(split, split), row) for split in found.splits for row in found.items(split)]
    return Roster(file_digest(suite / "suite.json"), tuple(_asked(split, row) for split, row in rows))


def _asked(split: str, row: Row) -> Asked:
    """One row without its words."""
    kind = kind_of(row)
    told = golden(row) if kind == "generate" else row
    texts, gold = told["continuations"], int(told["gold"])
    form, source = row.get("form", "original"), row.get("source", row["id"])
    size = len(texts[gold].encode())
    return Asked(split, row["id"], row["family"], row["group"], kind, form, source, len(texts), gold, size)
