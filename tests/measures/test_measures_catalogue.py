"""The catalogue: permanent keys, whole entries, and entries that say the truth about direction and scale."""

import numpy as np
import pytest

from shadowgraph.errors import Defect
from shadowgraph.measures.catalogue import CATALOGUE, evaluate, evaluate_all
from shadowgraph.measures.entries import NEEDS, OBJECTS
from shadowgraph.measures.exponents import KEYS as TAIL_KEYS
from shadowgraph.measures.spectrum import Spectrum

RANKS = ["participation_ratio", "erank_energy", "erank_amplitude", "stable_rank", "nuclear_ratio", "renyi_4"]
SHARES = ["energy_top1", "energy_top8", "energy_top32", "energy_top1pct", "k90", "k99", "spike_count", "spike_energy"]
SIZES = ["log_spectral_norm", "log_frobenius_norm"]
SPECTRAL = [*RANKS, *SHARES, *SIZES]
STATES = ["alpha", "alpha_hat", "log_alpha_norm", "hill_alpha", "mp_softrank"]
OTHERS = [
    "relative_norm", "radial_share", "cosine", "spectral_drift", "variance_of_change", "zero_fraction",
    "zero_fraction_1e5", "zero_fraction_step", "row_share", "column_share", "floor_share", "trap_count",
    "weighted_participation_ratio", "weighted_concentration", "base_overlap_left", "base_overlap_right",
    "base_block_energy", "base_rotation_left", "base_rotation_right", "intruder", "run_overlap_left",
    "run_overlap_right", "energy_share", "energy_gini", "effective_matrices", "depth_centre",
]  # fmt: skip


def decaying(rate: float, scale: float = 1.0) -> Spectrum:
    values = scale * np.exp(-rate * np.arange(200))
    return Spectrum(values, (200, 300), float(np.sum(values**2)), "exact", 0.0)


def noisy(strength: float = 3.0, scale: float = 1.0) -> Spectrum:
    """Noise of 400 × 500 with heavy-tailed leading values, so that every measure has a number."""
    values = scale * (np.linspace(20.0, 40.0, 400)[::-1] + strength * 10 * np.arange(1, 401) ** -0.9)
    return Spectrum(values, (400, 500), float(np.sum(values**2)), "exact", 0.0)


def test_keys_are_permanent() -> None:
    assert list(CATALOGUE) == [*SPECTRAL, *TAIL_KEYS, *OTHERS]
    assert all(key == entry.key for key, entry in CATALOGUE.items())


def test_every_entry_is_whole() -> None:
    for entry in CATALOGUE.values():
        assert entry.weights in {"s", "s²", "—"}
        texts = [entry.symbol, entry.formula, entry.lower, entry.upper, entry.direction, entry.null, entry.misleads]
        assert all(texts)
        assert entry.source


def test_every_entry_says_where_it_holds_and_what_it_needs() -> None:
    for entry in CATALOGUE.values():
        assert entry.objects
        assert entry.objects <= set(OBJECTS)
        assert entry.needs in NEEDS
        assert (entry.needs == "spectrum") == (entry.function is not None)
        assert entry.needs in {"spectrum", "model", "entries"} or entry.objects == {"O3"}
    assert {key for key, entry in CATALOGUE.items() if entry.objects == {"O1"}} == {
        *(set(TAIL_KEYS) - set(STATES)), "trap_count",
    }  # fmt: skip
    assert [key for key, entry in CATALOGUE.items() if entry.objects == {"O1", "O2"}] == STATES


def test_evaluate_all_covers_the_spectral_measures() -> None:
    spectrum = noisy()
    assert evaluate_all(spectrum) == evaluate_all(spectrum, "O3")
    for what, keys in (("O3", SPECTRAL), ("O2", [*SPECTRAL, *STATES]), ("O1", [*SPECTRAL, *TAIL_KEYS])):
        readings = evaluate_all(spectrum, what)
        assert list(readings) == keys
        assert all(reading == evaluate(key, spectrum) for key, reading in readings.items())
        assert {reading.status for reading in readings.values()} == {"ok"}
    zero = Spectrum(np.zeros(4), (4, 4), 0.0, "zero", 0.0)
    assert {reading.status for reading in evaluate_all(zero, "O1").values()} == {"no_change"}


def test_the_floor_reaches_the_spikes_alone() -> None:
    plain, raised = evaluate_all(noisy()), evaluate_all(noisy(), floor_variance=1e9)
    assert {key for key in plain if plain[key] != raised[key]} == {"spike_count", "spike_energy"}
    assert raised["spike_count"].value == 0


@pytest.mark.parametrize(("what", "floor"), [("O4", 0.0), ("O1", -1.0), ("O1", float("nan"))])
def test_an_unknown_object_or_floor_is_refused(what: str, floor: float) -> None:
    with pytest.raises(Defect):
        evaluate_all(noisy(), what, floor_variance=floor)


def test_direction_is_what_the_measure_does() -> None:
    blunt, sharp = evaluate_all(decaying(0.01)), evaluate_all(decaying(0.1))
    for key in [*RANKS, *SHARES[:-2], *SIZES]:
        first, second = blunt[key].value, sharp[key].value
        assert first is not None
        assert second is not None
        expected = CATALOGUE[key].direction_sign if key != "log_frobenius_norm" else -1  # a faster decay is smaller
        assert np.sign(second - first) == expected, key
    few, many = evaluate_all(noisy(2.0), "O1"), evaluate_all(noisy(4.0), "O1")
    for key in ("spike_energy", "mp_softrank"):
        assert np.sign((many[key].value or 0.0) - (few[key].value or 0.0)) == CATALOGUE[key].direction_sign


def test_scale_free_is_what_the_measure_does() -> None:
    plain, large = (evaluate_all(noisy(scale=scale), "O1") for scale in (1.0, 1e6))
    for key, reading in plain.items():
        assert (large[key].value == pytest.approx(reading.value, rel=1e-9)) == CATALOGUE[key].scale_free, key


@pytest.mark.parametrize("key", ["relative_norm", "effective_rank"])
def test_what_a_spectrum_cannot_say_is_refused(key: str) -> None:
    with pytest.raises(Defect, match=key):
        evaluate(key, decaying(0.1))
