"""What Gaussian noise of the same shape reads, by exact simulation of its singular values.

Here live: simulated nulls and their table. Not here: closed forms (`measures.null`).

Legend: `m n` rows and columns with m ≤ n after ordering; the null ignores scale and transposition.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.linalg

from shadowgraph.errors import Defect
from shadowgraph.measures.catalogue import CATALOGUE, evaluate
from shadowgraph.measures.null import participation_ratio_null
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.seeds import generator as open_generator


@dataclass(frozen=True, slots=True)
class NullValue:
    """What one measure reads on noise.

    Attributes:
        mean: mean over the draws; for the participation ratio the closed form PR0 of the endpoint K, a ratio of
            expectations that falls below the mean of the ratio at tiny sizes (2 × 2: .80 against 1.23).
        sd: standard deviation over the draws (n − 1), the spread of one matrix.
        draws: number of simulated matrices.
        method: "simulated", or "closed_form" for the mean (the sd stays simulated).
    """

    mean: float
    sd: float
    draws: int
    method: str


def gaussian_spectra(shape: tuple[int, int], draws: int, generator: np.random.Generator) -> list[Spectrum]:
    """Singular values of `draws` matrices of independent standard Gaussian entries, without making the matrices.

    Householder steps from both sides turn an m × n Gaussian matrix (m ≤ n) into a lower bidiagonal one with independent
    entries χ_n, χ_{n−1}, …, χ_{n−m+1} on the diagonal and χ_{m−1}, …, χ_1 below it, of the same singular values. Their
    squares are the eigenvalues of a tridiagonal matrix: O(m²) a draw in place of O(m² n).

    Args:
        shape: (m, n) in either order.
        draws: how many, at least 1.
        generator: the stream of random numbers.

    Returns:
        Complete spectra of shape `shape`, method "gram" (eigenvalues were rooted, see `spectra.gram`).

    Raises:
        Defect: a size or a number of draws below 1.

    Source:
        Silverstein, The smallest eigenvalue of a large dimensional Wishart matrix (1985); Dumitriu and
        Edelman, Matrix models for beta ensembles (2002), Laguerre ensemble with β = 1.
    """
    m, n = min(shape), max(shape)
    if m < 1 or draws < 1:
        raise Defect(f"no noise of shape {shape} in {draws} draws", where="gaussian_spectra")
    spectra: list[Spectrum] = []
    for _ in range(draws):
        diagonal = generator.chisquare(np.arange(n, n - m, -1, dtype=np.float64))
        below = generator.chisquare(np.arange(m - 1, 0, -1, dtype=np.float64)) if m > 1 else np.zeros(0)
        energy = float(diagonal.sum() + below.sum())
        main = diagonal.copy()
        main[1:] += below
        squares = scipy.linalg.eigvalsh_tridiagonal(main, np.sqrt(diagonal[:-1] * below), lapack_driver="sterf")
        squares = np.maximum(np.sort(squares)[::-1], 0.0)
        bound = math.sqrt(m * float(np.finfo(np.float64).eps) * float(squares[0]))
        spectra.append(Spectrum(np.sqrt(squares), shape, energy, "gram", bound))
    return spectra


@lru_cache(maxsize=4096)
def _table(m: int, n: int, draws: int, seed: int) -> tuple[tuple[str, NullValue], ...]:
    spectra = gaussian_spectra((m, n), draws, open_generator(seed, "gaussian-null", str(m), str(n)))
    rows: list[tuple[str, NullValue]] = []
    for key, measure in CATALOGUE.items():
        if measure.function is None or not measure.scale_free:
            continue
        values = [reading.value for reading in (evaluate(key, spectrum) for spectrum in spectra)]
        numbers = np.array([value for value in values if value is not None])
        if numbers.size < draws:
            continue
        sd = float(numbers.std(ddof=1))
        if key == "participation_ratio":
            rows.append((key, NullValue(participation_ratio_null(m, n), sd, draws, "closed_form")))
        else:
            rows.append((key, NullValue(float(numbers.mean()), sd, draws, "simulated")))
    return tuple(rows)


def null_table(shape: tuple[int, int], draws: int = 64, seed: int = 0) -> dict[str, NullValue]:
    """What every scale-free measure reads on Gaussian noise of a shape; remembered for the life of the process.

    Args:
        shape: (m, n); (n, m) gives the same table.
        draws: number of simulated matrices, at least 2.
        seed: seed of the simulation; equal arguments give equal tables, in any order of calls.

    Returns:
        Measure key → null value. A measure that does not exist at this size (`too_small`) is absent.

    Raises:
        Defect: fewer than 2 draws or a size below 1.
    """
    if draws < 2:
        raise Defect(f"{draws} draws have no spread", where="null_table")
    return dict(_table(min(shape), max(shape), draws, seed))
