"""The client: what the hub says of a commit, and ranges of its files.

Here live: the two questions, and the check of every answer against the list.
Not here: connections (see `session`), what is kept on this machine (see `mirror`).
Protocol: https://huggingface.co/docs/huggingface_hub/package_reference/file_download
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shadowgraph.errors import CheckpointError, EnvironmentFault, printable
from shadowgraph.weights.hub.faults import Patience
from shadowgraph.weights.hub.listing import Listing, RemoteFile, listed
from shadowgraph.weights.hub.ranges import Range
from shadowgraph.weights.hub.session import answered, endpoint, persistent
from shadowgraph.weights.readers.strict_json import parse

if TYPE_CHECKING:
    import httpx2

INFO_CAP = 64 << 20  # bytes of what the hub says of a commit
SKIPPED = 16 << 20  # a server without ranges may send a file up to this size again for its rest
_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})", re.ASCII)


@dataclass(slots=True)
class Traffic:
    """Bytes of files that this process took from the hub."""

    fetched: int = 0


TRAFFIC = Traffic()


@dataclass(slots=True)
class Client:
    """One repository on the hub.

    Attributes:
        repository: "organisation/name".
    """

    repository: str
    _places: dict[str, str] = field(default_factory=dict[str, str], init=False, repr=False)

    def listing(self, revision: str) -> Listing:
        """What a revision holds.

        Raises:
            CheckpointError: no such repository or revision, or an answer that cannot be of a commit.
            EnvironmentFault: no network, no access, or what answers is not the hub.
        """
        where = f"hf://{self.repository}@{revision}"
        url = f"{endpoint()}/api/models/{self.repository}/revision/{quote(revision, safe='')}?blobs=true"
        body = bytearray()

        def act(_: Patience) -> bool:
            body.clear()
            with ExitStack() as stack:
                response = answered(stack, url, {}, where, lambda _: None)[0]
                for piece in response.iter_raw():
                    body.extend(piece)
                    if len(body) > INFO_CAP:
                        raise _stranger(where)
            return True

        persistent(act, where, self.repository)
        try:
            info = parse(bytes(body), what="the answer", where=where)
            siblings = info["siblings"]
            files = [(each["rfilename"], each.get("size"), _sha256(each), each.get("blobId")) for each in siblings]
            commit = info["sha"]
        except (CheckpointError, KeyError, TypeError, AttributeError) as error:
            raise _stranger(where) from error
        return listed(self.repository, commit, files)

    def fetch(self, commit: str, file: RemoteFile, first: int, last: int, take: Callable[[bytes], None]) -> None:
        """Fetch the bytes of a file from `first` up to `last` − 1; what is cut is asked for again from there.

        Args:
            commit: id of the commit.
            file: the file, of the commit's list.
            first: first byte.
            last: last byte + 1.
            take: given the bytes in pieces, in order.

        Raises:
            CheckpointError: the file is no longer what the list says.
            EnvironmentFault: no network, no access, or a server that cannot send ranges.
        """
        position = first
        where = f"hf://{self.repository}@{commit}/{file.name}"

        def act(patience: Patience) -> bool:
            nonlocal position
            with ExitStack() as stack:
                response, place = self._answer(stack, commit, file, (position, last), where)
                for piece in _body(response, file, (position, last), where):
                    take(piece)
                    position += len(piece)
                    patience.goes_on(len(piece))
                    TRAFFIC.fetched += len(piece)
            if position >= last:
                self._places[file.name] = place
            return position >= last

        persistent(act, where, self.repository)

    def _answer(
        self, stack: ExitStack, commit: str, file: RemoteFile, span: Range, where: str
    ) -> tuple[httpx2.Response, str]:
        """The answer that holds some bytes of a file, and the address that gave it.

        That of the storage behind the hub is used again until it fails: it was named by an answer that was checked.
        """
        from huggingface_hub import hf_hub_url

        home = hf_hub_url(self.repository, file.name, revision=commit, endpoint=endpoint())
        url = self._places.pop(file.name, home)
        proofs = [url != home]

        def seen(response: httpx2.Response) -> None:
            proofs.append(_said_of(response.headers, commit, file, where))

        first, last = span
        sent = {} if span == (0, file.size) else {"range": f"bytes={first}-{last - 1}"}
        response, place = answered(stack, url, sent, where, seen)
        if not any(proofs):
            raise _stranger(where)
        return response, place


def _sha256(sibling: dict[str, Any]) -> object:
    """The digest of a file that git keeps outside itself."""
    stored = sibling.get("lfs")
    return stored.get("sha256") if isinstance(stored, dict) else None


def _said_of(headers: Any, commit: str, file: RemoteFile, where: str) -> bool:
    """Check what the hub itself says of the file beside an answer; False where it says nothing."""
    if "x-repo-commit" not in headers:
        return False
    if headers["x-repo-commit"] != commit:
        raise _changed(f"the hub answers with the commit {printable(headers['x-repo-commit'], 60)}", where)
    tag = (headers.get("x-linked-etag") or headers.get("etag") or "").removeprefix("W/").strip('"')
    if file.tag and tag and tag != file.tag:
        raise _changed("the hub answers with other content than its list names", where)
    size = headers.get("x-linked-size")
    if size is not None and size != str(file.size):
        raise _changed(f"the hub answers with a size of {printable(size, 30)}, its list with {file.size}", where)
    return True


def _body(response: httpx2.Response, file: RemoteFile, span: Range, where: str) -> Iterator[bytes]:
    """The body of an answer from the first byte asked for; it may end early, it cannot be too long."""
    skip = _skipped(response, file, span, where)
    left = span[1] - span[0]
    for chunk in response.iter_raw():
        piece = chunk[skip:]
        skip -= len(chunk) - len(piece)
        if len(piece) > left:
            raise _changed("the hub sends more bytes than the file has", where)
        left -= len(piece)
        if piece:
            yield piece


def _skipped(response: httpx2.Response, file: RemoteFile, span: Range, where: str) -> int:
    """Check which bytes an answer holds, and give the number of those at its front that were not asked for."""
    first, last = span
    if response.headers.get("content-encoding", "identity") != "identity":
        raise EnvironmentFault("the server sends the file packed", where=where, hint="check the proxy and HF_ENDPOINT")
    if response.status_code == 206:
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is None:
            raise EnvironmentFault("the server does not say which bytes it sends", where=where, hint="check the proxy")
        begin, end, size = (int(group) for group in found.groups())
        if size != file.size:
            raise _changed(f"the file on the hub has {size} bytes, its list says {file.size}", where)
        if begin != first or not first <= end < last:
            raise _changed(f"bytes {first} to {last - 1} were asked for, {begin} to {end} are sent", where)
        return 0
    length = response.headers.get("content-length", str(file.size))
    if length != str(file.size):
        raise _changed(f"the hub sends {printable(length, 30)} bytes, its list says {file.size}", where)
    if last < file.size or (first > 0 and file.size > SKIPPED):
        raise EnvironmentFault(
            f"the server sends all {file.size} bytes where a range was asked for",
            where=where,
            hint="use another HF_ENDPOINT or proxy, or download the model and give its folder",
        )
    return first


def _changed(found: str, where: str) -> CheckpointError:
    return CheckpointError(found, where=where, hint="the file changed, or a proxy altered it: run again")


def _stranger(where: str) -> EnvironmentFault:
    return EnvironmentFault("what answers is not the hub", where=where, hint="check HF_ENDPOINT and the proxy")
