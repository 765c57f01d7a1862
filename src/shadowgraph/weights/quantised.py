"""Quantised storage: which tensor is the scale of which, and which belong to a packed group.

Here live: the recognition of companions by name, and the fit of a scale to its tensor.
Not here: the arithmetic (see `readers.values`). A packed group is left out whole, never decomposed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

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

# A packed group: the ending that marks it, its name, and the endings of its other members on the same stem.
_GROUPS = (
    (".qweight", "GPTQ or AWQ", (".qzeros", ".scales", ".g_idx")),
    (
        ".weight_packed",
        "compressed-tensors",
        (".weight_scale", ".weight_zero_point", ".weight_shape", ".weight_g_idx", ".weight_global_scale"),
    ),
    ("_blocks", "MXFP4", ("_scales",)),
    (".SCB", "bitsandbytes 8-bit", (".weight", ".weight_format")),
)
_BITSANDBYTES = ".quant_state.bitsandbytes__"
_BITSANDBYTES_PARTS = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map")
_ACTIVATION = (".input_scale", ".output_scale", ".activation_scale", ".input_global_scale", ".input_zero_point")
_CACHE = (".k_scale", ".v_scale", ".kv_scale")
_SCALES_OF_WEIGHTS = (".weight_scale_inv", ".weight_scale")
_OTHER_COMPANIONS = ("_scale_2", "_zero_point")
_COMPANIONS = (*SCALE_SUFFIXES, *_OTHER_COMPANIONS)


def resolve(entries: Mapping[str, TensorEntry], config: Mapping[str, Any]) -> dict[str, TensorEntry]:
    """Join every 8-bit float with its scale, and bar scales and packed groups from being read as weights.

    Args:
        entries: all stored tensors by name.
        config: content of `config.json`; `quantization_config.weight_block_size` is believed where it fits.

    Returns:
        The same names; entries that are companions or packed say so, 8-bit floats carry their scale.
    """
    barred = dict(_packed(entries))
    block = _declared_block(config)
    found: dict[str, TensorEntry] = {}
    for name, entry in entries.items():
        if name in barred:
            reason, companion = barred[name]
            found[name] = _with(entry, barred=reason, companion=companion)
        elif name.endswith(_COMPANIONS) and _has_owner(name, entries):
            found[name] = _with(entry, barred=_SCALE, companion=True)
        elif name.endswith(_ACTIVATION):
            found[name] = _with(entry, barred="scale of activations", companion=True)
        elif name.endswith(_CACHE) and entry.parameters == 1:
            found[name] = _with(entry, barred=_CACHED, companion=True)
        elif name.endswith(_SCALES_OF_WEIGHTS):
            stem = name.rpartition("_scale")[0]
            found[name] = _with(entry, barred=_IDLE if stem in entries else _LOST, companion=True)
        elif entry.dtype in FLOAT8:
            found[name] = _scaled(entry, entries, block)
        else:
            found[name] = entry
    return found


def is_packed(entry: TensorEntry) -> bool:
    """Whether a tensor belongs to a packed group, whose elements are no parameters of the model."""
    return entry.barred.startswith(PACKED)


def packed_notes(entries: Iterable[TensorEntry]) -> list[str]:
    """What is said of packed groups before anything else, one remark a method."""
    groups = Counter(entry.barred for entry in entries if is_packed(entry) and not entry.companion)
    return [
        f"quantised ({reason[len(PACKED) + 2 : -1]}): {count} {'group' if count == 1 else 'groups'} left out whole,"
        " nothing of them can be analysed yet"
        for reason, count in sorted(groups.items())
    ]


def _with(entry: TensorEntry, *, barred: str = "", companion: bool = False, scale: Scale | None = None) -> TensorEntry:
    """The same stored tensor, with what was found of it; called for every tensor, so not through `replace`."""
    return TensorEntry(
        entry.name, entry.dtype, entry.shape, entry.file, entry.offset, entry.size, scale, barred, companion
    )


def unpacked(names: Iterable[str]) -> Iterator[str]:
    """The names that the weights of packed groups would have unpacked: what a family is recognised by."""
    for name in names:
        for ending, whole in ((".qweight", ".weight"), (".weight_packed", ".weight"), ("_blocks", "")):
            if name.endswith(ending):
                yield name.removesuffix(ending) + whole


def _packed(entries: Mapping[str, TensorEntry]) -> Iterator[tuple[str, tuple[str, bool]]]:
    """Members of packed groups with their reason, and whether they are companions."""
    for name in entries:
        for ending, method, others in _GROUPS:
            if not name.endswith(ending):
                continue
            stem = name.removesuffix(ending)
            members = [stem + other for other in others if stem + other in entries]
            if ending in {"_blocks", ".SCB"} and not members:
                continue
            reason = f"{PACKED} ({method})"
            yield name, (reason, ending == ".SCB")
            yield from ((member, (reason, member != stem + ".weight")) for member in members)
        if name.endswith(".scales") and _is_mlx(name.removesuffix(".scales"), entries):
            stem, reason = name.removesuffix(".scales"), f"{PACKED} (MLX)"
            yield stem + ".weight", (reason, False)
            yield from ((stem + end, (reason, True)) for end in (".scales", ".biases") if stem + end in entries)
        stem, found, _ = name.rpartition(_BITSANDBYTES)
        if found and stem in entries:
            reason = f"{PACKED} (bitsandbytes 4-bit)"
            yield stem, (reason, False)
            yield name, (reason, True)
            yield from ((stem + part, (reason, True)) for part in _BITSANDBYTES_PARTS if stem + part in entries)


def _is_mlx(stem: str, entries: Mapping[str, TensorEntry]) -> bool:
    """Whether a stem's `.weight` holds packed words, as MLX writes them beside its scales."""
    weight = entries.get(stem + ".weight")
    return weight is not None and weight.dtype == "U32"


def _has_owner(name: str, entries: Mapping[str, TensorEntry]) -> bool:
    """Whether `name` extends the name of a tensor of an 8-bit or smaller type, which it scales."""
    for suffix in _COMPANIONS:
        owner = entries.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if owner is not None and (owner.dtype in FLOAT8 or owner.unreadable):
            return True
    return False


def _declared_block(config: Mapping[str, Any]) -> tuple[int, int] | None:
    """The block size that the configuration declares, None when it declares none."""
    declared: Any = config.get("quantization_config")
    block: Any = cast(dict[str, Any], declared).get("weight_block_size") if isinstance(declared, dict) else None
    if not isinstance(block, list) or len(cast(list[Any], block)) != 2:
        return None
    rows, columns = cast(list[Any], block)
    return (rows, columns) if type(rows) is int and type(columns) is int and rows > 0 and columns > 0 else None


def _scaled(entry: TensorEntry, entries: Mapping[str, TensorEntry], block: tuple[int, int] | None) -> TensorEntry:
    """An 8-bit float with its scale, or with the reason why it has none."""
    scales = [entries[entry.name + end] for end in SCALE_SUFFIXES if entry.name + end in entries]
    if not scales:
        return entry
    if len(scales) > 1:
        return _with(entry, barred=f"{entry.dtype}: two scales, {' and '.join(SCALE_SUFFIXES)}")
    scale = scales[0]
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
