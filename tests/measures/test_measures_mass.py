"""Leading shares and counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.measures import mass, rank
from shadowgraph.measures.spectrum import Spectrum


def make(values: list[float], size: int | None = None, energy: float | None = None) -> Spectrum:
    array = np.sort(np.array(values, dtype=np.float64))[::-1]
    total = float(np.sum(array**2)) if energy is None else energy
    return Spectrum(array, (size or array.size, 1000), total, "exact", 0.0)


def test_flat_spectrum_golden() -> None:
    """Closed form for 200 equal values: C_k = k/200, k90 = 180, k99 = 198."""
    flat = make([0.1] * 200)
    expected = {mass.energy_top1: 1 / 200, mass.energy_top8: 8 / 200, mass.energy_top32: 32 / 200}
    for measure, share in {**expected, mass.energy_top1pct: 2 / 200, mass.k90: 180, mass.k99: 198}.items():
        assert measure(flat).value == pytest.approx(share, rel=1e-12)


@pytest.mark.parametrize(("size", "leading"), [(2, 1), (100, 1), (101, 2), (700, 7), (701, 8)])
def test_leading_hundredth_rounds_up(size: int, leading: int) -> None:
    assert mass.energy_top1pct(make([1.0] * size)).value == pytest.approx(leading / size, rel=1e-12)


@pytest.mark.parametrize("size", [1, 8, 32])
def test_a_share_of_everything_is_too_small(size: int) -> None:
    measure = {1: mass.energy_top1, 8: mass.energy_top8, 32: mass.energy_top32}[size]
    assert measure(make([1.0] * size)).status == "too_small"
    assert measure(make([1.0] * (size + 1))).value == pytest.approx(size / (size + 1))


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=60).map(make))
def test_counts_are_the_smallest_that_reach(spectrum: Spectrum) -> None:
    shares = np.cumsum(spectrum.values**2) / np.sum(spectrum.values**2)
    for measure, target in ((mass.k90, 0.9), (mass.k99, 0.99)):
        count = measure(spectrum).value
        assert count is not None
        assert shares[int(count) - 1] >= target - 1e-9
        assert count == 1 or shares[int(count) - 2] < target + 1e-9
    top, stable = mass.energy_top1(spectrum).value, rank.stable_rank(spectrum).value
    assert top is not None
    assert stable is not None
    assert top * stable == pytest.approx(1.0, rel=1e-12)


def test_incomplete_spectrum_uses_the_exact_energy() -> None:
    part = make([3.0, 1.0], size=50, energy=10.5)
    assert mass.energy_top1(part).value == pytest.approx(9 / 10.5)
    assert mass.k90(part).value == 2.0
    assert mass.k99(part).status == "incomplete_spectrum"
    assert mass.energy_top8(part).status == "incomplete_spectrum"
    assert mass.k90(Spectrum(np.zeros(2), (2, 2), 0.0, "zero", 0.0)).status == "no_change"
