"""Products that are never formed have the values of those that are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import DataError, Defect
from shadowgraph.measures.rank import erank_amplitude, participation_ratio
from shadowgraph.seeds import generator
from shadowgraph.spectra.exact import exact_spectrum
from shadowgraph.spectra.factored import factored_difference, factored_spectrum


def factors(seed: int, m: int, r: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    stream = generator(seed, "factors")
    return stream.normal(size=(m, r)), stream.normal(size=(r, n))


sizes = st.integers(1, 20)


@given(st.integers(0, 10**6), sizes, sizes, sizes, st.sampled_from([1.0, -2.0, 0.125, 3e-7]))
@settings(max_examples=40)
def test_equal_to_the_dense_product(seed: int, m: int, r: int, n: int, scale: float) -> None:
    left, right = factors(seed, m, r, n)
    found, dense = factored_spectrum(left, right, scale), exact_spectrum(scale * left @ right)
    assert found.complete
    assert found.method == "factored"
    rank = min(m, r, n)
    assert np.all(np.abs(found.values - dense.values) <= found.error_bound + dense.error_bound)
    assert found.values[:rank] == pytest.approx(dense.values[:rank], rel=1e-10, abs=1e-12 * dense.values[0])
    assert np.all(found.values[rank:] == 0.0)
    assert found.energy == pytest.approx(dense.energy, rel=1e-11)


def test_adapter_of_a_layer() -> None:
    left, right = factors(1, 512, 16, 300)
    found = factored_spectrum(left.astype(np.float32), right.astype(np.float32), 2.0)
    dense = np.linalg.svd(
        2.0 * left.astype(np.float32).astype(float) @ right.astype(np.float32).astype(float), compute_uv=False
    )
    assert found.values[:16] == pytest.approx(dense[:16], rel=1e-10)
    assert erank_amplitude(found).status == participation_ratio(found).status == "ok"


def test_difference_of_products() -> None:
    (left, right), (base_left, base_right) = factors(2, 40, 3, 30), factors(3, 40, 5, 30)
    found = factored_difference(left, right, base_left, base_right)
    dense = np.linalg.svd(left @ right - base_left @ base_right, compute_uv=False)
    assert found.values[:8] == pytest.approx(dense[:8], rel=1e-10)
    assert np.all(found.values[8:] == 0.0)
    assert factored_difference(left, right, left.copy(), right.copy()).method == "zero"
    rotation = np.linalg.qr(generator(4, "q").normal(size=(3, 3)))[0]
    same = factored_difference(left @ rotation, rotation.T @ right, left, right)
    assert same.values[0] <= same.error_bound < 1e-11 * dense[0]


def test_hostile_factors() -> None:
    left, right = factors(5, 6, 2, 4)
    assert factored_spectrum(left * 0.0, right).method == factored_spectrum(left, right, 0.0).method == "zero"
    orthogonal = factored_spectrum(np.eye(4, 2), np.eye(4)[2:, :] * 0.0)
    assert orthogonal.method == "zero"
    big = factored_spectrum(left * 1e200, right * 1e-190)
    assert big.values == pytest.approx(factored_spectrum(left, right).values * 1e10, rel=1e-12)
    with pytest.raises(DataError):
        factored_spectrum(left * 1e200, right * 1e200)
    for bad in (np.full((6, 2), np.nan), np.zeros((6, 0))):
        with pytest.raises(Defect):
            factored_spectrum(bad, right[: bad.shape[1]])
    with pytest.raises(Defect):
        factored_spectrum(left, right, float("inf"))
