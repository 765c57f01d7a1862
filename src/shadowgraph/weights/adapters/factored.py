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
from shadowgraph.weights.roles import Role

Array = NDArray[np.float64]


class Factors(Protocol):
    """Reads the two factors of an update."""

    def __call__(self) -> tuple[Array, Array]:
        """Float64 (m, r) and (r, n)."""
        ...


@dataclass(frozen=True, slots=True)
class FactoredUpdate:
    """One update D = scale · left · right of a matrix m × n, rows are outputs.

    Attributes:
        tensor: name of the matrix it changes as the base names it, foreign text.
        key: as in `WeightMatrix`.
        part: as in `WeightMatrix`.
        role: block, slot, tower.
        layer: layer index, None outside the layers.
        expert: expert index, None outside experts.
        shape: (m, n).
        rank: inner size r of the factors; the rank of the update is no larger.
        scale: factor of the product, without unit.
        dtype: stored type of the factors, the coarser one where they differ, a key of `ELEMENT_TYPES`.
        before: the base's matrix, None without a base.
        load: reads the factors.
    """

    tensor: str
    key: str
    part: str
    role: Role
    layer: int | None
    expert: int | None
    shape: tuple[int, int]
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

    @property
    def name(self) -> str:
        """Name of the matrix, with the part in brackets after a split."""
        return f"{self.tensor}[{self.part}]" if self.part else self.tensor

    @property
    def identity(self) -> tuple[str, str]:
        """What it shares with the matrix of the base: key and part."""
        return self.key, self.part

    @property
    def parameters(self) -> int:
        """Number of elements of the matrix it changes."""
        return self.shape[0] * self.shape[1]

    def __repr__(self) -> str:
        """One line: name, shape, rank, scale."""
        return f"FactoredUpdate({self.name!r}, {self.shape[0]}×{self.shape[1]}, r = {self.rank}, × {self.scale:g})"
