"""From a Gram matrix to its eigenvalues, and a measured bound on what that cost.

Here live: the reduction to tridiagonal form, the probe of the whole chain of float32 work, and `roots`.
Not here: how the Gram matrix was made (`gram`), what happens when the bound is too wide (`plan`).

Legend: `k` order of the Gram matrix, `p` probes, `r` reflectors of one panel.
"""

# pyright: reportAttributeAccessIssue=false

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from scipy.linalg import lapack

from shadowgraph.spectra.failure import tridiagonal_eigenvalues
from shadowgraph.spectra.gram import Gram

EPS = float(np.finfo(np.float64).eps)
_PANEL = 64
# 16 probes fail with probability 1e-6: α¹⁶ = 1e6 in the bound α √(2/π) max‖Eω‖ on the spectral norm,
_SPECTRAL = 10.0 ** (6 / 16) * math.sqrt(2.0 / math.pi)
# and the 1e-6 quantile of χ²(16)/16 under the mean of ‖Eω‖², which is smallest for E of rank one.
_FROBENIUS = 1.0 / math.sqrt(0.09066)


@dataclass(frozen=True, slots=True, eq=False)
class Roots:
    """Singular values as roots of eigenvalues, in the unit of the scaled matrix.

    Attributes:
        values: (k,), descending, not negative.
        worst: bound on the error of one eigenvalue, |λ̂ − λ| ≤ ‖E‖₂.
        together: bound on √Σ(λ̂ − λ)² ≤ ‖E‖_F.
    """

    values: Float64[np.ndarray, " k"]
    worst: float
    together: float

    @property
    def bound(self) -> float:
        """Bound on the error of each value: |ŝ − s| = |λ̂ − λ| / (ŝ + s) ≤ η / ŝ, and never more than √η."""
        least = float(self.values[-1])
        return min(math.sqrt(self.worst), self.worst / least) if least > 0 else math.sqrt(self.worst)

    @property
    def total_share(self) -> float:
        """Bound on Σ|ŝ − s| / Σŝ: what the error may do to the nuclear norm and to an entropy of the values.

        The values are split in two: the large ones err by |λ̂ − λ| / ŝ, the j smallest by at most √|λ̂ − λ|, and the
        Cauchy-Schwarz inequality with Σ(λ̂ − λ)² ≤ φ² gives φ √Σ ŝ⁻² + j^¾ √φ; the best split is taken.
        """
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            inverse = np.concatenate([[0.0], np.cumsum(1.0 / np.square(self.values))])
        small = np.arange(self.values.size, -1, -1, dtype=np.float64) ** 0.75
        either = self.together * np.sqrt(inverse) + small * math.sqrt(self.together)
        return float(np.nanmin(either)) / float(self.values.sum())


def roots(gram: Gram) -> Roots:
    """Square roots of the eigenvalues of a Gram matrix, which is overwritten.

    One-stage reduction to tridiagonal form by Householder reflectors in the precision of the matrix, 4k³/3 operations
    of which half are matrix-vector products and bound by memory; then QR iteration on the tridiagonal matrix in
    float64, O(k²). (The two-stage reduction of LAPACK was measured: slower in float32 up to k = 2,048, and it keeps no
    reflectors to check the result with.)

    The bound in float64 is a priori: ε (terms + 2) ‖A‖_F² for the product, ε k s1² for the eigenvalues. In float32 it
    is measured: T and the reflectors Q̂, made exactly orthogonal in float64, are held against the float64 entries by
    E Ω = (T − Q̂ᵀAᵀA Q̂) Ω, which sees the rounding of the entries, of the product and of the reduction alike. For
    Gaussian columns ω both bounds hold but with probability 2 · 10⁻⁶.

    Args:
        gram: not of the zero matrix; in float32 it must carry probes.

    Returns:
        Values and bounds, in the unit of the scaled matrix.

    Raises:
        DecompositionFailure: LAPACK did not converge.

    Source:
        Weyl's and Hoffman and Wielandt's inequalities; Higham, Accuracy and Stability of Numerical Algorithms (2002),
        section 3.5, for the product; Halko, Martinsson and Tropp, Finding structure with randomness (2011), lemma 4.1,
        for the spectral norm from probes.
    """
    single = gram.matrix.dtype == np.float32
    reduce = lapack.ssytrd if single else lapack.dsytrd
    k = gram.matrix.shape[0]
    reflectors, main, beside, tau, _ = reduce(gram.matrix, lower=1, lwork=max(1, 64 * k), overwrite_a=1)
    diagonal, below = np.asarray(main, dtype=np.float64), np.asarray(beside, dtype=np.float64)
    squares = np.maximum(tridiagonal_eigenvalues(diagonal, below), 0.0)
    floor = EPS * ((gram.terms + 2) * gram.scaled_energy + k * float(squares[0]))
    if not single:
        return Roots(np.sqrt(squares), floor, math.sqrt(k) * floor)
    turned = turn(reflectors, tau, np.concatenate([gram.probes, gram.images], axis=1))
    columns = gram.probes.shape[1]
    start, images = turned[:, :columns], turned[:, columns:]
    error = diagonal[:, None] * start - images
    error[1:] += below[:, None] * start[:-1]
    error[:-1] += below[:, None] * start[1:]
    return bound_from_probes(np.sqrt(squares), error, floor)


def bound_from_probes(values: Float64[np.ndarray, " k"], error: Float64[np.ndarray, "k p"], floor: float) -> Roots:
    """Bounds on the eigenvalues from E Ω, E the error of the matrix they are of and Ω `PROBES` Gaussian columns.

    Args:
        values: roots of the eigenvalues, descending.
        error: E Ω.
        floor: bound on the error of the float64 work, per unit vector.

    Returns:
        The values with ‖E‖₂ ≤ α √(2/π) max‖Eω‖ and ‖E‖_F² ≤ mean‖Eω‖² / q, each but with probability 10⁻⁶.
    """
    lengths = np.einsum("ij,ij->j", error, error)
    slack = 4.0 * math.sqrt(values.size) * floor  # rounding of the probes themselves, whose length is about √k
    worst = _SPECTRAL * math.sqrt(float(lengths.max())) + slack
    together = _FROBENIUS * math.sqrt(float(lengths.mean())) + slack
    return Roots(values, worst, together)


def turn(
    reflectors: Float32[np.ndarray, "k k"], tau: Float32[np.ndarray, " k-1"], columns: Float64[np.ndarray, "k p"]
) -> Float64[np.ndarray, "k p"]:
    """Apply Q̂ᵀ in float64, Q̂ the orthogonal matrix whose reflectors ?sytrd left below the first subdiagonal.

    Each panel of reflectors is I − V S⁻¹ Vᵀ with S + Sᵀ = VᵀV, which is orthogonal whatever rounding did to V.

    Args:
        reflectors: what ?sytrd returned for the lower triangle.
        tau: its factors; 0 marks a step that reflects nothing.
        columns: (k, p).

    Returns:
        Q̂ᵀ times the columns.

    Source:
        Joffrain et al., Accumulating Householder transformations, revisited (2006).
    """
    k = columns.shape[0]
    turned = columns.copy()
    for first in range(0, k - 1, _PANEL):
        last = min(first + _PANEL, k - 1)
        vectors = reflectors[first + 1 :, first:last].astype(np.float64)
        top = vectors[: last - first]
        top[...] = np.tril(top, -1)
        np.fill_diagonal(top, 1.0)
        idle = tau[first:last] == 0.0
        vectors[:, idle] = 0.0
        products = vectors.T @ vectors
        corner = np.triu(products, 1)
        np.fill_diagonal(corner, np.where(idle, 1.0, 0.5 * products.diagonal()))
        rows = turned[first + 1 :]
        rows -= vectors @ np.linalg.solve(corner.T, vectors.T @ rows)
    return turned
