"""Spectra of products that are never formed: adapters, heads, and differences of them.

Here live: the spectrum of left · right, its leading vectors, and the spectrum of left · right − left₀ · right₀.
Not here: where factors come from (`weights`, `footprint.heads`).

Legend: `m n` rows and columns of the product, `r q` inner sizes of the two products.
"""

import numpy as np
from jaxtyping import Float, Float64

from shadowgraph.errors import DataError, Defect
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.spectra.exact import zero_spectrum
from shadowgraph.spectra.failure import DecompositionFailure, singular_values
from shadowgraph.spectra.leading import Leading
from shadowgraph.spectra.scale import power_of_two
from shadowgraph.spectra.source import Scaler


def factored_spectrum(left: Float[np.ndarray, "m r"], right: Float[np.ndarray, "r n"], scale: float = 1.0) -> Spectrum:
    """Singular values of scale · left · right from an r × r core: 2 (m + n) r² operations in place of m n r + m n².

    left = Q₁ R₁ and rightᵀ = Q₂ R₂ have orthonormal Q, so the product has the singular values of R₁ R₂ᵀ and
    min(m, n) − r zeros, which are exact and are kept: the spectrum is complete.

    Args:
        left: (m, r), any floating type.
        right: (r, n).
        scale: a factor, for example α/r of an adapter.

    Returns:
        Complete spectrum, method "factored" ("zero" where the product vanishes); error bound
        (m + n + 2r) ε ‖left‖_F ‖right‖_F, which is small beside s1 unless the factors cancel.

    Raises:
        Defect: an empty factor, inner sizes that differ, an entry that is not finite.
        DataError: the energy exceeds the float64 range.
        DecompositionFailure: LAPACK did not converge.

    Source:
        Golub and Van Loan, Matrix Computations (2013), section 5.4.6, the R-bidiagonalisation applied to both sides.
    """
    (m, r), (inner, n) = left.shape, right.shape
    if inner != r or min(m, n, r) < 1:
        raise Defect(f"factors {left.shape} and {right.shape} have no product", where="spectra.factored")
    if not np.isfinite(scale):
        raise Defect(f"a factor of {scale} has no spectrum", where="spectra.factored")
    first, second = _triangle(left), _triangle(right.T)
    if first is None or second is None or scale == 0.0:
        return zero_spectrum((m, n))
    core = first[0] @ second[0].T
    scaler = Scaler()
    scaled, _ = scaler.take(core)
    if scaled is None:
        return zero_spectrum((m, n))
    unit = _product(_product(scaler.scale, first[1]), second[1])
    unit = _product(unit, abs(scale))
    values = np.zeros(min(m, n))
    found = singular_values(scaled)[: values.size]
    values[: found.size] = found * unit
    energy = _product(_product(scaler.scaled_energy, unit), unit)
    norms = float(np.linalg.norm(first[0])) * float(np.linalg.norm(second[0])) / scaler.scale
    bound = (m + n + 2 * r) * float(np.finfo(np.float64).eps) * norms * unit
    return Spectrum(values, (m, n), energy, "factored", bound)


def factored_leading(
    left: Float64[np.ndarray, "m r"], right: Float64[np.ndarray, "r n"], k: int, scale: float = 1.0
) -> Leading:
    """The largest singular values of scale · left · right with their vectors, from the same core.

    Args:
        left: (m, r), finite.
        right: (r, n), finite.
        k: how many; a product has no more than min(m, n, r).
        scale: a factor.

    Returns:
        min(k, m, n, r) values and vectors, method "factored": the residual is the rounding of the decompositions.

    Raises:
        Defect: k below 1 or an empty factor.
        DataError: the energy exceeds the float64 range.
        DecompositionFailure: LAPACK did not converge.
    """
    (m, r), n = left.shape, right.shape[1]
    if min(k, m, n, r) < 1:
        raise Defect(f"k = {k} of factors {left.shape} and {right.shape}", where="spectra.factored")
    spectrum = factored_spectrum(left, right, scale)
    kept = min(k, m, n, r)
    if spectrum.zero:
        return Leading(np.zeros(kept), np.eye(m, kept), np.eye(n, kept), (m, n), 0.0, 0.0, "factored")
    (outer, first), (inner, second) = np.linalg.qr(_unit(left)), np.linalg.qr(_unit(right).T)
    try:
        turned, _, back = np.linalg.svd(first @ second.T)
    except np.linalg.LinAlgError as error:
        raise DecompositionFailure((m, n), ("gesdd",)) from error
    sign = -1.0 if scale < 0.0 else 1.0
    vectors = sign * (outer @ turned[:, :kept]), inner @ back[:kept].T
    return Leading(
        spectrum.values[:kept], vectors[0], vectors[1], (m, n), spectrum.energy, spectrum.error_bound, "factored"
    )


def factored_difference(
    left: Float[np.ndarray, "m r"],
    right: Float[np.ndarray, "r n"],
    base_left: Float[np.ndarray, "m q"],
    base_right: Float[np.ndarray, "q n"],
) -> Spectrum:
    """Singular values of left · right − base_left · base_right, from the stacked factors.

    Args:
        left: (m, r).
        right: (r, n).
        base_left: (m, q).
        base_right: (q, n).

    Returns:
        As `factored_spectrum`; "zero" where the factors are the same. Where the products nearly cancel, what remains
        below the error bound is rounding.

    Raises:
        Defect: shapes that do not fit, or what `factored_spectrum` raises.
    """
    if left.shape[0] != base_left.shape[0] or right.shape[1] != base_right.shape[1]:
        raise Defect("products of different shapes have no difference", where="spectra.factored")
    if np.array_equal(left, base_left) and np.array_equal(right, base_right):
        return zero_spectrum((left.shape[0], right.shape[1]))
    return factored_spectrum(
        np.concatenate([np.asarray(left, dtype=np.float64), np.asarray(base_left, dtype=np.float64)], axis=1),
        np.concatenate([np.asarray(right, dtype=np.float64), -np.asarray(base_right, dtype=np.float64)], axis=0),
    )


def _triangle(factor: Float[np.ndarray, "m r"]) -> tuple[Float64[np.ndarray, "k r"], float] | None:
    """R of the QR decomposition of a scaled factor, and the scale; None for the zero factor."""
    scaler = Scaler()
    scaled, _ = scaler.take(np.asarray(factor, dtype=np.float64))
    return None if scaled is None else (np.asarray(np.linalg.qr(scaled, mode="r")), scaler.scale)


def _unit(factor: Float64[np.ndarray, "m r"]) -> Float64[np.ndarray, "m r"]:
    """A factor that is not zero, divided by a power of two near its largest entry."""
    return np.asarray(factor / power_of_two(factor))


def _product(one: float, other: float) -> float:
    """A product that is refused when it overflows."""
    product = float(one) * float(other)
    if not np.isfinite(product):
        raise DataError("the product of the factors exceeds the float64 range", hint="the weights are not usable")
    return product
