"""Roles: what a stored name means in its family.

Here live: `Role`, `Family`, the lookup of one name, and the choice of a family for many.
Not here: the names themselves (data, `families/*.toml`), reading of those tables (`table`), values.
*unknown* is an answer, not an error.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from shadowgraph.weights.tensor import TensorEntry

BLOCKS = (
    "attention",
    "cross_attention",
    "mixer",
    "ffn",
    "embedding",
    "unembedding",
    "projector",
    "norm",
    "other",
    "unknown",
)
SLOTS = (
    *("q", "k", "v", "o"),
    *("gate", "up", "down"),
    *("q_a", "q_b", "kv_a", "k_rope", "k_b", "v_b"),  # attention through a latent: down, then up
    *("receptance", "x", "z", "state_in", "state_out", "step", "beta", "decay"),  # recurrent mixers
    *("router", "low_rank", "conv", "state", "projection", "patch", "position", "segment", "relative", "head", "extra"),
    *("embedding", "unembedding", "unknown"),
)
TOWERS = ("text", "encoder", "vision", "audio", "projector", "unknown")
BLOCK_LINEAR = frozenset({"attention", "cross_attention", "mixer", "ffn"})
EMBEDDINGS = frozenset({"embedding", "unembedding"})
INDEX = re.compile(r"\.(0|[1-9][0-9]{0,4})(?![^.])")  # 007 is no index: it would be a second layer 7
WRAPPERS = ("module.", "_orig_mod.", "_fsdp_wrapped_module.")


@dataclass(frozen=True, slots=True)
class Role:
    """What a matrix does: block (see `BLOCKS`), slot (see `SLOTS`) and tower (see `TOWERS`)."""

    block: str
    slot: str
    tower: str = "text"

    @property
    def is_block_linear(self) -> bool:
        """Whether it is a linear map of a transformer block: these enter K, the others do not."""
        return self.block in BLOCK_LINEAR and self.slot != "unknown"

    @property
    def cell(self) -> str:
        """The slot an endpoint averages over: plain in text attention and FFN, else "tower.block.slot" in parts.

        Keeps apart what shares a slot's name but not its work, such as q of a vision tower or of cross-attention.
        """
        plain = self.block in {"attention", "ffn", "embedding", "unembedding"}
        parts = ("" if self.tower == "text" else self.tower, "" if plain else self.block, self.slot)
        return ".".join(part for part in parts if part)


UNKNOWN = Role("unknown", "unknown")
EMBEDDING = Role("embedding", "embedding")


class Place(NamedTuple):
    """Answer of the lookup: where a stored tensor stands.

    Attributes:
        key: the name with its family's usual prefix, equal in two checkpoints of one family.
        roles: one role, or one for each part along the output axis.
        layer: layer index, None outside the layers.
        expert: expert index, None outside experts and for all experts stacked.
        transposed: stored as (in, out).
        stacked: the first axis counts experts.
        free: stored either way round, to be told by the hidden size.
        rule: how the parts lie along the output axis, a key of `fused.RULES`.
        reason: why it is no matrix although it has two axes or more, "" else.
    """

    key: str
    roles: tuple[Role, ...]
    layer: int | None
    expert: int | None
    transposed: bool
    stacked: bool = False
    free: bool = False
    rule: str = "equal"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a full name with its indices open.

    Attributes:
        fixed: indices that must have a value, by position among the indices of the name.
        layer: position of the layer index, -1 without one.
        expert: position of the expert index, -1 without one.
        key: the canonical name, with # for every index; "" where it is the name itself.
        roles: as in `Place`; empty for a stored array that is no matrix.
        transposed: as in `Place`.
        stacked: as in `Place`.
        free: as in `Place`.
        rule: as in `Place`.
        reason: why a stored array is no matrix, "" for a matrix.
    """

    fixed: tuple[tuple[int, str], ...]
    layer: int
    expert: int
    key: str
    roles: tuple[Role, ...]
    transposed: bool = False
    stacked: bool = False
    free: bool = False
    rule: str = "equal"
    reason: str = ""

    def fits(self, indices: tuple[str, ...]) -> bool:
        """Whether the fixed indices have their values."""
        return all(indices[position] == value for position, value in self.fixed)


@dataclass(frozen=True, slots=True)
class Stem:
    """Where a tower may be mounted: a stored prefix, its canonical form, and the parts of a name that hold a layer."""

    prefix: str
    canonical: str
    tower: str
    layers: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """The naming of one family of models.

    Attributes:
        name: its name in every table.
        title: models of this naming, for people.
        models: values of `model_type` in config.json.
        tied: those of `models` whose unembedding is the embedding when the configuration does not say.
        evidence: "built" when tests build a model, save it and compare every matrix; "documentation" else.
        rows: template of a stored name, every index as #, to the rows that fit it.
        stems: mounts, for names in no row.
        tall: ends of names, and whether a tensor so named has more rows than columns; a shape that is not so is not
            this family's. Tells apart families that differ only in how they lay a matrix.
    """

    name: str
    title: str
    models: tuple[str, ...]
    tied: frozenset[str]
    evidence: str
    rows: Mapping[str, tuple[Row, ...]] = field(repr=False)
    stems: tuple[Stem, ...] = field(repr=False)
    tall: Mapping[str, bool] = field(default_factory=dict[str, bool], repr=False)

    def __repr__(self) -> str:
        """One line: the name."""
        return f"Family({self.name!r})"

    @property
    def embedding(self) -> str:
        """The usual name of its token embedding, "" when the table has none."""
        for template, rows in self.rows.items():
            if rows[0].roles[:1] == (EMBEDDING,) and "#" not in template:
                return rows[0].key or template
        return ""

    def place(self, name: str) -> Place:
        """Look a stored name up; what the table does not hold has the role unknown."""
        name = unwrapped(name)
        template, indices = template_of(name)
        row = self._row(template, indices)
        if row is None or not row.roles:
            place = self._outside(name)
            return place if row is None else place._replace(reason=row.reason)
        return Place(
            _filled(row.key, indices) if row.key else name,
            row.roles,
            int(indices[row.layer]) if row.layer >= 0 else None,
            int(indices[row.expert]) if row.expert >= 0 else None,
            row.transposed,
            row.stacked,
            row.free,
            row.rule,
        )

    def reason(self, name: str) -> str:
        """Why a stored array of two or more axes is no matrix (a buffer, vectors stacked over experts), "" else."""
        row = self._row(*template_of(unwrapped(name)))
        return "" if row is None else row.reason

    def is_buffer(self, name: str) -> bool:
        """Whether a stored array is one that holds no matrix, see `reason`."""
        return bool(self.reason(name))

    def is_tied(self, config: Mapping[str, Any]) -> bool:
        """Whether the unembedding is the embedding: by the configuration, else by the usage of the model type."""
        nested: Any = config.get("text_config")
        for section in (config, nested):
            declared: Any = section.get("tie_word_embeddings") if isinstance(section, dict) else None
            if isinstance(declared, bool):
                return declared
        model: Any = config.get("model_type")
        if isinstance(model, str) and model in self.models:
            return model in self.tied
        return bool(self.tied) and self.tied == frozenset(self.models)

    def contradicts(self, entries: Mapping[str, TensorEntry]) -> bool:
        """Whether a stored shape is not what this family stores: laid the other way round, or a query without gate.

        A query that holds its gate has twice the rows that the output projection of its layer has columns.
        """
        for name, entry in entries.items():
            if not name.endswith(".q_proj.weight") or len(entry.shape) != 2:
                continue
            output = entries.get(name.removesuffix("q_proj.weight") + "o_proj.weight")
            plain = output is not None and output.shape[-1:] == entry.shape[:1]
            if plain and self.place(name).rule == "gated_query":
                return True
        for end, tall in self.tall.items():
            for name, entry in entries.items():
                laid = entry.packing is None or not entry.packing.number("outputs_first")
                if (
                    laid
                    and len(entry.shape) == 2
                    and name.endswith(end)
                    and (entry.shape[0] > entry.shape[1]) is not tall
                ):
                    return True
        return False

    def _row(self, template: str, indices: tuple[str, ...]) -> Row | None:
        rows = self.rows.get(template)
        if rows is None:
            return None
        return rows[0] if not rows[0].fixed else next((row for row in rows if row.fits(indices)), None)

    def _outside(self, name: str) -> Place:
        """The place of a name in no row: its key and, where its mount has layers, its layer."""
        loose: Stem | None = None
        for stem in self.stems:
            if not name.startswith(stem.prefix):
                continue
            rest = name[len(stem.prefix) :]
            parts = rest.split(".")
            for pattern in stem.layers:
                found = _layer(parts, pattern)
                if found is not None:
                    role = Role("unknown", "unknown", stem.tower)
                    return Place(stem.canonical + rest, (role,), found, None, False)
            if stem.prefix and loose is None:
                loose = stem
        if loose is None:
            return Place(name, (Role("unknown", "unknown", "unknown"),), None, None, False)
        key = loose.canonical + name[len(loose.prefix) :]
        return Place(key, (Role("unknown", "unknown", loose.tower),), None, None, False)


NAMELESS = Family("unknown", "names that no family uses", (), frozenset(), "documentation", {}, ())


def unwrapped(name: str) -> str:
    """A name without what compilers and trainers put before every name of a module that they wrap."""
    while name.startswith(WRAPPERS):
        name = name[name.index(".") + 1 :]
    return name


def template_of(name: str) -> tuple[str, tuple[str, ...]]:
    """A name with # for every part but the first that is an index of one to five ASCII digits, and those in order."""
    pieces = INDEX.split(name)
    return ".#".join(pieces[::2]), tuple(pieces[1::2])


def _filled(key: str, indices: tuple[str, ...]) -> str:
    if not indices:
        return key
    pieces = key.split("#")
    filled = [piece + index for piece, index in zip(pieces, indices, strict=False)]
    return "".join(filled) + "#".join(pieces[len(indices) :])


def _layer(parts: list[str], pattern: tuple[str, ...]) -> int | None:
    """The layer index when `parts` begin as `pattern` does, which holds one #."""
    if len(parts) <= len(pattern):
        return None
    found: int | None = None
    for part, wanted in zip(parts, pattern, strict=False):
        if wanted != "#":
            if part != wanted:
                return None
        elif INDEX.fullmatch("." + part):
            found = int(part)
        else:
            return None
    return found


@lru_cache(maxsize=1)
def families() -> tuple[Family, ...]:
    """All families of the table, read once."""
    from shadowgraph.weights.table import read_families

    return read_families()


@lru_cache(maxsize=1)
def _namers() -> Mapping[str, tuple[tuple[int, bool], ...]]:
    """Template to the families that have it, by position, and whether it names a block matrix there."""
    found: dict[str, list[tuple[int, bool]]] = {}
    for position, family in enumerate(families()):
        for template, rows in family.rows.items():
            block = any(row.roles and row.roles[0].is_block_linear for row in rows)
            found.setdefault(template, []).append((position, block))
    return {template: tuple(each) for template, each in found.items()}


def recognise(
    names: Iterable[str],
    config: Mapping[str, Any] | None = None,
    entries: Mapping[str, TensorEntry] | None = None,
) -> Family | None:
    """The family that names the most block matrices among `names`, None when no family names any.

    Names decide: a configuration can be absent or wrong, names cannot. Between families that name equally many the
    model type is asked, then how many names of any kind they have, then the order of the table. Families that differ
    in nothing but how a matrix lies are told apart by its shape, where the stored tensors are given. A model type of no
    family, of whose layers the best family names fewer than half, is of none: names that it shares by chance mislead.
    """
    counts = Counter([".#".join(INDEX.split(unwrapped(name))[::2]) for name in names])
    blocks: Counter[int] = Counter()
    named: Counter[int] = Counter()
    for template, number in counts.items():
        for position, block in _namers().get(template, ()):
            named[position] += number
            blocks[position] += number * block
    model: Any = (config or {}).get("model_type")
    best: Family | None = None
    most = (0, False, 0)
    for position in sorted(position for position, count in blocks.items() if count):
        family = families()[position]
        rank = (blocks[position], isinstance(model, str) and model in family.models, named[position])
        if rank > most and not (entries and family.contradicts(entries)):
            best, most = family, rank
    foreign = isinstance(model, str) and not any(model in family.models for family in families())
    return None if best and entries and foreign and _names_few(best, entries) else best


def _names_few(family: Family, entries: Mapping[str, TensorEntry]) -> bool:
    """Whether a family has a role for fewer than half of the tensors of two axes that lie in its layers."""
    places = [family.place(name) for name, entry in entries.items() if len(entry.shape) == 2 and not entry.companion]
    inside = [place.roles[0].block != "unknown" for place in places if place.layer is not None and not place.reason]
    return 2 * sum(inside) < len(inside)
