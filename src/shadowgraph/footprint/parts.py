"""Parts: what a scan keeps of each finished matrix, so that a killed one goes on and several processes can share it.

Here live: the part file, the key that says whether it still holds, and the job of a worker process.
Not here: how a matrix is measured (`single`), the order of work (`scan`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from shadowgraph.artifact import read_object, write_json
from shadowgraph.errors import CheckpointError, DataError, Defect, printable
from shadowgraph.footprint.circuits import Work, head_tasks, measure
from shadowgraph.footprint.factored import FactoredTask
from shadowgraph.footprint.single import Found, Options, Task
from shadowgraph.footprint.table import PARTS, Row, flat_record, record_of
from shadowgraph.identity import Json, file_digest, fingerprint, plain, versions
from shadowgraph.weights.adapters.adapter import Adapter
from shadowgraph.weights.adapters.opened import open_model
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.matrix import Skipped
from shadowgraph.weights.pairing import pair
from shadowgraph.weights.roles import NAMELESS, families

FUNCTION = "shadowgraph.footprint.parts:measure_job"


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """The matrices of a scan in order, then its heads, and what is left out before any is read."""

    tasks: tuple[Work, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


def plan(after: Checkpoint | Adapter, before: Checkpoint | None, heads: bool = False) -> Plan:
    """List the matrices of a model, joined with those of its base, and its heads, or an adapter's; headers only.

    Raises:
        CheckpointError: base and model do not correspond.
    """
    if isinstance(after, Adapter):
        return _updates(after, before)
    found = _matrices(after, before)
    if not heads:
        return found
    more, remarks = head_tasks((task for task in found.tasks if isinstance(task, Task)), after)
    return Plan((*found.tasks, *more), found.skipped, (*found.notes, *remarks))


def _matrices(after: Checkpoint, before: Checkpoint | None) -> Plan:
    if before is None:
        alone = (Task(matrix, None, printable(matrix.name)) for matrix in after.matrices())
        return Plan(tuple(alone), after.skipped, after.notes)
    pairing = pair(before, after)
    notes = (*after.notes, *(f"base: {note}" for note in before.notes), *pairing.identity.notes)
    tasks = (Task(update.after, update, printable(update.after.name)) for update in pairing.updates)
    return Plan(tuple(tasks), pairing.skipped, notes)


def _updates(adapter: Adapter, before: Checkpoint | None) -> Plan:
    """The updates of an adapter: products of factors, then matrices that were saved whole or make no product."""
    found = adapter.updates(before)
    factored = (FactoredTask(update, printable(update.name)) for update in found.factored)
    dense = (
        Task(update.after, update, printable(update.after.name), made=update.after.piece is None)
        for update in found.dense
    )
    base = () if before is None else (f"base: {note}" for note in before.notes)
    return Plan((*factored, *dense), found.skipped, (*adapter.notes, *base, *found.notes))


def changed_parameters(adapter: Adapter, work: Plan) -> int:
    """Number of elements of the matrices inside the layers that an adapter changes, read or left out.

    Of a stack of experts that was left out one is counted, as nothing says how many there are.

    Args:
        adapter: the adapter.
        work: what is read of it and what is left out.

    Returns:
        The number, at least that of what is read.
    """
    count = 0
    for task in work.tasks:
        matrix = task.after if isinstance(task, Task) else task.update if isinstance(task, FactoredTask) else None
        if matrix is not None and matrix.layer is not None:
            count += task.shape[0] * task.shape[1]
    names = {item.tensor.split("[")[0] for item in work.skipped}  # without the part of a fused matrix
    family = next((family for family in families() if family.name == adapter.family), NAMELESS)
    for factors in adapter.contents.pairs:
        name = f"{factors.module}.weight"
        if names & {name, factors.down.name} and family.place(name).layer is not None:
            count += factors.shape[0] * factors.shape[1]
    for name, entry in adapter.contents.whole:
        if len(entry.shape) > 1 and entry.name in names and family.place(name).layer is not None:
            count += entry.parameters
    return count


def scan_key(parents: Mapping[str, str], options: Options) -> str:
    """Identity of a scan: the contents of both models, the options, and the versions of the code.

    Args:
        parents: fingerprints of "after" and, with a base, "before".
        options: what was asked for; where tables are cached does not matter.

    Returns:
        16 hex digits.
    """
    asked = dataclasses.asdict(options) | {"cache": None}
    asked["moments"] = None if options.moments is None else file_digest(Path(options.moments))
    return fingerprint(
        {"parents": dict(parents), "options": asked, "versions": versions("shadowgraph", "numpy", "scipy")}
    )


def part_key(scan: str, index: int, task: Work) -> str:
    """Identity of one result of a scan: the matrix and its place in the plan; 16 hex digits."""
    return fingerprint([scan, index, task.tensor, list(task.shape)])


def part_path(folder: Path, index: int) -> Path:
    """Where the result of one matrix lies while a scan is under way."""
    return folder / PARTS / f"{index:06}.json"


def write_part(path: Path, key: str, found: Found) -> None:
    """Write the result of one matrix: whole or not at all.

    Raises:
        EnvironmentFault: the disk refuses.
    """
    body: dict[str, Json] = {
        "record": None if found.record is None else plain(flat_record(found.record)),
        "rows": [plain(dataclasses.astuple(row)) for row in found.rows],
        "reason": found.reason,
    }
    write_json(path, {"key": key, "digest": fingerprint(body), "body": body})


def read_part(path: Path, key: str) -> Found | None:
    """The result of one matrix, None where there is none, it is of another scan, or it is damaged."""
    if not path.exists():
        return None
    try:
        stored = read_object(path)
    except (DataError, OSError):
        return None
    body: Any = stored.get("body")
    if stored.get("key") != key or not isinstance(body, dict) or stored.get("digest") != fingerprint(body):
        return None
    content = cast(dict[str, Any], body)
    record = None if content["record"] is None else record_of(content["record"])
    return Found(record, tuple(Row(*row) for row in content["rows"]), str(content["reason"]))


def measure_job(arguments: Mapping[str, Json], progress: Callable[[float], None]) -> None:
    """Measure some matrices of a scan in a worker process and write their parts; the mark comes last.

    Args:
        arguments: paths and stamps of the checkpoints, an adapter's name, options, places in the plan with their keys,
            the folder.
        progress: told the share done.

    Raises:
        CheckpointError: a file is not what it was when the scan began.
        Defect: the plan of this process is another than that of its parent.
    """
    given = cast(dict[str, Any], dict(arguments))
    asked: dict[str, Any] = dict(given["options"])
    asked.update(objects=tuple(asked["objects"]), nulls=tuple(asked["nulls"]))
    options = Options(**asked)
    paths = given["after"], given["adapter"], given["before"]
    tasks = _opened(*paths, given["stamps"], options.heads).tasks
    folder = Path(given["folder"])
    for done, (index, name, key) in enumerate(given["matrices"], 1):
        if tasks[index].tensor != name:
            raise Defect("the matrices of a scan are listed in two orders", where=name)
        write_part(part_path(folder, index), key, measure(tasks[index], options))
        progress(done / len(given["matrices"]))
    write_json(Path(given["mark"]), {"done": len(given["matrices"])})


@lru_cache(maxsize=2)
def _opened(after: str, name: str | None, before: str | None, stamps: str, heads: bool) -> Plan:
    """The plan of a scan, remembered by a worker for its next job."""
    model, base = open_model(after, name), None if before is None else open_checkpoint(before)
    if stamps_of(model, base) != stamps:
        raise CheckpointError("changed since the scan began", where=after, hint="run again when nothing writes to it")
    return plan(model, base, heads)


def stamps_of(*checkpoints: Checkpoint | Adapter | None) -> str:
    """Digest of which files the checkpoints were when their headers were read."""
    known = [each for each in checkpoints if each is not None]
    scaled = [each.fingerprint for each in known if isinstance(each, Adapter)]  # its configuration is one more file
    return fingerprint([[sorted(each.same_files) for each in known], scaled])


def groups(indices: Sequence[int], costs: Sequence[float], least: float) -> list[list[int]]:
    """Divide matrices into jobs of at least `least` seconds each, in their order.

    Args:
        indices: places in the plan.
        costs: expected seconds, by place in the plan.
        least: seconds a job should take, so that handing it over costs little.

    Returns:
        Runs of places.
    """
    found: list[list[int]] = []
    load = least
    for index in indices:
        if load >= least:
            found.append([])
            load = 0.0
        found[-1].append(index)
        load += costs[index]
    return found
