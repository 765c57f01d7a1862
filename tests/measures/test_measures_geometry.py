"""Sizes."""

import math

import numpy as np
import pytest

from shadowgraph.errors import Defect
from shadowgraph.measures.geometry import (
    cosine,
    log_frobenius_norm,
    log_spectral_norm,
    radial_share,
    relative_norm,
    row_share,
    spectral_drift,
    variance_of_change,
    zero_fraction,
    zero_fractions,
)
from shadowgraph.measures.spectrum import Reading, Spectrum
from shadowgraph.seeds import generator


def test_relative_norm() -> None:
    assert relative_norm(1.5, 3.0) == Reading(0.5)
    assert relative_norm(0.0, 3.0) == Reading(0.0)
    assert relative_norm(1.0, 0.0) == Reading(None, "no_base")
    for update, base in [(-1.0, 1.0), (1.0, float("nan")), (float("inf"), 1.0)]:
        with pytest.raises(Defect):
            relative_norm(update, base)


def test_zero_fraction() -> None:
    update = np.array([[0.0, -0.0, 1e-6], [-1e-5, 2.0, 1e-5]])
    assert zero_fraction(update) == Reading(2 / 6)
    assert zero_fraction(update, 1e-5) == Reading(5 / 6)
    for bad in (np.zeros((0, 3)), np.array([[float("nan")]])):
        with pytest.raises(Defect):
            zero_fraction(bad)
    with pytest.raises(Defect):
        zero_fraction(update, -1.0)


def test_log_spectral_norm_is_natural() -> None:
    spectrum = Spectrum(np.array([math.e, 1.0]), (2, 2), math.e**2 + 1, "exact", 0.0)
    assert log_spectral_norm(spectrum).value == pytest.approx(1.0, rel=1e-15)
    assert log_spectral_norm(Spectrum(np.zeros(2), (2, 2), 0.0, "zero", 0.0)) == Reading(None, "no_change")


def spectrum_of(matrix: np.ndarray) -> Spectrum:
    values = np.linalg.svd(matrix, compute_uv=False)
    return Spectrum(values, matrix.shape, float(np.sum(matrix**2)), "exact", 0.0)


def test_zero_fractions_rise_with_the_tolerance() -> None:
    update = np.array([[0.0, -0.0, 1e-6], [-1e-5, 2.0, 1e-5]])
    assert zero_fractions(update, (0.0, 1e-5, 3.0)) == (Reading(2 / 6), Reading(5 / 6), Reading(1.0))


def test_log_frobenius_norm_is_natural_and_keeps_its_range() -> None:
    for scale in (1e-150, 1.0, 1e150):
        spectrum = spectrum_of(scale * np.diag([3.0, 4.0]))
        assert log_frobenius_norm(spectrum).value == pytest.approx(math.log(5.0) + math.log(scale), abs=1e-12)
    part = Spectrum(np.array([4.0]), (2, 2), 25.0, "exact", 0.0)
    assert log_frobenius_norm(part).value == pytest.approx(math.log(5.0))
    assert log_frobenius_norm(Spectrum(np.zeros(2), (2, 2), 0.0, "zero", 0.0)) == Reading(None, "no_change")


def test_angles_with_the_base() -> None:
    """D = a W0 + b E with E orthogonal to W0: radial share a²/(a² + b²) at equal norms."""
    base, other = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
    update = 3.0 * base - 4.0 * other
    inner, energy = float(np.sum(update * base)), float(np.sum(update**2))
    assert radial_share(inner, 1.0, energy).value == pytest.approx(9 / 25)
    assert cosine(inner, 1.0, energy).value == pytest.approx(0.6)
    assert (radial_share(0.0, 1.0, 0.0).status, radial_share(0.0, 0.0, 1.0).status) == ("no_change", "no_base")
    for numbers in [(2.0, 1.0, 1.0), (0.0, -1.0, 1.0), (float("nan"), 1.0, 1.0)]:
        with pytest.raises(Defect):
            cosine(*numbers)


def test_noise_has_the_radial_share_of_its_null() -> None:
    """1/(mn) over 300 draws of 10 × 12; 5 standard errors of a χ² of one degree."""
    stream = generator(91, "radial")
    base = stream.normal(size=(10, 12))
    shares: list[float] = []
    for _ in range(300):
        update = stream.normal(size=base.shape)
        reading = radial_share(float(np.sum(update * base)), float(np.sum(base**2)), float(np.sum(update**2)))
        shares.append(reading.value or 0.0)
    assert np.mean(shares) == pytest.approx(1 / 120, abs=5 * math.sqrt(2 / 300) / 120)


def test_drift_is_blind_to_rotation_and_bounded_by_the_relative_norm() -> None:
    stream = generator(92, "drift")
    base = stream.normal(size=(9, 14))
    turn = np.linalg.qr(stream.normal(size=(9, 9)))[0]
    assert spectral_drift(spectrum_of(base), spectrum_of(turn @ base)).value == pytest.approx(0.0, abs=1e-12)
    assert spectral_drift(spectrum_of(base), spectrum_of(1.1 * base)).value == pytest.approx(0.1)
    moved = base + 0.3 * stream.normal(size=base.shape)
    drift = spectral_drift(spectrum_of(base), spectrum_of(moved)).value
    assert drift is not None
    assert 0 < drift <= np.linalg.norm(moved - base) / np.linalg.norm(base)
    zero, part = Spectrum(np.zeros(9), (9, 14), 0.0, "zero", 0.0), Spectrum(np.array([2.0]), (9, 14), 4.5, "exact", 0.0)
    assert spectral_drift(zero, spectrum_of(base)).status == "no_base"
    assert spectral_drift(part, spectrum_of(base)).status == "incomplete_spectrum"
    with pytest.raises(Defect):
        spectral_drift(spectrum_of(base), spectrum_of(base.T))


def test_variance_of_change_and_row_share() -> None:
    assert variance_of_change(2.0, 8.0) == Reading(0.25)
    assert variance_of_change(2.0, 0.0).status == "no_base"
    assert row_share(np.array([1.0, 3.0, 0.0])).value == pytest.approx(0.75)
    assert row_share(np.full(5, 1e308)).value == pytest.approx(0.2)
    assert row_share(np.zeros(3)) == Reading(None, "no_change")
    for bad in (np.zeros(0), np.array([-1.0]), np.array([float("nan")])):
        with pytest.raises(Defect):
            row_share(bad)
