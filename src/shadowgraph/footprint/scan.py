"""The scan: every matrix of a checkpoint through spectrum and measures into rows.

Here live: `scan`, the division of its work over processes, and the footprint put together.
Not here: how one matrix is measured (`single`), what is kept of it on the way (`parts`).

Memory: a pair is read in strips of rows and subtracted strip by strip in float64. With no null but "gaussian", a scan
holds a Gram matrix of the short side and its work space, at most 2.5 times the largest matrix in float32 and 200 MB
(measured: 306 MB for 2048 × 5632 with 88 MB of libraries); the other nulls, `geometry`, `heads` and `moments` hold up
to six float64 arrays of one matrix. Linear algebra runs on one thread, here and in workers, so that no bit depends on
`jobs`.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from shadowgraph.artifact import exclusive
from shadowgraph.errors import CheckpointError, Defect, SpecError, printable
from shadowgraph.footprint.circuits import Work, measure
from shadowgraph.footprint.factored import unread
from shadowgraph.footprint.parts import (
    FUNCTION,
    Plan,
    changed_parameters,
    groups,
    part_key,
    part_path,
    plan,
    read_part,
    scan_key,
    stamps_of,
    write_part,
)
from shadowgraph.footprint.single import OBJECTS, Found, Options, Task
from shadowgraph.footprint.table import PARTS, Coverage, Footprint, canonical
from shadowgraph.identity import plain
from shadowgraph.spectra.plan import Precision
from shadowgraph.weights.adapters.adapter import Adapter
from shadowgraph.weights.checkpoint import Checkpoint
from shadowgraph.weights.matrix import Skipped
from shadowgraph.work.executor import execute
from shadowgraph.work.job import Job
from shadowgraph.work.threads import one_thread

Progress = Callable[[float], None]

LEAST_JOB = 0.5  # seconds of work worth handing to a process
SPEED = 2e10  # multiplications a second of one thread, to compare the cost of matrices


def scan(
    after: Checkpoint | Adapter,
    before: Checkpoint | None = None,
    *,
    objects: Sequence[str] = OBJECTS,
    nulls: Sequence[str] = ("gaussian",),
    geometry: bool = False,
    heads: bool = False,
    seed: int = 0,
    jobs: int = 1,
    precision: Precision = "auto",
    folder: Path | str | None = None,
    moments: Path | str | None = None,
    cache: Path | str | None = None,
    progress: Progress | None = None,
) -> Footprint:
    """Compute the footprint of a model, alone (O1) or against its base (O1, O2, O3), or of an adapter (O3).

    Args:
        after: the model W1, or an adapter: its updates are read as products of factors, which are never formed.
        before: its base W0; without it only O1 is read, of an adapter what needs no base.
        objects: which of "O1", "O2", "O3" to read.
        nulls: keys of `single.NULLS`; all but "gaussian" are simulated anew for every matrix.
        geometry: whether to compare leading vectors with those of the base.
        heads: whether to read the products of every attention head too (see `circuits`).
        seed: seed of the simulated nulls.
        jobs: worker processes; more than 1 starts new interpreters, so a script needs a main guard.
        precision: of the decompositions, see `spectra.plan`.
        folder: where finished matrices leave parts for a killed scan to go on; writing the footprint removes them.
        moments: safetensors file of second moments of the inputs by tensor name, for input-weighted measures.
        cache: folder where simulated Gaussian tables are kept for other scans.
        progress: called with the share done, 0 … 1.

    Returns:
        The footprint; what is not finite or does not converge is listed, excluded and counted.

    Raises:
        CheckpointError: base and model do not correspond, or no matrix could be read.
        SpecError: an unknown object, null or precision, fewer than 1 job, or an adapter without the object O3.
        EnvironmentFault: disk, memory, a lost worker, or another scan at work in the folder.
    """
    files = [None if path is None else str(path) for path in (moments, cache)]
    options = Options(tuple(objects), tuple(nulls), geometry, seed, precision, files[0], files[1], heads)
    if jobs < 1:
        raise SpecError(f"{jobs} jobs", hint="give 1 or more")
    work = _planned(after, before, options)
    parents = {"after": after.fingerprint} | ({} if before is None else {"before": before.fingerprint})
    spectra = 1 if before is None else len(options.objects)
    costs = tuple(_cost(task, spectra) for task in work.tasks)
    course = _Course(after, before, work, options, parents, progress, costs)
    with one_thread():
        if folder is not None:
            with exclusive(Path(folder) / PARTS / ".lock"):
                found = course.resumed(Path(folder), jobs)
        elif jobs > 1:
            with tempfile.TemporaryDirectory(prefix="shadowgraph-") as temporary:
                found = course.resumed(Path(temporary), jobs)
        else:
            found = course.fresh()
    return _footprint(after, work, found, parents)


def _planned(after: Checkpoint | Adapter, before: Checkpoint | None, options: Options) -> Plan:
    """What there is to measure, and of an adapter what was asked for in vain."""
    work = plan(after, before, options.heads)
    if not isinstance(after, Adapter):
        return work
    return dataclasses.replace(work, notes=(*work.notes, *unread(work.tasks, options)))


@dataclasses.dataclass(frozen=True, slots=True)
class _Course:
    """One scan under way."""

    after: Checkpoint | Adapter
    before: Checkpoint | None
    work: Plan
    options: Options
    parents: dict[str, str]
    progress: Progress | None
    costs: tuple[float, ...]

    def fresh(self) -> list[Found]:
        """Every matrix in this process, nothing written."""
        found: list[Found] = []
        done = 0.0
        for task, cost in zip(self.work.tasks, self.costs, strict=True):
            found.append(measure(task, self.options))
            done += cost
            self._tell(done)
        return found

    def resumed(self, folder: Path, jobs: int) -> list[Found]:
        """Every matrix without a sound part, each leaving one; then all parts together."""
        scan = scan_key(self.parents, self.options)
        keys = [part_key(scan, index, task) for index, task in enumerate(self.work.tasks)]
        found = [read_part(part_path(folder, index), key) for index, key in enumerate(keys)]
        missing = [index for index, each in enumerate(found) if each is None]
        if missing and jobs > 1:
            self._in_processes(folder, jobs, keys, missing)
            return [_sure(read_part(part_path(folder, index), key)) for index, key in enumerate(keys)]
        done = sum(self.costs) - sum(self.costs[index] for index in missing)
        for index in missing:
            measured = measure(self.work.tasks[index], self.options)
            write_part(part_path(folder, index), keys[index], measured)
            found[index] = measured
            done += self.costs[index]
            self._tell(done)
        return [_sure(each) for each in found]

    def _in_processes(self, folder: Path, jobs: int, keys: Sequence[str], missing: Sequence[int]) -> None:
        """Measure the missing matrices in worker processes, the costliest first."""
        total = sum(self.costs)
        left = sum(self.costs[index] for index in missing)
        shared = {
            "after": str(self.after.path),
            "adapter": self.after.name if isinstance(self.after, Adapter) else None,
            "before": None if self.before is None else str(self.before.path),
            "stamps": stamps_of(self.after, self.before),
            "options": plain(self.options),
            "folder": str(folder),
        }
        (folder / PARTS).mkdir(parents=True, exist_ok=True)
        marks = Path(tempfile.mkdtemp(prefix="marks-", dir=folder / PARTS))
        work: list[Job] = []
        for members in groups(missing, self.costs, LEAST_JOB):
            name = f"{members[0]:06}-{members[-1]:06}"
            mark = marks / name
            matrices = [[index, self.work.tasks[index].tensor, keys[index]] for index in members]
            arguments = shared | {"matrices": plain(matrices), "mark": str(mark)}
            work.append(Job(name, FUNCTION, arguments, mark, cost=sum(self.costs[index] for index in members)))
        try:
            execute(
                work,
                workers=max(2, min(jobs, len(work))),
                display=lambda state: self._tell(total - left + state.share * left),
            )
        finally:
            shutil.rmtree(marks, ignore_errors=True)

    def _tell(self, done: float) -> None:
        if self.progress is not None:
            self.progress(min(1.0, done / (sum(self.costs) or 1.0)))


def _cost(task: Work, spectra: int) -> float:
    """Expected seconds of a matrix, a Gram matrix and its eigenvalues for each object, or of thin factors."""
    if not isinstance(task, Task):
        return task.work / SPEED + 1e-3
    short, long = sorted(task.shape)
    return spectra * short * short * (long + 2.0 * short) / SPEED + 1e-3


def _sure(found: Found | None) -> Found:
    if found is None:
        raise Defect("a finished matrix left no part", where="footprint.scan")
    return found


def _footprint(after: Checkpoint | Adapter, work: Plan, found: Sequence[Found], parents: dict[str, str]) -> Footprint:
    """Rows, records, coverage and remarks put together."""
    records = [each.record for each in found if each.record is not None]
    if not any(record.spectrum is not None for record in records):
        reasons = [printable(item.reason, 200) for item in work.skipped]
        why = f", the first because: {reasons[0]}" if reasons else ""
        raise CheckpointError(
            f"no matrix could be analysed{why}", where=str(after.path), hint="run inspect to see what it holds"
        )
    skipped = [Skipped(printable(item.tensor), printable(item.reason)) for item in work.skipped]
    skipped.extend(Skipped(each.record.tensor, printable(each.reason)) for each in found if each.record and each.reason)
    block = changed_parameters(after, work) if isinstance(after, Adapter) else after.block_parameters
    notes = list(work.notes)
    if len(set(parents.values())) < len(parents) and not any("the same files" in note for note in notes):
        notes.append("model and base are the same to the last byte: there is no update to read")
    return Footprint(
        rows=canonical(row for each in found for row in each.rows),
        matrices=tuple(sorted(records, key=lambda record: record.tensor)),
        coverage=Coverage.of((len(after.entries), after.parameters, block), records, len(skipped)),
        skipped=tuple(sorted(skipped, key=lambda item: (item.tensor, item.reason))),
        parents=parents,
        family=after.family,
        notes=tuple(notes),
    )
