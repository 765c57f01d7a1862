"""What a measure has counted, as named arrays: for files, for other processes, and to compare byte by byte.

Here live: taking a measure's state apart and putting it back. Not here: files, and what is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.tally import Tally


def state_of(measure: Any) -> dict[str, NDArray[Any]]:
    """The arrays of a measure with `update` and `merge`, settled; equal corpora give equal bytes.

    Arrays are kept by the name of their field, tallies as `field.array`, lists of texts as bytes and ends. Settings
    (anchors, lengths) are not part of the state: restore into a measure made with the same ones.
    """
    if hasattr(measure, "settle"):
        measure.settle()
    found: dict[str, NDArray[Any]] = {}
    for each in fields(measure):
        value = getattr(measure, each.name)
        if each.name.startswith("_"):
            continue
        if isinstance(value, np.ndarray):
            found[each.name] = value
        elif isinstance(value, Tally):
            found |= {f"{each.name}.{name}": array for name, array in state_of(value).items()}
        elif isinstance(value, list):
            found[f"{each.name}.bytes"] = np.frombuffer(b"".join(value), np.uint8)
            found[f"{each.name}.ends"] = np.cumsum([0, *map(len, value)]).astype(np.int64)
    return found


def restore(measure: Any, state: Mapping[str, NDArray[Any]]) -> None:
    """Put a state back into a fresh measure of the same settings.

    Args:
        measure: changed in place.
        state: what `state_of` gave.

    Raises:
        KeyError: when an array is missing.
    """
    for each in fields(measure):
        value = getattr(measure, each.name)
        if each.name.startswith("_"):
            continue
        if isinstance(value, np.ndarray):
            setattr(measure, each.name, state[each.name].astype(value.dtype))
        elif isinstance(value, Tally):
            prefix = f"{each.name}."
            restore(value, {name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)})
            value.merge(Tally(value.most))
        elif isinstance(value, list):
            whole, ends = state[f"{each.name}.bytes"].tobytes(), state[f"{each.name}.ends"].tolist()
            setattr(measure, each.name, [whole[a:b] for a, b in pairwise(ends)])
