"""Sketches: a document as one direction in a fixed space of few dimensions.

Here live: sketches of documents and the share of documents that is held out from every selection.
Not here: clusters of sketches (`codebook`) and what is measured on them (`coverage`).

A sketch is a sparse random projection (Li, Hastie & Church 2006; signs and places drawn by hash, as in Weinberger et
al. 2009, arXiv 0902.2206) of the set of a document's distinct words, function words left out. No weights and no fit to
any corpus: the same text has the same sketch everywhere. Words, not pairs: pairs rarely return in another document,
and adding them halves what two documents of one source have in common. The cosine of two sketches estimates the share
of words two documents share, |A ∩ B| / √(|A||B|), with standard
error about 1/√DIMENSIONS = .06.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.kernels import describing
from shadowgraph.corpus.kernels.described_arrays import DIMENSIONS, mix

VERSION = "sketch-1"
UNIT = 1 << 12  # length of a sketch; its entries are whole numbers, so sums do not depend on their order
HELD_OUT = 64  # one document in so many is held out
_SALT = np.uint64(0x5BD1E9955BD1E995)

__all__ = ["DIMENSIONS", "HELD_OUT", "UNIT", "VERSION", "held_out", "sketches"]


def sketches(batch: Batch) -> NDArray[np.int16]:
    """(n, DIMENSIONS) sketches of length `UNIT` up to rounding; all zeros for a document without content words."""
    words, ends = batch.words
    sums = describing(batch.path).sign_sums(words, ends)
    length = np.sqrt((sums * sums).sum(axis=1).astype(np.float64))
    return np.rint(sums / np.maximum(length, 1.0)[:, None] * UNIT).astype(np.int16)


def held_out(batch: Batch) -> NDArray[np.bool_]:
    """(n,) whether a document is held out for measuring coverage: one in `HELD_OUT`, by hash of its parent's id.

    A rule that selects documents must not see these, else it is judged by what it was made from.
    """
    return mix(batch.keys ^ _SALT) % np.uint64(HELD_OUT) == 0
