"""Files that are either whole or absent, folders that belong to one plan, and a ledger that only grows.

Here live: atomic writes, taking and clearing an output folder, the append-only ledger.
Not here: what the files mean; a room decides that.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from shadowgraph.errors import DataError, EnvironmentFault, SpecError
from shadowgraph.identity import Json, plain


@contextmanager
def whole(path: Path) -> Generator[Path]:
    """Yield a temporary path beside `path`; on success it is synced and renamed into place.

    Raises:
        EnvironmentFault: when the disk refuses the write.
    """
    # One name a target: what a killed writer left is overwritten by the next, never piled up.
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise EnvironmentFault(
            f"the file could not be written ({error.strerror or error})",
            where=str(path),
            hint="check free space and permissions, then run the same command again",
        ) from error
    finally:
        with suppress(OSError):  # a folder that cannot be entered holds no rest; the fault above says more
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes atomically: the old file or the new one, never a part."""
    with whole(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented, key-sorted JSON with a final newline; NaN is refused."""
    text = json.dumps(plain(value), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, text.encode() + b"\n")


def read_json(path: Path) -> Json:
    """Read a JSON file of ours.

    Raises:
        DataError: when the file is absent or is no JSON; names the file and the line.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError("no such file", where=str(path)) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"not JSON ({error})", where=str(path), hint="restore the file or delete it") from error


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file of ours that holds one object.

    Raises:
        DataError: as `read_json`, and when the file holds anything else.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise DataError(f"holds a {type(value).__name__}, not an object", where=str(path), hint="restore the file")
    return dict(value)


@contextmanager
def exclusive(path: Path) -> Generator[None]:
    """Hold the lock file at `path` while the block runs; the lock dies with its process, however that ends.

    Raises:
        EnvironmentFault: another process holds it.
    """
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EnvironmentFault(
                "another process is at work in this folder", where=str(path.parent), hint="wait for it, or end it"
            ) from error
        yield


def refuse_file(root: Path | None) -> None:
    """Refuse an output folder, where one is given, that is a file.

    Raises:
        SpecError: it exists and is no folder.
    """
    if root is not None and root.exists() and not root.is_dir():
        raise SpecError("is a file, not a folder", where=str(root), hint="choose another --output")


def clear(root: Path, own: Collection[str]) -> None:
    """Delete the files and folders of these names in a folder, and nothing else that lies there."""
    for name in own:
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def claim(
    root: Path, plan: Mapping[str, Any], own: Collection[str], *, key: str, kind: str, overwrite: bool = False
) -> None:
    """Make a folder the folder of one plan, written as `plan.json`, or find that it is already.

    Args:
        root: the folder; made when it is absent.
        plan: the frozen plan, plain values.
        own: every name that work of this kind leaves in the folder, "plan.json" and ".lock" among them.
        key: under which the plan holds its identity.
        kind: what the work is called, for messages.
        overwrite: delete what another plan left there; files of other names stay.

    Raises:
        SpecError: it is a file, holds another plan, or holds files and no plan of ours.
        EnvironmentFault: what is to be deleted is being worked on.
    """
    refuse_file(root)
    path = root / "plan.json"
    if path.exists():
        held = read_object(path).get(key)
        if held == plan[key]:
            return
        if not overwrite:
            raise SpecError(
                f"the folder belongs to the plan {held}, and this is the plan {plan[key]}",
                where=str(root),
                hint=f"it holds another {kind}: choose another --output, or pass --overwrite to delete that one",
            )
        with exclusive(root / ".lock"):
            clear(root, own)
    elif root.exists() and any(item.name != ".lock" for item in root.iterdir()):
        raise SpecError(f"the folder is not empty and holds no {kind}", where=str(root), hint="choose another --output")
    write_json(path, plan)


class Ledger:
    """An append-only file of JSON lines; a torn last line, left by a kill, is ignored and overwritten."""

    def __init__(self, path: Path) -> None:
        """Open the ledger at `path`; the file is made at the first `append`."""
        self.path = path

    def rows(self) -> list[dict[str, Json]]:
        """All whole rows, oldest first.

        Raises:
            DataError: a whole row that is no JSON; names the file and the row.
        """
        if not self.path.exists():
            return []
        data = self.path.read_bytes()
        lines = data[: data.rfind(b"\n") + 1].splitlines()
        rows: list[dict[str, Json]] = []
        for number, line in enumerate(lines, 1):
            try:
                rows.append(json.loads(line))
            except (json.JSONDecodeError, UnicodeDecodeError) as error:
                raise DataError(
                    f"not JSON ({error})", where=f"{self.path} row {number}", hint="restore the file or delete it"
                ) from error
        return rows

    def append(self, row: dict[str, Any]) -> None:
        """Add one row and sync it to disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(plain(row), sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        with self.path.open("ab+") as stream:
            stream.seek(0)
            data = stream.read()
            if data and not data.endswith(b"\n"):
                stream.truncate(data.rfind(b"\n") + 1)
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
