"""All singular values by the SVD itself: slow, and accurate to the last digits of the largest.

Here lives: `exact_spectrum`. Not here: when to use it (`plan`).

Legend: `m n` rows and columns.
"""

import numpy as np
import scipy.linalg
from jaxtyping import Float

from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.spectra.scale import float64_matrix, power_of_two, rescaled_energy


def exact_spectrum(matrix: Float[np.ndarray, "m n"]) -> Spectrum:
    """Singular values in float64 by LAPACK's divide and conquer.

    Args:
        matrix: (m, n), any floating type, finite entries.

    Returns:
        Complete spectrum, method "exact" ("zero" for the zero matrix); error bound max(m, n) · ε · s1.

    Raises:
        Defect: an empty matrix or an entry that is not finite.
        DataError: the energy exceeds the float64 range.

    Source:
        Anderson et al., LAPACK Users' Guide (1999), section 4.9.1: |ŝ − s| ≤ p(m, n) ε s1, p a modest polynomial.
    """
    full = float64_matrix(matrix)
    scale = power_of_two(full)
    m, n = full.shape
    if scale == 0:
        return Spectrum(np.zeros(min(m, n)), (m, n), 0.0, "zero", 0.0)
    scaled = full / scale
    energy = rescaled_energy(scaled, scale)
    values = np.sort(scipy.linalg.svdvals(scaled, overwrite_a=False, check_finite=False))[::-1]
    values = np.maximum(values, 0.0) * scale
    bound = max(m, n) * float(np.finfo(np.float64).eps) * float(values[0])
    return Spectrum(values, (m, n), energy, "exact", bound)
