"""Rows DI08 to DI21 again: unfinished saves, and the folders that other tools write.

Here live: their makers. Not here: assertions, the list of all rows (see `badfiles`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from bad_folders import file, folder, loose, single
from badcase import INDEX, Case, Maker, index, llama, packed, raw, save, sharded
from numpy.typing import NDArray

Content = dict[str, NDArray[Any]]


def first_shard(path: Path) -> None:
    """A save that has written one shard of two and no index."""
    path.mkdir(exist_ok=True)
    save(path / "model-00001-of-00002.safetensors", llama())


def growing(path: Path) -> None:
    """A shard whose header is written and whose data has not arrived."""
    sharded(path)
    os.truncate(path / "b.safetensors", (path / "b.safetensors").stat().st_size - 100)


def written_by(path: Path) -> None:
    """Two shards from two writers."""
    sharded(path)
    for name, writer in (("a", "pt"), ("b", "mlx")):
        place = path / f"{name}.safetensors"
        data = place.read_bytes()
        length = int.from_bytes(data[:8], "little")
        header = {"__metadata__": {"format": writer}} | json.loads(data[8 : 8 + length])
        place.write_bytes(packed(json.dumps(header).encode(), data[8 + length :]))


def indexed_single(layers: int) -> Maker:
    """One file with an index of its own, which may promise more than the file holds."""

    def make(path: Path) -> None:
        single(llama)(path)
        index(path, dict.fromkeys(llama(layers=layers), "model.safetensors"))

    return make


def old_shards(path: Path) -> None:
    sharded(path)
    save(path / "model.safetensors", llama(seed=1))


def below(*places: str) -> Maker:
    """Models one floor down."""

    def make(path: Path) -> None:
        for place in places:
            (path / place).parent.mkdir(parents=True, exist_ok=True)
            save(path / place, llama())

    return make


def subfolder(path: Path) -> None:
    path.mkdir()
    below("parts/a.safetensors")(path)
    index(path, dict.fromkeys(llama(), "parts/a.safetensors"))


def variants(path: Path) -> None:
    sharded(path)
    (path / "model.fp16.safetensors.index.json").write_bytes((path / INDEX).read_bytes())
    (path / INDEX).rename(path / "model.bf16.safetensors.index.json")


def pipe(name: str) -> Maker:
    def make(path: Path) -> None:
        sharded(path)
        (path / name).unlink()
        os.mkfifo(path / name)

    return make


def twofold(content: Content) -> Content:
    """Each matrix again, without the prefix."""
    return content | {name.removeprefix("model."): values for name, values in content.items()}


def experts(*numbers: int) -> Content:
    part = "model.layers.0.mlp.experts.{}.up_proj.weight"
    return {part.format(number): np.ones((4, 6), np.float32) for number in numbers}


def lookalike() -> Content:
    return llama() | {"mоdel.layers.0.mlp.up_proj.weight": np.ones((4, 4), np.float32)}


def numbered(number: str) -> Content:
    return llama() | {f"model.layers.{number}.mlp.up_proj.weight": np.ones((6, 6), np.float32)}


def nothing_in(header: bytes) -> Maker:
    return raw(packed(header))


M = "model"
LAYOUT_CASES: tuple[Case, ...] = (
    Case("DI01 name", folder(lambda p: index(p, dict.fromkeys(llama(), "x" * 5000))), 3, ("cannot be followed",), M),
    Case("DI01 configuration", folder(lambda p: index(p, dict.fromkeys(llama(), "config.json"))), 3, ("JSON text",), M),
    Case("DI01 pickle", folder(lambda p: index(p, dict.fromkeys(llama(), "b.bin"))), 3, ("b.bin", "missing"), M),
    Case("DI01 folder", folder(lambda p: index(p, dict.fromkeys(llama(), "."))), 3, ("a directory",), M),
    Case("DI02 own index", indexed_single(1), 0, ("self_attn",), M),
    Case("DI02 own index, more", indexed_single(2), 3, ("promises tensor", "layers.1"), M),
    Case("DI02 two variants", variants, 3, ("2 indexes", "model.bf16"), M),
    Case("DI02 two spellings", single(lambda: twofold(llama())), 3, ("two spellings of one matrix",), M),
    Case("DI06 pipe", pipe(INDEX), 3, ("a named pipe",), M),
    Case("DI06 shard pipe", pipe("b.safetensors"), 3, ("a named pipe", "b.safetensors"), M),
    Case("DI08 old shards", old_shards, 0, ("the single file is read", "2 other safetensors files"), M),
    Case("DI08 nothing else", loose("pytorch_model.bin"), 3, ("pytorch_model.bin", "content is a pickle"), M),
    Case("DI09 writers", written_by, 0, ("several writers (mlx, pt)",), M),
    Case("DI10 pipe", pipe("config.json"), 0, ("a named pipe", "names alone"), M),
    Case("DI10 mark", folder(file("config.json", b'\xef\xbb\xbf{"a":1}')), 0, ("BOM", "names alone"), M),
    Case("DI10 deep", folder(file("config.json", b'{"a":' * 50_000)), 0, ("nested too deep",), M),
    Case("DI10 NaN", folder(file("config.json", b'{"a":NaN}')), 0, ("NaN is not JSON",), M),
    Case(
        "DI10 digits",
        folder(file("config.json", b'{"model_type":"llama","num_hidden_layers":' + b"9" * 4000 + b"}")),
        0,
        ("declares 9999999999", "layers, 1 are stored"),
        M,
    ),
    Case("DI18 experts", single(lambda: experts(0, 1, 5)), 0, ("experts are missing in 1 of 1 layers",), M),
    Case("DI18 no tensor", nothing_in(b"{}"), 3, ("no tensor is stored",)),
    Case("DI18 metadata only", nothing_in(b'{"__metadata__":{"format":"pt"}}'), 3, ("no tensor is stored",)),
    Case("DI20 below", below("alpha/model.safetensors", "beta/model.safetensors"), 3, ("but in alpha, beta",), M),
    Case("DI20 epochs", below("epoch_1/model.safetensors", "epoch_2/model.safetensors"), 0, (), M),
    Case("DI20 tokens", below("step5-tokens1B/model.safetensors"), 0, (), M),
    Case("DI21 first shard", first_shard, 3, ("one shard of several", "wait"), M),
    Case(
        "DI21 one shard",
        lambda p: first_shard(p.parent),
        0,
        ("shard 1 of 2",),
        "model/model-00001-of-00002.safetensors",
    ),
    Case("DI21 size", growing, 3, ("truncated", "b.safetensors"), M),
    Case("DI21 settling", single(llama), 3, ("may be unfinished",), M, stable_for=3600),
    Case("DI22 lookalike", single(lookalike), 0, ("unknown",), M),
    Case("layer beyond all", single(lambda: numbered("9" * 200)), 0, ("unknown",), M),
    Case("negative layer", single(lambda: numbered("-1")), 0, ("unknown",), M),
    Case("capitals", below("MODEL.SAFETENSORS"), 0, ("self_attn",), M),
    Case("consolidated", folder(lambda p: save(p / "consolidated.safetensors", llama())), 0, ("not in the index",), M),
    Case("diffusers", below("unet/diffusion_pytorch_model.safetensors"), 3, ("but in unet",), M),
    Case("onnx", loose("model.onnx"), 3, ("model.onnx",), M),
    Case("original", loose("consolidated.00.pth", "params.json"), 3, ("consolidated.00.pth", "a pickle"), M),
    Case("subfolder", subfolder, 0, ("self_attn",), M),
    Case("the index itself", raw(b'{"weight_map": {}}'), 3, ("no weight_map",), INDEX),
)
