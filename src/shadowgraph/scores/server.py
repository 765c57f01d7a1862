"""One JSON question to a server, asked again where asking again can help.

Here live: the address, the key that is never kept, retries, and the words for what went wrong.
Not here: what is asked and what an answer means (`endpoint`).

Only http and https are spoken, and no redirect is followed: it could carry the key to another host.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from shadowgraph.errors import CheckpointError, EnvironmentFault, SpecError, printable

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # states of a server that may be over on the next try
LONGEST_WAIT = 60.0  # seconds between two tries at most, whatever the server asks for
LARGEST = 64 << 20  # bytes of an answer
_PIECE = 1 << 16
_TITLE = re.compile(r"<title[^>]*>([^<]*)</title", re.IGNORECASE)


def _wait(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers JSON with JSON.

    Attributes:
        address: http(s)://host[:port][/path], without user, query and fragment.
        key_from: environment variable that holds the API key, empty for none. The key is read when a question is sent,
            goes into its header, and is kept nowhere.
        timeout: seconds a whole answer may take.
        tries: how often a question is asked before it is given up.
        pause: waits so many seconds; exchanged in tests.
    """

    address: str
    key_from: str = ""
    timeout: float = 300.0
    tries: int = 6
    pause: Callable[[float], None] = field(default=_wait, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the address.

        Raises:
            SpecError: it is no http or https address, or holds what belongs elsewhere.
        """
        try:
            parts = urllib.parse.urlsplit(self.address)
            port_is_sound = parts.port is None or parts.port > 0
        except ValueError:
            parts, port_is_sound = urllib.parse.urlsplit(""), False
        if "@" in self.address or "?" in self.address or "#" in self.address:  # may hold a secret: not repeated
            raise SpecError(
                "the address holds a user, a query or a fragment",
                where="endpoint",
                hint="give the bare address, and the key in an environment variable",
            )
        plain = self.address.isascii() and self.address.isprintable() and " " not in self.address
        if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_sound or not plain:
            raise SpecError(
                f"found {printable(self.address)!r}", where="endpoint", hint="write http://HOST:PORT/v1 or https://…"
            )

    def post(self, path: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """Ask one question.

        Args:
            path: what follows the address, such as "completions".
            question: sent as JSON.

        Returns:
            The answer, a JSON object.

        Raises:
            CheckpointError: the server refuses the question, or answers something else than JSON.
            EnvironmentFault: no answer in `tries` tries, a bad certificate, or the key's variable is not set.
        """
        url = f"{self.address.rstrip('/')}/{path}"
        body = json.dumps(question, ensure_ascii=False, allow_nan=False).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "shadowgraph"}
        key = self._key()
        if key:
            headers["Authorization"] = f"Bearer {key}"
        last = ""
        for number in range(self.tries):
            try:
                status, asked, data = _exchange(url, body, headers, self.timeout)
                if status == 200:
                    return _parsed(data, url, key)
                if status not in PASSING:
                    _refused(status, data, url, key)
                last, wait = f"HTTP {status}{_words(data, key)}", asked
            except (OSError, http.client.HTTPException, _Cut) as error:
                reason = getattr(error, "reason", error)
                if isinstance(reason, ssl.SSLCertVerificationError):
                    raise EnvironmentFault(f"bad certificate ({reason.verify_message})", where=url) from error
                last, wait = _shown(f"{reason}" or type(reason).__name__, key), 0.0
            if number + 1 < self.tries:
                self.pause(min(LONGEST_WAIT, max(wait, 0.5 * 2**number)))
        raise EnvironmentFault(
            f"no answer in {self.tries} tries, the last said: {last}",
            where=url,
            hint="see that the server runs; the same command goes on where this one stopped",
        )

    def _key(self) -> str:
        """The API key, empty for none."""
        if not self.key_from:
            return ""
        key = os.environ.get(self.key_from, "").strip()
        if not key:
            raise EnvironmentFault("the variable of the API key is not set", where=printable(self.key_from))
        if not key.isascii() or not key.isprintable():
            raise EnvironmentFault("the API key holds characters that no header can", where=printable(self.key_from))
        return key


class _Cut(Exception):
    """An answer that ended before its end, or took too long."""


class _NotFinite(ValueError):
    """An answer with NaN or an infinity in it, which Python writes and JSON does not have."""


def _exchange(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> tuple[int, float, bytes]:
    """Send one request; return the status, the seconds the server asks to wait, and the answer's bytes."""
    opener = urllib.request.OpenerDirector()  # without the handlers of files, of redirects and of other schemes
    for handler in (urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()):
        opener.add_handler(handler)
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")  # noqa: S310  checked
    until = time.monotonic() + timeout
    response: Any = opener.open(request, timeout=timeout)
    with response:
        asked = response.headers.get("Retry-After", "")
        pieces: list[bytes] = []
        size = 0
        while piece := response.read1(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST:
                raise CheckpointError(f"an answer of more than {LARGEST} bytes", where=url, hint="ask for smaller ones")
            if time.monotonic() > until:
                raise _Cut(f"an answer took longer than {timeout:g} s")
        if response.length:
            raise _Cut("the answer was cut off")
        return int(response.status), float(asked) if asked.isascii() and asked.isdigit() else 0.0, b"".join(pieces)


def _parsed(data: bytes, url: str, key: str) -> dict[str, Any]:
    """The answer as an object; what begins like one and has no end was cut, and may come whole the next time."""
    try:
        value = json.loads(data, parse_constant=_no_number)
    except _NotFinite as error:
        hint = "the model itself may overflow there: check its weights and the type the server runs it in"
        raise CheckpointError(f"the answer holds {error}, which is no number", where=url, hint=hint) from error
    except (ValueError, RecursionError) as error:
        if data.lstrip()[:1] == b"{" and not data.rstrip().endswith(b"}"):
            raise _Cut("the answer was cut off") from error
        found = f"the answer is not JSON{_words(data, key)}"
        raise CheckpointError(found, where=url, hint="check the address") from error
    if not isinstance(value, dict):
        raise CheckpointError("the answer is no JSON object", where=url, hint="check the address")
    return dict(value)


def _no_number(constant: str) -> NoReturn:
    """JSON has no NaN and no infinity."""
    raise _NotFinite(constant)


def _refused(status: int, data: bytes, url: str, key: str) -> NoReturn:
    """A state that no further try would change."""
    said = _words(data, key)
    if status in {401, 403}:
        raise EnvironmentFault(
            f"HTTP {status}{said}", where=url, hint="name the variable that holds the right key with --key-from"
        )
    if 300 <= status < 400:
        raise CheckpointError(
            f"HTTP {status}, the server sends elsewhere",
            where=url,
            hint="give the new address, if you trust it",
        )
    hint = "check the address, it commonly ends in /v1, and the model's name" if status in {404, 405} else ""
    raise CheckpointError(f"HTTP {status}{said}", where=url, hint=hint)


def _words(data: bytes, key: str) -> str:
    """What a server says of a fault, as the end of a clause."""
    text = data[:4096].decode("utf-8", "replace")
    if text.lstrip()[:1] == "<":
        title = _TITLE.search(text)
        named = f" titled {_shown(title[1], key)!r}" if title and title[1].strip() else ""
        return f" (a page for a browser{named})"
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    while isinstance(value, dict):
        inner: Any = next((value[name] for name in ("error", "message", "detail") if name in value), None)
        value, text = inner, inner if isinstance(inner, str) else text
    return f" ({_shown(text, key)})" if text.strip() else ""


def _shown(text: str, key: str) -> str:
    """Foreign words on one line, without the key that a server may repeat."""
    return printable(" ".join((text.replace(key, "***") if key else text).split()), 200)
