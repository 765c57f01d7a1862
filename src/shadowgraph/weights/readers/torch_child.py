"""The process in which torch looks at pickles: started by `torch_loader`, never imported by it.

Here live: its limits, what it may not do, and the answer it gives. Not here: files. It is handed the bytes of a pickle
and the names of the storages, builds an archive of its own around them whose storages are empty, and lets torch's
weights-only loader read that onto the device `meta`, which has no memory: what comes back are shapes, strides and names
of storages, no value. It opens nothing once torch is loaded: it has no file descriptors left to do so.

Exchange, all lengths 8 bytes, little-endian: first it answers that it is ready. Then, until its input ends, it reads
the length of a list of names of storages, the list as JSON, the length of a pickle, the pickle; and writes an answer,
its length and JSON.
"""

from __future__ import annotations

import gc
import io
import json
import os
import resource
import struct
import sys
import warnings
import zipfile
from collections.abc import Iterator
from pickle import UnpicklingError
from typing import Any, BinaryIO

MEMORY = 600_000_000  # bytes of private memory in all, torch's own included
LEAST_MEMORY = 256_000_000  # of these for reading, where torch alone has taken more
SECONDS = 10
NODES = 4_000_000
DEPTH = 64
ANSWER = 128_000_000
MEMBER = "a/data/"
FAULTS = (
    *(UnpicklingError, EOFError, MemoryError, RuntimeError, ValueError, TypeError, KeyError, AttributeError),
    *(IndexError, AssertionError, OverflowError, struct.error, OSError, NotImplementedError, ImportError),
)
BARRED = (
    *("socket.", "subprocess.", "os.", "shutil.", "ctypes.", "pty.", "urllib.", "mmap.", "open", "exec", "compile"),
    *("import", "marshal.", "pickle.", "code.", "cpython.run", "builtins.input", "webbrowser.", "glob.", "tempfile."),
)


def main(least: tuple[int, int], folder: str) -> None:
    """Load torch, shut all doors, answer until the input ends.

    Args:
        least: major and minor version that torch must have.
        folder: where torch is installed, searched last.
    """
    answers, requests = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    sys.path.append(folder)
    try:
        torch = _ready(least)
    except (ImportError, OSError, LookupError) as error:
        _send(answers, {"fault": f"{type(error).__name__}: {error}"[:500]})
        return
    _shut()
    _send(answers, {"ready": torch.__version__})
    while (asked := _receive(requests)) is not None:
        data = _receive(requests)
        _grant_seconds()
        try:
            answer = json.dumps(described(torch, data or b"", json.loads(asked))).encode()
        except FAULTS as error:
            said = str(error).rpartition("WeightsUnpickler error: ")[2].strip().partition("\n")[0]
            answer = json.dumps({"refused": f"{type(error).__name__}: {said}"[:500]}).encode()
        if len(answer) > ANSWER:
            answer = json.dumps({"refused": f"it describes its tensors in {len(answer)} bytes"}).encode()
        _put(answers, answer)
        gc.collect()


def _ready(least: tuple[int, int]) -> Any:
    """Torch, imported, new enough, and tried on a table of its own so that nothing is left to be loaded."""
    import torch

    parts = torch.__version__.split(".")
    if not all(part.isdecimal() for part in parts[:2]) or (int(parts[0]), int(parts[1])) < least:
        raise LookupError(f"torch {torch.__version__} is installed, {least[0]}.{least[1]} or later is needed")
    torch.set_num_threads(1)
    written = io.BytesIO()
    torch.save({"weight": torch.nn.Parameter(torch.zeros(2, 3).T), "n": torch.zeros(1).bfloat16()}, written)
    with zipfile.ZipFile(written) as archive:
        data = archive.read("archive/data.pkl")
    found = described(torch, data, ["0", "1"])
    if [each[-1] for each in found["tensors"]] != ["0", "1"]:
        raise LookupError(f"torch {torch.__version__} does not tell where a storage lies in a file")
    return torch


def _shut() -> None:
    """No file, process, thread, socket or module from here on, and no more memory than is granted."""
    taken = 0
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as stream:
            taken = int(stream.read().split()[5]) * resource.getpagesize()
    memory = max(MEMORY, taken + LEAST_MEMORY)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    sys.addaudithook(refuse)


def refuse(event: str, _: object) -> None:
    """Stop what the interpreter reports before it does it, by raising RuntimeError."""
    if event.startswith(BARRED):
        raise RuntimeError(f"the loader attempted {event}")


def _grant_seconds() -> None:
    """Processor time for one pickle, counted from here."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + SECONDS, hard))


def described(torch: Any, data: bytes, storages: list[str]) -> dict[str, Any]:
    """Read one pickle with torch's weights-only loader and describe the tensors in it.

    Args:
        torch: the module.
        data: the pickle.
        storages: names of the storages of its archive.

    Returns:
        `top`, the type of the whole; `tensors`, of each its path, type, shape, strides, first element, bytes of its
        storage and the storage's name.
    """
    skeleton = io.BytesIO()
    places: dict[int, str] = {}
    with zipfile.ZipFile(skeleton, "w") as archive:
        archive.writestr("a/data.pkl", data)
        archive.writestr("a/version", "3\n")
        archive.writestr("a/byteorder", "little")
        for key in storages:
            info = zipfile.ZipInfo(MEMBER + key)
            archive.writestr(info, b"")
            places[info.header_offset + 30 + len(info.filename.encode())] = key
    skeleton.seek(0)
    whole = torch.load(skeleton, map_location="meta", weights_only=True)
    found: list[list[Any]] = []
    for path, tensor in _tensors(whole, torch.Tensor):
        storage = tensor.untyped_storage()
        key = places[storage._checkpoint_offset]
        kind = str(tensor.dtype).removeprefix("torch.")
        shape, strides = list(tensor.shape), list(tensor.stride())
        found.append([path, kind, shape, strides, tensor.storage_offset(), storage.nbytes(), key])
    return {"top": type(whole).__name__, "tensors": found}


def _tensors(whole: Any, kind: type) -> Iterator[tuple[list[str | int | None], Any]]:
    """Every tensor in tables and lists with the keys that lead to it."""
    pending: list[Iterator[tuple[Any, Any]]] = [iter([(None, whole)])]
    path: list[str | int | None] = []
    open_now: list[int] = []
    nodes = 0
    while pending:
        step = next(pending[-1], None)
        if step is None:
            pending.pop()
            if path:
                path.pop()
                open_now.pop()
            continue
        key, value = step
        nodes += 1
        if nodes > NODES or len(pending) > DEPTH:
            raise ValueError(f"more than {NODES} values or nested deeper than {DEPTH}")
        named = key if type(key) in {str, int} else None
        if isinstance(value, kind):
            yield [*path, named][1:], value
        elif isinstance(value, dict | list | tuple):
            if id(value) in open_now:
                raise ValueError("a table that holds itself")
            path.append(named)
            open_now.append(id(value))
            pending.append(iter(value.items() if isinstance(value, dict) else enumerate(value)))


def _receive(stream: BinaryIO) -> bytes | None:
    """One piece of the input, None at its end."""
    length = stream.read(8)
    return stream.read(int.from_bytes(length, "little")) if len(length) == 8 else None


def _send(stream: BinaryIO, answer: dict[str, Any]) -> None:
    _put(stream, json.dumps(answer).encode())


def _put(stream: BinaryIO, answer: bytes) -> None:
    stream.write(len(answer).to_bytes(8, "little") + answer)
    stream.flush()


if __name__ == "__main__":
    main((int(sys.argv[1]), int(sys.argv[2])), sys.argv[3])
