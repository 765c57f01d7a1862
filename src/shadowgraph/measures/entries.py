"""What each measure is called, means, reads on noise, and where it misleads: the facts behind the catalogue.

Here live: the entry type and the permanent entries, in the order of reports. Not here: any formula (`rank`, `mass`,
`spikes`, `tail`, `geometry`, `distribution`) and how many are read at once (`catalogue`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from shadowgraph.measures import exponents, geometry, mass, rank, spikes
from shadowgraph.measures.spectrum import Reading, Spectrum

OBJECTS = ("O1", "O2", "O3")
NEEDS = frozenset({"spectrum", "pair", "entries", "vectors", "model"})

_ALL = frozenset(OBJECTS)
_STATE = frozenset({"O1"})
_STATES = frozenset({"O1", "O2"})
_UPDATE = frozenset({"O3"})


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
        function: from a spectrum to a reading; None for measures that need something else.
        scale_free: whether the value stays when the matrix is multiplied by a positive number.
        objects: on which of "O1" (f(W)), "O2" (f(W1) − f(W0)) and "O3" (f(W1 − W0)) it means something.
        needs: what it is computed from: "spectrum", "pair" (both matrices), "entries" (of one matrix), "vectors"
            (leading singular vectors) or "model" (all matrices of the model).
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
    objects: frozenset[str] = _ALL
    needs: str = "spectrum"

    @property
    def direction_sign(self) -> int:
        """+1 when higher means more concentrated, −1 when lower does, 0 when the measure says something else."""
        return {"higher = more concentrated": 1, "lower = more concentrated": -1}.get(self.direction, 0)


_LOWER = "lower = more concentrated"
_HIGHER = "higher = more concentrated"
_TAIL = "lower = heavier tail, not concentration"

ENTRIES: tuple[Measure, ...] = (
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
        "renyi_4", "R_4", "s²", "(Σ q⁴)^(−1/3), q = s² / Σ s²", "1", "min(m, n)", _LOWER, "simulated",
        "near the stable rank, and as that led by few values", "Rényi 1961 (order 4)", rank.renyi_4,
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
        "spike_count", "c", "s", "number of s above the Tracy-Widom edge of the noise", "0", "min(m, n) / 4",
        "directions out of the noise, not concentration", "0, but for 1 matrix in 1,000",
        "rows or columns of unequal scale, heavy-tailed entries and unfloored storage noise count; 0 proves nothing",
        "Marchenko and Pastur 1967; Johnstone 2001; Kritchman and Nadler 2009", spikes.spike_count,
    ),
    Measure(
        "spike_energy", "E_c", "s²", "Σ_{i≤c} s_i² / Σ s²", "0", "1", _HIGHER, "0, but for 1 matrix in 1,000",
        "as spike_count; each spike also carries noise", "as spike_count", spikes.spike_energy,
    ),
    Measure(
        "log_spectral_norm", "ln s1", "—", "ln s1", "−∞", "∞", "size, not shape", "none: carries the scale",
        "learning rate, steps and weight decay move it as much as the data do", "Martin and Mahoney 2021",
        geometry.log_spectral_norm, scale_free=False,
    ),
    Measure(
        "log_frobenius_norm", "ln ‖A‖", "—", "ln ‖A‖_F", "−∞", "∞", "size, not shape", "none: carries the scale",
        "learning rate, steps and weight decay move it as much as the data do", "Martin and Mahoney 2021",
        geometry.log_frobenius_norm, scale_free=False,
    ),
    Measure(
        "alpha", "α", "s²", "1 + t / Σ ln(x / xmin) over the t tail values of x = s²", "1", "∞", _TAIL,
        "8 to 14, scattering by 1 to 5", "without its distance, ratios and sample size; a power law is often not there",
        "Clauset, Shalizi and Newman 2009", exponents.alpha, True, _STATES,
    ),
    Measure(
        "alpha_xmin", "xmin", "s²", "the s² from which the fit is closest", "0", "s1²", _TAIL, "simulated",
        "jumps when two candidates fit nearly equally", "Clauset, Shalizi and Newman 2009", exponents.alpha_xmin, False,
        _STATE,
    ),
    Measure(
        "alpha_ks", "D", "s²", "max |F − F_tail| over the tail", "0", "1", "quality of a fit", "simulated",
        "small for a short tail whatever its law", "Clauset, Shalizi and Newman 2009", exponents.alpha_ks, True, _STATE,
    ),
    Measure(
        "alpha_tail", "t", "s²", "number of s² ≥ xmin", "1", "min(m, n)", "sample size of a fit", "simulated",
        "below 50 nothing else of the fit is given", "Clauset, Shalizi and Newman 2009", exponents.alpha_tail, True,
        _STATE,
    ),
    Measure(
        "alpha_lr_lognormal", "R_ln", "s²", "Σ ln(p_power / p_lognormal) / (√t sd)", "−∞", "∞", "quality of a fit",
        "simulated", "between −1.96 and 1.96 it favours neither", "Vuong 1989", exponents.alpha_lr_lognormal, True,
        _STATE,
    ),
    Measure(
        "alpha_lr_exponential", "R_exp", "s²", "Σ ln(p_power / p_exponential) / (√t sd)", "−∞", "∞",
        "quality of a fit", "simulated", "beating an exponential makes no power law", "Vuong 1989",
        exponents.alpha_lr_exponential, True, _STATE,
    ),
    Measure(
        "alpha_hat", "α̂", "s²", "α log10 s1²", "−∞", "∞", "size and tail mixed", "none: carries the scale",
        "follows the norm more than the shape", "Martin, Peng and Mahoney 2021", exponents.alpha_hat, False, _STATES,
    ),
    Measure(
        "log_alpha_norm", "log ‖A‖_α", "s²", "log10 Σ s^(2α)", "−∞", "∞", "size and tail mixed",
        "none: carries the scale", "follows the norm more than the shape", "Martin, Peng and Mahoney 2021",
        exponents.log_alpha_norm, False, _STATES,
    ),
    Measure(
        "hill_alpha", "α_H", "s²", "1 + k / Σ_{i≤k} ln(x_i / x_{k+1}), x = s², k = ⌊min(m, n)/2⌋", "1", "∞", _TAIL,
        "2.12 (square), 2.70 (1:2), 3.44 (1:4), 4.43 (1:8)",
        "held against the thresholds of heavy-tail theory, which do not apply to it; driven by the shape of the matrix",
        "Hill 1975; Zhou et al. 2023", exponents.hill_alpha, True, _STATES,
    ),
    Measure(
        "mp_softrank", "R_mp", "s²", "sd² (√m + √n)² / s1²", "0", "about 1", _LOWER, "near 1",
        "rests on one singular value; a bulk widened by unequal rows lowers it", "Martin and Mahoney 2021",
        exponents.mp_softrank, True, _STATES,
    ),
    Measure(
        "relative_norm", "ρ", "—", "‖W1 − W0‖_F / ‖W0‖_F", "0", "∞", "size, not shape", "none: carries the scale",
        "near √2 it says that the base is the wrong one", "Frobenius norms", None, False, _UPDATE, "pair",
    ),
    Measure(
        "radial_share", "ρ_∥", "—", "⟨D, W0⟩² / (‖W0‖_F² ‖D‖_F²)", "0", "1", "growth along the base, not concentration",
        "1 / (mn)", "weight decay alone makes it large", "projection of D on W0", None, True, _UPDATE, "pair",
    ),
    Measure(
        "cosine", "cos", "—", "⟨W1, W0⟩ / (‖W1‖_F ‖W0‖_F)", "−1", "1", "size, not shape", "1 / √(1 + ρ²)",
        "near 1 for every small update, whatever its shape", "Frobenius inner product", None, True, _UPDATE, "pair",
    ),
    Measure(
        "spectral_drift", "δ_s", "s", "‖s(W1) − s(W0)‖₂ / ‖s(W0)‖₂", "0", "ρ", "size, not shape",
        "none: depends on the base", "0 for an update that only rotates", "Zhu et al. 2025", None, False, _UPDATE,
        "pair",
    ),
    Measure(
        "variance_of_change", "Var", "—", "Var(D_ij) / Var(W0_ij)", "0", "∞", "size, not shape",
        "none: carries the scale", "taken for the term of the same name elsewhere: this is our reading of it",
        "our reading of arXiv 2604.07363", None, False, _UPDATE, "pair",
    ),
    Measure(
        "zero_fraction", "z", "—", "share of entries with |D_ij| ≤ tolerance", "0", "1", "sparsity, not concentration",
        "0 for noise kept in full precision", "16-bit storage hides small changes and so feigns sparsity",
        "counting", None, True, _UPDATE, "entries",
    ),
    Measure(
        "zero_fraction_1e5", "z_5", "—", "share of entries with |D_ij| ≤ 1e-5", "0", "1", "sparsity, not concentration",
        "depends on the size of the noise", "an absolute limit: means another thing in every model", "counting", None,
        False, _UPDATE, "entries",
    ),
    Measure(
        "zero_fraction_step", "z_step", "—", "share of entries with |D_ij| ≤ one bfloat16 step of W0_ij", "0", "1",
        "sparsity, not concentration", "depends on the size of the noise",
        "says how much a bfloat16 copy would hide, not what training left alone", "counting", None, False, _UPDATE,
        "entries",
    ),
    Measure(
        "row_share", "e_row", "—", "max_i Σ_j d_ij² / ‖D‖_F²", "1/m", "1", "one row, not concentration",
        "(1 + √(4 ln(m) / n)) / m, nearly", "compared across numbers of rows", "row norms", None, True, _UPDATE,
        "entries",
    ),
    Measure(
        "column_share", "e_col", "—", "max_j Σ_i d_ij² / ‖D‖_F²", "1/n", "1", "one column, not concentration",
        "(1 + √(4 ln(n) / m)) / n, nearly", "compared across numbers of columns", "column norms", None, True, _UPDATE,
        "entries",
    ),
    Measure(
        "floor_share", "f", "—", "v mn / ‖D‖_F², v the variance of rounding", "0", "∞", "storage, not concentration",
        "0 for noise kept in full precision", "above 1 where the update is smaller than its rounding",
        "moments of a rounding error", None, False, _UPDATE, "pair",
    ),
    Measure(
        "trap_count", "c_shuffled", "s", "spike_count of W with its entries shuffled", "0", "min(m, n) / 4",
        "single large entries, not concentration", "0, but for 1 matrix in 1,000",
        "0 says that no entry stands out, not that no direction does", "Martin and Mahoney 2021", None, True, _STATE,
        "entries",
    ),
    Measure(
        "weighted_participation_ratio", "PR_S", "s²", "PR of D S^(1/2), S second moments of the inputs", "1",
        "min(m, n)", _LOWER, "m / (1 + (m + 1) Σ e² / (Σ e)²), e eigenvalues of S",
        "S of another text changes it with the update unchanged", "Wishart moments with a scale matrix", None, True,
        _UPDATE, "entries",
    ),
    Measure(
        "weighted_concentration", "k_S", "s²", "ln PR_S of noise − ln PR_S", "−∞", "∞", _HIGHER, "0",
        "S of another text changes it with the update unchanged", "as weighted_participation_ratio", None, True,
        _UPDATE, "entries",
    ),
    Measure(
        "base_overlap_left", "φ_U", "—", "‖U0ᵀ U_D‖_F² / r over k leading left vectors of W0 and r of D", "0", "1",
        "how far along the base, not concentration", "k / m", "read without its null, which the shape sets",
        "projection of a subspace", None, True, _UPDATE, "vectors",
    ),
    Measure(
        "base_overlap_right", "φ_V", "—", "‖V0ᵀ V_D‖_F² / r over k leading right vectors of W0 and r of D", "0", "1",
        "how far along the base, not concentration", "k / n", "read without its null, which the shape sets",
        "projection of a subspace", None, True, _UPDATE, "vectors",
    ),
    Measure(
        "base_block_energy", "β", "—", "‖U0ᵀ D V0‖_F² / ‖D‖_F² over k leading vectors on both sides", "0", "1",
        "how far along the base, not concentration", "k² / (mn)", "high for an update that only rescales the base",
        "projection of a matrix", None, True, _UPDATE, "vectors",
    ),
    Measure(
        "base_rotation_left", "θ_U", "—", "largest principal angle between k leading left vectors of W0 and W1", "0",
        "π/2", "rotation, not concentration", "none: depends on the gaps of the base",
        "one vector at the edge of the k, swapped with its neighbour, turns it to π/2", "Björck and Golub 1973", None,
        False, _UPDATE, "vectors",
    ),
    Measure(
        "base_rotation_right", "θ_V", "—", "largest principal angle between k leading right vectors of W0 and W1", "0",
        "π/2", "rotation, not concentration", "none: depends on the gaps of the base",
        "one vector at the edge of the k, swapped with its neighbour, turns it to π/2", "Björck and Golub 1973", None,
        False, _UPDATE, "vectors",
    ),
    Measure(
        "intruder", "c_k'(ε)", "—",
        "vectors among the first k' of W1 with best |cosine| to all vectors of W0 below ε; rows intruder_<k'>_<ε>",
        "0", "k'", "new directions in the weights, not concentration", "none: depends on the base",
        "read at one k' and one ε: both are free choices, so the curve is given", "Shuttleworth et al. 2024", None,
        False, _UPDATE, "vectors",
    ),
    Measure(
        "run_overlap_left", "a_U", "—", "(φ − r/m) / (1 − r/m), φ of the r leading left vectors of two updates",
        "−r / (m − r)", "1", "agreement of two runs, not concentration", "0",
        "equal data order or equal seeds agree for that reason alone", "projection of a subspace, less chance", None,
        True, _UPDATE, "vectors",
    ),
    Measure(
        "run_overlap_right", "a_V", "—", "(φ − r/n) / (1 − r/n), φ of the r leading right vectors of two updates",
        "−r / (n − r)", "1", "agreement of two runs, not concentration", "0",
        "equal data order or equal seeds agree for that reason alone", "projection of a subspace, less chance", None,
        True, _UPDATE, "vectors",
    ),
    Measure(
        "energy_share", "w", "—", "‖D_l‖_F² / Σ_l ‖D_l‖_F² over matrices l", "0", "1",
        "where the update sits, not concentration", "share of the entries", "large matrices hold more by their size",
        "counting", None, True, _UPDATE, "model",
    ),
    Measure(
        "energy_gini", "G", "—", "Σ_i (2i − L − 1) w_i / L, shares w of L matrices ascending", "0", "1 − 1/L",
        "where the update sits, not concentration", "that of the numbers of entries",
        "matrices of unequal size are unequal before training", "Gini 1912", None, True, _UPDATE, "model",
    ),
    Measure(
        "effective_matrices", "L_eff", "—", "exp(−Σ w ln w), shares w of L matrices", "1", "L",
        "where the update sits, not concentration", "that of the numbers of entries",
        "compared between models with different numbers of matrices", "Hill 1973 (order 1)", None, True, _UPDATE,
        "model",
    ),
    Measure(
        "depth_centre", "d", "—", "Σ w_l depth_l, depth 0 for the first block and 1 for the last", "0", "1",
        "where the update sits, not concentration", "about 1/2", "two humps have their centre where nothing is",
        "mean of a distribution", None, True, _UPDATE, "model",
    ),
)  # fmt: skip
