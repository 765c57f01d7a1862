"""Roles: what a stored name means in its family.

Here live: `Role`, `Family` and the lookup in the table `families.toml`.
Not here: the names themselves (data), values. *unknown* is an answer, not an error.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

BLOCKS = ("attention", "ffn", "embedding", "unembedding", "norm", "other", "unknown")
SLOTS = ("q", "k", "v", "o", "gate", "up", "down", "embedding", "unembedding", "unknown")
BLOCK_LINEAR = frozenset({"attention", "ffn"})
EMBEDDINGS = frozenset({"embedding", "unembedding"})


@dataclass(frozen=True, slots=True)
class Role:
    """What a matrix does: block (see `BLOCKS`), slot (see `SLOTS`) and tower ("text")."""

    block: str
    slot: str
    tower: str = "text"

    @property
    def is_block_linear(self) -> bool:
        """Whether it is a linear map of a transformer block: these enter K, the others do not."""
        return self.block in BLOCK_LINEAR and self.slot != "unknown"


UNKNOWN = Role("unknown", "unknown")


@dataclass(frozen=True, slots=True)
class Place:
    """Answer of the lookup: where a stored tensor stands.

    Attributes:
        key: the name without its prefix, equal in two checkpoints of one family.
        roles: one role, or one for each equal part along the output axis.
        layer: layer index, None outside the layers.
        expert: expert index, None outside experts.
        transposed: stored as (in, out).
    """

    key: str
    roles: tuple[Role, ...]
    layer: int | None
    expert: int | None
    transposed: bool


@dataclass(frozen=True, slots=True)
class _Pattern:
    expression: re.Pattern[str]
    roles: tuple[Role, ...]
    transposed: bool
    bare: bool


@dataclass(frozen=True, slots=True)
class Family:
    """The naming of one family of models."""

    name: str
    models: tuple[str, ...]
    prefixes: tuple[str, ...]
    tied: bool
    layer: re.Pattern[str]
    buffers: tuple[re.Pattern[str], ...]
    patterns: tuple[_Pattern, ...]

    def __repr__(self) -> str:
        """One line: the name."""
        return f"Family({self.name!r})"

    def strip(self, name: str) -> tuple[str, str]:
        """Split a stored name into prefix and key."""
        for prefix in self.prefixes:
            if prefix and name.startswith(prefix):
                return prefix, name[len(prefix) :]
        return "", name

    def place(self, name: str) -> Place:
        """Look a stored name up; what the table does not hold has the role unknown."""
        prefix, key = self.strip(name)
        for pattern in self.patterns:
            found = pattern.expression.fullmatch(key)
            if found is not None and not (pattern.bare and prefix):
                indices = found.groupdict()
                return Place(
                    key, pattern.roles, _index(indices, "layer"), _index(indices, "expert"), pattern.transposed
                )
        inside = self.layer.match(key)
        return Place(key, (UNKNOWN,), _index(inside.groupdict(), "layer") if inside else None, None, False)

    def is_buffer(self, name: str) -> bool:
        """Whether a stored array is a buffer and no parameter."""
        key = self.strip(name)[1]
        return any(pattern.fullmatch(key) for pattern in self.buffers)


def _index(groups: dict[str, str | None], name: str) -> int | None:
    text = groups.get(name)
    return None if text is None else int(text)


def _compiled(name: str) -> re.Pattern[str]:
    escaped = re.escape(name).replace(r"\{layer\}", r"(?P<layer>[0-9]{1,5})")
    return re.compile(escaped.replace(r"\{expert\}", r"(?P<expert>[0-9]{1,5})"), re.ASCII)


def _family(data: dict[str, Any]) -> Family:
    patterns = tuple(
        _Pattern(
            _compiled(row["name"]),
            tuple(Role(row["block"], slot) for slot in row["slots"]),
            bool(row.get("transposed", False)),
            bool(row.get("bare", False)),
        )
        for row in data["matrix"]
    )
    return Family(
        data["name"],
        tuple(data["models"]),
        tuple(data["prefixes"]),
        bool(data["tied"]),
        _compiled(data["layer"]),
        tuple(_compiled(name) for name in data["buffers"]),
        patterns,
    )


@lru_cache(maxsize=1)
def families() -> tuple[Family, ...]:
    """All families of the table, read once."""
    text = files("shadowgraph.weights").joinpath("families.toml").read_text(encoding="utf-8")
    return tuple(_family(row) for row in tomllib.loads(text)["family"])


def recognise(names: Iterable[str]) -> Family | None:
    """The family that names the most block matrices among `names`, None when no family names any.

    The decision uses names only: a configuration can be absent or wrong, names cannot.
    """
    listed = list(names)
    best: Family | None = None
    most = 0
    for family in families():
        count = sum(1 for name in listed if family.place(name).roles[0].is_block_linear)
        if count > most:
            best, most = family, count
    return best
