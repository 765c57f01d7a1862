"""Small GGUF files for tests, written by the official library.

Here live: `write` and blocks of random bytes. Not here: bad files (see tests/hostile/gguf_bytes.py), assertions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.seeds import generator

Array = NDArray[Any]


class Raw:
    """Stored bytes of a tensor (…, bytes of a row) and the number of their type."""

    def __init__(self, data: Array, kind: int) -> None:
        self.data = data
        self.kind = kind


def write(path: Path, tensors: Mapping[str, Array | Raw], architecture: str = "llama", **keys: Any) -> Path:
    """A file of these tensors; keys with __ for a dot, numbers as unsigned 32-bit ones.

    A key that begins with the architecture's name is written as it is, others under it.
    """
    from gguf import GGMLQuantizationType, GGUFWriter

    writer = GGUFWriter(path, architecture)
    if "alignment" in keys:
        writer.add_custom_alignment(keys.pop("alignment"))
    for name, value in keys.items():
        dotted = name.replace("__", ".")
        full = dotted if dotted.startswith(("general.", "split.", "tokenizer.")) else f"{architecture}.{dotted}"
        if isinstance(value, str):
            writer.add_string(full, value)
        elif isinstance(value, list):
            writer.add_array(full, value)
        elif isinstance(value, float):
            writer.add_float32(full, value)
        else:
            writer.add_uint32(full, value)
    for name, values in tensors.items():
        if isinstance(values, Raw):
            writer.add_tensor(name, values.data, raw_dtype=GGMLQuantizationType(values.kind))
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def blocks(rows: int, count: int, size: int, *labels: str) -> NDArray[np.uint8]:
    """Random bytes (rows, count · size) of so many blocks a row."""
    return generator(0, "gguf", *labels).integers(0, 256, (rows, count * size), dtype=np.uint8)


def numbers(*shape: int, label: str = "") -> NDArray[np.float32]:
    """Standard normal values, float32."""
    return generator(0, "gguf", label, str(shape)).standard_normal(shape).astype(np.float32)
