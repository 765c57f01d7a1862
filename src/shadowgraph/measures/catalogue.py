"""The list of measures, and how many of them are read from one spectrum at once.

Here live: the catalogue by key and the evaluation of its spectral part. Not here: the facts about each measure
(`entries`) and any formula.
"""

from collections.abc import Mapping
from types import MappingProxyType

from shadowgraph.errors import Defect
from shadowgraph.measures.entries import ENTRIES, OBJECTS, Measure
from shadowgraph.measures.exponents import tail_readings
from shadowgraph.measures.spectrum import Reading, Spectrum
from shadowgraph.measures.spikes import spike_readings

__all__ = ["CATALOGUE", "Measure", "evaluate", "evaluate_all"]

CATALOGUE: Mapping[str, Measure] = MappingProxyType({entry.key: entry for entry in ENTRIES})
"""All measures by key, in the order of reports."""

_SPECTRAL = tuple(key for key, entry in CATALOGUE.items() if entry.function is not None)
_BY_OBJECT = {what: tuple(key for key in _SPECTRAL if what in CATALOGUE[key].objects) for what in OBJECTS}


def evaluate(key: str, spectrum: Spectrum) -> Reading:
    """Read one measure of a spectrum.

    Args:
        key: a key of `CATALOGUE` whose measure is a function of the spectrum.
        spectrum: the spectrum.

    Returns:
        The reading, with its status.

    Raises:
        Defect: an unknown key, or a measure that needs norms, entries or vectors.
    """
    entry = CATALOGUE.get(key)
    if entry is None or entry.function is None:
        raise Defect(f"no measure {key!r} can be read from a spectrum", hint=f"one of {', '.join(_SPECTRAL)}")
    return entry.function(spectrum)


def evaluate_all(spectrum: Spectrum, object: str = "O3", *, floor_variance: float = 0.0) -> dict[str, Reading]:
    """Read every measure of the spectrum that means something for the object, in the order of `CATALOGUE`.

    Args:
        spectrum: the spectrum; it may be zero or truncated, which shows in the status of a reading.
        object: "O1" for a state of weights, "O3" for an update, "O2" for a spectrum whose readings will be subtracted.
        floor_variance: variance that storage rounding puts on one entry (unit of the entries, squared); spikes are
            counted above it.

    Returns:
        Key → reading; measures that need norms, entries or vectors are left out.

    Raises:
        Defect: an unknown object or a negative variance.
    """
    if object not in _BY_OBJECT or not floor_variance >= 0:
        raise Defect(f"object {object!r} or floor variance {floor_variance} is outside its range", where="evaluate_all")
    # One count of spikes and one fit serve several keys.
    shared = spike_readings(spectrum, floor_variance)
    if object != "O3":
        shared |= tail_readings(spectrum)
    return {key: shared[key] if key in shared else evaluate(key, spectrum) for key in _BY_OBJECT[object]}
