"""The storage floor: how much of a difference is rounding of the files it was taken from.

Here lives: the variance of the rounding error, from the stored values.
Not here: the correction of a measure (see `measures.null`), the check that refuses (see `audit`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.weights.tensor import ELEMENT_TYPES

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
    """
    element = ELEMENT_TYPES[dtype]
    steps = np.maximum(powers, 2.0**element.smallest_exponent, out=powers)
    return float(np.dot(steps, steps)) * 4.0 ** (1 - element.precision)
