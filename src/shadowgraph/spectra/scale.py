"""What every method does first: refuse what is no matrix, find the scale, sum the energy.

Here live: the entry check, the power-of-two scale and the exact energy. Not here: any decomposition.

Legend: `m n` rows and columns.
"""

import math

import numpy as np
from jaxtyping import Float, Float64

from shadowgraph.errors import DataError, Defect


def float64_matrix(matrix: Float[np.ndarray, "m n"]) -> Float64[np.ndarray, "m n"]:
    """Upcast to float64 without a copy where none is needed, and check the entries.

    Args:
        matrix: (m, n), any floating type.

    Returns:
        The same numbers in float64.

    Raises:
        Defect: an empty matrix or an entry that is not finite; callers reject those with the tensor's name.
    """
    full = np.asarray(matrix, dtype=np.float64)
    if full.size == 0:
        raise Defect(f"an empty matrix of shape {full.shape} has no spectrum", where="spectra")
    if not np.isfinite(full).all():
        raise Defect("a matrix with entries that are not finite has no spectrum", where="spectra")
    return full


def power_of_two(matrix: Float64[np.ndarray, "m n"]) -> float:
    """A power of two that brings the largest entry into [.5, 1) when divided by; 0 for the zero matrix.

    Division by it is exact, so scaled and unscaled spectra agree bit for bit inside the float range.
    An entry of 2¹⁰²³ or more comes into [1, 2) instead, as 2¹⁰²⁴ is no float.

    Args:
        matrix: (m, n), not empty, finite.

    Returns:
        The scale, 2⁻¹⁰⁷³ … 2¹⁰²³, unit of the entries; 0 for the zero matrix.
    """
    largest = max(float(matrix.max()), -float(matrix.min()))
    return math.ldexp(1.0, min(math.frexp(largest)[1], 1023)) if largest > 0 else 0.0


def rescaled_energy(matrix: Float64[np.ndarray, "m n"], scale: float) -> float:
    """Squared Frobenius norm of scale · matrix, from the entries.

    Args:
        matrix: (m, n), already divided by `scale`.
        scale: the power of two from `power_of_two`.

    Returns:
        ‖scale · A‖_F², correct to a few units in the last place times √(mn).

    Raises:
        DataError: the energy exceeds the float64 range.
    """
    energy = float(np.einsum("ij,ij->i", matrix, matrix).sum()) * scale * scale
    if not math.isfinite(energy):
        raise DataError("the squared Frobenius norm exceeds the float64 range", hint="the weights are not usable")
    return energy
