"""How much ground a corpus covers: cells of the published codebook, Vendi scores, nearness to held-out anchors.

Here live: these three readings of sketches. Not here: variety of words (`rarefaction`), compression (`compression`).

The readings disagree by design: outliers raise Vendi and lower nearness to anchors. All of them grow with the number
of documents until it is large against cells and dimensions; compare corpora of equal tokens.

Legend: `S` shards, `C` cells, `D` dimensions of a sketch, `A` anchors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.codebook import CELLS, cells
from shadowgraph.corpus.kernels.described_arrays import mix
from shadowgraph.corpus.shards import SHARDS, Estimate, mean_estimate, shard_of, surprise
from shadowgraph.corpus.sketch import DIMENSIONS, UNIT, held_out, sketches
from shadowgraph.errors import SpecError

MOST_ANCHORS = 512
_PENDING = 2048  # sketches gathered before their products are summed


@dataclass(frozen=True, slots=True)
class CoverageReading:
    """What `Coverage.finish` says.

    Attributes:
        effective_clusters: exp(H) of the shares of documents in the cells of the codebook, 1 … 128.
        vendi: exp of the entropy of the eigenvalues of the documents' mean outer product, 1 … 256 (Friedman & Dieng
            2022, arXiv 2210.02410, definition 3.1, by the dual matrix, which has the same non-zero eigenvalues).
        vendi_inf: one over the largest of these eigenvalues (order ∞; Pasarkar & Dieng 2023, arXiv 2310.12952): a
            small number says that much of the corpus says one thing.
        anchor_coverage: mean over held-out anchors of the largest cosine with any document, −1 … 1 (the facility
            location function); its interval speaks of other anchors, not of other documents.
        documents: documents with content words.
        blank: documents without.
    """

    effective_clusters: Estimate
    vendi: Estimate
    vendi_inf: Estimate
    anchor_coverage: Estimate
    documents: int
    blank: int


@dataclass(frozen=True, eq=False)
class Anchors:
    """Held-out documents: (A,) keys of their parents, ascending, and (A, D) sketches."""

    keys: NDArray[np.uint64]
    sketches: NDArray[np.int16]

    def __repr__(self) -> str:
        """One line: how many."""
        return f"Anchors({len(self.keys)})"


def choose_anchors(batches: Iterable[Batch], most: int = MOST_ANCHORS) -> Anchors:
    """Take anchors from the held-out documents of a pool, the first piece of each; the same in any order of batches.

    Args:
        batches: the pool; only what `sketch.held_out` marks is looked at.
        most: anchors kept, those with the smallest keys.

    Raises:
        SpecError: when no anchor is wanted.
    """
    if most < 1:
        raise SpecError("at least one anchor is needed", where="most", hint="give 1 or more")
    keys, rows = np.zeros(0, np.uint64), np.zeros((0, DIMENSIONS), np.int16)
    for batch in batches:
        chosen = np.flatnonzero(held_out(batch) & (batch.parts <= 1))
        if not len(chosen):
            continue
        part = batch.take(chosen)
        made = sketches(part)
        full = made.any(axis=1)
        keys, rows = np.concatenate([keys, part.keys[full]]), np.concatenate([rows, made[full]])
        _, first = np.unique(keys, return_index=True)
        keys, rows = keys[first][:most], rows[first][:most]
    return Anchors(keys, rows)


def _moments() -> NDArray[np.int64]:
    return np.zeros((SHARDS, DIMENSIONS, DIMENSIONS), np.int64)


@dataclass
class Coverage:
    """Sums over sketches; `update` with batches, `merge` with the same measure of other shards, `finish`.

    Documents whose parent is an anchor are left out, so that no anchor is covered by itself.

    Attributes:
        anchors: held-out documents; None for none.
        cells: (S, C) documents in each cell.
        moments: (S, D, D) sums of outer products, whole numbers.
        nearest: (A,) largest product of each anchor with any document.
        blank: (S,) documents without content words.
    """

    anchors: Anchors | None = None
    cells: NDArray[np.int64] = field(default_factory=lambda: np.zeros((SHARDS, CELLS), np.int64))
    moments: NDArray[np.int64] = field(default_factory=_moments)
    nearest: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    blank: NDArray[np.int64] = field(default_factory=lambda: np.zeros(SHARDS, np.int64))
    _waiting: list[tuple[NDArray[np.int16], NDArray[np.int64]]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        """Start the anchors at the farthest possible."""
        if self.anchors is not None and not len(self.nearest):
            self.nearest = np.full(len(self.anchors.keys), -(2**62), np.int64)

    def update(self, batch: Batch) -> None:
        """Take in a batch."""
        made, shards = sketches(batch), shard_of(batch.keys)
        if self.anchors is not None:
            kept = ~np.isin(batch.keys, self.anchors.keys)
            made, shards = made[kept], shards[kept]
        full = made.any(axis=1)
        np.add.at(self.blank, shards[~full], 1)
        made, shards = made[full], shards[full]
        if not len(made):
            return
        np.add.at(self.cells, (shards, cells(made)), 1)
        if self.anchors is not None and len(self.nearest):
            products = self.anchors.sketches.astype(np.float64) @ made.astype(np.float64).T  # exact: below 2^53
            np.maximum(self.nearest, products.max(axis=1).astype(np.int64), out=self.nearest)
        self._waiting.append((made, shards))
        if sum(len(rows) for rows, _ in self._waiting) >= _PENDING:
            self.settle()

    def settle(self) -> None:
        """Sum what is waiting; afterwards equal corpora have equal arrays."""
        if not self._waiting:
            return
        rows = np.concatenate([made for made, _ in self._waiting]).astype(np.float64)
        shards = np.concatenate([each for _, each in self._waiting])
        self._waiting.clear()
        for shard in np.unique(shards).tolist():
            part = rows[shards == shard]
            self.moments[shard] += (part.T @ part).astype(np.int64)

    def merge(self, other: Coverage) -> None:
        """Add the sums of other shards; both must have the same anchors.

        Raises:
            SpecError: when the anchors differ.
        """
        mine, theirs = self.anchors, other.anchors
        if (mine is None) != (theirs is None) or (mine and theirs and mine.keys.tolist() != theirs.keys.tolist()):
            raise SpecError("coverage of different anchors cannot be merged", where="anchors", hint="share one set")
        self.settle()
        other.settle()
        self.cells += other.cells
        self.moments += other.moments
        self.blank += other.blank
        np.maximum(self.nearest, other.nearest, out=self.nearest)

    def finish(self) -> CoverageReading:
        """The readings with their intervals."""
        self.settle()
        sizes = self.cells.sum(axis=1)
        vendi, vendi_inf = self._vendi(sizes)
        return CoverageReading(
            _effective(self.cells, "effective clusters"),
            vendi,
            vendi_inf,
            self._anchored(int(sizes.sum())),
            int(sizes.sum()),
            int(self.blank.sum()),
        )

    def _vendi(self, sizes: NDArray[np.int64]) -> tuple[Estimate, Estimate]:
        """exp(−tr ρ ln ρ) and 1 / λ_max of ρ = M / tr M; x'(−ln ρ)x and (u'x)² are what a document contributes."""
        traces = np.trace(self.moments, axis1=1, axis2=2).astype(np.float64)
        if not traces.sum():
            return Estimate(None, "empty"), Estimate(None, "empty")
        values, vectors = np.linalg.eigh(self.moments.sum(axis=0) / traces.sum())
        kept = values > DIMENSIONS * np.finfo(np.float64).eps
        values, vectors = values[kept], vectors[:, kept]
        along = np.einsum("dk,sde,ek->sk", vectors, self.moments.astype(np.float64), vectors, optimize=True)
        entropy, top = along @ -np.log(values), along[:, -1]
        most = float(DIMENSIONS)
        return (
            mean_estimate(sizes, entropy, traces, "vendi", transform=np.exp, bounds=(1.0, most)),
            mean_estimate(sizes, top, traces, "vendi inf", transform=np.reciprocal, bounds=(1.0, most)),
        )

    def _anchored(self, documents: int) -> Estimate:
        """Mean largest cosine over anchors."""
        if self.anchors is None or not len(self.anchors.keys):
            return Estimate(None, "no_anchors")
        if not documents:
            return Estimate(None, "empty")
        shards = shard_of(mix(self.anchors.keys))  # the smallest keys were chosen: their upper bits are not even
        sums = np.bincount(shards, np.minimum(self.nearest / float(UNIT) ** 2, 1.0), SHARDS)
        counts = np.bincount(shards, minlength=SHARDS)
        return mean_estimate(counts, sums, counts, "anchors", bounds=(-1.0, 1.0))


def _effective(counts: NDArray[np.int64], label: str) -> Estimate:
    """exp(H) of the shares of cells, counts (S, C)."""
    total = counts.sum(axis=0).astype(np.float64)
    sizes = counts.sum(axis=1)
    bounds = (1.0, float(counts.shape[1]))
    return mean_estimate(sizes, counts @ surprise(total, total.sum()), sizes, label, transform=np.exp, bounds=bounds)
