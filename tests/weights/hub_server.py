"""A hub on the loopback address: its protocol over content that need not exist, a storage server of another origin,
and misdeeds to order."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

COMMIT = "c0ffee" + "0" * 33 + "1"
OTHER = "c0ffee" + "0" * 33 + "2"
NONE: Mapping[str, str] = {}
TOKEN = "hf_" + "Secret" * 5


@dataclass(frozen=True)
class Content:
    """Bytes that may be more than there is room for: a front, then zeros up to the size."""

    front: bytes
    size: int
    lfs: bool = True
    digest: str = ""

    def read(self, first: int, last: int) -> bytes:
        piece = self.front[first:last]
        return piece + b"\0" * (min(last, self.size) - first - len(piece))

    @property
    def sha256(self) -> str:
        return self.digest or hashlib.sha256(self.read(0, self.size)).hexdigest()

    @property
    def blob(self) -> str:
        if self.lfs:
            return "d" * 40
        return self.digest or hashlib.sha1(b"blob %d\0" % self.size + self.read(0, self.size)).hexdigest()

    @property
    def tag(self) -> str:
        return self.sha256 if self.lfs else self.blob


def content(data: bytes, lfs: bool = True) -> Content:
    return Content(data, len(data), lfs)


@dataclass
class Asked:
    """One request: "api", "resolve" or "cdn", its path, its headers."""

    kind: str
    path: str
    headers: dict[str, str]
    range: tuple[int, int] | None = None


Misdeed = Callable[["Handler", Asked], bool]  # True: it answered in the hub's place


@dataclass
class Hub:
    """Repositories by name, commits by revision, and what to do wrong.

    `misdeeds` act once each, in order, on the first request that they take; `always` acts on every one.
    """

    commits: dict[str, dict[str, Content]] = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    repository: str = "org/model"
    direct: bool = False  # serve from the hub itself, without the storage server
    misdeeds: list[Misdeed] = field(default_factory=list)
    always: Misdeed | None = None
    asked: list[Asked] = field(default_factory=list)
    sent: int = 0
    told: Callable[[dict[str, Any]], Any] = lambda answer: answer
    endpoint: str = ""
    storage: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def info(self, commit: str) -> Any:
        files = [
            {"rfilename": name, "size": each.size, "blobId": each.blob}
            | ({"lfs": {"size": each.size, "sha256": each.sha256, "pointerSize": 134}} if each.lfs else {})
            for name, each in self.commits[commit].items()
        ]
        return self.told({"id": self.repository, "modelId": self.repository, "sha": commit, "siblings": files})

    def of_kind(self, kind: str) -> list[Asked]:
        return [each for each in self.asked if each.kind == kind]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def say(self, status: int, body: bytes = b"", headers: Mapping[str, str] = NONE) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        kind = "api" if path.startswith("/api/") else "cdn" if path.startswith("/cdn/") else "resolve"
        asked = Asked(kind, path, {name.lower(): value for name, value in self.headers.items()})
        with self.hub.lock:
            self.hub.asked.append(asked)
            acts = [self.hub.always] if self.hub.always else []
            acts += self.hub.misdeeds[:1]
        for act in acts:
            if act(self, asked):
                if act is not self.hub.always:
                    self.hub.misdeeds.remove(act)
                return
        if kind == "api":
            assert parse_qs(parts.query).get("blobs") == ["true"], "other questions are not ours"
            self.answer_api(path)
        else:
            self.answer_file(asked)

    def answer_api(self, path: str) -> None:
        repository, _, revision = path.removeprefix("/api/models/").partition("/revision/")
        commit = self.hub.revisions.get(revision, revision)
        if repository != self.hub.repository:
            self.say(404, headers={"X-Error-Code": "RepoNotFound"})
        elif commit not in self.hub.commits:
            self.say(404, headers={"X-Error-Code": "RevisionNotFound"})
        else:
            self.say(200, json.dumps(self.hub.info(commit)).encode(), {"Content-Type": "application/json"})

    def answer_file(self, asked: Asked) -> None:
        if asked.kind == "cdn":
            _, _, commit, name = asked.path.split("/", 3)
        else:
            repository, _, rest = asked.path[1:].partition("/resolve/")
            commit, _, name = rest.partition("/")
            assert repository == self.hub.repository
        found = self.hub.commits.get(commit, {}).get(name)
        if found is None:
            self.say(404, headers={"X-Error-Code": "EntryNotFound"})
        elif asked.kind == "resolve" and found.lfs and not self.hub.direct:
            place = f"{self.hub.storage}/cdn/{commit}/{name}?signature=s3cr3t"
            tags = {"X-Linked-Etag": f'"{found.tag}"', "X-Linked-Size": str(found.size)}
            self.say(302, headers={"Location": place, "X-Repo-Commit": commit, **tags})
        else:
            own = {"X-Repo-Commit": commit, "ETag": f'"{found.tag}"'} if asked.kind == "resolve" else {}
            self.send(asked, found, own)

    def send(self, asked: Asked, found: Content, headers: Mapping[str, str] = NONE, stop: int | None = None) -> None:
        """The file or the range asked for; `stop` cuts the connection after so many bytes."""
        first, last = 0, found.size
        headers = {"Content-Length": str(found.size), **headers}
        if "range" in asked.headers:
            begin, _, end = asked.headers["range"].removeprefix("bytes=").partition("-")
            first, last = int(begin), min(int(end) + 1, found.size)
            headers["Content-Length"] = str(last - first)
            headers["Content-Range"] = f"bytes {first}-{last - 1}/{found.size}"
        asked.range = (first, last)
        self.send_response(206 if "range" in asked.headers else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        until = last if stop is None else min(first + stop, last)
        for start in range(first, until, 1 << 20):
            piece = found.read(start, min(start + (1 << 20), until))
            with self.hub.lock:
                self.hub.sent += len(piece)
            try:
                self.wfile.write(piece)
            except OSError:
                self.close_connection = True
                return
        if stop is not None:
            self.close_connection = True


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no news; a broken answer fails the test that asked."""


@contextmanager
def serving(hub: Hub) -> Generator[Hub]:
    """Serve a hub, and its storage on another port, until the block ends."""
    servers = [Quiet(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub, "timeout": 20})) for _ in range(2)]
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    hub.endpoint, hub.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


@contextmanager
def online(hub: Hub, folder: Any, monkeypatch: pytest.MonkeyPatch) -> Generator[Hub]:
    """Serve a hub, point the library and its cache and ours at it, and forget it all afterwards."""
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    from shadowgraph.weights.hub import faults, located
    from shadowgraph.weights.readers import span

    with serving(hub):
        close_session()
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        settings = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0", "HF_TOKEN": TOKEN}
        settings |= {"HF_HUB_CACHE": str(folder / "hub-cache"), "SHADOWGRAPH_CACHE": str(folder / "cache")}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", settings["HF_HUB_CACHE"])
        monkeypatch.setattr(faults, "PAUSES", (0.0,))
        monkeypatch.setattr(located, "COMMITS", {})
        monkeypatch.setattr(span, "_SUPPLIES", {})
        try:
            yield hub
        finally:
            close_session()
