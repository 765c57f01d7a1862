"""How many singular values stand out of the noise, and how much energy they hold.

Here live: the size of the noise estimated from the spectrum itself, the edge above it and the count. Not here: the
closed forms behind the edge (`null`), shares of a fixed number of values (`mass`).

The model is A = signal of low rank + independent entries of one variance. Rows or columns of unequal scale and heavy
tails widen the bulk beyond the edge, so that noise counts as spikes: compare with the row/column and permuted nulls.
So does the rounding of a small update in 16 bits, larger where the update is: give its variance as the floor.
A spike below the edge leaves no trace in the spectrum (Baik, Ben Arous and Péché 2005): 0 spikes prove nothing.

Legend: `s` singular values, descending; `m n` rows and columns with m ≤ n; `k` values kept; `j` values set aside.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from shadowgraph.errors import Defect
from shadowgraph.measures.null import tracy_widom_edge, tracy_widom_edges
from shadowgraph.measures.spectrum import Reading, Spectrum

# One false alarm in a thousand matrices: a model has hundreds, and a stricter rate hardly moves the edge.
FALSE_ALARM = 0.001
# Below this size neither the edge law nor the noise estimate holds.
SMALLEST = 8
# More spikes than this share of the values leave no bulk to tell them from.
_MOST = 0.25


@dataclass(frozen=True, slots=True)
class Spikes:
    """Singular values above the edge of the noise.

    Attributes:
        count: how many; None unless `status` is "ok".
        energy_share: Σ s² over them / ‖A‖_F², 0 … 1; None unless `status` is "ok".
        edge: the value above which a singular value counts, in the unit of the values; None where none was found.
        bulk_sd: standard deviation of one entry of the noise, in the unit of the entries; 0 for an exactly low-rank
            matrix; None where none was found.
        status: "ok", "no_change", "too_small" (fewer than 8 rows or columns), "no_bulk" (more than a quarter of the
            values lie above the edge: there is no bulk to stand out of), "incomplete_spectrum" (all kept values lie
            above the edge, so more may).
    """

    count: int | None
    energy_share: float | None
    edge: float | None
    bulk_sd: float | None
    status: str = "ok"


def spikes(spectrum: Spectrum, *, floor_variance: float = 0.0, false_alarm: float = FALSE_ALARM) -> Spikes:
    """Count the singular values above the edge of the noise.

    With j values set aside the rest is taken for noise of shape (m − j) × (n − j), for which sd_j² =
    Σ_{i>j} s_i² / ((m − j)(n − j)) and the edge is e_j = `tracy_widom_edge` at the false-alarm rate. The count is the
    largest j for which s_j exceeds e_{j−1}: a value must stand out of a noise that still contains it. Starting from
    the largest j, many spikes cannot hide each other. The final edge, for sd_j, is raised to that of `floor_variance`
    and to the error bound of the spectrum.

    Where at least half of the values are zero the noise is zero and the count is the rank; where fewer are, they are
    taken for dead rows and left out.

    Args:
        spectrum: spectrum of an m × n matrix; may be truncated.
        floor_variance: variance that storage rounding puts on one entry (unit of the entries, squared).
        false_alarm: probability that pure noise of one variance shows one spike or more, above 0 and below 1.

    Returns:
        Count, energy share, edge and noise, with a status.

    Raises:
        Defect: a negative variance or a rate outside its range.

    Source:
        Johnstone, On the distribution of the largest eigenvalue in principal components analysis (2001), theorem 1;
        Kritchman and Nadler, Non-parametric detection of the number of signals (2009), for the sequence of tests.
    """
    if not floor_variance >= 0 or not 0 < false_alarm < 1:
        raise Defect(f"floor variance {floor_variance} or rate {false_alarm} is outside its range", where="spikes")
    if spectrum.zero:
        return Spikes(None, None, None, None, "no_change")
    if min(spectrum.shape) < SMALLEST:
        return Spikes(None, None, None, None, "too_small")
    # Relative to the largest value: squares stay in range whatever the scale.
    top = float(spectrum.values[0])
    values = spectrum.values / top
    energy = float(np.sum(np.square(values))) if spectrum.complete else spectrum.energy / top / top
    floor, bound = math.sqrt(floor_variance) / top, spectrum.error_bound / top
    m, n = min(spectrum.shape), max(spectrum.shape)
    live = int(np.count_nonzero(values > max(bound, np.finfo(np.float64).eps * n)))
    sd, edge, rows = 0.0, bound, live if spectrum.complete else m
    if 2 * rows > m:
        sd, noise_edge = _noise(values[:live], energy, (rows, n), false_alarm)
        edge = max(edge, noise_edge)
    if floor > sd:
        edge = max(edge, tracy_widom_edge(m, n, floor, false_alarm=false_alarm))
    count = int(np.count_nonzero(values[:live] > edge))
    if not spectrum.complete and count == spectrum.kept:
        return Spikes(None, None, edge * top, sd * top, "incomplete_spectrum")
    if sd > 0 and count > _MOST * m:
        return Spikes(None, None, None, None, "no_bulk")
    share = min(1.0, float(np.sum(np.square(values[:count]))) / energy)
    return Spikes(count, share, edge * top, sd * top)


def _noise(
    values: Float64[np.ndarray, " k"], energy: float, shape: tuple[int, int], false_alarm: float
) -> tuple[float, float]:
    """Standard deviation of one entry of the noise, and its edge."""
    m, n = shape
    aside = np.arange(min(int(_MOST * m) + 1, values.size, m - 1) + 1)
    rest = energy - np.concatenate([[0.0], np.cumsum(np.square(values[: aside[-1]]))])
    sd = np.sqrt(np.maximum(rest, 0.0) / ((m - aside) * (n - aside)))
    edges = sd * tracy_widom_edges(m - aside, n - aside, false_alarm)
    stand_out = np.flatnonzero(values[: aside[-1]] > edges[:-1])
    j = int(stand_out[-1]) + 1 if stand_out.size else 0
    return float(sd[j]), min(float(edges[j]), math.nextafter(float(values[j - 1]), 0.0)) if j else float(edges[0])


def spike_readings(spectrum: Spectrum, floor_variance: float = 0.0) -> dict[str, Reading]:
    """Both catalogue entries of this file from one count.

    Args:
        spectrum: spectrum of an m × n matrix.
        floor_variance: variance that storage rounding puts on one entry.

    Returns:
        "spike_count" and "spike_energy".
    """
    found = spikes(spectrum, floor_variance=floor_variance)
    return {
        "spike_count": Reading(None if found.count is None else float(found.count), found.status),
        "spike_energy": Reading(found.energy_share, found.status),
    }


def spike_count(spectrum: Spectrum) -> Reading:
    """Number of singular values above the edge of the noise, see `spikes`.

    Args:
        spectrum: spectrum of an m × n matrix; may be truncated.

    Returns:
        A whole number, 0 … min(m, n)/4, or the rank where the rest is zero; else a status of `Spikes`.

    Source:
        Marchenko and Pastur (1967); Johnstone (2001) for the margin.
    """
    return spike_readings(spectrum)["spike_count"]


def spike_energy(spectrum: Spectrum) -> Reading:
    """Energy share Σ s² / ‖A‖_F² of the singular values above the edge of the noise, see `spikes`.

    A spike carries noise too: a planted value θ reads √((θ² + m)(θ² + n))/θ in noise of unit entries.

    Args:
        spectrum: spectrum of an m × n matrix; may be truncated.

    Returns:
        The share, 0 … 1, or a status of `Spikes`.

    Source:
        As `spike_count`; Benaych-Georges and Nadakuditi (2012) for the noise a spike carries.
    """
    return spike_readings(spectrum)["spike_energy"]
