"""Laws and golden numbers of the ranks."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.measures import rank
from shadowgraph.measures.spectrum import Spectrum

RANKS = [
    rank.stable_rank,
    rank.renyi_4,
    rank.participation_ratio,
    rank.erank_energy,
    rank.nuclear_ratio,
    rank.erank_amplitude,
]


def make(values: list[float], columns: int | None = None) -> Spectrum:
    array = np.sort(np.array(values, dtype=np.float64))[::-1]
    return Spectrum(array, (array.size, columns or array.size), float(np.sum(array**2)), "exact", 0.0)


# Ratios down to 1e-12 and exact zeros: squares and fourth powers of small values must not disturb anything.
spectra = (
    st.lists(st.one_of(st.just(0.0), st.floats(1e-12, 1.0), st.floats(0.5, 1.0)), min_size=1, max_size=40)
    .filter(lambda values: max(values) > 0)
    .map(make)
)


def values_of(spectrum: Spectrum) -> list[float]:
    readings = [measure(spectrum).value for measure in RANKS]
    return [value for value in readings if value is not None]


@given(spectra)
def test_ranks_are_ordered_and_bounded(spectrum: Spectrum) -> None:
    ranks = values_of(spectrum)
    assert len(ranks) == 6
    for lower, upper in itertools.pairwise(ranks):
        assert lower <= upper * (1 + 1e-12)
    assert ranks[0] >= 1 - 1e-12
    assert ranks[-1] <= np.count_nonzero(spectrum.values) * (1 + 1e-12)


@given(spectra, st.integers(-300, 300))
def test_ranks_ignore_scale(spectrum: Spectrum, exponent: int) -> None:
    factor = 10.0 ** (exponent / 2)  # energies from 1e-300 to 1e300
    scaled = spectrum.values * factor
    other = Spectrum(scaled, spectrum.shape, float(np.sum(scaled**2)), "exact", 0.0)
    assert values_of(other) == pytest.approx(values_of(spectrum), rel=1e-9)


@pytest.mark.parametrize("size", [1, 2, 7, 128])
def test_flat_spectrum_has_full_rank_and_a_single_value_rank_one(size: int) -> None:
    assert values_of(make([3.0] * size)) == pytest.approx([size] * 6, rel=1e-12)
    assert values_of(make([3.0] + [0.0] * (size - 1))) == pytest.approx([1.0] * 6, abs=1e-12)


def test_golden_two_values() -> None:
    """Closed form for s = (2, 1): q = (4/5, 1/5), p = (2/3, 1/3); tolerance: rounding."""
    energy = math.exp(-(0.8 * math.log(0.8) + 0.2 * math.log(0.2)))
    amplitude = math.exp(-(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3)))
    assert values_of(make([2.0, 1.0])) == pytest.approx(
        [1.25, (257 / 625) ** (-1 / 3), 25 / 17, energy, 9 / 5, amplitude], rel=1e-14
    )


def test_zero_and_incomplete_have_a_status() -> None:
    zero = Spectrum(np.zeros(3), (3, 4), 0.0, "zero", 0.0)
    part = Spectrum(np.array([2.0, 1.0]), (3, 4), 6.0, "exact", 0.0)
    assert {measure(zero).status for measure in [*RANKS, rank.concentration]} == {"no_change"}
    assert rank.stable_rank(part).value == pytest.approx(1.5)  # 6 / 2², from the exact energy
    assert {measure(part).status for measure in [*RANKS[1:], rank.concentration]} == {"incomplete_spectrum"}


def test_concentration_golden() -> None:
    """k of a rank-1 update of 128×352 is ln PR0, PR0 = 128·352/481 = 93.67; of a flat one ln(PR0/128)."""
    null = math.log(128 * 352 / 481)
    assert rank.concentration(make([1.0] + [0.0] * 127, 352)).value == pytest.approx(null, rel=1e-12)
    assert rank.concentration(make([1.0] * 128, 352)).value == pytest.approx(null - math.log(128), rel=1e-12)
    assert rank.concentration(make([1.0], 352)).status == "too_small"


@given(spectra.filter(lambda spectrum: spectrum.kept > 1))
def test_more_weight_on_the_first_value_never_lowers_concentration(spectrum: Spectrum) -> None:
    sharper = spectrum.values.copy()
    sharper[0] *= 2
    other = Spectrum(sharper, spectrum.shape, float(np.sum(sharper**2)), "exact", 0.0)
    before, after = rank.concentration(spectrum).value, rank.concentration(other).value
    assert before is not None
    assert after is not None
    assert after >= before - 1e-12


@given(spectra)
def test_the_profile_falls_and_meets_the_named_ranks(spectrum: Spectrum) -> None:
    orders = (0.0, 0.25, 0.5, 0.999, 1.0, 1.001, 2.0, 4.0, 50.0, math.inf)
    profile = [reading.value for reading in rank.renyi_profile(spectrum, orders)]
    numbers = [value for value in profile if value is not None]
    assert len(numbers) == len(orders)
    assert all(upper >= lower * (1 - 1e-9) for upper, lower in itertools.pairwise(numbers))
    named = [rank.nuclear_ratio, rank.erank_energy, rank.participation_ratio, rank.renyi_4, rank.stable_rank]
    places = (2, 4, 6, 7, 9)
    assert [numbers[place] for place in places] == pytest.approx([each(spectrum).value for each in named], rel=1e-9)


def test_the_profile_equals_scipy_and_refuses_nonsense() -> None:
    """Order 0 counts; order 1 is scipy's entropy."""
    import scipy.stats

    spectrum = make([3.0, 2.0, 1.0, 0.0])
    count, shannon = (reading.value for reading in rank.renyi_profile(spectrum, (0.0, 1.0)))
    assert count == pytest.approx(3.0)
    assert shannon == pytest.approx(math.exp(float(scipy.stats.entropy([9.0, 4.0, 1.0]))), rel=1e-14)
    zero = Spectrum(np.zeros(3), (3, 4), 0.0, "zero", 0.0)
    assert {reading.status for reading in rank.renyi_profile(zero, (1.0, 2.0))} == {"no_change"}
    for order in (-1.0, float("nan")):
        with pytest.raises(Defect):
            rank.renyi_profile(spectrum, (order,))
