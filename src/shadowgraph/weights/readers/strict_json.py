"""JSON from strangers: UTF-8 only, no repeated key, no NaN, no endless nesting.

Here lives: one strict parse for headers, indexes and configurations.
Not here: our own files (see `artifact`), and the meaning of any key.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from shadowgraph.errors import CheckpointError, printable

MARKS_CAP = 2_000_000
COMMAS_CAP = 10_000_000


class _Repeated(ValueError):
    """A key stands twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Repeated(key)
            seen.add(key)
    return found


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def parse(data: bytes, *, what: str, where: str) -> Any:
    """Parse strict JSON.

    Args:
        data: the bytes; the caller has bounded their number.
        what: the thing parsed, for messages, for example "the header".
        where: the file, for messages.

    Returns:
        Plain Python values.

    Raises:
        CheckpointError: not UTF-8, not JSON, a repeated key, nested too deep, or so many keys, objects and lists
            (`MARKS_CAP` in all) that parsing would take too much memory.
    """
    marks = sum(data.count(mark) for mark in (b":", b"{", b"["))
    if marks > MARKS_CAP or data.count(b",") > COMMAS_CAP:
        raise CheckpointError(f"{what} holds more than {MARKS_CAP} keys, objects and lists", where=where)
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{what} is not UTF-8 (byte {error.start})", where=where) from error
    except _Repeated as error:
        raise CheckpointError(f"{what} holds a duplicate key '{printable(str(error))}'", where=where) from error
    except RecursionError as error:
        raise CheckpointError(f"{what} is nested too deep", where=where) from error
    except ValueError as error:
        raise CheckpointError(f"{what} is not JSON ({printable(str(error))})", where=where) from error
