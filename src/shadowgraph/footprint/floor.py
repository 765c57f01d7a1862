"""The storage floor: how much of a difference is rounding of the files it was taken from.

Here lives: the variance of the rounding error, from the stored values.
Not here: the correction of a measure (see `measures.null`), the check that refuses (see `audit`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.weights.tensor import ELEMENT_TYPES


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
    element = ELEMENT_TYPES[dtype]
    if values.size == 0:
        return 0.0
    # frexp: |w| = f 2^x with f in [1/2, 1), hence ⌊log2 |w|⌋ = x − 1; a zero lies on the finest step.
    exponents = np.maximum(np.frexp(values)[1] - 1, element.smallest_exponent)
    exponents[values == 0.0] = element.smallest_exponent
    counts = np.bincount(exponents.ravel() - element.smallest_exponent)
    steps = np.ldexp(1.0, np.arange(counts.size) + (element.smallest_exponent - element.precision + 1))
    return float(np.sum(counts * steps**2)) / (12.0 * values.size)
