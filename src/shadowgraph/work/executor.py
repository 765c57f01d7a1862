"""Executors: jobs in dependency order, in this process or in worker processes.

Here live: the order of work, worker processes with one thread each, their death and ours.
Not here: what is computed, and drawing progress.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from shadowgraph.errors import Defect, EnvironmentFault
from shadowgraph.identity import Json
from shadowgraph.work.account import Account, Display
from shadowgraph.work.job import Job, call, check

# Threads are part of the matching of runs: one a worker, fixed before any numeric library loads.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
PR_SET_PDEATHSIG = 1  # Linux: the signal a process gets when its parent dies
HEARTBEAT = 0.5  # seconds between looks at progress, and at the parent's pulse


def execute(jobs: Sequence[Job], *, workers: int, display: Display | None = None) -> None:
    """Run all jobs that are not done, each after those it needs.

    Args:
        jobs: the jobs, any order.
        workers: 1 runs in this process; more start that many processes of one thread each.
        display: told the state about twice a second.

    Raises:
        Defect: when the jobs cannot be ordered (see `check`), or one returned without its mark.
        EnvironmentFault: when a worker was lost.
        ShadowgraphError: whatever a job raised; finished jobs stay finished.
    """
    check(jobs)
    ordered = _by_need(jobs)
    account = Account(ordered, workers)
    if all(job.done for job in ordered):
        return
    if workers == 1:
        _serial(account, display)
    else:
        _parallel(account, display)
    for job in ordered:
        if not job.done:
            raise Defect("the job ended without its mark", where=str(job.mark))


def _by_need(jobs: Sequence[Job]) -> list[Job]:
    """Order jobs so that each follows those it needs, keeping the given order otherwise."""
    placed: dict[str, Job] = {}
    waiting = list(jobs)
    while waiting:
        for job in waiting:
            if all(need in placed for need in job.needs):
                placed[job.key] = job
        waiting = [job for job in waiting if job.key not in placed]
    return list(placed.values())


def _serial(account: Account, display: Display | None) -> None:
    """Run jobs one after another in this process."""
    last = 0.0

    def tell(key: str, fraction: float) -> None:
        nonlocal last
        account.tell(key, fraction)
        now = time.monotonic()
        if display is not None and now - last >= HEARTBEAT:
            last = now
            display(account.state([key]))

    for job in account.jobs:
        if not job.done:
            call(job.function, job.arguments, lambda fraction, key=job.key: tell(key, fraction))
            tell(job.key, 1.0)
    if display is not None:
        display(account.state([]))


_reports: Any = None  # the queue to the parent, set once in every worker


def _begin_worker(reports: Any, parent: int) -> None:
    """Prepare a worker: remember the queue and leave when the parent is gone."""
    import signal

    global _reports  # noqa: PLW0603  a worker process has one queue for life
    _reports = reports
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(HEARTBEAT)
        os._exit(5)

    threading.Thread(target=watch, daemon=True).start()


def _work(key: str, function: str, arguments: Mapping[str, Json]) -> None:
    """Run one job inside a worker."""
    reports = _reports
    call(function, arguments, lambda fraction: reports.put((key, fraction)))


@contextmanager
def _worker_environment() -> Generator[None]:
    """Give children their environment; ours is put back."""
    before = {name: os.environ.get(name) for name in WORKER_ENVIRONMENT}
    os.environ.update(WORKER_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _parallel(account: Account, display: Display | None) -> None:
    """Run jobs in worker processes, the longest chain first."""
    context = multiprocessing.get_context("spawn")
    reports: Any = context.SimpleQueue()
    with _worker_environment():
        pool = ProcessPoolExecutor(account.workers, context, _begin_worker, (reports, os.getpid()))
        try:
            _drive(pool, reports, account, display)
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            if isinstance(error, BrokenProcessPool):
                raise EnvironmentFault(
                    "a worker process was lost (killed, or out of memory)",
                    hint="run the same command again; finished work is kept",
                ) from error
            raise
        pool.shutdown(wait=True)
        reports.close()


def _drive(pool: ProcessPoolExecutor, reports: Any, account: Account, display: Display | None) -> None:
    """Hand out ready jobs, at most one a worker, until all are done."""
    finished = {job.key for job in account.jobs if job.done}
    waiting = [job for job in account.jobs if job.key not in finished]
    running: dict[Future[None], Job] = {}
    while waiting or running:
        ready = [job for job in waiting if finished.issuperset(job.needs)]
        ready.sort(key=lambda job: -job.cost)
        for job in ready[: account.workers - len(running)]:
            running[pool.submit(_work, job.key, job.function, dict(job.arguments))] = job
            waiting.remove(job)
        ended, _ = wait(running, timeout=HEARTBEAT, return_when=FIRST_COMPLETED)
        while not reports.empty():
            account.tell(*reports.get())
        for future in ended:
            job = running.pop(future)
            future.result()
            finished.add(job.key)
            account.tell(job.key, 1.0)
        if display is not None:
            display(account.state([job.key for job in running.values()]))
