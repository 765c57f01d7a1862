"""All singular values by the Gram matrix of the short side: fast, and blunt for the smallest values.

Here lives: `gram_spectrum`. Not here: when to use it (`plan`).

Legend: `m n` rows and columns.
"""

import math

import numpy as np
import scipy.linalg
from jaxtyping import Float

from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.spectra.scale import float64_matrix, power_of_two, rescaled_energy


def gram_spectrum(matrix: Float[np.ndarray, "m n"]) -> Spectrum:
    """Singular values as roots of the eigenvalues of AAᵀ or AᵀA, whichever is smaller, in float64.

    Squaring halves the digits: the bound on a value is √η, with η = ε (max(m, n) ‖A‖_F² + min(m, n) s1²) the bound on
    an eigenvalue. It holds for every value, because |ŝ − s|² ≤ |ŝ² − s²|; values well above √η are far better than
    that (error η/s). Never run in float32.

    Args:
        matrix: (m, n), any floating type, finite entries.

    Returns:
        Complete spectrum, method "gram" ("zero" for the zero matrix).

    Raises:
        Defect: an empty matrix or an entry that is not finite.
        DataError: the energy exceeds the float64 range.

    Source:
        Weyl's inequality; Higham, Accuracy and Stability of Numerical Algorithms (2002), equation 3.13, for the
        product.
    """
    full = float64_matrix(matrix)
    scale = power_of_two(full)
    m, n = full.shape
    if scale == 0:
        return Spectrum(np.zeros(min(m, n)), (m, n), 0.0, "zero", 0.0)
    scaled = full / scale
    energy = rescaled_energy(scaled, scale)
    gram = scaled @ scaled.T if m <= n else scaled.T @ scaled
    squares = np.sort(scipy.linalg.eigvalsh(gram, overwrite_a=True, check_finite=False))[::-1]
    squares = np.maximum(squares, 0.0)
    eps = float(np.finfo(np.float64).eps)
    eta = eps * (max(m, n) * energy / scale / scale + min(m, n) * float(squares[0]))
    return Spectrum(np.sqrt(squares) * scale, (m, n), energy, "gram", math.sqrt(eta) * scale)
