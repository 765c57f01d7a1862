"""Tied embeddings: one array of a model that is stored under several names, or under another name than usual.

Here lives: `settle`, which says of every stored embedding whether it is analysed, and as what.
Not here: names (data), treatment of single tensors (`matrix`). Values are not read: two names stand for one array when
the family ties them and their shapes and types are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from shadowgraph.errors import printable
from shadowgraph.weights.roles import EMBEDDING, EMBEDDINGS, Family, Place
from shadowgraph.weights.tensor import TensorEntry


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

    Tensors with one key are copies where shape and type agree, unless the configuration says that encoder and decoder
    do not share them; those that are not keep their own names as keys. An unembedding that is tied stands for the
    embedding where that is not stored.

    Args:
        entries: all stored tensors.
        family: their family.
        config: content of `config.json`.
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
        if shares and (first.shape, first.dtype) == (entry.shape, entry.dtype):
            settled.left_out[entry.name] = f"copy of '{printable(first.name)}' by name and shape, analysed once"
        else:
            settled.places[entry.name] = place._replace(key=entry.name)
    shapes = {entry.shape for entry, place in found if place.roles[0] == EMBEDDING}
    for entry, place in found:
        if not tied or place.roles[0] == EMBEDDING:
            continue
        if entry.shape in shapes or not family.embedding or family.embedding in kept:
            settled.left_out[entry.name] = "tied to the embedding, which is analysed once"
        else:
            kept[family.embedding] = entry
            settled.places[entry.name] = place._replace(key=family.embedding, roles=(EMBEDDING,))
    return settled
