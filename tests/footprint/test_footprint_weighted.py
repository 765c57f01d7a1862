"""Input-weighted spectra: against the dense root, invariance, the closed null, and files of moments."""

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray
from safetensors.numpy import save_file

from shadowgraph.errors import DataError
from shadowgraph.footprint.weighted import (
    input_root,
    open_moments,
    weighted_participation_ratio_null,
    weighted_readings,
    weighted_spectrum,
)
from shadowgraph.measures.null import participation_ratio_null
from shadowgraph.measures.rank import participation_ratio
from shadowgraph.seeds import generator
from shadowgraph.spectra.exact import exact_spectrum

Matrix = NDArray[np.float64]


def moments(n: int, rows: int, decay: float = 1.0) -> Matrix:
    """E x xᵀ over `rows` inputs whose coordinates fall off as a power."""
    inputs = generator(1, "inputs").standard_normal((rows, n)) * np.arange(1, n + 1) ** -decay
    return inputs.T @ inputs / rows


def test_spectrum_equals_that_of_the_symmetric_root() -> None:
    update = generator(2, "update").standard_normal((30, 24))
    second = moments(24, 200)
    values, vectors = scipy.linalg.eigh(second)
    dense = exact_spectrum(update @ (vectors * np.sqrt(values)) @ vectors.T)
    ours = weighted_spectrum(update, input_root(second))
    assert ours.values == pytest.approx(dense.values, rel=1e-9, abs=1e-9 * float(dense.values[0]))
    assert ours.energy == pytest.approx(float(np.trace(update @ second @ update.T)), rel=1e-10)


def test_fewer_inputs_than_columns_take_the_other_root() -> None:
    """A singular S has no Cholesky factor; the energy is still tr(D S Dᵀ)."""
    update, second = generator(3, "update").standard_normal((30, 24)), moments(24, 10)
    spectrum = weighted_spectrum(update, input_root(second))
    assert spectrum.energy == pytest.approx(float(np.trace(update @ second @ update.T)), rel=1e-7)
    assert np.count_nonzero(spectrum.values > 1e-6 * spectrum.values[0]) == 10


def test_folding_a_gain_into_the_next_matrix_changes_nothing() -> None:
    update, second = generator(4, "update").standard_normal((20, 16)), moments(16, 100)
    gain = np.exp(generator(4, "gain").standard_normal(16))
    plain = weighted_spectrum(update, input_root(second)).values
    folded = weighted_spectrum(update / gain[None, :], input_root(gain[:, None] * second * gain[None, :])).values
    assert folded == pytest.approx(plain, rel=1e-8, abs=1e-9 * float(plain[0]))


def test_diagonal_is_the_matrix_with_nothing_beside_it() -> None:
    update, scale = generator(5, "update").standard_normal((20, 16)), np.arange(1.0, 17.0)
    one, other = input_root(scale), input_root(np.diag(scale))
    assert one.spread == pytest.approx(other.spread, rel=1e-12)
    assert weighted_readings(update, one) == weighted_readings(update, other)


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
def test_null_agrees_with_simulation(decay: float) -> None:
    """150 × 100 Gaussian updates through inputs of falling size; 40 draws, 5 standard errors and 1 % bias."""
    root = input_root(moments(100, 1000, decay))
    stream = generator(6, "noise", str(decay))
    ratios = np.array(
        [
            participation_ratio(weighted_spectrum(stream.standard_normal((150, 100)), root)).value or 0.0
            for _ in range(40)
        ]
    )
    null = weighted_participation_ratio_null(150, root.spread)
    assert ratios.mean() == pytest.approx(null, abs=5 * ratios.std() / 40**0.5 + 0.01 * null)


def test_null_without_structure_is_the_plain_one() -> None:
    assert weighted_participation_ratio_null(40, 70.0) == pytest.approx(participation_ratio_null(40, 70), rel=1e-12)


def test_statuses() -> None:
    root = input_root(np.ones(5))
    assert weighted_readings(np.zeros((4, 5)), root)["weighted_concentration"].status == "no_change"
    assert weighted_readings(np.ones((1, 5)), root)["weighted_concentration"].status == "too_small"


def test_file_of_moments(tmp_path: Path) -> None:
    path = tmp_path / "moments.safetensors"
    second = moments(6, 50)
    save_file({"a.weight": second, "b.weight": second.copy(), "c.weight": np.ones(6, dtype=np.float32)}, path)
    stored = open_moments(path)
    first = stored.root("a.weight", 6)
    assert first is not None
    assert stored.root("b.weight", 6) is first
    assert first.root @ first.root.T == pytest.approx(second, rel=1e-12, abs=1e-15)
    diagonal = stored.root("c.weight", 6)
    assert diagonal is not None
    assert diagonal.root.shape == (6,)
    assert stored.root("d.weight", 6) is None
    with pytest.raises(DataError, match="for 7 inputs"):
        stored.root("a.weight", 7)


@pytest.mark.parametrize(
    "broken",
    [
        np.zeros((3, 3)),
        np.full(3, np.nan),
        np.array([1.0, -1.0]),
        np.array([[1.0, 0.5], [0.0, 1.0]]),
        np.array([[1.0, 2.0], [2.0, 1.0]]),
    ],
)
def test_no_second_moment(broken: Matrix) -> None:
    with pytest.raises(DataError):
        input_root(broken)
