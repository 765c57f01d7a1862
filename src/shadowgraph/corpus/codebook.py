"""The published codebook: fixed cells of the space of sketches, in which corpora are compared.

Here live: its cells and the cell of a document. Not here: sketches, and any clustering that a selection uses; a corpus
that was selected by clusters is judged by cells it was not selected by.

The cells are those of 128 directions with entries ±1 that come from a hash, fitted to nothing; a document belongs to
the direction it is nearest to (cross-polytope hashing in random coordinates; Andoni et al. 2015, arXiv 1509.02897).
Cells are not topics: two documents of one topic share a cell only more often than chance.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.kernels.described_arrays import DIMENSIONS, mix

VERSION = "codebook-1"  # goes with `sketch.VERSION` into every record
CELLS = 128


@cache
def directions() -> NDArray[np.float64]:
    """(CELLS, DIMENSIONS) entries ±1, one bit of the scrambled number of the entry."""
    numbers = np.arange(1, CELLS * DIMENSIONS + 1, dtype=np.uint64)
    bits = (mix(numbers) >> np.uint64(17)) & np.uint64(1)
    out = (1.0 - 2.0 * bits.astype(np.float64)).reshape(CELLS, DIMENSIONS)
    out.setflags(write=False)
    return out


def cells(sketches: NDArray[np.int16]) -> NDArray[np.int64]:
    """(n,) cell of each sketch; the first of equals. Sums are whole numbers, so no rounding decides."""
    return np.argmax(sketches.astype(np.float64) @ directions().T, axis=1).astype(np.int64)
