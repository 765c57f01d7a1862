"""A GGUF model split into several files: which part one is, and whether all are there.

Here live: `Split`, and the checks of a part against its name and of the parts against each other.
Not here: finding the files (see `directory`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.readers.gguf_keys import Cursor, Keys
from shadowgraph.weights.readers.header import Header

NUMBER, COUNT, TENSORS = SPLIT = ("split.no", "split.count", "split.tensors.count")
PART = re.compile(r"-([0-9]{5})-of-([0-9]{5})\.gguf$", re.ASCII)
_WAIT = "download or copy the missing files"


@dataclass(frozen=True, slots=True)
class Split:
    """Which part a file is.

    Attributes:
        number: from 0.
        count: number of parts, 2 or more.
        tensors: number of tensors in all parts.
    """

    number: int
    count: int
    tensors: int

    @property
    def described(self) -> dict[str, str]:
        """The three numbers under their keys, as metadata of a header holds them."""
        return dict(zip(SPLIT, map(str, (self.number, self.count, self.tensors)), strict=True))


def split_of(keys: Keys) -> Split | None:
    """The part that a file says it is, None for a whole model; numbers that cannot be are kept for `require_named`."""
    number, count, tensors = (keys.values.get(key) for key in SPLIT)
    if type(count) is not int or count == 1:
        return None
    return Split(number if type(number) is int else -1, count, tensors if type(tensors) is int else -1)


def parts(name: str) -> tuple[str, ...]:
    """The names of all parts of the split that a file name belongs to; the name alone when it is no part."""
    found = PART.search(name)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        return (name,)
    stem, count = name[: found.start()], int(found[2])
    return tuple(f"{stem}-{number:05d}-of-{count:05d}.gguf" for number in range(1, count + 1))


def require_named(cursor: Cursor, split: Split | None) -> None:
    """Refuse a part whose numbers cannot be, or are not those of its name.

    Raises:
        CheckpointError: says both.
    """
    if split is not None and not (split.count >= 2 and 0 <= split.number < split.count and split.tensors >= 0):
        raise cursor.fail(f"{NUMBER} {split.number} of {COUNT} {split.count}, with {TENSORS} {split.tensors}")
    found = PART.search(cursor.stamp.path.name)
    if found is None or (int(found[2]) < 2 and split is None):
        return
    said = "the whole model" if split is None else f"part {split.number + 1} of {split.count}"
    if split is None or (split.number + 1, split.count) != (int(found[1]), int(found[2])):
        raise cursor.fail(
            f"by its name part {int(found[1])} of {int(found[2])}, by its keys {said}",
            "give the files their own names again",
        )


def require_whole(headers: Sequence[Header]) -> None:
    """Refuse parts that do not make a whole model.

    Args:
        headers: of all files of a checkpoint; those of other formats, and files that are no parts, are passed over.

    Raises:
        CheckpointError: parts are missing or of several models, or they hold another number of tensors than promised.
    """
    found = [header for header in headers if int(header.metadata.get(COUNT, "1")) > 1]
    if not found:
        return
    first = found[0]
    where = str(first.stamp.path)
    if len({(header.metadata[COUNT], header.metadata[TENSORS]) for header in found}) > 1:
        raise CheckpointError("the parts belong to several split models", where=where, hint="give one of them")
    count = int(first.metadata[COUNT])
    missing = sorted(set(range(count)) - {int(header.metadata[NUMBER]) for header in found})
    if missing:
        shown = ", ".join(str(number + 1) for number in missing[:5])
        name = printable(parts(first.stamp.path.name)[-1], 80)
        raise CheckpointError(
            f"{len(missing)} of {count} parts of {name} are missing: part {shown}{', …' if len(missing) > 5 else ''}",
            where=where,
            hint=_WAIT,
        )
    held = sum(len(header.entries) for header in found)
    if held != int(first.metadata[TENSORS]):
        raise CheckpointError(
            f"the parts hold {held} tensors, {first.metadata[TENSORS]} are promised", where=where, hint=_WAIT
        )
