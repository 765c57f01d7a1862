"""One group: its members, and the logical entry that stands for them or why there is none.

Here live: `Group`, `Unfit`, and the bricks with which every method checks its members.
Not here: any method.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shadowgraph.weights.tensor import Packing, TensorEntry

Entries = Mapping[str, TensorEntry]
FLOATS = ("F64", "F32", "F16", "BF16")
OUTPUTS_FIRST = ("outputs_first", 1)
"""Says that the rows of a logical entry are outputs, however the family stores the matrix when it is not quantised."""


class Unfit(Exception):
    """Why the members of a group do not make a matrix, in words without names: reasons are counted."""


@dataclass(frozen=True, slots=True)
class Group:
    """The members of one quantised matrix.

    Attributes:
        method: what is said of it, such as "GPTQ".
        owner: the member that holds the codes; it stands for the group where that is left out.
        members: stored names, the owner among them.
        entry: the logical tensor, None where the group is left out.
        reason: why it is left out, "" when it is not.
    """

    method: str
    owner: str
    members: tuple[str, ...]
    entry: TensorEntry | None
    reason: str = ""


def settled(
    method: str, owner: str, others: tuple[str, ...], entries: Entries, fit: Callable[[], TensorEntry]
) -> Group:
    """The group with its logical entry, or with the reason that `fit` raised.

    Args:
        method: what is said of it.
        owner: name of the member that holds the codes.
        others: names that other members may have; those not stored are left out.
        entries: all stored tensors.
        fit: makes the logical entry, raises `Unfit`.
    """
    members = (owner, *(name for name in others if name in entries))
    try:
        return Group(method, owner, members, fit())
    except Unfit as unfit:
        return Group(method, owner, members, None, str(unfit))


def require(holds: bool, otherwise: str) -> None:
    """Raise `Unfit` unless a condition holds."""
    if not holds:
        raise Unfit(otherwise)


def member(entries: Entries, stem: str, ending: str, types: tuple[str, ...], rank: int | None = None) -> TensorEntry:
    """A member that must be there, of one of these types and of this rank.

    Args:
        entries: all stored tensors.
        stem: what the names of the group share.
        ending: the rest of its name.
        types: element types that it may have.
        rank: number of axes, None for any.

    Raises:
        Unfit: it is absent, of another type or rank, empty, or does not lie as plain bytes.
    """
    entry = entries.get(stem + ending)
    short = ending.strip("._") or "weight"
    if entry is None:
        raise Unfit(f"it has no {short}")
    require(entry.dtype in types, f"its {short} is of type {entry.dtype}")
    require(rank is None or len(entry.shape) == rank, f"its {short} has {len(entry.shape)} axes")
    require(entry.parameters > 0, f"its {short} is empty")
    require(entry.packing is None, f"its {short} does not lie as plain bytes")
    return entry


def logical(
    name: str,
    label: str,
    shape: tuple[int, ...],
    *,
    method: str,
    parts: Mapping[str, TensorEntry],
    numbers: Mapping[str, int],
    own: TensorEntry | None = None,
) -> TensorEntry:
    """The entry that stands for a group.

    Args:
        name: of the matrix.
        label: what is shown as its type.
        shape: extents, the last being the inputs.
        method: a key of `readers.packings.DECODERS`.
        parts: stored tensors by their roles, the codes first.
        numbers: parameters of the layout.
        own: the stored tensor of the same name, whose bytes then count as its own; None where there is none.
    """
    first = next(iter(parts.values()))
    packing = Packing(method, tuple(parts.items()), (*numbers.items(), OUTPUTS_FIRST))
    offset, size = (own.offset, own.size) if own is not None else (first.offset, 0)
    return TensorEntry(name, label, shape, first.file, offset, size, packing=packing)


def groups_of(inputs: int, count: int, size: int | None) -> int:
    """Inputs that share a scale, where `count` groups cover `inputs` of them.

    Raises:
        Unfit: neither the declared size nor an equal division covers them.
    """
    if size is not None and size > 0 and -(-inputs // size) == count:
        return min(size, inputs)
    require(size is None or (size == -1 and count == 1), f"{count} groups of {size} do not cover its {inputs} inputs")
    require(inputs % count == 0, f"{count} groups do not cover its {inputs} inputs")
    return inputs // count


def scale_fits(scale: TensorEntry, shape: tuple[int, ...]) -> int:
    """Number of factors a line that a scale has for a tensor: one for all, one a line or several a line.

    Raises:
        Unfit: its shape is none of these.
    """
    if all(extent == 1 for extent in scale.shape):
        return 1
    lines = math.prod(shape[:-1])
    plain = scale.shape == shape[:1] and len(shape) == 2
    grid = len(scale.shape) == len(shape) and scale.shape[:-1] == shape[:-1]
    shapes = f"{list(scale.shape[:8])} does not fit {list(shape[:8])}"
    require(plain or (grid and shape[-1] % scale.shape[-1] == 0), f"the shape of its scale, {shapes}")
    return scale.parameters // lines
