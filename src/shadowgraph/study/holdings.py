"""The tokenised documents of a study's sources: made once, shared by all draws.

Here live: the holdings on disk, the tokenizer trained on them, topics and novelty where an arm needs them.
Not here: texts (`sources`) and what is made of tokens (`blends`).

Legend: `n` documents of all parts, `a` of them documents that arms may take, `M` codebooks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.artifact import read_object
from shadowgraph.corpus.batch import batch_of
from shadowgraph.corpus.clusters import pool_cells
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.features import log_probabilities
from shadowgraph.corpus.kernels.constants import BUCKETS
from shadowgraph.corpus.tokens import END_ID, TokenPool, load_tokenizer, tokenise, train_tokenizer
from shadowgraph.corpus.topics import SAMPLE, Bags, bags_of, join_bags, learn_topics
from shadowgraph.seeds import keyed_uniform
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.arrays import load_array, load_arrays, map_array, save_array, save_arrays
from shadowgraph.study.sources import ARM, BATCH, HELD, PARTS, Material, document_ids

COVERING = frozenset({"covering", "covering_new"})


@dataclass(frozen=True, eq=False)
class Holdings:
    """Tokenised documents, sorted by source, part and id.

    Attributes:
        names: names of the sources, in the order of the study file.
        tokens: (T,) token ids, on disk.
        offsets: (n+1,) document d is `tokens[offsets[d]:offsets[d+1]]`, its END included.
        keys: (n,) digests of the texts.
        sources: (n,) number of the source.
        parts: (n,) what the document is for, see `sources`.
        folder: where they lie.
        vocabulary: number of token ids.
        end: id of the token that closes a document.
    """

    names: tuple[str, ...]
    tokens: NDArray[np.uint16]
    offsets: NDArray[np.int64]
    keys: NDArray[np.uint64]
    sources: NDArray[np.int64]
    parts: NDArray[np.int64]
    folder: Path
    vocabulary: int
    end: int = END_ID

    def __repr__(self) -> str:
        """One line: documents, tokens, sources."""
        return f"Holdings({len(self.keys)} documents, {len(self.tokens)} tokens of {len(self.names)} sources)"

    def documents(self, names: Sequence[str], part: int) -> NDArray[np.int64]:
        """The documents of some sources in a part, ascending."""
        wanted = np.isin(self.sources, [self.names.index(name) for name in names])
        return np.flatnonzero(wanted & (self.parts == part))

    def pool(self, documents: NDArray[np.int64]) -> TokenPool:
        """Some documents, ascending, as a pool; family is the source."""
        breaks = np.flatnonzero(np.diff(documents) != 1) + 1
        runs = [run for run in np.split(documents, breaks) if len(run)]
        pieces = [self.tokens[self.offsets[run[0]] : self.offsets[run[-1] + 1]] for run in runs]
        owners = tuple(self.names[number] for number in self.sources[documents].tolist())
        lengths = np.diff(self.offsets)[documents]
        return TokenPool(
            np.concatenate(pieces) if pieces else np.zeros(0, np.uint16),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            document_ids(self.keys[documents]),
            owners,
            ("plain",) * len(documents),
        )

    def cells(self, documents: NDArray[np.int64]) -> NDArray[np.int64]:
        """(M, k) cells of documents that arms may take."""
        places = np.searchsorted(np.flatnonzero(self.parts == ARM), documents)
        return map_array(self.folder / "cells.npy")[:, places].astype(np.int64)

    def novelty(self, documents: NDArray[np.int64], heard: NDArray[np.int64]) -> NDArray[np.float64]:
        """How new documents are to a base: their words against the words that it was trained on.

        Args:
            documents: (k,) documents.
            heard: the documents that the base was trained on.

        Returns:
            (k,) mean over the words of a document of ln p(word | what arms may take) - ln p(word | base), nats; words
            are hashed, counts add-one smoothed.
        """
        held = load_arrays(self.folder / "bags.npz")
        bags = Bags(held["sizes"], held["buckets"], held["counts"])
        both = [
            log_probabilities(np.bincount(part.buckets, part.counts, BUCKETS).astype(np.float64))
            for part in (bags.take(np.flatnonzero(self.parts == ARM)), bags.take(heard))
        ]
        own = bags.take(documents)
        owner = np.repeat(np.arange(len(documents)), own.sizes)
        sums = np.bincount(owner, (both[0] - both[1])[own.buckets] * own.counts, len(documents))
        return sums / np.maximum(np.bincount(owner, own.counts, len(documents)), 1.0)

    def held_tokens(self) -> dict[str, dict[str, int]]:
        """Tokens of every source in every part that it has."""
        lengths = np.diff(self.offsets)
        found: dict[str, dict[str, int]] = {}
        for number, name in enumerate(self.names):
            own = self.sources == number
            sums = np.bincount(self.parts[own], lengths[own], len(PARTS)).astype(np.int64).tolist()
            found[name] = {part: tokens for part, tokens in zip(PARTS, sums, strict=True) if tokens}
        return found


def open_holdings(spec: StudySpec, folder: Path) -> Holdings:
    """Open what `make_holdings` wrote; tokens stay on disk."""
    held = load_arrays(folder / "columns.npz")
    return Holdings(
        tuple(source.name for source in spec.sources),
        map_array(folder / "tokens.npy"),
        np.concatenate([[0], np.cumsum(held["lengths"])]).astype(np.int64),
        held["keys"],
        held["sources"].astype(np.int64),
        held["parts"].astype(np.int64),
        folder,
        *_ids(spec, folder),
    )


def _ids(spec: StudySpec, folder: Path) -> tuple[int, int]:
    """Number of token ids, and the one that closes a document: of a start model its own."""
    if spec.model.start is None:
        return spec.model.vocabulary, END_ID
    facts = read_object(folder.parent / "start.json")
    return int(facts["vocabulary"]), int(facts["end"])


def make_holdings(
    spec: StudySpec, material: Material, tokenizer: Path, folder: Path, progress: Callable[[float], None]
) -> Holdings:
    """Train the tokenizer on text that nothing is trained on, tokenise all documents, and write them.

    Args:
        spec: the study.
        material: its documents.
        tokenizer: folder that receives the tokenizer; of a start model it holds that model's already.
        folder: folder that receives the holdings; of a start model, what is known of it lies beside.
        progress: told the share that is done.

    Raises:
        DataError: when the held-out text is too little for the vocabulary.
    """
    vocabulary, end = _ids(spec, folder)
    if spec.model.start is None:
        train_tokenizer(tokenizer_texts(material, len(spec.sources)), vocabulary, tokenizer)
    loaded = load_tokenizer(tokenizer)
    tokens: list[NDArray[np.uint16]] = []
    lengths: list[NDArray[np.int64]] = []
    for documents in _batches(material):
        made = tokenise(documents, loaded, end)
        tokens.append(made.tokens)
        lengths.append(made.lengths)
        progress(0.9 * sum(map(len, lengths)) / len(material.texts))
    save_array(folder / "tokens.npy", np.concatenate(tokens))
    columns: dict[str, NDArray[Any]] = {
        "lengths": np.concatenate(lengths),
        "keys": material.keys,
        "sources": material.sources.astype(np.int16),
        "parts": material.parts.astype(np.int8),
    }
    save_arrays(folder / "columns.npz", columns)
    if any(arm.regime in COVERING for arm in spec.arms):
        _describe(spec, material, folder)
    return open_holdings(spec, folder)


def tokenizer_characters(material: Material, sources: int) -> int:
    """Characters of every source that the tokenizer is trained on: all that is held out of the one with the least."""
    sizes = np.array([len(text) for text in material.texts])
    held = material.parts == HELD
    return min(int(sizes[held & (material.sources == own)].sum()) for own in range(sources))


def tokenizer_texts(material: Material, sources: int) -> Iterator[str]:
    """Held-out text, equal characters of every source; nothing is trained on it."""
    equal = tokenizer_characters(material, sources)
    for own in range(sources):
        left = equal
        for document in np.flatnonzero((material.sources == own) & (material.parts == HELD)).tolist():
            text = material.texts[document][:left]
            left -= len(text)
            if text:
                yield text


def _describe(spec: StudySpec, material: Material, folder: Path) -> None:
    """Write hashed words of all documents, and cells over those that arms may take."""
    bags = join_bags([bags_of(batch_of(documents, limit=None)) for documents in _batches(material)])
    save_arrays(folder / "bags.npz", {name: getattr(bags, name) for name in ("sizes", "buckets", "counts")})
    arms = np.flatnonzero(material.parts == ARM)
    order = np.argsort(keyed_uniform(spec.study.seed, "topics", document_ids(material.keys[arms])), kind="stable")
    topics = learn_topics(bags.take(arms[order[:SAMPLE]]))
    vectors = topics.vectors(bags.take(arms[order]))  # in an order of their own, as the clusterings ask
    place = np.argsort(order, kind="stable")
    save_array(folder / "cells.npy", pool_cells(vectors, spec.study.seed)[:, place])


def _batches(material: Material) -> Iterator[list[Document]]:
    """The documents as the tokenizer and the kernels take them."""
    rows = zip(document_ids(material.keys), material.texts, strict=True)
    while batch := [Document(key, "", "", "plain", text) for key, text in islice(rows, BATCH)]:
        yield batch


def save_documents(path: Path, documents: NDArray[np.int64], taken: NDArray[np.int64]) -> None:
    """Write which documents were taken, and how many tokens of each, in training order."""
    save_array(path, np.stack([documents, taken]))


def load_documents(path: Path) -> NDArray[np.int64]:
    """The documents that `save_documents` wrote."""
    return load_array(path)[0].astype(np.int64)
