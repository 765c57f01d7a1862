"""Groups of bitsandbytes: 4-bit codes with their quantisation state, and 8-bit rows with their largest sizes.

Here lives: their recognition. Not here: decoding.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from shadowgraph.weights.groups.group import Entries, Group, Unfit, logical, member, require, settled
from shadowgraph.weights.groups.small import note_of, numbers_of
from shadowgraph.weights.tensor import ELEMENT_TYPES, TensorEntry

STATE = ".quant_state.bitsandbytes__"
PARTS = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map")
BLOCK_CAP = 1 << 16
BYTE_CODES = 256


def four_bit(stem: str, kind: str, entries: Entries) -> Group:
    """The group of a tensor with a 4-bit quantisation state.

    Args:
        stem: name of the tensor that holds the codes.
        kind: what the name of the state ends with, "nf4" or "fp4".
        entries: all stored tensors.
    """
    others = (f"{stem}{STATE}{kind}", *(stem + part for part in PARTS))
    return settled("bitsandbytes 4-bit", stem, others, entries, lambda: _four_bit(stem, kind, entries))


def eight_bit(stem: str, entries: Entries) -> Group:
    """The group of 8-bit rows, whose largest sizes are `SCB`."""

    def fit() -> TensorEntry:
        weight = member(entries, stem, ".weight", ("I8",), 2)
        largest = member(entries, stem, ".SCB", ("F32",))
        require(largest.parameters == weight.shape[0], f"{largest.parameters} SCB for {weight.shape[0]} rows")
        if f"{stem}.weight_format" in entries:
            layout = numbers_of(member(entries, stem, ".weight_format", ("U8",)), 1)
            require(layout == (0,), f"its rows are stored in the layout {layout[0]}, only rows as they are are read")
        parts = {"codes": weight, "scales": largest}
        numbers = {"bits": 8, "size": weight.shape[1]}
        return logical(
            f"{stem}.weight", "INT8", weight.shape, method="bitsandbytes-8bit", parts=parts, numbers=numbers, own=weight
        )

    others = (f"{stem}.SCB", f"{stem}.weight_format")
    return settled("bitsandbytes 8-bit", f"{stem}.weight", others, entries, fit)


def _four_bit(stem: str, kind: str, entries: Entries) -> TensorEntry:
    plain = tuple(name for name, element in ELEMENT_TYPES.items() if element.bits % 8 == 0)
    codes = member(entries, stem, "", plain)  # any type: a sharded training stores the bytes as floats
    state = note_of(member(entries, stem, f"{STATE}{kind}", ("U8",)))
    require(kind in {"nf4", "fp4"} and state.get("quant_type") == kind, "its quant_type is neither nf4 nor fp4")
    shape = _shape(state.get("shape"))
    count = math.prod(shape)
    require(codes.size == -(-count // 2), f"{codes.size} bytes do not hold {count} codes of 4 bits")
    block = _block(state.get("blocksize"))
    absmax = member(entries, stem, ".absmax", ("F32", "U8"))
    blocks = -(-count // block)
    require(absmax.parameters == blocks, f"{absmax.parameters} absmax for {blocks} blocks")
    table = member(entries, stem, ".quant_map", ("F32",))
    require(table.parameters == 16, f"its quant_map has {table.parameters} entries")
    parts, numbers = {"codes": codes, "scales": absmax, "map": table}, {"size": block}
    if absmax.dtype == "U8":
        nested = _block(state.get("nested_blocksize"))
        outer = member(entries, stem, ".nested_absmax", ("F32",))
        require(outer.parameters == -(-blocks // nested), f"{outer.parameters} nested absmax for {blocks} blocks")
        inner = member(entries, stem, ".nested_quant_map", ("F32",))
        require(inner.parameters == BYTE_CODES, f"its nested_quant_map has {inner.parameters} entries")
        parts |= {"nested_scales": outer, "nested_map": inner}
        numbers |= {"nested_size": nested, "offset_bits": _bits_of(state.get("nested_offset"))}
    return logical(stem, kind.upper(), shape, method="bitsandbytes-4bit", parts=parts, numbers=numbers, own=codes)


def _shape(value: Any) -> tuple[int, ...]:
    found = cast(list[Any], value) if isinstance(value, list) else []
    if not 1 <= len(found) <= 8 or not all(type(extent) is int and 0 < extent < 1 << 48 for extent in found):
        raise Unfit("its quant_state has no shape")
    return tuple(found)


def _block(value: Any) -> int:
    if type(value) is not int or not 2 <= value <= BLOCK_CAP or value % 2:
        raise Unfit("its quant_state has no even blocksize")
    return value


def _bits_of(value: Any) -> int:
    """A finite number as the bits of a float64, for a packing holds integers."""
    if type(value) is not float or not math.isfinite(value):
        raise Unfit("its quant_state has no nested_offset")
    return int(np.float64(value).view(np.int64))
