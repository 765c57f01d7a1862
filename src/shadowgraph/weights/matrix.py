"""Matrices: stored tensors split and turned so that each is one linear map (out, in).

Here live: `WeightMatrix`, `Skipped`, and the treatment of every stored tensor.
Not here: reading of formats, decomposition.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import Defect, printable
from shadowgraph.weights.fused import Config, Cut, count, cut, section
from shadowgraph.weights.placed import Placed
from shadowgraph.weights.readers.values import read_runs, read_turned
from shadowgraph.weights.roles import Family, Place, Role
from shadowgraph.weights.tensor import TensorEntry
from shadowgraph.weights.tied import settle


class Load(Protocol):
    """Reads a matrix, or the rows first … last − 1 of it."""

    def __call__(self, rows: tuple[int, int] | None = None, /) -> NDArray[np.float64]:
        """Float64 (rows, n)."""
        ...


FOLDED = frozenset({"conv", "patch"})
"""Slots of a layer whose tensors have more than two axes by design, read as (out, in · k · k)."""


@dataclass(frozen=True, slots=True)
class WeightMatrix(Placed):
    """One stored matrix m × n; `shape` is that after splitting and turning.

    Attributes:
        dtype: stored element type, a key of `ELEMENT_TYPES`, or what a packed type is called.
        source: the stored tensor; equal sources hold equal bytes, because an entry knows the stamp of its file.
        load: reads the values, float64 of `shape`, or the rows [a, b) of them when called with (a, b), holding
            little more than what it gives; they may be non-finite.
        piece: which rows of the stored tensor it is, None for a matrix that lies in no file.
    """

    dtype: str
    source: TensorEntry
    load: Load = field(compare=False)
    piece: Piece | None = field(default=None, compare=False)

    @property
    def rows(self) -> tuple[int, int] | None:
        """First and last + 1 row of the stored tensor where it is these rows as they lie, else None."""
        if self.piece is None or not _as_stored(self.source, self.piece):
            return None
        return self.piece.cut.span(self.piece.part)

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


def load_piece(entry: TensorEntry, piece: Piece, rows: tuple[int, int] | None = None) -> NDArray[np.float64]:
    """Read one matrix out of a stored tensor, or some of its rows; little more than these is in memory.

    Where the rows lie together or in runs, nothing else is read. A tensor stored as (in, out) passes through memory
    in pieces, whole for every call.

    Args:
        entry: the stored tensor; more than two axes are (out, everything else) unless the first counts experts.
        piece: which rows, and how they lie.
        rows: first and last + 1 row of the matrix, None for all.

    Returns:
        Contiguous float64 array (out, in).

    Raises:
        Defect: rows that the matrix does not have.
        CheckpointError: a file changed since its header was read.
        EnvironmentFault: the device refuses.
    """
    held = piece.cut.rows(piece.part)
    first, last = rows or (0, held)
    if not 0 <= first <= last <= held:
        raise Defect(
            f"rows {first} to {last} of a matrix of {held}", where=f"{entry.file.path}: '{printable(entry.name)}'"
        )
    height, width = flat_shape(entry.shape) if piece.expert is None else entry.shape[-2:]
    start = height * (piece.expert or 0)
    if piece.transposed:
        taken = [np.arange(*run) for run in _runs(piece, first, last)]
        return read_turned(entry, width, (start, start + height), np.concatenate([*taken, np.arange(0)]))
    return read_runs(entry, width, [(start + at, start + to) for at, to in _runs(piece, first, last)])


def stored_lines(entry: TensorEntry, piece: Piece, rows: int) -> Iterator[tuple[int, int]]:
    """Where the first `rows` rows of a matrix lie among the lines of the last axis of its tensor, in runs.

    Args:
        entry: the stored tensor, not turned: its lines, or several of them, are rows of the matrix.
        piece: which rows.
        rows: how many.

    Yields:
        First and last + 1 line of each run.
    """
    height, width = flat_shape(entry.shape) if piece.expert is None else entry.shape[-2:]
    each, start = width // entry.shape[-1], height * (piece.expert or 0)
    for at, to in _runs(piece, 0, rows):
        yield (start + at) * each, (start + to) * each


def _runs(piece: Piece, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Where rows first … last − 1 of a part lie along the output axis: runs that lie together."""
    size, period = piece.cut.sizes[piece.part], sum(piece.cut.sizes)
    offset = sum(piece.cut.sizes[: piece.part])
    while first < last:
        group, within = divmod(first, size)
        count = min(size - within, last - first)
        at = group * period + offset + within
        yield at, at + count
        first += count


def _as_stored(entry: TensorEntry, piece: Piece) -> bool:
    """Whether whole rows of the stored tensor are whole rows of the matrix."""
    return piece.expert is None and not piece.transposed and len(entry.shape) == 2


def flat_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """(out, in) of a tensor of two or more axes: leading axes of one element dropped, the last ones joined.

    A convolution (out, in, k, k) is the linear map (out, in · k · k) of its patches.
    """
    first = next((axis for axis in range(len(shape) - 2) if shape[axis] != 1), len(shape) - 2)
    return shape[first], math.prod(shape[first + 1 :])


def treat(
    entries: Sequence[TensorEntry], family: Family, config: dict[str, Any]
) -> Iterator[tuple[WeightMatrix, ...] | Skipped]:
    """Every stored tensor as its matrices, or why not; each stored array is analysed once.

    Args:
        entries: all stored tensors of a checkpoint.
        family: their family.
        config: content of `config.json`.

    Raises:
        CheckpointError: a file changed since its header was read.
        EnvironmentFault: the device refuses.
    """
    settled = settle(entries, family, config)
    for entry in entries:
        left_out = entry.unreadable or settled.left_out.get(entry.name, "")
        place = settled.places.get(entry.name) or family.place(entry.name)
        yield Skipped(entry.name, left_out) if left_out else split(entry, place, config)


def split(entry: TensorEntry, place: Place, config: dict[str, Any]) -> tuple[WeightMatrix, ...] | Skipped:
    """Turn a stored tensor into its matrices, or say why not."""
    reason = _unfit(entry, place)
    if reason:
        return Skipped(entry.name, reason)
    tower = section(config, place.roles[0].tower)
    transposed = _transposed(entry, place, tower)
    rows, columns = entry.shape[1:] if place.stacked else flat_shape(entry.shape)
    if transposed:
        rows, columns = columns, rows
    layout = cut(place.rule, rows, len(place.roles), tower)
    if layout is None:
        return Skipped(entry.name, _uncut(rows, place, config))
    pieces = (
        Piece(expert, transposed, layout, part)
        for expert in (range(entry.shape[0]) if place.stacked else (None,))
        for part in range(len(place.roles))
    )
    return tuple(_matrix(entry, place, piece, columns) for piece in pieces)


def _uncut(rows: int, place: Place, config: Config) -> str:
    """Why the outputs of a fused tensor could not be told apart."""
    if place.rule in {"equal", "alternate"}:
        return f"fused, and its {rows} outputs do not divide into {len(place.roles)} equal parts"
    if not config:
        return f"fused, and without a config.json nothing says how its {rows} outputs divide"
    return f"fused, and the rule '{place.rule}' does not fit its {rows} outputs with the sizes in config.json"


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


def _transposed(entry: TensorEntry, place: Place, config: Config) -> bool:
    """Whether a tensor is stored as (in, out); where writers differ, the hidden size tells which axis is which."""
    if entry.packing is not None and entry.packing.number("outputs_first"):
        return False
    if not place.free:
        return place.transposed
    hidden = count(config, "hidden_size", "d_model", "n_embd")
    first, second = entry.shape[-2] == hidden, entry.shape[-1] == hidden
    if first == second:
        return place.transposed
    return second if place.roles[0].slot == "down" else first


def _unfit(entry: TensorEntry, place: Place) -> str:
    """Why a stored tensor is no matrix to decompose, "" when it is one."""
    if place.reason:
        return place.reason
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
    if rank > 2 and (reason := _unfit_deep(entry.shape, place.roles[0])):
        return reason
    return "single row or column" if min(flat_shape(entry.shape)) < 2 else ""


def _unfit_deep(shape: tuple[int, ...], role: Role) -> str:
    """Why a tensor of more than two axes is no matrix, "" when its axes join into one."""
    if max(shape) == math.prod(shape):
        return "vector (norm or bias)"
    if role.slot == "unknown":
        return f"rank {len(shape)}, no matrix in this family"
    if role.is_block_linear and role.slot not in FOLDED and sum(axis > 1 for axis in shape) > 2:
        return f"rank {len(shape)}, its role is a matrix of 2 axes"
    return ""
