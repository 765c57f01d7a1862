"""Rows VA06, VA07 and VA14 of the fault list: packed groups that fit, that do not, and models made of them.

Here live: their makers. Not here: assertions, the list of all rows (see `badfiles`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from bad_values import GPTQ, MLX, STEM, UP, group, model
from badcase import Case, Maker, llama, save
from numpy.typing import NDArray

Content = dict[str, NDArray[Any]]
I32, F16, U8, F32, I64 = np.int32, np.float16, np.uint8, np.float32, np.int64
INPUTS, OUTPUTS = 64, 32
EXPERTS = "model.layers.0.mlp.experts.gate_up_proj"
BASE = "base"


def ones(**members: tuple[tuple[int, ...], Any]) -> Content:
    """Members of a group by the ends of their names, all ones."""
    return {f"{STEM}.{name}": np.ones(shape, kind) for name, (shape, kind) in members.items()}


WORDS = ones(qweight=((8, 32), I32), qzeros=((2, 4), I32), scales=((2, 32), F16), g_idx=((64,), I32))
AWQ = ones(qweight=((64, 4), I32), qzeros=((2, 4), I32), scales=((2, 32), F16))
COMPRESSED = ones(weight_packed=((32, 8), I32), weight_scale=((32, 2), F16)) | {
    f"{STEM}.weight_shape": np.array([OUTPUTS, INPUTS])
}
UNSIGNED = ones(weight=((32, 8), np.uint32), scales=((32, 2), F16), biases=((32, 2), F16))
EIGHT = ones(weight=((32, 64), np.int8), SCB=((32,), F32))
BLOCKS: Content = {f"{EXPERTS}_blocks": np.ones((2, 6, 3, 16), U8), f"{EXPERTS}_scales": np.ones((2, 6, 3), U8)}
STATE: dict[str, Any] = {"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [OUTPUTS, INPUTS]}
NESTED: dict[str, Any] = {"nested_blocksize": 4, "nested_dtype": "float32", "nested_offset": 0.1}
NOTE = f"{UP}.quant_state.bitsandbytes__nf4"
DOUBLE: Content = {
    f"{UP}.absmax": np.ones(32, U8),
    f"{UP}.nested_absmax": np.ones(8, F32),
    f"{UP}.nested_quant_map": np.ones(256, F32),
}
METHOD: dict[str, Any] = {"quant_method": "gptq", "bits": 4, "group_size": 32}


def four(state: object, members: Content | None = None) -> Content:
    """A bitsandbytes group with a state of any content."""
    text = state if isinstance(state, bytes) else json.dumps(state).encode()
    found: Content = {
        UP: np.ones((1024, 1), U8),
        f"{UP}.absmax": np.ones(32, F32),
        f"{UP}.quant_map": np.linspace(-1, 1, 16, dtype=F32),
        NOTE: np.frombuffer(text, dtype=U8),
    }
    return found | (members or {})


def without(members: Content, *ends: str) -> Content:
    return {name: values for name, values in members.items() if not name.endswith(ends)}


def folder(members: Content, key: str = "quantization_config", **declared: Any) -> Maker:
    """A small decoder one of whose matrices is a group, with what the configuration says of it."""

    def make(path: Path) -> None:
        path.mkdir()
        save(path / "model.safetensors", without(llama(), ".up_proj.weight") | members)
        (path / "config.json").write_text(json.dumps({"model_type": "llama", key: declared}))

    return make


def rounded_pair(path: Path) -> None:
    """A model whose matrices are rounded to four bits, beside the base it was rounded from."""
    content = llama(size=64)
    path.mkdir()
    path.with_name(BASE).mkdir()
    save(path.with_name(BASE) / "model.safetensors", content)
    found: Content = {}
    for name, values in content.items():
        parts = values.reshape(64, 2, 32)
        scales = (np.abs(parts).max(axis=2) / 7.0).astype(F32)
        codes = (np.rint(parts / scales[:, :, None]) + 8).astype(U8).reshape(64, 64)
        stem = name.removesuffix(".weight")
        found[f"{stem}.weight_packed"] = (codes[:, ::2] | codes[:, 1::2] << 4).view(I32)
        found[f"{stem}.weight_scale"] = scales
        found[f"{stem}.weight_shape"] = np.array(values.shape)
    save(path / "model.safetensors", found)


def left(name: str, make: Maker, *words: str) -> Case:
    """A group that is left out, with its reason."""
    return Case(name, make, 0, (*words, "1 group left out whole"), target="m")


def gptq(name: str, members: Content, reason: str, **declared: Any) -> Case:
    return left(f"VA07 GPTQ {name}", folder(members, **(METHOD | declared)), reason)


def compressed(name: str, changes: Content, reason: str, *gone: str, **declared: Any) -> Case:
    return left(f"VA07 compressed {name}", folder(without(COMPRESSED, *gone) | changes, **declared), reason)


def bitsandbytes(name: str, state: object, reason: str, members: Content | None = None) -> Case:
    return left(f"VA07 nf4 {name}", folder(four(state, members)), reason)


def mlx(name: str, members: Content, reason: str, **declared: Any) -> Case:
    usual: dict[str, Any] = {"bits": 4, "group_size": 32}
    return left(f"VA07 MLX {name}", folder(members, "quantization", **(usual | declared)), reason)


def read(name: str, members: Content, label: str, **declared: Any) -> Case:
    """A group that is dequantised."""
    said = (f"quantised ({label}): 1 tensor dequantised", "part of a quantised tensor")
    return Case(name, folder(members, **declared), 0, said, target="m", verb="scan")


SYMMETRIC = {"group_0": {"weights": {"num_bits": 4, "symmetric": True}}}
LOPSIDED = {"group_0": {"weights": {"num_bits": 4, "symmetric": False}}}
WIDE = {"group_0": {"weights": {"num_bits": 8, "symmetric": True}}}

PACKED_CASES: tuple[Case, ...] = (
    read("VA06", BLOCKS, "MXFP4"),
    left("VA06 scales", folder(BLOCKS | {f"{EXPERTS}_scales": np.ones((2, 6, 2), U8)}), "the shape of its scales"),
    left("VA06 bytes", folder(BLOCKS | {f"{EXPERTS}_blocks": np.ones((2, 6, 3, 15), U8)}), "a block of 15 bytes"),
    left("VA06 twice", folder(BLOCKS | {EXPERTS: np.ones((2, 6, 96), F16)}), "stored in another way too"),
    read("VA07 GPTQ", WORDS, "GPTQ-4", **METHOD),
    read("VA07 AWQ", AWQ, "AWQ-4"),
    read("VA07 nf4", four(STATE), "NF4"),
    read("VA07 nf4 nested", four(STATE | NESTED, DOUBLE), "NF4"),
    read("VA07 int8", EIGHT, "INT8"),
    read("VA07 compressed", COMPRESSED, "INT4", config_groups=SYMMETRIC),
    left("VA07 note", model(group(GPTQ)), "quantised (GPTQ): no quantization_config says how its zeros are counted"),
    left("VA07 MLX", model(group(MLX)), "packed group (MLX): config.json does not say its bits and group size"),
    gptq("zeros", without(WORDS, ".qzeros"), "it has no qzeros"),
    gptq("scales", without(WORDS, ".scales"), "it has no scales"),
    gptq("type", WORDS | {f"{STEM}.qweight": np.ones((8, 32), np.int64)}, "its qweight is of type I64"),
    gptq("axes", WORDS | {f"{STEM}.qweight": np.ones(256, I32)}, "its qweight has 1 axes"),
    gptq("empty", WORDS | {f"{STEM}.qweight": np.ones((0, 32), I32)}, "its qweight is empty"),
    gptq("rows", WORDS | {f"{STEM}.qzeros": np.ones((3, 4), I32)}, "3 rows of zeros, 2 of scales"),
    gptq("shapes", WORDS | {f"{STEM}.qweight": np.ones((8, 31), I32)}, "those of no known layout, [8, 31]"),
    gptq("order", WORDS | {f"{STEM}.g_idx": np.ones(63, I32)}, "fit no number of bits"),
    gptq("bits", WORDS, "config.json declares 8 bits, its shapes give 4", bits=8),
    gptq("groups", without(WORDS, ".g_idx"), "2 groups of 20 do not cover its 64 inputs", group_size=20),
    gptq("layout", WORDS, "its layout 'marlin' is not read", checkpoint_format="marlin"),
    gptq("method", WORDS, "config.json declares the method 'awq'", quant_method="awq"),
    gptq("twice", WORDS | {UP: np.ones((32, 64), F16)}, "its weight is stored in another way too"),
    gptq("shared", WORDS | without(UNSIGNED, ".scales"), "it shares a member with another group"),
    Case(
        "VA07 GPTQ group",
        folder(WORDS | {f"{STEM}.g_idx": np.full(64, 2, I32)}, **METHOD),
        3,
        ("belongs to group 2 of 2",),
        target="m",
        verb="scan",
    ),
    left("VA07 AWQ layout", folder(AWQ, quant_method="awq", version="gemv"), "its layout 'gemv' is not read"),
    left("VA07 AWQ bits", folder(AWQ, quant_method="awq", bits=8), "config.json declares 8 bits"),
    left("VA07 AWQ zeros", folder(AWQ | {f"{STEM}.qzeros": np.ones((2, 5), I32)}), "its zeros have 5 words"),
    compressed("shape", {}, "it has no weight_shape", ".weight_shape"),
    compressed("long shape", {f"{STEM}.weight_shape": np.ones(9, I64)}, "9 numbers where at most 8 are expected"),
    compressed("other shape", {f"{STEM}.weight_shape": np.array([31, 64])}, "contradicts its weight_packed"),
    compressed("huge shape", {f"{STEM}.weight_shape": np.array([32, 1 << 62])}, "8 words do not hold"),
    compressed("below zero", {f"{STEM}.weight_shape": np.array([32, -64])}, "8 words do not hold -64"),
    compressed("bits", {}, "declares other bits than its shapes, 4", config_groups=WIDE),
    compressed("zeros", {}, "it has no weight_zero_point", config_groups=LOPSIDED),
    compressed("scale", {f"{STEM}.weight_scale": np.ones((32, 3), F16)}, "[32, 3] does not fit [32, 64]"),
    compressed("order", {f"{STEM}.weight_g_idx": np.ones(63, I32)}, "weight_g_idx has 63 entries, not 64"),
    compressed("floats", {f"{STEM}.weight_packed": np.ones((32, 32), U8)}, "its weight_scale is of type F16"),
    bitsandbytes("text", b"\xff{", "its quant_state is not UTF-8"),
    bitsandbytes("cut", b'{"a":', "its quant_state is not JSON"),
    bitsandbytes("deep", b"[" * 60_000, "nested too deep"),
    bitsandbytes("long", b" " * (1 << 17), "its quant_state has 131072 bytes"),
    bitsandbytes("list", [1], "its quant_state is no object"),
    bitsandbytes("kind", STATE | {"quant_type": "fp4"}, "its quant_type is neither nf4 nor fp4"),
    bitsandbytes("no shape", STATE | {"shape": None}, "its quant_state has no shape"),
    bitsandbytes("shape", STATE | {"shape": [32, -64]}, "its quant_state has no shape"),
    bitsandbytes("huge shape", STATE | {"shape": [1 << 40, 1 << 40]}, "1024 bytes do not hold"),
    bitsandbytes("truth", STATE | {"shape": [True, 2048]}, "its quant_state has no shape"),
    bitsandbytes("block", STATE | {"blocksize": 0}, "has no even blocksize"),
    bitsandbytes("odd block", STATE | {"blocksize": 63}, "has no even blocksize"),
    bitsandbytes("absmax", STATE, "31 absmax for 32 blocks", {f"{UP}.absmax": np.ones(31, F32)}),
    bitsandbytes("map", STATE, "its quant_map has 15 entries", {f"{UP}.quant_map": np.ones(15, F32)}),
    bitsandbytes("outer", STATE | NESTED, "it has no nested_absmax", {f"{UP}.absmax": np.ones(32, U8)}),
    bitsandbytes("offset", STATE | NESTED | {"nested_offset": "1"}, "has no nested_offset", DOUBLE),
    Case(
        "VA07 nf4 table",
        folder(four(STATE, {f"{UP}.quant_map": np.full(16, np.nan, F32)})),
        3,
        ("holds values that are not finite",),
        target="m",
        verb="scan",
    ),
    Case(
        "VA07 nf4 NaN",
        folder(four(STATE, {f"{UP}.absmax": np.full(32, np.nan, F32)})),
        0,
        ("non-finite: 2048 ",),
        target="m",
        verb="scan",
    ),
    left("VA07 int8 rows", folder(EIGHT | {f"{STEM}.SCB": np.ones(31, F32)}), "31 SCB for 32 rows"),
    left("VA07 int8 turned", folder(EIGHT | {f"{STEM}.weight_format": np.full(1, 2, U8)}), "in the layout 2"),
    mlx("biases", without(UNSIGNED, ".biases"), "it has no biases"),
    mlx("bits", UNSIGNED, "config.json declares 7 bits in groups of 32", bits=7),
    mlx("group", UNSIGNED, "the shape of its scales or biases", group_size=64),
    mlx("mode", UNSIGNED, "its mode 'mxfp4' is not read", mode="mxfp4"),
    mlx("own", UNSIGNED, "config.json declares that it is not quantised", **{STEM: False}),
    Case("VA14 four bits", rounded_pair, 4, ("SG002", "rounding", "inconclusive"), "m", "audit", BASE),
)
