"""The role table: TOML files to families.

Here lives: `read_families`, which composes parts and mounts into one lookup a family.
Not here: the lookup itself (`roles`), any name of a tensor (data).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any, cast

from shadowgraph.errors import Defect
from shadowgraph.weights.roles import BLOCKS, SLOTS, TOWERS, Family, Role, Row, Stem, template_of

FOLDER = "families"
NO_MATRIX = {"buffers": "buffer, no parameter", "vectors": "vectors (norm or bias), stacked", "marks": ""}
Table = dict[str, Any]


def read_families() -> tuple[Family, ...]:
    """Every family of the package, in the order of the files and of the families inside them.

    Raises:
        Defect: a word that is no block, slot or tower, or two rows of one family for one name.
    """
    folder = files("shadowgraph.weights").joinpath(FOLDER)
    texts = sorted((item.name, item.read_text(encoding="utf-8")) for item in folder.iterdir())
    parts: dict[str, Table] = {}
    declared: list[Table] = []
    for name, text in texts:
        if name.endswith(".toml"):
            table = tomllib.loads(text)
            parts.update(table.get("part", {}))
            declared.extend(table.get("family", []))
    return tuple(_family(row, parts) for row in declared)


def _family(data: Table, parts: Mapping[str, Table]) -> Family:
    rows: dict[str, tuple[Row, ...]] = {}
    stems: list[Stem] = []
    for mount in cast(list[Table], data["mount"]):
        tower = str(mount.get("tower", "text"))
        _require(tower in TOWERS, tower, data)
        prefixes = cast(list[str], mount["at"])
        for part in _closure(cast(list[str], mount["parts"]), parts):
            layers = tuple(tuple(template_of(name)[0].split(".")) for name in _opened(part.get("layers", [])))
            stems.extend(Stem(prefix, prefixes[0], tower, layers) for prefix in prefixes)
            for name, row in _rows(part, tower, data):
                for prefix in prefixes:
                    _enter(rows, prefix + name, prefixes[0] + name, row)
    models = tuple(cast(list[str], data["models"]))
    tied = frozenset(cast(list[str], data.get("tied", [])))
    _require(tied <= set(models), "tied", data)
    for first, *others in cast(list[list[str]], data.get("copies", [])):
        _require(first in rows, first, data)
        for name in others:
            rows[name] = tuple(replace(row, key=rows[first][0].key or first) for row in rows[first])
    tall = cast(dict[str, bool], data.get("tall", {}))
    return Family(data["name"], data["title"], models, tied, data["evidence"], rows, tuple(stems), tall)


def _closure(names: list[str], parts: Mapping[str, Table]) -> Iterator[Table]:
    """The parts of these names, each followed by those it extends."""
    for name in names:
        part = parts[name]
        yield part
        yield from _closure(cast(list[str], part.get("extends", [])), parts)


def _opened(names: list[str]) -> Iterator[str]:
    for name in names:
        yield name.replace("{layer}", "0").rstrip(".")


def _rows(part: Table, tower: str, family: Table) -> Iterator[tuple[str, Table]]:
    """Names of one part with what the table says of each; the tower is added to the roles."""
    for kind, reason in NO_MATRIX.items():
        for name in cast(list[str], part.get(kind, [])):
            yield name, {"roles": (), "reason": reason}
    for block, names in part.items():
        if block in {*NO_MATRIX, "layers", "extends"}:
            continue
        _require(block in BLOCKS, block, family)
        for name, entry in cast(dict[str, Any], names).items():
            row: Table = {"slots": entry} if isinstance(entry, str) else dict(cast(Table, entry))
            slots = str(row.pop("slots")).split()
            _require(set(slots) <= set(SLOTS), name, family)
            yield name, {**row, "roles": tuple(Role(block, slot, tower) for slot in slots)}


def _enter(rows: dict[str, tuple[Row, ...]], name: str, canonical: str, data: Table) -> None:
    """Add one full name; the first row of a name stays, so a part overrides what it extends."""
    marks = [part for part in name.split(".") if _is_open(part)]
    template = _template(name)
    row = Row(
        fixed=tuple((position, mark) for position, mark in enumerate(marks) if mark.isdigit()),
        layer=marks.index("{layer}") if "{layer}" in marks else -1,
        expert=marks.index("{expert}") if "{expert}" in marks else -1,
        key="" if name == canonical else _template(canonical),
        roles=data["roles"],
        transposed=bool(data.get("transposed", False)),
        stacked=bool(data.get("stacked", False)),
        free=bool(data.get("free", False)),
        rule=str(data.get("rule", "equal")),
        reason=str(data.get("reason", "")),
    )
    rows[template] = (*rows.get(template, ()), row)


def _is_open(part: str) -> bool:
    return part.startswith("{") or part.isdigit()


def _template(name: str) -> str:
    return ".".join("#" if _is_open(part) else part for part in name.split("."))


def _require(holds: bool, what: str, family: Table) -> None:
    if not holds:
        raise Defect(f"'{what}' is no word of the role table", where=f"families: {family['name']}")
