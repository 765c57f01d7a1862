"""Scoring one part at a time, so that a killed scoring goes on.

Here live: the part, the folder that keeps finished parts, and the run over all of them.
Not here: what a part asks of an engine (`score`, `named`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from shadowgraph.artifact import exclusive, read_object, write_json
from shadowgraph.errors import DataError
from shadowgraph.identity import Json, plain
from shadowgraph.scores.engine import Engine, Progress
from shadowgraph.scores.item import ItemScore, read_scores, write_scores

MANIFEST = "scoring.json"


@runtime_checkable
class Cutting(Protocol):
    """An engine that counts the requests whose beginning it cut off to fit the model's window."""

    @property
    def cut(self) -> int:
        """Their number so far."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """A split or task to be scored.

    Attributes:
        name: its name, a file name too.
        items: number of items.
        identity: digest of everything that is asked.
        score: scores its items, telling the share done.
    """

    name: str
    items: int
    identity: str
    score: Callable[[Progress], list[ItemScore]]


def run(engine: Engine, parts: Sequence[Part], folder: Path | None, progress: Progress | None) -> list[ItemScore]:
    """Score all parts, those kept in `folder` excepted.

    Args:
        engine: what is scored.
        parts: in order.
        folder: keeps `PART.parquet` for each finished part and `scoring.json`, which says what they are scores of and,
            where the engine counts them, how many requests of each part lost their beginning ("cut").
        progress: told the share done, 0 … 1.

    Raises:
        DataError: two parts bear one name, or the folder holds scores of another model, of other items, or other files.
    """
    if len({part.name for part in parts}) != len(parts):
        raise DataError("two splits or tasks bear one name", where=", ".join(part.name for part in parts))
    if folder is None:
        return _run(engine, parts, None, progress)
    with exclusive(folder / ".lock"):
        _claim(engine, parts, folder)
        return _run(engine, parts, folder, progress)


def _run(engine: Engine, parts: Sequence[Part], folder: Path | None, progress: Progress | None) -> list[ItemScore]:
    """Score the parts in order, keeping and reusing what is finished."""
    scores: list[ItemScore] = []
    total = sum(part.items for part in parts) or 1
    for part in parts:
        done = len(scores)

        def tell(share: float, done: int = done, part: Part = part) -> None:
            if progress is not None:
                progress(min(1.0, (done + share * part.items) / total))

        path = None if folder is None else folder / f"{part.name}.parquet"
        found = None if path is None else _kept(part, path)
        if found is None:
            before = engine.cut if isinstance(engine, Cutting) else 0
            found = part.score(tell)
            if path is not None and isinstance(engine, Cutting):
                _note(path.parent, part.name, engine.cut - before)
            if path is not None:
                write_scores(found, path)
        tell(1.0)
        scores += found
    return scores


def _note(folder: Path, part: str, cut: int) -> None:
    """Write down how many requests of a part were cut, before its scores count as finished."""
    held = read_object(folder / MANIFEST)
    write_json(folder / MANIFEST, {**held, "cut": {**held.get("cut", {}), part: cut}})


def _kept(part: Part, path: Path) -> list[ItemScore] | None:
    """The scores a former scoring left, None where there are none that can be read whole."""
    with suppress(DataError):
        found = read_scores(path)
        if len(found) == part.items and all(item.split == part.name for item in found):
            return found
    return None


def _claim(engine: Engine, parts: Sequence[Part], folder: Path) -> None:
    """Write down what the folder holds scores of, or check that it holds scores of just that."""
    path = folder / MANIFEST
    identity = plain(engine.identity)
    cut: dict[str, Json] = {}
    asked: dict[str, Json] = {part.name: part.identity for part in parts}
    if path.exists():
        held = read_object(path)
        if held.get("identity") != identity:
            found = "holds scores of another model, or of other options or versions"
            raise DataError(found, where=str(folder), hint="give another folder, or delete this one")
        known = held.get("parts")
        parts_held: dict[str, Json] = known if isinstance(known, dict) else {}
        if other := sorted(name for name in asked if parts_held.get(name, asked[name]) != asked[name]):
            found = f"holds scores of other items under the name {other[0]!r}"
            raise DataError(found, where=str(folder), hint="give another folder, or delete this one")
        asked = parts_held | asked
        cut = {"cut": held["cut"]} if "cut" in held else {}
    elif any(not item.name.startswith(".") for item in folder.iterdir()):
        raise DataError("holds files that no scoring left", where=str(folder), hint="give an empty folder")
    manifest = {"schema_version": "1.0", "name": engine.name, "identity": identity, "parts": asked, **cut}
    write_json(path, manifest)
