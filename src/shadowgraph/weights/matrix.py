"""Matrices: stored tensors split and turned so that each is one linear map (out, in).

Here live: `WeightMatrix`, `Skipped`, and the treatment of every stored tensor.
Not here: reading of formats, decomposition.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.fused import Config, Cut, count, cut, section
from shadowgraph.weights.readers.values import read_values
from shadowgraph.weights.roles import Family, Place, Role
from shadowgraph.weights.tensor import TensorEntry


@dataclass(frozen=True, slots=True)
class WeightMatrix:
    """One matrix m × n, rows are outputs.

    Attributes:
        tensor: stored name, foreign text.
        key: stored name with the family's usual prefix.
        part: expert and slot where a stored tensor was split, else "".
        role: block, slot, tower.
        layer: layer index, None outside the layers.
        expert: expert index, None outside experts.
        shape: (m, n) after splitting and turning.
        dtype: stored element type, a key of `ELEMENT_TYPES`.
        source: the stored tensor; equal sources hold equal bytes, because an entry knows the stamp of its file.
        load: reads the values, float64 of `shape`; they may be non-finite.
        piece: which rows of the stored tensor it is, None for a matrix that lies in no file.
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
    piece: Piece | None = field(default=None, compare=False)

    @property
    def rows(self) -> tuple[int, int] | None:
        """First and last + 1 row of the stored tensor where it is these rows as they lie, else None."""
        if self.piece is None or not _as_stored(self.source, self.piece):
            return None
        return self.piece.cut.span(self.piece.part)

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


@dataclass(frozen=True, slots=True)
class Piece:
    """Which rows of a stored tensor make one matrix.

    Attributes:
        expert: index along the first axis of a stacked tensor, None for the whole.
        transposed: stored as (in, out).
        cut: layout of the output axis.
        part: which part of the cut, from 0.
    """

    expert: int | None
    transposed: bool
    cut: Cut
    part: int


def load_piece(entry: TensorEntry, piece: Piece) -> NDArray[np.float64]:
    """Read one matrix out of a stored tensor; where its rows lie together, nothing else is read.

    Args:
        entry: the stored tensor; more than two axes are (out, everything else) unless the first counts experts.
        piece: which rows, and how they lie.

    Returns:
        Contiguous float64 array (out, in).
    """
    span = piece.cut.span(piece.part)
    if piece.expert is not None:
        values = read_values(entry, (piece.expert, piece.expert + 1))[0]
    elif span is not None and _as_stored(entry, piece):
        return read_values(entry, span)
    else:
        values = read_values(entry)
        values = values.reshape(flat_shape(entry.shape))
    if piece.transposed:
        values = values.T
    return np.ascontiguousarray(piece.cut.take(values, piece.part) if len(piece.cut.sizes) > 1 else values)


def _as_stored(entry: TensorEntry, piece: Piece) -> bool:
    """Whether whole rows of the stored tensor are whole rows of the matrix."""
    return piece.expert is None and not piece.transposed and len(entry.shape) == 2


def flat_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """(out, in) of a tensor of two or more axes: leading axes of one element dropped, the last ones joined.

    A convolution (out, in, k, k) is the linear map (out, in · k · k) of its patches.
    """
    first = next((axis for axis in range(len(shape) - 2) if shape[axis] != 1), len(shape) - 2)
    return shape[first], math.prod(shape[first + 1 :])


def split(entry: TensorEntry, family: Family, config: dict[str, Any]) -> tuple[WeightMatrix, ...] | Skipped:
    """Turn a stored tensor into its matrices, or say why not.

    Raises:
        CheckpointError: a fused tensor whose output extent does not divide into its equal parts.
    """
    place = family.place(entry.name)
    reason = _unfit(entry, family, place)
    if reason:
        return Skipped(entry.name, reason)
    if place.roles[0].block == "unembedding" and family.is_tied(config):
        return Skipped(entry.name, "tied to the embedding, which is analysed once")
    tower = section(config, place.roles[0].tower)
    transposed = _transposed(entry.shape, place, tower)
    rows, columns = entry.shape[1:] if place.stacked else flat_shape(entry.shape)
    if transposed:
        rows, columns = columns, rows
    layout = cut(place.rule, rows, len(place.roles), tower)
    if layout is None and place.rule == "equal":
        raise CheckpointError(
            f"{rows} outputs do not divide into {len(place.roles)} equal parts",
            where=f"{entry.file.path}: tensor '{printable(entry.name)}'",
        )
    if layout is None:
        return Skipped(entry.name, f"fused, and config.json does not say how its {rows} outputs divide")
    pieces = (
        Piece(expert, transposed, layout, part)
        for expert in (range(entry.shape[0]) if place.stacked else (None,))
        for part in range(len(place.roles))
    )
    return tuple(_matrix(entry, place, piece, columns) for piece in pieces)


def _matrix(entry: TensorEntry, place: Place, piece: Piece, columns: int) -> WeightMatrix:
    role = place.roles[piece.part]
    labels = [str(piece.expert)] if piece.expert is not None else []
    if len(place.roles) > 1:
        labels.append(role.slot)
    return WeightMatrix(
        tensor=entry.name,
        key=place.key,
        part=",".join(labels),
        role=role,
        layer=place.layer,
        expert=place.expert if piece.expert is None else piece.expert,
        shape=(piece.cut.rows(piece.part), columns),
        dtype=entry.dtype,
        source=entry,
        load=partial(load_piece, entry, piece),
        piece=piece,
    )


def _transposed(shape: tuple[int, ...], place: Place, config: Config) -> bool:
    """Whether a tensor is stored as (in, out); where writers differ, the hidden size tells which axis is which."""
    if not place.free:
        return place.transposed
    hidden = count(config, "hidden_size", "d_model", "n_embd")
    first, second = shape[-2] == hidden, shape[-1] == hidden
    if first == second:
        return place.transposed
    return second if place.roles[0].slot == "down" else first


def _unfit(entry: TensorEntry, family: Family, place: Place) -> str:
    """Why a stored tensor is no matrix to decompose, "" when it is one."""
    reason = family.reason(entry.name)
    if reason:
        return reason
    if entry.unreadable:
        return entry.unreadable
    rank = len(entry.shape)
    if rank > 8:
        return f"rank {rank} > 8"
    if 0 in entry.shape:
        return "empty"
    if rank < 2:
        return "scalar" if rank == 0 else "vector (norm or bias)"
    if place.stacked and rank != 3:
        return f"rank {rank}, stacked experts have 3"
    if place.stacked:
        return "single row or column" if min(entry.shape[1:]) < 2 else ""
    if rank > 2 and max(entry.shape) == math.prod(entry.shape):
        return "vector (norm or bias)"
    if rank > 2 and place.roles[0].slot == "unknown":
        return f"rank {rank}, no matrix in this family"
    return "single row or column" if min(flat_shape(entry.shape)) < 2 else ""
