"""Sizes."""

import math

import numpy as np
import pytest

from shadowgraph.errors import Defect
from shadowgraph.measures.geometry import log_spectral_norm, relative_norm, zero_fraction
from shadowgraph.measures.spectrum import Reading, Spectrum


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
