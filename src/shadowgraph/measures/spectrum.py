"""The two values of this room: a spectrum that goes in and a reading that comes out.

Here live: `Spectrum`, `Reading` and the one gate that says why a spectrum cannot be read.
Not here: how singular values are computed (`spectra`) and what is read from them (`rank`, `mass`, `geometry`).

Legend: `m n` rows and columns of the matrix, `k` singular values kept.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from shadowgraph.errors import Defect
from shadowgraph.identity import fingerprint

METHODS = frozenset({"exact", "gram64", "gram32", "factored", "sketch", "zero"})


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Spectrum:
    """Singular values of one m × n matrix, with what is known about their accuracy.

    Two spectra are the same when their `fingerprint` is; the class itself compares by object.

    Attributes:
        values: singular values (k,), descending, non-negative, finite; k ≤ min(m, n). A read-only copy is kept.
        shape: (m, n) of the matrix.
        energy: squared Frobenius norm Σ_ij a_ij², from the entries, never from a truncated sum of squares.
        method: "exact" | "gram64" | "gram32" | "factored" | "sketch" | "zero".
        error_bound: absolute bound on the error of each value, in the unit of the values.

    Raises:
        Defect: values out of order, negative, not finite, too many, or at odds with `energy`.
    """

    values: Float64[np.ndarray, " k"]
    shape: tuple[int, int]
    energy: float
    method: str
    error_bound: float

    def __post_init__(self) -> None:
        """Check the promises above once, so that no measure has to."""
        values = np.array(self.values, dtype=np.float64)
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        where = f"spectrum of a {self.shape[0]}×{self.shape[1]} matrix"
        if min(self.shape) < 1 or not 1 <= values.size <= min(self.shape):
            raise Defect(f"{values.size} singular values do not fit the shape", where=where)
        if not (np.isfinite(values).all() and math.isfinite(self.energy) and math.isfinite(self.error_bound)):
            raise Defect("a singular value, the energy or the error bound is not finite", where=where)
        if values[-1] < 0 or np.any(np.diff(values) > 0):
            raise Defect("singular values are not descending and non-negative", where=where)
        if self.method not in METHODS or self.error_bound < 0 or self.energy < 0:
            raise Defect(f"method {self.method!r}, energy or error bound is outside its range", where=where)
        total = float(np.sum(values * values))
        slack = (
            1e-9 * max(total, self.energy)
            + 2.0 * self.error_bound * float(np.sum(values))
            + values.size * self.error_bound**2
        )
        if total > self.energy + slack or (self.complete and self.energy > total + slack):
            raise Defect(f"the squares sum to {total:.6g}, the energy is {self.energy:.6g}", where=where)

    @property
    def kept(self) -> int:
        """Number k of singular values held."""
        return int(self.values.size)

    @property
    def complete(self) -> bool:
        """Whether all min(m, n) singular values are held."""
        return self.kept == min(self.shape)

    @property
    def zero(self) -> bool:
        """Whether the matrix is exactly zero: it has no direction, so no measure of concentration."""
        return float(self.values[0]) == 0.0

    @property
    def fingerprint(self) -> str:
        """Identity of the spectrum: 16 hex digits over all fields."""
        return fingerprint(
            {
                "values": self.values.tobytes().hex(),
                "shape": self.shape,
                "energy": self.energy,
                "method": self.method,
                "error_bound": self.error_bound,
            }
        )

    def __repr__(self) -> str:
        """One line: shape, how many values, the largest, the energy and the method."""
        m, n = self.shape
        return (
            f"Spectrum({m}×{n}, {self.kept} values, s1={self.values[0]:.4g}, energy={self.energy:.4g}, {self.method})"
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured number, or the reason why there is none.

    Attributes:
        value: a finite number when `status` is "ok", else None.
        status: "ok", or "no_change" (zero matrix), "incomplete_spectrum" (the measure needs values that were not
            kept), "too_small" (the matrix is too small for the measure to mean anything), "no_base" (no reference
            norm to divide by), "floor" (storage noise explains too much).

    Raises:
        Defect: a number without "ok", "ok" without a number, or a number that is not finite.
    """

    value: float | None
    status: str = "ok"

    def __post_init__(self) -> None:
        """Hold value and status together."""
        if (self.value is None) == (self.status == "ok"):
            raise Defect(f"a reading of {self.value} cannot have the status {self.status!r}")
        if self.value is not None:
            if not math.isfinite(self.value):
                raise Defect(f"the reading {self.value} is not finite")
            object.__setattr__(self, "value", float(self.value))


def obstacle(spectrum: Spectrum, *, needs_all: bool) -> Reading | None:
    """Say why a spectrum cannot be read, or None when it can.

    Args:
        spectrum: the spectrum to be measured.
        needs_all: whether the measure uses every singular value.

    Returns:
        A reading without value ("no_change" or "incomplete_spectrum"), or None.
    """
    if spectrum.zero:
        return Reading(None, "no_change")
    if needs_all and not spectrum.complete:
        return Reading(None, "incomplete_spectrum")
    return None
