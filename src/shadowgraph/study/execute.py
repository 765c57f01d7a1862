"""Execution: the jobs of a plan, which of them are needed, their order, and the folder they fill.

Here live: the graph of jobs, its pruning, the start, the end and the state of a study.
Not here: what a job does (`corpora`, `training`, `scoring`), the cache of bases (`bases`), the analysis (`analyse`).
"""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadowgraph.artifact import Ledger, exclusive, read_object, write_json
from shadowgraph.errors import DataError, SpecError, printable, require
from shadowgraph.identity import Json, versions
from shadowgraph.runs.start import GGUF
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.analyse import analyse
from shadowgraph.study.bases import ENVIRONMENT, keep_base, restore_base
from shadowgraph.study.edited import is_edited
from shadowgraph.study.layout import Layout, RunKey, runs_of
from shadowgraph.study.plan import Plan
from shadowgraph.study.prospect import (
    READ_SECONDS,
    balance_seconds,
    edit_seconds,
    path_seconds,
    pool_seconds,
    score_seconds,
)
from shadowgraph.study.record import drop_weights, import_records, travelling
from shadowgraph.study.roster import has_roster
from shadowgraph.study.seal import faults_of, seal_study
from shadowgraph.study.sheet import sheet_of
from shadowgraph.work.account import Display
from shadowgraph.work.executor import execute
from shadowgraph.work.job import Job

TOKENS_A_SECOND = 5000.0  # of training on one core; only for the share of progress
CORPORA, TRAINING, SCORING, SHEET = (
    f"shadowgraph.study.{room}" for room in ("corpora", "training", "scoring", "sheet")
)
SHARED = "base"
"""The run that `run_one` takes for all that runs need: bases, suite, documents, the proof."""


def jobs_of(plan: Plan, layout: Layout) -> list[Job]:
    """All jobs of a plan, with what each needs and roughly costs."""
    spec = plan.spec
    root: dict[str, Json] = {"root": str(layout.root)}
    files: dict[str, Json] = {**root, "files": str(plan.folder.resolve())}
    jobs = [Job("base corpus", f"{CORPORA}:base_corpus_job", files, layout.base / "corpus.json", cost=8.0)]
    suite = is_scored(spec)
    if suite:
        jobs.append(Job("suite", f"{SCORING}:suite_job", files, layout.suite / "suite.json", cost=4.0))
    for name, draw in layout.bases(spec).items():
        place = root if spec.model.start is None else files
        jobs += _base_jobs(spec, layout, name, {**place, "draw": draw}, suite=suite)
    for draw in range(spec.study.draws):
        at: dict[str, Json] = {**files, "draw": draw}
        mark = layout.pool(draw) / "_COMPLETE"
        jobs.append(Job(f"pool {draw}", f"{CORPORA}:pool_job", at, mark, ("base corpus",), pool_seconds(spec)))
        needs = (layout.base_of(spec, draw).name, f"pool {draw}")
        at, mark = {**root, "draw": draw}, layout.base_losses(draw)
        jobs.append(Job(f"balance {draw}", f"{SHEET}:balance_job", at, mark, needs, balance_seconds(spec)))
    needs = tuple(f"balance {draw}" for draw in range(spec.study.draws))
    jobs.append(Job("matched", f"{TRAINING}:matched_job", root, layout.matched, needs, 4.0))
    return jobs + [_run_job(spec, layout, key, root, suite=suite) for key in runs_of(spec)]


def is_scored(spec: StudySpec) -> bool:
    """Whether the models of a study are scored."""
    return not spec.sources or bool(spec.scores.benchmarks)


def _base_jobs(spec: StudySpec, layout: Layout, name: str, at: dict[str, Json], *, suite: bool) -> list[Job]:
    """What is done with one base: training, its record, and the directions in which sources pull it."""
    folder, cost = layout.root / name, spec.training.base_steps * _step_cost(spec) + 4.0
    scores = ("suite",) if suite else ()
    found = [
        Job(name, f"{TRAINING}:base_job", at, folder / "run" / "_COMPLETE", ("base corpus",), cost),
        Job(
            f"scores of {name}",
            f"{TRAINING}:base_record_job",
            at,
            folder / "record.json",
            (name, *scores),
            score_seconds(spec),
        ),
    ]
    if spec.analysis.affinity is not None:
        cost = 1.0 + 0.1 * spec.analysis.affinity.batches * len(spec.sources)
        mark = folder / "directions" / "_COMPLETE"
        found.append(Job(f"directions of {name}", f"{TRAINING}:directions_job", at, mark, (name,), cost))
    return found


def _run_job(spec: StudySpec, layout: Layout, key: RunKey, root: dict[str, Json], *, suite: bool) -> Job:
    """One run, from its training to its record."""
    base = layout.base_of(spec, key.draw).name
    needs = ["matched", base, f"pool {key.draw}", f"balance {key.draw}"]
    needs += ["suite"] if suite else []
    needs += [f"directions of {base}"] if spec.analysis.affinity is not None else []
    arguments: dict[str, Json] = {**root, "arm": key.arm, "draw": key.draw, "seed": key.seed, "rate": key.rate}
    arguments |= {"regimen": key.regimen} if key.regimen else {}
    cost = spec.training.steps * _step_cost(spec) + READ_SECONDS + score_seconds(spec) + path_seconds(spec)
    cost += edit_seconds(spec) if is_edited(key, spec) else 0.0
    mark = layout.run(key) / "record.json"
    return Job(key.name, f"{TRAINING}:run_job", arguments, mark, tuple(needs), cost)


def _step_cost(spec: StudySpec) -> float:
    """Seconds of one step."""
    return spec.training.batch * spec.training.sequence_length / TOKENS_A_SECOND


def pruned(jobs: Sequence[Job], wanted: Collection[str]) -> list[Job]:
    """The jobs that are wanted, and those that an unfinished one of them needs, directly or not.

    What is needed by nothing that is missing is not run: a run whose record is there needs no base.

    Args:
        jobs: all jobs.
        wanted: keys of those whose marks must be there in the end.

    Returns:
        Jobs in the given order; finished ones without needs.
    """
    known = {job.key: job for job in jobs}
    kept: dict[str, Job] = {}
    waiting = list(wanted)
    while waiting:
        job = known[waiting.pop()]
        if job.key not in kept:
            kept[job.key] = dataclasses.replace(job, needs=()) if job.done else job
            waiting += kept[job.key].needs
    return [kept[job.key] for job in jobs if job.key in kept]


def wanted_of(plan: Plan, layout: Layout) -> list[str]:
    """Keys of the jobs whose results the analysis reads: the suite, the proof, and every record."""
    spec = plan.spec
    suite = ["suite"] if is_scored(spec) and not (has_roster(layout.suite) or plan.absent) else []
    bases = [f"scores of {name}" for name in layout.bases(spec)]
    return [*suite, "matched", *bases, *(key.name for key in runs_of(spec))]


def execute_study(
    plan: Plan,
    layout: Layout,
    *,
    workers: int,
    cache: Path | None,
    display: Display | None,
    records: Path | None = None,
) -> float:
    """Run what is left of a study, up to and including `result.json`.

    Args:
        plan: the frozen plan whose folder this is (see `claim_folder`).
        layout: the folder.
        workers: processes, one thread each.
        cache: folder of trained bases, shared between studies; None keeps none.
        display: told the progress.
        records: folder of records of this plan, taken instead of training their runs.

    Returns:
        Seconds this start took.

    Raises:
        ShadowgraphError: what a job raised; finished jobs are kept and the same call goes on.
    """
    began = time.monotonic()
    ledger = Ledger(layout.ledger)
    with exclusive(layout.lock):
        ledger.append({"event": "start", "plan": plan.hash, "workers": workers})
        if records is not None:
            import_records(layout, plan.spec, records)
        _require_data(plan, layout)
        _work(plan, layout, wanted_of(plan, layout), workers=workers, cache=cache, display=display)
        analyse(plan, layout)
        spent = time.monotonic() - began
        ledger.append({"event": "end", "plan": plan.hash, "seconds": round(spent, 1)})
    return spent


def _require_data(plan: Plan, layout: Layout) -> None:
    """Raise why the documents of a plan could not be read, where a job that is missing may need them."""
    missing = [job.key for job in pruned(jobs_of(plan, layout), wanted_of(plan, layout)) if not job.done]
    if plan.absent is not None and missing:
        raise plan.absent


def balance_study(
    plan: Plan, layout: Layout, *, workers: int, cache: Path | None, display: Display | None
) -> dict[str, Any]:
    """Run a study up to the proof of matching and the balance sheet beside it; no arm is trained.

    Args:
        plan: the frozen plan whose folder this is.
        layout: the folder; `execute_study` goes on in it.
        workers: processes, one thread each.
        cache: folder of trained bases; None keeps none.
        display: told the progress.

    Returns:
        The sheet, see `sheet.balance_sheet`.

    Raises:
        ShadowgraphError: what a job raised; finished jobs are kept and the same call goes on.
    """
    began = time.monotonic()
    ledger = Ledger(layout.ledger)
    with exclusive(layout.lock):
        if not layout.matched.exists():
            ledger.append({"event": "start", "plan": plan.hash, "workers": workers})
            _work(plan, layout, ["matched"], workers=workers, cache=cache, display=display)
            ledger.append({"event": "balanced", "plan": plan.hash, "seconds": round(time.monotonic() - began, 1)})
        return sheet_of(layout)


def run_one(
    plan: Plan, layout: Layout, name: str, *, workers: int, cache: Path | None, display: Display | None
) -> None:
    """Train one run of a planned folder, as on one machine of many that share the folder.

    What several runs need is made by whoever holds the folder's lock: the run called "base" makes all of it, and a run
    that finds it whole takes only the lock of its own.

    Args:
        plan: the frozen plan whose folder this is.
        layout: the folder.
        name: name of a run, or "base" for all that the runs need.
        workers: processes, one thread each.
        cache: folder of trained bases; None keeps none.
        display: told the progress.

    Raises:
        SpecError: no run has that name.
        EnvironmentFault: another process makes what is shared, or this very run.
        ShadowgraphError: what a job raised.
    """
    runs = [key.name for key in runs_of(plan.spec)]
    if name not in (SHARED, *runs):
        found = f"no run is called {printable(name)!r}"
        raise SpecError(found, where="study exec", hint=f"{SHARED}, or one of {', '.join(runs)}")
    everything = pruned(jobs_of(plan, layout), [job.key for job in jobs_of(plan, layout) if job.key not in runs])
    shared = [job.key for job in everything if not job.done]
    if name == SHARED or any(job.key in shared for job in pruned(jobs_of(plan, layout), [name])):
        wanted = [job.key for job in everything] if name == SHARED else [name]
        with exclusive(layout.lock):
            _work(plan, layout, wanted, workers=workers, cache=cache, display=display)
        return
    with exclusive(layout.root / "runs" / f".{name}.lock"):
        _work(plan, layout, [name], workers=1, cache=None, display=display)


def _work(
    plan: Plan, layout: Layout, wanted: Collection[str], *, workers: int, cache: Path | None, display: Display | None
) -> None:
    """Do what is wanted and missing; with keep = "records", drop weights that a killed start left."""
    jobs = jobs_of(plan, layout)
    missing = [job.key for job in pruned(jobs, wanted) if not job.done]
    if missing:
        _demand(plan.spec, scoring=any(key != "suite" for key in missing))
    for name, draw in layout.bases(plan.spec).items():
        if name in missing:
            restore_base(plan, layout, draw, cache)
    execute(pruned(jobs, wanted), workers=workers, display=display)
    for name, draw in layout.bases(plan.spec).items():
        if name in missing:
            keep_base(plan, layout, draw, cache)
    if plan.spec.study.keep == "records":
        for key in runs_of(plan.spec):
            if (layout.run(key) / "record.json").exists() and key.name in wanted:
                drop_weights(layout.run(key))


def _demand(spec: StudySpec, *, scoring: bool) -> None:
    """Demand the packages that the missing jobs need, before the first of them begins."""
    needed = [("torch", "train"), ("transformers", "train"), ("lm_eval", "eval")] if scoring else []
    worlds = [("reasoning_gym", "worlds")] if spec.pool is not None else []
    worlds += [("PIL", "worlds"), ("sklearn", "worlds")] if spec.pictures is not None else []
    worlds += [("gguf", "gguf")] if scoring and (spec.model.start or "").lower().endswith(GGUF) else []
    for module, extra in needed + worlds:
        require(module, extra)


def finish(plan: Plan, layout: Layout) -> None:
    """Write the manifest and the mark that the study is complete."""
    starts = [row for row in Ledger(layout.ledger).rows() if "seconds" in row]
    write_json(
        layout.manifest,
        {
            "schema_version": "1.0",
            "plan_hash": plan.hash,
            "host": platform.node(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "versions": versions(*ENVIRONMENT),
            "seconds": [row["seconds"] for row in starts],
        },
    )
    seal_study(layout, plan.hash, travelling(layout, plan.spec))


@dataclass(frozen=True, slots=True)
class Status:
    """How far a study is: its name, plan, state, (done, total) jobs of every stage, and what its mark does not prove.

    The state is "unfinished", "complete", or "changed" where the result is not what was written.
    """

    name: str
    plan_hash: str
    state: str
    stages: dict[str, tuple[int, int]]
    notes: tuple[str, ...] = ()


def planned(folder: Path) -> Plan:
    """The plan of a folder that was claimed for one.

    Raises:
        DataError: the folder holds no study.
    """
    layout = Layout(folder)
    frozen = read_object(layout.plan)
    if "spec" not in frozen:
        raise DataError("holds no study", where=str(folder))
    place = read_object(layout.place).get("files", ".") if layout.place.exists() else "."
    return Plan(StudySpec.model_validate(frozen["spec"]), dict(frozen.get("files", {})), Path(str(place)))


def progress_of(folder: Path) -> Status:
    """How far the study in a folder is, stage by stage; what nothing missing needs is not counted.

    Raises:
        DataError: the folder holds no study.
    """
    layout, plan = Layout(folder), planned(folder)
    runs = {key.name for key in runs_of(plan.spec)}
    stages: dict[str, tuple[int, int]] = {}
    for job in pruned(jobs_of(plan, layout), wanted_of(plan, layout)):
        first = job.key.split()[0]
        named = {"scores": "scores", "pool": "pools", "balance": "balance"}
        stage = "runs" if job.key in runs else named.get(first, "base")
        done, total = stages.get(stage, (0, 0))
        stages[stage] = (done + job.done, total + 1)
    notes = faults_of(layout)
    state = "complete" if layout.complete.exists() else "unfinished"
    state = "changed" if any(note.startswith(layout.result.name) for note in notes) else state
    return Status(plan.spec.study.name, str(read_object(layout.plan).get("plan_hash")), state, stages, tuple(notes))
