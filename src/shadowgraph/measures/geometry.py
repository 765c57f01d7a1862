"""How large an update is, how it lies to its base as a whole, and how much of the matrix it left alone.

Here live: sizes, as norms, angles and shares of entries. Not here: how the energy is spread (`rank`, `mass`), leading
directions (`subspace`).

Legend: `m n` rows and columns; D = W1 − W0 the update, subtracted in float64.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from shadowgraph.errors import Defect
from shadowgraph.measures.spectrum import Reading, Spectrum, obstacle

_ROUNDING = 1e-9


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


def zero_fractions(update: Float[np.ndarray, "m n"], tolerances: Sequence[float]) -> tuple[Reading, ...]:
    """`zero_fraction` at several tolerances, with one pass over the sizes.

    Args:
        update: D (m, n).
        tolerances: largest sizes still called zero, unit of the entries.

    Returns:
        One share a tolerance, 0 … 1, rising with the tolerance.

    Raises:
        Defect: an empty matrix, a negative tolerance, or an entry that is not a number.
    """
    sizes = np.abs(update)
    return tuple(zero_fraction(sizes, tolerance) for tolerance in tolerances)


def cosine(inner: float, first_energy: float, second_energy: float) -> Reading:
    """Cosine of the angle between two matrices taken as long vectors, ⟨A, B⟩ / (‖A‖_F ‖B‖_F).

    Args:
        inner: Σ_ij a_ij b_ij.
        first_energy: ‖A‖_F², 0 or more.
        second_energy: ‖B‖_F², 0 or more.

    Returns:
        −1 … 1; noise reads 0 with a spread of 1/√(mn); "no_base" where one of them is zero.

    Raises:
        Defect: a number that is not finite, a negative energy, or a product that no such matrices have.
    """
    if not all(math.isfinite(each) for each in (inner, first_energy, second_energy)):
        raise Defect("an inner product or energy is not finite", where="cosine")
    if min(first_energy, second_energy) < 0:
        raise Defect("an energy is negative", where="cosine")
    if min(first_energy, second_energy) == 0:
        return Reading(None, "no_base")
    ratio = inner / math.sqrt(first_energy) / math.sqrt(second_energy)
    if not abs(ratio) <= 1.0 + _ROUNDING:
        raise Defect(f"a cosine of {ratio}", where="cosine")
    return Reading(min(1.0, max(-1.0, ratio)))


def radial_share(inner: float, base_energy: float, update_energy: float) -> Reading:
    """Share of the update's energy along the base itself, ⟨D, W0⟩² / (‖W0‖_F² ‖D‖_F²).

    It is what D − (⟨D, W0⟩/‖W0‖²) W0 leaves out: growth or decay of the weights as a whole.

    Args:
        inner: ⟨D, W0⟩ = Σ_ij d_ij w_ij.
        base_energy: ‖W0‖_F², 0 or more.
        update_energy: ‖D‖_F², 0 or more.

    Returns:
        0 … 1; noise reads 1/(mn); "no_change" for a zero update, "no_base" for a zero base.

    Raises:
        Defect: as `cosine`.
    """
    angle = cosine(inner, base_energy, update_energy)
    if update_energy == 0:
        return Reading(None, "no_change")
    return angle if angle.value is None else Reading(angle.value**2)


def spectral_drift(before: Spectrum, after: Spectrum) -> Reading:
    """How far the singular values moved, ‖s(W1) − s(W0)‖₂ / ‖s(W0)‖₂.

    At most the relative norm of the update (Mirsky 1960): a pure rotation of the singular vectors drifts by 0.

    Args:
        before: complete spectrum of W0.
        after: complete spectrum of W1, of the same shape.

    Returns:
        0 … ∞; "no_base" for a zero base; "incomplete_spectrum".

    Raises:
        Defect: spectra of different shapes.

    Source:
        Zhu et al., The path not taken: RLVR provably learns off the principals (2025), for the concept.
    """
    if before.shape != after.shape:
        raise Defect(f"spectra of shapes {before.shape} and {after.shape}", where="spectral_drift")
    if not (before.complete and after.complete):
        return Reading(None, "incomplete_spectrum")
    if before.zero:
        return Reading(None, "no_base")
    top = float(before.values[0])
    moved = float(np.linalg.norm(after.values / top - before.values / top))
    return Reading(moved / float(np.linalg.norm(before.values / top)))


def variance_of_change(update_variance: float, base_variance: float) -> Reading:
    """Variance of the entries of the update over that of the base, Var(D_ij) / Var(W0_ij), over one matrix.

    This is our reading of the term "variance of change" in the study of benchmark shadows (arXiv 2604.07363), whose
    own definition we have not seen.

    Args:
        update_variance: variance of the entries of D, 0 or more.
        base_variance: variance of the entries of W0, 0 or more.

    Returns:
        0 … ∞; "no_base" where the base does not vary.

    Raises:
        Defect: a variance that is negative or not finite.
    """
    return relative_norm(update_variance, base_variance)


def row_share(energies: Float[np.ndarray, " rows"]) -> Reading:
    """Largest share of the update's energy in one row (or column), max_i e_i / Σ e_i.

    A rare token or an adaptive optimiser can put much of an update into one row, which looks like rank 1.

    Args:
        energies: Σ_j d_ij² of every row, or Σ_i d_ij² of every column; 0 or more.

    Returns:
        1/rows … 1; "no_change" where all are zero.

    Raises:
        Defect: no energies, or one that is negative or not finite.
    """
    if energies.size == 0 or not np.isfinite(energies).all() or bool((energies < 0).any()):
        raise Defect("no energies, or one that is negative or not finite", where="row_share")
    top = float(energies.max())
    return Reading(None, "no_change") if top == 0 else Reading(1.0 / float(np.sum(energies / top)))


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


def log_frobenius_norm(spectrum: Spectrum) -> Reading:
    """Natural logarithm of the Frobenius norm, ln ‖A‖_F; carries the scale of the matrix.

    Args:
        spectrum: spectrum of an m × n matrix; the largest value and the exact energy suffice.

    Returns:
        ln ‖A‖_F, any real number; "no_change" for the zero matrix.

    Source:
        Martin and Mahoney (2021), "log Frobenius norm"; theirs is log10 of ‖A‖_F², which is 2/ln 10 times this one.
    """
    if (missing := obstacle(spectrum, needs_all=False)) is not None:
        return missing
    top = float(spectrum.values[0])
    relative = float(np.sum(np.square(spectrum.values / top))) if spectrum.complete else spectrum.energy / top / top
    return Reading(math.log(top) + 0.5 * math.log(max(relative, 1.0)))
