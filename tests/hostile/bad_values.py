"""Rows VA of the fault list: values, element types and shapes that must be counted, dequantised or left out.

Here live: their makers. Not here: assertions, the list of all rows (see `badfiles`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from badcase import Case, Maker, llama, packed, save, tensor
from numpy.typing import NDArray

Content = dict[str, NDArray[Any]]
Change = Callable[[Content], None]

Q = "model.layers.0.self_attn.q_proj.weight"
UP = "model.layers.0.mlp.up_proj.weight"
STEM = "model.layers.0.mlp.up_proj"


def model(change: Change) -> Maker:
    """A small decoder, changed."""

    def make(path: Path) -> None:
        content = llama()
        change(content)
        save(path, content)

    return make


def pair(change: Change) -> Maker:
    """A small decoder, changed, beside its unchanged base."""

    def make(path: Path) -> None:
        save(path.with_name("base.safetensors"), llama())
        model(change)(path)

    return make


def spoilt(value: float, everywhere: bool = False, everything: bool = False) -> Change:
    def change(content: Content) -> None:
        for name in content if everything else [Q]:
            if everywhere:
                content[name][:] = value
            else:
                content[name][2, 3] = value

    return change


def zeros(content: Content) -> None:
    content[Q][:] = 0


def constant(content: Content) -> None:
    content[Q][:] = 3


def identity(content: Content) -> None:
    content[Q] = np.eye(6, dtype=np.float32)
    content[UP] = np.outer(np.arange(1, 7), np.ones(6)).astype(np.float32)


def extremes(content: Content) -> None:
    content[Q] = np.full((6, 6), 6e4, dtype=np.float16)
    content[UP] = np.full((6, 6), 6e-8, dtype=np.float16)
    content[Q.replace("q_proj", "k_proj")] = np.full((6, 6), 3.3e38, dtype=ml_dtypes.bfloat16)
    content[Q.replace("q_proj", "v_proj")] = np.full((6, 6), 1e-40, dtype=ml_dtypes.bfloat16)


def eight_bit(kind: type, scale: NDArray[Any] | None, suffix: str = "_scale_inv") -> Change:
    def change(content: Content) -> None:
        content[Q] = content[Q].astype(kind)
        if scale is not None:
            content[Q + suffix] = scale

    return change


def two_scales(content: Content) -> None:
    eight_bit(E4M3, ONE)(content)
    content[Q + "_scale"] = ONE


def loose_scales(content: Content) -> None:
    content[UP + "_scale"] = np.ones((6, 1), np.float32)
    content[STEM + "s.weight_scale_inv"] = np.ones((6, 6), np.float32)


def element(dtype: str, bits: int) -> Maker:
    """One matrix of a type that is listed and never decomposed."""

    def make(path: Path) -> None:
        size = 4 * 4 * bits // 8
        path.write_bytes(packed(json.dumps({Q: tensor(dtype, [4, 4], 0, size)}).encode(), b"\1" * size))

    return make


def of_rank(shape: tuple[int, ...]) -> Change:
    return lambda content: content.update({Q: np.ones(shape, np.float32)})


def all_eight_bit(content: Content) -> None:
    for name in list(content):
        content[name] = (content[name] * 16).astype(ml_dtypes.float8_e4m3fn)
        content[name + "_scale"] = np.full((1,), 1 / 16, dtype=np.float32)


def group(members: Content, removed: str = UP) -> Change:
    def change(content: Content) -> None:
        content.pop(removed)
        content.update(members)

    return change


def packed_only(path: Path) -> None:
    save(path, GPTQ)


def added(**members: NDArray[Any]) -> Change:
    return lambda content: content.update({name.replace("__", "."): values for name, values in members.items()})


def shapes(content: Content) -> None:
    content["model.norm.weight"] = np.ones(6, dtype=np.float32)
    content["model.scalar"] = np.ones((), dtype=np.float32)
    content["model.none"] = np.ones((0, 6), dtype=np.float32)
    content["model.none_either"] = np.ones((6, 0), dtype=np.float32)
    content["model.row"] = np.ones((1, 6), dtype=np.float32)


def large(path: Path) -> None:
    """A row of ten million and a large embedding, as holes in a file."""
    embedding = 262_144 * 8_192 * 2
    header = {
        "lm_head.weight": tensor("BF16", [1, 10_000_000], 0, 20_000_000),
        "model.embed_tokens.weight": tensor("BF16", [262_144, 8_192], 20_000_000, 20_000_000 + embedding),
    }
    text = json.dumps(header).encode()
    with path.open("wb") as stream:
        stream.write(packed(text))
        stream.truncate(8 + len(text) + 20_000_000 + embedding)


def tied(content: Content) -> None:
    content["model.embed_tokens.weight"] = np.ones((8, 6), dtype=np.float32)
    content["lm_head.weight"] = np.ones((8, 6), dtype=np.float32)


def tied_folder(path: Path) -> None:
    path.mkdir()
    model(tied)(path / "model.safetensors")
    (path / "config.json").write_text('{"model_type": "llama", "tie_word_embeddings": true}')


I32, F16, U8, F32 = np.int32, np.float16, np.uint8, np.float32
GPTQ: Content = {
    f"{STEM}.qweight": np.ones((2, 6), I32),
    f"{STEM}.qzeros": np.ones((2, 2), I32),
    f"{STEM}.scales": np.ones((2, 6), F16),
    f"{STEM}.g_idx": np.ones(6, I32),
}
MLX: Content = {
    UP: np.ones((6, 2), np.uint32),
    f"{STEM}.scales": np.ones((6, 2), F16),
    f"{STEM}.biases": np.ones((6, 2), F16),
}

E4M3, E5M2, E8M0 = ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float8_e8m0fnu
ONE = np.full((1, 1), 0.5, dtype=F32)
TWO = np.full((6, 1), 0.5, dtype=ml_dtypes.bfloat16)
UNFIT = np.full((4, 4), 0.5, dtype=F32)
BASE = "base.safetensors"

VALUE_CASES: tuple[Case, ...] = (
    Case("VA01 one NaN", model(spoilt(np.nan)), 0, ("non-finite: 1 ", "[2, 3]"), verb="scan"),
    Case("VA01 all NaN", model(spoilt(np.nan, True)), 0, ("non-finite: 36 ", "[0, 0]"), verb="scan"),
    Case("VA01 one Inf", model(spoilt(np.inf)), 0, ("non-finite: 1 ",), verb="scan"),
    Case("VA01 all Inf", model(spoilt(-np.inf, True)), 0, ("non-finite: 36 ",), verb="scan"),
    Case("VA01 everything", model(spoilt(np.nan, True, True)), 3, ("no matrix could be analysed",), verb="scan"),
    Case("VA01 coverage", pair(spoilt(np.nan)), 4, ("SG003", "inconclusive"), verb="audit", base=BASE),
    Case("VA02 zeros", model(zeros), 0, ("no_change",), verb="scan"),
    Case("VA02 no change", pair(lambda _: None), 0, ("no_change", "no update"), verb="scan", base=BASE),
    Case("VA03 constant", model(constant), 0, (), verb="scan"),
    Case("VA03 identity and rank one", model(identity), 0, (), verb="scan"),
    Case("VA04", model(extremes), 0, (), verb="scan"),
    Case("VA05 E4M3", model(eight_bit(E4M3, ONE)), 0, ("scale of another tensor",), verb="scan"),
    Case("VA05 E5M2", model(eight_bit(E5M2, TWO, "_scale")), 0, ("scale of another tensor",), verb="scan"),
    Case("VA05 E8M0", model(eight_bit(E4M3, ONE.astype(E8M0))), 0, ("scale of another tensor",), verb="scan"),
    Case("VA05 alone", model(eight_bit(E4M3, None)), 0, ("fp8 without scale",)),
    Case("VA05 unfit", model(eight_bit(E4M3, UNFIT)), 0, ("[4, 4] does not fit [6, 6]",)),
    Case("VA05 odd scale", model(eight_bit(E4M3, np.ones(1, I32))), 0, ("its scale is of type I32",)),
    Case("VA05 two scales", model(two_scales), 0, ("two scales", "scale of another tensor")),
    Case("VA05 loose scales", model(loose_scales), 0, ("read as it is stored", "not there")),
    Case("VA05 NaN scale", model(eight_bit(E4M3, ONE * np.nan)), 0, ("non-finite: 36 ",), verb="scan"),
    Case("VA05 infinite scale", model(eight_bit(E4M3, ONE * np.inf)), 0, ("non-finite: 36 ",), verb="scan"),
    Case("VA05 zero scale", model(eight_bit(E4M3, ONE * 0)), 3, ("zero for values that are not",), verb="scan"),
    Case("VA05 negative scale", model(eight_bit(E4M3, -ONE)), 3, ("below zero", Q), verb="scan"),
    Case("VA05 empty scale", model(eight_bit(E4M3, ONE[:0])), 0, ("[0, 1] does not fit [6, 6]",)),
    Case(
        "VA07 cache", model(added(model__layers__0__self_attn__k_scale=np.ones(1, F32))), 0, ("scale of cached keys",)
    ),
    Case("VA07 nothing else", packed_only, 3, ("no matrix could be analysed",), verb="scan"),
    Case("VA08 I8", model(added(a=np.ones((2, 2), np.int8))), 0, ("I8: integer or boolean type",)),
    Case("VA08 U8", model(added(a=np.ones((2, 2), U8))), 0, ("U8: integer or boolean type",)),
    Case("VA08 I64", model(added(a=np.ones((2, 2), np.int64))), 0, ("I64: integer or boolean type",)),
    Case("VA08 BOOL", model(added(a=np.ones((2, 2), np.bool_))), 0, ("BOOL: integer or boolean type",)),
    *(
        Case(f"VA08 {dtype}", element(dtype, bits), 0, (f"{dtype}: {kind}",))
        for dtype, bits, kind in (
            ("F4", 4, "packed"),
            ("F6_E2M3", 6, "packed"),
            ("F8_E8M0", 8, "packed"),
            ("C64", 64, "complex"),
            ("U16", 16, "integer"),
            ("U64", 64, "integer"),
            ("F8_E4M3FNUZ", 8, "fp8 without scale"),
        )
    ),
    Case("VA09 q of rank 1", model(of_rank((6,))), 0, ("vector",)),
    Case("VA09 q of rank 0", model(of_rank(())), 0, ("scalar",)),
    Case("VA09", model(shapes), 0, ("vector", "scalar", "empty", "single row or column")),
    Case("VA10", large, 0, ("single row or column",)),
    Case("VA11", tied_folder, 0, ("tied to the embedding",), target="model"),
    Case("VA14", pair(all_eight_bit), 4, ("SG002", "rounding", "inconclusive"), verb="audit", base=BASE),
)
