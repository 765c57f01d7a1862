"""How well probabilities fit outcomes.

Here live: softmax over log-likelihoods, calibration error and Brier score.
Not here: which items they are taken over (`item`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

BINS = 10  # of the calibration error; fewer when a bin would hold fewer items than that


def softmax(values: Sequence[float]) -> list[float]:
    """exp(vᵢ) / Σ exp(vⱼ), from the largest down so that nothing overflows."""
    top = max(values)
    powers = [math.exp(value - top) for value in values]
    total = math.fsum(powers)
    return [power / total for power in powers]


def calibration_error(confidence: Sequence[float], correct: Sequence[bool]) -> tuple[float, int]:
    """Expected calibration error with bins of equal mass.

    Σ_b (n_b / n) · |mean confidence of b − share correct in b|; items in ascending order of confidence are cut into
    bins whose sizes differ by at most one: 10 bins, fewer below 100 items, so that each holds 10 or more. Few items
    raise it above that of the model: a calibrated model has about √(2 · bins · p(1 − p) / (π · n)).

    Args:
        confidence: n probabilities that the models gave to their own choices, 0 … 1.
        correct: n outcomes.

    Returns:
        The error, 0 … 1, and the number of bins.

    Source: Nguyen and O'Connor, "Posterior calibration and exploratory analysis for natural language processing
    models", EMNLP 2015, section 3 (equal-mass bins).
    """
    bins = max(1, min(BINS, len(confidence) // BINS))
    order = np.argsort(np.asarray(confidence), kind="stable")
    gaps = np.asarray(confidence)[order] - np.asarray(correct, dtype=np.float64)[order]
    return float(sum(abs(part.sum()) for part in np.array_split(gaps, bins))) / len(confidence), bins


def brier(odds: Sequence[float], gold: float) -> float:
    """Σ (pᵢ − [i is gold])² of one item, 0 … 2, from the probabilities of all choices and that of gold.

    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950, equation 2.
    """
    return max(0.0, math.fsum([*(p * p for p in odds), 1.0, -2.0 * gold]))
