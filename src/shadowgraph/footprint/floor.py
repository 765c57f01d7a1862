"""The storage floor: how much of a difference is rounding of the files it was taken from.

Here lives: the variance of the rounding error, from the stored values or from the grid of a quantised type.
Not here: the correction of a measure (see `measures.null`), the check that refuses (see `audit`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import Defect
from shadowgraph.weights.matrix import WeightMatrix, stored_lines
from shadowgraph.weights.readers.packings import decoder
from shadowgraph.weights.tensor import ELEMENT_TYPES

MANY_RUNS = 16
_EXPONENT = np.uint64(0x7FF0_0000_0000_0000)


def rounding_variance(values: NDArray[np.float64], dtype: str) -> float:
    """Mean variance of the rounding error of the entries of a stored matrix.

    An entry w stored with p significand bits lies on a grid of step u(w) = 2^(max(⌊log2 |w|⌋, e) − p + 1), e the
    exponent of the smallest normal number. Rounding to the nearest leaves an error uniform in ±u/2, of variance
    u²/12; returned is the mean of u(w)²/12 over the entries. For a difference W1 − W0 add the variances of both
    sides. That sum is an upper estimate: where the base is itself the starting point, as stored, only the second
    rounding is noise; and a change far below the step is lost rather than blurred.

    Args:
        values: (m, n) as read, finite.
        dtype: "F64", "F32", "F16" or "BF16".

    Returns:
        Variance in squared units of the entries, 0 for an empty matrix.

    Source:
        Widrow and Kollár, Quantization Noise (2008), chapter 12 (floating-point rounding as uniform noise).
    """
    if values.size == 0:
        return 0.0
    flat = np.ascontiguousarray(values).reshape(-1)
    return step_energy(floor_power(flat, np.empty_like(flat)), dtype) / (12.0 * flat.size)


def noise_variance(matrix: WeightMatrix, values: NDArray[np.float64]) -> float:
    """`rounding_variance` of a stored matrix of any type, a quantised one by the steps of its own grid.

    Args:
        matrix: where it is stored.
        values: (m, n) as read from it.

    Returns:
        Variance in squared units of the entries.

    Raises:
        CheckpointError: a file changed since its header was read.
        EnvironmentFault: the device refuses.
    """
    steps = packed_steps(matrix, matrix.shape[0])
    return rounding_variance(values, matrix.dtype) if steps is None else steps / (12.0 * values.size)


def packed_steps(matrix: WeightMatrix | None, rows: int) -> float | None:
    """Sum of the squared steps of a quantised type, Σ u², over the first rows of a matrix.

    A quantised value lies on a grid of its own (scale, table of codes), which its decoder knows; rounding to the
    nearest of it leaves an error of variance u²/12 as for floating point. Where rows lie in many short runs between
    those of other parts, they take their share of all.

    Args:
        matrix: the matrix, None where there is none.
        rows: how many of its rows.

    Returns:
        The sum in squared units of the entries; None for no matrix, and for a type whose steps follow from the values.

    Raises:
        CheckpointError: a file changed since its header was read.
        EnvironmentFault: the device refuses.
    """
    if matrix is None:
        return None
    entry, piece = matrix.source, matrix.piece
    if entry.packing is None or piece is None or entry.dtype in ELEMENT_TYPES:
        return None
    steps = decoder(entry).squared_steps
    if piece.transposed:
        height = entry.shape[-2]
        start = height * (piece.expert or 0)
        return steps(entry, start, start + height) * rows / entry.shape[-1]
    runs = list(stored_lines(entry, piece, rows))
    if len(runs) <= MANY_RUNS:
        return sum(steps(entry, first, last) for first, last in runs)
    first, last = runs[0][0], runs[-1][1]
    held = sum(end - start for start, end in runs)
    return steps(entry, first, last) * held / (last - first)


def floor_power(values: NDArray[np.float64], out: NDArray[np.float64]) -> NDArray[np.float64]:
    """2^⌊log2 |w|⌋ of every entry, 0 for a zero: the significand bits are masked out.

    Args:
        values: contiguous array (count,); an entry below the smallest normal float64 gives 0.
        out: where the powers go, (count,).

    Returns:
        The array `out`.
    """
    np.bitwise_and(values.view(np.uint64), _EXPONENT, out=out.view(np.uint64))
    return out


def step_energy(powers: NDArray[np.float64], dtype: str) -> float:
    """Sum of the squared grid steps, Σ u(w)² with u(w) = max(2^⌊log2 |w|⌋, 2^e) · 2^(1 − p).

    Args:
        powers: (count,) of `floor_power`; overwritten.
        dtype: stored element type, a key of `ELEMENT_TYPES` that holds numbers.

    Returns:
        The sum, in squared units of the entries.

    Raises:
        Defect: a packed type, whose steps do not follow from its values.
    """
    element = ELEMENT_TYPES.get(dtype)
    if element is None:
        raise Defect(f"the steps of the packed type '{dtype}' follow from its packing", where="step_energy")
    steps = np.maximum(powers, 2.0**element.smallest_exponent, out=powers)
    return float(np.dot(steps, steps)) * 4.0 ** (1 - element.precision)
