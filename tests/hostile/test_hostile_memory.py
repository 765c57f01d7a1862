"""Memory of reading and pairing: 2.5 times the largest matrix in float32 and 200 MB, whatever the layout on the disk.

Every measurement is a program of its own on files whose data are a hole; rows alone are the rows of the whole.
"""

import json
import math
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from bad_values import VALUE_CASES
from badcase import packed, save, tensor
from badfiles import made
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.pairing import pair
from shadowgraph.weights.readers.values import read_values

BITS = {"BF16": 16, "F32": 32, "F8_E4M3": 8, "F8_E8M0": 8}
MEGABYTE = 1e6
ATTENTION = "gpt_neox.layers.0.attention.query_key_value.weight"
FUSED = "transformer.h.0.attn.c_attn.weight"
EXPERTS = "model.layers.0.mlp.experts.gate_up_proj"
UP = "model.layers.0.mlp.up_proj.weight"
EMBEDDING = "model.embed_tokens.weight"

PROBE = """
import json, sys
from pathlib import Path
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.pairing import pair
def peak():  # the high-water mark of this program alone, in bytes
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
what, folders = sys.argv[1], sys.argv[2:]
models = [open_checkpoint(folder) for folder in folders]
matrices = list(models[0].matrices())
if what == "blocks":
    for matrix in matrices:
        for row in range(0, matrix.shape[0], 4096):
            matrix.load((row, min(row + 4096, matrix.shape[0])))
elif what == "whole":
    for matrix in matrices:
        matrix.load()
else:
    for update in pair(*models).updates:
        update.difference()
print(json.dumps({"peak": peak(), "largest": max(m.parameters for m in matrices), "matrices": len(matrices)}))
"""


@dataclass(frozen=True)
class Layout:
    """What lies in the file, and how many matrices it holds."""

    name: str
    tensors: dict[str, tuple[str, tuple[int, ...]]]
    matrices: int
    config: dict[str, Any] = field(default_factory=dict[str, Any])

    def __str__(self) -> str:
        return self.name


PLAIN = Layout("plain", {UP: ("BF16", (8192, 4096))}, 1)
BLOCKS = Layout("blocks of 128", {UP: ("F8_E4M3", (8192, 4096)), f"{UP}_scale_inv": ("F32", (64, 32))}, 1)
FINE = Layout("blocks of 32", {UP: ("F8_E4M3", (8192, 4096)), f"{UP}_scale": ("F8_E8M0", (8192, 128))}, 1)
LAYOUTS = (
    PLAIN,
    BLOCKS,
    FINE,
    Layout("turned, fused", {FUSED: ("F32", (4096, 12288))}, 3, {"model_type": "gpt2"}),
    Layout(
        "fused by head",
        {ATTENTION: ("BF16", (12288, 4096))},
        3,
        {"model_type": "gpt_neox", "num_attention_heads": 32},
    ),
    Layout("stacked, turned", {EXPERTS: ("BF16", (4, 2880, 5760))}, 8, {"model_type": "gpt_oss", "hidden_size": 2880}),
)


def hollow(folder: Path, layout: Layout) -> str:
    folder.mkdir()
    header: dict[str, Any] = {}
    position = 0
    for name, (kind, shape) in layout.tensors.items():
        size = math.prod(shape) * BITS[kind] // 8
        header[name] = tensor(kind, list(shape), position, position + size)
        position += size
    text = packed(json.dumps(header).encode())
    with (folder / "model.safetensors").open("wb") as stream:
        stream.write(text)
        stream.truncate(len(text) + position)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"} | layout.config))
    return str(folder)


def probed(what: str, *folders: str) -> dict[str, int]:
    done = subprocess.run([sys.executable, "-c", PROBE, what, *folders], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def promised(found: dict[str, int]) -> float:
    return 2.5 * 4 * found["largest"] + 200 * MEGABYTE


@pytest.mark.parametrize("what", ["whole", "pair"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.slow
def test_the_promise_is_kept(layout: Layout, what: str, tmp_path: Path) -> None:
    folders = [hollow(tmp_path / side, layout) for side in ("base", "tuned")]
    found = probed(what, *folders)
    print(f"{layout} {what}: {found['peak'] / MEGABYTE:.0f} of {promised(found) / MEGABYTE:.0f} MB")  # noqa: T201
    assert found["matrices"] == layout.matrices
    assert found["peak"] <= promised(found)


@pytest.mark.slow
def test_an_eight_bit_base_against_a_wider_model(tmp_path: Path) -> None:
    found = probed("pair", hollow(tmp_path / "base", BLOCKS), hollow(tmp_path / "tuned", PLAIN))
    assert found["peak"] <= promised(found)


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3"])
def test_a_large_embedding_by_rows_takes_the_memory_of_its_blocks(kind: str, tmp_path: Path) -> None:
    """Blocks of 4096 × 1024 in float64 are 34 MB; the whole would be 1,074 MB."""
    scale = {f"{EMBEDDING}_scale_inv": ("F32", (1024, 8))} if kind == "F8_E4M3" else {}
    layout = Layout(kind, {EMBEDDING: (kind, (131_072, 1024)), **scale}, 1)
    assert probed("blocks", hollow(tmp_path / "model", layout))["peak"] <= 140 * MEGABYTE


def test_rows_of_ten_millions_and_an_embedding_of_billions_are_inspected_in_little_memory(tmp_path: Path) -> None:
    path = made(next(case for case in VALUE_CASES if case.id == "VA10"), tmp_path)
    code = "import sys; from shadowgraph.cli.main import main; code = main(['inspect', sys.argv[1]]); " + (
        "print([l for l in open('/proc/self/status') if l.startswith('VmHWM')][0].split()[1], file=sys.stderr); "
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "262144×8192" in done.stdout
    assert int(done.stderr) * 1024 <= 150 * MEGABYTE


SHAPES: dict[str, tuple[dict[str, tuple[int, ...]], dict[str, Any]]] = {
    "plain": ({UP: (12, 8)}, {}),
    "turned, fused": ({FUSED: (8, 24), "transformer.h.0.mlp.c_fc.weight": (8, 20)}, {"model_type": "gpt2"}),
    "fused by head": ({ATTENTION: (24, 8)}, {"model_type": "gpt_neox", "num_attention_heads": 2}),
    "stacked, turned": ({EXPERTS: (3, 8, 12)}, {"model_type": "gpt_oss", "hidden_size": 8}),
    "patches": (
        {
            "vision_model.embeddings.patch_embedding.weight": (6, 3, 2, 2),
            "vision_model.encoder.layers.0.self_attn.q_proj.weight": (6, 6),
        },
        {"model_type": "clip_vision_model"},
    ),
}


@given(data=st.data(), kind=st.sampled_from(["F32", "F8_E4M3"]), layout=st.sampled_from(list(SHAPES)))
def test_rows_are_the_rows_of_the_whole(
    data: st.DataObject, kind: str, layout: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """load((a, b)) = load()[a:b] and D likewise, for every layout and with block scales."""
    shapes, config = SHAPES[layout]
    folder = tmp_path_factory.mktemp("rows")
    for side in ("base", "tuned"):
        content: dict[str, Any] = {}
        for name, shape in shapes.items():
            values = generator(0, side, name).standard_normal(shape)
            if kind == "F32":
                content[name] = values.astype(np.float32)
            else:
                content[name] = values.astype(ml_dtypes.float8_e4m3fn)
                grid = (*shape[:-1], shape[-1] // 2)
                content[f"{name}_scale"] = generator(1, name).uniform(0.5, 2, grid).astype(np.float32)
        (folder / side).mkdir()
        save(folder / side / "model.safetensors", content)
        (folder / side / "config.json").write_text(json.dumps({"model_type": "llama"} | config))
    updates = pair(open_checkpoint(folder / "base"), open_checkpoint(folder / "tuned")).updates
    assert len(updates) >= len(shapes)
    for update in updates:
        whole = update.after.load()
        first = data.draw(st.integers(0, update.shape[0] - 1))
        last = data.draw(st.integers(first + 1, update.shape[0]))
        assert whole.shape == update.after.shape
        assert np.array_equal(update.after.load((first, last)), whole[first:last])
        assert np.array_equal(update.difference((first, last)), update.difference()[first:last])
        assert np.array_equal(update.difference(), whole - update.before.load())
        if layout == "turned, fused":
            stored = read_values(update.after.source).T
            at = "qkv".index(update.role.slot) * 8 if update.role.slot in "qkv" else 0
            assert np.array_equal(whole, stored[at : at + update.shape[0]])
