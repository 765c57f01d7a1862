"""Torch's weights-only loader behind a wall: another process, with limits, that sees a pickle and no file.

Here live: starting that process, talking to it, and what its end means. Not here: what it does (`torch_child`), the
checks before (`zip_archive`, `pickle_opcodes`) and after (`torch_archive`). Torch is never imported by this process,
and there is no second way: what the weights-only loader refuses is refused.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import IO, Any, cast

from shadowgraph.errors import CheckpointError, EnvironmentFault, printable, require
from shadowgraph.weights.readers.strict_json import parse

LEAST = (2, 10)  # before it, a weights-only load could corrupt memory (CVE-2026-24747)
STARTING = 180.0  # seconds to import torch, which a cold disk makes long
ENDING = 5.0  # seconds between its last word and its end
READING = 20.0  # seconds for one pickle by the clock; the process has 10 of processor time
ANSWER_CAP = 130_000_000
INSTALL = 'install it with: pip install "shadowgraph[torch]"'
_KEPT = ("LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")  # what loading a shared library may need
_ALONE = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


@dataclass(frozen=True, slots=True)
class Pickled:
    """A pickle to be read: its bytes, the names of the storages beside it, and where it comes from, for messages."""

    data: bytes
    storages: tuple[str, ...]
    where: str


def describe(pickles: Iterable[Pickled]) -> list[dict[str, Any]]:
    """Let torch read some pickles, one after another in one process, and describe their tensors.

    Args:
        pickles: what to read, each checked by `pickle_opcodes` before.

    Returns:
        For each what `torch_child.described` gives, as it came: nothing of it is checked yet.

    Raises:
        CheckpointError: torch refuses a pickle, or needs more time or memory for it than any table of tensors.
        EnvironmentFault: torch is not installed, too old or cannot be started.
    """
    require("torch", "torch")
    with _process() as child:
        ready = _exchange(child, None, "the loader", STARTING)
        if "ready" not in ready:
            found = f"torch cannot be used ({printable(str(ready.get('fault', 'it does not start')), 300)})"
            raise EnvironmentFault(found, hint=INSTALL)
        return [_read(child, each) for each in pickles]


def _read(child: subprocess.Popen[bytes], pickled: Pickled) -> dict[str, Any]:
    """One pickle read by the process."""
    answer = _exchange(child, pickled, pickled.where, READING)
    if "tensors" not in answer:
        reason = printable(str(answer.get("refused", "without a reason")), 300)
        raise CheckpointError(f"torch's weights-only loader refuses it ({reason})", where=pickled.where)
    return answer


@contextmanager
def _process() -> Generator[subprocess.Popen[bytes]]:
    """The process, ended on leaving whatever happens."""
    spec = find_spec("torch")
    folder = str(Path(spec.origin).parent.parent) if spec is not None and spec.origin else ""
    program = str(Path(__file__).with_name("torch_child.py"))
    command = [sys.executable, "-I", program, str(LEAST[0]), str(LEAST[1]), folder]
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        child = subprocess.Popen(  # noqa: S603 - this interpreter and a file of ours
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=kept | _ALONE,
            cwd="/",
        )
    except OSError as error:
        raise EnvironmentFault(f"a process for torch cannot be started ({error.strerror or error})") from error
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            with suppress(BrokenPipeError):  # what it did not read before it ended is lost, and said already
                cast(IO[bytes], stream).close()


def _exchange(child: subprocess.Popen[bytes], pickled: Pickled | None, where: str, seconds: float) -> dict[str, Any]:
    """Send a pickle, or nothing at first, and take the answer; the process is killed when it takes too long."""
    expired: list[bool] = []
    timer = Timer(seconds, lambda: (expired.append(True), child.kill()))
    timer.start()
    try:
        raw = _answer(child, pickled, where)
    except BrokenPipeError:  # it ended before it had read everything; why, its exit code says
        raw = b""
    finally:
        timer.cancel()
    if not raw:
        raise _ended(*_code(child, bool(expired)), pickled is None, where)
    answer = parse(raw, what="the answer of torch's process", where=where)
    return cast(dict[str, Any], answer) if isinstance(answer, dict) else {}


def _answer(child: subprocess.Popen[bytes], pickled: Pickled | None, where: str) -> bytes:
    """One exchange; empty when the process ended."""
    requests, answers = cast(IO[bytes], child.stdin), cast(IO[bytes], child.stdout)
    if pickled is not None:
        for piece in (json.dumps(pickled.storages).encode(), pickled.data):
            requests.write(len(piece).to_bytes(8, "little"))
            requests.write(piece)
        requests.flush()
    length = int.from_bytes(answers.read(8), "little")
    if length > ANSWER_CAP:
        raise CheckpointError(f"torch describes its tensors in {length} bytes", where=where)
    raw = answers.read(length)
    return raw if len(raw) == length else b""


def _code(child: subprocess.Popen[bytes], expired: bool) -> tuple[int, bool]:
    """The exit code of a process that answers no more, and whether it had to be stopped for taking too long."""
    try:
        return child.wait(ENDING), expired
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait(), True


def _ended(code: int, expired: bool, starting: bool, where: str) -> CheckpointError | EnvironmentFault:
    """Why a process ended without an answer."""
    if starting:
        late = f"took longer than {STARTING:g} s" if expired else f"ended with code {code}"
        return EnvironmentFault(f"the process that loads torch {late}", hint=INSTALL)
    if code == -signal.SIGXCPU or expired:
        return CheckpointError("torch takes longer for its pickle than for any table of tensors", where=where)
    if code == -signal.SIGKILL:
        return EnvironmentFault("the process that loads torch was killed", where=where, hint="free memory, run again")
    return CheckpointError(f"torch's weights-only loader broke off on it (code {code})", where=where)
