"""Addresses of models on the hub: hf://organisation/name@revision/folder.

Here live: their parsing and their writing.
Not here: whether anything is there (see `client`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

from shadowgraph.errors import SpecError, printable

MAIN = "main"
COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
FORM = "write hf://organisation/name, hf://organisation/name@revision, or one of these with /folder or /file"
# A path object turns the two slashes into one, so both are an address. "./hf:" is no way out: it is the same path.
_SCHEME = re.compile(r"hf:/+")
_NAME = re.compile(r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?", re.ASCII)
_REVISION = re.compile(r"(?!.*(?:\.\.|//))[A-Za-z0-9_](?:[A-Za-z0-9._+/-]{0,198}[A-Za-z0-9_+-])?", re.ASCII)
_REFERENCE = re.compile(r"refs/(?:pr/[0-9]+|convert/[A-Za-z0-9_.-]+)(?=/|$)", re.ASCII)
_KINDS = frozenset({"datasets", "spaces", "kernels", "buckets"})


@dataclass(frozen=True, slots=True)
class Address:
    """A place on the hub.

    Attributes:
        repository: "organisation/name".
        revision: branch, tag, reference or commit.
        inside: a folder or a file of the repository, "" for all of it.
    """

    repository: str
    revision: str = MAIN
    inside: str = ""

    def __str__(self) -> str:
        """The address as it is typed."""
        special = _REFERENCE.fullmatch(self.revision)
        revision = self.revision if special else quote(self.revision, safe="+")
        return f"hf://{self.repository}@{revision}" + (f"/{self.inside}" if self.inside else "")

    def pinned(self, commit: str) -> Address:
        """The same place at one commit."""
        return replace(self, revision=commit)

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a whole commit id, which no push can change."""
        return COMMIT.fullmatch(self.revision) is not None


def is_address(path: Path | str) -> bool:
    """Whether this is meant as an address of the hub and not as a path on this machine."""
    return _SCHEME.match(str(path)) is not None


def parse(path: Path | str) -> Address:
    """Read an address.

    Args:
        path: text or a path that `is_address`.

    Raises:
        SpecError: not of the form hf://organisation/name@revision/folder, or no model.
    """
    text = str(path)
    body = _SCHEME.sub("", text, count=1)
    if body.startswith("models/") and body.count("/") >= 2:
        body = body.removeprefix("models/")
    organisation, _, rest = body.partition("/")
    if organisation in _KINDS:
        raise SpecError(f"an address of the hub's {organisation}, not of a model", where=text, hint=FORM)
    name, mark, rest = _split(rest)
    if not all(_NAME.fullmatch(part) for part in (organisation, name)):
        raise SpecError("not an address of a model on the hub", where=text, hint=FORM)
    if not mark:
        return Address(f"{organisation}/{name}", MAIN, _inside(rest, text))
    special = _REFERENCE.match(rest)
    revision = special[0] if special else rest.partition("/")[0]
    inside = rest[len(revision) :].removeprefix("/")
    revision = unquote(revision)
    if not _REVISION.fullmatch(revision):
        raise SpecError(
            f"'{printable(revision, 60)}' is no revision", where=text, hint="write a slash in a branch's name as %2F"
        )
    return Address(f"{organisation}/{name}", revision, _inside(inside, text))


def _split(rest: str) -> tuple[str, bool, str]:
    """Name, whether a revision follows, and what comes after."""
    head, _, tail = rest.partition("/")
    if "@" not in head:
        return head, False, tail
    name, _, revision = rest.partition("@")
    return name, True, revision


def _inside(text: str, where: str) -> str:
    """A folder or file of the repository; containment is checked where it is followed."""
    inside = text.rstrip("/")
    if any(part in ("", ".", "..") for part in inside.split("/")) and inside:
        raise SpecError("the folder in the address is no plain path", where=where, hint=FORM)
    return inside
