"""A Trainer callback that reads the footprint of anybody's training while it runs.

Here live: the public callback: when to read, what it costs, where the numbers go.
Not here: the reading itself (`live`), snapshots of our own runs (`snapshots`). This module imports transformers.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
import weakref
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from shadowgraph.errors import ShadowgraphError, SpecError
from shadowgraph.runs.live import Copy, copy_weights, is_sharded, read_update, store, unreadable

logger = logging.getLogger(__name__)

PREFIX = "shadowgraph/"
WAITING = 2  # copies held at once; a reading that falls due beyond them is left out and counted
# What a copy or a logger of somebody else may raise; none of it is worth a training.
_FAULTS = (
    *(OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError),
    *(ImportError, AssertionError, ShadowgraphError),
)

Reading = dict[str, float | str]


class ShadowgraphCallback(TrainerCallback):
    """Reads K, K_emb, the log norm and participation ratios of W_t − W_start after chosen steps.

    W_start is what the model holds when the training begins, kept on disk. At a chosen step the weights are copied to
    the CPU, on rank zero, and the training goes on; a thread stores the copy, reads it and deletes it. Nothing is
    raised into the training: faults are logged and kept. Nothing is sent anywhere: numbers go where the Trainer logs.
    Where parameters are sharded as distributed tensors all ranks gather them for the copy; where the whole weights
    cannot be had, that is said once and nothing is read.

    Pass it in `callbacks=[…]`, and call `attach(trainer)` so that TensorBoard and the like see the numbers too; without
    it they enter `state.log_history` alone.

    Args:
        steps: optimiser steps after which to read.
        every: or a spacing: every so many steps.
        folder: keeps W_start, so that a resumed training is read from its true start; None takes a temporary folder,
            and a resumed training is then not read.

    Attributes:
        readings: one a step: "step" and the keys of `live.read_update`.
        faults: errors met; the training went on without what they cost.
        skipped: steps not read because two copies were still waiting.
        blocked_seconds: time the training waited for this callback, the wait for the last readings apart.

    Raises:
        SpecError: neither or both of `steps` and `every`, or a value below 1.
    """

    def __init__(
        self, steps: Iterable[int] | None = None, *, every: int | None = None, folder: Path | str | None = None
    ) -> None:
        self.steps = frozenset(() if steps is None else steps)
        self.every = every
        if (steps is None) == (every is None):
            raise SpecError("give steps or every, one of them", where="ShadowgraphCallback")
        if any(step < 1 for step in (*self.steps, *([] if every is None else [every]))):
            raise SpecError("steps count from 1", where="ShadowgraphCallback.steps")
        self.folder = None if folder is None else Path(folder)
        self.readings: list[Reading] = []
        self.faults: list[BaseException] = []
        self.skipped: list[int] = []
        self._trainer: Any = None
        self._place = Path()
        self._pool: ThreadPoolExecutor | None = None
        self._pending: list[Future[Reading]] = []
        self.blocked_seconds = self._began = 0.0

    def attach(self, trainer: Any) -> ShadowgraphCallback:
        """Log through a Trainer; put before its other callbacks, so that none has closed its writer at the end."""
        self._trainer = trainer
        callbacks: list[Any] = trainer.callback_handler.callbacks
        callbacks[:] = [self, *(callback for callback in callbacks if callback is not self)]
        return self

    @property
    def overhead_share(self) -> float:
        """`blocked_seconds` over the duration of the training so far, 0 … 1."""
        elapsed = time.perf_counter() - self._began
        return self.blocked_seconds / elapsed if self._began and elapsed > 0.0 else 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep the start weights."""
        self._began, self.blocked_seconds = time.perf_counter(), 0.0
        with self._guarded("the start weights could not be kept"):
            self._begin(state, kwargs["model"])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Copy the weights when the step is due, and log what was read meanwhile."""
        step = int(state.global_step)
        due = step in self.steps or (self.every is not None and step % self.every == 0)
        with self._guarded(f"step {step} was not read"):
            if due and (self._pool is not None or is_sharded(kwargs["model"])):
                self._take(step, state, kwargs["model"])
            self._collect(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Wait for the last readings, log them and what the callback cost, remove the copies."""
        if self._pool is None:
            return
        share, began = self.overhead_share, time.perf_counter()
        self._pool.shutdown(wait=True)
        with self._guarded("the last readings were not logged"):
            self._collect(state)
            waited = time.perf_counter() - began
            self._log({"overhead_share": share, "last_wait_seconds": waited, "faults": len(self.faults)}, state)
        self._pool = None
        if self.folder is None:
            shutil.rmtree(self._place, ignore_errors=True)

    def _begin(self, state: Any, model: Any) -> None:
        """Decide whether there is anything to read, and store W_start."""
        reason = unreadable(model)
        if reason:
            if state.is_world_process_zero:
                logger.warning("the footprint of this training is not read: %s", reason)
            return
        resumed = state.global_step > 0
        if resumed and (self.folder is None or not (self.folder / "start" / "model.safetensors").is_file()):
            logger.warning("the footprint of this training is not read: it was resumed and its start was not kept")
            return
        start = None if resumed else copy_weights(model) if state.is_world_process_zero or is_sharded(model) else None
        if not state.is_world_process_zero:
            return
        self._place = self.folder or Path(tempfile.mkdtemp(prefix="shadowgraph-"))
        if self.folder is None:
            weakref.finalize(self, shutil.rmtree, self._place, ignore_errors=True)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="shadowgraph")
        self._pending = []
        if start is not None:
            self._pending.append(self._pool.submit(self._keep, start, model))

    def _keep(self, start: Copy, model: Any) -> Reading:
        """Store W_start whole or not at all; in the background."""
        torn = self._place / "start.torn"
        store(start, model, torn)
        shutil.rmtree(self._place / "start", ignore_errors=True)
        torn.rename(self._place / "start")
        return {}

    def _take(self, step: int, state: Any, model: Any) -> None:
        """Copy W_t and hand it to the thread."""
        waiting = sum(not future.done() for future in self._pending)
        if waiting >= WAITING and not is_sharded(model):
            self.skipped.append(step)
            logger.warning("step %d was not read: %d copies were still waiting", step, waiting)
            return
        copy = copy_weights(model)
        if self._pool is not None and state.is_world_process_zero:
            self._pending.append(self._pool.submit(self._read, step, copy, model))

    def _read(self, step: int, copy: Copy, model: Any) -> Reading:
        """Store, read and delete a copy; in the background."""
        began, folder = time.perf_counter(), self._place / f"step-{step}"
        try:
            store(copy, model, folder)
            found = read_update(self._place / "start", folder, copy.ranks)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return {"step": step, **found, "background_seconds": time.perf_counter() - began}

    def _collect(self, state: Any) -> None:
        """Log what the thread has finished; a fault of it is kept."""
        for future in [each for each in self._pending if each.done()]:
            self._pending.remove(future)
            fault = future.exception()
            if fault is not None:
                self._keep_fault("a reading failed", fault)
            elif future.result():
                self.readings.append(future.result())
                self._log({**future.result(), "overhead_share": self.overhead_share}, state)

    def _log(self, values: Reading, state: Any) -> None:
        """Numbers to the Trainer's log where it is known, else to the history of its state."""
        logs = {f"{PREFIX}{key}": float(value) for key, value in values.items() if not isinstance(value, str)}
        if self._trainer is not None:
            self._trainer.log(logs)
        else:
            state.log_history.append({**logs, "step": state.global_step})

    @contextmanager
    def _guarded(self, words: str) -> Generator[None]:
        """Time what the training waits for, and keep faults out of it."""
        began = time.perf_counter()
        try:
            yield
        except _FAULTS as fault:
            self._keep_fault(words, fault)
        finally:
            self.blocked_seconds += time.perf_counter() - began

    def _keep_fault(self, words: str, fault: BaseException) -> None:
        self.faults.append(fault)
        logger.warning("shadowgraph: %s: %s", words, fault)
