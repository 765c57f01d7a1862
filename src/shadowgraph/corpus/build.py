"""The door of `corpus build`: from a specification to token-matched arms in a folder.

Here live: the plan of jobs, resuming, the answer. Not here: what a job does (`building`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadowgraph.artifact import claim, exclusive, read_object
from shadowgraph.corpus.building.plan import BuildPlan, Place, make_plan
from shadowgraph.spec.corpus import CorpusSpec, read_corpus_spec
from shadowgraph.work.account import Display
from shadowgraph.work.executor import execute
from shadowgraph.work.job import Job

JOBS = "shadowgraph.corpus.building"
SECONDS_A_MEGABYTE = 2.0  # of a part, for the estimate of time left; only ratios matter


@dataclass(frozen=True, slots=True)
class Built:
    """What a build left in its folder.

    Attributes:
        folder: the output folder.
        plan: what was asked.
        answer: what `built.json` holds; empty for a dry run.
    """

    folder: Path
    plan: BuildPlan
    answer: dict[str, Any]

    def __repr__(self) -> str:
        """One line: the plan and whether it is done."""
        return f"Built({self.plan!r}, {'done' if self.answer else 'planned'})"

    def arm(self, name: str, draw: int = 0) -> Path:
        """The folder of one arm in one draw."""
        return Place(self.folder).arm(name, draw)


def build_regimes(
    spec: CorpusSpec | Path,
    output: Path,
    *,
    folder: Path | None = None,
    workers: int = 1,
    dry_run: bool = False,
    overwrite: bool = False,
    display: Display | None = None,
) -> Built:
    """Build every arm of a specification in every draw, equal to the token, and write them.

    Killed, it goes on where it stopped when called again: finished files stay, half a file is never seen. Neither the
    number of workers nor the order of the pool's files changes a byte of an arm.

    Args:
        spec: the specification, or the path of its file.
        output: receives plan, arms and `built.json`; `work/` in it may be deleted when all is done.
        folder: what the paths of the specification are relative to; by default its file's folder.
        workers: processes; 1 works in this one.
        dry_run: check the files and plan, build nothing.
        overwrite: replace what another plan left in the folder.
        display: told the state about twice a second.

    Returns:
        What was built, or with `dry_run` what would be.

    Raises:
        SpecError: for a wrong specification, or a folder that holds another build or foreign files.
        DataError: for a wrong file, or a pool too small for an arm.
        EnvironmentFault: when the disk refuses or a worker is lost; call again to go on.
    """
    if isinstance(spec, Path):
        folder = spec.parent if folder is None else folder
        spec = read_corpus_spec(spec)
    plan = make_plan(spec, (folder or Path()).absolute())
    place = Place(output)
    if dry_run:
        return Built(output, plan, {})
    claim(output, plan.frozen(), Place.OWN, key="identity", kind="build", overwrite=overwrite)
    with exclusive(output / ".lock"):
        execute(plan_jobs(plan, place), workers=workers, display=display)
    return Built(output, plan, read_object(place.built))


def plan_jobs(plan: BuildPlan, place: Place) -> list[Job]:
    """The jobs of a build, in order of need."""
    root = str(place.root)
    sizes = [path.stat().st_size / 1e6 for path in plan.files]
    jobs = [
        Job("survey", f"{JOBS}.pooling:survey_job", {"root": root}, place.survey / "removed.json", (), sum(sizes) / 10)
    ]
    for number, size in enumerate(sizes):
        arguments = {"root": root, "number": number}
        mark = place.part(number) / "part.json"
        cost = size * SECONDS_A_MEGABYTE + 0.1
        jobs.append(Job(f"part {number}", f"{JOBS}.pooling:part_job", arguments, mark, ("survey",), cost))
    parts = tuple(f"part {number}" for number in range(len(sizes)))
    jobs.append(Job("pool", f"{JOBS}.pooling:pool_job", {"root": root}, place.pool / "pool.json", parts, 10.0))
    arms: list[str] = []
    for draw in range(plan.spec.corpus.draws):
        for arm in plan.spec.arms:
            arms.append(f"{arm.name} draw {draw}")
            values = {"root": root, "arm": arm.name, "draw": draw}
            mark = place.arm(arm.name, draw) / "arm.json"
            jobs.append(Job(arms[-1], f"{JOBS}.making:arm_job", values, mark, ("pool",), 5.0))
    jobs.append(Job("finish", f"{JOBS}.making:finish_job", {"root": root}, place.built, tuple(arms), 1.0))
    return jobs
