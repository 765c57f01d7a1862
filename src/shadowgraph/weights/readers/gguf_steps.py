"""Quantisation steps of GGUF blocks: how far apart the values lie that an element could have had.

Here lives: `block_steps`, the sum of squared steps of blocks, from their scales alone.
Not here: values (see `gguf_values`), the variance made of it (see `footprint.floor`).

A value was rounded to the nearest of its block, with an error uniform in half a step to either side: variance step²/12.
How the step is found, by the kind of a type:

- *Even* types (Q4_0 … Q8_0, the K types, TQ1_0, TQ2_0): values are s · q + m with integers q; the step is |s|, exact.
- *Scalar codebooks* (IQ4_NL, IQ4_XS, MXFP4, NVFP4): values are s times a fixed list. An element between neighbours at
  distances g and h was rounded from a cell of (g + h)/2; the variance over it is that of an even step of
  √((g³ + h³)/(g + h)). At the ends of the list both are the one distance there is.
- *Vector codebooks* (IQ1, IQ2, IQ3): runs of 8 or 4 elements are one of N listed vectors, which are far fewer than
  their levels allow; the distance between levels understates the error, by 2.5 times in the variance for IQ3_XXS. The
  step is that of an even grid of as many points in the same range, s · R / N^(1/n): R from the lowest to the highest
  level and half a gap beyond. An upper estimate: on normal values rounded to the nearest listed vector it gave 1.1 to
  1.7 times the variance that occurred.

Where a block's scale is zero all its values are one, and what was lost is not known: its step counts as 0. Scales that
are not finite count as 0 too; such a matrix is never decomposed.

Source: ggml-quants.c and ggml-common.h of https://github.com/ggml-org/ggml for the layouts; Gersho and Gray, Vector
Quantization and Signal Compression (1992), chapters 5 and 10 for the error of cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from shadowgraph.weights.readers.gguf_types import BlockType
from shadowgraph.weights.tensor import ELEMENT_TYPES

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]


def block_steps(raw: Bytes, kind: BlockType) -> float:
    """Sum of the squared steps of all elements of whole blocks.

    Args:
        raw: contiguous bytes of whole blocks.
        kind: their type, one that is decoded.

    Returns:
        Sum in squared units of the elements; finite and not negative.
    """
    blocks = raw.reshape(-1, kind.size)
    with np.errstate(all="ignore"):
        squares = _SQUARES[kind.name](blocks)
    return float(squares[np.isfinite(squares)].sum())


def plain_steps(values: Floats, dtype: str) -> float:
    """The same for floating-point elements: the distance of a value to the next of its type, squared and summed."""
    element = ELEMENT_TYPES[dtype]
    finite = values[np.isfinite(values)]
    smallest = element.smallest_exponent
    exponents = np.where(finite == 0.0, smallest, np.maximum(np.frexp(finite)[1] - 1, smallest))
    steps = np.ldexp(1.0, exponents + 1 - element.precision)
    return float(np.dot(steps, steps))


def _half(blocks: Bytes, at: int) -> Floats:
    """A 16-bit float of each block (count, 1)."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view(np.float16).astype(np.float64)


def _words(blocks: Bytes, at: int, count: int, kind: type[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    """Unsigned numbers of each block (count of blocks, count)."""
    size = np.dtype(kind).itemsize * count
    return np.ascontiguousarray(blocks[:, at : at + size]).view(kind)


def _nibbles(part: Bytes) -> Bytes:
    """Low and high halves of bytes (count, 2 · width); their order among each other is no matter in a sum."""
    return np.concatenate([part & np.uint8(15), part >> np.uint8(4)], axis=1)


def _even(blocks: Bytes, at: int) -> Floats:
    """One scale a block of 32."""
    return 32.0 * _half(blocks, at) ** 2


def _ternary(blocks: Bytes, at: int) -> Floats:
    return 256.0 * _half(blocks, at) ** 2


def _two_bits(blocks: Bytes) -> Floats:
    """Q2_K: 16 runs, four bits of scale each."""
    return 16.0 * (_half(blocks, 80) * (blocks[:, :16] & 15)) ** 2


def _three_bits(blocks: Bytes) -> Floats:
    """Q3_K: 16 runs, six bits of scale each in two places, less 32."""
    low = _nibbles(blocks[:, 96:104])
    high = np.concatenate([(blocks[:, 104:108] >> shift) & 3 for shift in (0, 2, 4, 6)], axis=1)
    scales = (low | (high << 4)).astype(np.float64) - 32.0
    return 16.0 * (_half(blocks, 108) * scales) ** 2


def _four_bits(blocks: Bytes) -> Floats:
    """Q4_K and Q5_K: 8 runs of 32, six bits of scale each, the last four of them in two places."""
    first, upper = blocks[:, 4:8], blocks[:, 12:16]
    scales = np.concatenate([first & 63, (upper & 15) | ((first >> 2) & 48)], axis=1)
    return 32.0 * (_half(blocks, 0) * scales) ** 2


def _six_bits(blocks: Bytes) -> Floats:
    """Q6_K: 16 runs, eight signed bits of scale each."""
    return 16.0 * (_half(blocks, 208) * blocks[:, 192:208].view(np.int8)) ** 2


def _cells(levels: tuple[int, ...]) -> Floats:
    """Squared step of an element by its code: that of the cell about its level."""
    order = np.unique(np.array(levels, dtype=np.float64))
    gaps = np.diff(order)
    below, above = np.concatenate([gaps[:1], gaps]), np.concatenate([gaps, gaps[-1:]])
    squares = (below**3 + above**3) / (below + above)
    return squares[np.searchsorted(order, np.array(levels, dtype=np.float64))]


_NONLINEAR = _cells((-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113))
_FOUR_BIT_FLOATS = _cells((0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12))


def _coded(codes: Bytes, cells: Floats, runs: int) -> Floats:
    """Sums of the squared steps of the two elements of each byte, by run (count, runs)."""
    both = (cells[:, np.newaxis] + cells[np.newaxis, :]).reshape(-1)
    return both[codes].reshape(codes.shape[0], runs, -1).sum(axis=2)


def _small_nonlinear(blocks: Bytes) -> Floats:
    """IQ4_NL: one scale a block."""
    return _half(blocks, 0) ** 2 * _coded(blocks[:, 2:], _NONLINEAR, 1)


def _nonlinear(blocks: Bytes) -> Floats:
    """IQ4_XS: 8 runs of 32, six bits of scale each in two places, less 32."""
    high = (_words(blocks, 2, 1, np.uint16) >> np.arange(0, 16, 2, dtype=np.uint16)) & 3
    low = np.stack([blocks[:, 4:8] & 15, blocks[:, 4:8] >> 4], axis=2).reshape(-1, 8)
    scales = (low | (high << 4)).astype(np.float64) - 32.0
    return (_half(blocks, 0) * scales) ** 2 * _coded(blocks[:, 8:], _NONLINEAR, 8)


def _microscaled(blocks: Bytes) -> Floats:
    """MXFP4: a power of two for 32; the listed values are doubled."""
    return np.ldexp(1.0, 2 * (blocks[:, :1].astype(np.intc) - 128)) * _coded(blocks[:, 1:], _FOUR_BIT_FLOATS, 1)


def _scaled_fours(blocks: Bytes) -> Floats:
    """NVFP4: four runs of 16, each with an 8-bit float without sign; the listed values are doubled."""
    exponents, parts = (blocks[:, :4] >> 3).astype(np.intc) & 15, (blocks[:, :4] & 7).astype(np.float64)
    scales = np.where(exponents == 0, np.ldexp(parts, -10), np.ldexp(1.0 + parts / 8.0, exponents - 8))
    scales[blocks[:, :4] == 0x7F] = 0.0
    return scales**2 * _coded(blocks[:, 4:], _FOUR_BIT_FLOATS, 4)


def _even_grid(span: float, bits: float) -> float:
    """Squared step of an even grid: `span` in units of the scale, `bits` to choose an element among listed vectors."""
    return (span / 2.0**bits) ** 2


# Range of the levels with half a gap beyond; bits of a choice, of which 8 or 4 elements share those of list and signs.
_GRID = {
    "IQ1_S": _even_grid(3.25, 11 / 8),
    "IQ1_M": _even_grid(3.25, 11 / 8),
    "IQ2_XXS": _even_grid(104.0, 8 / 8 + 7 / 8),
    "IQ2_XS": _even_grid(104.0, 9 / 8 + 7 / 8),
    "IQ2_S": _even_grid(104.0, 10 / 8 + 1),
    "IQ3_XXS": _even_grid(134.0, 8 / 4 + 7 / 8),
    "IQ3_S": _even_grid(32.0, 9 / 4 + 1),
}


def _listed_high(name: str, at: int, share: float) -> Callable[[Bytes], Floats]:
    """IQ2_XXS, IQ3_XXS: 8 runs of 32, four bits of scale each at the top of their signs."""
    every, first = (2, 1) if name == "IQ2_XXS" else (1, 0)

    def squares(blocks: Bytes) -> Floats:
        scales = (_words(blocks, at, 8 * every, np.uint32)[:, first::every] >> 28).astype(np.float64)
        return 32.0 * _GRID[name] * (_half(blocks, 0) * (0.5 + scales) * share) ** 2

    return squares


def _listed_low(name: str, at: int) -> Callable[[Bytes], Floats]:
    """IQ2_XS, IQ2_S, IQ3_S: four bits of scale for each run, in bytes of their own."""

    def squares(blocks: Bytes) -> Floats:
        scales = _nibbles(blocks[:, at:]).astype(np.float64)
        factors = 1.0 + 2.0 * scales if name == "IQ3_S" else 0.25 * (0.5 + scales)
        return 256.0 / scales.shape[1] * _GRID[name] * (_half(blocks, 0) * factors) ** 2

    return squares


def _one_bit(blocks: Bytes) -> Floats:
    """IQ1_S: 8 runs of 32, three bits of scale each."""
    scales = 2.0 * ((_words(blocks, 34, 8, np.uint16) >> 12) & 7).astype(np.float64) + 1.0
    return 32.0 * _GRID["IQ1_S"] * (_half(blocks, 0) * scales) ** 2


def _one_bit_mixed(blocks: Bytes) -> Floats:
    """IQ1_M: 16 runs, three bits of scale each; the common scale is spread over the top bits of four words."""
    words = _words(blocks, 48, 4, np.uint16)
    top = words >> 12
    bits = (top[:, 0] | (top[:, 1] << 4) | (top[:, 2] << 8) | (top[:, 3] << 12)).astype(np.uint16)
    common = bits.view(np.float16).astype(np.float64)[:, np.newaxis]
    scales = np.concatenate([(words >> shift) & 7 for shift in (0, 3, 6, 9)], axis=1).astype(np.float64)
    return 16.0 * _GRID["IQ1_M"] * (common * (2.0 * scales + 1.0)) ** 2


_SQUARES: Mapping[str, Callable[[Bytes], Floats]] = {
    **dict.fromkeys(("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"), lambda blocks: _even(blocks, 0)),
    "Q2_K": _two_bits,
    "Q3_K": _three_bits,
    "Q4_K": _four_bits,
    "Q5_K": _four_bits,
    "Q6_K": _six_bits,
    "TQ1_0": lambda blocks: _ternary(blocks, 52),
    "TQ2_0": lambda blocks: _ternary(blocks, 64),
    "IQ4_NL": _small_nonlinear,
    "IQ4_XS": _nonlinear,
    "MXFP4": _microscaled,
    "NVFP4": _scaled_fours,
    "IQ2_XXS": _listed_high("IQ2_XXS", 2, 0.25),
    "IQ3_XXS": _listed_high("IQ3_XXS", 66, 0.5),
    "IQ2_XS": _listed_low("IQ2_XS", 66),
    "IQ2_S": _listed_low("IQ2_S", 74),
    "IQ3_S": _listed_low("IQ3_S", 106),
    "IQ1_S": _one_bit,
    "IQ1_M": _one_bit_mixed,
}
