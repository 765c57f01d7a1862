"""The update as its inputs see it: spectra of D S^(1/2), S the second moment of what enters the layer.

Here live: second moments from a file and the weighted spectrum.
Not here: how moments are measured (one fixed neutral corpus for all models, or the corpus leaks into the number).

Legend: `m n` rows (outputs) and columns (inputs) of D; x an input; S = E x xᵀ, (n, n), or its diagonal, (n,).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from shadowgraph.errors import DataError, printable
from shadowgraph.measures.rank import participation_ratio
from shadowgraph.measures.spectrum import Reading, Spectrum
from shadowgraph.spectra.factored import factored_spectrum
from shadowgraph.spectra.plan import spectrum_of
from shadowgraph.weights.readers.formats import read_any_header
from shadowgraph.weights.readers.values import read_values
from shadowgraph.weights.tensor import TensorEntry

Matrix = NDArray[np.float64]

SYMMETRY = 1e-6  # of the largest entry: moments are sums of squares in float32
NEGATIVE = 1e-5  # of the largest eigenvalue
KEPT_ROOTS = 2


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class InputRoot:
    """A root of the second moment of some inputs.

    Attributes:
        root: R (n, n) with R Rᵀ = S, or the root of its diagonal, (n,).
        spread: participation ratio of the inputs, (tr S)² / tr S², 1 … n.
    """

    root: Matrix
    spread: float


@dataclass(slots=True)
class Moments:
    """Second moments of layer inputs by the name of the tensor that reads them; opened by `open_moments`.

    A root of S is made once and kept while neighbouring tensors (q, k and v of a layer) hold the same moments.

    Attributes:
        path: the file.
        entries: tensor name → where its moments are stored.
    """

    path: Path
    entries: dict[str, TensorEntry]
    _roots: dict[str, InputRoot] = field(default_factory=dict[str, InputRoot], repr=False)

    def root(self, tensor: str, columns: int) -> InputRoot | None:
        """The root of the moments of one weight's inputs.

        Args:
            tensor: stored name of the weight, as in the model.
            columns: n, the number of its inputs.

        Returns:
            The root; None when the file has no moments of that name.

        Raises:
            DataError: another extent, an entry that is not finite, or a matrix that is no second moment.
        """
        entry = self.entries.get(tensor)
        if entry is None:
            return None
        where = f"{self.path}: tensor '{printable(tensor)}'"
        if entry.shape not in {(columns,), (columns, columns)}:
            raise DataError(
                f"moments of shape {list(entry.shape)} for {columns} inputs",
                where=where,
                hint="store an (n, n) matrix or its diagonal, n the inputs of the layer",
            )
        moments = read_values(entry)
        digest = hashlib.sha256(moments.tobytes()).hexdigest()
        if digest not in self._roots:
            while len(self._roots) >= KEPT_ROOTS:
                del self._roots[next(iter(self._roots))]
            self._roots[digest] = input_root(moments, where)
        return self._roots[digest]


def open_moments(path: Path | str) -> Moments:
    """Open a safetensors file of second moments; values are read when asked for.

    Raises:
        CheckpointError: the file breaks its format.
    """
    path = Path(path)
    return Moments(path, {entry.name: entry for entry in read_any_header(path).entries})


def input_root(moments: Matrix, where: str = "second moments") -> InputRoot:
    """A matrix R with R Rᵀ = S: Cholesky's lower triangle, or U √Λ where S is singular.

    Any root serves: D R and D S^(1/2) have the same singular values, the roots of the eigenvalues of D S Dᵀ.

    Args:
        moments: S (n, n), symmetric and positive semidefinite up to rounding, or its diagonal (n,).
        where: what to name in an error.

    Returns:
        The root and the spread of the inputs.

    Raises:
        DataError: S is not finite, zero, not symmetric, or has an eigenvalue clearly below 0.
    """
    top = float(np.abs(moments).max())
    if not (np.isfinite(top) and top > 0.0):
        raise DataError("the moments are zero or not finite", where=where, hint="measure them again in float64")
    unit = moments / top
    diagonal = unit if unit.ndim == 1 else np.diagonal(unit)
    spread = float(diagonal.sum()) ** 2 / float(np.sum(unit * unit))
    if float(diagonal.min()) < 0.0:
        raise DataError("a second moment is negative", where=where, hint="store E x xᵀ, not E x")
    if unit.ndim == 1:
        return InputRoot(np.sqrt(moments), spread)
    if float(np.abs(unit - unit.T).max()) > SYMMETRY:
        raise DataError("the moments are not symmetric", where=where, hint="store E x xᵀ")
    return InputRoot(_square_root(unit, where) * np.sqrt(top), spread)


def _square_root(moments: Matrix, where: str) -> Matrix:
    try:
        return np.asarray(scipy.linalg.cholesky(moments, lower=True, check_finite=False))
    except scipy.linalg.LinAlgError:
        values, vectors = scipy.linalg.eigh(moments, check_finite=False)
    if float(values[0]) < -NEGATIVE * float(values[-1]):
        raise DataError("the moments have a negative eigenvalue", where=where, hint="store E x xᵀ")
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def weighted_spectrum(update: Matrix, inputs: InputRoot) -> Spectrum:
    """Spectrum of D R, the change of the outputs that inputs of those moments see.

    Its energy is E ‖D x‖². Scaling an input up and its column down, as when the gain of a norm is folded into the
    next matrix, leaves it as it is; the plain spectrum of D moves.

    Args:
        update: D (m, n), finite.
        inputs: of `input_root`.

    Returns:
        Complete spectrum of D R.
    """
    root = inputs.root
    return spectrum_of(update * root[None, :] if root.ndim == 1 else update @ root)


def weighted_participation_ratio_null(m: int, spread: float) -> float:
    """Participation ratio of G S^(1/2) for independent Gaussian entries G: what noise reads through these inputs.

    E tr(G S Gᵀ) = m tr S and E tr((G S Gᵀ)²) = m(m + 1) tr S² + m (tr S)², hence PR0 = m / (1 + (m + 1)/P) with
    P = (tr S)² / tr S². Inputs without structure, P = n, give mn/(m + n + 1).

    Args:
        m: rows of D.
        spread: P, 1 … n.

    Returns:
        PR0, at least 1/3 and below m and P.

    Source:
        Wishart moments with scale matrix S; Muirhead, Aspects of Multivariate Statistical Theory (1982), section 3.2.
    """
    return m / (1.0 + (m + 1) / spread)


def weighted_readings(update: Matrix, inputs: InputRoot) -> dict[str, Reading]:
    """Input-weighted participation ratio and concentration of one update.

    Args:
        update: D (m, n), finite.
        inputs: of `input_root`.

    Returns:
        "weighted_participation_ratio", 1 … min(m, n), and "weighted_concentration" in nats against noise seen through
        the same inputs; "no_change", "too_small".
    """
    null = weighted_participation_ratio_null(update.shape[0], inputs.spread)
    return _against(null, weighted_spectrum(update, inputs))


def factored_weighted_readings(left: Matrix, right: Matrix, scale: float, inputs: InputRoot) -> dict[str, Reading]:
    """`weighted_readings` of an update scale · left · right, whose entries are not formed.

    Noise is a product of Gaussian factors seen through the same inputs, PR0 = 1/(1/r + 1/m + 1/P) to leading order: the
    null of an adapter with the number of inputs replaced by their spread P.

    Args:
        left: (m, r), finite.
        right: (r, n), finite.
        scale: factor of the product.
        inputs: of `input_root`.

    Returns:
        As `weighted_readings`.
    """
    root = inputs.root
    seen = right * root[None, :] if root.ndim == 1 else right @ root
    null = 1.0 / (1.0 / left.shape[1] + 1.0 / left.shape[0] + 1.0 / inputs.spread)
    return _against(null, factored_spectrum(left, seen, scale), left.shape[1])


def _against(null: float, spectrum: Spectrum, rank: int | None = None) -> dict[str, Reading]:
    """Participation ratio and its logarithm below that of noise."""
    ratio = participation_ratio(spectrum)
    level = ratio
    if ratio.value is not None:
        small = min(spectrum.shape) == 1 or rank == 1
        level = Reading(None, "too_small") if small else Reading(math.log(null / ratio.value))
    return {"weighted_participation_ratio": ratio, "weighted_concentration": level}
