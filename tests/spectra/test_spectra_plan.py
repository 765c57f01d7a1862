"""Spectra of every method: agreement within the stated bounds, invariances, hostile sizes and numbers."""

import dataclasses
import tracemalloc
from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from spectra_sources import Rows, float32_first, matrices, random_matrix, with_values

from shadowgraph.errors import DataError, Defect, EnvironmentFault
from shadowgraph.measures.catalogue import CATALOGUE, evaluate_all
from shadowgraph.measures.rank import erank_amplitude, participation_ratio
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.seeds import generator
from shadowgraph.spectra.exact import exact_spectrum
from shadowgraph.spectra.failure import DecompositionFailure, singular_values, tridiagonal_eigenvalues
from shadowgraph.spectra.plan import plan_spectrum, spectrum_of
from shadowgraph.spectra.source import Source, as_source

EPS = float(np.finfo(float).eps)


def gram64(source: Source) -> Spectrum:
    plan = plan_spectrum(as_source(source).shape, precision="float64")
    return spectrum_of(source, dataclasses.replace(plan, fallback=None))


def gram32(source: Source) -> Spectrum:
    return spectrum_of(source, plan_spectrum(as_source(source).shape, precision="float32"))


def blockwise(source: Source) -> Spectrum:
    """Float64 Gram matrix from blocks of two rows and strips of three."""
    plan = plan_spectrum(as_source(source).shape, precision="float64")
    return spectrum_of(source, dataclasses.replace(plan, fallback=None, block_rows=2, strip_rows=3))


def blockwise32(source: Source) -> Spectrum:
    plan = plan_spectrum(as_source(source).shape, precision="float32")
    return spectrum_of(source, dataclasses.replace(plan, block_rows=2, strip_rows=3))


METHODS: list[Callable[[Source], Spectrum]] = [exact_spectrum, gram64, gram32, blockwise, blockwise32, spectrum_of]


def assert_same_measures(first: Spectrum, second: Spectrum, tolerance: float = 1e-7) -> None:
    left, right = evaluate_all(first), evaluate_all(second)
    for key in ("participation_ratio", "erank_energy", "erank_amplitude", "stable_rank", "top1_share"):
        reading = left.get(key)
        if reading is None or not CATALOGUE[key].scale_free:
            continue
        assert right[key].status == reading.status
        assert reading.value is None or right[key].value == pytest.approx(reading.value, rel=tolerance)


@given(matrices, st.booleans())
@settings(max_examples=40)
def test_every_method_keeps_its_bound(matrix: np.ndarray, stored: bool) -> None:
    truth = scipy.linalg.svdvals(matrix)
    for method in METHODS:
        spectrum = method(Rows(matrix) if stored else matrix)
        assert spectrum.complete
        assert spectrum.shape == matrix.shape
        assert np.all(np.abs(spectrum.values - truth) <= spectrum.error_bound + 24 * EPS * truth[0])
        assert spectrum.energy == pytest.approx(float(np.sum(matrix**2)), rel=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_the_bound_is_not_idle(method: Callable[[Source], Spectrum]) -> None:
    """Noise is known to 1e-3 of s1 by float32 and to 1e-6 by float64, and every bound says so."""
    spectrum = method(random_matrix(4, 200, 96, 0.0))
    limit = 1e-3 if spectrum.method == "gram32" else 1e-6
    assert 0.0 < spectrum.error_bound < limit * spectrum.values[0]


@given(matrices, st.integers(0, 10**6))
@settings(max_examples=12)
def test_measures_ignore_rotation_transposition_and_scale(matrix: np.ndarray, seed: int) -> None:
    m, n = matrix.shape
    stream = generator(seed, "rotation")
    left, right = (np.linalg.qr(stream.normal(size=(size, size)))[0] for size in (m, n))
    spectrum = spectrum_of(matrix)
    assert_same_measures(spectrum, spectrum_of(left @ matrix @ right))
    assert_same_measures(spectrum, spectrum_of(np.ascontiguousarray(matrix.T)))
    assert_same_measures(spectrum, spectrum_of(matrix * 3e-9))
    for method in (exact_spectrum, gram64, gram32):
        assert np.array_equal(method(matrix * 2.0**-40).values, method(matrix).values * 2.0**-40)


@given(matrices)
@settings(max_examples=30)
def test_participation_ratio_needs_no_decomposition(matrix: np.ndarray) -> None:
    direct = float(np.sum(matrix**2)) ** 2 / float(np.sum((matrix @ matrix.T) ** 2))
    assert participation_ratio(exact_spectrum(matrix)).value == pytest.approx(direct, rel=1e-10)
    assert participation_ratio(gram64(matrix)).value == pytest.approx(direct, rel=1e-10)
    assert participation_ratio(gram32(matrix)).value == pytest.approx(direct, rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_known_singular_values_lie_within_the_bound(method: Callable[[Source], Spectrum]) -> None:
    """A permuted diagonal has its entries as singular values, over 14 orders of magnitude and with zeros."""
    known = np.concatenate([10.0 ** -np.arange(15), np.zeros(5)])
    for matrix in (np.eye(20, 33) * known[:, None], with_values(known, 20, 33), with_values(known, 33, 20)):
        spectrum = method(matrix)
        # Rotation itself rounds: allow ε‖A‖ for the test's own matrix.
        assert np.all(np.abs(spectrum.values - known) <= spectrum.error_bound + 40 * EPS)


def test_identity_and_rank_one() -> None:
    assert np.allclose(spectrum_of(np.eye(6, 9)).values, 1.0, rtol=0, atol=1e-14)
    stream = generator(6, "rank one")
    matrix = np.outer(stream.normal(size=7), stream.normal(size=5))
    assert participation_ratio(spectrum_of(matrix)).value == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 900), (900, 2)])
def test_thin_shapes(shape: tuple[int, int]) -> None:
    matrix = generator(9, "thin").normal(size=shape)
    truth = scipy.linalg.svdvals(matrix)
    for method in METHODS:
        for source in (matrix, Rows(matrix), np.asfortranarray(matrix)):
            spectrum = method(source)
            assert np.all(np.abs(spectrum.values - truth) <= spectrum.error_bound + 4 * EPS * truth[0])


def test_exact_rank_eight_is_done_again_in_float64() -> None:
    """Float32 alone reads the rounding of a thousand zeros as rank: 4.6 where the truth is 4.07."""
    values = np.array([10.0, 4.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05])
    matrix = with_values(values, 700, 700).astype(np.float32)
    share = values / values.sum()
    truth = float(np.exp(-np.sum(share * np.log(share))))
    alone, chosen = gram32(matrix), spectrum_of(matrix, float32_first(matrix.shape))
    assert (alone.method, chosen.method) == ("gram32", "gram64")
    wrong, right = erank_amplitude(alone).value, erank_amplitude(chosen).value
    assert wrong is not None
    assert wrong > 1.03 * truth
    assert right == pytest.approx(truth, rel=2e-3)  # entries stored in float32 have full rank, at 1e-7


@pytest.mark.parametrize(("decay", "method"), [(0.0, "gram32"), (1.0, "gram32"), (12.0, "gram64")])
def test_redo_follows_the_spectrum(decay: float, method: str) -> None:
    values = np.exp(-decay * np.arange(700) / 700)
    spectrum = spectrum_of(with_values(values, 800, 700), float32_first((800, 700)))
    assert spectrum.method == method
    assert np.abs(spectrum.values - values).sum() < 5e-4 * values.sum()


def test_float32_that_stands_gives_the_measures() -> None:
    """Where no redo is made, every rank measure is right to 1e-5."""
    stream = generator(10, "stands")
    matrix = stream.normal(size=(720, 680)) + 20.0 * with_values(np.ones(4), 720, 680)
    spectrum = spectrum_of(matrix, float32_first(matrix.shape))
    assert spectrum.method == "gram32"
    assert_same_measures(spectrum, exact_spectrum(matrix), 1e-5)


def test_small_matrices_lose_no_digits() -> None:
    """A merged adapter of exact rank keeps its zeros: the Gram matrix alone would not."""
    values = np.concatenate([np.ones(16), np.zeros(112)])
    spectrum = spectrum_of(with_values(values, 128, 352))
    assert spectrum.method == "exact"
    assert spectrum.values[16] < 1e-14
    assert spectrum_of(generator(1, "small").normal(size=(128, 352))).method == "gram64"


def test_plan() -> None:
    assert plan_spectrum((639, 50_000)).method == plan_spectrum((50_000, 639)).method == "gram64"
    assert plan_spectrum((768, 768)).method == "gram64"
    large = plan_spectrum((4096, 11008))
    assert (large.method, large.fallback, large.device) == ("gram32", "gram64", "cpu")
    assert large.workspace_bytes <= 10 * 4096 * 11008 + (128 << 20)
    assert plan_spectrum((4096, 4096), precision="float64").method == "gram64"
    assert plan_spectrum((4096, 4096), precision="float32").fallback is None
    tight = plan_spectrum((4096, 4096), memory=100 << 20)
    assert (tight.method, tight.fallback) == ("gram32", None)
    poor = plan_spectrum((40960, 40960), memory=1 << 30)
    assert poor.method == "sketch"
    assert poor.workspace_bytes <= 1 << 30
    with pytest.raises(EnvironmentFault):
        plan_spectrum((40960, 40960), memory=1000)
    matrix = random_matrix(1, 5, 8, 0.1)
    assert spectrum_of(matrix).fingerprint == spectrum_of(matrix).fingerprint


def test_little_memory_gives_the_largest_values() -> None:
    matrix = with_values(0.7 ** np.arange(90), 120, 90)
    plan = dataclasses.replace(plan_spectrum(matrix.shape), method="sketch")
    spectrum = spectrum_of(Rows(matrix), plan)
    assert (spectrum.method, spectrum.kept, spectrum.complete) == ("sketch", 32, False)
    assert spectrum.values == pytest.approx(0.7 ** np.arange(32), abs=1e-9)
    assert spectrum.energy == pytest.approx(float(np.sum(matrix**2)), rel=1e-12)


@pytest.mark.parametrize("shape", [(1500, 200), (200, 1500)])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_streams_within_the_planned_workspace(shape: tuple[int, int], precision: str) -> None:
    source = Rows(generator(2, "stream").normal(size=shape))
    plan = plan_spectrum(shape, precision=precision, memory=12 << 20)  # type: ignore[arg-type]
    if shape[0] > shape[1]:
        plan = dataclasses.replace(plan, fallback=None)
    tracemalloc.start()
    try:
        spectrum_of(source, dataclasses.replace(plan, fallback=None))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    block = 8 * plan.block_rows * shape[1]
    assert peak <= plan.workspace_bytes + 2 * block
    assert source.passes == 1 if shape[0] > shape[1] else source.passes >= 2


def test_zero_matrix_has_its_own_method() -> None:
    for method in METHODS:
        for source in (np.zeros((3, 5)), Rows(np.zeros((3, 5))), Rows(np.zeros((5, 3)))):
            spectrum = method(source)
            assert (spectrum.method, spectrum.kept, spectrum.energy, spectrum.error_bound) == ("zero", 3, 0.0, 0.0)


@pytest.mark.parametrize("method", METHODS)
def test_hostile_matrices(method: Callable[[Source], Spectrum]) -> None:
    for bad in (np.array([[1.0, float("nan")]]), np.array([[float("inf")], [1.0]]), np.zeros((0, 4))):
        for source in (bad, Rows(bad)):
            with pytest.raises(Defect):
                method(source)
    with pytest.raises(DataError):
        method(np.full((2, 2), 1e200))
    tiny = method(np.diag([3e-160, 1e-160]))  # squares near the end of the range, fourth powers beyond it
    assert participation_ratio(tiny).value == pytest.approx(100 / 82, rel=1e-6)
    assert method(np.array([[5e-324]])).values[0] == pytest.approx(5e-324)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-300, 1e-30, 1e30, 1e150])
def test_scales(method: Callable[[Source], Spectrum], scale: float) -> None:
    """The largest entry decides the scale wherever it stands among the rows; what is far below it may vanish."""
    matrix = np.diag(np.array([1e-3, 1.0, 0.5])) * scale
    for one in (matrix, matrix[::-1]):
        found = method(Rows(one))
        truth = np.sort(np.abs(matrix.diagonal()))[::-1]
        assert np.all(np.abs(found.values - truth) <= found.error_bound + 4 * EPS * truth[0] + 5e-324)
    wide = np.array([[1e-300, 0.0], [0.0, 1e100], [0.0, 0.0]])
    assert method(Rows(wide)).values[0] == pytest.approx(1e100)


def test_entries_at_both_ends_of_the_range() -> None:
    for method in METHODS:
        assert method(Rows(np.diag([1e-300, 1e150, 1e-160]))).values[0] == pytest.approx(1e150)
        with pytest.raises(DataError):
            method(np.diag([1e-300, 1e300]))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_narrow_types_are_upcast_first(dtype: type) -> None:
    matrix = random_matrix(2, 6, 9, 0.1).astype(dtype)
    wide = matrix.astype(np.float64)
    assert spectrum_of(matrix).fingerprint == spectrum_of(wide).fingerprint
    before = matrix.copy()
    spectrum_of(matrix)
    assert np.array_equal(matrix, before)


@pytest.mark.parametrize("method", METHODS)
def test_input_is_left_alone(method: Callable[[Source], Spectrum]) -> None:
    for order in ("C", "F"):
        matrix = np.array(random_matrix(3, 6, 9, 0.1), order=order)  # type: ignore[call-overload]
        before = matrix.copy()
        method(matrix)
        assert np.array_equal(matrix, before)


def test_a_source_that_breaks_off_is_a_defect() -> None:
    class Short(Rows):
        @property
        def shape(self) -> tuple[int, int]:
            return 7, 4

    for method in METHODS:
        with pytest.raises(Defect, match="rows came from"):
            method(Short(np.ones((6, 4))))


def test_lapack_that_does_not_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    """One failing driver is replaced by the next; when all fail, the failure carries shape and drivers."""
    matrix = random_matrix(5, 9, 6, 0.1)
    truth = scipy.linalg.svdvals(matrix)
    real, tried = scipy.linalg.svd, list[str]()

    def first_fails(*args: object, lapack_driver: str, **rest: object) -> object:
        tried.append(lapack_driver)
        if len(tried) == 1:
            raise np.linalg.LinAlgError("SVD did not converge")
        return real(*args, lapack_driver=lapack_driver, **rest)  # type: ignore[call-overload]

    def all_fail(*args: object, lapack_driver: str, **rest: object) -> object:
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr(scipy.linalg, "svd", first_fails)
    assert singular_values(matrix) == pytest.approx(truth)
    assert tried == ["gesdd", "gesvd"]
    monkeypatch.setattr(scipy.linalg, "svd", all_fail)
    with pytest.raises(DecompositionFailure) as caught:
        exact_spectrum(matrix)
    assert caught.value.shape == (9, 6)
    assert caught.value.drivers == ("gesdd", "gesvd")
    again = DecompositionFailure(*caught.value.__reduce__()[1])  # type: ignore[misc]
    assert str(again) == str(caught.value)


def test_tridiagonal_that_does_not_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.linalg import lapack

    diagonal, beside = np.array([3.0, 2.0, 1.0]), np.array([0.5, 0.25])
    truth = tridiagonal_eigenvalues(diagonal, beside)

    def sterf(*_: object) -> tuple[np.ndarray, int]:
        return diagonal, 2

    def stebz(*_: object) -> tuple[int, np.ndarray, None, None, int]:
        return 0, diagonal, None, None, 1

    monkeypatch.setattr(lapack, "dsterf", sterf)
    assert tridiagonal_eigenvalues(diagonal, beside) == pytest.approx(truth, rel=1e-14)
    monkeypatch.setattr(lapack, "dstebz", stebz)
    with pytest.raises(DecompositionFailure, match="sterf, then stebz"):
        spectrum_of(random_matrix(5, 9, 6, 0.1))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(2048, 2048), (5632, 2048), (1024, 4096)])
def test_long_sizes_against_the_svd(shape: tuple[int, int]) -> None:
    matrix = generator(3, "long").standard_normal(shape, dtype=np.float32)
    spectrum, truth = spectrum_of(matrix), exact_spectrum(matrix)
    assert spectrum.method == "gram32"
    assert np.all(np.abs(spectrum.values - truth.values) <= spectrum.error_bound + truth.error_bound)
    assert_same_measures(spectrum, truth, 1e-5)
