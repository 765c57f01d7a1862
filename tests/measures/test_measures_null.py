"""Closed-form nulls against simulation, and the storage correction against a bfloat16 update of known rank."""

import ml_dtypes
import numpy as np
import pytest

from shadowgraph.errors import Defect
from shadowgraph.measures import null
from shadowgraph.measures.spectrum import Reading
from shadowgraph.seeds import generator


def moments(matrix: np.ndarray) -> tuple[float, float]:
    """‖A‖_F² and tr((AAᵀ)²), no decomposition."""
    return float(np.sum(matrix**2)), float(np.sum((matrix @ matrix.T) ** 2))


@pytest.mark.parametrize(("m", "n", "expected"), [(128, 128, 63.75), (352, 128, 93.67), (128, 352, 93.67)])
def test_participation_ratio_null_golden(m: int, n: int, expected: float) -> None:
    """Arithmetic of mn/(m + n + 1), to the printed digits."""
    assert null.participation_ratio_null(m, n) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(("m", "n"), [(128, 128), (128, 352), (16, 200)])
def test_participation_ratio_null_by_simulation(m: int, n: int) -> None:
    """Mean PR of 60 dense Gaussian matrices; tolerance 5 standard errors plus the O(1/mn) bias of a ratio."""
    stream = generator(11, "dense", str(m), str(n))
    pairs = [moments(stream.normal(size=(m, n))) for _ in range(60)]
    ratios = np.array([energy**2 / fourth for energy, fourth in pairs])
    expected = null.participation_ratio_null(m, n)
    assert abs(ratios.mean() - expected) < 5 * ratios.std(ddof=1) / 60**0.5 + 4 * expected / (m * n)


@pytest.mark.parametrize(("r", "m", "n", "stated"), [(16, 512, 512, 15.06), (64, 512, 352, 48.8), (8, 128, 352, 7.37)])
def test_adapter_null_by_simulation(r: int, m: int, n: int, stated: float) -> None:
    """Mean PR of 60 products of Gaussian factors, and published values where the shape is known; tolerance 1.5 %."""
    stream = generator(12, "adapter", str(r))
    ratios: list[float] = []
    for _ in range(60):
        energy, fourth = moments(stream.normal(size=(m, r)) @ stream.normal(size=(r, n)))
        ratios.append(energy**2 / fourth)
    expected = null.adapter_participation_ratio_null(r, m, n)
    assert float(np.mean(ratios)) == pytest.approx(expected, rel=0.015)
    if (r, m, n) == (16, 512, 512):
        assert expected == pytest.approx(stated, abs=0.005)


def test_adapter_null_tends_to_the_dense_null() -> None:
    assert null.adapter_participation_ratio_null(10**9, 128, 352) == pytest.approx(
        null.participation_ratio_null(128, 352), rel=0.003
    )
    dense, adapter = null.participation_ratio_null(512, 512), null.adapter_participation_ratio_null(16, 512, 512)
    assert np.log(dense / adapter) == pytest.approx(2.83, abs=0.01)


def test_limits_by_simulation() -> None:
    """Top singular value of 8 dense draws of 300×600: within 3 % of its edge; the stable rank within 4 %."""
    stream = generator(13, "edge")
    draws = [stream.normal(scale=0.02, size=(300, 600)) for _ in range(8)]
    tops = np.array([np.linalg.norm(draw, 2) for draw in draws])
    assert tops.mean() == pytest.approx(null.marchenko_pastur_edge(300, 600, 0.02), rel=0.03)
    stable = np.mean([np.sum(draw**2) / top**2 for draw, top in zip(draws, tops, strict=True)])
    assert stable == pytest.approx(null.stable_rank_limit(300, 600), rel=0.04)
    assert null.stable_rank_limit(300, 600) == pytest.approx(600 / (1 + 2**0.5) ** 2)
    assert null.stable_rank_limit(600, 300) == null.stable_rank_limit(300, 600)


def test_denoising_is_unbiased_for_gaussian_noise() -> None:
    """Mean of F and Q over 400 noise draws returns the clean moments; tolerance 5 standard errors."""
    stream = generator(14, "noise")
    m, n, variance = 24, 40, 0.02
    clean = stream.normal(size=(m, 3)) @ stream.normal(size=(3, n)) / 5
    energy, fourth = moments(clean)
    estimates: list[tuple[float, float]] = []
    for _ in range(400):
        noisy_energy, noisy_fourth = moments(clean + stream.normal(scale=variance**0.5, size=(m, n)))
        left = noisy_energy - variance * m * n
        squares = variance**2 * m * n * (m + n + 1)
        estimates.append((left, noisy_fourth - 2 * (m + n + 1) * variance * left - squares))
        reading = null.denoised_participation_ratio(noisy_energy, noisy_fourth, m, n, variance)
        assert reading.value is not None
        assert reading.value == pytest.approx(max(1.0, estimates[-1][0] ** 2 / estimates[-1][1]), rel=1e-9)
    found = np.array(estimates)
    error = found.std(axis=0, ddof=1) / 20
    assert np.all(np.abs(found.mean(axis=0) - (energy, fourth)) < 5 * error)


@pytest.mark.parametrize(
    ("rho", "raw", "share", "corrected"), [(1e-2, 8.4, 0.03, 8.0), (3e-3, 12.2, 0.21, 7.8), (1e-3, 34.0, 0.87, None)]
)
def test_denoising_of_a_bfloat16_update(rho: float, raw: float, share: float, corrected: float | None) -> None:
    """512×512, flat rank 8 stored in bfloat16. Origin: simulation with known truth 8; tolerances as written."""
    stream = generator(3, "bf16")

    def stored(matrix: np.ndarray) -> np.ndarray:
        return matrix.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)

    base = stored(stream.normal(scale=0.02, size=(512, 512)))
    left, right = (np.linalg.qr(stream.normal(size=(512, 8)))[0] for _ in range(2))
    update = left @ right.T
    update *= rho * np.linalg.norm(base) / np.linalg.norm(update)
    difference = stored(base + update) - base
    energy, fourth = moments(difference)
    variance = float(np.mean((difference - update) ** 2))
    assert energy**2 / fourth == pytest.approx(raw, rel=0.05)
    assert null.storage_floor_share(energy, 512, 512, variance) == pytest.approx(share, abs=0.005 + 0.02 * share)
    reading = null.denoised_participation_ratio(energy, fourth, 512, 512, variance)
    if corrected is None:
        assert reading == Reading(None, "floor")
    else:
        assert reading.value == pytest.approx(corrected, abs=0.05)


def test_denoising_edges() -> None:
    assert null.denoised_participation_ratio(0.0, 0.0, 4, 4, 0.1) == Reading(None, "no_change")
    assert null.denoised_participation_ratio(2.0, 2.0, 4, 4, 0.0).value == pytest.approx(2.0)
    assert null.denoised_participation_ratio(1e-200, 1e-400, 4, 4, 0.0).status == "floor"  # fourth moment underflows
    with pytest.raises(Defect):
        null.denoised_participation_ratio(1.0, 1.0, 4, 4, -1.0)
    with pytest.raises(Defect):
        null.participation_ratio_null(0, 4)
    with pytest.raises(Defect):
        null.storage_floor_share(0.0, 4, 4, 0.1)
    with pytest.raises(Defect):
        null.marchenko_pastur_edge(4, 4, -1.0)


def test_edges_are_symmetric_ordered_and_guarded() -> None:
    """Stricter rates lie higher, and the edge tends to that of Marchenko and Pastur."""
    edges = [null.tracy_widom_edge(100, 300, 2.0, false_alarm=rate) for rate in (0.5, 0.1, 0.01, 0.001)]
    assert edges == sorted(edges)
    assert edges[2] == null.tracy_widom_edge(300, 100, 2.0)
    assert null.tracy_widom_edge(10**6, 10**6) == pytest.approx(null.marchenko_pastur_edge(10**6, 10**6), rel=1e-3)
    shapes = np.array([100, 7]), np.array([300, 9])
    assert null.tracy_widom_edges(*shapes, 0.01) == pytest.approx([edges[2] / 2, null.tracy_widom_edge(7, 9)])
    for arguments in [(0, 4, 1.0, 0.1), (4, 4, -1.0, 0.1), (4, 4, 1.0, 0.0)]:
        with pytest.raises(Defect):
            null.tracy_widom_edge(*arguments[:3], false_alarm=arguments[3])
