"""Small models, and one of two gigabytes that exists only as its header, for the tests of the hub."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hub_server import Content, content
from numpy.typing import NDArray

from shadowgraph.seeds import generator

LINEARS = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
)
CONFIG = {"model_type": "llama", "num_hidden_layers": 2}


def packed(header: dict[str, Any], body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def tensors(seed: int = 0, layers: int = 2, size: int = 24) -> dict[str, NDArray[np.float32]]:
    return {
        f"model.layers.{layer}.{part}.weight": generator(seed, "hub", str(layer), part)
        .standard_normal((size, size))
        .astype(np.float32)
        for layer in range(layers)
        for part in LINEARS
    }


def saved(values: dict[str, NDArray[np.float32]]) -> bytes:
    header: dict[str, Any] = {}
    body = b""
    for name, array in values.items():
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + array.nbytes],
        }
        body += array.tobytes()
    return packed(header, body)


def model(seed: int = 0, **sizes: int) -> dict[str, Content]:
    """A repository with one file of weights, its configuration, and files that are nobody's business."""
    return {
        "config.json": content(json.dumps(CONFIG).encode(), lfs=False),
        "model.safetensors": content(saved(tensors(seed, **sizes))),
        "README.md": content(b"# model", lfs=False),
        "modeling_custom.py": content(b"raise SystemExit", lfs=False),
    }


def sharded(seed: int = 0, size: int = 24) -> dict[str, Content]:
    """The same in two shards with an index."""
    values = tensors(seed, size=size)
    names = list(values)
    parts = {"model-00001-of-00002.safetensors": names[:6], "model-00002-of-00002.safetensors": names[6:]}
    found = {part: content(saved({name: values[name] for name in held})) for part, held in parts.items()}
    index = {
        "metadata": {"total_size": sum(array.nbytes for array in values.values())},
        "weight_map": {name: part for part, held in parts.items() for name in held},
    }
    return {
        "config.json": content(json.dumps(CONFIG).encode(), lfs=False),
        "model.safetensors.index.json": content(json.dumps(index).encode(), lfs=False),
        **found,
    }


def huge(layers: int = 40, size: int = 1448) -> dict[str, Content]:
    """A repository of two gigabytes: 40 layers of six square matrices of 8.4 MB; all values are zero."""
    header: dict[str, Any] = {}
    end = 0
    for layer in range(layers):
        for part in LINEARS:
            begin, end = end, end + 4 * size * size
            header[f"model.layers.{layer}.{part}.weight"] = {
                "dtype": "F32",
                "shape": [size, size],
                "data_offsets": [begin, end],
            }
    front = packed(header)
    return {
        "config.json": content(json.dumps(CONFIG).encode(), lfs=False),
        "model.safetensors": Content(front, len(front) + end, digest="a" * 64),
    }
