"""Which method for which matrix.

Here live: the choice, and the one call that makes it and carries it out. Not here: the methods.

Legend: `m n` rows and columns.
"""

import numpy as np
from jaxtyping import Float

from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.spectra.exact import exact_spectrum
from shadowgraph.spectra.gram import gram_spectrum

EXACT_LIMIT = 1024


def plan_spectrum(shape: tuple[int, int]) -> str:
    """Choose "exact" for a short side of at most 1,024, else "gram".

    The exact method costs about 4 m² n operations for m ≤ n, several times the Gram matrix's m² n + m³, and both
    agree within the bound that each states.

    Args:
        shape: (m, n).

    Returns:
        "exact" or "gram".
    """
    return "exact" if min(shape) <= EXACT_LIMIT else "gram"


def spectrum_of(matrix: Float[np.ndarray, "m n"]) -> Spectrum:
    """All singular values of a matrix by the planned method.

    Args:
        matrix: (m, n), any floating type, finite entries.

    Returns:
        Complete spectrum; method "zero" for the zero matrix.

    Raises:
        Defect: an empty matrix or an entry that is not finite.
        DataError: the energy exceeds the float64 range.
    """
    rows, columns = matrix.shape
    return exact_spectrum(matrix) if plan_spectrum((rows, columns)) == "exact" else gram_spectrum(matrix)
