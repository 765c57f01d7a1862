"""The torch route agrees with LAPACK within the bounds of both; run on torch's CPU device."""

import dataclasses

import ml_dtypes
import numpy as np
import pytest
from spectra_sources import Rows, random_matrix, with_values

from shadowgraph.errors import Defect, EnvironmentFault
from shadowgraph.spectra.exact import exact_spectrum
from shadowgraph.spectra.plan import Plan, Precision, plan_spectrum, spectrum_of

torch = pytest.importorskip("torch")


def plan(shape: tuple[int, int], precision: Precision) -> Plan:
    return plan_spectrum(shape, precision=precision, device="cpu")


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_agrees_with_lapack(precision: Precision, split: bool) -> None:
    from shadowgraph.spectra.accelerated import spectra_batch

    sources = [
        random_matrix(1, 90, 60, 0.0),
        random_matrix(2, 60, 90, 0.01),
        Rows(random_matrix(3, 90, 60, 0.1)),
        np.zeros((90, 60)),
        random_matrix(4, 90, 60, 0.0).astype(ml_dtypes.bfloat16),
        random_matrix(5, 60, 90, 0.0) * 1e-140,
    ]
    found = spectra_batch(sources, dataclasses.replace(plan((90, 60), precision), fallback=None), split=split)
    expected = "gram64" if precision == "float64" else "gram32"
    for source, spectrum in zip(sources, found, strict=True):
        truth = exact_spectrum(source)
        assert spectrum.method == (expected if truth.energy else "zero")
        assert spectrum.shape == truth.shape
        assert spectrum.energy == truth.energy
        assert np.all(np.abs(spectrum.values - truth.values) <= spectrum.error_bound + truth.error_bound)
        assert spectrum.error_bound <= 5e-3 * spectrum.values[0]


def test_redo_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    from shadowgraph.spectra import accelerated

    monkeypatch.setattr(accelerated, "_BATCH", 2 * 40 * 40)
    flat = [random_matrix(seed, 60, 40, 0.0) for seed in range(5)]
    sources = [*flat, with_values(np.array([1.0, 0.5]), 60, 40)]
    chosen = dataclasses.replace(plan((60, 40), "float32"), fallback="gram64")
    found = accelerated.spectra_batch(sources, chosen)
    assert [spectrum.method for spectrum in found] == ["gram32"] * 5 + ["gram64"]
    for source, spectrum in zip(sources, found, strict=True):
        assert spectrum.values == pytest.approx(exact_spectrum(source).values, abs=1e-6 * spectrum.values[0])
    assert found[0].fingerprint == accelerated.spectra_batch(sources[:1], chosen)[0].fingerprint


def test_devices() -> None:
    from shadowgraph.spectra.accelerated import spectra_batch

    if not torch.cuda.is_available():
        with pytest.raises(EnvironmentFault):
            spectrum_of(np.ones((3, 2)), plan_spectrum((3, 2), device="cuda"))
    with pytest.raises(Defect):
        spectra_batch([np.array([[np.nan, 1.0]])], plan((1, 2), "float64"))
    assert spectra_batch([], plan((1, 2), "float64")) == []


def test_solver_that_does_not_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    from shadowgraph.spectra.accelerated import spectra_batch
    from shadowgraph.spectra.failure import DecompositionFailure

    def fails(matrix: object) -> object:
        raise torch.linalg.LinAlgError("failed to converge")  # pyright: ignore[reportPrivateImportUsage]

    monkeypatch.setattr(torch.linalg, "eigvalsh", fails)
    with pytest.raises(DecompositionFailure):
        spectra_batch([np.ones((3, 2))], plan((3, 2), "float64"))
