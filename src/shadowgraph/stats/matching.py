"""Strata made of covariates alone, and the test that adjusts for covariates instead.

Here live: disjoint matched sets within calipers, and the permutation of residuals.
Not here: the test inside matched sets (`strata`), nor what a covariate is. No outcome enters the matching.

Legend: `P N` units with and without the label, `c` covariates, `n` units of both kinds, `p` exchanges.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.optimize import linear_sum_assignment

from shadowgraph.errors import Defect
from shadowgraph.stats.effect import checked
from shadowgraph.stats.exchange import two_sided


def matched_sets(
    positive: Float[np.ndarray, "P c"],
    negative: Float[np.ndarray, "N c"],
    calipers: Float[np.ndarray, " c"],
    relative: Bool[np.ndarray, " c"],
) -> list[tuple[int, tuple[int, ...]]]:
    """Disjoint sets of one labelled unit and the unlabelled ones within calipers of it in every covariate.

    Distance Σ_c ((x_P − x_N)/caliper)², in a relative covariate with caliper · |x_P|. First one partner each for as
    many labelled units as can have one, at the smallest total distance; then every other unlabelled unit joins the
    nearest labelled one that it lies within calipers of. Ties go to the lower index. Inside a set the label is what is
    exchanged (`stratified_permutation` with strata of 1 + k).

    Args:
        positive: covariates of the labelled units (P, c), each in its own unit.
        negative: covariates of the others (N, c).
        calipers: the largest distance in each covariate (c,), above 0.
        relative: which calipers are shares of the labelled unit's value (c,).

    Returns:
        One entry a labelled unit, in order: its index and the indices of its partners, ascending; () where unmatched.
        Unlabelled units in no entry are unmatched.

    Raises:
        Defect: a number that is not finite, no labelled unit, calipers that are not above 0.

    Source:
        Rosenbaum, Optimal matching for observational studies (1989); Stuart, Matching methods for causal inference
        (2010), section 3.1 (calipers in every covariate).
    """
    checked(positive.ravel(), "matched_sets")
    if not np.isfinite(negative).all() or not (np.isfinite(calipers).all() and (calipers > 0).all()):
        raise Defect("a covariate that is not finite, or calipers that are not above 0", where="matched_sets")
    reach = np.where(relative, calipers * np.abs(positive), calipers)[:, np.newaxis]
    apart = np.abs(positive[:, np.newaxis] - negative)
    # Rounding alone puts nothing outside; a reach of 0 (a relative caliper at 0) takes equal values only.
    inside = np.all(apart <= reach * (1 + 1e-9), axis=-1)
    scaled = np.where(apart == 0, 0.0, apart / np.where(reach > 0, reach, 1.0))
    distance = np.where(inside, (scaled**2).sum(axis=-1), np.inf)
    partners: list[list[int]] = [[] for _ in range(positive.shape[0])]
    if inside.any():
        # One pair more always outweighs every distance, which is at most the number of covariates.
        refused = 2.0 * positive.shape[1] * (min(distance.shape) + 1)
        rows, columns = linear_sum_assignment(np.where(inside, distance, refused))
        taken = [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if inside[row, column]]
        for row, column in taken:
            partners[row].append(column)
        rest = set(range(negative.shape[0])) - {column for _, column in taken}
        for column in sorted(rest):
            if inside[:, column].any():
                partners[int(np.argmin(distance[:, column]))].append(column)
    return [(index, tuple(sorted(found))) for index, found in enumerate(partners)]


@dataclass(frozen=True, slots=True)
class ResidualTest:
    """A label beside covariates in a linear model.

    Attributes:
        estimate: coefficient of the label, in the unit of the values; None without "ok".
        p: two-sided permutation p, None without "ok".
        smallest_p: the smallest p the number of exchanges can give.
        n: units.
        freedom: degrees left after label, covariates and mean.
        status: "ok", "too_few_units" (no degree left), "collinear" (the covariates say who is labelled) or "no_spread".
    """

    estimate: float | None
    p: float | None
    smallest_p: float
    n: int
    freedom: int
    status: str = "ok"


def residual_test(
    values: Float[np.ndarray, " n"],
    label: Bool[np.ndarray, " n"],
    covariates: Float[np.ndarray, "n c"],
    generator: np.random.Generator,
    *,
    samples: int = 19_999,
) -> ResidualTest:
    """Freedman-Lane permutation test of a label given covariates.

    values = α + covariates β + γ label + e. The residuals of the model without the label are permuted and put back on
    its fit; |t| of γ in the full model is compared, p = (1 + hits)/(1 + samples). Close to its level, not exact, and it
    leans on the linear form, where matched sets do not.

    Args:
        values: the outcome (n,).
        label: who has the label (n,).
        covariates: (n, c).
        generator: random stream.
        samples: random exchanges.

    Returns:
        Coefficient and p, or the reason why there is none.

    Raises:
        Defect: a number that is not finite.

    Source:
        Freedman and Lane, A nonstochastic interpretation of reported significance levels (1983); Winkler et al.,
        Permutation inference for the general linear model (2014), table 2.
    """
    found = checked(values, "residual_test")
    if not np.isfinite(covariates).all():
        raise Defect("a covariate is not finite", where="residual_test")
    size, smallest = found.size, 1 / (1 + samples)
    spread = covariates.std(axis=0)
    varied = spread > 1e-12 * (1e-300 + np.abs(covariates).max(axis=0))
    standard = (covariates[:, varied] - covariates[:, varied].mean(axis=0)) / spread[varied]
    left, sizes, _ = np.linalg.svd(np.column_stack([np.ones(size), standard]), full_matrices=False)
    basis = left[:, sizes > 1e-10 * sizes[0]]
    freedom = size - basis.shape[1] - 1
    if freedom < 1:
        return ResidualTest(None, None, smallest, size, freedom, "too_few_units")
    marked = label * 1.0
    apart = marked - basis @ (basis.T @ marked)
    if float(apart @ apart) <= 1e-10 * size:
        return ResidualTest(None, None, smallest, size, freedom, "collinear")
    residuals = found - basis @ (basis.T @ found)
    if float(np.abs(residuals).max()) <= 1e-12 * float(np.abs(found).max()):
        return ResidualTest(None, None, smallest, size, freedom, "no_spread")
    shuffled = generator.permuted(np.tile(residuals, (samples, 1)), axis=1)
    observed = float(_correlation(residuals[np.newaxis], basis, apart)[0])
    p = two_sided(_correlation(shuffled, basis, apart), observed, 1.0, exact=False)
    return ResidualTest(float(apart @ residuals) / float(apart @ apart), p, smallest, size, freedom)


def _correlation(
    residuals: Float64[np.ndarray, "p n"], basis: Float64[np.ndarray, "n k"], apart: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " p"]:
    """Partial correlation with the label, which rises with t; the fit of the smaller model drops out of it."""
    rest = residuals - (residuals @ basis) @ basis.T
    norms = np.linalg.norm(rest, axis=1)
    return rest @ apart / np.where(norms > 0, norms, 1.0) / float(np.linalg.norm(apart))
