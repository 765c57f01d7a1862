"""What can go wrong inside LAPACK, and the second try.

Here live: the failure that carries shape and drivers, and the two calls that can fail to converge, each with another
driver behind it. Not here: which of them is called (`plan`).

Legend: `m n` rows and columns, `k` order of a symmetric tridiagonal matrix.
"""

# pyright: reportAttributeAccessIssue=false

import numpy as np
import scipy.linalg
from jaxtyping import Float64
from scipy.linalg import lapack


class DecompositionFailure(Exception):
    """No driver converged on a finite matrix: a property of the matrix, which a scan records and survives.

    Args:
        shape: (m, n) of what was decomposed.
        drivers: names of the LAPACK drivers tried, in order.
    """

    def __init__(self, shape: tuple[int, int], drivers: tuple[str, ...]) -> None:
        """Keep both and compose the message."""
        self.shape = shape
        self.drivers = drivers
        super().__init__(f"no decomposition of a {shape[0]}×{shape[1]} matrix converged ({', then '.join(drivers)})")

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way back from a worker process."""
        return type(self), (self.shape, self.drivers)


def singular_values(matrix: Float64[np.ndarray, "m n"]) -> Float64[np.ndarray, " k"]:
    """Descending singular values by divide and conquer, else by QR iteration.

    Args:
        matrix: (m, n), finite, scaled.

    Returns:
        All min(m, n) values.

    Raises:
        DecompositionFailure: neither converged.
    """
    drivers = ("gesdd", "gesvd")
    for driver in drivers:
        try:
            values = scipy.linalg.svd(matrix, compute_uv=False, check_finite=False, lapack_driver=driver)
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(values).all():
            return np.maximum(values, 0.0)
    raise DecompositionFailure((matrix.shape[0], matrix.shape[1]), drivers)


def tridiagonal_eigenvalues(
    diagonal: Float64[np.ndarray, " k"], beside: Float64[np.ndarray, " k-1"]
) -> Float64[np.ndarray, " k"]:
    """Descending eigenvalues of a symmetric tridiagonal matrix by QR iteration without square roots, else bisection.

    Args:
        diagonal: (k,).
        beside: (k − 1,).

    Returns:
        All k eigenvalues, error at most a modest multiple of ε times the largest.

    Raises:
        DecompositionFailure: neither converged.

    Source:
        Parlett, The Symmetric Eigenvalue Problem (1998), section 8.14, for the first; 3.5 for the second.
    """
    if diagonal.size == 1:
        return diagonal.copy()
    values, fault = lapack.dsterf(diagonal, beside)
    if fault or not np.isfinite(values).all():
        size = diagonal.size
        _, values, _, _, fault = lapack.dstebz(diagonal, beside, 0, 0.0, 0.0, 1, size, 0.0, "E")
        if fault or not np.isfinite(values).all():
            raise DecompositionFailure((size, size), ("sterf", "stebz"))
    return np.sort(values)[::-1]
