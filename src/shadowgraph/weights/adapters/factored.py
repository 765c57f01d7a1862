"""The update of an adapter: a product of two small matrices that is never formed.

Here lives: `FactoredUpdate`.
Not here: which tensors are its factors (`pairs`), its scale (`scaling`), spectra.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shadowgraph.weights.matrix import WeightMatrix
from shadowgraph.weights.placed import Placed

Array = NDArray[np.float64]


class Factors(Protocol):
    """Reads the two factors of an update."""

    def __call__(self) -> tuple[Array, Array]:
        """Float64 (m, r) and (r, n)."""
        ...


@dataclass(frozen=True, slots=True)
class FactoredUpdate(Placed):
    """One update D = scale · left · right of a matrix m × n, named and placed as the matrix that it changes.

    Attributes:
        rank: inner size r of the factors; the rank of the update is no larger.
        scale: factor of the product, without unit.
        dtype: stored type of the factors, the coarser one where they differ, a key of `ELEMENT_TYPES`.
        before: the base's matrix, None without a base.
        load: reads the factors.
    """

    rank: int
    scale: float
    dtype: str
    before: WeightMatrix | None
    load: Factors = field(compare=False)

    def factors(self) -> tuple[Array, Array]:
        """Left (m, r) and right (r, n), float64; D = scale · left · right. They may be non-finite.

        Raises:
            CheckpointError: a file changed since its header was read.
            EnvironmentFault: the device refuses.
        """
        return self.load()

    def __repr__(self) -> str:
        """One line: name, shape, rank, scale."""
        return f"FactoredUpdate({self.name!r}, {self.shape[0]}×{self.shape[1]}, r = {self.rank}, × {self.scale:g})"
