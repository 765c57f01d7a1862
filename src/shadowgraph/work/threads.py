"""One thread of linear algebra: the same bits for every number of cores, and no waiting for busy ones.

Here lives: holding the OpenBLAS libraries of this process to one thread for a while.
Not here: worker processes, which are started with one thread each (see `executor`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

_MAPS = Path("/proc/self/maps")
_NAMES = tuple(f"{front}openblas_{{}}_num_threads{back}" for front in ("scipy_", "") for back in ("64_", ""))


@contextmanager
def one_thread() -> Generator[None]:
    """Hold every OpenBLAS loaded so far to one thread while the block runs, then give back what was.

    Sums split over threads are rounded in another order, so results would differ in their last bits between machines
    and between a scan in one process and in several. Where no OpenBLAS is found (another system, another library)
    nothing happens, and bits are the same for equal numbers of threads only.
    """
    held = [(put, take()) for take, put in _controls()]
    for put, _ in held:
        put(1)
    try:
        yield
    finally:
        for put, before in held:
            put(before)


def _controls() -> list[tuple[Callable[[], int], Callable[[int], object]]]:
    """How to ask for and set the number of threads of each OpenBLAS in this process."""
    try:
        lines = _MAPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    paths = {line.split(maxsplit=5)[-1] for line in lines if "openblas" in line and "/" in line}
    found: list[tuple[Callable[[], int], Callable[[int], object]]] = []
    for path in sorted(paths):
        try:
            library = ctypes.CDLL(path)
        except OSError:  # deleted or replaced since it was loaded
            continue
        for name in _NAMES:
            if hasattr(library, name.format("set")):
                found.append((getattr(library, name.format("get")), getattr(library, name.format("set"))))
                break
    return found
