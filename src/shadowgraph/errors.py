"""Faults and their exit codes.

Here live: the exception types and the one rule for printing foreign text.
Not here: any check. A room raises these; only `cli` turns them into exit codes.
"""

from __future__ import annotations

import unicodedata
from typing import ClassVar


def printable(text: str, limit: int = 200) -> str:
    """Make foreign text safe for a terminal line: control and bidi characters escaped, length cut.

    Args:
        text: any string, for example a tensor name read from a file.
        limit: largest number of characters kept.

    Returns:
        One line without control (Cc), format (Cf), surrogate (Cs) or separator (Zl, Zp) characters; what is too long
        is cut in its middle, because both ends of a path or a name tell more.
    """
    kept = text if len(text) <= limit else f"{text[: limit - limit // 2]}…{text[len(text) - limit // 2 :]}"
    return "".join(
        character
        if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"}
        else character.encode("unicode_escape", "backslashreplace").decode("ascii")
        for character in kept
    )


class ShadowgraphError(Exception):
    """A fault with a place and an advice; subclasses say whose fault it is.

    Args:
        found: what was found, a clause without a final stop.
        where: file, tensor or key.
        hint: what to do next, a clause without a final stop.
    """

    exit_code: ClassVar[int] = 70
    label: ClassVar[str] = "error"

    def __init__(self, found: str, *, where: str = "", hint: str = "") -> None:
        """Keep the three parts and compose the one-line message."""
        self.found = found
        self.where = printable(where, limit=400)
        self.hint = hint
        place = f"{self.where}: " if self.where else ""
        advice = f"; {hint}" if hint else ""
        super().__init__(f"{place}{found}{advice}")

    def __reduce__(self) -> tuple[object, ...]:
        """Cross a process border with all parts kept."""
        return _rebuild, (type(self), self.found, self.where, self.hint)

    def as_dict(self) -> dict[str, object]:
        """The same fault as plain data for `--json`."""
        return {
            "type": type(self).__name__,
            "found": self.found,
            "where": self.where,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


class SpecError(ShadowgraphError):
    """The user's command line or specification file is wrong (exit 2).

    Where a file has several faults, `faults` holds all of them, each with its key.
    """

    exit_code = 2
    label = "spec error"
    faults: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The same fault as plain data for `--json`, with all faults of a file that has several."""
        return super().as_dict() | ({"faults": list(self.faults)} if self.faults else {})


class CheckpointError(ShadowgraphError):
    """A checkpoint was rejected: malformed, unsafe, missing or mismatched (exit 3)."""

    exit_code = 3
    label = "checkpoint error"


class DataError(ShadowgraphError):
    """A data file was rejected; `where` names file and row (exit 3)."""

    exit_code = 3
    label = "data error"


class EnvironmentFault(ShadowgraphError):
    """Disk, memory, permission, a missing extra or a lost worker (exit 5); the work can be resumed."""

    exit_code = 5
    label = "environment fault"


class Defect(ShadowgraphError):
    """A state that our own code promised could not occur (exit 70)."""

    exit_code = 70
    label = "defect in shadowgraph"


def _rebuild(kind: type[ShadowgraphError], found: str, where: str, hint: str) -> ShadowgraphError:
    """Undo `ShadowgraphError.__reduce__`."""
    return kind(found, where=where, hint=hint)


def require(module: str, extra: str) -> None:
    """Raise EnvironmentFault with the install line when an optional module is missing.

    Args:
        module: importable name, for example "torch".
        extra: the extra that brings it, for example "train".
    """
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise EnvironmentFault(
            f"the package {module!r} is not installed",
            hint=f'install it with: pip install "shadowgraph[{extra}]"',
        )
