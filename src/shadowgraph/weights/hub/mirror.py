"""The mirror: files of full size that hold only what was read so far.

Here live: one mirrored file with the record of its ranges, and the lock that two processes share.
Not here: requests (see `client`), which files there are (see `listing`).

A record is written after the bytes it speaks of, whole or not at all: what a killed process fetched and did not record
is fetched again. Bytes that only the system holds yet count until it starts anew: a loss of power cannot leave a record
of bytes that never reached the disk. A file of which everything is here is checked against the hub's digest.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from shadowgraph.artifact import read_object
from shadowgraph.errors import CheckpointError, DataError, EnvironmentFault
from shadowgraph.identity import Json, canonical_bytes, fingerprint
from shadowgraph.weights.hub.listing import RemoteFile
from shadowgraph.weights.hub.ranges import Range, Ranges, sound

BLOCK = 1 << 16  # bytes: what is fetched begins and ends on multiples of it
WHOLE = 1 << 20  # bytes of a file that is fetched in one request and checked at once
SEGMENT = 32 << 20  # bytes of a request, and of what a kill can lose
AHEAD = 8  # of a run that is read in order, an eighth is fetched in advance: fewer requests, little in vain
SYNCED = 256 << 20  # bytes that a loss of power may cost
PATIENCE = 900.0  # seconds for which another process may hold a file
_DIGEST_PIECE = 1 << 22
_NO_FILE = frozenset({errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EFBIG, errno.EINVAL})

Fetch = Callable[[RemoteFile, int, int, Callable[[bytes], None]], None]  # file, first, last + 1, who takes the bytes
State = tuple[int, int, int]  # of a record: inode, bytes, time


@dataclass(slots=True)
class MirroredFile:
    """A file of a commit on this machine, as far as it was read.

    Attributes:
        file: what it is on the hub.
        path: where it lies.
        record: where its ranges are written down.
        fetch: brings bytes of it.
        where: its address, for messages.
    """

    file: RemoteFile
    path: Path
    record: Path
    fetch: Fetch
    where: str
    _held: Ranges = field(default_factory=Ranges, init=False, repr=False)
    _safe: Ranges = field(default_factory=Ranges, init=False, repr=False)
    _checked: bool = field(default=False, init=False, repr=False)
    _state: State | None = field(default=None, init=False, repr=False)
    _run: Range = field(default=(0, 0), init=False, repr=False)

    def make(self) -> None:
        """Make the file, of full size and empty; one of another size is made anew.

        Raises:
            CheckpointError: a name that no file can have.
            EnvironmentFault: the disk refuses.
        """
        with _disk(self.path, self.where):
            if self.path.is_file() and not self.path.is_symlink() and self.path.stat().st_size == self.file.size:
                return
            self.record.unlink(missing_ok=True)  # first: a record without its file would vouch for zeros
            self.path.unlink(missing_ok=True)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try:
                os.ftruncate(descriptor, self.file.size)
            finally:
                os.close(descriptor)

    def fill(self, first: int, last: int) -> None:
        """Bring the bytes from `first` up to `last` − 1 that are not here, and what follows of a run in order.

        Raises:
            CheckpointError: the hub's file is not what its list says.
            EnvironmentFault: no network, no access, no room, or another process holds the file.
        """
        last = min(last, self.file.size)
        begin = self._run[0] if self._run[0] <= first <= self._run[1] else first
        self._run = (begin, max(last, self._run[1]) if begin == self._run[0] else last)
        if self._is_here(first, last):
            return
        with locked(self.record.with_suffix(".lock")):
            self._read_record()
            if not self._held.holds(first, last):
                for gap in list(self._held.missing(*self._window(first, last))):
                    for start in range(*gap, SEGMENT):
                        self._bring(start, min(start + SEGMENT, gap[1]))
            self._check()

    def _is_here(self, first: int, last: int) -> bool:
        """Whether these bytes are here and the record is the one this process knows."""
        complete = self._held.total == self.file.size
        return self._held.holds(first, last) and (self._checked or not complete) and self._state == self._seen()

    def _window(self, first: int, last: int) -> Range:
        """What is worth fetching where these bytes are missing: whole blocks, and more the longer the run."""
        size = self.file.size
        if size <= WHOLE or self.file.name.endswith(".json"):
            return 0, size
        ahead = last + min((last - self._run[0]) // AHEAD, SEGMENT)
        return first // BLOCK * BLOCK, min(-(-ahead // BLOCK) * BLOCK, size)

    def _bring(self, first: int, last: int) -> None:
        """Fetch one range into the file and write down how far it came, also where it was cut."""
        position = first
        with _disk(self.path), _writing(self.path) as descriptor:

            def take(piece: bytes) -> None:
                nonlocal position
                done = 0
                while done < len(piece):
                    done += os.pwrite(descriptor, piece[done:], position + done)
                position += done

            try:
                self.fetch(self.file, first, last, take)
            finally:
                self._held = self._held.with_range(first, position)
                lost = self._held.total - self._safe.total
                if lost > SYNCED or self._held.total == self.file.size or not boot():
                    os.fdatasync(descriptor)
                    self._safe = self._held
                self._write_record()

    def _check(self) -> None:
        """Compare a file that is here whole with the hub's digest; one that differs is removed."""
        if self._checked or self._held.total < self.file.size:
            return
        if self.file.tag and digest(self.path, self.file) != self.file.tag:
            with _disk(self.path):
                self.record.unlink(missing_ok=True)
                self.path.unlink(missing_ok=True)
            self._held, self._state = Ranges(), None
            raise CheckpointError(
                "what was fetched is not what the hub's digest names; it was removed",
                where=self.where,
                hint="run again; a proxy that alters files would do the same",
            )
        self._checked = True
        self._write_record()

    def _write_record(self) -> None:
        body: dict[str, Json] = {
            "size": self.file.size,
            "tag": self.file.tag,
            "ranges": [list(part) for part in self._held.parts],
            "synced": [list(part) for part in self._safe.parts],
            "boot": boot(),
            "checked": self._checked,
        }
        temporary = self.record.with_suffix(".tmp")
        with _disk(self.record):
            temporary.write_bytes(canonical_bytes({"digest": fingerprint(body), "body": body}))
            temporary.replace(self.record)
        self._state = self._seen()

    def _read_record(self) -> None:
        """Take over what any process wrote down; a record that is damaged or of another file counts as none."""
        self._held, self._safe, self._checked, self._state = Ranges(), Ranges(), False, self._seen()
        try:
            stored = read_object(self.record)
        except (DataError, OSError):
            return
        body: Any = stored.get("body")
        if not isinstance(body, dict) or stored.get("digest") != fingerprint(body):
            return
        content = cast(dict[str, Any], body)
        if (content.get("size"), content.get("tag")) != (self.file.size, self.file.tag):
            return
        safe, held = sound(content.get("synced"), self.file.size), sound(content.get("ranges"), self.file.size)
        self._safe = safe or Ranges()
        self._held = held if held is not None and content.get("boot") == boot() != "" else self._safe
        self._checked = content.get("checked") is True and self._held.total == self.file.size

    def _seen(self) -> State | None:
        """Which record lies there now."""
        try:
            status = os.stat(self.record)
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=1)
def boot() -> str:
    """The name of this run of the system, "" where it has none: what was written since then is not lost."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def digest(path: Path, file: RemoteFile) -> str:
    """Digest of a file here in the form in which the hub gives its own: SHA-256, or git's id of its bytes.

    Raises:
        EnvironmentFault: the device refuses.
    """
    found = hashlib.sha256() if file.sha256 else hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    with _disk(path), path.open("rb") as stream:
        while piece := stream.read(_DIGEST_PIECE):
            found.update(piece)
    return found.hexdigest()


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold a lock file while the block runs, after any other process that holds it; it dies with its process.

    Raises:
        EnvironmentFault: another process holds it for very long, or the disk refuses.
    """
    import fcntl

    with _disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("ab")
    with stream:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise EnvironmentFault(
                        "another process fetches the same file and does not end", where=str(path), hint="end it"
                    ) from error
                time.sleep(0.05)
        yield


@contextmanager
def _writing(path: Path) -> Generator[int]:
    """A descriptor to write into a file of the mirror that is there; no link is followed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _disk(path: Path, listed: str = "") -> Generator[None]:
    """Turn what the disk refuses into our fault; a file of the list that cannot be made is the list's."""
    try:
        yield
    except OSError as error:
        if listed and error.errno in _NO_FILE:
            raise CheckpointError(
                f"the hub lists a file that cannot be kept here ({error.strerror})", where=listed
            ) from error
        raise EnvironmentFault(
            f"the cache cannot be written ({error.strerror or error})",
            where=str(path),
            hint="free space, or set SHADOWGRAPH_CACHE to a folder with room",
        ) from error
