"""The largest singular values with their vectors, and the exact energy beside them.

Here live: `leading`, by the Gram matrix or by a block Krylov space, and the truncated spectrum it gives.
Not here: complete spectra (`plan`), what vectors are compared with (`measures`).

Legend: `m n` rows and columns, `k` vectors kept, `c` columns of a block on the short side `s`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
from jaxtyping import Float64

from shadowgraph.errors import Defect
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.seeds import generator
from shadowgraph.spectra.failure import DecompositionFailure
from shadowgraph.spectra.gram import Gram, gram_of
from shadowgraph.spectra.operator import Operator
from shadowgraph.spectra.source import Source, as_source

if TYPE_CHECKING:
    from shadowgraph.spectra.plan import Plan

KRYLOV_STEPS = 8  # products with the Gram matrix behind a block Krylov space
SPARE = 8  # columns beyond those asked for
RESIDUAL = 1e-5  # residual over s1 above which vectors from a float32 Gram matrix are made anew in float64


@dataclass(frozen=True, slots=True, eq=False)
class Leading:
    """The k largest singular values of a matrix and their vectors.

    Attributes:
        values: (k,), descending.
        left: (m, k), orthonormal columns.
        right: (n, k), orthonormal columns.
        shape: (m, n).
        energy: squared Frobenius norm, exact, from the entries.
        residual: max over i of ‖(A v − s u, Aᵀu − s v)‖ / √2: within it of each value lies a singular value.
        method: "gram64", "gram32", "sketch", or "factored" of a product (see `factored`).
    """

    values: Float64[np.ndarray, " k"]
    left: Float64[np.ndarray, "m k"]
    right: Float64[np.ndarray, "n k"]
    shape: tuple[int, int]
    energy: float
    residual: float
    method: str


def leading(source: Source, k: int, plan: "Plan | None" = None) -> Leading:
    """The k largest singular values with both sets of vectors.

    By the Gram matrix: its k last eigenvectors (bound by the reduction to tridiagonal form, as all values are), then
    one Rayleigh-Ritz step with the float64 entries, which makes the values of a float32 Gram matrix accurate to second
    order, and one pass that measures the residual. Where the plan says "sketch": a block Krylov space of eight
    products in place of the Gram matrix. Values inside a dense bulk are then lower bounds, and the residual says so.

    Args:
        source: (m, n), finite entries.
        k: how many, 1 … min(m, n).
        plan: how; None plans for the shape.

    Returns:
        Values, vectors, exact energy, residual. For the zero matrix the values are 0 and the vectors unit vectors.

    Raises:
        Defect: k outside its range, an entry that is not finite.
        DataError: the energy exceeds the float64 range.
        DecompositionFailure: LAPACK did not converge.

    Source:
        Parlett, The Symmetric Eigenvalue Problem (1998), chapter 11, for residuals; Musco and Musco, Randomized block
        Krylov methods for stronger and faster approximate singular value decomposition (2015).
    """
    from shadowgraph.spectra.plan import plan_spectrum

    found = as_source(source)
    if not 1 <= k <= min(found.shape):
        raise Defect(f"k = {k} of a matrix of shape {found.shape}", where="spectra.leading")
    chosen = plan_spectrum(found.shape) if plan is None else plan
    operator = Operator(found, chosen.block_rows)
    if operator.scale == 0.0:
        unit = tuple(np.eye(size, k) for size in found.shape)
        return Leading(np.zeros(k), unit[0], unit[1], found.shape, 0.0, 0.0, "gram64")
    if chosen.method == "sketch":
        return _refined(operator, _krylov(operator, k), k, "sketch")
    for method in ("gram32", "gram64") if chosen.method == "gram32" else ("gram64",):
        gram = gram_of(
            operator.source,
            single=method == "gram32",
            block_rows=operator.rows,
            strip_rows=chosen.strip_rows,
            probes=False,
        )
        result = _refined(operator, _last_vectors(gram, k), k, method)
        if method == "gram64" or chosen.fallback is None or result.residual <= RESIDUAL * float(result.values[0]):
            return result
    raise Defect("no method was tried", where="spectra.leading")


def leading_spectrum(source: Source, k: int, plan: "Plan") -> Spectrum:
    """The k largest values as a truncated spectrum.

    Args:
        source: (m, n), finite entries.
        k: how many, 1 … min(m, n).
        plan: how the vectors behind them are found.

    Returns:
        Incomplete spectrum, method "sketch" ("zero" for the zero matrix); the error bound is the residual: so near to
        each value lies a singular value, and no value is above the true one of its place.

    Raises:
        Defect: as `leading`, which also raises DataError and DecompositionFailure.
    """
    found = leading(source, k, plan)
    if found.energy == 0.0:
        return Spectrum(np.zeros(min(found.shape)), found.shape, 0.0, "zero", 0.0)
    return Spectrum(found.values, found.shape, found.energy, "sketch", found.residual)


def _last_vectors(gram: Gram, k: int) -> Float64[np.ndarray, "s k"]:
    """Orthonormal eigenvectors of the k largest eigenvalues, by relatively robust representations, else bisection."""
    size = gram.matrix.shape[0]
    drivers = ("evr", "evx")
    for driver in drivers:
        try:
            _, vectors = scipy.linalg.eigh(
                gram.matrix, lower=True, subset_by_index=(size - k, size - 1), driver=driver, check_finite=False
            )
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(vectors).all():
            return np.linalg.qr(vectors.astype(np.float64))[0]
    raise DecompositionFailure(gram.shape, drivers)


def _krylov(operator: Operator, k: int) -> Float64[np.ndarray, "s c"]:
    """An orthonormal basis of the block Krylov space of the Gram matrix, started from Gaussian columns."""
    size = operator.side
    block = generator(0, "krylov", str(size)).standard_normal((size, min(size, k + SPARE)))
    basis = np.linalg.qr(block)[0]
    newest = basis
    for _ in range(KRYLOV_STEPS):
        if basis.shape[1] >= size:
            break
        newest = operator.gram(newest)
        for _ in range(2):
            newest = newest - basis @ (basis.T @ newest)
        newest = np.linalg.qr(newest)[0][:, : size - basis.shape[1]]
        newest = np.linalg.qr(newest - basis @ (basis.T @ newest))[0]
        basis = np.concatenate([basis, newest], axis=1)
    return basis


def _refined(operator: Operator, basis: Float64[np.ndarray, "s c"], k: int, method: str) -> Leading:
    """Rayleigh-Ritz on the span of a basis of the short side, and the residual of what comes out."""
    tall = operator.source.shape[0] >= operator.source.shape[1]
    away: Callable[[Float64[np.ndarray, "a c"]], Float64[np.ndarray, "b c"]] = (
        operator.times if tall else operator.turned
    )
    back: Callable[[Float64[np.ndarray, "b c"]], Float64[np.ndarray, "a c"]] = (
        operator.turned if tall else operator.times
    )
    far, values, small = np.linalg.svd(away(basis), full_matrices=False)
    near = basis @ small.T[:, :k]
    far, values = far[:, :k], values[:k]
    lost = back(far) - near * values
    residual = float(np.sqrt(np.square(lost).sum(axis=0).max() / 2.0)) + operator.rounding
    left, right = (far, near) if tall != operator.flipped else (near, far)
    scale = operator.scale
    return Leading(values * scale, left, right, operator.shape, operator.energy, residual * scale, method)
