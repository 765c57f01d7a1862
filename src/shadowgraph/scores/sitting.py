"""A sitting: one exam put to one model, kept in a folder where it goes on after a kill.

Here live: the folder and its plan, the run, and the result as plain data.
Not here: what is asked (`exam`), scoring (`score`), the table for a reader (`report`).

The result holds no time, host or path: the same exam, model and versions give the same bytes.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shadowgraph.artifact import claim, clear, exclusive, read_object, write_json
from shadowgraph.errors import CheckpointError, DataError
from shadowgraph.identity import Json, file_digest, file_identity, fingerprint, versions
from shadowgraph.scores.engine import Engine, Progress
from shadowgraph.scores.exam import ORIGINAL, Dressed, Exam, rows_of
from shadowgraph.scores.gap import gap, incomparable
from shadowgraph.scores.headroom import BOTH, clustered_mean, headroom
from shadowgraph.scores.item import ItemScore, SplitScore, summarise, write_scores
from shadowgraph.scores.score import score
from shadowgraph.scores.suite import write_suite
from shadowgraph.seeds import generator

OWN = (
    ".lock", "plan.json", "suite", "parts", "scores.parquet", "result.json", "run.json", "_COMPLETE",
)  # fmt: skip
VERSIONS = ("shadowgraph", "lm-eval", "transformers", "torch", "tokenizers")
LEVEL = 0.95
KEPT = ("scores.parquet", "result.json", "suite")
"""What `_COMPLETE` holds digests of."""
OTHER_QUESTION = frozenset({"composed", "chained"})
"""Dresses that add a step: what they ask is not what the original asks, and there is nothing to subtract."""


def sit(
    exam: Exam,
    model: Path | Engine,
    output: Path | None = None,
    *,
    batch: int = 16,
    threads: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Put an exam to a model.

    Args:
        exam: what is asked.
        model: folder of a language model with its tokenizer, or any `Engine`.
        output: keeps suite, scores and result; the same call goes on there, or returns what is finished, which is made
            again where a file was changed or is missing. Without one nothing is kept.
        batch: requests a forward pass; may change the last digits.
        threads: threads used.
        overwrite: delete another sitting found in the folder.
        progress: told the share done, 0 … 1.

    Returns:
        The result, as in `result.json`.

    Raises:
        SpecError: the folder holds another sitting, or files of others.
        CheckpointError: the model cannot be loaded, or an endpoint refuses.
        DataError: no question of a task can be asked, or a text does not fit the model.
        EnvironmentFault: a missing extra, a full disk, or an endpoint that cannot be reached; the same call goes on.
    """
    rows_of(exam.splits)  # what cannot be asked is said before a folder is claimed
    plan = _plan(exam, model, batch, threads)
    options: dict[str, Any] = {"batch": batch, "threads": threads, "progress": progress}
    if output is None:
        with tempfile.TemporaryDirectory(prefix="shadowgraph-") as folder:
            root = Path(folder) / "sitting"
            claim(root, plan, OWN, key="plan_hash", kind="sitting")
            return _sit(exam, model, root, **options)
    claim(output, plan, OWN, key="plan_hash", kind="sitting", overwrite=overwrite)
    if (output / "_COMPLETE").exists() and _untouched(output):
        return read_object(output / "result.json")
    began = time.monotonic()
    with exclusive(output / ".lock"):
        clear(output, ["_COMPLETE"])
        result = _sit(exam, model, output, **options)
        spent = round(time.monotonic() - began, 1)
        run: dict[str, Any] = {"schema_version": "1.0", "kind": "scores run", "seconds": spent,
                               "versions": versions(*VERSIONS)}  # fmt: skip
        write_json(output / "run.json", run)
        write_json(output / "_COMPLETE", {"plan_hash": plan["plan_hash"], "digests": _digests(output)})
        shutil.rmtree(output / "parts", ignore_errors=True)
    return result


def _digests(root: Path) -> dict[str, Json]:
    """Digests of what a sitting keeps, file by file."""
    paths = [path for name in KEPT for path in (root / name, *sorted((root / name).rglob("*"))) if path.is_file()]
    return {path.relative_to(root).as_posix(): file_digest(path) for path in paths}


def _untouched(root: Path) -> bool:
    """Whether every file of a finished sitting is what was written; files beside them do not matter."""
    try:
        written = read_object(root / "_COMPLETE").get("digests")
    except DataError:
        return False
    return isinstance(written, dict) and bool(written) and written.items() <= _digests(root).items()


def _plan(exam: Exam, model: Path | Engine, batch: int, threads: int) -> dict[str, Json]:
    """What is put to whom, with its hash. A model's folder counts by its files."""
    if isinstance(model, Path):
        if not model.is_dir():
            raise CheckpointError("no such folder", where=str(model), hint="give the folder of a model")
        whom: Json = [file_identity(path) for path in sorted(model.iterdir()) if path.is_file()]
    else:
        whom = model.identity
    plan: dict[str, Json] = {
        "schema_version": "1.0",
        "kind": "scores plan",
        "model": whom,
        **({"batch": batch, "threads": threads} if isinstance(model, Path) else {}),
        **exam.plan,
    }
    return {**plan, "plan_hash": fingerprint(plan)}


def _sit(exam: Exam, model: Path | Engine, root: Path, **options: Any) -> dict[str, Any]:
    """Write the suite, score it, conclude; `options` are those of `score`."""
    suite = exam.suite
    if exam.splits:
        pictures = None if exam.pictured is None else exam.pictured.pictures
        suite = write_suite(rows_of(exam.splits), root / "suite", pictures=pictures).path
    named: dict[str, Any] = {"tasks": exam.named, "include": exam.include} if exam.named else {}
    parts = root / "parts"
    scores = score(model, suite, folder=parts, **options, **named)
    told = read_object(parts / "scoring.json")
    whom = {key: told[key] for key in ("name", "identity")}
    result: dict[str, Any] = {
        "schema_version": "1.0",
        "kind": "scores",
        "model": whom,
        "seed": exam.seed,
        "tasks": [{"task": name, "items": len(questions)} for name, questions in exam.tasks.items()],
        **conclude(scores, exam.splits, exam.seed, told.get("cut", {})),
    }
    write_scores(scores, root / "scores.parquet")
    write_json(root / "result.json", result)
    return read_object(root / "result.json")


def conclude(
    scores: Sequence[ItemScore], dressed: Sequence[Dressed], seed: int, cut: Mapping[str, int] = MappingProxyType({})
) -> dict[str, Any]:
    """Sum up scores split by split, and each dress against the original of its task.

    Args:
        scores: of one model.
        dressed: what the splits are of; splits that none of them names stand for themselves.
        seed: of the bootstrap.
        cut: requests of each split whose beginning did not fit the model's window; splits it lacks are unknown.

    Returns:
        "splits": one row each; "declined": one row for each reason; both plain.
    """
    found = {summary.split: summary for summary in summarise(scores)}
    known = {part.split: part for part in dressed}
    originals: dict[str, list[str]] = {}
    for part in dressed:
        if part.form == ORIGINAL and part.rows:
            originals.setdefault(part.task, []).append(part.split)
    rows: list[dict[str, Any]] = []
    for split in dict.fromkeys((*known, *found)):
        part = known.get(split)
        row: dict[str, Any] = {"split": split, "task": part.task if part else split, "form": part.form if part else "",
                               "distance": part.distance if part else "",
                               "declined": sum(part.declined.values()) if part else 0}  # fmt: skip
        rows.append({**row, **_numbers(found.get(split), scores, seed), "cut": cut.get(split)})
        if part and part.rows and part.form in OTHER_QUESTION:
            rows[-1]["gap"] = {"level": LEVEL, **{measure: _no_gap("other_question") for measure in BOTH}}
        elif part and part.form != ORIGINAL and _pairs(scores, originals.get(part.task, []), split):
            rows[-1]["gap"] = _gap(scores, originals[part.task], split, seed)
    reasons = [{"task": part.task, "form": part.form, "reason": reason, "items": items}
               for part in dressed for reason, items in part.declined.items()]  # fmt: skip
    return {"splits": rows, "declined": reasons}


def _numbers(summary: SplitScore | None, scores: Sequence[ItemScore], seed: int) -> dict[str, Any]:
    """The numbers of one split; no item, no number."""
    if summary is None:
        return {"items": 0, "kind": ""}
    room = headroom(summary.split, scores, [scores])
    items = [item for item in scores if item.split == summary.split]
    groups = [item.group for item in items]
    intervals: dict[str, Any] = {"level": LEVEL}
    for measure, values in (
        ("accuracy", [float(item.correct) for item in items]),
        ("bits_per_byte", [item.bits_per_byte for item in items if item.bits_per_byte is not None]),
    ):
        if len(values) == len(items):
            found = clustered_mean(values, groups, generator(seed, "score", summary.split, measure), level=LEVEL)
            intervals[measure] = {"interval": found.interval.ends, "status": found.interval.status}
    return {**{key: value for key, value in asdict(summary).items() if key != "split"}, "clusters": room.clusters,
            "at_chance": room.at_chance, "intervals": intervals}  # fmt: skip


def _pairs(scores: Sequence[ItemScore], originals: Sequence[str], split: str) -> bool:
    """Whether any question is asked both in a split and in its original; a chain of two is a question of its own."""
    first = {item.source for item in scores if item.split in originals}
    return any(item.source in first for item in scores if item.split == split)


def _gap(scores: Sequence[ItemScore], originals: Sequence[str], split: str, seed: int) -> Mapping[str, Any]:
    """Original minus this dress, question by question, in both measures; none where the two cannot be compared."""
    found: dict[str, Any] = {}
    for measure in BOTH:
        if status := incomparable(scores, originals, [split], measure):
            found[measure] = _no_gap(status)
            continue
        stream = generator(seed, "gap", split, measure)
        one = gap(None, scores, original=originals, reformatted=[split], generator=stream, measure=measure, level=LEVEL)
        found[measure] = {key: getattr(one, key) for key in ("estimate", "interval", "pairs", "clusters", "status")}
    return {"level": LEVEL, **found}


def _no_gap(status: str) -> dict[str, Any]:
    """No gap, and why."""
    return {"estimate": None, "interval": None, "status": status}
