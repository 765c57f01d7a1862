"""From what was counted to `result.json`: readings, findings, and the few sentences that say it.

Here live: the result's shape. Not here: counting (`measures`) and the page (`report`).

The result holds no time, host or folder: the same files and benchmarks give the same bytes.
"""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from shadowgraph.artifact import whole
from shadowgraph.corpus.alignment import align, format_distances
from shadowgraph.corpus.benchmark import Benchmark
from shadowgraph.corpus.contamination import Finding, Touched
from shadowgraph.corpus.features import BLOCKS, Profile, format_shares
from shadowgraph.corpus.kernels import kernels
from shadowgraph.corpus.kernels.constants import BUCKETS, VERSION
from shadowgraph.corpus.shards import SHARDS, Estimate
from shadowgraph.corpus.survey.measures import Counted, Measures
from shadowgraph.corpus.survey.plan import Plan
from shadowgraph.corpus.survey.readings import clusters_of, reading, readings_of
from shadowgraph.corpus.survey.words import limits_of, sentences_of
from shadowgraph.corpus.target import Target, fit_target
from shadowgraph.errors import DataError, printable

SOURCES = 50  # shown in the result
SHOWN = 6  # findings of each benchmark that the result shows in context; all are in findings.parquet
NO_REFERENCE = Estimate(None, "no_reference")


def conclude(
    plan: Plan, corpus: Measures, base: Counted | None, benchmarks: Sequence[Benchmark]
) -> tuple[dict[str, Any], list[Finding]]:
    """The result of a survey and every finding.

    Args:
        plan: the plan.
        corpus: what was counted of the corpus.
        base: what was counted of the base, if there is one.
        benchmarks: the benchmarks of the plan.

    Returns:
        Plain values, and the findings by benchmark, item and document.

    Raises:
        DataError: when the corpus holds no document.
    """
    profile = corpus.profile
    if not profile.documents.sum():
        raise DataError("no documents", where=", ".join(path.name for path in plan.files("corpus")))
    against = base.profile if base is not None and base.profile.words.sum() else None
    targets = [fit_target(each, against or profile) for each in benchmarks]
    touched, findings = corpus.traces.finish() if corpus.traces is not None else ([], [])
    result: dict[str, Any] = {
        "schema_version": "1.0",
        "kind": "corpus",
        "name": plan.frozen["name"],
        "corpus": {**_sizes(profile), "files": _files(plan, "corpus"), "sources": _sources(corpus)},
        "base": None if against is None else {**_sizes(against), "files": _files(plan, "base")},
        "benchmarks": [_benchmark(each, target) for each, target in zip(benchmarks, targets, strict=True)],
        "alignment": [_alignment(corpus, target, known=against is not None) for target in targets],
        "format": _format(profile, targets),
        "overlap": [_overlap(row, corpus) for row in touched],
        "findings": _shown(findings, benchmarks),
        "clusters": clusters_of(corpus.coverage, targets),
        **readings_of(corpus, base if against is not None else None),
    }
    if plan.packing is not None:
        result["packing"] = asdict(plan.packing)
    result["answer"] = {"sentences": sentences_of(result), "limits": limits_of(result)}
    result["provenance"] = {
        "plan_hash": plan.frozen["plan_hash"],
        "kernels": kernels().NAME,
        "hashing": {"version": VERSION, "buckets": BUCKETS, "shards": SHARDS},
        "parents": {item["name"]: item["ends"] for item in (*plan.frozen["corpus"], *plan.frozen["base"])},
    }
    return result, findings


def _sizes(profile: Profile) -> dict[str, int]:
    """Documents (pieces counted one by one), words, bytes of text."""
    return {
        "documents": int(profile.documents.sum()),
        "words": int(profile.words.sum()),
        "bytes": int(profile.bytes.sum()),
    }


def _files(plan: Plan, role: str) -> list[dict[str, Any]]:
    """Names and sizes, no folders."""
    return [{"name": item["name"], "bytes": item["bytes"]} for item in plan.frozen[role]]


def _sources(corpus: Measures) -> list[dict[str, Any]]:
    """The largest sources."""
    rows = corpus.sources.largest(SOURCES)
    return [dict(zip(("source", "documents", "words", "bytes"), row, strict=True)) for row in rows]


def _benchmark(benchmark: Benchmark, target: Target) -> dict[str, Any]:
    """A benchmark by its sizes."""
    splits = sorted({item.split for item in benchmark.items})
    return {"name": benchmark.name, "items": len(benchmark.items), "fitted": target.fitted,
            "held_out": len(target.told), "splits": splits}  # fmt: skip


def _alignment(corpus: Measures, target: Target, *, known: bool) -> dict[str, Any]:
    """The readings of one benchmark; a gain over the reference needs a reference that is not the corpus."""
    found = asdict(align(corpus.profile, corpus.passages, target))
    if not known:
        found["kl_reduction"] = asdict(NO_REFERENCE)
    return {"benchmark": target.name, **{name: reading(row) for name, row in found.items()}}


def _format(profile: Profile, targets: Sequence[Target]) -> dict[str, Any]:
    """Shares of every bin of the fingerprint, corpus and held-out items side by side."""
    told: dict[str, Profile] = {}
    for target in targets:
        if len(target.told):
            told[target.name] = Profile()
            told[target.name].update(target.told)
    shares = {"": _shares(profile), **{name: _shares(each) for name, each in told.items()}}
    distances = {name: format_distances(profile, each) for name, each in told.items()}
    return {
        "blocks": [
            {
                "block": block,
                "bounds": list(bounds),
                "corpus": shares[""][place][: len(bounds)],
                "benchmarks": {name: shares[name][place][: len(bounds)] for name in told},
                "distance": {name: distances[name][block] for name in told},
            }
            for place, (block, bounds) in enumerate(BLOCKS.items())
        ]
    }


def _shares(profile: Profile) -> list[list[float]]:
    return format_shares(profile.formats.sum(axis=0).astype(np.float64)).tolist()


def _overlap(row: Touched, corpus: Measures) -> dict[str, Any]:
    """What one benchmark and the corpus share."""
    found = asdict(row)
    for key in ("item_share", "document_share"):
        found[key] = reading(found[key])
    index = corpus.traces.index if corpus.traces is not None else None
    lost = 0
    if index is not None:
        lost = sum(
            not len(words) or (len(words) < 10 and len(prompt) < 3)
            for name, words, prompt in zip(index.names, index.words, index.prompts, strict=True)
            if name == row.benchmark
        )
    return {**found, "too_short": lost}


def _shown(findings: Sequence[Finding], benchmarks: Sequence[Benchmark]) -> list[dict[str, Any]]:
    """The longest findings of each benchmark, of different items, with the item's own words."""
    shown: list[dict[str, Any]] = []
    for benchmark in benchmarks:
        items = {item.id: item for item in benchmark.items}
        own = sorted(
            (each for each in findings if each.benchmark == benchmark.name),
            key=lambda each: (-each.longest, -each.share, each.item, each.source, each.document),
        )
        kept: dict[str, Finding] = {}
        for each in own:
            kept.setdefault(each.item, each)
        for each in list(kept.values())[:SHOWN]:
            item = items[each.item]
            shown.append({**asdict(each), "prompt": _line(item.prompt, 400), "gold": _line(item.answer, 160)})
    return shown


def _line(text: str, limit: int) -> str:
    """Foreign text on one line, blanks folded."""
    return printable(" ".join(text.split()), limit)


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """Every finding as a row of Parquet (zstd)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, number = pa.string(), pa.int64()
    schema = pa.schema([
        ("benchmark", text), ("item", text), ("source", text), ("document", text), ("kind", text), ("longest", number),
        ("share", pa.float64()), ("answer", pa.bool_()), ("excerpt", text), ("begin", number), ("end", number),
    ])  # fmt: skip
    with whole(path) as temporary:
        pq.write_table(pa.Table.from_pylist([asdict(each) for each in findings], schema), temporary, compression="zstd")
