"""What a commit holds: its files with sizes and digests, as the hub tells them.

Here live: the list, which of its files may be mirrored, and its record on this machine.
Not here: requests (see `client`). Names are foreign text; none becomes a path before `folder.contained` saw it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from shadowgraph.artifact import read_object, write_json
from shadowgraph.errors import CheckpointError, DataError, printable
from shadowgraph.identity import fingerprint
from shadowgraph.weights.hub.address import COMMIT

FILES_CAP = 20_000
SIZE_CAP = 1 << 50
WEIGHTS = (
    ".safetensors",
    ".gguf",
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".onnx",
    ".onnx_data",
    ".onnx.data",
)
"""Endings of files that hold weights; what is beside them is fetched only when it is one of `SMALL`."""
SMALL = frozenset(
    {
        "config.json",
        "adapter_config.json",
        "quantize_config.json",
        "quantization_config.json",
        "quant_config.json",
        "hf_quant_config.json",
    }
)
INDEX = ".index.json"
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SHA1 = re.compile(r"[0-9a-f]{40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a commit.

    Attributes:
        name: its path in the repository, foreign text.
        size: bytes.
        sha256: digest of its bytes, "" for what lies in git itself.
        blob: git's id of it, "" where it is unknown: the digest of the bytes, or of a pointer where `sha256` is known.
    """

    name: str
    size: int
    sha256: str
    blob: str

    @property
    def tag(self) -> str:
        """What the hub names these bytes in the header ETag, "" where it did not tell."""
        return self.sha256 or self.blob

    @property
    def is_weights(self) -> bool:
        """Whether weights lie in it, by its name."""
        return is_weights(self.name)


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one commit that may be read here, in order of name, and how many others there are."""

    repository: str
    commit: str
    files: tuple[RemoteFile, ...]
    others: int


def is_weights(name: str) -> bool:
    """Whether a file holds weights, by its name."""
    return name.lower().endswith(WEIGHTS)


def is_wanted(name: str) -> bool:
    """Whether a file may be mirrored: weights, a configuration, an index."""
    return is_weights(name) or name.endswith(INDEX) or name.rpartition("/")[2] in SMALL


def listed(repository: str, commit: object, files: Iterable[tuple[object, object, object, object]]) -> Listing:
    """Check what the hub says of a commit.

    Args:
        repository: "organisation/name".
        commit: the commit's id.
        files: name, size, SHA-256 or None, git's id or None, of every file.

    Raises:
        CheckpointError: an answer that cannot be of a commit.
    """
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise _unfit("the hub gives no commit", repository)
    found: dict[str, RemoteFile] = {}
    others = 0
    for name, size, sha256, blob in files:
        if not isinstance(name, str):
            raise _unfit("the hub lists a file without a name", repository)
        if not is_wanted(name):
            others += 1
            continue
        if type(size) is not int or not 0 <= size <= SIZE_CAP:
            raise _unfit(f"the hub gives no size of '{printable(name, 80)}'", repository)
        if name in found:
            raise _unfit(f"the hub lists '{printable(name, 80)}' twice", repository)
        found[name] = RemoteFile(name, size, _digest(sha256, _SHA256), _digest(blob, _SHA1))
        if len(found) > FILES_CAP:
            raise _unfit(f"more than {FILES_CAP:,} files of weights and their configuration", repository)
    return Listing(repository, commit, tuple(found[name] for name in sorted(found)), others)


def _digest(value: object, form: re.Pattern[str]) -> str:
    return value if isinstance(value, str) and form.fullmatch(value) else ""


def _unfit(found: str, repository: str) -> CheckpointError:
    return CheckpointError(found, where=f"hf://{repository}", hint="check HF_ENDPOINT, or try again later")


def write_listing(path: Path, listing: Listing) -> None:
    """Keep a list; a commit never changes, so it serves as long as it lies there."""
    body = {
        "repository": listing.repository,
        "commit": listing.commit,
        "files": [[file.name, file.size, file.sha256, file.blob] for file in listing.files],
        "others": listing.others,
    }
    write_json(path, {"digest": fingerprint(body), "body": body})


def read_listing(path: Path) -> Listing | None:
    """A list that was kept, None where there is none or it is damaged."""
    try:
        stored = read_object(path)
    except (DataError, OSError):
        return None
    body: Any = stored.get("body")
    if not isinstance(body, dict) or stored.get("digest") != fingerprint(body):
        return None
    content = cast(dict[str, Any], body)
    files = tuple(RemoteFile(*file) for file in content["files"])
    return Listing(content["repository"], content["commit"], files, content["others"])
