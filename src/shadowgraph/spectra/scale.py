"""The power of two that every method divides by first.

Here lives: the scale. Not here: any decomposition, the pass over a matrix (`source`).

Legend: `m n` rows and columns.
"""

import math

import numpy as np
from jaxtyping import Float64


def power_of_two(matrix: Float64[np.ndarray, "m n"]) -> float:
    """A power of two that brings the largest entry into [.5, 1) when divided by; 0 for the zero matrix.

    Division by it is exact, so scaled and unscaled spectra agree bit for bit inside the float range.
    An entry of 2¹⁰²³ or more comes into [1, 2) instead, as 2¹⁰²⁴ is no float.

    Args:
        matrix: (m, n), not empty.

    Returns:
        The scale, 2⁻¹⁰⁷³ … 2¹⁰²³, unit of the entries; 0 for the zero matrix, NaN when an entry is not finite.
    """
    largest = max(float(matrix.max()), -float(matrix.min()))
    if not math.isfinite(largest):
        return math.nan
    return math.ldexp(1.0, min(math.frexp(largest)[1], 1023)) if largest > 0 else 0.0
