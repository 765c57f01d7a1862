"""Which method for which matrix, and the one call that carries it out.

Here live: the choice, the redo when float32 does not resolve what matters, `spectrum_of`.
Not here: the methods.

Legend: `m n` rows and columns, `k` the short side.
"""

from dataclasses import dataclass
from typing import Literal

from shadowgraph.errors import EnvironmentFault
from shadowgraph.measures.spectrum import Spectrum
from shadowgraph.spectra.exact import exact_spectrum, zero_spectrum
from shadowgraph.spectra.gram import PROBES, gram_of
from shadowgraph.spectra.reduce import roots
from shadowgraph.spectra.source import RowSource, Source, as_source, upright

Precision = Literal["auto", "float64", "float32"]
Method = Literal["exact", "gram64", "gram32", "sketch"]

# below this short side, or with fewer elements, float32 saves no more than its check costs
SINGLE_LIMIT, SINGLE_ELEMENTS = 640, 1 << 20
# bound on Σ|ŝ − s| / Σŝ under which a Gram matrix stands where a plan has a fallback
TOTAL_SHARE = {"gram32": 5e-4, "gram64": 1e-8}
TOP = 32  # values kept where memory allows no Gram matrix
_BLOCK = 1 << 20  # elements of one block of rows, 8 MiB
_LEAST_ROWS = 512  # fewer rows at a time and the update of the Gram matrix waits for memory


@dataclass(frozen=True, slots=True)
class Plan:
    """How a spectrum is to be computed; recorded, so that it can be repeated.

    Attributes:
        method: what is tried first: "exact", "gram64", "gram32" or "sketch" (the largest values only).
        device: "cpu", or a torch device.
        block_rows: rows of the source read at a time.
        strip_rows: rows of a wide source held at a time.
        workspace_bytes: most memory used beside the source's own, at most one block of it.
        reason: why, a clause.
        fallback: method used when the bound of the first is too wide; None keeps the first and its bound.
    """

    method: Method
    device: str
    block_rows: int
    strip_rows: int
    workspace_bytes: int
    reason: str
    fallback: Method | None = None


def plan_spectrum(
    shape: tuple[int, int], *, precision: Precision = "auto", memory: int | None = None, device: str = "cpu"
) -> Plan:
    """Choose a method by shape, precision, memory and device.

    "auto" takes the float64 Gram matrix for a short side below 640, and the SVD where that loses digits; from 2²⁰
    elements on, the float32 Gram matrix with its measured bound, and float64 where that is too wide.

    Args:
        shape: (m, n).
        precision: "float32" never falls back, "float64" never uses float32.
        memory: bytes that may be used beside the source; None allows ten bytes an element and 128 MiB.
        device: "cpu", or a torch device such as "cuda".

    Returns:
        The plan.

    Raises:
        EnvironmentFault: not even one block of rows fits into `memory`.
    """
    m, n = shape
    k = min(shape)
    budget = 10 * m * n + (128 << 20) if memory is None else memory
    block_rows = max(1, min(m, max(_LEAST_ROWS, _BLOCK // n)))
    method, fallback, reason = _first_choice(shape, precision)
    needed = _workspace(shape, 8 if "gram64" in (method, fallback) else 4, block_rows, 0)
    if needed > budget and method != "sketch":
        block_rows = max(1, min(block_rows, (1 << 16) // n))
        if fallback == "gram64" and _workspace(shape, 4, block_rows, 0) <= budget:
            fallback, reason = None, "float32 Gram matrix, as memory allows no other"
        elif _workspace(shape, 8, block_rows, 0) > budget:
            method, fallback, reason = "sketch", None, "memory allows no Gram matrix: the largest values only"
    width = 4 if method == "gram32" and fallback is None else 8
    if method == "sketch":
        needed, strip_rows = 8 * (4 * TOP * (m + n) + 2 * block_rows * n), 1
    else:
        spare = budget - _workspace(shape, width, block_rows, 1)
        strip_rows = max(1, min(m, spare // (width * n))) if m < n else 1
        needed = _workspace(shape, width, block_rows, strip_rows if m < n else 0)
        if "exact" in (method, fallback):
            needed = max(needed, 24 * m * n)
    if needed > budget and memory is not None and k > 1 and method == "sketch":
        raise EnvironmentFault(f"{memory} bytes hold no block of a {m}×{n} matrix", hint="allow more memory")
    return Plan(method, device, block_rows, strip_rows, needed, reason, fallback)


def spectrum_of(source: Source, plan: Plan | None = None) -> Spectrum:
    """All singular values of a matrix by the planned method.

    Args:
        source: an array (m, n) of any floating type, or a row source; finite entries.
        plan: how; None plans for its shape.

    Returns:
        Complete spectrum and the method that made it, "zero" for the zero matrix; a plan "sketch" gives the largest 32.

    Raises:
        Defect: an empty matrix or an entry that is not finite.
        DataError: the energy exceeds the float64 range.
        DecompositionFailure: LAPACK did not converge.
        EnvironmentFault: another device without torch.
    """
    found = as_source(source)
    chosen = plan_spectrum(found.shape) if plan is None else plan
    if chosen.device != "cpu":
        from shadowgraph.spectra.accelerated import spectra_batch

        return spectra_batch([found], chosen)[0]
    if chosen.method == "exact":
        return exact_spectrum(found)
    if chosen.method == "sketch":
        from shadowgraph.spectra.leading import leading_spectrum

        return leading_spectrum(found, min(TOP, *found.shape), chosen)
    spectrum, sound = _by_gram(found, chosen, single=chosen.method == "gram32")
    if sound or chosen.fallback is None:
        return spectrum
    if chosen.fallback == "exact":
        return exact_spectrum(found)
    return _by_gram(found, chosen, single=False)[0]


def _by_gram(source: RowSource, plan: Plan, *, single: bool) -> tuple[Spectrum, bool]:
    """The spectrum by a Gram matrix, and whether its bound is narrow enough for the plan to keep it."""
    upended = upright(source)
    gram = gram_of(
        upended,
        single=single,
        block_rows=plan.block_rows if upended is source else max(_LEAST_ROWS, _BLOCK // upended.shape[1]),
        strip_rows=plan.strip_rows,
        probes=single,
    )
    if gram.scale == 0.0:
        return zero_spectrum(source.shape), True
    found = roots(gram)
    method = "gram32" if single else "gram64"
    spectrum = Spectrum(found.values * gram.scale, source.shape, gram.energy, method, found.bound * gram.scale)
    return spectrum, found.total_share <= TOTAL_SHARE[method]


def _first_choice(shape: tuple[int, int], precision: Precision) -> tuple[Method, Method | None, str]:
    k = min(shape)
    small = k < SINGLE_LIMIT
    few = small or shape[0] * shape[1] < SINGLE_ELEMENTS
    if precision == "float32":
        return "gram32", None, "float32 was asked for"
    if small:
        return "gram64", "exact", f"a short side of {k}: float64 Gram matrix, SVD where it loses digits"
    if precision == "float64":
        return "gram64", None, "float64 was asked for"
    if few:
        return "gram64", None, f"{shape[0]}×{shape[1]}: float32 would save nothing"
    return "gram32", "gram64", f"a short side of {k}: float32 Gram matrix, float64 where it does not resolve"


def _workspace(shape: tuple[int, int], width: int, block_rows: int, strip_rows: int) -> int:
    """Bytes of a Gram matrix, LAPACK's work, one scaled block in both precisions, the strip and the probes."""
    k, n = min(shape), shape[1]
    blocks = block_rows * n * (8 + 8 + 4)
    return width * (k * k + 64 * k + strip_rows * n) + blocks + 8 * PROBES * 4 * (k + (n if strip_rows else 0))
