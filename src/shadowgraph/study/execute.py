"""Execution: the jobs of a plan, their order, and the folder they fill.

Here live: the graph of jobs, the cache of bases, the start, the end and the state of a study.
Not here: what a job does (`corpora`, `training`, `scoring`) and the analysis (`analyse`).
"""

from __future__ import annotations

import platform
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from shadowgraph.artifact import Ledger, exclusive, read_object, write_json
from shadowgraph.errors import DataError, EnvironmentFault, require
from shadowgraph.identity import Json, file_digest, fingerprint, versions
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.analyse import analyse
from shadowgraph.study.layout import Layout
from shadowgraph.study.plan import Plan
from shadowgraph.work.account import Display
from shadowgraph.work.executor import execute
from shadowgraph.work.job import Job

TOKENS_A_SECOND = 5000.0  # of training on one core; only for the share of progress
ENVIRONMENT = ("torch", "transformers", "accelerate", "tokenizers", "reasoning-gym", "lm-eval", "numpy", "scipy")


def jobs_of(plan: Plan, layout: Layout) -> list[Job]:
    """All jobs of a plan, with what each needs and roughly costs."""
    root: dict[str, Json] = {"root": str(layout.root)}
    spec = plan.spec
    step_cost = spec.training.batch * spec.training.sequence_length / TOKENS_A_SECOND
    pool_cost = 3.0 + spec.pool.documents / 2_000
    score_cost = 2.0 + spec.scores.items / 6
    corpora, training, scoring = (f"shadowgraph.study.{room}" for room in ("corpora", "training", "scoring"))
    jobs = [
        Job("base corpus", f"{corpora}:base_corpus_job", root, layout.base / "corpus.json", cost=8.0),
        Job("suite", f"{scoring}:suite_job", root, layout.suite / "suite.json", cost=4.0),
        Job(
            "base",
            f"{training}:base_job",
            root,
            layout.base_run / "_COMPLETE",
            ("base corpus",),
            spec.training.base_steps * step_cost + 4.0,
        ),
    ]
    for draw in range(spec.study.draws):
        at: dict[str, Json] = {**root, "draw": draw, "files": str(plan.folder.resolve())}
        mark = layout.pool(draw) / "_COMPLETE"
        jobs.append(Job(f"pool {draw}", f"{corpora}:pool_job", at, mark, ("base corpus",), pool_cost))
    regimes = tuple(f"pool {draw}" for draw in range(spec.study.draws))
    jobs.append(Job("matched", f"{training}:matched_job", root, layout.matched, ("base", *regimes), 4.0))
    scored = [("base", layout.base, ("base", "suite"), {"model": str(layout.base_run / "model")})]
    for arm, draw in plan.runs:
        folder, key = layout.run(arm, draw), f"{arm} {draw}"
        cost = spec.training.steps * step_cost + 3.0
        arguments: dict[str, Json] = {**root, "arm": arm, "draw": draw}
        jobs.append(Job(key, f"{training}:run_job", arguments, folder / "record.json", ("matched",), cost))
        scored.append((key, folder, (key, "suite"), {"model": str(folder / "model")}))
    for key, folder, needs, model in scored:
        target: dict[str, Json] = {**root, **model, "folder": str(folder)}
        mark = folder / "scores.parquet"
        jobs.append(Job(f"scores of {key}", f"{scoring}:score_job", target, mark, needs, score_cost))
    return jobs


def execute_study(plan: Plan, layout: Layout, *, workers: int, cache: Path | None, display: Display | None) -> float:
    """Run what is left of a study, up to and including `result.json`.

    Args:
        plan: the frozen plan whose folder this is (see `claim_folder`).
        layout: the folder.
        workers: processes, one thread each.
        cache: folder of trained bases, shared between studies; None keeps none.
        display: told the progress.

    Returns:
        Seconds this start took.

    Raises:
        ShadowgraphError: what a job raised; finished jobs are kept and the same call goes on.
    """
    for module, extra in (
        ("torch", "train"),
        ("transformers", "train"),
        ("lm_eval", "eval"),
        ("reasoning_gym", "worlds"),
    ):
        require(module, extra)
    began = time.monotonic()
    ledger = Ledger(layout.ledger)
    with exclusive(layout.lock):
        ledger.append({"event": "start", "plan": plan.hash, "workers": workers})
        _restore_base(plan, layout, cache)
        execute(jobs_of(plan, layout), workers=workers, display=display)
        _keep_base(plan, layout, cache)
        analyse(plan, layout)
        spent = time.monotonic() - began
        ledger.append({"event": "end", "plan": plan.hash, "seconds": round(spent, 1)})
    return spent


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
    write_json(layout.complete, {"plan_hash": plan.hash})


def base_key(plan: Plan) -> str:
    """Identity of the shared base: all that shapes it, and the libraries that decide its last bit."""
    spec = plan.spec.model_dump(mode="json")
    return fingerprint(
        {
            "program": plan.frozen()["program"],
            "seed": spec["study"]["seed"],
            "model": spec["model"],
            "base": {key: spec["training"][key] for key in ("sequence_length", "batch", "base_steps")},
            "rate": spec["training"]["base_learning_rate"],
            "decay": spec["training"]["weight_decay"],
            "versions": versions(*ENVIRONMENT),
            "machine": platform.machine(),
        }
    )


def _restore_base(plan: Plan, layout: Layout, cache: Path | None) -> None:
    """Copy a finished base from the cache; whole or not at all."""
    source = None if cache is None else cache / f"base-{base_key(plan)}"
    if source is None or not source.is_dir() or layout.base.exists():
        return
    weights = "model/model.safetensors"
    if read_object(source / "run" / "_COMPLETE").get(weights) != file_digest(source / "run" / weights):
        raise EnvironmentFault("the cached base is damaged", where=str(source), hint="delete that folder")
    temporary = layout.root / ".base.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(source, temporary)
    temporary.rename(layout.base)


def _keep_base(plan: Plan, layout: Layout, cache: Path | None) -> None:
    """Copy the finished base into the cache, unless it is there already."""
    if cache is None:
        return
    target = cache / f"base-{base_key(plan)}"
    if target.exists():
        return
    temporary = cache / f".{target.name}.{plan.hash}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(layout.base, temporary, ignore=shutil.ignore_patterns("scores.parquet"))
    temporary.rename(target)


@dataclass(frozen=True, slots=True)
class Status:
    """How far a study is: its name, plan, state, and (done, total) jobs of every stage."""

    name: str
    plan_hash: str
    state: str
    stages: dict[str, tuple[int, int]]


def progress_of(folder: Path) -> Status:
    """How far the study in a folder is, stage by stage.

    Raises:
        DataError: the folder holds no study.
    """
    layout = Layout(folder)
    frozen = read_object(layout.plan)
    if "spec" not in frozen:
        raise DataError("holds no study", where=str(folder))
    spec = StudySpec.model_validate(frozen["spec"])
    arms = {arm.name for arm in spec.arms}
    stages: dict[str, tuple[int, int]] = {}
    for job in jobs_of(Plan(spec, {}, folder), layout):
        first = job.key.split()[0]
        stage = "runs" if first in arms else {"scores": "scores", "pool": "pools"}.get(first, "base")
        done, total = stages.get(stage, (0, 0))
        stages[stage] = (done + job.done, total + 1)
    state = "complete" if layout.complete.exists() else "unfinished"
    return Status(spec.study.name, str(frozen.get("plan_hash")), state, stages)
