"""What Gaussian noise of the same shape reads, by exact simulation of its singular values.

Here live: the value of a null, the Gaussian table and its file. Not here: closed forms (`measures.null`), nulls that
are made from the entries of a matrix (`randomised`).

Legend: `m n` rows and columns with m ≤ n after ordering; the null ignores scale and transposition.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from shadowgraph.artifact import read_object, write_json
from shadowgraph.errors import DataError, Defect, EnvironmentFault
from shadowgraph.measures.catalogue import CATALOGUE, evaluate, evaluate_all
from shadowgraph.measures.null import adapter_participation_ratio_null, participation_ratio_null
from shadowgraph.measures.spectrum import Reading, Spectrum
from shadowgraph.seeds import generator as open_generator
from shadowgraph.spectra.factored import factored_spectrum
from shadowgraph.spectra.failure import tridiagonal_eigenvalues

# Short side up to which that many draws are made; beyond, the last. Noise of 1,024 rows spreads by less than .2 % in
# every measure of the whole spectrum and by 1 % in those of its largest value, so that few draws place the mean.
DRAWS = ((512, 64), (1024, 32), (4096, 16))
FEWEST_DRAWS = 8
FACTOR_DRAWS = 32  # of products of two factors
FACTOR_NULL = "factors"  # its name in a row
CACHE_VERSION = 1


@dataclass(frozen=True, slots=True)
class NullValue:
    """What one measure reads on noise.

    Attributes:
        mean: mean over the draws; for the participation ratio under Gaussian noise the closed form PR0 of the endpoint
            K, a ratio of expectations that falls below the mean of the ratio at tiny sizes (2 × 2: .80 against 1.23).
        sd: standard deviation over the draws (n − 1), the spread of one matrix.
        draws: number of simulated matrices, 0 where mean and sd both have a closed form.
        method: "simulated", or "closed_form" for the mean (with draws, the sd stays simulated).
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
        Complete spectra of shape `shape`, method "gram64" (eigenvalues were rooted, see `spectra.gram`).

    Raises:
        Defect: a size or a number of draws below 1.
        DecompositionFailure: an eigenvalue routine that does not converge.

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
        squares = np.maximum(tridiagonal_eigenvalues(main, np.sqrt(diagonal[:-1] * below)), 0.0)
        bound = math.sqrt(m * float(np.finfo(np.float64).eps) * float(squares[0]))
        spectra.append(Spectrum(np.sqrt(squares), shape, energy, "gram64", bound))
    return spectra


def draws_for(shape: tuple[int, int]) -> int:
    """How many matrices are simulated for a shape: 64 up to 512 rows, 32 to 1,024, 16 to 4,096, 8 beyond.

    One draw costs O(m²): 4 ms at m = 512, .06 s at 2,048, .24 s at 4,096 on one core. The spread that the draws are to
    measure falls as the size grows, so the error of the mean, sd/√draws, falls too; that of the sd itself is
    1/√(2(draws − 1)): 9 % at 64 draws, 18 % at 16, 27 % at 8.
    """
    return next((draws for size, draws in DRAWS if min(shape) <= size), FEWEST_DRAWS)


def summarise(readings: Iterable[Mapping[str, Reading]]) -> dict[str, NullValue]:
    """Mean and spread over draws of every measure that has a number in each of them.

    Returns:
        Measure key → null value, method "simulated"; empty for fewer than 2 draws.
    """
    rows = list(readings)
    found: dict[str, NullValue] = {}
    for key in rows[0] if len(rows) > 1 else ():
        numbers = [row[key].value for row in rows]
        present = np.array([number for number in numbers if number is not None])
        if present.size == len(rows):
            found[key] = NullValue(float(present.mean()), float(present.std(ddof=1)), len(rows), "simulated")
    return found


@lru_cache(maxsize=4)
def _spectra(m: int, n: int, draws: int, seed: int) -> tuple[Spectrum, ...]:
    """The draws themselves, kept for the other object of the same matrix."""
    return tuple(gaussian_spectra((m, n), draws, open_generator(seed, "gaussian-null", str(m), str(n))))


@lru_cache(maxsize=4096)
def _table(m: int, n: int, draws: int, seed: int, what: str) -> Mapping[str, NullValue]:
    found = summarise(evaluate_all(spectrum, what) for spectrum in _spectra(m, n, draws, seed))
    found = {key: value for key, value in found.items() if CATALOGUE[key].scale_free}
    exact = found.get("participation_ratio")
    if exact is not None:
        found["participation_ratio"] = NullValue(participation_ratio_null(m, n), exact.sd, draws, "closed_form")
    return found


def null_table(
    shape: tuple[int, int],
    draws: int | None = None,
    seed: int = 0,
    folder: Path | None = None,
    object: str = "O3",
) -> dict[str, NullValue]:
    """What every scale-free measure reads on Gaussian noise of a shape; remembered for the life of the process.

    Args:
        shape: (m, n); (n, m) gives the same table.
        draws: number of simulated matrices, at least 2; None for `draws_for(shape)`.
        seed: seed of the simulation; equal arguments give equal tables, in any order of calls.
        folder: where tables are kept between processes, one small file a shape; None to keep none. A file that is
            broken, or was written for other measures, is simulated again and replaced.
        object: "O1" or "O3": which measures are read. O1 adds fits of the tail, which cost more than the draws.

    Returns:
        Measure key → null value. A measure that does not exist at this size (`too_small`) is absent.

    Raises:
        Defect: fewer than 2 draws or a size below 1.
    """
    count = draws_for(shape) if draws is None else draws
    m, n = min(shape), max(shape)
    if count < 2 or m < 1:
        raise Defect(f"{count} draws of shape {shape} have no spread", where="null_table")
    return dict(_table(m, n, count, seed, object) if folder is None else _kept((m, n), count, seed, object, folder))


@lru_cache(maxsize=4096)
def _kept(shape: tuple[int, int], draws: int, seed: int, what: str, folder: Path) -> Mapping[str, NullValue]:
    path = folder / f"gaussian-{what}-{shape[0]}x{shape[1]}-{draws}-{seed}.json"
    return _stored_or(path, "gaussian null", lambda: _table(*shape, draws, seed, what))


def _stored_or(path: Path, kind: str, make: Callable[[], Mapping[str, NullValue]]) -> Mapping[str, NullValue]:
    """The table from its file, or simulated and written there; a folder that refuses keeps nothing."""
    head = {"kind": kind, "version": CACHE_VERSION, "keys": sorted(CATALOGUE)}
    with suppress(DataError, OSError):
        stored = read_object(path)
        if all(stored.get(key) == value for key, value in head.items()):
            return _stored_table(stored)
    table = make()
    with suppress(EnvironmentFault):
        write_json(path, head | {"table": {key: asdict(value) for key, value in table.items()}})
    return table


def _stored_table(stored: Mapping[str, Any]) -> dict[str, NullValue]:
    """The table in a file of ours.

    Raises:
        DataError: a value that is no number where one is promised.
    """
    found: dict[str, NullValue] = {}
    for key, row in cast(dict[str, dict[str, Any]], stored.get("table") or {}).items():
        mean, sd, draws, method = (row.get(name) for name in ("mean", "sd", "draws", "method"))
        if not (
            isinstance(mean, float) and isinstance(sd, float) and isinstance(draws, int) and isinstance(method, str)
        ):
            raise DataError("a null value is no number", where=key)
        found[key] = NullValue(mean, sd, draws, method)
    return found


def factor_spectra(shape: tuple[int, int], inner: int, draws: int, generator: np.random.Generator) -> list[Spectrum]:
    """Spectra of `draws` products of two Gaussian factors, m × r times r × n, without making the factors.

    A Gaussian m × r matrix with m ≥ r has a triangular factor R of independent entries, χ_m, χ_{m−1}, … on the diagonal
    and normal above it, and orthonormal columns independent of R: the product has the values of R₁ R₂ᵀ.

    Args:
        shape: (m, n).
        inner: r.
        draws: how many, at least 1.
        generator: the stream of random numbers.

    Returns:
        Complete spectra of shape `shape`, min(m, n) values of which at most r are not 0.

    Source:
        Bartlett, On the theory of statistical regression (1933); Muirhead (1982), theorem 3.2.14.
    """
    spectra: list[Spectrum] = []
    for _ in range(draws):
        left, right = (_bartlett(size, inner, generator) for size in shape)
        core = factored_spectrum(left, np.ascontiguousarray(right.T))
        values = np.zeros(min(shape))
        kept = min(values.size, core.values.size)
        values[:kept] = core.values[:kept]
        spectra.append(Spectrum(values, shape, core.energy, core.method, core.error_bound))
    return spectra


def _bartlett(size: int, inner: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """R (r, r) of a Gaussian size × r matrix, or the matrix itself where it has fewer rows than columns."""
    if size < inner:
        return generator.standard_normal((size, inner))
    found = np.triu(generator.standard_normal((inner, inner)), 1)
    np.fill_diagonal(found, np.sqrt(generator.chisquare(np.arange(size, size - inner, -1, dtype=np.float64))))
    return found


@lru_cache(maxsize=256)
def factor_null_table(
    shape: tuple[int, int], inner: int, keys: tuple[str, ...], seed: int = 0, folder: Path | None = None
) -> Mapping[str, NullValue]:
    """What scale-free measures read on a product of Gaussian factors; remembered for the life of the process.

    For a change of a product, A1 B1 − A0 B0 with A of r columns, the inner size is 2r: two independent products of
    equal energy, which is what noise of equal relative size in both factors puts there to first order.

    Args:
        shape: (m, n) of the product.
        inner: columns of the left factor and rows of the right.
        keys: measures of the spectrum to read.
        seed: of the simulation.
        folder: where tables are kept between processes, as for `null_table`.

    Returns:
        Measure key → null value over 32 draws; measures that carry the scale are absent.
    """

    def make() -> Mapping[str, NullValue]:
        stream = open_generator(seed, "factor-null", f"{shape[0]}x{shape[1]}x{inner}")
        free = [key for key in keys if CATALOGUE[key].scale_free]
        drawn = factor_spectra(shape, inner, FACTOR_DRAWS, stream)
        return summarise({key: evaluate(key, spectrum) for key in free} for spectrum in drawn)

    if folder is None:
        return make()
    return _stored_or(folder / f"factors-{shape[0]}x{shape[1]}x{inner}-{FACTOR_DRAWS}-{seed}.json", "factor null", make)


@lru_cache(maxsize=1024)
def adapter_null_table(
    shape: tuple[int, int], rank: int, seed: int = 0, folder: Path | None = None
) -> Mapping[str, NullValue]:
    """What every scale-free measure of an update reads on Gaussian factors of an adapter's shape and rank.

    Args:
        shape: (m, n) of the update; (n, m) gives the same table.
        rank: r, columns of the left factor and rows of the right.
        seed: of the simulation.
        folder: where tables are kept between processes, as for `null_table`.

    Returns:
        Measure key → null value; the mean of the participation ratio is the closed form PR0 = 1/(1/r + 1/m + 1/n) of
        the endpoint K, the leading order of a ratio of expectations.
    """
    keys = tuple(key for key, entry in CATALOGUE.items() if entry.function is not None and "O3" in entry.objects)
    found = dict(factor_null_table((min(shape), max(shape)), rank, keys, seed, folder))
    simulated = found.get("participation_ratio")
    if simulated is not None:
        mean = adapter_participation_ratio_null(rank, *shape)
        found["participation_ratio"] = NullValue(mean, simulated.sd, simulated.draws, "closed_form")
    return found
