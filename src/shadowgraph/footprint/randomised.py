"""Nulls made from a matrix itself: its entries shuffled, its rows and columns kept, its storage, its base plus noise.

Here live: the four randomisations, their table by kind, correlation traps, and the closed form of the participation
ratio under row and column energies. Not here: noise that knows only the shape (`nulls`).

Each draw makes one matrix of the size given and takes its spectrum; at most two such float64 arrays and the workspace
of the spectrum are in memory beside the arguments. The cost is that of `draws` spectra: about 1 s a draw at
2,048 × 2,048 on one core.

Legend: `m n` rows and columns; D = W1 − W0 the update, W0 the base.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import Defect
from shadowgraph.footprint.nulls import NullValue, summarise
from shadowgraph.measures.catalogue import evaluate_all
from shadowgraph.measures.spectrum import Reading, Spectrum
from shadowgraph.measures.spikes import spike_count
from shadowgraph.seeds import generator as open_generator
from shadowgraph.spectra.plan import spectrum_of
from shadowgraph.weights.tensor import ELEMENT_TYPES

Matrix = NDArray[np.float64]

KINDS = ("permuted", "rowcol", "floor", "change")
DEFAULT_DRAWS = 8
MARGIN_TOLERANCE = 1e-9
MARGIN_ROUNDS = 5000


def permuted_spectra(matrix: Matrix, draws: int, generator: np.random.Generator) -> list[Spectrum]:
    """Spectra of the matrix with all its entries shuffled: the same values, no place left.

    What a heavy tail of the entries does to a spectrum stays; what rows, columns and directions do goes.

    Args:
        matrix: (m, n), finite.
        draws: how many, at least 1.
        generator: the stream of random numbers.

    Returns:
        One complete spectrum a draw.
    """
    flat = np.array(matrix, dtype=np.float64).reshape(-1)
    spectra: list[Spectrum] = []
    for _ in range(draws):
        generator.shuffle(flat)
        spectra.append(spectrum_of(flat.reshape(matrix.shape)))
    return spectra


def rowcol_spectra(matrix: Matrix, draws: int, generator: np.random.Generator) -> list[Spectrum]:
    """Spectra of noise with the row energies and the column energies of the matrix.

    Independent Gaussian entries G are scaled from both sides, u_i G_ij v_j, by Sinkhorn's alternation on their squares
    until every row and every column has the energy it has in the matrix. One spiky row (a rare token, an adaptive
    optimiser) keeps its weight; nothing else of the matrix does.

    Args:
        matrix: (m, n), finite.
        draws: how many, at least 1.
        generator: the stream of random numbers.

    Returns:
        One complete spectrum a draw; row and column energies agree with the matrix's to 1e-9 of each.

    Raises:
        Defect: an alternation that does not converge in 5,000 rounds.

    Source:
        Sinkhorn and Knopp, Concerning nonnegative matrices and doubly stochastic matrices (1967).
    """
    rows = np.einsum("ij,ij->i", matrix, matrix)
    columns = np.einsum("ij,ij->j", matrix, matrix)
    return [spectrum_of(rowcol_noise(rows, columns, generator)) for _ in range(draws)]


def rowcol_noise(
    rows: NDArray[np.float64], columns: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.float64]:
    """One matrix of scaled Gaussian entries with given row and column energies, see `rowcol_spectra`.

    Args:
        rows: (m,) energies, 0 or more.
        columns: (n,) energies of the same sum.
        generator: the stream of random numbers.

    Returns:
        Array (m, n).

    Raises:
        Defect: an alternation that does not converge in 5,000 rounds.
    """
    total = float(rows.sum())
    noise = generator.standard_normal((rows.size, columns.size))
    if total <= 0.0:
        return np.zeros_like(noise)
    wanted_rows, wanted_columns = rows / total, columns / float(columns.sum())
    weights = noise * noise
    left, right = np.sqrt(wanted_rows), wanted_columns.copy()
    for _ in range(MARGIN_ROUNDS):
        left = _ratio(wanted_rows, weights @ right)
        reached = left @ weights
        worst = np.max(np.abs(right * reached - wanted_columns) / np.where(wanted_columns > 0, wanted_columns, 1.0))
        if worst <= MARGIN_TOLERANCE:
            noise *= np.sqrt(left * total)[:, None]
            noise *= np.sqrt(right)[None, :]
            return noise
        right = _ratio(wanted_columns, reached)
    raise Defect("row and column energies were not reached", where="rowcol_noise")


def _ratio(wanted: NDArray[np.float64], reached: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quotient wanted / reached, 0 where nothing is wanted."""
    return np.divide(wanted, reached, out=np.zeros_like(wanted), where=wanted > 0)


def rowcol_participation_ratio(rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Reading:
    """Participation ratio of noise with a separable profile of variances: the row and column null in closed form.

    Entries of variance a_i b_j / E, with row energies a, column energies b and E their sum, have
    E tr((AAᵀ)²) = Σ b_j² + Σ a_i² + Σ a_i² Σ b_j² / E², hence 1/PR0 = 1/P_r + 1/P_c + 1/(P_r P_c) with P_r = E²/Σ a²
    and P_c = E²/Σ b², the participation ratios of the margins. Equal margins give mn/(m + n + 1).

    Args:
        rows: (m,) energies of the rows of D, Σ_j D_ij².
        columns: (n,) energies of its columns, of the same sum.

    Returns:
        PR0, at least 1/3; "no_change" for zero energy.

    Source:
        Wick's theorem for independent Gaussian entries; the fixed margins of `rowcol_spectra` shift it by O(1/m).
    """
    total = float(rows.sum())
    if total <= 0.0:
        return Reading(None, "no_change")
    row_ratio = 1.0 / float(np.sum((rows / total) ** 2))
    column_ratio = 1.0 / float(np.sum((columns / total) ** 2))
    return Reading(row_ratio * column_ratio / (row_ratio + column_ratio + 1.0))


def floor_spectra(
    before: Matrix, update_norm: float, grid: str | float, draws: int, generator: np.random.Generator
) -> list[Spectrum]:
    """Spectra of round(W0 + noise of the update's norm) − W0, rounded as the checkpoint is stored.

    What a structureless update of the same size looks like after storage: entries below half a step vanish, the rest
    lie on the grid of W0.

    Args:
        before: W0 (m, n) as read.
        update_norm: ‖D‖_F, 0 or more.
        grid: element type of the stored W1, or the step of its grid, see `rounded`.
        draws: how many, at least 1.
        generator: the stream of random numbers.

    Returns:
        One spectrum a draw; the zero spectrum where every entry was rounded back.
    """
    spectra: list[Spectrum] = []
    for _ in range(draws):
        moved = _noise(before, update_norm, generator)
        stored = rounded(moved, grid)
        spectra.append(spectrum_of(np.subtract(stored, before, out=stored)))
    return spectra


def rounded(values: Matrix, grid: str | float) -> Matrix:
    """Values rounded to the nearest of a type's grid, ties to even, without its upper limit.

    Eight-bit floats are rounded to their significand at any size: the scale of a block moves their range. A quantised
    type is one grid of its root mean square step: the grids of its groups are of one kind but not of one width.

    Args:
        values: array of finite numbers.
        grid: a key of `ELEMENT_TYPES` that holds numbers, or a step; 0 rounds nothing.

    Returns:
        New array.
    """
    if not isinstance(grid, str):
        return np.rint(values / grid) * grid if grid > 0.0 else values.copy()
    element = ELEMENT_TYPES[grid]
    if element.precision >= ELEMENT_TYPES["F64"].precision:
        return values.copy()
    exponents = np.maximum(np.frexp(values)[1] - 1, element.smallest_exponent) - (element.precision - 1)
    return np.ldexp(np.rint(np.ldexp(values, -exponents)), exponents)


def change_spectra(before: Matrix, update_norm: float, draws: int, generator: np.random.Generator) -> list[Spectrum]:
    """Spectra of W0 + noise of the update's norm: the null of O2 takes the measures of W0 off theirs.

    Args:
        before: W0 (m, n), finite.
        update_norm: ‖D‖_F, 0 or more.
        draws: how many, at least 1.
        generator: the stream of random numbers.

    Returns:
        One complete spectrum a draw.
    """
    return [spectrum_of(_noise(before, update_norm, generator)) for _ in range(draws)]


def _noise(before: Matrix, update_norm: float, generator: np.random.Generator) -> Matrix:
    """W0 plus independent Gaussian entries, scaled to exactly that norm."""
    noise = generator.standard_normal(before.shape)
    noise *= update_norm / math.sqrt(float(np.einsum("ij,ij->i", noise, noise).sum()))
    noise += before
    return noise


def null_rows(
    kind: str,
    matrix: Matrix,
    *,
    tensor: str,
    object: str = "O3",
    seed: int = 0,
    before: Matrix | None = None,
    grid: str | float = "F32",
    draws: int = DEFAULT_DRAWS,
    floor_variance: float = 0.0,
) -> dict[str, NullValue]:
    """What every spectral measure reads on one randomisation of one matrix.

    Args:
        kind: "permuted", "rowcol" (both of the matrix given), "floor" (of the update, at the precision of storage), or
            "change" (of O2: measures of W0 + noise less those of W0).
        matrix: D, or W for O1; of D, "floor" and "change" use the norm alone.
        tensor: name that labels the stream of random numbers, so that order and workers do not matter.
        object: "O1" or "O3"; which measures are read. "change" reads those of O2 whatever is given.
        seed: seed of the stream.
        before: W0, needed by "floor" and "change".
        grid: element type of the stored W1 or the step of its grid, for "floor".
        draws: how many matrices, at least 2.
        floor_variance: as for the reading this is the null of, see `evaluate_all`.

    Returns:
        Measure key → null value; measures without a number in some draw are absent, and all are where the matrix is
        zero.

    Raises:
        Defect: an unknown kind, fewer than 2 draws, or a base that is needed and not given.
    """
    if kind not in KINDS or draws < 2 or (before is None and kind in {"floor", "change"}):
        raise Defect(f"no null {kind!r} with {draws} draws of these matrices", where="null_rows")
    generator = open_generator(seed, f"{kind}-null", object, tensor)
    norm = math.sqrt(float(np.einsum("ij,ij->i", matrix, matrix).sum()))
    if norm == 0.0:
        return {}
    if kind == "permuted":
        spectra = permuted_spectra(matrix, draws, generator)
    elif kind == "rowcol" or before is None:
        spectra = rowcol_spectra(matrix, draws, generator)
    elif kind == "floor":
        spectra = floor_spectra(before, norm, grid, draws, generator)
    else:
        start = evaluate_all(spectrum_of(before), "O2")
        moved = change_spectra(before, norm, draws, generator)
        return summarise(_less(evaluate_all(spectrum, "O2"), start) for spectrum in moved)
    return summarise(evaluate_all(spectrum, object, floor_variance=floor_variance) for spectrum in spectra)


def trap_count(matrix: Matrix, generator: np.random.Generator, draws: int = 1) -> Reading:
    """Correlation traps: spikes that remain when the entries of a matrix are shuffled.

    No direction survives a shuffle, so what still stands out of the bulk comes from single entries of unusual size.

    Args:
        matrix: W (m, n), finite.
        generator: the stream of random numbers.
        draws: number of shuffles, at least 1; the count is their mean.

    Returns:
        0 or more; the status of the spike count where one of the shuffles has none.

    Source:
        Martin and Mahoney, Implicit self-regularization in deep neural networks (2021), on randomised weights; called
        correlation traps in the documentation of WeightWatcher.
    """
    found = [spike_count(spectrum) for spectrum in permuted_spectra(matrix, draws, generator)]
    counts = [reading.value for reading in found if reading.value is not None]
    if len(counts) < draws:
        return next(reading for reading in found if reading.value is None)
    return Reading(sum(counts) / draws)


def _less(after: dict[str, Reading], before: dict[str, Reading]) -> dict[str, Reading]:
    """Differences of two sets of readings; a missing side keeps its status."""
    found: dict[str, Reading] = {}
    for key, reading in after.items():
        old, new = before[key].value, reading.value
        if old is None or new is None:
            found[key] = Reading(None, before[key].status if old is None else reading.status)
        else:
            found[key] = Reading(new - old)
    return found
