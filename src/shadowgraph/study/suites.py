"""The suite of a study over real documents: items of benchmarks, in their own dress and in others.

Here live: which items are asked and how they are told.
Not here: the rules of dressing (`scores`), reading benchmarks (`corpus`), keeping their items out of arms (`sources`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from shadowgraph.corpus.benchmark import Benchmark, read_benchmark
from shadowgraph.corpus.readers.files import find_files
from shadowgraph.identity import Json
from shadowgraph.scores.exam import ORIGINAL, Exam
from shadowgraph.scores.question import questions_of
from shadowgraph.seeds import keyed_uniform
from shadowgraph.spec.material import ScoreSource
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.sources import expand


def test_items(spec: StudySpec, folder: Path) -> list[Benchmark]:
    """Exactly the items that are asked: of every benchmark as many as the study scores, chosen by its seed.

    Args:
        spec: the study.
        folder: the folder that paths in the study file are relative to.

    Raises:
        DataError: a file is absent, of another format, or holds no item.
        SpecError: a path names a variable that is not set.
    """
    return [_chosen(spec, _read(source, folder)) for source in spec.scores.benchmarks]


def benchmark_rows(
    spec: StudySpec, folder: Path
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str], dict[str, Json]]:
    """The rows of the suite.

    A benchmark makes the split of its name, and one more for every dress, called "name:dress"; where a dress asks some
    items for a choice and some for a reply, the replies have a split of their own, "name:dress_replies".

    Args:
        spec: the study.
        folder: the folder that paths in the study file are relative to.

    Returns:
        Split as files call it → rows; split as files call it → split as the study calls it; split as the study calls
        it → number of items that the dress does not fit, by reason.

    Raises:
        DataError: a benchmark that cannot be read, or of which nothing can be asked.
        SpecError: an unknown dress, or two benchmarks that make one split.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    shown: dict[str, str] = {}
    declined: dict[str, Json] = {}
    asked = test_items(spec, folder)
    for source, benchmark in zip(spec.scores.benchmarks, asked, strict=True):
        questions = {source.name: questions_of(benchmark)}
        rules = tuple(dict.fromkeys((ORIGINAL, *source.dresses)))
        for part in Exam(questions, rules=rules, seed=spec.study.seed).splits:
            name = source.name if part.form == ORIGINAL else f"{source.name}:{part.form}"
            name += "_replies" if part.split.endswith("_replies") else ""
            declined[name] = dict(part.declined)
            if part.rows:
                rows[part.split] = [dict(row) for row in part.rows]
                shown[part.split] = name
    return rows, shown, declined


def _read(source: ScoreSource, folder: Path) -> Benchmark:
    """The items in a benchmark's files, under the name the study gives it."""
    paths = find_files([expand(name, folder) for name in source.files])
    return replace(read_benchmark(source.adapter or source.name, paths), name=source.name)


def _chosen(spec: StudySpec, benchmark: Benchmark) -> Benchmark:
    """As many items as the study scores, by hash of their ids, in the order of the file."""
    if len(benchmark.items) <= spec.scores.items:
        return benchmark
    places = keyed_uniform(spec.study.seed, f"suite {benchmark.name}", [item.id for item in benchmark.items])
    kept = set(sorted(range(len(places)), key=lambda place: places[place])[: spec.scores.items])
    return replace(benchmark, items=tuple(item for place, item in enumerate(benchmark.items) if place in kept))
