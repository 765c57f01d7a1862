"""The peers' own environments, and one child process measured.

Here live: making a pinned environment under a cache folder, or the reason why there is none; processor seconds and
peak memory of a child. Not here: what the child does. Only the standard library: a child's peak counts from its
parent's size at birth, so the parent stays small.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SINGLE = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
INSTALL_SECONDS = 900.0


@dataclass(frozen=True)
class Peer:
    """One tool to compare with: its version, the interpreter it needs and what is pinned beside it, the first alone."""

    name: str
    version: str
    python: str = ""
    pins: tuple[str, ...] = ()


@dataclass
class Run:
    """One finished child: processor seconds (user + system), wall seconds, peak bytes, and what it wrote."""

    cpu: float
    wall: float
    peak: int
    marks: dict[str, float] = field(default_factory=dict[str, float])
    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    failure: str = ""

    @property
    def startup(self) -> float:
        """Processor seconds until the tool was imported and ready."""
        return self.marks.get("ready", 0.0)


def child(command: list[str], seconds: float, environment: dict[str, str]) -> tuple[Run, str]:
    """Run a command to its end or its limit; the run, and the end of what it printed."""
    with tempfile.TemporaryFile() as printed:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT, env=environment)
        while True:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            wall = time.perf_counter() - started
            if done:
                break
            if wall > seconds:
                process.kill()
            time.sleep(0.02)
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(max(0, printed.seek(0, os.SEEK_END) - 4000))
        tail = printed.read().decode("utf-8", "replace")
    run = Run(usage.ru_utime + usage.ru_stime, wall, 1024 * usage.ru_maxrss)
    if process.returncode:
        run.failure = f"stopped after {seconds:.0f} s" if wall > seconds else plain(tail)
    return run, tail


def plain(text: str) -> str:
    """The line of an output that names the fault, without paths and addresses."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if re.match(r"(ERROR|\w*(Error|Exception|Fault))\b", line)] or lines or ["failed"]
    return " ".join(word for word in told[-1].replace("|", " ").split() if "/" not in word)[:160]


def tool(python: Path, arguments: list[str], answer: Path, seconds: float, own: bool) -> Run:
    """Run one of the scripts beside this file; `own` puts this tree's package first.

    The script writes {"marks": …, "answers": …} to `answer`.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | SINGLE
    if own:
        environment["PYTHONPATH"] = str(ROOT / "src")
    answer.unlink(missing_ok=True)
    run, _ = child([str(python), *arguments], seconds, environment)
    if not run.failure:
        written = json.loads(answer.read_text())
        run.marks, run.answers = written["marks"], written["answers"]
    return run


def pinned(names: tuple[str, ...]) -> list[str]:
    """Requirements with the versions of constraints.txt where none is given."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    versions = {line.split("==")[0]: line for line in lines if "==" in line}
    return [name if "==" in name else versions[name] for name in names]


def interpreter(wanted: str, given: Path | None = None) -> str:
    """An interpreter of a version that starts, or nothing; without a wish, the one that runs this."""
    if not wanted:
        return sys.executable
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{wanted}*/bin/python{wanted}"))
    for candidate in [*([given] if given else []), shutil.which(f"python{wanted}"), *kept]:
        if candidate is None:
            continue
        told = subprocess.run([str(candidate), "-V"], capture_output=True, text=True, check=False).stdout
        if told.startswith(f"Python {wanted}."):
            return str(candidate)
    return ""


def environment_of(peer: Peer, cache: Path, given: Path | None = None) -> tuple[Path | None, str]:
    """The interpreter of a peer's environment, made when it is not there; else None and the reason."""
    wanted = [*pinned(peer.pins), f"{peer.name}=={peer.version}"]
    place = cache / peer.name
    python, stamp = place / "bin" / "python", place / "installed.json"
    if stamp.exists() and json.loads(stamp.read_text()) == wanted:
        return python, ""
    basis = interpreter(peer.python, given)
    if not basis:
        return None, f"needs Python {peer.python}"
    shutil.rmtree(place, ignore_errors=True)
    environment = dict(os.environ)
    if peer.pins and not peer.python:
        environment["PIP_CONSTRAINT"] = str(ROOT / "constraints.txt")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    steps = [[basis, "-m", "venv", str(place)], [*pip, wanted[0]], [*pip, *wanted]]
    for step in steps:
        run, _ = child(step, INSTALL_SECONDS, environment)
        if run.failure:
            return None, f"installation failed: {run.failure}"
    stamp.write_text(json.dumps(wanted))
    return python, ""
