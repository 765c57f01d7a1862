"""Tied embeddings: one array of a model that is stored under several names, or under another name than usual.

Here lives: `settle`, which says of every stored embedding whether it is analysed, and as what.
Not here: names (data), treatment of single tensors (`matrix`). Two names stand for one array when the family ties them
and the stored bytes are equal, compared at `PLACES` places of each; a model may be declared tied and store two arrays.
Two names of the same bytes of one file are one array whatever is declared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from shadowgraph.errors import printable
from shadowgraph.weights.readers.span import opened, read_span
from shadowgraph.weights.roles import EMBEDDING, EMBEDDINGS, Family, Place
from shadowgraph.weights.tensor import Packing, TensorEntry

PLACES = 16  # where two arrays are compared: at their first bytes, their last, and between at equal distances
BLOCK = 1 << 16  # bytes compared at each


@dataclass(frozen=True, slots=True)
class Settled:
    """What was decided of embeddings.

    Attributes:
        left_out: name of a tensor to its reason, where another is analysed in its stead.
        places: name of a tensor to its place, where this is not the one of its name.
    """

    left_out: dict[str, str] = field(default_factory=dict[str, str])
    places: dict[str, Place] = field(default_factory=dict[str, Place])


def settle(entries: Iterable[TensorEntry], family: Family, config: dict[str, Any]) -> Settled:
    """Decide which of the stored embeddings are one array.

    Tensors with one key are copies where their values agree, unless the configuration says that encoder and decoder do
    not share them; those that are not keep their own names as keys. A tied unembedding is left out where an embedding
    holds the same values, stands for the embedding where none is stored, and is analysed as itself else.

    Args:
        entries: all stored tensors.
        family: their family.
        config: content of `config.json`.

    Raises:
        CheckpointError: a file changed since its header was read.
        EnvironmentFault: the device refuses.
    """
    found = [(entry, place) for entry in entries if (place := family.place(entry.name)).roles[0].block in EMBEDDINGS]
    shares = config.get("share_encoder_decoder_embeddings") is not False
    tied = family.is_tied(config)
    settled = Settled()
    kept: dict[str, TensorEntry] = {}
    usual_first = sorted(found, key=lambda each: (each[0].name != each[1].key, each[0].name))
    for entry, place in (each for each in usual_first if each[1].roles[0] == EMBEDDING):
        first = kept.setdefault(place.key, entry)
        if first is entry:
            continue
        if shares and same_values(first, entry):
            settled.left_out[entry.name] = f"copy: {_once(first)}"
        else:
            settled.places[entry.name] = place._replace(key=entry.name)
    embeddings = [entry for entry, place in usual_first if place.roles[0] == EMBEDDING]
    for entry, place in found:
        if place.roles[0] == EMBEDDING:
            continue
        twins = embeddings if tied else [other for other in embeddings if _one_span(other, entry)]
        twin = next((other for other in twins if same_values(other, entry)), None)
        if twin is not None:
            settled.left_out[entry.name] = f"tied to the embedding: {_once(twin)}"
        elif tied and not embeddings and family.embedding:
            embeddings.append(entry)
            settled.places[entry.name] = place._replace(key=family.embedding, roles=(EMBEDDING,))
    return settled


def _one_span(first: TensorEntry, second: TensorEntry) -> bool:
    """Whether two names stand for the same bytes of one file, which says more than any configuration."""
    return first.size > 0 and (first.file, first.offset, first.size) == (second.file, second.offset, second.size)


@lru_cache(maxsize=64)
def same_values(first: TensorEntry, second: TensorEntry) -> bool:
    """Whether two stored tensors of one type and shape agree in all sampled bytes, and so do their scales or parts.

    One block of `BLOCK` bytes is read at each of `PLACES` places, whatever the size; both are read whole when they are
    no larger than that in all. The first difference ends it.

    Raises:
        CheckpointError: a file changed since its header was read.
        EnvironmentFault: the device refuses.
    """
    if (first.shape, first.dtype, first.size) != (second.shape, second.dtype, second.size):
        return False
    if (first.scale is None) != (second.scale is None) or (first.packing is None) != (second.packing is None):
        return False
    if first.packing is not None and second.packing is not None and first.packing.parts:
        ours, theirs = dict(first.packing.parts), dict(second.packing.parts)
        alike = first.packing.numbers == second.packing.numbers and ours.keys() == theirs.keys()
        return alike and all(same_values(part, theirs[role]) for role, part in ours.items())
    if first.scale is not None and second.scale is not None and not same_values(first.scale.entry, second.scale.entry):
        return False
    if not _same_packing(first.packing, second.packing):
        return False
    if first.packing is not None and first.packing.parts:
        return True
    if (first.file, first.offset) == (second.file, second.offset):
        return True
    with opened(first.file.path, first.file) as (one, stamp), opened(second.file.path, second.file) as (two, other):
        for start, count in _samples(first.size):
            a = read_span(one, stamp, first.offset + start, count)
            b = read_span(two, other, second.offset + start, count)
            if a.tobytes() != b.tobytes():
                return False
    return True


def _same_packing(first: Packing | None, second: Packing | None) -> bool:
    """Whether stored bytes mean the same: packed by one method with one layout, and from parts of the same values."""
    if first is None or second is None:
        return first is second
    if (first.method, first.numbers) != (second.method, second.numbers) or len(first.parts) != len(second.parts):
        return False
    pairs = zip(first.parts, second.parts, strict=True)
    return all(one == other and same_values(a, b) for (one, a), (other, b) in pairs)


def _samples(size: int) -> list[tuple[int, int]]:
    """First byte and number of bytes of every block compared."""
    if size <= PLACES * BLOCK:
        return [(start, min(BLOCK, size - start)) for start in range(0, size, BLOCK)]
    return [((size - BLOCK) * place // (PLACES - 1), BLOCK) for place in range(PLACES)]


def _once(first: TensorEntry) -> str:
    """Why the twin of an embedding is left out."""
    sampled = f" at {PLACES} sampled places" if first.size > PLACES * BLOCK else ""
    return f"holds the same values as '{printable(first.name)}'{sampled}, analysed once"
