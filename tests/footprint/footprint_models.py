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
