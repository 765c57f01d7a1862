"""The stages of the corpus benchmark, each run as a process of its own: python corpus_tools.py STAGE JSON OUT.

Here live: making files, scoring, scanning, planting, selecting, surveying. Not here: the order of stages and the page.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from shadowgraph.corpus.alignment import align
from shadowgraph.corpus.batch import Batch, batch_of
from shadowgraph.corpus.benchmark import Benchmark, read_benchmark
from shadowgraph.corpus.contamination import Contamination, index_items
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.features import Profile
from shadowgraph.corpus.passages import Passages
from shadowgraph.corpus.readers.files import find_files, read_batches
from shadowgraph.corpus.target import fit_target, score
from shadowgraph.seeds import generator

ADAPTER = {"arc_challenge": "arc", "reasoning_gym": "question_answer"}
KINDS = ("verbatim", "re-cased", "10 % of words replaced")


def benchmark_of(folder: Path, name: str) -> Benchmark:
    """A benchmark of the data folder, its adapter by its name."""
    found = read_benchmark(ADAPTER.get(name, name), find_files([folder / "benchmarks" / name]))
    return Benchmark(name, found.items)


def make(values: dict[str, Any]) -> dict[str, Any]:
    """Write pool.jsonl (documents of at most 4,000 characters) and target.jsonl; `bytes` caps the pool."""
    data, out = Path(values["data"]), Path(values["out"])
    out.mkdir(parents=True, exist_ok=True)
    size = count = 0
    with (out / "pool.jsonl").open("w", encoding="utf-8") as stream:
        for batch in read_batches(find_files([data / "corpora"])):
            for document in batch.documents():
                if size < values["bytes"] and len(document.text) >= 300:
                    row = {"id": f"{document.source}:{document.id}", "source": document.source, "text": document.text}
                    stream.write(json.dumps(row) + "\n")
                    size, count = size + len(document.text.encode()), count + 1
    with (out / "target.jsonl").open("w", encoding="utf-8") as stream:
        for name in values["targets"]:
            for item in benchmark_of(data, name).part(fit=True):
                stream.write(json.dumps({"text": item.told()}) + "\n")
    return {"bytes": size, "documents": count}


def repeat(values: dict[str, Any]) -> dict[str, Any]:
    """Write `bytes` of JSONL: the pool over and over, the words of every line permuted anew after the first time."""
    rows = [json.loads(line) for line in Path(values["pool"]).read_bytes().splitlines()]
    stream = generator(values["seed"], "benchmark repeat")
    size = turn = 0
    with Path(values["out"]).open("w", encoding="utf-8") as out:
        while size < values["bytes"]:
            for row in rows:
                text = row["text"]
                if turn:
                    lines = text.split("\n")
                    text = "\n".join(lines[k] for k in stream.permutation(len(lines)).tolist())
                line = json.dumps({"id": f"{row['id']}:{turn}", "source": row["source"], "text": text}) + "\n"
                size += out.write(line)
                if size >= values["bytes"]:
                    break
            turn += 1
    return {"bytes": Path(values["out"]).stat().st_size}


def _timed(batches: Iterator[Batch], step: Callable[[Batch], None]) -> tuple[float, int]:
    """Processor seconds and bytes of text of reading and doing, after the first batch has compiled everything."""
    step(next(batches))
    began, size = time.process_time(), 0
    for batch in batches:
        step(batch)
        size += len(batch.buffer)
    return time.process_time() - began, size


def align_speed(values: dict[str, Any]) -> dict[str, Any]:
    """Count and score the pool from JSONL, best of three; then pick by score / sd + Gumbel to DSIR's document count."""
    pool, benchmark = Path(values["pool"]), benchmark_of(Path(values["data"]), values["targets"][0])
    profile = Profile()
    counting = min((_timed(read_batches([pool]), Profile().update) for _ in range(3)), key=lambda each: each[0])
    for batch in read_batches([pool]):
        profile.update(batch)
    target = fit_target(benchmark, profile)
    scoring = min((_timed(read_batches([pool]), lambda b: score(target, b)) for _ in range(3)), key=lambda e: e[0])
    content = min(
        (_timed(read_batches([pool]), lambda b: score(target, b, form=False)) for _ in range(3)), key=lambda e: e[0]
    )
    scores, words = [], []
    for batch in read_batches([pool]):
        found = score(target, batch)
        scores.append(found.content)
        words.append(found.words)
    content_score, length = np.concatenate(scores), np.concatenate(words)
    stream = generator(values["seed"], "benchmark pick")
    gumbel = stream.gumbel(size=len(length))
    ours = np.argsort(-(content_score / content_score.std() + gumbel))[: values["wanted"]]
    random = stream.permutation(len(length))[: values["wanted"]]
    return {
        "score": scoring, "content": content, "count": counting, "documents": len(length),
        "picked": {name: [int(length[rows].sum()), float(np.average(content_score[rows], weights=length[rows]))]
                   for name, rows in (("ours", ours), ("random", random))},
    }  # fmt: skip


def pick_words(values: dict[str, Any]) -> dict[str, Any]:
    """Words and mean log ratio of texts that another tool picked."""
    profile = Profile()
    for batch in read_batches([Path(values["pool"])]):
        profile.update(batch)
    target = fit_target(benchmark_of(Path(values["data"]), values["targets"][0]), profile)
    texts = json.loads(Path(values["picked"]).read_text("utf-8"))
    batch = batch_of((Document(str(k), "", "", "", text) for k, text in enumerate(texts)), limit=None)
    found = score(target, batch)
    return {"words": int(found.words.sum()), "ratio": float(np.average(found.content, weights=found.words))}


def _planted(benchmark: Benchmark, each: int, seed: int, words: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Items of at least 30 words, told plainly, by kind of change: (item id, text)."""
    stream = generator(seed, "benchmark planted")
    long = [
        item for item in benchmark.items if item.split != "train" and len(f"{item.prompt} {item.answer}".split()) >= 30
    ]
    order = stream.permutation(len(long))[: each * len(KINDS)].tolist()
    found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
    for place, k in enumerate(order):
        kind = KINDS[place % len(KINDS)]
        text = f"{long[k].prompt} {long[k].answer}"
        if kind == "re-cased":
            text = text.upper().replace(",", " -").replace(".", " !")
        elif kind != "verbatim":
            parts = text.split()
            for at in stream.choice(len(parts), max(1, round(0.1 * len(parts))), replace=False).tolist():
                parts[at] = str(stream.choice(words))
            text = " ".join(parts)
        found[kind].append((long[k].id, text))
    return found


def scan(values: dict[str, Any]) -> dict[str, Any]:
    """Index the benchmarks, scan the pool, then plant items of every kind in documents of the pool and find them."""
    pool, data = Path(values["pool"]), Path(values["data"])
    benchmarks = [benchmark_of(data, name) for name in values["targets"]]
    began = time.process_time()
    index = index_items(benchmarks)
    indexing = time.process_time() - began
    seconds, size = min(
        (_timed(read_batches([pool]), Contamination(index).update) for _ in range(3)), key=lambda e: e[0]
    )
    clean = Contamination(index)
    documents: list[Document] = []
    for batch in read_batches([pool]):
        clean.update(batch)
        documents.extend(batch.documents())
    touched, _ = clean.finish()
    stream = generator(values["seed"], "benchmark hosts")
    words = sorted({word for document in documents[:400] for word in document.text.split()})
    measured = Contamination(index)
    wanted: dict[str, set[tuple[str, str]]] = {kind: set() for kind in KINDS}
    hosts: list[Document] = []
    for benchmark in benchmarks:
        for kind, rows in _planted(benchmark, values["each"], values["seed"], words).items():
            for item, text in rows:
                host = documents[int(stream.integers(len(documents)))]
                half = len(host.text) // 2
                name = f"planted {kind} {benchmark.name} {item}"
                hosts.append(replace(host, id=name, text=f"{host.text[:half]}\n{text}\n{host.text[half:]}"))
                wanted[kind].add((benchmark.name, item))
    measured.update(batch_of(hosts, limit=None))
    _for_peer(Path(values["out"]), benchmarks, hosts)
    found = {(each.benchmark, each.item, each.document) for each in measured.finish()[1]}
    recall = {
        kind: [sum((b, i, f"planted {kind} {b} {i}") in found for b, i in rows), len(rows)]
        for kind, rows in wanted.items()
    }
    false = sum(row.documents_touched for row in touched)
    kinds = [host.id.removeprefix("planted ") for host in hosts]
    kinds = [next(kind for kind in KINDS if name.startswith(kind)) for name in kinds]
    return {"kinds": kinds, "indexing": indexing, "items": len(index.items), "grams": len(index.long.grams),
            "seconds": seconds,
            "bytes": size, "recall": recall, "false": false, "documents": len(documents)}  # fmt: skip


def _for_peer(out: Path, benchmarks: list[Benchmark], hosts: list[Document]) -> None:
    """The same items and planted documents in the form another tool reads."""
    with (out / "items.jsonl").open("w", encoding="utf-8") as stream:
        rows = [(b.name, item) for b in benchmarks for item in b.items if item.split != "train"]
        for number, (name, item) in enumerate(rows):
            row = {"eval_key": name, "eval_instance_index": number, "split": "test", "question": item.prompt,
                   "answer": item.answer, "passage": None, "config": "", "record": number, "doc_id": number,
                   "fingerprint": str(number), "is_correct": True}  # fmt: skip
            stream.write(json.dumps(row) + "\n")
    with (out / "planted.jsonl").open("w", encoding="utf-8") as stream:
        for host in hosts:
            stream.write(json.dumps({"text": host.text}) + "\n")


def near(values: dict[str, Any]) -> dict[str, Any]:
    """Every corpus of the data folder, and every train split, against every benchmark; the base is all corpora."""
    data = Path(values["data"])
    counted: dict[str, tuple[Profile, Passages]] = {}
    for path in find_files([data / "corpora"]):
        counted[path.name.split(".")[0]] = _count(read_batches([path]))
    reference = Profile()
    for profile, _ in counted.values():
        reference.merge(profile)
    names = values["benchmarks"] or sorted(path.name for path in (data / "benchmarks").iterdir() if path.is_dir())
    benchmarks = [benchmark_of(data, name) for name in names]
    for benchmark in benchmarks:
        train = [item for item in benchmark.items if item.split == "train"]
        if train:
            rows = (Document(item.id, "", "", "", item.told()) for item in train)
            counted[f"{benchmark.name} train"] = _count(iter([batch_of(rows, limit=None)]))
    table: dict[str, dict[str, list[float | None]]] = {}
    for benchmark in benchmarks:
        target = fit_target(benchmark, reference)
        for name, (profile, passages) in counted.items():
            found = align(profile, passages, target)
            numbers = (found.kl_reduction, found.format_distance, found.auc)
            table.setdefault(name, {})[benchmark.name] = [each.value for each in numbers]
    return {"benchmarks": names, "table": table}


def _count(batches: Iterator[Batch]) -> tuple[Profile, Passages]:
    profile, passages = Profile(), Passages()
    for batch in batches:
        profile.update(batch)
        passages.update(batch)
    return profile, passages


def cover(values: dict[str, Any]) -> dict[str, Any]:
    """Random, balanced cells and facility location at equal words, and a choice that knows the judge's clusters.

    The judge is scikit-learn's: weighted words, axes and 128 clusters of a held-out eighth of the pool, with a fresh
    seed; the selection sees neither these documents nor anything learned from them.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    from shadowgraph.corpus.clusters import balanced_order, facility_order, pool_cells
    from shadowgraph.corpus.topics import SAMPLE, bags_of, join_bags, learn_topics

    batches = list(read_batches([Path(values["pool"])]))
    lengths = np.concatenate([np.diff(batch.words[1]) for batch in batches])
    stream = generator(values["seed"], "benchmark cover")
    key, held = stream.random(len(lengths)), stream.random(len(lengths)) < 1 / 8
    sequence = np.flatnonzero(~held)[np.argsort(key[~held], kind="stable")]
    budget = int(lengths.sum() * values["share"])
    texts = [batch.text(d) for batch in batches for d in range(len(batch))]
    words = TfidfVectorizer(sublinear_tf=True, min_df=5, max_features=50_000, stop_words="english", dtype=np.float32)
    words.fit([text for text, out in zip(texts, held.tolist(), strict=True) if out])
    counted = words.transform(texts)
    rows = TruncatedSVD(64, random_state=values["seed"]).fit(counted[held]).transform(counted)
    rows = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    judge = KMeans(128, n_init=2, random_state=values["seed"]).fit(rows[held]).predict(rows).astype(np.int64)
    began = time.process_time()
    bags = join_bags([bags_of(batch) for batch in batches])
    vectors = learn_topics(bags.take(sequence[:SAMPLE])).vectors(bags)
    found: dict[str, Any] = {
        "held": int(held.sum()), "documents": len(lengths), "budget": budget, "vectors": time.process_time() - began
    }  # fmt: skip
    orders: dict[str, Callable[[], Any]] = {
        "random": lambda: sequence,
        "balanced cells": lambda: balanced_order(
            pool_cells(vectors, values["seed"]), key, sequence, lengths, budget=budget
        ),
        "facility location": lambda: facility_order(vectors, sequence, lengths, budget),
        "the judge's own clusters, balanced": lambda: balanced_order(
            judge[None], key, sequence, lengths, budget=budget
        ),
    }
    for name, order in orders.items():
        began = time.process_time()
        made = order()
        spent = time.process_time() - began
        chosen = made[: int(np.searchsorted(np.cumsum(lengths[made]), budget)) + 1]
        share = np.bincount(judge[chosen], lengths[chosen], 128) / lengths[chosen].sum()
        effective = float(np.exp(-(share[share > 0] * np.log(share[share > 0])).sum()))
        nearest = np.concatenate([(part @ rows[chosen].T).max(axis=1) for part in np.array_split(rows[held], 16)])
        found[name] = [spent, int(lengths[chosen].sum()), float(nearest.mean()), effective]
    return found


def whole(values: dict[str, Any]) -> dict[str, Any]:
    """One survey of a file against the targets; the result's digest, the peak of this process and of its workers."""
    from shadowgraph.corpus.survey.jobs import survey
    from shadowgraph.corpus.survey.plan import Order, Wanted
    from shadowgraph.identity import fingerprint

    data = Path(values["data"])
    wanted = [
        Wanted(name, tuple(find_files([data / "benchmarks" / name])), ADAPTER.get(name, name))
        for name in values["targets"]
    ]
    began = time.perf_counter()
    result = survey(Order([Path(values["pool"])], wanted), jobs=values["jobs"])
    peaks = [resource.getrusage(who).ru_maxrss * 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    spent = [sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {"digest": fingerprint(result), "bytes": result["corpus"]["bytes"],
            "documents": result["corpus"]["documents"],
            "peak": max(peaks), "cpu": sum(spent), "wall": time.perf_counter() - began}  # fmt: skip


STAGES = {stage.__name__: stage for stage in (make, repeat, align_speed, pick_words, scan, near, cover, whole)}

if __name__ == "__main__":
    answer = STAGES[sys.argv[1]](json.loads(sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps({"marks": {}, "answers": answer}), encoding="utf-8")
