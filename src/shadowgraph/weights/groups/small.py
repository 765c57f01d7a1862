"""Members so small that they are read when a checkpoint is opened: shapes and notes that no header holds.

Here live: reading of a few integers, and of a note in JSON. Not here: weights, scales.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from shadowgraph.errors import CheckpointError
from shadowgraph.weights.groups.group import Unfit, require
from shadowgraph.weights.readers.span import current_stamp, opened, read_span, require_unchanged
from shadowgraph.weights.readers.strict_json import parse
from shadowgraph.weights.tensor import TensorEntry

NOTE_CAP = 1 << 16
_TYPES = {"I64": "<i8", "I32": "<i4", "U8": "u1"}


def numbers_of(entry: TensorEntry, most: int) -> tuple[int, ...]:
    """The elements of a tensor of few integers.

    Raises:
        Unfit: more than `most` of them.
        CheckpointError: the file changed since its header was read.
        EnvironmentFault: the device refuses.
    """
    require(entry.parameters <= most, f"{entry.parameters} numbers where at most {most} are expected")
    return tuple(np.frombuffer(_bytes(entry), dtype=_TYPES[entry.dtype]).tolist())


def note_of(entry: TensorEntry) -> dict[str, Any]:
    """The JSON object that a tensor of bytes holds.

    Raises:
        Unfit: too long, or not an object in strict JSON.
        CheckpointError: the file changed since its header was read.
        EnvironmentFault: the device refuses.
    """
    require(entry.size <= NOTE_CAP, f"its quant_state has {entry.size} bytes")
    data = _bytes(entry)
    try:
        found: Any = parse(data, what="its quant_state", where="")
    except CheckpointError as error:
        raise Unfit(error.found) from error
    require(isinstance(found, dict), "its quant_state is no object")
    return cast(dict[str, Any], found)


def _bytes(entry: TensorEntry) -> bytes:
    with opened(entry.file.path, entry.file) as (descriptor, stamp):
        data = read_span(descriptor, stamp, entry.offset, entry.size).tobytes()
        require_unchanged(current_stamp(descriptor, stamp.path), entry.file)
    return data
