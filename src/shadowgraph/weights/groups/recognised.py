"""All groups of a checkpoint: which names begin one, and which of two wins where they share a member.

Here lives: `recognised`. Not here: any method (see its own module).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shadowgraph.weights.groups import bitsandbytes, compressed, mlx, mxfp4
from shadowgraph.weights.groups.declared import Declared
from shadowgraph.weights.groups.group import Entries, Group
from shadowgraph.weights.groups.words import words


def recognised(entries: Entries, declared: Declared) -> Iterator[Group]:
    """Every group, in the order of the names that begin them; each member belongs to one group.

    A group whose matrix is stored plainly too, or that takes a member of an earlier one, is left out.

    Args:
        entries: all stored tensors by name.
        declared: what the configuration says.

    Raises:
        CheckpointError: a file changed since its header was read.
        EnvironmentFault: the device refuses.
    """
    owned: set[str] = set()
    named: set[str] = set()
    for name in entries:
        group = _begun(name, entries, declared)
        if group is None or group.owner in owned:
            continue
        free = tuple(member for member in group.members if member not in owned)
        if len(free) < len(group.members):
            group = replace(group, members=free, entry=None, reason="it shares a member with another group")
        elif group.entry is not None and _doubled(group.entry.name, group, entries, named):
            group = replace(group, entry=None, reason="its weight is stored in another way too")
        owned.update(group.members)
        if group.entry is not None:
            named.add(group.entry.name)
        yield group


def _doubled(name: str, group: Group, entries: Entries, named: set[str]) -> bool:
    return name in named or (name in entries and name not in group.members)


def _begun(name: str, entries: Entries, declared: Declared) -> Group | None:
    """The group that a name begins, None for most names."""
    stem, dot, last = name.rpartition(".")
    stem_of_state, state, kind = name.rpartition(bitsandbytes.STATE)
    if state and stem_of_state in entries:
        return bitsandbytes.four_bit(stem_of_state, kind, entries)
    if name.endswith("_blocks") and name.removesuffix("_blocks") + "_scales" in entries:
        return mxfp4.blocks(name.removesuffix("_blocks"), entries)
    if not dot:
        return None
    weight = entries.get(f"{stem}.weight")
    kind = "" if weight is None else weight.dtype
    if last == "qweight":
        return words(stem, entries, declared)
    if last == "weight_packed":
        return compressed.packed(stem, entries, declared)
    if last == "SCB" and kind == "I8":
        return bitsandbytes.eight_bit(stem, entries)
    if last == "scales" and kind == "U32":
        return mlx.affine(stem, entries, declared)
    if last == "weight_scale" and kind == "I8":
        return compressed.eight_bit(stem, entries)
    if last == "weight_scale_2" and kind == "U8":
        return compressed.modelopt(stem, entries)
    return None
