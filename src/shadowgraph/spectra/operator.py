"""A matrix known by its products: each product is one pass over the source.

Here live: A X, Aᵀ X and the Gram matrix times X, scaled. Not here: what asks for them (`leading`, `sketch`).

Legend: `m n` rows and columns of the source as read, `s` its short side, `c` columns.
"""

import numpy as np
from jaxtyping import Float64

from shadowgraph.errors import Defect
from shadowgraph.spectra.source import RowSource, Scaler, upright


class Operator:
    """Products with a scaled matrix, read anew at every product.

    Args:
        source: (m, n); a wide array is turned upright, which `flipped` tells.
        block_rows: rows of one block of a pass.

    Attributes:
        source: what is read.
        shape: (m, n) of the matrix, not turned.
        flipped: whether `source` is the transpose.
        rows: rows of one block.
        scale: power of two the entries are divided by; 0 for the zero matrix.
        energy: squared Frobenius norm.
        scaled_energy: of the scaled matrix.

    Raises:
        Defect: an entry that is not finite, or a source that gives fewer rows than its shape.
        DataError: the energy exceeds the float64 range.
    """

    def __init__(self, source: RowSource, block_rows: int) -> None:
        """Read once, for the scale and the energy."""
        self.source = upright(source)
        self.shape = source.shape
        self.flipped = self.source is not source
        self.rows = max(block_rows, 1)
        scaler = Scaler()
        for block in self.source.blocks(self.rows):
            scaler.take(block)
        if scaler.rows != self.source.shape[0]:
            raise Defect(f"{scaler.rows} rows came from a source of {self.source.shape[0]}", where="spectra")
        self.scale = scaler.scale
        self.energy = scaler.energy
        self.scaled_energy = scaler.scaled_energy

    @property
    def side(self) -> int:
        """Size of the short side."""
        return min(self.shape)

    @property
    def rounding(self) -> float:
        """Error of a product with a unit vector in float64, at most: (m + n) ε ‖A‖_F."""
        return sum(self.shape) * float(np.finfo(np.float64).eps) * self.scaled_energy**0.5

    def times(self, columns: Float64[np.ndarray, "n c"]) -> Float64[np.ndarray, "m c"]:
        """A X, one pass.

        Args:
            columns: X (n, c).

        Returns:
            The product (m, c), scaled.
        """
        product = np.empty((self.source.shape[0], columns.shape[1]))
        first = 0
        for block in self.source.blocks(self.rows):
            product[first : first + block.shape[0]] = block / self.scale @ columns
            first += block.shape[0]
        return product

    def turned(self, columns: Float64[np.ndarray, "m c"]) -> Float64[np.ndarray, "n c"]:
        """Aᵀ X, one pass.

        Args:
            columns: X (m, c).

        Returns:
            The product (n, c), scaled.
        """
        product = np.zeros((self.source.shape[1], columns.shape[1]))
        first = 0
        for block in self.source.blocks(self.rows):
            product += (block / self.scale).T @ columns[first : first + block.shape[0]]
            first += block.shape[0]
        return product

    def gram(self, columns: Float64[np.ndarray, "s c"]) -> Float64[np.ndarray, "s c"]:
        """The Gram matrix of the short side times X: one pass of a tall source, two of a wide one.

        Args:
            columns: X (s, c).

        Returns:
            The product (s, c), scaled twice.
        """
        if self.source.shape[0] < self.source.shape[1]:
            return self.times(self.turned(columns))
        product = np.zeros_like(columns)
        for block in self.source.blocks(self.rows):
            scaled = block / self.scale
            product += scaled.T @ (scaled @ columns)
        return product
