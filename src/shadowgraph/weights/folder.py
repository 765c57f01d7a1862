"""Names in a checkpoint's folder: which may be followed, and what the machine says when they are.

Here live: containment of foreign file names, the bounded listing, and looks at paths that fail as our own errors.
Not here: which files make a checkpoint (see `directory`). No file is opened.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.readers.span import fault

LISTING_CAP = 200_000


def contained(root: Path, name: str, base: Path | None = None) -> Path:
    """Check that a file name from a checkpoint stays in its folder, without opening the file.

    A symbolic link may lead out only from `models--*/snapshots/<revision>` into its own `blobs` or those beside
    `models--*`, as in the hub's cache.

    Args:
        root: the folder.
        name: the file name, foreign text.
        base: the folder resolved, from a caller with many names.

    Returns:
        The file's path below `root`, links not followed.

    Raises:
        EnvironmentFault: the machine may not look at it.
        CheckpointError: absolute, climbing, a drive, a share, an address, a NUL, or a link that leaves the folder.
    """
    shown = printable(name)
    pure = PurePosixPath(name)
    unsafe = (
        not name
        or pure.is_absolute()
        or ".." in pure.parts
        or "\\" in name
        or ":" in name
        or any(ord(character) < 32 for character in name)
    )
    if unsafe:
        raise CheckpointError(
            f"the file name '{shown}' leads out of the folder or is no plain file name", where=str(root)
        )
    try:
        base = base or root.resolve(strict=True)
        target = base / name
        if len(pure.parts) > 1 or target.is_symlink():
            target = target.resolve()
    except PermissionError as error:
        raise fault(error, root) from error
    except OSError as error:
        raise CheckpointError(
            f"the file name '{shown}' cannot be followed ({error.strerror})", where=str(root)
        ) from error
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"the file name '{shown}' cannot be followed ({error})", where=str(root)) from error
    allowed = [base]
    if base.parent.name == "snapshots" and base.parent.parent.name.startswith("models--"):
        # Its own blobs, and those that the hub's library shares between the models of a cache.
        allowed += [base.parent.parent / "blobs", base.parent.parent.parent / "blobs"]
    if not any(target.is_relative_to(folder) for folder in allowed):
        raise CheckpointError(f"the link '{shown}' leads out of the folder", where=str(root))
    return root / name


def listing(root: Path) -> set[str]:
    """Names in one folder, not below it.

    Raises:
        CheckpointError: more than `LISTING_CAP` names, or no such folder.
        EnvironmentFault: the machine cannot read it.
    """
    names: set[str] = set()
    try:
        with os.scandir(root) as entries:
            for entry in entries:
                names.add(entry.name)
                if len(names) > LISTING_CAP:
                    raise CheckpointError(f"more than {LISTING_CAP} files in one folder", where=str(root))
    except OSError as error:
        raise fault(error, root) from error
    return names


def is_folder(path: Path) -> bool:
    """Whether a folder is there.

    Raises:
        EnvironmentFault: the machine may not look at it.
    """
    try:
        return path.is_dir()
    except OSError as error:
        raise fault(error, path) from error


def is_there(file: Path, name: str) -> bool:
    """Whether a shard is there.

    Raises:
        CheckpointError: a name that no file can have, which is the index's fault.
        EnvironmentFault: the machine may not look at it.
    """
    try:
        return file.exists()
    except PermissionError as error:
        raise fault(error, file) from error
    except OSError as error:
        shown = printable(name, 80)
        raise CheckpointError(
            f"the file name '{shown}' cannot be followed ({error.strerror})", where=str(file.parent)
        ) from error


def some(names: list[str]) -> str:
    """The first five names, escaped, and how many there are."""
    shown = ", ".join(printable(name, 80) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown}, … ({len(names)} in all)"
