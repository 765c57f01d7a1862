"""Quantised storage: which tensor is the scale of which, and what stands for a packed group.

Here live: the recognition of scales by name, the fit of a scale to its tensor, and what is said of packed groups.
Not here: the groups themselves (see `groups`), the arithmetic (see `readers`). A packed group is read as one tensor or
left out whole; its codes are never decomposed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from shadowgraph.weights.groups.declared import declared
from shadowgraph.weights.groups.group import Group
from shadowgraph.weights.groups.recognised import recognised
from shadowgraph.weights.tensor import FLOAT8, Scale, TensorEntry

PACKED = "packed group"
SCALE_SUFFIXES = ("_scale_inv", "_scale")  # both multiply; the first is named for the way it was made
SCALE_TYPES = frozenset({"F64", "F32", "F16", "BF16", "F8_E8M0"})
USUAL_BLOCK = 128

# One text a kind, without names: what is left out is counted by its reason.
_SCALE = "scale of another tensor"
_LOST = "scale of a tensor that is not there"
_IDLE = "scale of a tensor that is read as it is stored"
_CACHED = "scale of cached keys and values"
_PART = "part of a quantised tensor"
_RESCALED = "; this method also rescales inputs: a difference from the full-precision model is more than its rounding"

_ACTIVATION = (".input_scale", ".output_scale", ".activation_scale", ".input_global_scale", ".input_zero_point")
_CACHE = (".k_scale", ".v_scale", ".kv_scale")
_SCALES_OF_WEIGHTS = (".weight_scale_inv", ".weight_scale")
_OTHER_COMPANIONS = ("_scale_2", "_zero_point")
_COMPANIONS = (*SCALE_SUFFIXES, *_OTHER_COMPANIONS)


def resolve(entries: Mapping[str, TensorEntry], config: Mapping[str, Any]) -> dict[str, TensorEntry]:
    """Join every 8-bit float with its scale, and put one logical tensor for every packed group.

    Args:
        entries: all stored tensors by name.
        config: content of `config.json`; what it says of quantisation is believed where it fits.

    Returns:
        The same names and those of logical tensors; members of groups, companions and what is left out say so, 8-bit
        floats carry their scale.

    Raises:
        CheckpointError: a file changed since its header was read.
        EnvironmentFault: the device refuses.
    """
    known = declared(config)
    found: dict[str, TensorEntry] = {}
    for group in recognised(entries, known):
        _enter(group, entries, found)
    members = frozenset(found)
    for name, entry in entries.items():
        if name in members:
            continue
        if name.endswith(_COMPANIONS) and _has_owner(name, entries):
            found[name] = _with(entry, barred=_SCALE, companion=True)
        elif name.endswith(_ACTIVATION):
            found[name] = _with(entry, barred="scale of activations", companion=True)
        elif name.endswith(_CACHE) and entry.parameters == 1:
            found[name] = _with(entry, barred=_CACHED, companion=True)
        elif name.endswith(_SCALES_OF_WEIGHTS):
            stem = name.rpartition("_scale")[0]
            found[name] = _with(entry, barred=_IDLE if stem in entries else _LOST, companion=True)
        elif entry.dtype in FLOAT8:
            found[name] = _scaled(entry, entries, known.block)
        else:
            found[name] = entry
    return found


def _enter(group: Group, entries: Mapping[str, TensorEntry], found: dict[str, TensorEntry]) -> None:
    """Enter a group: its members as companions of its logical tensor, or all of them with the reason."""
    turned = any(entries[name].packing is not None for name in group.members)
    if group.entry is not None and not turned:
        for name in group.members:
            found[name] = _with(entries[name], barred=_PART, companion=True)
        found[group.entry.name] = group.entry
        return
    why = "a part of it does not lie as plain elements" if turned else group.reason
    reason = f"{PACKED} ({group.method}): {why}"
    for name in group.members:
        found[name] = _with(entries[name], barred=reason, companion=name != group.owner)


def is_packed(entry: TensorEntry) -> bool:
    """Whether a tensor belongs to a group that was left out, whose elements are no parameters of the model."""
    return entry.barred.startswith(PACKED)


def packed_notes(entries: Iterable[TensorEntry]) -> list[str]:
    """What is said of packed groups before anything else: what is dequantised, and what is left out and why."""
    read: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for entry in entries:
        if is_packed(entry) and not entry.companion:
            left[entry.barred.removeprefix(PACKED).strip()] += 1
        elif entry.packing is not None and entry.packing.parts:
            read[entry.dtype] += 1
    notes = [
        f"quantised ({label}): {_counted(count, 'tensor')} dequantised as {'it is' if count == 1 else 'they are'} read"
        + (_RESCALED if label.startswith("AWQ") else "")
        for label, count in sorted(read.items())
    ]
    notes.extend(
        f"quantised {reason}: {_counted(count, 'group')} left out whole" for reason, count in sorted(left.items())
    )
    return notes


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _with(entry: TensorEntry, *, barred: str = "", companion: bool = False, scale: Scale | None = None) -> TensorEntry:
    """The same stored tensor, with what was found of it; called for every tensor, so not through `replace`."""
    return TensorEntry(
        entry.name,
        entry.dtype,
        entry.shape,
        entry.file,
        entry.offset,
        entry.size,
        scale,
        barred,
        companion,
        entry.packing,
    )


def unpacked(entries: Mapping[str, TensorEntry]) -> Iterator[str]:
    """The names that the weights of groups left out would have: what a family is recognised by beside the others."""
    for name, entry in entries.items():
        if is_packed(entry) and not entry.companion:
            for ending, whole in ((".qweight", ".weight"), (".weight_packed", ".weight"), ("_blocks", "")):
                if name.endswith(ending):
                    yield name.removesuffix(ending) + whole


def _has_owner(name: str, entries: Mapping[str, TensorEntry]) -> bool:
    """Whether `name` extends the name of a tensor of an 8-bit or smaller type, which it scales."""
    for suffix in _COMPANIONS:
        owner = entries.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if owner is not None and (owner.dtype in FLOAT8 or owner.unreadable):
            return True
    return False


def _scaled(entry: TensorEntry, entries: Mapping[str, TensorEntry], block: tuple[int, int] | None) -> TensorEntry:
    """An 8-bit float with its scale, or with the reason why it has none."""
    scales = [entries[entry.name + end] for end in SCALE_SUFFIXES if entry.name + end in entries]
    if not scales:
        return entry
    if len(scales) > 1:
        return _with(entry, barred=f"{entry.dtype}: two scales, {' and '.join(SCALE_SUFFIXES)}")
    scale = scales[0]
    if entry.packing is not None or scale.packing is not None:
        return _with(entry, barred=f"{entry.dtype}: it or its scale does not lie as plain elements")
    if scale.dtype not in SCALE_TYPES:
        return _with(entry, barred=f"{entry.dtype}: its scale is of type {scale.dtype}")
    fit = _fit(entry.shape, scale.shape, block)
    if fit is None:
        shapes = f"{list(scale.shape[:8])} does not fit {list(entry.shape[:8])}"
        return _with(entry, barred=f"{entry.dtype}: the shape of its scale, {shapes}")
    return _with(entry, scale=Scale(scale, *fit))


@lru_cache(maxsize=1024)
def _fit(
    shape: tuple[int, ...], stored: tuple[int, ...], block: tuple[int, int] | None
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Extents of a block and grid of a scale, None where it does not fit; a model has few shapes and many tensors."""
    grid = _grid(shape, stored)
    extents = None if grid is None else _extents(shape, grid, block)
    return None if grid is None or extents is None else (extents, grid)


def _grid(shape: tuple[int, ...], stored: tuple[int, ...]) -> tuple[int, ...] | None:
    """The stored shape of a scale spread to the rank of its tensor: one factor, one an output row, or a full grid."""
    if len(shape) < 2 or 0 in shape or 0 in stored:
        return None
    if all(extent == 1 for extent in stored):
        return (1,) * len(shape)
    if len(stored) == 1 and stored[0] == shape[0]:
        return (shape[0], *(1,) * (len(shape) - 1))
    return stored if len(stored) == len(shape) else None


def _extents(shape: tuple[int, ...], grid: tuple[int, ...], block: tuple[int, int] | None) -> tuple[int, ...] | None:
    """Block size along each axis: the declared one, else 128, else an equal division; None when nothing fits."""
    found: list[int] = []
    declared = (None,) * (len(shape) - 2) + (block or (None, None))
    for size, count, wished in zip(shape, grid, declared, strict=True):
        if count == 1:
            found.append(size)
        elif count == size:
            found.append(1)
        elif wished is not None and -(-size // wished) == count:
            found.append(wished)
        elif wished is None and -(-size // USUAL_BLOCK) == count:
            found.append(USUAL_BLOCK)
        elif wished is None and size % count == 0:
            found.append(size // count)
        else:
            return None
    return tuple(found)
