"""From files to a pool: what is taken out, tokens, and what is known of every document.

Here live: the jobs survey, part and pool. Not here: arms.

A document's numbers depend on nothing but the document and the counts of the whole pool; the pool is put into the
order of its documents' digests. So neither the order of files nor how they are split changes a byte of any arm.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.artifact import read_object, whole, write_json
from shadowgraph.corpus.batch import Batch, batch_of
from shadowgraph.corpus.building.encoding import Encoder
from shadowgraph.corpus.building.labels import LABELS, label_columns, read_column, write_labels
from shadowgraph.corpus.building.plan import BuildPlan, Place, columns_of, open_tokenizer, read_plan, read_wanted
from shadowgraph.corpus.clusters import pool_cells
from shadowgraph.corpus.codebook import cells as published_cells
from shadowgraph.corpus.contamination import Contamination, index_items
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.features import Profile, log_probabilities
from shadowgraph.corpus.kernels import kernels
from shadowgraph.corpus.pictures import missing_images, refuse_missing, show_once
from shadowgraph.corpus.readers.files import find_files, read_batches
from shadowgraph.corpus.sketch import held_out, sketches
from shadowgraph.corpus.target import UNIT, Target, fit_target, score
from shadowgraph.corpus.topics import SAMPLE, Bags, bags_of, join_bags, learn_topics
from shadowgraph.errors import DataError
from shadowgraph.identity import Json
from shadowgraph.work.job import Progress

PROFILE = ("grams", "formats", "documents", "words", "bytes")


def save_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write arrays into one file, whole or not at all."""
    with whole(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # pyright: ignore[reportArgumentType]


def survey_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Read the pool once: count it, and find the documents that hold test items.

    Raises:
        DataError: when an image file is missing, or the key of images was named and no record holds it.
    """
    plan, place = _open(arguments)
    benchmarks = [read_wanted(table, plan.folder) for table in plan.spec.benchmarks]
    found = Contamination(index_items(benchmarks))
    profile = Profile()
    lost: list[tuple[str, str]] = []
    key, shown = plan.spec.pool.columns.media, False
    for number, path in enumerate(plan.files):
        for batch in read_batches([path], columns_of(plan.spec.pool.columns), limit=plan.spec.pool.longest):
            profile.update(batch)
            found.update(batch)
            shown = shown or any(batch.media)
            lost += [(batch.name(d), batch.media[d] or "") for d in missing_images(batch, plan.images(path))]
        progress((number + 1) / len(plan.files))
    if key is not None and not shown:
        raise DataError(f"no record of the pool holds the key {key!r}", where="pool.columns.media")
    if plan.spec.pool.missing_images == "refuse":
        refuse_missing(lost)
    touched, findings = found.finish()
    save_arrays(place.survey / "pool.npz", **{name: getattr(profile, name) for name in PROFILE})
    if plan.spec.base is not None:
        _hear(plan, place)
    removed = sorted({finding.document for finding in findings} | {name for name, _ in lost})
    rows = [
        {
            "benchmark": t.benchmark,
            "items": t.items,
            "items_touched": t.items_touched,
            "documents": t.documents_touched,
            "items_passage": t.items_passage,
            "documents_passage": t.documents_passage,
        }
        for t in touched
    ]
    named = {"missing_images": [{"id": name, "image": path} for name, path in sorted(lost)]} if lost else {}
    write_json(place.survey / "removed.json", {"documents": removed, "benchmarks": rows, **named})


def _hear(plan: BuildPlan, place: Place) -> None:
    """Count the base's text in hashed words, for novelty, and in tokens, END after every document, for divergence."""
    base = plan.spec.base
    if base is None:
        return
    encoder = Encoder(plan.spec.tokens, open_tokenizer(plan.folder / plan.spec.tokens.tokenizer))
    heard, counts = Profile(), np.zeros(encoder.size, np.int64)
    paths = find_files([plan.folder / name for name in base.files])
    for batch in read_batches(paths, columns_of(base.columns)):
        heard.update(batch)
        counts += encoder.count(batch)
    save_arrays(place.survey / "base.npz", **{name: getattr(heard, name) for name in PROFILE})
    _save(place.survey / "base_tokens.npy", counts)


def part_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Tokenise and measure one file of the pool; documents that hold test items and those held out are left out."""
    plan, place = _open(arguments)
    number = int(str(arguments["number"]))
    tokenizer = open_tokenizer(plan.folder / plan.spec.tokens.tokenizer)
    measure = _Measure(plan, place, tokenizer)
    removed = set(read_object(place.survey / "removed.json")["documents"])
    size = max(plan.files[number].stat().st_size, 1)
    done = 0
    for read in read_batches([plan.files[number]], columns_of(plan.spec.pool.columns), limit=plan.spec.pool.longest):
        batch = show_once(read, plan.spec.tokens.image)
        out = held_out(batch) | np.array([batch.name(d) in removed for d in range(len(batch))], bool)
        measure.update(batch.take(np.flatnonzero(~out)), leaked=False)
        measure.left_out += int(out.sum())
        done += len(batch.buffer)
        progress(min(0.99, done / (4 * size)))
    if number == 0 and any(arm.regime == "leak" for arm in plan.spec.arms):
        for table in plan.spec.benchmarks:
            items = read_wanted(table, plan.folder).part(fit=False)
            told = [Document(f"{table.name}/{i.id}", "benchmark", table.name, "told", i.told()) for i in items]
            measure.update(batch_of(told, limit=None), leaked=True)
    measure.write(place.part(number))


class _Measure:
    """Columns of documents, gathered batch by batch."""

    def __init__(self, plan: BuildPlan, place: Place, tokenizer: Any) -> None:
        """Fit the targets against the counted pool."""
        self.spec, self.left_out = plan.spec, 0
        pool = _profile(place.survey / "pool.npz")
        self.targets: list[Target] = [
            fit_target(read_wanted(table, plan.folder), pool) for table in plan.spec.benchmarks
        ]
        self.new: NDArray[np.int32] | None = None
        if plan.spec.base is not None:
            heard = _profile(place.survey / "base.npz")
            both = [log_probabilities(each.grams.sum(axis=0).astype(np.float64)) for each in (pool, heard)]
            self.new = np.rint((both[0] - both[1]) * UNIT).astype(np.int32)
        self.encoder = Encoder(plan.spec.tokens, tokenizer)
        self.tokens: list[NDArray[Any]] = []
        self.bags: list[Bags] = []
        self.lists: dict[str, list[Any]] = {}
        self.known: dict[str, str] = {}

    def update(self, batch: Batch, *, leaked: bool) -> None:
        """Take in a batch."""
        if not len(batch):
            return
        names = [batch.name(d) for d in range(len(batch))]
        texts = [batch.text(d) for d in range(len(batch))]
        made = self.encoder.encode(batch, names)
        self.tokens += made.tokens
        columns: dict[str, Any] = {
            "lengths": made.lengths,
            "prompts": made.prompts,
            "leaked": np.full(len(batch), leaked),
            "texts": np.array([_digest(_whole(*each)) for each in zip(texts, batch.media, strict=True)], np.uint64),
            "keys": np.array([_digest(name) for name in names], np.uint64),
            "published": published_cells(sketches(batch)),
        }
        if self.encoder.image is not None:
            columns["images"] = made.images
        for target in self.targets:
            scores = score(target, batch)
            columns[f"content/{target.name}"] = scores.content
            columns[f"format/{target.name}"] = scores.format
        if self.new is not None:
            words, ends = batch.words
            sums = kernels(batch.path).score_grams(words, ends, self.new)
            columns["novelty"] = sums / (np.maximum(np.diff(ends), 1) * float(UNIT))
        self.bags.append(bags_of(batch))
        for name, values in columns.items():
            self.lists.setdefault(name, []).append(values)
        self.lists.setdefault("name", []).extend(names)
        for name, labels in (("source", batch.sources), ("family", batch.families), ("format", batch.formats)):
            self.lists.setdefault(name, []).extend(self.known.setdefault(label, label) for label in labels)
        self.lists.setdefault("media", []).extend(batch.media)

    def write(self, folder: Path) -> None:
        """Write the part; its record last."""
        kind = self.encoder.kind
        arrays = {n: np.concatenate(v) for n, v in self.lists.items() if v and isinstance(v[0], np.ndarray)}
        _save(folder / "tokens.npy", np.concatenate([*self.tokens, np.zeros(0, kind)]))
        save_arrays(folder / "columns.npz", **arrays)
        _save_bags(folder, join_bags(self.bags))
        labels = {n: self.lists.get(n, []) for n in (*LABELS, "media") if n != "media" or any(self.lists.get(n, []))}
        write_labels(folder / "labels.parquet", labels)
        record = {"documents": len(labels["name"]), "left_out": self.left_out, "end": self.encoder.end}
        if self.encoder.image is not None:
            record["image"] = self.encoder.image
        write_json(folder / "part.json", record)


def pool_job(arguments: Mapping[str, Json], progress: Progress) -> None:
    """Put the parts into one order, drop copies of whole texts, and lay cells over the pool.

    Raises:
        DataError: when no documents are left, or two share an id.
    """
    plan, place = _open(arguments)
    folders = [place.part(number) for number in range(len(plan.files))]
    parts = [folder for folder in folders if read_object(folder / "part.json")["documents"]]
    if not parts:
        raise DataError("no documents are left in the pool", where="pool.files")
    loaded = [np.load(folder / "columns.npz", allow_pickle=False) for folder in parts]
    columns = {name: np.concatenate([each[name] for each in loaded]) for name in loaded[0].files}
    papers = [folder / "labels.parquet" for folder in parts]
    order = _own_order(columns, [name or "" for name in read_column(papers, "name")])
    progress(0.2)
    starts = np.concatenate([np.cumsum(each["lengths"]) - each["lengths"] for each in loaded])
    owner = np.repeat(np.arange(len(parts)), [len(each["lengths"]) for each in loaded])
    tokens = [np.load(folder / "tokens.npy", mmap_mode="r") for folder in parts]
    lengths = columns["lengths"][order]
    with whole(place.pool / "tokens.npy") as temporary:
        out = np.lib.format.open_memmap(temporary, "w+", tokens[0].dtype, (int(lengths.sum()),))
        at = 0
        for d in order.tolist():
            size = int(columns["lengths"][d])
            out[at : at + size] = tokens[owner[d]][starts[d] : starts[d] + size]
            at += size
        out.flush()
    progress(0.5)
    columns = {name: values[order] for name, values in columns.items()}
    _order_labels(papers, order, place.pool / "labels.parquet")
    vectors = _topic_vectors(parts, order, columns["leaked"])
    cells = pool_cells(vectors, plan.spec.corpus.seed)
    _save(place.pool / "vectors.npy", vectors)
    _save(place.pool / "cells.npy", cells)
    save_arrays(place.pool / "columns.npz", **columns)
    record = {
        "documents": len(order),
        "tokens": int(lengths.sum()),
        "copies": int(len(owner) - len(order)),
        "left_out": sum(read_object(folder / "part.json")["left_out"] for folder in folders),
        "end": read_object(parts[0] / "part.json")["end"],
    }
    if plan.spec.tokens.image is not None:
        record["image"] = read_object(parts[0] / "part.json")["image"]
    write_json(place.pool / "pool.json", record)


def _topic_vectors(parts: list[Path], order: NDArray[np.int64], leaked: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(n, d) what the documents of the pool are about, in the pool's order.

    Args:
        parts: folders of the parts.
        order: (n,) the place of every document of the pool among those of all parts.
        leaked: (n,) documents of the pool that are test items; axes are learned from the first of the others, whose
            order is that of their digests.
    """
    held = [_read_bags(part) for part in parts]
    bounds = np.cumsum([0, *(len(each.sizes) for each in held)])
    chosen = order[~leaked][:SAMPLE]
    pieces = [each.take(np.sort(chosen[(chosen >= a) & (chosen < b)]) - a)
              for each, a, b in zip(held, bounds[:-1], bounds[1:], strict=True)]  # fmt: skip
    sample = join_bags(pieces).take(np.argsort(np.argsort(chosen, kind="stable"), kind="stable"))
    topics = learn_topics(sample)
    return np.concatenate([topics.vectors(each) for each in held])[order]


def _order_labels(papers: Sequence[Path], order: NDArray[np.int64], path: Path) -> None:
    """Write the labels of all parts in the pool's order; one column at a time is in memory."""
    import pyarrow as pa

    known = {name for paper in papers for name in label_columns(paper)}
    columns: dict[str, Any] = {}
    for name in (each for each in (*LABELS, "media") if each in known):
        values = read_column(papers, name)
        columns[name] = pa.array((values[d] for d in order.tolist()), pa.string(), size=len(order))
    write_labels(path, columns)


def _own_order(columns: Mapping[str, NDArray[Any]], names: list[str]) -> NDArray[np.int64]:
    """Documents by digest of their names, each text once; test items are kept whatever the pool holds.

    Raises:
        DataError: when two documents share a name.
    """
    if len(set(names)) != len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))
        raise DataError(f"two documents share the id {twice!r}", where="pool.files", hint="set pool.columns.id")
    order = np.array(sorted(range(len(names)), key=lambda d: (int(columns["keys"][d]), names[d])), np.int64)
    leaked = columns["leaked"][order]
    _, first = np.unique(columns["texts"][order][~leaked], return_index=True)
    kept = leaked.copy()
    kept[np.flatnonzero(~leaked)[first]] = True
    return order[kept]


def _open(arguments: Mapping[str, Json]) -> tuple[BuildPlan, Place]:
    """Plan and paths of a job."""
    root = Path(str(arguments["root"]))
    return read_plan(root), Place(root)


def _profile(path: Path) -> Profile:
    """A profile written by the survey."""
    held = np.load(path, allow_pickle=False)
    return Profile(*(held[name] for name in PROFILE))


def _whole(text: str, image: str | None) -> str:
    """What makes a record: its text, and the image beside it."""
    return text if image is None else f"{text}\x00{image}"


def _digest(text: str) -> int:
    """64 bits of a text's digest."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _save(path: Path, array: NDArray[Any]) -> None:
    """Write an array, whole or not at all."""
    with whole(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def _save_bags(folder: Path, bags: Bags) -> None:
    """Write bags of words as plain arrays, which are read without being loaded."""
    for name in ("sizes", "buckets", "counts"):
        _save(folder / f"bag_{name}.npy", getattr(bags, name))


def _read_bags(folder: Path) -> Bags:
    """Bags of a part."""
    buckets, counts = (np.load(folder / f"bag_{name}.npy", mmap_mode="r") for name in ("buckets", "counts"))
    return Bags(np.load(folder / "bag_sizes.npy"), buckets, counts)
