"""Spikes: calibration on noise, planted spikes, the edge law, and what must have a status instead of a number."""

import math

import ml_dtypes
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import Defect
from shadowgraph.footprint.nulls import gaussian_spectra
from shadowgraph.measures import null
from shadowgraph.measures.spectrum import Reading, Spectrum
from shadowgraph.measures.spikes import FALSE_ALARM, Spikes, spike_count, spike_energy, spike_readings, spikes
from shadowgraph.seeds import generator


def spectrum_of(matrix: np.ndarray, bound: float = 1e-12) -> Spectrum:
    values = np.linalg.svd(matrix, compute_uv=False)
    return Spectrum(values, matrix.shape, float(np.sum(matrix**2)), "exact", bound * float(values[0]))


def planted(seed: int, shape: tuple[int, int], strengths: list[float], noise: float = 1.0) -> np.ndarray:
    """Noise of one variance plus spikes, `strengths` in units of the noise's edge."""
    stream = generator(seed, "planted")
    left, right = (np.linalg.qr(stream.normal(size=(size, len(strengths))))[0] for size in shape)
    edge = math.sqrt(shape[0]) + math.sqrt(shape[1])
    return noise * (stream.normal(size=shape) + edge * (left * strengths) @ right.T)


# Golden quantiles of F1 as tabulated by Prähofer and Spohn and by Bejan (2005).
@pytest.mark.parametrize(
    ("probability", "quantile"),
    [(0.05, -3.1804), (0.5, -1.2686), (0.9, 0.4501), (0.95, 0.9793), (0.99, 2.0234), (0.999, 3.2724)],
)
def test_tracy_widom_quantiles(probability: float, quantile: float) -> None:
    """Tolerance: the printed digits."""
    assert null.tracy_widom_quantile(probability) == pytest.approx(quantile, abs=4e-4)
    assert null.tracy_widom_cdf(quantile) == pytest.approx(probability, abs=1e-4)


def test_kept_quantiles_are_what_a_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every quantile kept as a number, searched anew; a scan at the usual rate takes no determinant."""
    kept = dict(null._QUANTILES)  # pyright: ignore[reportPrivateUsage]
    for probability, quantile in kept.items():
        assert null._quantile(probability) == pytest.approx(quantile, abs=1e-9)  # pyright: ignore[reportPrivateUsage]
    null.tracy_widom_quantile.cache_clear()
    monkeypatch.setattr(null, "tracy_widom_cdf", lambda _: pytest.fail("a determinant was taken"))  # pyright: ignore[reportUnknownLambdaType]
    for rate in (FALSE_ALARM, 0.1, 0.05, 0.01, 0.005, 1e-4):
        assert null.tracy_widom_quantile(1.0 - rate) == kept[round(1.0 - rate, 12)]


def test_tracy_widom_moments() -> None:
    """Mean −1.2065336 and variance 1.6077810 of F1 (Tracy and Widom; Bornemann 2010), by quadrature of our F1."""
    grid = np.linspace(-8.0, 8.0, 161)
    law = np.array([null.tracy_widom_cdf(float(x)) for x in grid])
    mean = 8.0 - float(scipy.integrate.simpson(law, grid))
    square = 64.0 - float(scipy.integrate.simpson(2 * grid * law, grid))
    assert mean == pytest.approx(-1.2065336, abs=1e-4)
    assert square - mean**2 == pytest.approx(1.6077810, abs=1e-3)


@pytest.mark.parametrize(("shape", "draws"), [((16, 16), 800), ((40, 300), 600), ((128, 128), 400), ((128, 2048), 400)])
def test_noise_shows_no_spikes_at_the_declared_rate(shape: tuple[int, int], draws: int) -> None:
    """False alarms are no more than the declared rate allows (upper binomial limit at 1e-4), for three rates.

    The noise estimate holds the value under test, which makes small shapes stricter than declared, never laxer.
    """
    found = gaussian_spectra(shape, draws, generator(31, "noise", str(shape)))
    for rate in (0.05, 0.01, 0.001):
        alarms = sum(spikes(spectrum, false_alarm=rate).count != 0 for spectrum in found)
        assert alarms <= scipy.stats.binom.ppf(1 - 1e-4, draws, rate), rate
        if min(shape) >= 128:
            assert alarms >= scipy.stats.binom.ppf(1e-4, draws, rate), rate


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(2048, 128), (512, 3072), (8, 8), (8, 1000), (256, 256)])
def test_noise_at_length(shape: tuple[int, int]) -> None:
    """As above, 2,000 draws (200 of the larger)."""
    draws = 200 if min(shape) > 256 else 2000
    found = gaussian_spectra(shape, draws, generator(32, "noise", str(shape)))
    for rate in (0.05, 0.01):
        alarms = sum(spikes(spectrum, false_alarm=rate).count != 0 for spectrum in found)
        assert alarms <= scipy.stats.binom.ppf(1 - 1e-4, draws, rate), rate


@pytest.mark.parametrize(
    ("shape", "strengths"),
    [
        ((128, 352), [1.3] * 4),
        ((352, 128), [30.0, 8.0, 2.0, 1.3]),
        ((64, 64), [1.5] * 16),
        ((64, 512), [1.5] * 16),
        ((200, 200), [1e6, 1e4, 100.0, 1.4]),
    ],
)
@pytest.mark.parametrize("noise", [1e-9, 1.0])
def test_planted_spikes_are_counted_exactly(shape: tuple[int, int], strengths: list[float], noise: float) -> None:
    """Many equal ones do not hide each other, large ones do not hide small ones; the noise is found within 3 %."""
    for seed in range(3):
        matrix = planted(seed, shape, strengths, noise)
        found = spikes(spectrum_of(matrix))
        assert found.count == len(strengths)
        assert found.bulk_sd == pytest.approx(noise, rel=0.03)
        values = np.linalg.svd(matrix, compute_uv=False)
        assert found.energy_share == pytest.approx(np.sum(values[: len(strengths)] ** 2) / np.sum(values**2), rel=1e-9)


def test_detection_follows_the_phase_transition() -> None:
    """m/n = 1/4: below the threshold (mn)^(1/4) a spike leaves no trace, above it s1 is where theory says."""
    m, n = 150, 600
    stream = generator(41, "transition")
    threshold = (m * n) ** 0.25
    for factor, seen in [(0.7, False), (1.6, True), (2.5, True)]:
        theta = factor * threshold
        expected = math.sqrt((theta**2 + m) * (theta**2 + n)) / theta
        tops: list[float] = []
        for _ in range(6):
            left, right = (np.linalg.qr(stream.normal(size=(size, 1)))[0] for size in (m, n))
            spectrum = spectrum_of(stream.normal(size=(m, n)) + theta * left @ right.T)
            assert (spikes(spectrum).count == 1) == seen
            tops.append(float(spectrum.values[0]))
        assert not seen or float(np.mean(tops)) == pytest.approx(expected, rel=0.03)


@given(st.integers(0, 10**6), st.integers(8, 30), st.integers(8, 40), st.integers(0, 3), st.integers(-500, 400))
@settings(max_examples=40)
def test_count_ignores_scale_and_transposition(seed: int, m: int, n: int, count: int, exponent: int) -> None:
    matrix = planted(seed, (m, n), [3.0] * count) if count else generator(seed, "plain").normal(size=(m, n))
    plain, turned = spikes(spectrum_of(matrix)), spikes(spectrum_of(matrix.T))
    scaled = spikes(spectrum_of(matrix * 2.0**exponent))
    assert (plain.count, plain.status) == (turned.count, turned.status) == (scaled.count, scaled.status)
    if plain.status == "ok":
        assert plain.energy_share == pytest.approx(scaled.energy_share, rel=1e-9)
        assert plain.energy_share is not None
        assert (plain.energy_share > 0) == ((plain.count or 0) > 0)


@pytest.mark.parametrize(("shape", "rank"), [((40, 60), 1), ((40, 60), 16), ((64, 64), 32), ((300, 20), 10)])
def test_exact_low_rank_counts_its_rank(shape: tuple[int, int], rank: int) -> None:
    stream = generator(51, "rank", str(rank))
    found = spikes(spectrum_of(stream.normal(size=(shape[0], rank)) @ stream.normal(size=(rank, shape[1]))))
    assert (found.count, found.bulk_sd, found.status) == (rank, 0.0, "ok")
    assert found.energy_share == pytest.approx(1.0, abs=1e-12)


def test_dead_rows_are_left_out_of_the_noise() -> None:
    """Noise in 80 of 100 rows: the zeros are no bulk, and the 80 no spikes."""
    matrix = generator(52, "dead").normal(size=(100, 250))
    matrix[80:] = 0.0
    found = spikes(spectrum_of(matrix))
    assert found.count == 0
    assert found.bulk_sd == pytest.approx(1.0, rel=0.02)


def test_the_storage_floor_raises_the_edge() -> None:
    matrix = planted(53, (60, 90), [20.0, 3.0])
    spectrum = spectrum_of(matrix)
    assert spikes(spectrum).count == 2
    raised = spikes(spectrum, floor_variance=25.0)
    assert (raised.count, raised.bulk_sd) == (1, spikes(spectrum).bulk_sd)
    assert raised.edge == pytest.approx(null.tracy_widom_edge(60, 90, 5.0, false_alarm=0.001))
    assert spike_readings(spectrum, 25.0)["spike_count"] == Reading(1.0)
    low_rank = spectrum_of(np.diag([9.0, 1.0] + [0.0] * 18))
    assert spikes(low_rank, floor_variance=0.09).count == 1


@pytest.mark.parametrize("rho", [3e-2, 1e-2, 3e-3, 1e-3])
def test_rank_4_stored_in_bfloat16_shows_four_spikes(rho: float) -> None:
    """Four equal directions in 256×384 at relative norm rho; the floor is u²/12 of both sides, u one step of W0.

    Without the floor the rounding, which is larger where the update is, counts as spikes below 1e-2.
    """
    stream = generator(56, "bf16")

    def stored(matrix: np.ndarray) -> np.ndarray:
        return matrix.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)

    base = stored(stream.normal(scale=0.02, size=(256, 384)))
    left, right = (np.linalg.qr(stream.normal(size=(size, 4)))[0] for size in base.shape)
    update = 0.5 * rho * np.linalg.norm(base) * left @ right.T
    spectrum = spectrum_of(stored(base + update) - base)
    steps = 2.0 ** (np.floor(np.log2(np.abs(base))) - 7)
    assert spikes(spectrum, floor_variance=float(np.mean(steps**2)) / 6).count == 4
    assert (spikes(spectrum).count == 4) == (rho >= 1e-2)


def test_the_error_bound_raises_the_edge() -> None:
    matrix = np.diag([9.0, 1e-3] + [0.0] * 18)
    assert spikes(spectrum_of(matrix)).count == 2
    assert spikes(spectrum_of(matrix, bound=1e-3)).count == 1


def test_a_truncated_spectrum_counts_with_its_exact_energy() -> None:
    whole = spectrum_of(planted(54, (100, 140), [5.0, 4.0, 3.0]))
    for kept, expected in [(20, (3, "ok")), (4, (3, "ok")), (3, (None, "incomplete_spectrum"))]:
        part = Spectrum(whole.values[:kept], whole.shape, whole.energy, "exact", 0.0)
        assert (spikes(part).count, spikes(part).status) == expected
    noise = spectrum_of(generator(55, "noise").normal(size=(100, 140)))
    assert spikes(Spectrum(noise.values[:10], noise.shape, noise.energy, "sketch", 0.0)).count == 0


def test_what_has_no_count_has_a_status() -> None:
    zero = Spectrum(np.zeros(20), (20, 30), 0.0, "zero", 0.0)
    assert spikes(zero) == Spikes(None, None, None, None, "no_change")
    assert spikes(spectrum_of(np.eye(7, 30))).status == "too_small"
    smooth = Spectrum(np.exp(-0.2 * np.arange(100)), (100, 100), 1 / (1 - math.exp(-0.4)), "exact", 1e-9)
    assert spike_count(smooth) == spike_energy(smooth) == Reading(None, "no_bulk")
    assert spikes(spectrum_of(np.eye(20, 30))).count == 0  # flat: nothing stands out
    for options in ({"floor_variance": -1.0}, {"false_alarm": 0.0}, {"false_alarm": 1.0}):
        with pytest.raises(Defect):
            spikes(zero, **options)
