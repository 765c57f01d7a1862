"""Where the elements of a matrix lie in the tensor it was split from.

Here lives: `element_places`, the way back from a matrix to what is stored. Not here: reading and splitting (`matrix`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import Defect, printable
from shadowgraph.weights.matrix import WeightMatrix, flat_shape


def element_places(matrix: WeightMatrix) -> NDArray[np.int64]:
    """The place of every element of a matrix in its stored tensor, counted along the stored order from 0.

    With `flat` the stored values in their order, `flat[element_places(matrix)]` is what `matrix.load()` gives, and
    writing there writes the matrix back, whatever it was split from, stacked in or turned.

    Args:
        matrix: a matrix of a checkpoint.

    Returns:
        (m, n), every place once.

    Raises:
        Defect: the matrix lies in no tensor of a file.
    """
    piece, entry = matrix.piece, matrix.source
    if piece is None:
        raise Defect("a matrix that lies in no file has no places", where=printable(matrix.name))
    places = np.arange(entry.parameters, dtype=np.float64).reshape(entry.shape)  # exact up to 2^53
    whole = places.reshape(flat_shape(entry.shape)) if piece.expert is None else places[piece.expert]
    return piece.cut.take(whole.T if piece.transposed else whole, piece.part).astype(np.int64)
