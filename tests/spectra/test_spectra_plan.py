"""Spectra: exact = gram within the stated bound, invariances, hostile sizes and numbers."""

from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import DataError, Defect
from shadowgraph.measures.catalogue import CATALOGUE, evaluate_all
from shadowgraph.measures.rank import participation_ratio
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.seeds import generator
from shadowgraph.spectra.exact import exact_spectrum
from shadowgraph.spectra.gram import gram_spectrum
from shadowgraph.spectra.plan import plan_spectrum, spectrum_of

Method = Callable[[np.ndarray], Spectrum]


def random_matrix(seed: int, m: int, n: int, decay: float) -> np.ndarray:
    """A Gaussian matrix whose rows fade: decay 0 is noise, 1 nearly rank 1."""
    stream = generator(seed, "matrix")
    return stream.normal(size=(m, n)) * np.exp(-decay * np.arange(m))[:, None]


matrices = st.builds(
    random_matrix, st.integers(0, 10**6), st.integers(1, 24), st.integers(1, 24), st.sampled_from([0.0, 0.2, 1.0])
)


def assert_same_measures(first: Spectrum, second: Spectrum, tolerance: float = 1e-7) -> None:
    left, right = evaluate_all(first), evaluate_all(second)
    for key, reading in left.items():
        if not CATALOGUE[key].scale_free:
            continue
        if key in {"k90", "k99"}:  # a count may jump when its share is met to the last digit
            assert reading.value is not None
            assert right[key].value == pytest.approx(reading.value, abs=1)
        else:
            assert right[key].status == reading.status
            assert reading.value is None or right[key].value == pytest.approx(reading.value, rel=tolerance)


@given(matrices)
@settings(max_examples=60)
def test_exact_equals_gram_within_the_bounds(matrix: np.ndarray) -> None:
    exact, gram = exact_spectrum(matrix), gram_spectrum(matrix)
    assert np.all(np.abs(exact.values - gram.values) <= exact.error_bound + gram.error_bound)
    assert exact.energy == gram.energy == pytest.approx(float(np.sum(matrix**2)), rel=1e-13)
    assert (exact.method, gram.method) == ("exact", "gram")
    assert exact.complete
    assert gram.complete


@given(matrices, st.integers(0, 10**6))
@settings(max_examples=40)
def test_measures_ignore_rotation_transposition_and_scale(matrix: np.ndarray, seed: int) -> None:
    m, n = matrix.shape
    stream = generator(seed, "rotation")
    left, right = (np.linalg.qr(stream.normal(size=(size, size)))[0] for size in (m, n))
    spectrum = exact_spectrum(matrix)
    assert_same_measures(spectrum, exact_spectrum(left @ matrix @ right))
    assert_same_measures(spectrum, exact_spectrum(np.ascontiguousarray(matrix.T)))
    assert_same_measures(spectrum, exact_spectrum(matrix * 3e-9))
    assert np.array_equal(exact_spectrum(matrix * 2.0**-40).values, spectrum.values * 2.0**-40)


@given(matrices)
@settings(max_examples=60)
def test_participation_ratio_needs_no_decomposition(matrix: np.ndarray) -> None:
    direct = float(np.sum(matrix**2)) ** 2 / float(np.sum((matrix @ matrix.T) ** 2))
    for spectrum in (exact_spectrum(matrix), gram_spectrum(matrix)):
        assert participation_ratio(spectrum).value == pytest.approx(direct, rel=1e-10)


@pytest.mark.parametrize("method", [exact_spectrum, gram_spectrum])
def test_known_singular_values_lie_within_the_bound(method: Method) -> None:
    """A permuted diagonal has its entries as singular values, over 14 orders of magnitude and with zeros."""
    known = np.concatenate([10.0 ** -np.arange(15), np.zeros(5)])
    stream = generator(5, "permutation")
    left, right = (np.linalg.qr(stream.normal(size=(size, size)))[0] for size in (20, 33))
    for matrix in (np.eye(20, 33) * known[:, None], left @ (np.eye(20, 33) * known[:, None]) @ right):
        spectrum = method(matrix)
        # Rotation itself rounds: allow ε‖A‖ for the test's own matrix.
        assert np.all(np.abs(spectrum.values - known) <= spectrum.error_bound + 40 * np.finfo(float).eps)


def test_identity_and_rank_one() -> None:
    assert np.allclose(spectrum_of(np.eye(6, 9)).values, 1.0, rtol=0, atol=1e-14)
    stream = generator(6, "rank one")
    matrix = np.outer(stream.normal(size=7), stream.normal(size=5))
    assert participation_ratio(spectrum_of(matrix)).value == pytest.approx(1.0, abs=1e-12)


def test_plan() -> None:
    assert plan_spectrum((1024, 50_000)) == plan_spectrum((50_000, 1024)) == "exact"
    assert plan_spectrum((1025, 1025)) == "gram"
    matrix = random_matrix(1, 5, 8, 0.1)
    assert spectrum_of(matrix).method == "exact"
    assert spectrum_of(matrix).fingerprint == exact_spectrum(matrix).fingerprint


def test_zero_matrix_has_its_own_method() -> None:
    for method in (exact_spectrum, gram_spectrum, spectrum_of):
        spectrum = method(np.zeros((3, 5)))
        assert (spectrum.method, spectrum.kept, spectrum.energy, spectrum.error_bound) == ("zero", 3, 0.0, 0.0)


@pytest.mark.parametrize("method", [exact_spectrum, gram_spectrum])
def test_hostile_matrices(method: Method) -> None:
    for bad in (np.array([[1.0, float("nan")]]), np.array([[float("inf")], [1.0]]), np.zeros((0, 4))):
        with pytest.raises(Defect):
            method(bad)
    with pytest.raises(DataError):
        method(np.full((2, 2), 1e200))
    tiny = method(np.diag([3e-160, 1e-160]))  # squares near the end of the range, fourth powers beyond it
    assert participation_ratio(tiny).value == pytest.approx(100 / 82, rel=1e-9)
    assert method(np.array([[5e-324]])).values[0] == 5e-324


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_narrow_types_are_upcast_first(dtype: type) -> None:
    matrix = random_matrix(2, 6, 9, 0.1).astype(dtype)
    wide = matrix.astype(np.float64)
    assert spectrum_of(matrix).fingerprint == spectrum_of(wide).fingerprint
    before = matrix.copy()
    spectrum_of(matrix)
    assert np.array_equal(matrix, before)


def test_input_is_left_alone() -> None:
    matrix = random_matrix(3, 6, 9, 0.1)
    before = matrix.copy()
    exact_spectrum(matrix)
    gram_spectrum(matrix)
    assert np.array_equal(matrix, before)
