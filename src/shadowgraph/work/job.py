"""A job: a function by name, its plain arguments, and the file that proves it is done.

Here live: the job, its check and its call.
Not here: processes and order (see `executor`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from shadowgraph.errors import Defect
from shadowgraph.identity import Json

Progress = Callable[[float], None]  # told the done fraction of a job, 0 … 1
Function = Callable[[Mapping[str, Json], Progress], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    Attributes:
        key: unique name, also shown to the user.
        function: "module:function"; called with (arguments, progress); it writes its files and `mark` last.
        arguments: JSON values only, so that any worker process can be handed them.
        mark: the file whose presence proves that the job is done.
        needs: keys of jobs that must be done before.
        cost: expected seconds on one core; only ratios matter.
    """

    key: str
    function: str
    arguments: Mapping[str, Json]
    mark: Path
    needs: tuple[str, ...] = ()
    cost: float = 1.0

    @property
    def done(self) -> bool:
        """Whether the mark exists."""
        return self.mark.exists()


def call(function: str, arguments: Mapping[str, Json], progress: Progress) -> None:
    """Import "module:function" and call it."""
    module, _, name = function.partition(":")
    target: Function = getattr(import_module(module), name)
    target(arguments, progress)


def check(jobs: Sequence[Job]) -> None:
    """Refuse duplicate keys, unknown needs and cycles.

    Raises:
        Defect: jobs are made by our own code, so any of these is our fault.
    """
    known = {job.key for job in jobs}
    if len(known) != len(jobs):
        raise Defect("two jobs share a key")
    finished: set[str] = set()
    waiting = list(jobs)
    while waiting:
        ready = [job for job in waiting if set(job.needs) <= finished]
        if not ready:
            raise Defect("jobs wait for one another or for an unknown job", where=waiting[0].key)
        finished |= {job.key for job in ready}
        waiting = [job for job in waiting if job.key not in finished]
