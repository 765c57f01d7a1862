"""One bad input: how it is made, what is done with it, and what must be said; with the bricks to make it from.

Here live: `Case` and makers of small files. Not here: the rows themselves, assertions.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from shadowgraph.seeds import generator

Maker = Callable[[Path], None]
During = Callable[[pytest.MonkeyPatch, Path], None]

INDEX = "model.safetensors.index.json"
NAMES = {
    np.uint32: "U32",
    ml_dtypes.bfloat16: "BF16",
    ml_dtypes.float8_e4m3fn: "F8_E4M3",
    ml_dtypes.float8_e5m2: "F8_E5M2",
    ml_dtypes.float8_e8m0fnu: "F8_E8M0",
    np.float64: "F64",
    np.float32: "F32",
    np.float16: "F16",
    np.int64: "I64",
    np.int32: "I32",
    np.int8: "I8",
    np.uint8: "U8",
    np.bool_: "BOOL",
}
PARTS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
LAYER = (*PARTS, "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")


@dataclass(frozen=True)
class Case:
    """One bad input.

    `code` is the exit code, 0 for accepted; `words` must stand in the message, or in the notes and reasons. `verb` is
    "inspect", "scan" or "audit"; `base` names the base made beside the model; `during` meddles while it is read.
    """

    id: str
    make: Maker
    code: int
    words: tuple[str, ...]
    target: str = "model.safetensors"
    verb: str = "inspect"
    base: str = ""
    stable_for: float = 0.0
    during: During | None = None
    slow: bool = False

    @property
    def row(self) -> str:
        """The row of the list it stands for: the first word of the id."""
        return self.id.split(" ")[0]


def packed(header: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    """A file of the format: length, header, body."""
    return struct.pack("<Q", len(header) if length is None else length) + header + body


def tensor(dtype: str, shape: list[int], begin: int, end: int, **extra: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end], **extra}


def written(header: object, body: bytes = b"") -> Maker:
    return raw(packed(json.dumps(header).encode(), body))


def raw(data: bytes) -> Maker:
    def make(path: Path) -> None:
        path.write_bytes(data)

    return make


def save(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write any types the format knows, also those the official numpy writer does not."""
    header: dict[str, Any] = {}
    body: list[bytes] = []
    position = 0
    for name, values in tensors.items():
        data = np.ascontiguousarray(values).tobytes()
        header[name] = tensor(NAMES[values.dtype.type], list(values.shape), position, position + len(data))
        body.append(data)
        position += len(data)
    path.write_bytes(packed(json.dumps(header).encode(), b"".join(body)))


def llama(seed: int = 0, layers: int = 1, size: int = 6, prefix: str = "model.") -> dict[str, NDArray[Any]]:
    """The block matrices of a small decoder, float32."""
    return {
        f"{prefix}layers.{layer}.{part}.weight": generator(seed, "bad", str(layer), part)
        .standard_normal((size, size))
        .astype(np.float32)
        for layer in range(layers)
        for part in LAYER
    }


def llama_file(path: Path) -> None:
    save(path, llama())


def sharded(path: Path, **changes: Any) -> None:
    """A folder with two shards, an index and a configuration."""
    path.mkdir(parents=True)
    content = llama()
    first = dict(list(content.items())[:4])
    second = {name: values for name, values in content.items() if name not in first}
    save(path / "a.safetensors", first)
    save(path / "b.safetensors", second)
    index(path, {n: "a.safetensors" for n in first} | {n: "b.safetensors" for n in second}, total_size=7 * 144)
    (path / "config.json").write_text(json.dumps({"model_type": "llama"} | changes))


def index(path: Path, weight_map: object, **metadata: Any) -> None:
    (path / INDEX).write_text(json.dumps({"metadata": metadata, "weight_map": weight_map}))
