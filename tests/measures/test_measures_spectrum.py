"""The promises of `Spectrum` and `Reading`: what they refuse and what they keep."""

import numpy as np
import pytest

from shadowgraph.errors import Defect
from shadowgraph.measures.spectrum import Reading, Spectrum, obstacle


def make(values: list[float], shape: tuple[int, int], energy: float | None = None) -> Spectrum:
    array = np.array(values, dtype=np.float64)
    return Spectrum(array, shape, float(np.sum(array**2)) if energy is None else energy, "exact", 0.0)


def test_spectrum_knows_its_size() -> None:
    whole, part = make([3.0, 2.0, 0.0], (3, 5)), make([3.0, 2.0], (3, 5), energy=14.0)
    assert (whole.kept, whole.complete, whole.zero) == (3, True, False)
    assert (part.kept, part.complete) == (2, False)
    assert "\n" not in repr(whole)
    assert "3×5" in repr(whole)


def test_spectrum_keeps_its_own_read_only_copy() -> None:
    array = np.array([2.0, 1.0])
    spectrum = Spectrum(array, (2, 2), 5.0, "exact", 0.0)
    array[0] = 9.0
    assert spectrum.values[0] == 2.0
    with pytest.raises(ValueError, match="read-only"):
        spectrum.values[0] = 1.0


def test_fingerprint_follows_content() -> None:
    assert make([2.0, 1.0], (2, 3)).fingerprint == make([2.0, 1.0], (2, 3)).fingerprint
    others = [make([2.0, 1.0], (3, 2)), make([2.0, 1.5], (2, 3)), make([2.0, 1.0], (2, 4))]
    assert len({make([2.0, 1.0], (2, 3)).fingerprint, *(other.fingerprint for other in others)}) == 4


@pytest.mark.parametrize(
    ("values", "shape", "energy", "method", "bound"),
    [
        ([1.0, 2.0], (2, 2), 5.0, "exact", 0.0),  # ascending
        ([1.0, -1.0], (2, 2), 2.0, "exact", 0.0),  # negative
        ([float("nan"), 1.0], (2, 2), 1.0, "exact", 0.0),
        ([float("inf"), 1.0], (2, 2), 1.0, "exact", 0.0),
        ([1.0, 1.0, 1.0], (2, 2), 3.0, "exact", 0.0),  # too many
        ([], (2, 2), 0.0, "exact", 0.0),
        ([1.0], (1, 0), 1.0, "exact", 0.0),
        ([1.0, 1.0], (2, 2), 2.1, "exact", 0.0),  # energy too large for a complete spectrum
        ([1.0, 1.0], (3, 3), 1.9, "exact", 0.0),  # energy below the sum of the kept squares
        ([1.0, 1.0], (2, 2), float("inf"), "exact", 0.0),
        ([1.0, 1.0], (2, 2), 2.0, "guess", 0.0),
        ([1.0, 1.0], (2, 2), 2.0, "exact", -1.0),
    ],
)
def test_spectrum_refuses(
    values: list[float], shape: tuple[int, int], energy: float, method: str, bound: float
) -> None:
    with pytest.raises(Defect):
        Spectrum(np.array(values, dtype=np.float64), shape, energy, method, bound)


def test_reading_holds_value_and_status_together() -> None:
    assert Reading(1.5).status == "ok"
    assert type(Reading(np.float64(1.5)).value) is float
    assert Reading(None, "no_change").value is None
    for value, status in [(None, "ok"), (1.0, "floor"), (float("nan"), "ok"), (float("inf"), "ok")]:
        with pytest.raises(Defect):
            Reading(value, status)


def test_obstacle_names_the_reason() -> None:
    zero = Spectrum(np.zeros(2), (2, 2), 0.0, "zero", 0.0)
    part = make([3.0], (2, 2), energy=10.0)
    assert obstacle(zero, needs_all=False) == Reading(None, "no_change")
    assert obstacle(part, needs_all=True) == Reading(None, "incomplete_spectrum")
    assert obstacle(part, needs_all=False) is None
