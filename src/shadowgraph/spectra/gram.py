"""The Gram matrix of the short side, accumulated from row blocks in float32 or float64.

Here live: the accumulation from tall and from wide sources, and the random probes that go along with it.
Not here: eigenvalues (`reduce`), when to use which precision (`plan`).

Legend: `m n` rows and columns of the source, `k` its short side, `b` rows of one block, `p` probes.
"""

# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64
from scipy.linalg import blas

from shadowgraph.errors import Defect
from shadowgraph.seeds import generator
from shadowgraph.spectra.source import RowSource, Scaler

PROBES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Gram:
    """AᵀA or AAᵀ of a scaled matrix, with what is needed to bound its error.

    Attributes:
        matrix: (k, k), Fortran order; only the lower triangle is filled. Overwritten by `reduce`.
        shape: (m, n) of the source.
        scale: power of two the entries were divided by; 0 for the zero matrix.
        scaled_energy: squared Frobenius norm of the scaled matrix.
        energy: squared Frobenius norm.
        terms: length of the longest chain of sums behind an entry.
        probes: standard Gaussian columns (k, p); empty (k, 0) where none were asked for.
        images: the exact Gram matrix times the probes (k, p), in float64 from the float64 entries.
    """

    matrix: Float[np.ndarray, "k k"]
    shape: tuple[int, int]
    scale: float
    scaled_energy: float
    energy: float
    terms: int
    probes: Float64[np.ndarray, "k p"]
    images: Float64[np.ndarray, "k p"]


def gram_of(source: RowSource, *, single: bool, block_rows: int, strip_rows: int, probes: bool) -> Gram:
    """Accumulate the Gram matrix of the short side.

    A tall source is read once: rank-b updates of one triangle, k² (m + 1) operations, bound by the machine's matrix
    product (syrk does half the work of gemm and reaches the same rate). A wide one needs every pair of its rows: it is
    read once for scale and energy, then once for every strip of `strip_rows` rows held in memory.

    Args:
        source: (m, n), finite entries.
        single: products in float32, else float64. Entries are scaled to below 1 first, so neither can overflow.
        block_rows: rows b of one block of a pass.
        strip_rows: rows held at a time from a wide source.
        probes: whether to carry `PROBES` random columns along in float64, 4 m n p operations.

    Returns:
        The Gram matrix; `scale` 0 for the zero matrix.

    Raises:
        Defect: an entry that is not finite, or a source that gives fewer rows than its shape.
        DataError: the energy exceeds the float64 range.
    """
    m, n = source.shape
    k = min(m, n)
    columns = generator(0, "gram-probes", str(k)).standard_normal((k, PROBES)) if probes else np.zeros((k, 0))
    kind = np.float32 if single else np.float64
    matrix = np.zeros((k, k), dtype=kind, order="F")
    if m >= n:
        scaler, images = _tall(source, matrix, columns, block_rows)
        terms = min(block_rows, m) + -(-m // block_rows)
    else:
        scaler, images = _wide(source, matrix, columns, (block_rows, strip_rows))
        terms = n
    if scaler.rows != m:
        raise Defect(f"{scaler.rows} rows came from a source of {m}", where="spectra")
    energy = scaler.energy
    return Gram(matrix, (m, n), scaler.scale, scaler.scaled_energy, energy, terms, columns, images)


def _tall(
    source: RowSource, matrix: Float[np.ndarray, "k k"], probes: Float64[np.ndarray, "k p"], block_rows: int
) -> tuple[Scaler, Float64[np.ndarray, "k p"]]:
    """Σ over blocks of AᵀA into the lower triangle of `matrix`, and AᵀA times the probes."""
    scaler = Scaler()
    images = np.zeros_like(probes)
    narrow = np.empty(0, dtype=np.float32)
    syrk = blas.ssyrk if matrix.dtype == np.float32 else blas.dsyrk
    for block in source.blocks(block_rows):
        scaled, factor = scaler.take(block)
        if factor != 1.0:
            matrix *= matrix.dtype.type(factor * factor)
            images *= factor * factor
        if scaled is None:
            continue
        if probes.shape[1]:
            images += scaled.T @ (scaled @ probes)
        lying = scaled.flags.c_contiguous
        rows = scaled.T if lying else scaled
        if matrix.dtype == np.float32:
            if narrow.size < rows.size:
                narrow = np.empty(rows.size, dtype=np.float32)
            copy = narrow[: rows.size].reshape(rows.shape, order="F")
            copy[...] = rows
            rows = copy
        syrk(1.0, rows, beta=1.0, c=matrix, trans=0 if lying else 1, lower=1, overwrite_c=1)
    return scaler, images


def _wide(
    source: RowSource,
    matrix: Float[np.ndarray, "k k"],
    probes: Float64[np.ndarray, "k p"],
    rows: tuple[int, int],
) -> tuple[Scaler, Float64[np.ndarray, "k p"]]:
    """AAᵀ into the lower triangle of `matrix`, strip by strip, and AAᵀ times the probes."""
    block_rows, strip_rows = rows
    m, n = source.shape
    scaler = Scaler()
    inner = np.zeros((n, probes.shape[1]))
    for block in source.blocks(block_rows):
        first = scaler.rows
        scaled, factor = scaler.take(block)
        inner *= factor
        if scaled is not None and probes.shape[1]:
            inner += scaled.T @ probes[first : first + block.shape[0]]
    images = np.zeros_like(probes)
    if scaler.scale == 0.0:
        return scaler, images
    for start in range(0, m, strip_rows):
        strip = np.empty((min(strip_rows, m - start), n), dtype=matrix.dtype)
        stop, first = start + strip.shape[0], 0
        for block in source.blocks(block_rows):
            last = first + block.shape[0]
            scaled = block / scaler.scale
            if start == 0 and probes.shape[1]:
                images[first:last] = scaled @ inner
            held = slice(max(first, start), min(last, stop))
            if held.start < held.stop:
                strip[held.start - start : held.stop - start] = scaled[held.start - first : held.stop - first]
                known = strip[: held.stop - start]
                matrix[held, start : held.stop] = known[held.start - start :] @ known.T
            if last > stop:
                below = scaled[max(stop - first, 0) :].astype(matrix.dtype, copy=False)
                matrix[max(first, stop) : last, start:stop] = below @ strip.T
            first = last
    return scaler, images
