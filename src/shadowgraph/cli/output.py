"""What commands write: data on stdout, faults and progress on stderr.

Here live: JSON and text output, faults, and the line of progress.
Not here: what is computed.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from shadowgraph.errors import ShadowgraphError
from shadowgraph.identity import plain
from shadowgraph.work.account import Display, State

QUIET_EVERY = 15.0  # seconds between progress lines where stderr is no terminal


def help_of(verb: Callable[..., object] | None) -> str:
    """The docstring of a verb with its examples kept as lines: the command line's own machinery would join them."""
    return re.sub(r"\n\n(?=Examples:|  shadowgraph )", "\n\n\b\n", inspect.getdoc(verb) or "")


def emit_json(value: Any) -> None:
    """Write one JSON document to stdout."""
    typer.echo(json.dumps(plain(value), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False))


def emit_fault(fault: ShadowgraphError, as_json: bool) -> int:
    """Say a fault in one line on stderr, and as JSON on stdout where data was asked for as JSON.

    Returns:
        The exit code.
    """
    typer.echo(f"{fault.label}: {fault}", err=True)
    if as_json:
        try:
            emit_json({"error": fault.as_dict()})
            sys.stdout.flush()
        except OSError:  # the reader is gone or the device full: the fault stands on stderr, its code is kept
            drop_output()
    return fault.exit_code


def fetched() -> int:
    """Bytes that this process took from the hub so far; 0 where nothing ever asked it."""
    client = sys.modules.get("shadowgraph.weights.hub.client")
    return 0 if client is None else int(client.TRAFFIC.fetched)


def emit_traffic(before: int) -> None:
    """Say on stderr what a command took from the hub; it differs from run to run, so no result holds it."""
    taken = fetched() - before
    if taken:
        typer.echo(f"fetched from the hub: {taken:,} bytes", err=True)


def drop_output() -> None:
    """Send what is left of stdout nowhere: the reader is gone or the device full, and the exit would fail on it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def duration(seconds: float) -> str:
    """Seconds for a person: "48 s", "3 min 05 s", "1 h 12 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def sentence(state: State) -> str:
    """Progress in words."""
    left = "estimating time left" if state.left is None else f"about {duration(state.left)} left"
    running = ", ".join(state.running[:3])
    jobs = f"{state.done} of {state.total} jobs  " if state.total else ""
    return f"{state.share:4.0%}  {jobs}{left}" + (f"  ({running})" if running else "")


@contextmanager
def progress_display() -> Generator[Display]:
    """Yield a display of progress on stderr: a bar on a terminal, a line now and then elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    with Progress(
        BarColumn(bar_width=30), TextColumn("{task.description}", markup=False), console=console, transient=True
    ) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda state: bar.update(task, completed=state.share, description=sentence(state))


@contextmanager
def measuring() -> Generator[Callable[[float], None]]:
    """Yield what a measurement tells its share to; shown with the time left, judged by the speed since the start.

    What an earlier start left done is in the first share told and counts as no speed.
    """
    started, first = time.monotonic(), list[float]()
    with progress_display() as display:

        def tell(share: float) -> None:
            if not first:
                first.append(share)
            spent, fresh = time.monotonic() - started, share - first[0]
            left = spent * (1.0 - share) / fresh if fresh > 0.02 and spent > 2.0 else None
            display(State(share, spent, left, (), 0, 0))

        yield tell


def _lines() -> Callable[[State], None]:
    """A display that writes a line every `QUIET_EVERY` seconds, and none for what takes less."""
    last = [time.monotonic()]

    def show(state: State) -> None:
        now = time.monotonic()
        if now - last[0] >= QUIET_EVERY:
            last[0] = now
            typer.echo(sentence(state), err=True)
            sys.stderr.flush()

    return show
