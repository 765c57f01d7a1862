"""Groups of compressed-tensors and ModelOpt: packed integers, 8-bit integers and 4-bit floats, with their scales.

Here lives: their recognition. Not here: decoding; 8-bit floats with a scale (see `quantised`).
"""

from __future__ import annotations

import math

from shadowgraph.weights.groups.declared import Declared
from shadowgraph.weights.groups.group import (
    FLOATS,
    Entries,
    Group,
    Unfit,
    logical,
    member,
    require,
    scale_fits,
    settled,
)
from shadowgraph.weights.groups.small import numbers_of
from shadowgraph.weights.tensor import TensorEntry

BITS = (2, 4, 8)  # other numbers were packed in two ways by different versions of the library
WORD = 32
NVFP4_BLOCK, MXFP4_BLOCK = 16, 32
PARTS = ("weight_scale", "weight_zero_point", "weight_shape", "weight_g_idx", "weight_global_scale")
EIGHT_BIT_PARTS = ("weight_scale", "weight_zero_point")
MODELOPT_PARTS = ("weight_scale", "weight_scale_2")


def packed(stem: str, entries: Entries, declared: Declared) -> Group:
    """The group of a `weight_packed`: words of integers, or bytes of 4-bit floats."""
    kind = entries[f"{stem}.weight_packed"].dtype
    fit = (lambda: _words(stem, entries, declared)) if kind != "U8" else (lambda: _floats(stem, entries))
    others = tuple(f"{stem}.{part}" for part in PARTS)
    return settled("compressed-tensors", f"{stem}.weight_packed", others, entries, fit)


def eight_bit(stem: str, entries: Entries) -> Group:
    """The group of 8-bit integers under the plain name of a weight, one scale for all, a row, or a part of a row."""

    def fit() -> TensorEntry:
        weight = member(entries, stem, ".weight", ("I8",))
        require(len(weight.shape) >= 2, f"its weight has {len(weight.shape)} axes")
        scale = member(entries, stem, ".weight_scale", FLOATS)
        count = scale_fits(scale, weight.shape)
        parts = {"codes": weight, "scales": scale}
        if f"{stem}.weight_zero_point" in entries:
            zeros = member(entries, stem, ".weight_zero_point", ("I8",))
            require(zeros.parameters == scale.parameters, "its zero points are not as many as its scales")
            parts["zeros"] = zeros
        size = weight.shape[-1] // count
        return logical(
            f"{stem}.weight",
            "INT8",
            weight.shape,
            method="int8",
            parts=parts,
            numbers={"bits": 8, "size": size},
            own=weight,
        )

    others = tuple(f"{stem}.{part}" for part in EIGHT_BIT_PARTS)
    return settled("8-bit integers", f"{stem}.weight", others, entries, fit)


def modelopt(stem: str, entries: Entries) -> Group:
    """The group of NVFP4 as ModelOpt stores it: bytes under the plain name, and a second scale that multiplies."""

    def fit() -> TensorEntry:
        weight = member(entries, stem, ".weight", ("U8",))
        require(len(weight.shape) >= 2, f"its weight has {len(weight.shape)} axes")
        scale = member(entries, stem, ".weight_scale", ("F8_E4M3",))
        factor = member(entries, stem, ".weight_scale_2", ("F32",))
        return _nvfp4(stem, weight, scale, factor, divides=0, own=weight)

    others = tuple(f"{stem}.{part}" for part in MODELOPT_PARTS)
    return settled("NVFP4", f"{stem}.weight", others, entries, fit)


def _words(stem: str, entries: Entries, declared: Declared) -> TensorEntry:
    """Integers packed along the inputs into 32-bit words; their true number is in `weight_shape`."""
    codes = member(entries, stem, ".weight_packed", ("I32",))
    require(len(codes.shape) >= 2, f"its weight_packed has {len(codes.shape)} axes")
    shape = numbers_of(member(entries, stem, ".weight_shape", ("I64", "I32"), 1), 8)
    # Experts that were stacked after they were packed carry the shape of one.
    require(shape[:-1][-1:] == codes.shape[:-1][-1:], "its weight_shape contradicts its weight_packed")
    shape = (*codes.shape[:-1], shape[-1])
    fitting = [bits for bits in BITS if shape[-1] > 0 and -(-shape[-1] * bits // WORD) == codes.shape[-1]]
    require(bool(fitting), f"{codes.shape[-1]} words do not hold {shape[-1]} inputs of 2, 4 or 8 bits")
    known = [bits for bits in fitting if bits in declared.bits]
    require(bool(known) or not declared.bits, f"config.json declares other bits than its shapes, {fitting[0]}")
    require(len(known or fitting) == 1, "nothing says how many bits it has")
    bits = (known or fitting)[0]
    scale = member(entries, stem, ".weight_scale", FLOATS)
    count = scale_fits(scale, shape)
    parts = {"codes": codes, "scales": scale}
    if f"{stem}.weight_zero_point" in entries:
        parts["zeros"] = _zeros(stem, entries, shape, bits, scale)
    else:
        require(not declared.asymmetric, "it has no weight_zero_point, which config.json declares")
    if f"{stem}.weight_g_idx" in entries:
        order = member(entries, stem, ".weight_g_idx", ("I32", "I64"), 1)
        require(order.parameters == shape[-1], f"its weight_g_idx has {order.parameters} entries, not {shape[-1]}")
        parts["g_idx"] = order
    numbers = {"bits": bits, "size": shape[-1] // count}
    return logical(f"{stem}.weight", f"INT{bits}", shape, method="compressed-tensors", parts=parts, numbers=numbers)


def _zeros(stem: str, entries: Entries, shape: tuple[int, ...], bits: int, scale: TensorEntry) -> TensorEntry:
    """Zero points: packed along the outputs, or plain where one serves the whole tensor."""
    zeros = member(entries, stem, ".weight_zero_point", ("I32", "I8"))
    if zeros.dtype == "I8":
        require(zeros.parameters == scale.parameters, "its zero points are not as many as its scales")
        return zeros
    require(len(shape) == 2, "packed zero points of stacked experts are not read")
    count = scale.parameters // shape[0]
    require(zeros.shape == (-(-shape[0] * bits // WORD), count), f"the shape of its zero points, {list(zeros.shape)}")
    return zeros


def _floats(stem: str, entries: Entries) -> TensorEntry:
    """Bytes of two 4-bit floats: with a global scale NVFP4, without one MXFP4."""
    codes = member(entries, stem, ".weight_packed", ("U8",))
    require(len(codes.shape) >= 2, f"its weight_packed has {len(codes.shape)} axes")
    if f"{stem}.weight_global_scale" in entries:
        scale = member(entries, stem, ".weight_scale", ("F8_E4M3",))
        factor = member(entries, stem, ".weight_global_scale", ("F32",))
        return _nvfp4(stem, codes, scale, factor, divides=1)
    scale = member(entries, stem, ".weight_scale", ("U8", "F8_E8M0"))
    shape = (*codes.shape[:-1], codes.shape[-1] * 2)
    _require_blocks(shape, scale, MXFP4_BLOCK)
    parts = {"codes": codes, "scales": scale}
    return logical(f"{stem}.weight", "MXFP4", shape, method="mxfp4", parts=parts, numbers={"size": MXFP4_BLOCK})


def _nvfp4(
    stem: str,
    codes: TensorEntry,
    scale: TensorEntry,
    factor: TensorEntry,
    *,
    divides: int,
    own: TensorEntry | None = None,
) -> TensorEntry:
    if factor.parameters != 1:
        raise Unfit(f"{factor.parameters} global scales, one is read")
    shape = (*codes.shape[:-1], codes.shape[-1] * 2)
    _require_blocks(shape, scale, NVFP4_BLOCK)
    parts = {"codes": codes, "scales": scale, "factor": factor}
    numbers = {"size": NVFP4_BLOCK, "divides": divides}
    return logical(f"{stem}.weight", "NVFP4", shape, method="nvfp4", parts=parts, numbers=numbers, own=own)


def _require_blocks(shape: tuple[int, ...], scale: TensorEntry, size: int) -> None:
    wanted = (*shape[:-1], shape[-1] // size)
    shapes = f"{list(scale.shape[:8])} is not {list(wanted[:8])}"
    require(shape[-1] % size == 0 and math.prod(wanted) == math.prod(scale.shape), f"the shape of its scale, {shapes}")
