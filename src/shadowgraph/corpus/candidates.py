"""Neighbours by meaning: documents whose embedding lies closer to an item than chance explains.

Here live: candidates with a p-value against a control set. Not here: embeddings, which the caller brings, and verdicts:
a candidate is something to read, never a finding of `contamination`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import DataError


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item, its nearest document, their cosine, and p = share of control texts with as near a document."""

    item: int
    document: int
    cosine: float
    p: float


def candidates(
    items: NDArray[np.float64],
    documents: NDArray[np.float64],
    control: NDArray[np.float64],
    *,
    level: float = 0.01,
) -> list[Candidate]:
    """Items whose nearest document is nearer than those of a disjoint control set.

    The control set holds texts of the same kind that cannot be in the corpus, such as items written later. Its nearest
    cosines are the null; p = (1 + number of control texts at least as near) / (1 + their number).

    Args:
        items: (i, d) embeddings of items.
        documents: (n, d) embeddings of documents.
        control: (c, d) embeddings of control texts, at least 1 / level − 1 of them.
        level: largest p reported.

    Returns:
        Candidates by ascending p, then by descending cosine.

    Raises:
        DataError: when the control set is too small for the level, or widths differ, or there is no document.
    """
    if len({items.shape[1], documents.shape[1], control.shape[1]}) != 1 or not len(documents):
        raise DataError("embeddings differ in width, or there are no documents", where="embeddings")
    if 1.0 / (1 + len(control)) > level:
        raise DataError(f"{len(control)} control texts cannot give a p of {level}", where="control", hint="give more")
    nearest, cosine = _nearest(items, documents)
    null = np.sort(_nearest(control, documents)[1])
    p = (1 + len(null) - np.searchsorted(null, cosine, "left")) / (1 + len(null))
    order = np.lexsort((-cosine, p))
    return [Candidate(int(k), int(nearest[k]), float(cosine[k]), float(p[k])) for k in order if p[k] <= level]


def _nearest(
    texts: NDArray[np.float64], documents: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The nearest document of each text and its cosine."""
    unit = [each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-300) for each in (texts, documents)]
    best = np.zeros(len(texts), np.int64)
    cosine = np.empty(len(texts))
    for start in range(0, len(texts), 256):
        products = unit[0][start : start + 256] @ unit[1].T
        best[start : start + 256] = products.argmax(axis=1)
        cosine[start : start + 256] = products.max(axis=1)
    return best, cosine
