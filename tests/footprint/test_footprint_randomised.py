"""Randomised nulls: what each keeps, what each destroys, and the closed form of the row and column null."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shadowgraph.errors import Defect
from shadowgraph.footprint.randomised import (
    change_spectra,
    floor_spectra,
    null_rows,
    permuted_spectra,
    rounded,
    rowcol_noise,
    rowcol_participation_ratio,
    rowcol_spectra,
    trap_count,
)
from shadowgraph.measures.null import participation_ratio_null
from shadowgraph.measures.rank import participation_ratio
from shadowgraph.seeds import generator

Matrix = NDArray[np.float64]


def low_rank(m: int, n: int, rank: int, label: str = "low") -> Matrix:
    stream = generator(5, label)
    return stream.standard_normal((m, rank)) @ stream.standard_normal((rank, n))


def margins(matrix: Matrix) -> tuple[Matrix, Matrix]:
    return np.sum(matrix**2, axis=1), np.sum(matrix**2, axis=0)


def test_permutation_keeps_the_energy_and_destroys_the_rank() -> None:
    matrix = low_rank(60, 90, 2)
    before = matrix.copy()
    for spectrum in permuted_spectra(matrix, 3, generator(1, "permuted")):
        assert spectrum.energy == pytest.approx(float(np.sum(matrix**2)), rel=1e-12)
        assert (participation_ratio(spectrum).value or 0.0) > 20.0
    assert np.array_equal(matrix, before)


def test_permutation_keeps_what_single_entries_do() -> None:
    """One entry with most of the energy stays one direction wherever it lands."""
    matrix = generator(2, "entry").standard_normal((40, 50))
    matrix[7, 9] = 200.0
    for spectrum in permuted_spectra(matrix, 3, generator(1, "permuted")):
        assert spectrum.values[0] == pytest.approx(200.0, rel=0.01)


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 10_000),
    st.floats(0.0, 3.0),
    st.booleans(),
)
def test_row_and_column_energies_are_kept(m: int, n: int, seed: int, spread: float, with_zero: bool) -> None:
    """To 1e-6 of each row and column, with margins that differ by up to e^9 and a row of zeros."""
    stream = generator(seed, "margins")
    matrix = stream.standard_normal((m, n)) * np.exp(spread * stream.standard_normal((m, 1)))
    matrix *= np.exp(spread * stream.standard_normal((1, n)))
    if with_zero and m > 1:
        matrix[0] = 0.0
    rows, columns = margins(matrix)
    kept_rows, kept_columns = margins(rowcol_noise(rows, columns, stream))
    assert kept_rows == pytest.approx(rows, rel=1e-6)
    assert kept_columns == pytest.approx(columns, rel=1e-6)


def test_rowcol_keeps_the_energy_and_destroys_the_rank() -> None:
    matrix = low_rank(80, 60, 2)
    for spectrum in rowcol_spectra(matrix, 3, generator(3, "rowcol")):
        assert spectrum.energy == pytest.approx(float(np.sum(matrix**2)), rel=1e-9)
        assert (participation_ratio(spectrum).value or 0.0) > 10.0


def test_rowcol_null_of_a_zero_matrix_is_zero() -> None:
    assert rowcol_spectra(np.zeros((4, 5)), 2, generator(3, "rowcol"))[0].zero


def test_rowcol_closed_form_is_the_gaussian_one_for_equal_margins() -> None:
    value = rowcol_participation_ratio(np.full(40, 70.0), np.full(70, 40.0)).value
    assert value == pytest.approx(participation_ratio_null(40, 70), rel=1e-12)
    assert rowcol_participation_ratio(np.zeros(4), np.zeros(5)).status == "no_change"


@pytest.mark.parametrize("spread", [0.0, 0.7, 1.5])
def test_rowcol_closed_form_agrees_with_simulation(spread: float) -> None:
    """200 × 300, margins log-normal; the mean of 12 draws within 5 % (fixed margins, not their expectations)."""
    stream = generator(4, "closed", str(spread))
    rows, columns = np.exp(spread * stream.standard_normal(200)), np.exp(spread * stream.standard_normal(300))
    columns *= rows.sum() / columns.sum()
    profile = np.sqrt(rows[:, None] * columns[None, :] / rows.sum())
    ratios = [
        participation_ratio(spectrum).value or 0.0
        for spectrum in rowcol_spectra(profile, 12, generator(6, "draws", str(spread)))
    ]
    assert np.mean(ratios) == pytest.approx(rowcol_participation_ratio(rows, columns).value, rel=0.05)


def test_one_hot_row_is_explained_by_the_row_null_alone() -> None:
    """A spiky row looks concentrated against Gaussian noise and not against noise with that row."""
    matrix = generator(7, "row").standard_normal((64, 64))
    matrix[3] *= 30.0
    measured = participation_ratio(rowcol_spectra(matrix, 1, generator(8, "own"))[0]).value or 0.0
    assert np.log(participation_ratio_null(64, 64) / measured) > 2.0
    table = null_rows("rowcol", matrix, tensor="a", draws=4)
    assert abs(np.log(table["participation_ratio"].mean / measured)) < 0.1


@pytest.mark.parametrize(("dtype", "kind"), [("BF16", ml_dtypes.bfloat16), ("F16", np.float16), ("F32", np.float32)])
def test_rounding_is_that_of_the_stored_type(dtype: str, kind: type[np.generic]) -> None:
    """From float32 values, because a cast from float64 may pass through float32 and round twice."""
    values = generator(9, dtype).standard_normal((50, 60)) * np.exp(
        4.0 * generator(9, "size").standard_normal((50, 60))
    )
    values = np.clip(values, -6e4, 6e4).astype(np.float32).astype(np.float64)
    values[0, :3] = (0.0, 6e-8, 2.0**-24)
    assert np.array_equal(rounded(values, dtype), values.astype(kind).astype(np.float64))
    assert np.array_equal(rounded(values, "F64"), values)


def test_eight_bit_rounding_keeps_four_significand_bits() -> None:
    assert rounded(np.array([[1.06, 1.07, 17.0, 1e-9]]), "F8_E4M3")[0, :3].tolist() == [1.0, 1.125, 16.0]


def test_floor_null_lies_on_the_grid_and_grows_sparse() -> None:
    base = rounded(0.02 * generator(10, "base").standard_normal((96, 96)), "BF16")
    norm = 1e-3 * float(np.linalg.norm(base))
    (spectrum,) = floor_spectra(base, norm, "BF16", 1, generator(11, "floor"))
    assert 0.5 * norm**2 < spectrum.energy < 4.0 * norm**2
    assert floor_spectra(base, 0.0, "BF16", 1, generator(11, "floor"))[0].zero
    exact = floor_spectra(base, norm, "F64", 1, generator(11, "floor"))[0]
    assert exact.energy == pytest.approx(norm**2, rel=1e-9)


def test_change_null_adds_exactly_the_norm() -> None:
    base = generator(12, "base").standard_normal((30, 40))
    (spectrum,) = change_spectra(base, 0.0, 1, generator(13, "change"))
    assert spectrum.energy == pytest.approx(float(np.sum(base**2)), rel=1e-12)
    table = null_rows("change", np.full((30, 40), 0.01), tensor="a", before=base, draws=4)
    assert abs(table["erank_energy"].mean) < 0.05
    assert table["erank_energy"].sd > 0.0


def test_streams_are_labelled_by_tensor_kind_and_seed() -> None:
    matrix = low_rank(20, 30, 3)
    first = null_rows("permuted", matrix, tensor="a", draws=2)
    assert null_rows("permuted", matrix, tensor="a", draws=2) == first
    assert null_rows("permuted", matrix, tensor="b", draws=2) != first
    assert null_rows("permuted", matrix, tensor="a", draws=2, seed=1) != first
    assert null_rows("permuted", matrix, tensor="a", draws=2, object="O1").keys() != set()
    assert null_rows("permuted", np.zeros((20, 30)), tensor="a", draws=2) == {}


@pytest.mark.parametrize(("kind", "draws"), [("gaussian", 4), ("permuted", 1), ("floor", 4), ("change", 4)])
def test_refused_requests(kind: str, draws: int) -> None:
    with pytest.raises(Defect):
        null_rows(kind, np.ones((3, 3)), tensor="a", draws=draws)


def test_traps_come_from_single_entries_not_from_directions() -> None:
    matrix = generator(14, "trap").standard_normal((100, 120))
    assert trap_count(matrix + 3.0 * low_rank(100, 120, 2), generator(15, "trap"), draws=3).value == 0.0
    matrix[5, 6] = 150.0
    assert trap_count(matrix, generator(15, "trap"), draws=3).value == 1.0
    assert trap_count(np.zeros((20, 30)), generator(15, "trap")).status == "no_change"
