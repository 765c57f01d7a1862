"""Integers with scales: GPTQ, AWQ, compressed-tensors, MLX and 8-bit rows to float64.

Here live: `decode` and `squared_steps` of these methods.
Not here: recognition (`groups`), tables of codes that are no integers (`packed_codes`).

Every method is value = (code − zero) · scale + shift with zero, scale and shift of the group of inputs that an element
belongs to, in float64 from the stored numbers. The difference is exact, the product rounds once, the sum once more.

Source:
    GPTQ: AutoGPTQ and GPTQModel, `dequantize_weight`. A zero of the first version is stored less one; one is added to
    the packed words, as GPTQModel does, so that a borrow between zeros at saving is undone.
    AWQ: AutoAWQ, `dequantize_gemm`; within a word the codes of outputs 0 2 4 6 1 3 5 7.
    compressed-tensors: `dequantize` and `unpack_from_int32`; codes are stored with 2^(bits − 1) added.
    bitsandbytes: `int8_vectorwise_dequant`, scale SCB / 127. MLX: `mlx.core.dequantize`, no zero, the bias as shift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError
from shadowgraph.weights.readers.packed_bytes import (
    codes,
    columns,
    elements,
    lines,
    lines_of,
    number,
    numbers,
    part,
    place,
)
from shadowgraph.weights.tensor import TensorEntry

Matrix = NDArray[np.float64]
WORD = 32
AWQ_PLACES = (0, 4, 1, 5, 2, 6, 3, 7)  # where in a word the code of output 0 … 7 lies
INT8_RANGE = 127.0
COUNTED = 1 << 22  # elements whose scales are summed at a time


@dataclass(frozen=True, slots=True)
class _Scales:
    """Factors of some lines, (k, groups), or (1, 1) where one serves all.

    Attributes:
        factors: the scales.
        zeros: what is taken off a code, None for nothing.
        shifts: what is added at the end, None for nothing.
        size: inputs of a group, of which the last may be shorter.
        order: group of each input, None where they follow one another.
    """

    factors: Matrix
    zeros: Matrix | None
    shifts: Matrix | None
    size: int
    order: NDArray[np.int64] | None

    def counts(self, width: int) -> Matrix:
        """Inputs of each group."""
        if self.order is not None:
            return np.bincount(self.order, minlength=self.factors.shape[1]).astype(np.float64)
        first = np.arange(self.factors.shape[1]) * self.size
        return np.clip(width - first, 0, self.size).astype(np.float64)

    def spread(self, values: Matrix, width: int) -> Matrix:
        """One value a group as one an input, of a shape that combines with `grouped` codes."""
        if values.shape == (1, 1):
            return values
        if self.order is not None:
            return np.take(values, self.order, axis=1)
        if values.shape[1] * self.size == width:
            return values[:, :, np.newaxis]
        return np.repeat(values, self.size, axis=1)[:, :width]

    def grouped(self, values: Matrix) -> Matrix:
        """Values (k, w) as (k, groups, size) where `spread` gives (k, groups, 1)."""
        groups = self.factors.shape[1]
        even = self.order is None and self.factors.shape != (1, 1) and groups * self.size == values.shape[1]
        return values.reshape(values.shape[0], groups, self.size) if even else values


def decode(entry: TensorEntry, first: int, last: int) -> Matrix:
    """Lines first … last − 1 as float64 (last − first, w), see the head of this file.

    Raises:
        CheckpointError: a file changed or cut since its header was read, or an input of a group that is not there.
        EnvironmentFault: the device refuses.
    """
    width = entry.shape[-1]
    found = _method(entry).codes(entry, first, last)
    scales = _method(entry).scales(entry, first, last)
    out = found.astype(np.float64)
    target = scales.grouped(out)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is the caller's to find
        if scales.zeros is not None:
            target -= scales.spread(scales.zeros, width)
        target *= scales.spread(scales.factors, width)
        if scales.shifts is not None:
            target += scales.spread(scales.shifts, width)
    return out


def squared_steps(entry: TensorEntry, first: int, last: int) -> float:
    """Σ scale² over the elements of these lines: neighbouring codes lie one scale apart; see `packings.Decoder`.

    For GPTQ, which rounds weights it has moved to make up for errors of others, that is the least it can be.

    Raises:
        CheckpointError: as `decode`.
        EnvironmentFault: as `decode`.
    """
    width, total = entry.shape[-1], 0.0
    for start, end in _runs(first, last, width):
        scales = _method(entry).scales(entry, start, end)
        with np.errstate(invalid="ignore", over="ignore"):
            if scales.factors.shape == (1, 1):
                total += float(scales.factors[0, 0]) ** 2 * (end - start) * width
            else:
                total += float(np.sum(np.square(scales.factors) @ scales.counts(width)))
    return total


def _runs(first: int, last: int, width: int) -> Iterator[tuple[int, int]]:
    step = max(1, COUNTED // width)
    for start in range(first, last, step):
        yield start, min(start + step, last)


def _order(entry: TensorEntry, groups: int) -> NDArray[np.int64] | None:
    """The group of each input, None where they follow one another in equal groups."""
    if entry.packing is None or entry.packing.part("g_idx") is None:
        return None
    width = entry.shape[-1]
    order = elements(part(entry, "g_idx"), 0, width).astype(np.int64)
    if entry.packing.method == "compressed-tensors" and (order == -1).any():
        return None  # never set: the library then takes the groups as they follow
    if order.min() < 0 or order.max() >= groups:
        found = int(order.min() if order.min() < 0 else order.max())
        raise CheckpointError(f"an input belongs to group {found} of {groups}", where=place(part(entry, "g_idx")))
    even = width % groups == 0 and bool(np.array_equal(order, np.arange(width) // (width // groups)))
    return None if even else order


def _size(entry: TensorEntry, groups: int) -> int:
    """Inputs of a group: what was declared, or equal parts where the groups of all inputs are listed."""
    return number(entry, "size") or -(-entry.shape[-1] // groups)


def _gptq_codes(entry: TensorEntry, first: int, last: int) -> NDArray[np.uint8]:
    words = np.ascontiguousarray(columns(entry, "qweight", first, last).T)
    return codes(words.view(np.uint8), number(entry, "bits"), entry.shape[-1])


def _gptq_scales(entry: TensorEntry, first: int, last: int) -> _Scales:
    bits = number(entry, "bits")
    factors = numbers(columns(entry, "scales", first, last)).T
    start = first * bits // WORD if bits != 3 else first // WORD * bits
    end = -(-last * bits // WORD) if bits != 3 else min(-(-last // WORD) * bits, part(entry, "qzeros").shape[1])
    words = np.ascontiguousarray(columns(entry, "qzeros", start, end)).view(np.uint32)
    added = number(entry, "added")
    if bits != 3:
        words = words + np.uint32(added * (0xFFFF_FFFF // ((1 << bits) - 1)))
    skipped = start * WORD // bits
    zeros = codes(np.ascontiguousarray(words).view(np.uint8), bits, last - skipped)[:, first - skipped :]
    if bits == 3:
        zeros = (zeros + np.uint8(added)) & np.uint8(7)
    order = _order(entry, factors.shape[1])
    return _Scales(factors, numbers(zeros).T, None, _size(entry, factors.shape[1]), order)


def _awq_outputs(entry: TensorEntry, role: str, first: int, last: int) -> NDArray[np.uint8]:
    """Codes of outputs first … last − 1 as (last − first, rows) of words that are packed along the outputs."""
    start = first // 8
    words = np.ascontiguousarray(columns(entry, role, start, -(-last // 8)).T).view(np.uint32)
    found = np.empty((words.shape[0], 8, words.shape[1]), dtype=np.uint8)
    for output, at in enumerate(AWQ_PLACES):
        found[:, output, :] = (words >> np.uint32(4 * at)) & np.uint32(15)
    return found.reshape(-1, words.shape[1])[first - 8 * start : last - 8 * start]


def _awq_codes(entry: TensorEntry, first: int, last: int) -> NDArray[np.uint8]:
    return _awq_outputs(entry, "qweight", first, last)


def _awq_scales(entry: TensorEntry, first: int, last: int) -> _Scales:
    factors = numbers(columns(entry, "scales", first, last)).T
    zeros = numbers(_awq_outputs(entry, "qzeros", first, last))
    return _Scales(factors, zeros, None, _size(entry, factors.shape[1]), None)


def _word_codes(entry: TensorEntry, first: int, last: int) -> NDArray[np.uint8]:
    """Codes of words or bytes that are packed along the inputs."""
    stored = lines(part(entry, "codes"), first, last)
    return codes(stored.view(np.uint8), number(entry, "bits"), entry.shape[-1])


def _signed_codes(entry: TensorEntry, first: int, last: int) -> NDArray[np.int8]:
    return lines(part(entry, "codes"), first, last)


def _factors(entry: TensorEntry, role: str, first: int, last: int) -> Matrix:
    """Factors of lines, (k, groups), or (1, 1) where one serves the whole tensor."""
    stored = part(entry, role)
    if stored.parameters == 1:
        return numbers(elements(stored, 0, 1)).reshape(1, 1)
    each = stored.parameters // lines_of(entry)
    return numbers(elements(stored, first * each, last * each)).reshape(last - first, each)


def _compressed_scales(entry: TensorEntry, first: int, last: int) -> _Scales:
    """Codes have 2^(bits − 1) added, which is taken off with the zero; so have packed zeros."""
    bits = number(entry, "bits")
    offset = float(1 << (bits - 1))
    factors = _factors(entry, "scales", first, last)
    zeros = np.full((1, 1), offset)
    stored = None if entry.packing is None else entry.packing.part("zeros")
    if stored is not None and stored.dtype == "I8":
        zeros = _factors(entry, "zeros", first, last) + offset
    elif stored is not None:
        start = first * bits // WORD
        words = lines(stored, start, -(-last * bits // WORD))
        skipped = start * WORD // bits
        packed = codes(np.ascontiguousarray(words.T).view(np.uint8), bits, last - skipped)
        zeros = numbers(packed[:, first - skipped :]).T
    return _Scales(factors, zeros, None, number(entry, "size"), _order(entry, factors.shape[1]))


def _signed_scales(entry: TensorEntry, first: int, last: int) -> _Scales:
    stored = None if entry.packing is None else entry.packing.part("zeros")
    zeros = None if stored is None else _factors(entry, "zeros", first, last)
    return _Scales(_factors(entry, "scales", first, last), zeros, None, number(entry, "size"), None)


def _row_scales(entry: TensorEntry, first: int, last: int) -> _Scales:
    largest = numbers(elements(part(entry, "scales"), first, last)).reshape(-1, 1)
    return _Scales(largest / INT8_RANGE, None, None, number(entry, "size"), None)


def _mlx_scales(entry: TensorEntry, first: int, last: int) -> _Scales:
    shifts = _factors(entry, "biases", first, last)
    return _Scales(_factors(entry, "scales", first, last), None, shifts, number(entry, "size"), None)


@dataclass(frozen=True, slots=True)
class _Method:
    """How one method stores its codes and its scales."""

    codes: Callable[[TensorEntry, int, int], NDArray[np.uint8] | NDArray[np.int8]]
    scales: Callable[[TensorEntry, int, int], _Scales]


_METHODS = {
    "gptq": _Method(_gptq_codes, _gptq_scales),
    "awq": _Method(_awq_codes, _awq_scales),
    "compressed-tensors": _Method(_word_codes, _compressed_scales),
    "int8": _Method(_signed_codes, _signed_scales),
    "bitsandbytes-8bit": _Method(_signed_codes, _row_scales),
    "mlx": _Method(_word_codes, _mlx_scales),
}


def _method(entry: TensorEntry) -> _Method:
    return _METHODS[entry.packing.method if entry.packing is not None else ""]
