"""From the files of a study's sources to documents of one length, parted into what each may be used for.

Here live: paths with a variable, reading sources, dropping what stands twice or touches a scored item, parts.
Not here: cutting and telling (`corpus.entries`), tokens (`holdings`), which sources an arm takes (`rotation`).

A document's id is the digest of its text, and its part follows from its id: neither the order nor the names of files
move it. Neighbours of one text may lie in different parts, so what is held out is new text of a known kind, not a new
work. Of every source some documents are never trained on: the panel's, the tokenizer's, and the gradients' where
affinity is asked for. Of the others, sources that a base may know give a random half to bases; arms take the rest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.batch import batch_of
from shadowgraph.corpus.benchmark import Benchmark, read_benchmark
from shadowgraph.corpus.contamination import PASSAGE, Contamination, index_items
from shadowgraph.corpus.document import Columns, Document
from shadowgraph.corpus.entries import cut, join_short, tell_item, tell_text
from shadowgraph.corpus.readers.files import find_files, read_documents
from shadowgraph.errors import DataError, SpecError
from shadowgraph.seeds import keyed_uniform
from shadowgraph.spec.material import ScoreSource, SourceTable
from shadowgraph.spec.study import StudySpec

VARIABLES = ("$SHADOWGRAPH_DATA", "$SHADOWGRAPH_MODELS")
SPARE, HELD, OUTSIDE, BASE, ARM = range(-1, 4)
PARTS = ("held", "outside", "base", "arms")
PANEL_SEQUENCES = 8
OUTSIDE_SEQUENCES = 64
PLENTY = 2.0  # times what could be needed: outside text and base text beyond it are not tokenised
TOKENIZER_CHARACTERS = 60_000  # of a source, where it has them
CHARACTERS_A_TOKEN = 6  # a safe high figure
BATCH = 4096  # documents looked through at once
LARGEST_HELD = 0.25  # share of a source's characters that is held out, unless the panel alone needs more


def expand(name: str, folder: Path) -> Path:
    """The path that a name in a study file means: relative to the file's folder, or to one of `VARIABLES`.

    Raises:
        SpecError: when the variable is not set, or the name begins with another one.
    """
    head, _, rest = name.partition("/")
    if not head.startswith("$"):
        return folder / name
    if head not in VARIABLES:
        raise SpecError(f"the path begins with {head!r}", where=name, hint=f"only {' and '.join(VARIABLES)} are read")
    value = os.environ.get(head[1:], "")
    if not value:
        kind = "data" if head == VARIABLES[0] else "models"
        raise SpecError(f"the variable {head} is not set", where=name, hint=f"set it to the folder of the {kind}")
    return Path(value) / rest


def source_files(spec: StudySpec, folder: Path) -> dict[str, Path]:
    """Every file that a study over sources reads, scored benchmarks included, by the name written in the study file.

    A file of a folder is named by the folder's name and its place in it, so names hold no path of this machine.

    Raises:
        SpecError: when `$SHADOWGRAPH_DATA` is needed and not set, or no source is kept outside all data.
        DataError: for a file that does not exist.
    """
    if spec.sources and not any(source.role == "outside" for source in spec.sources):
        raise SpecError('no source has role = "outside"', where="sources", hint="loss outside all data is read on one")
    found: dict[str, Path] = {}
    tables: list[tuple[str, SourceTable | ScoreSource]] = [("sources", table) for table in spec.sources]
    tables += [("scores.benchmarks", table) for table in spec.scores.benchmarks]
    for key, table in tables:
        for name in table.files:
            path = expand(name, folder)
            for file in _found(path, f"{key} {table.name!r}.files"):
                found[name if file == path else f"{name}/{file.relative_to(path).as_posix()}"] = file
    return found


def _found(path: Path, key: str) -> list[Path]:
    """The files behind a path; a fault says which key of the study file names it."""
    try:
        return find_files([path])
    except DataError as fault:
        hint = "; ".join(filter(None, [f"named in {key}", fault.hint]))
        raise DataError(fault.found, where=fault.where, hint=hint) from fault


def read_source(source: SourceTable, folder: Path, asked: Collection[tuple[str, str]] = ()) -> list[str]:
    """The documents of a source, in the order of its files: cut, joined and told.

    Items of a benchmark are never cut. A text or item that stands twice in the source counts once.

    Args:
        source: the table.
        folder: what its paths are relative to.
        asked: prompt and answer of items that are left out, because models will be scored on them.

    Returns:
        Their texts; no text stands twice but for joined ones.

    Raises:
        DataError: for a wrong or missing file, or when nothing is left.
        SpecError: for a template with an unknown field.
    """
    files = find_files([expand(name, folder) for name in source.files])
    if source.adapter is not None:
        items = read_benchmark(source.adapter, files).items
        kept = [item for item in items if (item.prompt, item.answer) not in asked]
        wanted = [item for item in kept if source.only is None or fnmatchcase(item.group, source.only)]
        pieces = dict.fromkeys(tell_item(item, source.template) for item in wanted)
        texts = join_short(pieces, source.shortest, source.longest)
    else:
        columns = Columns(**source.columns.model_dump())
        rows = [
            piece
            for path in files
            for row in read_documents(path, columns)
            if source.only is None or fnmatchcase(row.id, source.only)
            for piece in cut(row.text, source.shortest, source.longest)
        ]
        joined = join_short(dict.fromkeys(rows), source.shortest, source.longest)
        texts = [tell_text(text, source.template) for text in joined]
    if not texts:
        raise DataError(f"the source {source.name!r} holds no document", where="sources", hint='see "files" and "only"')
    return texts


@dataclass(frozen=True, eq=False)
class Material:
    """The documents of all sources, sorted by source, part and id.

    Attributes:
        texts: n texts.
        keys: (n,) digest of each text.
        sources: (n,) number of the source in the study file.
        parts: (n,) `HELD`, `OUTSIDE`, `BASE` or `ARM`.
        dropped: how many documents were dropped, by reason.
    """

    texts: Sequence[str]
    keys: NDArray[np.uint64]
    sources: NDArray[np.int64]
    parts: NDArray[np.int64]
    dropped: dict[str, int]

    def __repr__(self) -> str:
        """One line: documents."""
        return f"Material({len(self.texts)} documents)"


def gather(spec: StudySpec, folder: Path, scored: Sequence[Benchmark] = ()) -> Material:
    """Read all sources, drop what may not be used, and part the rest.

    Args:
        spec: a study with sources.
        folder: what its paths are relative to.
        scored: items that models will be scored on; they are left out, and documents that hold one are dropped.

    Raises:
        DataError: for a wrong file, or a source of which nothing is left.
    """
    held: dict[int, tuple[int, str]] = {}
    twice = 0
    asked = {(item.prompt, item.answer) for benchmark in scored for item in benchmark.items}
    for number, source in enumerate(spec.sources):
        for text in read_source(source, folder, asked):
            key = text_key(text)
            twice += key in held
            held.setdefault(key, (number, text))
    touching = _touching(spec, held, scored) if scored else set[int]()
    keys = np.array([key for key in held if key not in touching], np.uint64)
    owners = np.array([held[key][0] for key in keys.tolist()], np.int64)
    sizes = np.array([len(held[key][1]) for key in keys.tolist()], np.int64)
    parts = np.zeros(len(keys), np.int64)
    for number, source in enumerate(spec.sources):
        own = np.flatnonzero(owners == number)
        if not len(own):
            raise DataError(f"nothing is left of the source {source.name!r}", where="sources", hint="all stood twice")
        parts[own] = part_of(spec, source, document_ids(keys[own]), sizes[own])
    order = np.lexsort((keys, parts, owners))
    order = order[parts[order] != SPARE]
    return Material(
        [held[key][1] for key in keys[order].tolist()],
        keys[order],
        owners[order],
        parts[order],
        {"twice": twice, "scored": len(touching), "spare": len(keys) - len(order)},
    )


def part_of(spec: StudySpec, source: SourceTable, ids: Sequence[str], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The part of every document of a source.

    Held out are documents in the order of their keys, until they suffice for the panel, the tokenizer and, where
    affinity is asked for, gradients; beyond the panel at most a quarter of the source. Far more text than bases or the
    outside sequences can need is spare; what arms may take is never thinned, as arms may follow its proportions.

    Args:
        spec: the study.
        source: the source.
        ids: n ids of its documents.
        sizes: (n,) characters of each.

    Returns:
        (n,) `HELD`, `OUTSIDE`, `BASE`, `ARM` or `SPARE`.
    """
    length, affinity = spec.training.sequence_length, spec.analysis.affinity
    panel = CHARACTERS_A_TOKEN * held_sequences(spec, source) * length
    more = 0 if affinity is None else CHARACTERS_A_TOKEN * affinity.batches * spec.training.batch * length
    wanted = max(panel, min(panel + more + TOKENIZER_CHARACTERS, LARGEST_HELD * float(sizes.sum())))
    order = np.argsort(keyed_uniform(spec.study.seed, "held out", ids), kind="stable")
    held = order[np.cumsum(sizes[order]) - sizes[order] < wanted]
    if source.role == "outside":
        parts = np.full(len(ids), OUTSIDE)
    elif source.base == "never":
        parts = np.full(len(ids), ARM)
    else:
        parts = np.where(keyed_uniform(spec.study.seed, "base half", ids) < 0.5, BASE, ARM)
    parts[held] = HELD
    for part, tokens in ((OUTSIDE, OUTSIDE_SEQUENCES * length), (BASE, _base_share(spec))):
        own = order[parts[order] == part]
        parts[own[np.cumsum(sizes[own]) - sizes[own] > PLENTY * CHARACTERS_A_TOKEN * tokens]] = SPARE
    return parts.astype(np.int64)


def held_sequences(spec: StudySpec, source: SourceTable) -> int:
    """Sequences of a source that are held out for losses: the panel's, and of an intervention's benchmark its own."""
    asked = spec.intervention
    return PANEL_SEQUENCES if asked is None or asked.benchmark != source.name else max(PANEL_SEQUENCES, asked.sequences)


def _base_share(spec: StudySpec) -> int:
    """Tokens that a base takes of a source, at most."""
    states = [source.base for source in spec.sources]
    return -(-spec.training.base_tokens // max(1, states.count("always") + states.count("rotate") // 2))


def document_ids(keys: NDArray[np.uint64]) -> tuple[str, ...]:
    """(n,) ids of documents: their digests in hexadecimal."""
    return tuple(f"{key:016x}" for key in keys.tolist())


def text_key(text: str) -> int:
    """64 bits of a text's digest."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _touching(spec: StudySpec, held: Mapping[int, tuple[int, str]], scored: Sequence[Benchmark]) -> set[int]:
    """Keys of the documents that hold a scored item."""
    search = Contamination(index_items(scored, test_only=False))
    rows = (Document(f"{key:016x}", spec.sources[own].name, "", "", text) for key, (own, text) in held.items())
    while batch := list(islice(rows, BATCH)):
        search.update(batch_of(batch, limit=None))
    _, findings = search.finish()
    return {int(finding.document, 16) for finding in findings if finding.kind != PASSAGE}
