"""Matrices: stored tensors split and turned so that each is one linear map (out, in).

Here live: `WeightMatrix`, `Skipped`, and the treatment of every stored tensor.
Not here: reading of formats, decomposition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.readers.safetensors import read_values
from shadowgraph.weights.roles import Family, Role
from shadowgraph.weights.tensor import ELEMENT_TYPES, TensorEntry


@dataclass(frozen=True, slots=True)
class WeightMatrix:
    """One matrix m × n, rows are outputs.

    Attributes:
        tensor: stored name, foreign text.
        key: stored name without the family's prefix.
        part: slot of the part where a stored tensor was split, else "".
        role: block, slot, tower.
        layer: layer index, None outside the layers.
        expert: expert index, None outside experts.
        shape: (m, n) after splitting and turning.
        dtype: stored element type, a key of `ELEMENT_TYPES`.
        source: the stored tensor; equal sources hold equal bytes, because an entry knows the stamp of its file.
        load: reads the values, float64 of `shape`; they may be non-finite.
    """

    tensor: str
    key: str
    part: str
    role: Role
    layer: int | None
    expert: int | None
    shape: tuple[int, int]
    dtype: str
    source: TensorEntry
    load: Callable[[], NDArray[np.float64]] = field(compare=False)

    @property
    def name(self) -> str:
        """Stored name, with the part in brackets after a split."""
        return f"{self.tensor}[{self.part}]" if self.part else self.tensor

    @property
    def identity(self) -> tuple[str, str]:
        """What two checkpoints share: key and part."""
        return self.key, self.part

    @property
    def parameters(self) -> int:
        """Number of elements."""
        return self.shape[0] * self.shape[1]

    def __repr__(self) -> str:
        """One line: name, role, shape."""
        return f"WeightMatrix({self.name!r}, {self.role.block}.{self.role.slot}, {self.shape[0]}×{self.shape[1]})"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A stored tensor that is not analysed, and why."""

    tensor: str
    reason: str


def load_part(entry: TensorEntry, transposed: bool, part: int, parts: int) -> NDArray[np.float64]:
    """Read a stored tensor, turn it to (out, in) and cut one of its equal parts along the outputs.

    Args:
        entry: the stored tensor, rank 2.
        transposed: whether it is stored as (in, out).
        part: which part, from 0.
        parts: number of equal parts.

    Returns:
        Contiguous float64 array (out / parts, in).
    """
    values = read_values(entry)
    if transposed:
        values = values.T
    if parts > 1:
        height = values.shape[0] // parts
        values = values[part * height : (part + 1) * height]
    return np.ascontiguousarray(values)


def split(entry: TensorEntry, family: Family, config: dict[str, Any]) -> tuple[WeightMatrix, ...] | Skipped:
    """Turn a stored tensor into its matrices, or say why not.

    Raises:
        CheckpointError: a fused tensor whose output extent does not divide into its parts.
    """
    reason = _unfit(entry, family)
    if reason:
        return Skipped(entry.name, reason)
    place = family.place(entry.name)
    if place.roles[0].block == "unembedding" and config.get("tie_word_embeddings", family.tied):
        return Skipped(entry.name, "tied to the embedding, which is analysed once")
    rows, columns = (entry.shape[1], entry.shape[0]) if place.transposed else entry.shape
    parts = len(place.roles)
    if rows % parts:
        raise CheckpointError(
            f"{rows} outputs do not divide into {parts} equal parts",
            where=f"{entry.file.path}: tensor '{printable(entry.name)}'",
        )
    return tuple(
        WeightMatrix(
            tensor=entry.name,
            key=place.key,
            part=role.slot if parts > 1 else "",
            role=role,
            layer=place.layer,
            expert=place.expert,
            shape=(rows // parts, columns),
            dtype=entry.dtype,
            source=entry,
            load=partial(load_part, entry, place.transposed, index, parts),
        )
        for index, role in enumerate(place.roles)
    )


def _unfit(entry: TensorEntry, family: Family) -> str:
    """Why a stored tensor is no matrix to decompose, "" when it is one."""
    if family.is_buffer(entry.name):
        return "buffer, no parameter"
    kind = ELEMENT_TYPES[entry.dtype].kind
    if kind != "float":
        return f"{entry.dtype}: {kind}"
    rank = len(entry.shape)
    if rank > 8:
        return f"rank {rank} > 8"
    if 0 in entry.shape:
        return "empty"
    if rank < 2:
        return "scalar" if rank == 0 else "vector (norm or bias)"
    if rank > 2:
        return f"rank {rank}, no matrix in this family"
    if min(entry.shape) < 2:
        return "single row or column"
    return ""
