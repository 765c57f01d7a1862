"""Spans of a regular file, read by position.

Here live: opening without hanging, the stamp of a file, exact reads at an offset, and the files that fill as they are
read. Not here: what the bytes mean, where missing ones come from (see `hub`). Nothing is ever mapped into memory: a
file cut under a map kills the process.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError, EnvironmentFault
from shadowgraph.weights.tensor import Stamp

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISSOCK, "a socket"),
)
_RETRIES = 3
MARK = ".shadowgraph-mirror"
"""A file of this name says that what lies beside it is only here in parts."""
_UNCHANGING = 0  # the time of a file that fills: what it stands for does not change when its bytes come


class Supply(Protocol):
    """What brings the bytes of a file that lies here only in parts."""

    def fill(self, first: int, last: int, /) -> None:
        """Write the bytes from `first` up to `last` − 1 into the file, where they are not there yet.

        Raises:
            CheckpointError: they are not what they should be.
            EnvironmentFault: they cannot be brought.
        """
        ...


_SUPPLIES: dict[Path, Supply] = {}


def supply(path: Path, source: Supply) -> None:
    """Let a file be filled from a source where it is read, in this process."""
    _SUPPLIES[path] = source


def _stamp(path: Path, status: os.stat_result) -> Stamp:
    for test, kind in _KINDS:
        if test(status.st_mode):
            raise CheckpointError(f"not a regular file but {kind}", where=str(path))
    modified = _UNCHANGING if path in _SUPPLIES else status.st_mtime_ns
    return Stamp(path, status.st_dev, status.st_ino, status.st_size, modified)


def _require_whole(path: Path, status: os.stat_result) -> None:
    """Refuse a file of a mirror that is opened by its path: the parts that were not fetched would be read as zeros."""
    if path in _SUPPLIES:
        return
    holes = status.st_blocks * 512 < status.st_size  # then it may be such a file under another name
    beside = os.path.dirname(os.path.realpath(path) if holes else path)
    if os.path.lexists(os.path.join(beside, MARK)):
        raise CheckpointError(
            "the file is kept only in parts, as far as it was read from the hub",
            where=str(path),
            hint="give the address that begins with hf://",
        )


def fault(error: OSError, path: Path) -> CheckpointError | EnvironmentFault:
    """Turn an operating-system error about an input into ours: absent is the input's fault, the rest the machine's."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return CheckpointError("no such file", where=str(path), hint="check the path")
    if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
        return CheckpointError(f"the path cannot be followed ({error.strerror})", where=str(path))
    if error.errno in (errno.EACCES, errno.EPERM):
        return EnvironmentFault("permission denied", where=str(path), hint="make the file readable and run again")
    return EnvironmentFault(f"the file cannot be read ({error.strerror or error})", where=str(path))


@contextmanager
def opened(path: Path, stamp: Stamp | None = None) -> Generator[tuple[int, Stamp]]:
    """Open a regular file for positional reads.

    Args:
        path: the file.
        stamp: what the file was when first seen; a difference now is an error.

    Yields:
        The descriptor and the stamp.

    Raises:
        CheckpointError: not a regular file, absent, here only in parts, or changed since `stamp` was taken.
        EnvironmentFault: no permission, or the machine cannot read it.
    """
    try:
        seen = _stamp(path, os.stat(path))
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise fault(error, path) from error
    except ValueError as error:
        raise CheckpointError("the path holds a NUL character", where=str(path)) from error
    try:
        status = os.fstat(descriptor)
        seen = _stamp(path, status)
        _require_whole(path, status)
        require_unchanged(seen, stamp)
        yield descriptor, seen
    finally:
        os.close(descriptor)


def require_unchanged(seen: Stamp, expected: Stamp | None) -> None:
    """Raise CheckpointError when a file is no longer the one whose header was read."""
    if expected is not None and seen != expected:
        raise CheckpointError(
            "the file changed while reading",
            where=str(seen.path),
            hint="wait until nothing writes to it, then run the same command again",
        )


def read_span(descriptor: int, stamp: Stamp, offset: int, size: int) -> NDArray[np.uint8]:
    """Read exactly `size` bytes at `offset` into a new buffer.

    Args:
        descriptor: an open file.
        stamp: its stamp, for messages.
        offset: first byte.
        size: number of bytes.

    Returns:
        The bytes (size,).

    Raises:
        CheckpointError: the file ends early.
        EnvironmentFault: the device refuses.
    """
    buffer = np.empty(size, dtype=np.uint8)
    read_into(descriptor, stamp, offset, buffer)
    return buffer


def read_into(descriptor: int, stamp: Stamp, offset: int, buffer: NDArray[np.uint8]) -> None:
    """Fill a buffer from `offset` with `preadv`.

    Short reads continue; an input/output error is tried three times. What a mirror lacks is fetched first.

    Args:
        descriptor: an open file.
        stamp: its stamp, for messages.
        offset: first byte.
        buffer: contiguous bytes to fill.

    Raises:
        CheckpointError: the file ends early, or the hub's is no longer the same.
        EnvironmentFault: the device refuses, or the hub cannot be reached.
    """
    view, size = buffer.data, buffer.size
    source = _SUPPLIES.get(stamp.path)
    if source is not None:
        source.fill(offset, offset + size)
    done = failures = 0
    while done < size:
        try:
            count = os.preadv(descriptor, [view[done:]], offset + done)
        except OSError as error:
            failures += 1
            if failures >= _RETRIES:
                raise EnvironmentFault(
                    f"reading failed at byte {offset + done} ({error.strerror or error})", where=str(stamp.path)
                ) from error
            continue
        if count == 0:
            raise CheckpointError(
                f"the file ends at byte {offset + done}, {size - done} bytes early: it was cut while reading",
                where=str(stamp.path),
            )
        done += count


def read_all(path: Path, limit: int) -> bytes:
    """Read a whole small file.

    Raises:
        CheckpointError: larger than `limit` bytes, or any fault of `opened`.
    """
    with opened(path) as (descriptor, stamp):
        if stamp.size > limit:
            raise CheckpointError(f"{stamp.size} bytes, more than the limit of {limit}", where=str(path))
        return read_span(descriptor, stamp, 0, stamp.size).tobytes()


def current_stamp(descriptor: int, path: Path) -> Stamp:
    """The stamp of an open file now."""
    return _stamp(path, os.fstat(descriptor))
