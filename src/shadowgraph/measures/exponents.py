"""Exponents of the eigenvalue tail as catalogue entries, with what is derived from them.

Here live: one reading for each key of the power law, the fixed-half Hill exponent and the soft rank. Not here: the fit
(`tail`). For states of weights only; none of these numbers is part of a verdict.

Legend: `s` singular values, descending; x = s²; `m n` rows and columns.
"""

import math

import numpy as np

from shadowgraph.measures.null import marchenko_pastur_edge
from shadowgraph.measures.spectrum import Reading, Spectrum, obstacle
from shadowgraph.measures.spikes import spikes
from shadowgraph.measures.tail import FEWEST, log_eigenvalues, power_law

KEYS = (
    "alpha", "alpha_xmin", "alpha_ks", "alpha_tail", "alpha_lr_lognormal", "alpha_lr_exponential", "alpha_hat",
    "log_alpha_norm", "hill_alpha", "mp_softrank",
)  # fmt: skip


def tail_readings(spectrum: Spectrum) -> dict[str, Reading]:
    """Every catalogue entry of this file from one fit.

    Args:
        spectrum: complete spectrum of a weight matrix.

    Returns:
        Key → reading.
    """
    if (missing := obstacle(spectrum, needs_all=True)) is not None:
        return dict.fromkeys(KEYS, missing)
    fit = power_law(spectrum)
    plain = {
        "alpha": fit.alpha,
        "alpha_xmin": fit.xmin,
        "alpha_ks": fit.ks,
        "alpha_lr_lognormal": fit.lr_lognormal,
        "alpha_lr_exponential": fit.lr_exponential,
    }
    found = {key: Reading(value, fit.status) for key, value in plain.items()}
    found |= {"alpha_tail": Reading(float(fit.tail)), "alpha_hat": found["alpha"], "log_alpha_norm": found["alpha"]}
    if fit.alpha is not None:
        top = 2.0 * math.log10(float(spectrum.values[0]))
        powers = np.power(spectrum.values / spectrum.values[0], 2.0 * fit.alpha)
        found["alpha_hat"] = Reading(fit.alpha * top)
        found["log_alpha_norm"] = Reading(fit.alpha * top + math.log10(float(np.sum(powers))))
    found["hill_alpha"] = _hill(spectrum)
    found["mp_softrank"] = _softrank(spectrum)
    return {key: found[key] for key in KEYS}


def _hill(spectrum: Spectrum) -> Reading:
    logs = log_eigenvalues(spectrum)[::-1]
    half = min(spectrum.shape) // 2
    if half < FEWEST or logs.size <= half:
        return Reading(None, "few_points")
    excess = float(np.sum(logs[:half] - logs[half]))
    return Reading(1.0 + half / excess) if excess > 0 else Reading(None, "few_points")


def _softrank(spectrum: Spectrum) -> Reading:
    found = spikes(spectrum)
    if found.bulk_sd is None or found.status != "ok":
        return Reading(None, found.status)
    edge = marchenko_pastur_edge(*spectrum.shape, entry_sd=found.bulk_sd)
    return Reading((edge / float(spectrum.values[0])) ** 2)


def alpha(spectrum: Spectrum) -> Reading:
    """Power-law exponent of the eigenvalue tail, density ∝ x^(−alpha), x = s² ≥ xmin; see `power_law`.

    Args:
        spectrum: complete spectrum of a weight matrix.

    Returns:
        Above 1; "few_points" where the tail has fewer than 50 values; "no_change"; "incomplete_spectrum".

    Source:
        Clauset, Shalizi and Newman (2009); on weights: Martin and Mahoney (2021).
    """
    return tail_readings(spectrum)["alpha"]


def alpha_xmin(spectrum: Spectrum) -> Reading:
    """Eigenvalue from which the power law is fitted, the candidate of the smallest distance; carries the scale.

    Args:
        spectrum: complete spectrum of a weight matrix.

    Returns:
        Above 0, unit of the entries squared; status as `alpha`.

    Source:
        Clauset, Shalizi and Newman (2009), section 3.3.
    """
    return tail_readings(spectrum)["alpha_xmin"]


def alpha_ks(spectrum: Spectrum) -> Reading:
    """Kolmogorov-Smirnov distance between the tail and its fitted power law.

    Args:
        spectrum: complete spectrum of a weight matrix.

    Returns:
        0 … 1; status as `alpha`.

    Source:
        Clauset, Shalizi and Newman (2009), equation 3.9.
    """
    return tail_readings(spectrum)["alpha_ks"]


def alpha_tail(spectrum: Spectrum) -> Reading:
    """Number of eigenvalues in the fitted tail: the sample size of `alpha`.

    Args:
        spectrum: complete spectrum of a weight matrix.

    Returns:
        A whole number, also where it is too small for a fit; "no_change"; "incomplete_spectrum".

    Source:
        Clauset, Shalizi and Newman (2009).
    """
    return tail_readings(spectrum)["alpha_tail"]


def alpha_lr_lognormal(spectrum: Spectrum) -> Reading:
    """Normalised log-likelihood ratio of the power law against a lognormal tail on the same values.

    Below −1.96 the lognormal fits better at the 5 % level, above 1.96 the power law; in between neither is shown.

    Args:
        spectrum: complete spectrum of a weight matrix.

    Returns:
        Any real number, in standard deviations; 0 where the best lognormal is the power law; status as `alpha`.

    Source:
        Vuong (1989); Clauset, Shalizi and Newman (2009), section 5.
    """
    return tail_readings(spectrum)["alpha_lr_lognormal"]


def alpha_lr_exponential(spectrum: Spectrum) -> Reading:
    """Normalised log-likelihood ratio of the power law against an exponential tail on the same values.

    Args:
        spectrum: complete spectrum of a weight matrix.

    Returns:
        Any real number, in standard deviations; below 0 the exponential fits better; status as `alpha`.

    Source:
        Vuong (1989); Clauset, Shalizi and Newman (2009), section 5.
    """
    return tail_readings(spectrum)["alpha_lr_exponential"]


def alpha_hat(spectrum: Spectrum) -> Reading:
    """Exponent times the size of the largest eigenvalue, alpha · log10 s1²; carries the scale.

    Args:
        spectrum: complete spectrum of a weight matrix.

    Returns:
        Any real number; status as `alpha`.

    Source:
        Martin, Peng and Mahoney, Predicting trends in the quality of state-of-the-art neural networks (2021).
    """
    return tail_readings(spectrum)["alpha_hat"]


def log_alpha_norm(spectrum: Spectrum) -> Reading:
    """Logarithm of the Schatten norm of the fitted exponent, log10 Σ s^(2·alpha); carries the scale.

    Args:
        spectrum: complete spectrum of a weight matrix.

    Returns:
        Any real number; status as `alpha`.

    Source:
        Martin, Peng and Mahoney (2021), "log alpha-norm".
    """
    return tail_readings(spectrum)["log_alpha_norm"]


def hill_alpha(spectrum: Spectrum) -> Reading:
    """Hill exponent of the upper half, 1 + k / Σ_{i≤k} ln(x_(i) / x_(k+1)) with x = s² descending, k = ⌊min(m, n)/2⌋.

    Another quantity than `alpha`: on pure noise it reads 2.12 (square), 2.70 (1:2), 3.44 (1:4), 4.43 (1:8).

    Args:
        spectrum: complete spectrum of a weight matrix.

    Returns:
        Above 1; "few_points" where the half has fewer than 50 values; "no_change"; "incomplete_spectrum".

    Source:
        Hill (1975); Zhou et al., Temperature balancing, layer-wise weight analysis (2023).
    """
    return tail_readings(spectrum)["hill_alpha"]


def mp_softrank(spectrum: Spectrum) -> Reading:
    """Edge of the noise over the largest eigenvalue, sd²(√m + √n)² / s1², with sd of the bulk as in `spikes`.

    Args:
        spectrum: complete spectrum of a weight matrix.

    Returns:
        Near 1 for noise, towards 0 the further the largest value stands out; 0 for an exactly low-rank matrix; a
        status of `Spikes`.

    Source:
        Martin and Mahoney, Implicit self-regularization in deep neural networks (2021), section 3.2.
    """
    return tail_readings(spectrum)["mp_softrank"]
