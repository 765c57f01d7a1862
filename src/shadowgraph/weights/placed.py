"""What names a matrix and says where in a model it stands.

Here lives: `Placed`. Not here: values and factors, which `WeightMatrix` and `FactoredUpdate` add.
"""

from __future__ import annotations

from dataclasses import dataclass

from shadowgraph.weights.roles import Role


@dataclass(frozen=True, slots=True)
class Placed:
    """A matrix m × n by name and place, rows are outputs.

    Attributes:
        tensor: stored name, foreign text.
        key: stored name with the family's usual prefix.
        part: expert and slot where a stored tensor was split, else "".
        role: block, slot, tower.
        layer: layer index, None outside the layers.
        expert: expert index, None outside experts.
        shape: (m, n).
    """

    tensor: str
    key: str
    part: str
    role: Role
    layer: int | None
    expert: int | None
    shape: tuple[int, int]

    @property
    def name(self) -> str:
        """Stored name, with the part in brackets after a split."""
        return f"{self.tensor}[{self.part}]" if self.part else self.tensor

    @property
    def identity(self) -> tuple[str, str]:
        """What the same matrix of two models shares: key and part."""
        return self.key, self.part

    @property
    def parameters(self) -> int:
        """Number of elements."""
        return self.shape[0] * self.shape[1]
