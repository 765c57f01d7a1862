"""How large an update is, and how much of the matrix it left alone.

Here live: sizes, as norms and shares of entries. Not here: how the energy is spread (`rank`, `mass`).

Legend: `m n` rows and columns; D = W1 − W0 the update, subtracted in float64.
"""

import math

import numpy as np
from jaxtyping import Float

from shadowgraph.errors import Defect
from shadowgraph.measures.spectrum import Reading, Spectrum, obstacle


def relative_norm(update_norm: float, base_norm: float) -> Reading:
    """Relative update norm ρ = ‖D‖_F / ‖W0‖_F.

    Args:
        update_norm: ‖D‖_F, 0 or more.
        base_norm: ‖W0‖_F, 0 or more.

    Returns:
        ρ ≥ 0 (0 when nothing changed); about √2 when W0 and W1 are unrelated; "no_base" when W0 is zero.

    Raises:
        Defect: a norm that is negative or not finite.
    """
    if not (math.isfinite(update_norm) and math.isfinite(base_norm)) or min(update_norm, base_norm) < 0:
        raise Defect(f"norms {update_norm} and {base_norm} are not both finite and non-negative", where="relative_norm")
    return Reading(None, "no_base") if base_norm == 0 else Reading(update_norm / base_norm)


def zero_fraction(update: Float[np.ndarray, "m n"], tolerance: float = 0.0) -> Reading:
    """Share of entries of the update with |D_ij| ≤ tolerance.

    Misleads on 16-bit checkpoints: changes below half a unit in the last place vanish in storage.

    Args:
        update: D (m, n).
        tolerance: largest size still called zero, unit of the entries.

    Returns:
        0 … 1.

    Raises:
        Defect: an empty matrix, a negative tolerance, or an entry that is not a number.
    """
    if update.size == 0 or tolerance < 0 or bool(np.isnan(update).any()):
        raise Defect("an empty matrix, a negative tolerance or an entry that is no number", where="zero_fraction")
    return Reading(float(np.count_nonzero(np.abs(update) <= tolerance)) / update.size)


def log_spectral_norm(spectrum: Spectrum) -> Reading:
    """Natural logarithm of the largest singular value, ln s1; carries the scale of the matrix.

    Args:
        spectrum: spectrum of an m × n matrix with the largest value kept.

    Returns:
        ln s1, any real number; "no_change" for the zero matrix.

    Source:
        Martin and Mahoney, Predicting trends in the quality of neural networks (2021), "log spectral norm"; theirs is
        log10 of s1², which is 2/ln 10 times this one.
    """
    if (missing := obstacle(spectrum, needs_all=False)) is not None:
        return missing
    return Reading(math.log(float(spectrum.values[0])))
