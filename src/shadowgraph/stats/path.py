"""Comparison of two arms at equal size of the update, along the paths of their runs.

Here lives: the path-matched difference. Not here: which snapshots count as warm-up; the caller leaves those out.

Legend: `u` distinct log norms of one run; runs may hold different numbers of snapshots.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float64

from shadowgraph.errors import Defect
from shadowgraph.stats.effect import checked

Curve: TypeAlias = tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]
"""One run: log norm of the update and K, one pair a snapshot, in any order."""


@dataclass(frozen=True, slots=True)
class PathDifference:
    """Difference of K at equal log norm, or the reason why there is none.

    Attributes:
        estimate: mean of `a_values` minus mean of `b_values`, None without "ok".
        status: "ok" or "not estimable".
        support: lowest and highest log norm that every run passes through; None when there is no such range.
        a_values: mean K over the support for every run of the first arm, the units of a permutation test; () without
            "ok".
        b_values: the same for the second arm.
    """

    estimate: float | None
    status: str
    support: tuple[float, float] | None
    a_values: tuple[float, ...] = ()
    b_values: tuple[float, ...] = ()


def path_matched_difference(curves_a: Sequence[Curve], curves_b: Sequence[Curve], width: float = 0.5) -> PathDifference:
    """Mean over the common support of log norm of K_a(log norm) − K_b(log norm).

    K of a run between snapshots is interpolated linearly in log norm and averaged over the support exactly. Snapshots
    are taken in order of log norm; where a run has the same log norm twice, K is averaged. Nothing is extrapolated.

    Args:
        curves_a: one curve a run of the first arm, at least one.
        curves_b: one curve a run of the second arm, at least one.
        width: smallest width of the support, nats.

    Returns:
        The difference in nats with its values per run; "not estimable" when the log norms of all runs share a range
        narrower than `width`.

    Raises:
        Defect: an arm without runs, a curve without points or of unequal lengths, a number that is not finite, or a
            width that is not above 0.
    """
    if not curves_a or not curves_b or not width > 0:
        raise Defect("an arm without runs, or a width that is not above 0", where="path_matched_difference")
    paths_a, paths_b = [_path(curve) for curve in curves_a], [_path(curve) for curve in curves_b]
    low = max(float(norms[0]) for norms, _ in (*paths_a, *paths_b))
    high = min(float(norms[-1]) for norms, _ in (*paths_a, *paths_b))
    # A range is not too narrow because its ends were rounded.
    if high - low < width - 1e-12 * max(1.0, abs(low), abs(high)):
        return PathDifference(None, "not estimable", (low, high) if high > low else None)
    a_values = tuple(_mean_over(norms, values, low, high) for norms, values in paths_a)
    b_values = tuple(_mean_over(norms, values, low, high) for norms, values in paths_b)
    estimate = math.fsum(a_values) / len(a_values) - math.fsum(b_values) / len(b_values)
    return PathDifference(estimate, "ok", (low, high), a_values, b_values)


def _path(curve: Curve) -> tuple[Float64[np.ndarray, " u"], Float64[np.ndarray, " u"]]:
    """A curve as a function: distinct, ascending log norms with the mean K at each."""
    norms, values = checked(curve[0], "path_matched_difference"), checked(curve[1], "path_matched_difference")
    if norms.size != values.size:
        raise Defect(f"{norms.size} log norms but {values.size} values of K", where="path_matched_difference")
    distinct, membership = np.unique(norms, return_inverse=True)
    return distinct, np.bincount(membership, weights=values) / np.bincount(membership)


def _mean_over(norms: Float64[np.ndarray, " u"], values: Float64[np.ndarray, " u"], low: float, high: float) -> float:
    """Exact mean of the piecewise linear interpolant over [low, high]."""
    knots = np.concatenate([[low], norms[(norms > low) & (norms < high)], [high]])
    return float(np.trapezoid(np.interp(knots, norms, values), knots)) / (high - low)
