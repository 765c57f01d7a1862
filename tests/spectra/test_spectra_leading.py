"""The largest values and their vectors, from every method and kind of source."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spectra_sources import Rows, float32_first, matrices, with_values

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.spectra.leading import Leading, leading
from shadowgraph.spectra.plan import plan_spectrum


def check(found: Leading, matrix: np.ndarray) -> None:
    """Orthonormal vectors, a residual that holds, and a singular value within it of every value."""
    truth = np.linalg.svd(matrix, compute_uv=False)
    k = found.values.size
    slack = 1e-13 * truth[0]
    assert found.left.shape == (matrix.shape[0], k)
    assert found.right.shape == (matrix.shape[1], k)
    for vectors in (found.left, found.right):
        assert vectors.T @ vectors == pytest.approx(np.eye(k), abs=1e-12)
    lost = matrix @ found.right - found.left * found.values, matrix.T @ found.left - found.right * found.values
    size = np.sqrt(sum(np.square(part).sum(axis=0) for part in lost) / 2.0)
    assert np.all(size <= found.residual + slack)
    assert np.all(np.abs(found.values[:, None] - truth).min(axis=1) <= found.residual + slack)
    assert np.all(found.values <= truth[:k] + slack)
    assert found.energy == pytest.approx(float(np.sum(matrix**2)), rel=1e-12)


@given(matrices, st.sampled_from(["gram64", "gram32", "sketch"]), st.booleans(), st.integers(1, 24))
@settings(max_examples=40)
def test_vectors_values_and_residual(matrix: np.ndarray, method: str, stored: bool, k: int) -> None:
    k = min(k, *matrix.shape)
    plan = dataclasses.replace(plan_spectrum(matrix.shape), method=method, fallback=None)
    found = leading(Rows(matrix) if stored else matrix, k, plan)
    assert found.method == method
    check(found, matrix)
    near = 1e-4 if method == "gram32" else 1e-6  # near the floor of float32 a Ritz value may miss a little
    assert found.values == pytest.approx(
        np.linalg.svd(matrix, compute_uv=False)[:k], abs=near * float(np.linalg.norm(matrix))
    )


@pytest.mark.parametrize("shape", [(760, 700), (700, 760)])
def test_spikes_in_noise(shape: tuple[int, int]) -> None:
    """Four planted directions are found, with values to second order of float32's vectors."""
    stream = generator(3, "spikes")
    planted = 120.0 * with_values(np.array([4.0, 3.0, 2.0, 1.0]), *shape)
    matrix = stream.normal(size=shape) + planted
    found = leading(matrix, 6, float32_first(shape))
    assert found.method == "gram32"
    check(found, matrix)
    assert found.values == pytest.approx(np.linalg.svd(matrix, compute_uv=False)[:6], rel=1e-9)
    left = np.linalg.svd(planted)[0][:, :4]
    assert np.linalg.norm(left.T @ found.left[:, :4]) ** 2 / 4.0 > 0.9


def test_zero_and_hostile() -> None:
    found = leading(np.zeros((4, 6)), 2)
    assert np.array_equal(found.values, np.zeros(2))
    assert found.left.shape == (4, 2)
    assert found.right.shape == (6, 2)
    for k in (0, 5):
        with pytest.raises(Defect):
            leading(np.ones((4, 6)), k)
    with pytest.raises(Defect):
        leading(np.array([[1.0, np.nan]]), 1)
    tiny = leading(np.diag([3e-200, 1e-200]), 2)
    assert tiny.values == pytest.approx([3e-200, 1e-200], rel=1e-12)
