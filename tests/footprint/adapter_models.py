"""Tiny adapters on disk as the PEFT library writes them, made from arrays, and the models they merge into."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from footprint_models import DTYPES, Matrix, Tensors
from safetensors.numpy import save_file

from shadowgraph.seeds import generator
from shadowgraph.weights.adapters.adapter import Adapter
from shadowgraph.weights.adapters.opened import open_model

Factors = dict[str, tuple[Matrix, Matrix]]
RANK, ALPHA = 4, 6.0


def factors(shapes: Mapping[str, tuple[int, int]], rank: int = RANK, seed: int = 0, size: float = 0.01) -> Factors:
    """Gaussian factors B (m, r) and A (r, n) of every weight (m, n), by its name in the base."""
    found: Factors = {}
    for name, (m, n) in shapes.items():
        stream = generator(seed, "factors", name)
        found[name] = size * stream.standard_normal((m, rank)), stream.standard_normal((rank, n))
    return found


def saved_adapter(
    folder: Path,
    content: Factors,
    *,
    rank: int = RANK,
    alpha: float = ALPHA,
    dtype: str = "F64",
    config: Mapping[str, Any] | None = None,
    beside: Tensors | None = None,
    name: str | None = None,
) -> Adapter:
    """Write an adapter and open it; `beside` are further tensors of its file, under their stored names."""
    place = folder if name in {None, "default"} else folder / str(name)
    place.mkdir(parents=True, exist_ok=True)
    stored: Tensors = dict(beside or {})
    for weight, (left, right) in content.items():
        module = f"base_model.model.{weight.removesuffix('.weight')}"
        stored |= {f"{module}.lora_B.weight": left, f"{module}.lora_A.weight": right}
    typed = {key: np.ascontiguousarray(values.astype(DTYPES[dtype])) for key, values in stored.items()}
    save_file(typed, place / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": alpha, "base_model_name_or_path": "org/base"}
    (place / "adapter_config.json").write_text(json.dumps(settings | dict(config or {})))
    opened = open_model(folder, name)
    assert isinstance(opened, Adapter)
    return opened


def merged(base: Tensors, content: Factors, scale: float = ALPHA / RANK) -> Tensors:
    """The base with every product added, in float64."""
    return {
        name: values + scale * content[name][0] @ content[name][1] if name in content else values
        for name, values in base.items()
    }
