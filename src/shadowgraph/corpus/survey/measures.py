"""All that is counted in one pass, and how it is kept in a file.

Here live: the set of measures, their update, their merging, their arrays.
Not here: each measure (its own file in `corpus`) and what is made of them at the end (`result`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from shadowgraph.artifact import write_bytes
from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.compression import Compression
from shadowgraph.corpus.concentration import Concentration
from shadowgraph.corpus.contamination import Contamination, ItemIndex, Trace
from shadowgraph.corpus.coverage import MOST_ANCHORS, Anchors, Coverage, choose_anchors
from shadowgraph.corpus.features import Profile
from shadowgraph.corpus.kernels import describing
from shadowgraph.corpus.kernels.constants import BUCKETS
from shadowgraph.corpus.novelty import Novelty
from shadowgraph.corpus.packed import Packed, Packing
from shadowgraph.corpus.passages import Passages
from shadowgraph.corpus.rarefaction import Rarefaction
from shadowgraph.corpus.repeats import Repeats
from shadowgraph.corpus.shards import SHARDS, shard_of
from shadowgraph.corpus.sketch import DIMENSIONS
from shadowgraph.corpus.sources import Sources
from shadowgraph.corpus.state import restore, state_of

Arrays = dict[str, NDArray[Any]]
_GATHERED = 1 << 16  # documents whose places are sorted in at once
_BROKEN = (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile)


@dataclass
class Words:
    """Words by hashed bucket and shard, and documents as they stand in the files; the rest of novelty is the profile.

    Attributes:
        counts: (S, G) words.
        rows: () documents before cutting.
    """

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((SHARDS, BUCKETS), np.int64))
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    def update(self, batch: Batch) -> None:
        """Count a batch."""
        words, ends = batch.words
        describing(batch.path).count_words(words, ends, shard_of(batch.keys), self.counts)
        self.rows += int((batch.parts <= 1).sum())

    def merge(self, other: Words) -> None:
        """Add other counts."""
        self.counts += other.counts
        self.rows += other.rows

    def novelty(self, profile: Profile) -> Novelty:
        """The counts as the measure of novelty reads them."""
        return Novelty(self.counts, profile.grams, profile.documents)


@dataclass
class Counted:
    """What one pass over a reference counts: the measures both roles share.

    Attributes:
        profile: hashed words and format, by shard.
        words: words by bucket.
        anchor_keys: (A,) keys of held-out documents.
        anchor_sketches: (A, D) their sketches.
    """

    profile: Profile = field(default_factory=Profile)
    words: Words = field(default_factory=Words)
    anchor_keys: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    anchor_sketches: NDArray[np.int16] = field(default_factory=lambda: np.zeros((0, DIMENSIONS), np.int16))

    PARTS: ClassVar[tuple[str, ...]] = ("profile", "words")

    def update(self, batch: Batch) -> None:
        """Count a batch."""
        self.profile.update(batch)
        self.words.update(batch)
        self._hold(choose_anchors([batch]))

    def merge(self, other: Counted) -> None:
        """Add what another part held."""
        self.profile.merge(other.profile)
        self.words.merge(other.words)
        self._hold(Anchors(other.anchor_keys, other.anchor_sketches))

    def _hold(self, more: Anchors) -> None:
        """Keep the held-out documents with the smallest keys."""
        keys = np.concatenate([self.anchor_keys, more.keys])
        rows = np.concatenate([self.anchor_sketches, more.sketches])
        _, first = np.unique(keys, return_index=True)
        self.anchor_keys, self.anchor_sketches = keys[first][:MOST_ANCHORS], rows[first][:MOST_ANCHORS]

    @property
    def anchors(self) -> Anchors:
        """Held-out documents of the reference."""
        return Anchors(self.anchor_keys, self.anchor_sketches)

    def arrays(self) -> Arrays:
        """Everything as named arrays."""
        found: Arrays = {"anchor_keys": self.anchor_keys, "anchor_sketches": self.anchor_sketches}
        for name in self.PARTS:
            found |= {f"{name}.{key}": _narrow(each) for key, each in state_of(getattr(self, name)).items()}
        return found

    def take(self, held: Mapping[str, NDArray[Any]]) -> None:
        """Put named arrays back."""
        self.anchor_keys, self.anchor_sketches = held["anchor_keys"], held["anchor_sketches"]
        for name in self.PARTS:
            prefix = f"{name}."
            state = {key.removeprefix(prefix): held[key] for key in held if key.startswith(prefix)}
            restore(getattr(self, name), state)

    def write(self, path: Path) -> None:
        """Keep everything in one file, whole or not at all."""
        stream = io.BytesIO()
        with ZipFile(stream, "w", ZIP_DEFLATED, compresslevel=1) as archive:
            for name, array in self.arrays().items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
        write_bytes(path, stream.getvalue())

    def read(self, path: Path) -> bool:
        """Put back what `write` kept; False when the file is not whole."""
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
                self.take(dict(held))
        except _BROKEN:
            return False
        return True


@dataclass
class Measures(Counted):
    """What one pass over the corpus counts; `update` with batches, `merge` with others of the same plan.

    Attributes:
        passages: a fixed-size sample.
        coverage: cells, second moments, nearness to the anchors it was made with.
        variety: a sample of places.
        compression: a sample of documents.
        concentration: texts and templates.
        repeats: places of texts, counted in documents of the files in their order.
        sources: documents, words and bytes of each source.
        traces: stretches of benchmark items; None where there is no benchmark.
        packed: documents in their declared order; None where none is declared.
    """

    passages: Passages = field(default_factory=Passages)
    coverage: Coverage = field(default_factory=Coverage)
    variety: Rarefaction = field(default_factory=Rarefaction)
    compression: Compression = field(default_factory=Compression)
    concentration: Concentration = field(default_factory=Concentration)
    repeats: Repeats = field(default_factory=Repeats)
    sources: Sources = field(default_factory=Sources)
    traces: Contamination | None = None
    packed: Packed | None = None
    _waiting: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = field(default_factory=list, repr=False)

    PARTS: ClassVar[tuple[str, ...]] = (
        "profile", "words", "passages", "coverage", "variety", "compression", "concentration", "repeats",
    )  # fmt: skip

    @classmethod
    def fresh(cls, index: ItemIndex | None, anchors: Anchors | None, packing: Packing | None = None) -> Measures:
        """Nothing counted yet; items are looked for where there is an index, anchors where there are any."""
        traces = None if index is None else Contamination(index)
        coverage = Coverage(anchors if anchors is not None and len(anchors.keys) else None)
        return cls(coverage=coverage, traces=traces, packed=None if packing is None else Packed(packing))

    def update(self, batch: Batch) -> None:
        """Count a batch."""
        if not len(batch):
            return
        first = int(self.words.rows[0])
        self.profile.update(batch)
        self.words.update(batch)
        for measure in (self.passages, self.coverage, self.variety, self.compression, self.concentration, self.sources):
            measure.update(batch)
        texts = describing(batch.path).text_hashes(*batch.words)
        self._waiting.append((texts, first + np.cumsum(batch.parts <= 1) - 1))
        if sum(len(each) for each, _ in self._waiting) >= _GATHERED:
            self.settle()
        if self.traces is not None:
            self.traces.update(batch)
        if self.packed is not None:
            self.packed.update(batch)

    def settle(self) -> None:
        """Sort in the places that are waiting."""
        if self._waiting:
            self.repeats.update(*(np.concatenate(column) for column in zip(*self._waiting, strict=True)))
            self._waiting.clear()

    def merge(self, other: Counted) -> None:
        """Add what the next part of the corpus held; parts are merged in the order of the files."""
        if not isinstance(other, Measures):
            super().merge(other)
            return
        self.settle()
        other.settle()
        other.repeats.rows[:, 1] += np.uint64(self.words.rows[0])
        self.profile.merge(other.profile)
        self.words.merge(other.words)
        self.passages.merge(other.passages)
        self.coverage.merge(other.coverage)
        self.variety.merge(other.variety)
        self.compression.merge(other.compression)
        self.concentration.merge(other.concentration)
        self.repeats.merge(other.repeats)
        self.sources.merge(other.sources)
        if self.traces is not None and other.traces is not None:
            self.traces.merge(other.traces)
        if self.packed is not None and other.packed is not None:
            self.packed.merge(other.packed)

    def arrays(self) -> Arrays:
        """Everything as named arrays; rows of sources and traces as text."""
        self.settle()
        found = super().arrays()
        found["sources"] = _text(self.sources.rows)
        if self.traces is not None:
            found["traces.documents"] = self.traces.documents
            found["traces.rows"] = _text([asdict(trace) for trace in self.traces.traces])
        if self.packed is not None:
            self.packed.settle()
            found["packed.rows"] = self.packed.rows
        return found

    def take(self, held: Mapping[str, NDArray[Any]]) -> None:
        """Put named arrays back."""
        super().take(held)
        self.sources = Sources({name: list(row) for name, row in json.loads(bytes(held["sources"])).items()})
        if self.traces is not None:
            self.traces.documents = held["traces.documents"]
            self.traces.traces = [_trace(row) for row in json.loads(bytes(held["traces.rows"]))]
        if self.packed is not None:
            self.packed.rows = held["packed.rows"]


def _text(value: Any) -> NDArray[np.uint8]:
    """Plain values as an array of bytes."""
    return np.frombuffer(json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode(), np.uint8)


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    """Counts in the smallest type that holds them; hashes as they are."""
    if array.dtype != np.int64 or not array.size or int(array.min()) < 0:
        return array
    return array.astype(np.min_scalar_type(int(array.max())))


def _trace(row: Mapping[str, Any]) -> Trace:
    """A trace from its row."""
    stretches = tuple((int(place), int(grams)) for place, grams in row["stretches"])
    shown = (str(row["shown"][0]), int(row["shown"][1]), int(row["shown"][2]))
    counts = int(row["words"]), int(row["asked"])
    return Trace(row["source"], row["document"], row["item"], row["shard"], stretches, row["answer"], shown, *counts)
