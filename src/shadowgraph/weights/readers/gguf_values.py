"""Values of block-quantised GGUF tensors: whole rows to float64, read only where they are asked for.

Here live: `decode` and `squared_steps` of the packing "gguf".
Not here: the arithmetic of a block, which is that of the `gguf` library on bytes read here; its own reader maps files
and is not used. Steps of a block: `gguf_steps`. The library is loaded at the first block, headers do without it.

Values are the library's: products in float32, as llama.cpp computes them, widened to float64. A matrix with a factor
stored beside it is multiplied by that in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import Defect, printable, require
from shadowgraph.weights.readers.gguf_steps import block_steps, plain_steps
from shadowgraph.weights.readers.gguf_types import TYPES, BlockType
from shadowgraph.weights.readers.span import current_stamp, opened, read_into, require_unchanged
from shadowgraph.weights.tensor import Packing, TensorEntry

EXTRA = "gguf"
PIECE = 1 << 17  # elements decoded at a time: they and what the library makes of them on its way fit into a cache
_PLAIN = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}


def decode(entry: TensorEntry, first: int, last: int) -> NDArray[np.float64]:
    """Lines first … last − 1 as float64 (last − first, w).

    Raises:
        CheckpointError: a file changed or cut since its header was read.
        EnvironmentFault: the device refuses, or the extra `gguf` is not installed.
    """
    kind, width = _kind(entry), entry.shape[-1]
    values = np.empty((last - first) * width, dtype=np.float64)
    done = 0
    for raw in _pieces(entry, first, last):
        piece = _plain(raw, kind) if kind.is_plain else _blocks(raw, entry)
        values[done : done + piece.size] = piece
        done += piece.size
    lines = values.reshape(last - first, width)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is the caller's to find
        for begin, end, factor in _factors(entry, first, last):
            lines[begin - first : end - first] *= factor
    return lines


def squared_steps(entry: TensorEntry, first: int, last: int) -> float:
    """Sum over the elements of these lines of the squared step of their block, see `gguf_steps`.

    Raises:
        CheckpointError: as `decode`.
        EnvironmentFault: as `decode`; the library is not needed for steps.
    """
    kind = _kind(entry)
    total = 0.0
    for begin, end, factor in _factors(entry, first, last) or [(first, last, 1.0)]:
        for raw in _pieces(entry, begin, end):
            steps = plain_steps(_plain(raw, kind), kind.name) if kind.is_plain else block_steps(raw, kind)
            total += steps * factor**2
    return total


def _packing(entry: TensorEntry) -> Packing:
    if entry.packing is None:
        raise Defect("a tensor without a packing", where=f"{entry.file.path}: tensor '{printable(entry.name)}'")
    return entry.packing


def _kind(entry: TensorEntry) -> BlockType:
    return TYPES[_packing(entry).number("type")]


def _pieces(entry: TensorEntry, first: int, last: int) -> Iterator[NDArray[np.uint8]]:
    """The stored bytes of lines in order, whole blocks at a time, each valid until the next is asked for."""
    kind = _kind(entry)
    row = entry.shape[-1] // kind.elements * kind.size
    begin, size = entry.offset + first * row, (last - first) * row
    step = max(1, PIECE // kind.elements) * kind.size
    buffer = np.empty(min(step, size), dtype=np.uint8)
    with opened(entry.file.path, entry.file) as (descriptor, stamp):
        for done in range(0, size, step):
            raw = buffer[: min(step, size - done)]
            read_into(descriptor, stamp, begin + done, raw)
            yield raw
        require_unchanged(current_stamp(descriptor, stamp.path), entry.file)


def _plain(raw: NDArray[np.uint8], kind: BlockType) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # a signalling NaN may raise a flag when it is widened
        return raw.view(_PLAIN[kind.name]).astype(np.float64)


def _blocks(raw: NDArray[np.uint8], entry: TensorEntry) -> NDArray[np.float32]:
    """Blocks as the library decodes them; one flat array is one piece to it."""
    dequantize, types = library()
    with np.errstate(all="ignore"):  # scales that are not finite make values that are not: the caller's to find
        return dequantize(raw, types(_packing(entry).number("type")))


def _factors(entry: TensorEntry, first: int, last: int) -> list[tuple[int, int, float]]:
    """Lines from, to, and their factor where one is stored beside the matrix, or one for each expert; else none."""
    stored = _packing(entry).part("scale")
    if stored is None or first == last:
        return []
    code = next(number for number, kind in TYPES.items() if kind.name == stored.dtype)
    alone = replace(stored, shape=(stored.parameters,), packing=Packing(_packing(entry).method, (), (("type", code),)))
    factors = decode(alone, 0, 1)[0]
    lines = entry.parameters // entry.shape[-1] // factors.size
    return [
        (max(first, number * lines), min(last, (number + 1) * lines), float(factors[number]))
        for number in range(first // lines, (last - 1) // lines + 1)
    ]


@lru_cache(maxsize=1)
def library() -> tuple[Any, Any]:
    """The decoder of the `gguf` library and its enumeration of types.

    Raises:
        EnvironmentFault: it is not installed.
    """
    require("gguf", EXTRA)
    return import_module("gguf.quants").dequantize, import_module("gguf.constants").GGMLQuantizationType
