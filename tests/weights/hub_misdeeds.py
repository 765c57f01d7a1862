"""What a hub, its storage, or a proxy before it does wrong."""

from __future__ import annotations

from hub_server import COMMIT, Asked, Handler, Misdeed


def dashed(headers: dict[str, str]) -> dict[str, str]:
    """Names of headers as they are written; as names of arguments they have no dashes."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def refuses(status: int, kind: str = "", **headers: str) -> Misdeed:
    def act(handler: Handler, asked: Asked) -> bool:
        if kind in ("", asked.kind):
            handler.say(status, f"you sent {asked.headers.get('authorization')}".encode(), dashed(headers))
        return kind in ("", asked.kind)

    return act


def cuts(after: int) -> Misdeed:
    """Cut a weight file off after so many bytes."""

    def act(handler: Handler, asked: Asked) -> bool:
        if asked.kind != "cdn":
            return False
        found = handler.hub.commits[COMMIT][asked.path.split("/", 3)[3]]
        handler.send(asked, found, stop=after)
        return True

    return act


def answers(kind: str, body: bytes, status: int = 200, **headers: str) -> Misdeed:
    def act(handler: Handler, asked: Asked) -> bool:
        if asked.kind == kind:
            handler.say(status, body, dashed(headers))
        return asked.kind == kind

    return act


def without_ranges(handler: Handler, asked: Asked) -> bool:
    asked.headers.pop("range", None)
    return False
