"""The account of a piece of work: how much is done, how long the rest may take.

Here live: the running sums and the estimate of time left.
Not here: drawing a bar; the caller passes a display.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shadowgraph.work.job import Job


@dataclass(frozen=True, slots=True)
class State:
    """What a display needs: done share 0 … 1, seconds spent, seconds left (None while unknown), running keys."""

    share: float
    spent: float
    left: float | None
    running: tuple[str, ...]
    done: int
    total: int


Display = Callable[[State], None]


@dataclass(slots=True)
class Account:
    """Sums of expected cost by state; finished jobs of an earlier start count as done but not as speed.

    Attributes:
        jobs: all jobs.
        workers: how many run side by side.
        clock: seconds, monotonic.
    """

    jobs: Sequence[Job]
    workers: int
    clock: Callable[[], float] = time.monotonic
    fractions: dict[str, float] = field(default_factory=dict[str, float])
    started: float = field(init=False)
    inherited: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock; what is done already is inherited."""
        self.started = self.clock()
        for job in self.jobs:
            if job.done:
                self.fractions[job.key] = 1.0
        self.inherited = self._cost_done()

    def _cost_done(self) -> float:
        return sum(job.cost * self.fractions.get(job.key, 0.0) for job in self.jobs)

    def tell(self, key: str, fraction: float) -> None:
        """Note the done fraction of a job."""
        self.fractions[key] = min(1.0, max(fraction, self.fractions.get(key, 0.0)))

    def state(self, running: Sequence[str]) -> State:
        """The present state; the time left scales what is left by the speed seen since the start."""
        total = sum(job.cost for job in self.jobs)
        done = self._cost_done()
        spent = self.clock() - self.started
        fresh = done - self.inherited
        width = min(self.workers, max(1, len(running)))
        rest = max(total - done, self._longest_chain() * width)
        left = rest * spent / fresh if fresh > 0.02 * total and spent > 5.0 else None
        count = sum(1 for job in self.jobs if self.fractions.get(job.key, 0.0) >= 1.0)
        return State(done / total if total else 1.0, spent, left, tuple(running), count, len(self.jobs))

    def _longest_chain(self) -> float:
        """Cost left on the longest chain of jobs that wait for one another."""
        chain: dict[str, float] = {}
        for job in self.jobs:
            own = job.cost * (1.0 - self.fractions.get(job.key, 0.0))
            chain[job.key] = own + max((chain.get(need, 0.0) for need in job.needs), default=0.0)
        return max(chain.values(), default=0.0)
