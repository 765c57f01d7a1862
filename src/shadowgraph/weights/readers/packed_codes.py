"""Codes that are places in a table: NF4 and FP4 of bitsandbytes, MXFP4, NVFP4, to float64.

Here live: `decode` and `squared_steps` of these methods, and the table of 4-bit floats.
Not here: recognition (`groups`), integers (`packed_integers`).

Every method is value = table[code] · factor of the block of consecutive elements, in float64; the product rounds once.

Source:
    bitsandbytes: `dequantize_4bit`; the high half of a byte comes first; with nested quantisation the factor is
    nested_quant_map[absmax] · nested_absmax of its block + nested_offset. Dettmers et al., QLoRA (2023).
    MXFP4: Open Compute Project, Microscaling Formats 1.0 (2023): E2M1, factor 2^(stored − 127), 255 is no number; as
    gpt-oss stores it, the low half of a byte comes first.
    NVFP4: factor = stored E4M3 / global scale (compressed-tensors) or · second scale (ModelOpt).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError
from shadowgraph.weights.readers.packed_bytes import elements, number, numbers, part, place, raw_bytes
from shadowgraph.weights.tensor import TensorEntry

Matrix = NDArray[np.float64]
E2M1 = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0])
EXPONENT_BIAS, NO_NUMBER = 127, 255
COUNTED = 1 << 20  # elements whose steps are summed at a time


def decode(entry: TensorEntry, first: int, last: int) -> Matrix:
    """Lines first … last − 1 as float64 (last − first, w), see the head of this file.

    Raises:
        CheckpointError: a file changed or cut since its header was read, or a table that holds no numbers.
        EnvironmentFault: the device refuses.
    """
    return _blocks(entry, first, last, _table(entry), power=1)


def squared_steps(entry: TensorEntry, first: int, last: int) -> float:
    """Sum over the elements of these lines of the squared step about their code, see `steps_of` and `packings.Decoder`.

    Raises:
        CheckpointError: as `decode`.
        EnvironmentFault: as `decode`.
    """
    table = steps_of(_table(entry), inward=_is_bitsandbytes(entry))
    step = max(1, COUNTED // entry.shape[-1])
    return sum(
        float(_blocks(entry, start, min(start + step, last), table, power=2).sum())
        for start in range(first, last, step)
    )


def steps_of(table: Matrix, *, inward: bool) -> Matrix:
    """Squared step about each entry of a table, that of a uniform grid with the same error.

    Of the gaps L below and R above an entry, what is rounded to it lies between −L/2 and R/2: uniform there, its mean
    squared error is (L² − L R + R²) / 12.

    Args:
        table: the values, in any order; equal ones (0 and −0) count as one.
        inward: whether nothing lies beyond the ends, because a block is scaled by its largest size; else the gap
            beyond an end is that before it.

    Returns:
        Array of the table's shape.
    """
    levels, index = np.unique(table + 0.0, return_inverse=True)  # −0 + 0 is 0
    if levels.size < 2:
        return np.zeros_like(table)
    gaps = np.diff(levels)
    below = np.concatenate(([0.0 if inward else gaps[0]], gaps))
    above = np.concatenate((gaps, [0.0 if inward else gaps[-1]]))
    return (below * below - below * above + above * above)[index.reshape(table.shape)]


def _blocks(entry: TensorEntry, first: int, last: int, table: Matrix, power: int) -> Matrix:
    """table[code] · factor^power of the elements of these lines, (last − first, w)."""
    width, size = entry.shape[-1], number(entry, "size")
    start, end = first * width, last * width
    head, tail = start // size, -(-end // size)
    count = min(tail * size, entry.parameters) - head * size
    raw = raw_bytes(part(entry, "codes"), head * size // 2, head * size // 2 + -(-count // 2))
    values = np.take(_pairs(table, high_first=_is_bitsandbytes(entry)), raw, axis=0).reshape(-1)[:count]
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is the caller's to find
        factors = _factors(entry, head, tail) ** power
        full = count // size
        values[: full * size].reshape(full, size)[...] *= factors[:full, np.newaxis]
        values[full * size :] *= factors[-1] if full < factors.size else 1.0
    return values[start - head * size : end - head * size].reshape(last - first, width)


def _pairs(table: Matrix, *, high_first: bool) -> Matrix:
    """The two values of every byte, (256, 2)."""
    halves = np.arange(256)
    low, high = table[halves & 15], table[halves >> 4]
    return np.stack((high, low) if high_first else (low, high), axis=1)


def _table(entry: TensorEntry) -> Matrix:
    """The sixteen values of the codes.

    Raises:
        CheckpointError: a stored table with values that are not finite.
    """
    return _stored_table(entry, "map", 16) if _is_bitsandbytes(entry) else E2M1


def _stored_table(entry: TensorEntry, role: str, count: int) -> Matrix:
    stored = part(entry, role)
    table = numbers(elements(stored, 0, count))
    if not np.isfinite(table).all():
        raise CheckpointError("a table of codes holds values that are not finite", where=place(stored))
    return table


def _factors(entry: TensorEntry, first: int, last: int) -> Matrix:
    """Factors of blocks first … last − 1."""
    stored = part(entry, "scales")
    held = elements(stored, first, last)
    if _is_bitsandbytes(entry):
        return numbers(held) if stored.dtype == "F32" else _nested(entry, held, first, last)
    if stored.dtype != "F8_E4M3":
        exponents = held.astype(np.int32) - EXPONENT_BIAS
        return np.where(held == NO_NUMBER, np.nan, np.ldexp(1.0, exponents))
    factor = numbers(elements(part(entry, "factor"), 0, 1))[0]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return numbers(held) / factor if number(entry, "divides") else numbers(held) * factor


def _nested(entry: TensorEntry, held: NDArray[np.uint8], first: int, last: int) -> Matrix:
    """Factors that are codes themselves, in blocks of their own."""
    size = number(entry, "nested_size")
    head, tail = first // size, -(-last // size)
    outer = numbers(elements(part(entry, "nested_scales"), head, tail))
    table = _stored_table(entry, "nested_map", 256)
    offset = float(np.int64(number(entry, "offset_bits")).view(np.float64))
    return table[held] * outer[np.arange(first, last) // size - head] + offset


def _is_bitsandbytes(entry: TensorEntry) -> bool:
    return entry.packing is not None and entry.packing.method == "bitsandbytes-4bit"
