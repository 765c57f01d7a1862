"""The list of measures: what each is called, means, reads on noise, and where it misleads.

Here live: the permanent keys and one entry a measure. Not here: any formula; the functions are in the other files.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shadowgraph.errors import Defect
from shadowgraph.measures import geometry, mass, rank
from shadowgraph.measures.spectrum import Reading, Spectrum


@dataclass(frozen=True, slots=True)
class Measure:
    """One entry of the catalogue.

    Attributes:
        key: permanent name.
        symbol: how it is written in a formula.
        weights: "s" (amplitude), "s²" (energy) or "—" (neither).
        formula: definition as text.
        lower: smallest value, as text.
        upper: largest value, as text.
        direction: "lower = more concentrated", "higher = more concentrated", or what else it says.
        null: value for Gaussian noise of the same shape, as text.
        misleads: the case in which it says something false.
        source: paper or origin.
        function: from a complete spectrum to a reading; None for measures that need norms or entries instead.
        scale_free: whether the value stays when the matrix is multiplied by a positive number.
    """

    key: str
    symbol: str
    weights: str
    formula: str
    lower: str
    upper: str
    direction: str
    null: str
    misleads: str
    source: str
    function: Callable[[Spectrum], Reading] | None
    scale_free: bool = True

    @property
    def direction_sign(self) -> int:
        """+1 when higher means more concentrated, −1 when lower does, 0 when the measure says something else."""
        return {"higher = more concentrated": 1, "lower = more concentrated": -1}.get(self.direction, 0)


_LOWER = "lower = more concentrated"
_HIGHER = "higher = more concentrated"

_ENTRIES = (
    Measure(
        "participation_ratio", "PR", "s²", "(Σ s²)² / Σ s⁴", "1", "min(m, n)", _LOWER, "mn / (m + n + 1)",
        "compared across shapes without its null; hides a long tail of small values",
        "Bell and Dean 1970; Rényi 1961 (order 2)", rank.participation_ratio,
    ),
    Measure(
        "erank_energy", "erank_q", "s²", "exp(−Σ q ln q), q = s² / Σ s²", "1", "min(m, n)", _LOWER,
        "simulated; .61 min(m, n) for a large square", "mistaken for the amplitude rank, which is never smaller",
        "Rényi 1961 (order 1) of the energies", rank.erank_energy,
    ),
    Measure(
        "erank_amplitude", "erank_p", "s", "exp(−Σ p ln p), p = s / Σ s", "1", "min(m, n)", _LOWER,
        "simulated; .81 min(m, n) for a large square", "16-bit storage noise alone makes a small update look flat",
        "Roy and Vetterli 2007, definition 1", rank.erank_amplitude,
    ),
    Measure(
        "stable_rank", "srank", "s²", "‖A‖_F² / s1²", "1", "min(m, n)", _LOWER,
        "simulated; tends to mn / (√m + √n)²", "rests on one singular value and so varies most",
        "Rudelson and Vershynin 2007", rank.stable_rank,
    ),
    Measure(
        "nuclear_ratio", "N", "s²", "(Σ s)² / Σ s²", "1", "min(m, n)", _LOWER,
        "simulated; .72 min(m, n) for a large square", "grows with the number of small values, so with storage noise",
        "Rényi 1961 (order 1/2) of the energies", rank.nuclear_ratio,
    ),
    Measure(
        "energy_top1", "C_1", "s²", "s1² / Σ s²", "1 / min(m, n)", "1", _HIGHER, "simulated",
        "one row of large entries (a rare token, an adaptive optimiser) raises it", "inverse of the stable rank",
        mass.energy_top1,
    ),
    Measure(
        "energy_top8", "C_8", "s²", "Σ_{i≤8} s_i² / Σ s²", "8 / min(m, n)", "1", _HIGHER, "simulated",
        "compared across shapes without its null", "principal component analysis", mass.energy_top8,
    ),
    Measure(
        "energy_top32", "C_32", "s²", "Σ_{i≤32} s_i² / Σ s²", "32 / min(m, n)", "1", _HIGHER, "simulated",
        "near 1 for every small matrix", "principal component analysis", mass.energy_top32,
    ),
    Measure(
        "energy_top1pct", "C_1%", "s²", "Σ_{i≤k} s_i² / Σ s², k = ⌈min(m, n)/100⌉", "k / min(m, n)", "1", _HIGHER,
        "simulated", "is C_1 for every matrix of at most 100 rows", "principal component analysis",
        mass.energy_top1pct,
    ),
    Measure(
        "k90", "k90", "s²", "smallest k with C_k ≥ .9", "1", "min(m, n)", _LOWER, "simulated",
        "a whole number: jumps, and compares only at equal shape", "Biderman et al. 2024", mass.k90,
    ),
    Measure(
        "k99", "k99", "s²", "smallest k with C_k ≥ .99", "1", "min(m, n)", _LOWER, "simulated",
        "follows the storage floor, not the update", "Biderman et al. 2024", mass.k99,
    ),
    Measure(
        "log_spectral_norm", "ln s1", "—", "ln s1", "−∞", "∞", "size, not shape", "none: carries the scale",
        "learning rate, steps and weight decay move it as much as the data do", "Martin and Mahoney 2021",
        geometry.log_spectral_norm, scale_free=False,
    ),
    Measure(
        "relative_norm", "ρ", "—", "‖W1 − W0‖_F / ‖W0‖_F", "0", "∞", "size, not shape", "none: carries the scale",
        "near √2 it says that the base is the wrong one", "Frobenius norms", None, scale_free=False,
    ),
    Measure(
        "zero_fraction", "z", "—", "share of entries with |D_ij| ≤ tolerance", "0", "1", "sparsity, not concentration",
        "0 for noise kept in full precision", "16-bit storage hides small changes and so feigns sparsity",
        "counting", None,
    ),
)  # fmt: skip

CATALOGUE: Mapping[str, Measure] = MappingProxyType({entry.key: entry for entry in _ENTRIES})
"""All measures by key, in the order of reports."""


def evaluate(key: str, spectrum: Spectrum) -> Reading:
    """Read one measure of a spectrum.

    Args:
        key: a key of `CATALOGUE` whose measure is a function of the spectrum.
        spectrum: the spectrum.

    Returns:
        The reading, with its status.

    Raises:
        Defect: an unknown key, or a measure that needs norms or entries.
    """
    entry = CATALOGUE.get(key)
    if entry is None or entry.function is None:
        raise Defect(f"no measure {key!r} can be read from a spectrum", hint=f"one of {', '.join(_SPECTRAL)}")
    return entry.function(spectrum)


def evaluate_all(spectrum: Spectrum) -> dict[str, Reading]:
    """Read every measure that is a function of the spectrum, in the order of `CATALOGUE`.

    Args:
        spectrum: the spectrum; it may be zero or truncated, which shows in the status of a reading.

    Returns:
        Key → reading; measures that need norms or entries are left out.
    """
    return {key: evaluate(key, spectrum) for key in _SPECTRAL}


_SPECTRAL = tuple(key for key, entry in CATALOGUE.items() if entry.function is not None)
