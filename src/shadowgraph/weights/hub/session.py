"""Requests to the hub: its address, who asks, redirects, and what becomes of a connection that fails.

Here live: one GET with its redirects, and a loop that tries again.
Not here: what is asked for (see `client`), how long one waits (see `faults`).
The library `huggingface_hub` keeps the address, the token, offline mode, and the session with its proxies. Its own
headers are not used: to write them it asks the hub a question of its own and tells what else is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from shadowgraph.errors import EnvironmentFault, require
from shadowgraph.identity import versions
from shadowgraph.weights.hub.faults import PassingFault, Patience, lasting, passing

if TYPE_CHECKING:
    import httpx2

SMALL_BODY = 1 << 16  # bytes of a redirect's own text that are read so that the connection serves again
HOPS = 5
CONNECT = 10.0  # seconds
REDIRECTS = frozenset({301, 302, 303, 307, 308})
REMEDY = "unset HF_HUB_OFFLINE, or fetch it first with: hf download "


def is_offline() -> bool:
    """Whether the hub's library is told to stay off the network (HF_HUB_OFFLINE).

    Raises:
        EnvironmentFault: the library is missing.
    """
    require("huggingface_hub", "hub")
    from huggingface_hub import constants

    return constants.is_offline_mode()


def endpoint() -> str:
    """The hub's address, as HF_ENDPOINT gives it.

    Raises:
        EnvironmentFault: the library is missing, or it is no web address.
    """
    require("huggingface_hub", "hub")
    from huggingface_hub import constants

    found = constants.ENDPOINT
    if _origin(found) is None:
        raise EnvironmentFault("HF_ENDPOINT is no web address", hint="unset it, or give one that begins with https://")
    return found


def at_home(url: str) -> bool:
    """Whether an address is one of the hub itself: scheme, host and port."""
    return _origin(url) == _origin(endpoint())


def persistent(act: Callable[[Patience], bool], where: str, repository: str) -> None:
    """Do something with requests until it is done.

    Args:
        act: one try; told the patience, it gives whether all is done.
        where: the address, for messages.
        repository: "organisation/name".

    Raises:
        CheckpointError: what `act` finds wrong.
        EnvironmentFault: the connection fails again and again, or must not be made.
    """
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled

    patience = Patience(where)
    while True:
        try:
            if act(patience):
                return
            raise PassingFault("the connection was cut")
        except PassingFault as fault:
            patience.wait(fault)
        except httpx2.TransportError as error:
            patience.wait(_lost(error))
        except OfflineModeIsEnabled as error:
            raise offline("what is asked for is not on this machine", where, repository) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise EnvironmentFault("the hub cannot be asked", where=where, hint="check HF_ENDPOINT") from error


def answered(
    stack: ExitStack, url: str, sent: Mapping[str, str], where: str, seen: Callable[[httpx2.Response], None]
) -> tuple[httpx2.Response, str]:
    """Ask once and follow redirects; the token goes to the hub alone.

    Args:
        stack: closes the answer.
        url: the address to begin with.
        sent: further headers.
        where: the address, for messages.
        seen: told every answer that is no refusal, redirects too.

    Returns:
        An answer 200 or 206, its body unread, and the address that gave it.

    Raises:
        CheckpointError: nothing is there.
        EnvironmentFault: no access, or no end of redirects.
        PassingFault: a refusal that may pass.
    """
    import httpx2
    from huggingface_hub.utils import get_session

    timeout = httpx2.Timeout(_silence(), connect=CONNECT)
    for _ in range(HOPS):
        headers = {**_own_headers(url), **sent}
        response = stack.enter_context(
            get_session().stream("GET", url, headers=headers, follow_redirects=False, timeout=timeout)
        )
        status = response.status_code
        if status < 400:
            seen(response)
        if status not in REDIRECTS or "location" not in response.headers:
            _require_answer(response, url, where)
            return response, url
        if response.headers.get("content-length", "x").isdecimal() and _length(response) <= SMALL_BODY:
            response.read()
        stack.pop_all().close()
        url = _next(url, response.headers["location"], where)
    raise EnvironmentFault(f"more than {HOPS} redirects", where=where, hint="check HF_ENDPOINT")


def offline(found: str, where: str, repository: str) -> EnvironmentFault:
    """The fault of asking while offline mode is on, with both remedies."""
    return EnvironmentFault(f"offline mode (HF_HUB_OFFLINE): {found}", where=where, hint=REMEDY + repository)


def _length(response: httpx2.Response) -> int:
    return int(response.headers["content-length"][:19])


def _own_headers(url: str) -> dict[str, str]:
    """Who asks; only the hub itself is given the token."""
    from huggingface_hub import constants, get_token

    headers = {"user-agent": _agent(), "accept-encoding": "identity"}
    if at_home(url) and not constants.HF_HUB_DISABLE_IMPLICIT_TOKEN:
        token = get_token()
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
    return headers


@lru_cache(maxsize=1)
def _agent() -> str:
    """What asks, for the header User-Agent: this package and the hub's library, nothing else of this machine."""
    found = versions("shadowgraph", "huggingface_hub")
    return f"shadowgraph/{found['shadowgraph']}; hf_hub/{found['huggingface_hub']}"


def _require_answer(response: httpx2.Response, url: str, where: str) -> None:
    """Turn a status other than 200 and 206 into a fault; what a storage server refuses is asked for anew."""
    status = response.status_code
    if status in (200, 206):
        return
    later = passing(status, response.headers)
    if later is not None:
        raise later
    if status != 416 and not at_home(url):
        raise PassingFault(f"the hub's storage answers {status}")  # its addresses are signed for a while only
    raise lasting(status, response.headers, where)


def _silence() -> float:
    """Seconds for which a server may be silent, as HF_HUB_DOWNLOAD_TIMEOUT gives them."""
    from huggingface_hub import constants

    return float(constants.HF_HUB_DOWNLOAD_TIMEOUT)


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a web address, None of anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def _next(url: str, location: str, where: str) -> str:
    """Where a redirect leads; never from a sealed connection to an open one."""
    try:
        found = urljoin(url, location)
        origin = _origin(found)
    except ValueError:
        origin, found = None, ""
    if origin is None or (origin[0] == "http" and url.startswith("https:")):
        raise EnvironmentFault("the hub redirects to no safe address", where=where, hint="check HF_ENDPOINT")
    return found


def _lost(error: Exception) -> PassingFault:
    """A connection that could not be made or was lost."""
    import httpx2

    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
        return PassingFault("the hub cannot be reached")
    if isinstance(error, httpx2.TimeoutException):
        return PassingFault("the hub did not answer in time")
    return PassingFault("the connection was cut")
