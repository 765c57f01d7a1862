"""All singular values by the SVD itself: slow, and accurate to the last digits of the largest.

Here lives: `exact_spectrum`. Not here: when to use it (`plan`).

Legend: `m n` rows and columns.
"""

import numpy as np

from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.spectra.failure import singular_values
from shadowgraph.spectra.source import Scaler, Source, as_source, gather

_GATHERED_ROWS = 512


def exact_spectrum(source: Source) -> Spectrum:
    """Singular values in float64 by LAPACK's divide and conquer; the whole matrix is in memory.

    Args:
        source: (m, n), finite entries.

    Returns:
        Complete spectrum, method "exact" ("zero" for the zero matrix); error bound max(m, n) · ε · s1.

    Raises:
        Defect: an empty matrix or an entry that is not finite.
        DataError: the energy exceeds the float64 range.
        DecompositionFailure: LAPACK did not converge.

    Source:
        Anderson et al., LAPACK Users' Guide (1999), section 4.9.1: |ŝ − s| ≤ p(m, n) ε s1, p a modest polynomial.
    """
    whole = gather(as_source(source), _GATHERED_ROWS)
    m, n = whole.shape
    scaler = Scaler()
    scaled, _ = scaler.take(whole)
    if scaled is None:
        return zero_spectrum((m, n))
    values = singular_values(scaled) * scaler.scale
    bound = max(m, n) * float(np.finfo(np.float64).eps) * float(values[0])
    return Spectrum(values, (m, n), scaler.energy, "exact", bound)


def zero_spectrum(shape: tuple[int, int]) -> Spectrum:
    """The spectrum of a matrix without an entry other than 0.

    Args:
        shape: (m, n).

    Returns:
        min(m, n) zeros, method "zero", no error.
    """
    return Spectrum(np.zeros(min(shape)), shape, 0.0, "zero", 0.0)
