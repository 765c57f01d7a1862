"""Values: stored elements to float64, in pieces, so that little more than the result is ever in memory.

Here live: exact decoding of each readable element type, scales of 8-bit floats, and subtraction in place.
Not here: headers, which tensor is the scale of which (see `quantised`), splitting into matrices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.readers.packings import decoder
from shadowgraph.weights.readers.span import current_stamp, opened, read_into, require_unchanged
from shadowgraph.weights.tensor import ELEMENT_TYPES, FLOAT8, Scale, TensorEntry

_WIDER = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
UNPACKED = 1 << 18  # elements of a packed tensor decoded at a time
SPARSE = 4  # of so many lines decoded together one must be wanted
PIECE = 1 << 20  # bytes decoded at a time: they and their float64 values fit into a core's cache

Rows = tuple[int, int]


def read_values(entry: TensorEntry, rows: Rows | None = None) -> NDArray[np.float64]:
    """Read one tensor, or a run of its first axis, as float64; exact for every readable type.

    An 8-bit float is its stored value times the factor of its block, the product rounded once to float64.

    Args:
        entry: the tensor.
        rows: first and last + 1 index along the first axis, None for all.

    Returns:
        Array of the entry's shape, the first axis cut to `rows`; values may be non-finite, the caller checks.

    Raises:
        CheckpointError: a type that is not decomposed, or a file changed or cut since its header was read.
        EnvironmentFault: the device refuses.
    """
    each = math.prod(entry.shape[1:])
    if rows is None:
        return read_runs(entry, 1, [(0, entry.parameters)]).reshape(entry.shape)
    return read_runs(entry, each, [rows]).reshape(rows[1] - rows[0], *entry.shape[1:])


def read_runs(entry: TensorEntry, width: int, runs: Sequence[Rows]) -> NDArray[np.float64]:
    """Read runs of lines of a tensor seen as lines of `width` elements, one run below the other.

    Args:
        entry: the tensor; `width` is the product of its last axes.
        width: elements of one line.
        runs: first and last + 1 line of each run.

    Returns:
        Float64 array (lines in all, width); little more than it is in memory.

    Raises:
        CheckpointError: as `read_values`.
        EnvironmentFault: the device refuses.
    """
    spans = [(first * width, last * width) for first, last in runs]
    out = np.empty(sum(last - first for first, last in spans), dtype=np.float64)
    for _ in _pieces(entry, spans, into=out):
        pass
    return out.reshape(-1, width)


def read_turned(entry: TensorEntry, width: int, lines: Rows, columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Read columns of a tensor seen as lines of `width` elements, turned: what is stored as (in, out) as (out, in).

    All of these lines pass through memory a piece at a time; only the result stays.

    Args:
        entry: the tensor; `width` is the product of its last axes.
        width: elements of one line.
        lines: first and last + 1 line.
        columns: the columns wanted, in this order.

    Returns:
        Float64 array (number of columns, number of lines).

    Raises:
        CheckpointError: as `read_values`.
        EnvironmentFault: the device refuses.
    """
    first, last = lines
    out = np.empty((len(columns), last - first), dtype=np.float64)
    whole = len(columns) == width and bool(np.array_equal(columns, np.arange(width)))
    for start, values in _pieces(entry, [(first * width, last * width)], width):
        piece = values.reshape(-1, width)
        at = start // width
        out[:, at : at + piece.shape[0]] = piece.T if whole else piece[:, columns].T
    return out


def value_strips(entry: TensorEntry, runs: Sequence[Rows]) -> Iterator[NDArray[np.float64]]:
    """Read runs of the first axis one after another as float64, in one array that every run overwrites.

    New memory costs more than reading does: for a matrix read in strips one array serves them all.

    Args:
        entry: the tensor.
        runs: first and last + 1 index along the first axis, of each strip.

    Yields:
        Array of the entry's shape, the first axis cut to the run, valid until the next is asked for.

    Raises:
        CheckpointError: as `read_values`.
        EnvironmentFault: the device refuses.
    """
    each = math.prod(entry.shape[1:])
    out = np.empty(max((last - first for first, last in runs), default=0) * each, dtype=np.float64)
    for first, last in runs:
        values = out[: (last - first) * each]
        for _ in _pieces(entry, [(first * each, last * each)], into=values):
            pass
        yield values.reshape((last - first, *entry.shape[1:]))


def subtract_values(values: NDArray[np.float64], entry: TensorEntry, rows: Rows | None = None) -> None:
    """Subtract a stored tensor from an array in place, in float64, without a second array of its size.

    Args:
        values: contiguous float64 array of the shape that `read_values` would give.
        entry: the tensor to subtract.
        rows: first and last + 1 index along the first axis, None for all.

    Raises:
        CheckpointError: as `read_values`.
        EnvironmentFault: the device refuses.
    """
    flat = values.reshape(-1)
    each = math.prod(entry.shape[1:])
    span = (0, entry.parameters) if rows is None else (rows[0] * each, rows[1] * each)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is the caller's to find
        for start, piece in _pieces(entry, [span]):
            flat[start : start + piece.size] -= piece


def stored_pieces(entry: TensorEntry, size: int = 1 << 22) -> Iterator[NDArray[np.uint8]]:
    """The stored bytes of one tensor of any type in order; each piece is valid until the next is asked for.

    Raises:
        CheckpointError: the file was changed or cut since its header was read.
        EnvironmentFault: the device refuses.
    """
    buffer = np.empty(min(size, entry.size), dtype=np.uint8)
    with opened(entry.file.path, entry.file) as (descriptor, stamp):
        for done in range(0, entry.size, size):
            piece = buffer[: min(size, entry.size - done)]
            read_into(descriptor, stamp, entry.offset + done, piece)
            yield piece
        require_unchanged(current_stamp(descriptor, stamp.path), entry.file)


def _pieces(
    entry: TensorEntry, spans: Sequence[Rows], line: int = 1, into: NDArray[np.float64] | None = None
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Decoded values of spans of elements in order, with their place in the result; whole lines at a time.

    With a scale the spans begin and end on runs of the last axis, and so do the pieces. They are decoded where they
    belong in `into`, or where the next piece will lie too.
    """
    if entry.unreadable:
        raise CheckpointError(f"values are not read ({entry.unreadable})", where=_place(entry))
    if entry.packing is not None:
        yield from _unpacked(entry, spans, into)
        return
    width = ELEMENT_TYPES[entry.dtype].bits // 8
    factors = _Factors.of(entry, spans)
    line = math.lcm(max(line, 1), 1 if factors is None else factors.run)
    step = max(1, PIECE // width // line) * line
    longest = min(step, max((last - first for first, last in spans), default=0))
    buffer = np.empty(longest * width, dtype=np.uint8)
    values = np.empty(longest if into is None else 0, dtype=np.float64)
    done = 0
    with opened(entry.file.path, entry.file) as (descriptor, stamp):
        for first, last in spans:
            for start in range(first, last, step):
                count = min(step, last - start)
                raw = buffer[: count * width]
                read_into(descriptor, stamp, entry.offset + start * width, raw)
                piece = values[:count] if into is None else into[done : done + count]
                _decode(raw, entry.dtype, piece)
                if factors is not None:
                    factors.apply(piece, start)
                yield done, piece
                done += count
        require_unchanged(current_stamp(descriptor, stamp.path), entry.file)


def _unpacked(
    entry: TensorEntry, spans: Sequence[Rows], into: NDArray[np.float64] | None
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """`_pieces` of a packed tensor: whole lines of the last axis, as the decoder of its packing gives them."""
    read, width = decoder(entry).decode, max(1, entry.shape[-1])
    done = 0
    if any(place % width for span in spans for place in span):
        yield from _within_lines(entry, spans, into)
        return
    for wanted in _together([(start // width, end // width) for start, end in spans], max(1, UNPACKED // width)):
        first, last = wanted[0][0], wanted[-1][1]
        values = read(entry, first, last)
        if len(wanted) > 1:
            values = np.concatenate([values[start - first : end - first] for start, end in wanted])
        values = values.reshape(-1)
        if into is not None:
            into[done : done + values.size] = values
        yield done, values
        done += values.size


def _within_lines(
    entry: TensorEntry, spans: Sequence[Rows], into: NDArray[np.float64] | None
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """`_unpacked` of spans that begin or end within a line, as those of a vector do."""
    read, width = decoder(entry).decode, max(1, entry.shape[-1])
    done, step = 0, max(1, UNPACKED // width)
    for start, end in spans:
        lines = -(-end // width)
        for first in range(start // width, lines, step):
            values = read(entry, first, min(first + step, lines)).reshape(-1)
            values = values[max(start - first * width, 0) : end - first * width]
            if into is not None:
                into[done : done + values.size] = values
            yield done, values
            done += values.size


def _together(runs: Sequence[Rows], most: int) -> Iterator[list[Rows]]:
    """Runs of lines cut to at most `most`, and short ones that lie close joined: a decoder is called once for all.

    Lines between them are decoded in vain, at most `SPARSE` times as many as are wanted.
    """
    held: list[Rows] = []
    wanted = 0
    for start, end in runs:
        for first in range(start, end, most):
            last = min(first + most, end)
            reach = last - held[0][0] if held else 0
            if held and (first < held[-1][1] or reach > min(most, SPARSE * (wanted + last - first))):
                yield held
                held, wanted = [], 0
            held.append((first, last))
            wanted += last - first
    if held:
        yield held


def _decode(raw: NDArray[np.uint8], dtype: str, out: NDArray[np.float64]) -> None:
    """Stored bytes, which are little-endian, to float64."""
    if dtype in FLOAT8 or dtype == "F8_E8M0":
        np.take(_table(dtype), raw, out=out, mode="clip")
    else:
        with np.errstate(invalid="ignore"):  # a signalling NaN may raise a flag when it is widened
            if dtype == "BF16":
                out[:] = raw.view(np.dtype("<u2")).astype(np.uint16, copy=False).view(ml_dtypes.bfloat16)
            else:
                out[:] = raw.view(_WIDER[dtype])


@lru_cache(maxsize=8)
def _table(dtype: str) -> NDArray[np.float64]:
    """All 256 values of an 8-bit type.

    Source:
        Micikevicius et al., FP8 Formats for Deep Learning (2022), table 1; ml_dtypes for the other variants.
    """
    kind = {
        "F8_E4M3": ml_dtypes.float8_e4m3fn,
        "F8_E5M2": ml_dtypes.float8_e5m2,
        "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
        "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
        "F8_E8M0": ml_dtypes.float8_e8m0fnu,
    }[dtype]
    return np.arange(256, dtype=np.uint8).view(kind).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Factors:
    """The factors of some spans of an 8-bit tensor: only those rows of the grid that the spans need."""

    entry: TensorEntry
    scale: Scale
    grid: NDArray[np.float64]
    first: int

    @property
    def run(self) -> int:
        """Elements of the last axis."""
        return self.entry.shape[-1]

    @classmethod
    def of(cls, entry: TensorEntry, spans: Sequence[Rows]) -> _Factors | None:
        """Read them, None for a tensor that has none.

        Raises:
            CheckpointError: a factor below zero; one that is not finite makes values that are not.
        """
        scale = entry.scale
        if scale is None or not spans:
            return None
        block = math.prod(entry.shape[1:]) * scale.extents[0]
        first = min(span[0] for span in spans) // block
        last = max(-(-max(span[1] for span in spans) // block), first)
        each = math.prod(scale.grid[1:])
        stored = scale.entry
        if stored.packing is not None:
            raise CheckpointError("the scale does not lie in order", where=_place(stored), hint="save it again")
        width = ELEMENT_TYPES[stored.dtype].bits // 8
        raw = np.empty((last - first) * each * width, dtype=np.uint8)
        with opened(stored.file.path, stored.file) as (descriptor, stamp):
            read_into(descriptor, stamp, stored.offset + first * each * width, raw)
        out = np.empty((last - first) * each, dtype=np.float64)
        _decode(raw, stored.dtype, out)
        if (out < 0.0).any():
            raise CheckpointError("a factor of the scale is below zero", where=_place(stored))
        return cls(entry, scale, out.reshape(last - first, *scale.grid[1:]), first)

    def apply(self, values: NDArray[np.float64], start: int) -> None:
        """Multiply values, the first of them element number `start`, by the factors of their blocks.

        Raises:
            CheckpointError: a factor of zero for values that are not.
        """
        shape, extents, run = self.entry.shape, self.scale.extents, self.run
        lines = values.reshape(-1, run)
        places = np.unravel_index(np.arange(start // run, start // run + lines.shape[0]), shape[:-1])
        rows = [place // extent for place, extent in zip(places, extents[:-1], strict=True)]
        rows[0] = rows[0] - self.first
        chosen = self.grid[tuple(rows)]
        if chosen.shape[1] > 1 and run % extents[-1] == 0:
            lines, chosen = values.reshape(-1, chosen.shape[1], extents[-1]), chosen[:, :, np.newaxis]
        elif chosen.shape[1] > 1:
            chosen = chosen[:, np.arange(run) // extents[-1]]
        if not chosen.all() and lines[np.broadcast_to(chosen == 0.0, lines.shape)].any():
            raise CheckpointError(
                "a factor of the scale is zero for values that are not", where=_place(self.scale.entry)
            )
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is the caller's to find
            lines *= chosen


def _place(entry: TensorEntry) -> str:
    return f"{entry.file.path}: tensor '{printable(entry.name)}'"
