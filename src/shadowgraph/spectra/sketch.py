"""Sums Σ f(s²) of a matrix too large for its Gram matrix, with an error.

Here live: stochastic Lanczos quadrature on what is left after the largest values are taken out, its control variate,
and the error of both. Not here: the largest values (`leading`), complete spectra (`plan`).

Legend: `N` the short side, `d` values taken out, `p` probes, `t` Lanczos steps.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from jaxtyping import Float64

from shadowgraph.errors import Defect
from shadowgraph.spectra.leading import Leading, leading
from shadowgraph.spectra.operator import Operator
from shadowgraph.spectra.plan import plan_spectrum
from shadowgraph.spectra.source import Source, as_source

Function = Callable[[Float64[np.ndarray, " any"]], Float64[np.ndarray, " any"]]

CONFIDENCE = 0.999  # of the interval estimate ± error
_BREAKDOWN = 1e-12


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated sum; the truth lies within value ± error in 99.9 % of draws of the probes."""

    value: float
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """What is known of a spectrum without all of it.

    Attributes:
        top: the values taken out, with vectors.
        energy: Σ s², exact, from the entries.
        fourth: Σ s⁴, estimated.
        estimates: name → estimate of Σ f(s²) over all min(m, n) values.
    """

    top: Leading
    energy: float
    fourth: Estimate
    estimates: dict[str, Estimate]


def sketch(
    source: Source,
    functions: Mapping[str, Function],
    *,
    steps: int = 24,
    probes: int = 12,
    deflate: int = 16,
    generator: np.random.Generator,
) -> Sketch:
    """Estimate Σ f(s²) over all singular values from products with the matrix alone.

    The d largest values come from a block Krylov space and are counted exactly; what is left, (I − VVᵀ) AᵀA (I − VVᵀ),
    is probed by Gaussian vectors and t steps of Lanczos each. The sums of 1 and of s² over the rest are known exactly
    (N − d and the energy), so f is first fitted by a + b s² over the pooled quadrature and only the remainder is
    estimated: without the largest values the fit would follow them, without the fit the trace would be noise.
    Cost: 4 m n (p t + 9 (d + 8)) operations, products of a tall block, bound by memory for few probes; below
    N ≈ 4,000 the complete spectrum is cheaper.

    Args:
        source: (m, n), finite entries.
        functions: name → f, a vectorised function of eigenvalues s² ≥ 0, finite on [0, s1²].
        steps: Lanczos steps t, at least 4; cut to N − d.
        probes: p, at least 4.
        deflate: d, at least 1; cut to N.
        generator: the stream of random numbers.

    Returns:
        The sketch. An error joins the spread over the probes (Student, 99.9 %) with the change from the last steps
        of the quadrature; it is 0 where all values were taken out.

    Raises:
        Defect: too few steps, probes or values to take out, or a function that is not finite.
        DataError: the energy exceeds the float64 range.
        DecompositionFailure: LAPACK did not converge.

    Source:
        Ubaru, Chen and Saad, Fast estimation of tr(f(A)) via stochastic Lanczos quadrature (2017); Meyer et al.,
        Hutch++ (2021), for taking the largest out; Adams et al., Estimating the spectral density of large implicit
        matrices (2018), for control variates.
    """
    if steps < 4 or probes < 4 or deflate < 1:
        raise Defect(f"{steps} steps, {probes} probes, {deflate} values are too few", where="spectra.sketch")
    found = as_source(source)
    side = min(found.shape)
    plan = replace(plan_spectrum(found.shape), method="sketch", fallback=None)
    top = leading(found, min(deflate, side), plan)
    operator = Operator(found, plan.block_rows)
    wanted: dict[str, Function] = {"": np.square, **dict(functions)}
    exact = {name: float(np.sum(_values(f, np.square(top.values), name))) for name, f in wanted.items()}
    rest = side - top.values.size
    if rest == 0 or top.energy == 0.0:
        ends = {name: rest * float(_values(f, np.zeros(1), name)[0]) if rest else 0.0 for name, f in wanted.items()}
        sums = {name: Estimate(exact[name] + ends[name], 0.0) for name in wanted}
    else:
        near = top.right if found.shape[0] >= found.shape[1] else top.left
        known = max(top.energy - float(np.sum(np.square(top.values))), 0.0)
        rules = _rules(operator, near, generator.standard_normal((side, probes)), min(steps, rest))
        sums = {name: _estimate(f, name, rules, (rest, known, exact[name])) for name, f in wanted.items()}
    fourth = sums.pop("")
    return Sketch(top, top.energy, fourth, sums)


class _Quadrature:
    """Nodes and weights of every probe, in the unit of s²."""

    def __init__(self, unit: float) -> None:
        self.unit = unit
        self.nodes: list[Float64[np.ndarray, " t"]] = []
        self.weights: list[Float64[np.ndarray, " t"]] = []

    def add(self, alpha: Float64[np.ndarray, " t"], beta: Float64[np.ndarray, " t"]) -> None:
        """Gauss rule of the tridiagonal matrix of one probe, cut where the Krylov space was exhausted."""
        ends = np.flatnonzero(beta <= _BREAKDOWN * (float(np.abs(alpha).max()) + float(beta.max())))
        size = min(int(ends[0]) + 1 if ends.size else alpha.size, alpha.size)
        nodes, vectors = scipy.linalg.eigh_tridiagonal(alpha[:size], beta[: size - 1])
        self.nodes.append(np.maximum(nodes, 0.0) * self.unit)
        self.weights.append(np.square(vectors[0]))


def _rules(
    operator: Operator, near: Float64[np.ndarray, "s d"], start: Float64[np.ndarray, "s p"], steps: int
) -> list[_Quadrature]:
    """The quadrature of all steps, and the one without the last two, away from the values taken out."""
    start = start - near @ (near.T @ start)
    alpha, beta = _lanczos(operator, near, start / np.linalg.norm(start, axis=0), steps)
    rules = [_Quadrature(operator.scale * operator.scale) for _ in range(2)]
    for column in range(start.shape[1]):
        rules[0].add(alpha[:, column], beta[:, column])
        rules[1].add(alpha[: max(steps - 2, 1), column], beta[: max(steps - 2, 1), column])
    return rules


def _estimate(function: Function, name: str, rules: "list[_Quadrature]", known: tuple[int, float, float]) -> Estimate:
    """Exact part, fitted part and the mean remainder over the probes, with its error."""
    rest, energy, exact = known
    pooled, weights = np.concatenate(rules[0].nodes), np.concatenate(rules[0].weights)
    values = _values(function, pooled, name)
    middle = float(weights @ pooled) / float(weights.sum())
    spread = float(weights @ np.square(pooled - middle))
    slope = float(weights @ ((pooled - middle) * values)) / spread if spread > 0 else 0.0
    level = float(weights @ values) / float(weights.sum())
    remainders = [
        np.array(
            [
                float(w @ (_values(function, x, name) - level - slope * (x - middle)))
                for x, w in zip(rule.nodes, rule.weights, strict=True)
            ]
        )
        for rule in rules
    ]
    means = [float(found.mean()) for found in remainders]
    count = remainders[0].size
    import scipy.special  # seldom needed, and slow to import

    wide = float(scipy.special.stdtrit(count - 3, 0.5 + CONFIDENCE / 2.0))
    error = wide * float(remainders[0].std(ddof=1)) / math.sqrt(count)
    value = exact + rest * level + slope * (energy - rest * middle) + rest * means[0]
    scale = abs(exact) + rest * float(weights @ np.abs(values)) / float(weights.sum())
    return Estimate(value, rest * (error + 2.0 * abs(means[0] - means[1])) + 1e-12 * scale)


def _lanczos(
    operator: Operator, near: Float64[np.ndarray, "s d"], start: Float64[np.ndarray, "s p"], steps: int
) -> tuple[Float64[np.ndarray, "t p"], Float64[np.ndarray, "t p"]]:
    """Lanczos from every column at once, fully reorthogonalised; one pass (two where wide) a step."""
    alpha, beta = np.zeros((steps, start.shape[1])), np.zeros((steps, start.shape[1]))
    history = np.zeros((steps, *start.shape))
    current = start
    for step in range(steps):
        history[step] = current
        product = operator.gram(current)
        alpha[step] = np.einsum("ij,ij->j", current, product)
        past = history[: step + 1]
        for _ in range(2):
            product = product - near @ (near.T @ product)
            product = product - np.einsum("tip,tp->ip", past, np.einsum("tip,ip->tp", past, product))
        beta[step] = np.linalg.norm(product, axis=0)
        current = product / np.where(beta[step] > 0.0, beta[step], 1.0)
    return alpha, beta


def _values(function: Function, squares: Float64[np.ndarray, " t"], name: str) -> Float64[np.ndarray, " t"]:
    values = np.asarray(function(squares), dtype=np.float64)
    if values.shape != squares.shape or not np.isfinite(values).all():
        raise Defect(f"the function {name!r} is not finite on the spectrum", where="spectra.sketch")
    return values
