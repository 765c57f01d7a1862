"""Tiny checkpoints of Llama naming on disk, made from arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint

Matrix = NDArray[np.float64]
Tensors = dict[str, Matrix]
DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
SLOTS = {"self_attn.q_proj": (24, 16), "self_attn.k_proj": (8, 16), "mlp.up_proj": (32, 16), "mlp.down_proj": (16, 32)}


def tensors(
    seed: int = 0, layers: int = 2, scale: float = 0.02, slots: Mapping[str, tuple[int, int]] = SLOTS
) -> Tensors:
    """Gaussian weights of `layers` layers and an embedding of 40 rows."""
    shapes = {f"model.layers.{layer}.{slot}.weight": shape for layer in range(layers) for slot, shape in slots.items()}
    shapes["model.embed_tokens.weight"] = (40, 16)
    return {name: scale * generator(seed, name).standard_normal(shape) for name, shape in shapes.items()}


def changed(start: Tensors, change: Callable[[str, Matrix], Matrix]) -> Tensors:
    """Every tensor plus its change."""
    return {name: values + change(name, values) for name, values in start.items()}


def saved(folder: Path, content: Tensors, dtype: str = "F64") -> Checkpoint:
    """Write one file and open it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.safetensors"
    save_file({name: np.ascontiguousarray(values.astype(DTYPES[dtype])) for name, values in content.items()}, path)
    return open_checkpoint(folder)


def gpt2_shapes(layers: int, width: int, first: int = 0) -> dict[str, tuple[int, int]]:
    """The four matrices a layer of GPT-2, stored (in, out): fused q, k and v, then o, up and down."""
    parts = {
        "attn.c_attn": (width, 3 * width),
        "attn.c_proj": (width, width),
        "mlp.c_fc": (width, 4 * width),
        "mlp.c_proj": (4 * width, width),
    }
    return {
        f"transformer.h.{layer}.{part}.weight": shape
        for layer in range(first, first + layers)
        for part, shape in parts.items()
    }


def llama_shapes(layers: int, width: int, hidden: int, keys: int, first: int = 0) -> dict[str, tuple[int, int]]:
    """The seven matrices a layer of Llama, `keys` outputs of k and of v."""
    parts = {
        "self_attn.q_proj": (width, width),
        "self_attn.k_proj": (keys, width),
        "self_attn.v_proj": (keys, width),
        "self_attn.o_proj": (width, width),
        "mlp.gate_proj": (hidden, width),
        "mlp.up_proj": (hidden, width),
        "mlp.down_proj": (width, hidden),
    }
    return {
        f"model.layers.{layer}.{part}.weight": shape
        for layer in range(first, first + layers)
        for part, shape in parts.items()
    }


def planted(
    shapes: Mapping[str, tuple[int, int]], directions: int, strength: float = 4.0, seed: int = 0
) -> tuple[Tensors, Tensors]:
    """A base, and the base plus noise with that many directions of equal size in it.

    Args:
        shapes: name → shape as stored.
        directions: how many in every tensor.
        strength: size of a direction over the edge √m + √n of the noise.
        seed: of everything.

    Returns:
        Before and after.
    """
    before: Tensors = {}
    after: Tensors = {}
    for name, (m, n) in shapes.items():
        stream = generator(seed, "planted", name)
        before[name] = 0.02 * stream.standard_normal((m, n))
        left, _ = np.linalg.qr(stream.standard_normal((m, directions)))
        right, _ = np.linalg.qr(stream.standard_normal((n, directions)))
        update = stream.standard_normal((m, n)) + strength * (m**0.5 + n**0.5) * left @ right.T
        after[name] = before[name] + 1e-4 * update
    return before, after
