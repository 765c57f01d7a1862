"""Groups of 32-bit words packed across a linear layer: GPTQ and AWQ.

Here lives: their recognition. Not here: decoding (`readers.packed_integers`).

Both store `qweight`, `qzeros` and `scales`, GPTQ mostly `g_idx` too. GPTQ packs along the inputs, qweight (in · b / 32,
out); AWQ (the layout "gemm") along the outputs, qweight (in, out · b / 32): the shapes tell them apart.
"""

from __future__ import annotations

from shadowgraph.errors import printable
from shadowgraph.weights.groups.declared import Declared
from shadowgraph.weights.groups.group import (
    FLOATS,
    Entries,
    Group,
    Unfit,
    groups_of,
    logical,
    member,
    require,
    settled,
)
from shadowgraph.weights.tensor import TensorEntry

BITS = (2, 3, 4, 8)
WORD = 32
LAYOUTS = {"gptq": {"": 1, "gptq": 1, "gptq_v2": 0}, "awq": {"": 0, "gemm": 0}}
"""Layouts that are read, with what is added to a stored zero."""


def words(stem: str, entries: Entries, declared: Declared) -> Group:
    """The group of a `qweight`.

    Args:
        stem: its name without the ending.
        entries: all stored tensors.
        declared: what the configuration says.
    """
    method = "GPTQ or AWQ"

    def fit() -> TensorEntry:
        nonlocal method
        qweight = member(entries, stem, ".qweight", ("I32",), 2)
        scales = member(entries, stem, ".scales", FLOATS, 2)
        zeros = member(entries, stem, ".qzeros", ("I32",), 2)
        require(zeros.shape[0] == scales.shape[0], f"{zeros.shape[0]} rows of zeros, {scales.shape[0]} of scales")
        if qweight.shape[1] == scales.shape[1]:
            method = "GPTQ"
            return _gptq(stem, entries, (qweight, scales, zeros), declared)
        if qweight.shape[1] * WORD == scales.shape[1] * 4:
            method = "AWQ"
            return _awq(stem, (qweight, scales, zeros), declared)
        shapes = f"{list(qweight.shape)} with scales of {list(scales.shape)}"
        raise Unfit(f"its shapes are those of no known layout, {shapes}")

    others = (f"{stem}.qzeros", f"{stem}.scales", f"{stem}.g_idx")
    found = settled(method, f"{stem}.qweight", others, entries, fit)
    return Group(method, found.owner, found.members, found.entry, found.reason)


def _layout(method: str, declared: Declared) -> int:
    """What is added to a stored zero by the declared layout."""
    name = printable(declared.method, 40)
    require(declared.method in ("", method), f"config.json declares the method '{name}'")
    known = LAYOUTS[method]
    require(declared.layout in known, f"its layout '{printable(declared.layout, 40)}' is not read")
    return known[declared.layout]


def _gptq(
    stem: str, entries: Entries, stored: tuple[TensorEntry, TensorEntry, TensorEntry], declared: Declared
) -> TensorEntry:
    """GPTQ: without a configuration nothing says which of two conventions its zeros follow."""
    qweight, scales, zeros = stored
    require(bool(declared.method), "no quantization_config says how its zeros are counted")
    added = _layout("gptq", declared)
    order = member(entries, stem, ".g_idx", ("I32", "I64"), 1) if f"{stem}.g_idx" in entries else None
    outputs, inputs = scales.shape[1], 0 if order is None else order.parameters
    fitting = [
        bits
        for bits in BITS
        if zeros.shape[1] == -(-outputs * bits // WORD)
        and qweight.shape[0] * WORD % bits == 0
        and inputs in (0, qweight.shape[0] * WORD // bits)
    ]
    require(bool(fitting), f"its shapes {list(qweight.shape)} and {list(zeros.shape)} fit no number of bits")
    bits = _chosen(fitting, declared)
    inputs = qweight.shape[0] * WORD // bits
    parts = {"qweight": qweight, "qzeros": zeros, "scales": scales}
    if order is None:
        size = groups_of(inputs, scales.shape[0], None if declared.varied else declared.scheme.size)
    else:
        size, parts = 0, parts | {"g_idx": order}
    numbers = {"bits": bits, "size": size, "added": added}
    return logical(f"{stem}.weight", f"GPTQ-{bits}", (outputs, inputs), method="gptq", parts=parts, numbers=numbers)


def _chosen(fitting: list[int], declared: Declared) -> int:
    """The number of bits that shapes and configuration agree on."""
    wished = declared.scheme.bits
    if wished in fitting:
        return wished
    require(wished is None or declared.varied, f"config.json declares {wished} bits, its shapes give {fitting[0]}")
    require(len(fitting) == 1, "nothing says how many bits it has")
    return fitting[0]


def _awq(stem: str, stored: tuple[TensorEntry, TensorEntry, TensorEntry], declared: Declared) -> TensorEntry:
    """AWQ in the layout "gemm", which has four bits."""
    qweight, scales, zeros = stored
    _layout("awq", declared)
    wished = declared.scheme.bits
    require(wished in (None, 4) or declared.varied, f"config.json declares {wished} bits, its shapes give 4")
    require(zeros.shape[1] == qweight.shape[1], f"its zeros have {zeros.shape[1]} words a row, not {qweight.shape[1]}")
    inputs, outputs = qweight.shape[0], scales.shape[1]
    size = groups_of(inputs, scales.shape[0], None if declared.varied else declared.scheme.size)
    parts = {"qweight": qweight, "qzeros": zeros, "scales": scales}
    return logical(
        f"{stem}.weight", "AWQ-4", (outputs, inputs), method="awq", parts=parts, numbers={"bits": 4, "size": size}
    )
