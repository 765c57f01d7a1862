"""The peers' own environments, and one child process measured.

Here live: making a pinned environment under a cache folder, or the reason why there is none; processor seconds and
peak memory of a child. Not here: what the child does (`corpus_tools`). Only the standard library.
"""

from __future__ import annotations

import json
import os
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
    """One package to compare with: its version, the interpreter it needs, what it forgets to declare."""

    name: str
    version: str
    python: str = ""
    beside: tuple[str, ...] = ()


PEERS = (Peer("data-selection", "1.0.3"), Peer("decontaminate", "0.3.0.post4", python="3.12"))


@dataclass
class Run:
    """One finished child: processor seconds, wall seconds, peak bytes, and what it wrote."""

    cpu: float
    wall: float
    peak: int
    answer: dict[str, Any] = field(default_factory=dict[str, Any])
    failure: str = ""


def child(command: list[str], seconds: float, environment: dict[str, str]) -> Run:
    """Run a command to its end or its limit."""
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
        lines = [line.strip() for line in tail.splitlines() if line.strip()] or ["failed"]
        run.failure = f"stopped after {seconds:.0f} s" if wall > seconds else _without_paths(lines[-1])
    return run


def _without_paths(line: str) -> str:
    return " ".join(word for word in line.replace("|", " ").split() if "/" not in word)[:160]


def tool(python: Path, stage: str, values: dict[str, Any], seconds: float = 3600.0, *, own: bool = True) -> Run:
    """Run one stage of `corpus_tools`, in our environment or in a peer's; its answer comes back as JSON."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | SINGLE
    if own:
        environment["PYTHONPATH"] = str(ROOT / "src")
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        script = str(Path(__file__).with_name("corpus_tools.py" if own else "corpus_rival.py"))
        run = child([str(python), script, stage, json.dumps(values), str(answer)], seconds, environment)
        if not run.failure:
            run.answer = json.loads(answer.read_text("utf-8"))
    return run


def interpreter(wanted: str) -> str:
    """An interpreter of a version that starts, or nothing; without a wish, the one that runs this."""
    if not wanted:
        return sys.executable
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{wanted}*/bin/python{wanted}"))
    for candidate in (shutil.which(f"python{wanted}"), *kept):
        if candidate is not None:
            told = subprocess.run([str(candidate), "-V"], capture_output=True, text=True, check=False).stdout
            if told.startswith(f"Python {wanted}."):
                return str(candidate)
    return ""


def environment_of(peer: Peer, cache: Path) -> tuple[Path | None, str]:
    """The interpreter of a peer's environment, made when it is not there; else None and the reason."""
    place = cache / peer.name
    python, stamp = place / "bin" / "python", place / "installed.json"
    wanted = [f"{peer.name}=={peer.version}", *peer.beside]
    if stamp.exists() and json.loads(stamp.read_text()) == wanted:
        return python, ""
    basis = interpreter(peer.python)
    if not basis:
        return None, f"needs Python {peer.python}"
    shutil.rmtree(place, ignore_errors=True)
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    for step in ([basis, "-m", "venv", str(place)], [*pip, *wanted]):
        run = child(step, INSTALL_SECONDS, dict(os.environ))
        if run.failure:
            return None, f"installation failed: {run.failure}"
    stamp.write_text(json.dumps(wanted))
    return python, ""
