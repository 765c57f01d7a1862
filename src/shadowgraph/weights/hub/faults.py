"""What a hub's refusal means, and how long one waits for it.

Here live: our fault for each status, and the patience with what passes by itself.
Not here: requests (see `client`). No text of the server is printed: it may repeat what was sent to it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from shadowgraph.errors import CheckpointError, EnvironmentFault

TRIES = 6
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before the second, third, … try
PROGRESS = 1 << 20  # bytes after which a cut counts as the first again: a large range outlives several
LONGEST = 120.0  # seconds that one request may wait in all
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
KEPT = "run the same command again later; what was fetched is kept"


class PassingFault(Exception):
    """A try that failed for a reason that may pass; `pause` is what the server asked for, in seconds."""

    def __init__(self, found: str, pause: float | None = None) -> None:
        """Keep what was found, a clause that can be printed."""
        self.found = found
        self.pause = pause
        super().__init__(found)


@dataclass(slots=True)
class Patience:
    """The tries of one request.

    Attributes:
        where: the address, for messages.
        tries: how many failed.
        waited: seconds waited between them.
    """

    where: str
    tries: int = field(default=0, init=False)
    waited: float = field(default=0.0, init=False)
    _came: int = field(default=0, init=False, repr=False)

    def goes_on(self, count: int) -> None:
        """Note bytes that came."""
        self._came += count
        if self._came >= PROGRESS:
            self.tries = self._came = 0

    def wait(self, fault: PassingFault) -> None:
        """Wait before the next try.

        Raises:
            EnvironmentFault: too many tries, or a longer wait than `LONGEST`.
        """
        self.tries += 1
        if self.tries >= TRIES:
            raise EnvironmentFault(f"{fault.found}, {self.tries} times", where=self.where, hint=KEPT) from fault
        pause = PAUSES[min(self.tries, len(PAUSES)) - 1] if fault.pause is None else fault.pause
        if self.waited + pause > LONGEST:
            raise EnvironmentFault(
                f"{fault.found} and asks to wait {pause:.0f} s", where=self.where, hint=f"{KEPT}; a token raises limits"
            ) from fault
        self.waited += pause
        time.sleep(pause)


def passing(status: int, headers: Mapping[str, str]) -> PassingFault | None:
    """The fault of a status that may pass, None for any other."""
    if status not in PASSING and not 500 <= status < 600:
        return None
    what = "the hub has had too many requests" if status == 429 else f"the hub answers {status}"
    return PassingFault(what, retry_after(headers) if status in (429, 503) else None)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the header Retry-After asks for, as a count or a date; None without one."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def lasting(status: int, headers: Mapping[str, str], where: str) -> CheckpointError | EnvironmentFault:
    """Our fault for a status that no waiting changes."""
    code = headers.get("x-error-code", "")
    if code == "GatedRepo":
        return EnvironmentFault(
            "the repository is gated", where=where, hint="accept its licence on its page, then set HF_TOKEN"
        )
    if status == 401:
        return EnvironmentFault(
            "the hub wants to know who asks: the repository is private or gated, or there is none of this name",
            where=where,
            hint="check the name; accept its licence on its page and set HF_TOKEN",
        )
    if status in (403, 451):
        return EnvironmentFault(
            f"the hub refuses access ({status})", where=where, hint="give HF_TOKEN a token that may read the repository"
        )
    missing = {"RevisionNotFound": "no such revision", "EntryNotFound": "no such file in this revision"}
    if status in (404, 410):
        found = missing.get(code, "no such repository, or it is private")
        return CheckpointError(found, where=where, hint="check the address; a private one needs HF_TOKEN")
    if status == 416:
        return CheckpointError("the file on the hub is shorter than it was", where=where, hint="run again")
    return EnvironmentFault(f"the hub answers {status}", where=where, hint="check HF_ENDPOINT")
