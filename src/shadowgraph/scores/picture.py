"""Pictures beside a suite.

Here live: writing pictures under the digest of their bytes, and opening one without trusting it.
Not here: drawing (`worlds.drawn`), models that look at pictures (`vision`).

A row names its picture by a path relative to the suite's folder. A picture is PNG or JPEG; its size is read and judged
before a single pixel is unpacked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from shadowgraph.artifact import write_bytes
from shadowgraph.errors import DataError, printable, require
from shadowgraph.identity import file_digest

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER = "pictures"
FORMATS = ("PNG", "JPEG")
MOST_PIXELS = 16 * 1024 * 1024
MOST_BYTES = 64 * 1024 * 1024


def picture_name(data: bytes) -> str:
    """The path of a picture in a suite's folder: equal bytes, equal name."""
    return f"{FOLDER}/{hashlib.sha256(data).hexdigest()[:24]}.png"


def picture_fault(name: Any) -> str | None:
    """What is wrong with the path of a picture in a row; None when it stays inside its folder."""
    if not isinstance(name, str) or not name:
        return f"{printable(repr(name))} is no path of a picture"
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
        return f"{printable(name)!r} leaves the suite's folder"
    return None


def write_pictures(pictures: Mapping[str, bytes], folder: Path) -> dict[str, str]:
    """Write pictures under a suite's folder.

    Args:
        pictures: bytes of each by its relative path.
        folder: of the suite.

    Returns:
        The SHA-256 of every picture by its path, in the order of the paths.

    Raises:
        DataError: when a path leaves the folder.
    """
    for name in pictures:
        if fault := picture_fault(name):
            raise DataError(fault, where=str(folder))
    for name, data in pictures.items():
        write_bytes(folder / name, data)
    return {name: hashlib.sha256(pictures[name]).hexdigest() for name in sorted(pictures)}


def check_pictures(digests: Mapping[str, str], folder: Path) -> None:
    """Prove that a suite's pictures are those that were written.

    Raises:
        DataError: when one is missing, changed or outside the folder.
    """
    for name, digest in digests.items():
        path = _inside(folder, name)
        if not path.is_file() or file_digest(path) != digest:
            raise DataError("was changed since the suite was written, or is missing", where=str(path))


def read_picture(folder: Path, name: str) -> Image:
    """Open a picture of a suite as RGB.

    Args:
        folder: of the suite.
        name: path relative to it.

    Raises:
        DataError: when the path leaves the folder (also by a link), when the file is missing, larger than MOST_BYTES
            or MOST_PIXELS, broken, or neither PNG nor JPEG.
        EnvironmentFault: when Pillow is missing.
    """
    require("PIL", "worlds")
    import PIL.Image

    path = _inside(folder, name)
    if not path.is_file():
        raise DataError("no such picture", where=str(path))
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"more than {MOST_BYTES} bytes", where=str(path), hint="give a smaller picture")
    try:
        with _opened(path) as held:
            held.verify()
        with _opened(path) as held:
            return held.convert("RGB")
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        found = printable(str(error)) or type(error).__name__
        raise DataError(f"no picture ({found})", where=str(path), hint="give a whole PNG or JPEG") from error


def _inside(folder: Path, name: str) -> Path:
    """The file a path names, links followed."""
    fault = picture_fault(name)
    root, path = folder.resolve(), (folder / name).resolve() if fault is None else folder
    if fault is None and not path.is_relative_to(root):
        fault = f"{printable(name)!r} leaves the suite's folder by a link"
    if fault is not None:
        raise DataError(fault, where=str(folder))
    return path


def _opened(path: Path) -> Image:
    """A picture whose header was read and judged; its pixels are still packed."""
    import warnings

    import PIL.Image

    with warnings.catch_warnings():  # Pillow warns of sizes that are judged below
        warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
        held = PIL.Image.open(path, formats=FORMATS)
    if held.width * held.height > MOST_PIXELS:
        held.close()
        raise DataError(
            f"{held.width} × {held.height} pixels, at most {MOST_PIXELS} are opened",
            where=str(path),
            hint="give a smaller picture",
        )
    return held
