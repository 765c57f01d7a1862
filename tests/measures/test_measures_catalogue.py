"""The catalogue: permanent keys, whole entries, and entries that say the truth about direction and scale."""

import numpy as np
import pytest

from shadowgraph.errors import Defect
from shadowgraph.measures.catalogue import CATALOGUE, evaluate, evaluate_all
from shadowgraph.measures.spectrum import Spectrum

KEYS = [
    "participation_ratio",
    "erank_energy",
    "erank_amplitude",
    "stable_rank",
    "nuclear_ratio",
    "energy_top1",
    "energy_top8",
    "energy_top32",
    "energy_top1pct",
    "k90",
    "k99",
    "log_spectral_norm",
    "relative_norm",
    "zero_fraction",
]


def decaying(rate: float, scale: float = 1.0) -> Spectrum:
    values = scale * np.exp(-rate * np.arange(200))
    return Spectrum(values, (200, 300), float(np.sum(values**2)), "exact", 0.0)


def test_keys_are_permanent() -> None:
    assert list(CATALOGUE) == KEYS
    assert all(key == entry.key for key, entry in CATALOGUE.items())


def test_every_entry_is_whole() -> None:
    for entry in CATALOGUE.values():
        assert entry.weights in {"s", "s²", "—"}
        texts = [entry.symbol, entry.formula, entry.lower, entry.upper, entry.direction, entry.null, entry.misleads]
        assert all(texts)
        assert entry.source


def test_evaluate_all_covers_the_spectral_measures() -> None:
    spectrum = decaying(0.05)
    readings = evaluate_all(spectrum)
    assert list(readings) == KEYS[:-2]
    assert all(reading == evaluate(key, spectrum) for key, reading in readings.items())
    assert {reading.status for reading in readings.values()} == {"ok"}
    zero = Spectrum(np.zeros(4), (4, 4), 0.0, "zero", 0.0)
    assert {reading.status for reading in evaluate_all(zero).values()} == {"no_change"}


def test_direction_is_what_the_measure_does() -> None:
    blunt, sharp = evaluate_all(decaying(0.01)), evaluate_all(decaying(0.1))
    for key, reading in blunt.items():
        other = sharp[key].value
        assert reading.value is not None
        assert other is not None
        assert np.sign(other - reading.value) == CATALOGUE[key].direction_sign, key


def test_scale_free_is_what_the_measure_does() -> None:
    plain, large = evaluate_all(decaying(0.03)), evaluate_all(decaying(0.03, 1e6))
    for key, reading in plain.items():
        assert (large[key].value == pytest.approx(reading.value, rel=1e-9)) == CATALOGUE[key].scale_free, key


@pytest.mark.parametrize("key", ["relative_norm", "effective_rank"])
def test_what_a_spectrum_cannot_say_is_refused(key: str) -> None:
    with pytest.raises(Defect, match=key):
        evaluate(key, decaying(0.1))
