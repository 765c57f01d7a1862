"""Packers of quantised matrices after the published layouts, sharing nothing with the readers.

Here live: codes to stored tensors, one function a method, and what the published formula makes of them.
Not here: assertions. Files that the libraries themselves wrote are in `packed_golden`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Members = dict[str, Array]
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
STEM = "model.layers.0.mlp.up_proj"
TYPES = {
    "uint32": "U32",
    "float8_e4m3fn": "F8_E4M3",
    "bfloat16": "BF16",
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
}


def write(folder: Path, members: Members, **config: Any) -> Path:
    """A model folder with one file of any types the format knows and a configuration of a Llama."""
    folder.mkdir(parents=True, exist_ok=True)
    header: dict[str, Any] = {}
    body, position = b"", 0
    for name, values in members.items():
        data = np.ascontiguousarray(values).tobytes()
        spot = [position, position + len(data)]
        header[name] = {"dtype": TYPES[values.dtype.name], "shape": list(values.shape), "data_offsets": spot}
        body, position = body + data, position + len(data)
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + body)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"} | config))
    return folder


def stream(codes: Array, bits: int) -> Array:
    """Codes (k, n) as 32-bit words (k, ⌈n · bits / 32⌉), bit after bit from the lowest."""
    single = (codes[..., np.newaxis].astype(np.int64) >> np.arange(bits)) & 1
    flat = single.reshape(codes.shape[0], -1).astype(np.uint8)
    flat = np.pad(flat, ((0, 0), (0, -flat.shape[1] % 32)))
    return np.packbits(flat, axis=1, bitorder="little").view("<i4")


def gptq(codes: Array, zeros: Array, scales: Array, groups: Array | None, bits: int, added: int) -> Members:
    """GPTQ of codes (out, in), zeros and scales (out, groups): `added` is 1 for the first version."""
    stored = (zeros.astype(np.int64) - added) % (1 << bits)
    found = {
        "qweight": stream(codes, bits).T,
        "qzeros": stream(stored.T, bits),
        "scales": scales.T,
    }
    return found if groups is None else found | {"g_idx": groups.astype(np.int32)}


def awq(codes: Array, zeros: Array, scales: Array) -> Members:
    """AWQ in the layout "gemm", of codes (out, in)."""

    def words(values: Array) -> Array:
        found = np.zeros((values.shape[0], values.shape[1] // 8), dtype=np.int64)
        for nibble, output in enumerate(AWQ_ORDER):
            found |= values[:, output::8].astype(np.int64) << (4 * nibble)
        return found.astype(np.uint32).view(np.int32)

    return {"qweight": words(codes.T), "qzeros": words(zeros.T), "scales": scales.T}


def compressed(codes: Array, zeros: Array | None, scales: Array, bits: int) -> Members:
    """compressed-tensors "pack-quantized" of codes that have 2^(bits − 1) added, as they are stored."""
    found = {
        "weight_packed": stream(codes, bits),
        "weight_scale": scales,
        "weight_shape": np.array(codes.shape, dtype=np.int64),
    }
    return found if zeros is None else found | {"weight_zero_point": np.ascontiguousarray(stream(zeros.T, bits).T)}


def mlx(codes: Array, scales: Array, biases: Array, bits: int) -> Members:
    return {"weight": stream(codes, bits).view(np.uint32), "scales": scales, "biases": biases}


def nibbles(codes: Array, *, high_first: bool) -> Array:
    """Two codes a byte, flat."""
    flat = codes.reshape(-1).astype(np.uint8)
    flat = np.pad(flat, (0, flat.size % 2))
    first, second = flat[::2], flat[1::2]
    return first << 4 | second if high_first else first | second << 4


def bitsandbytes(codes: Array, absmax: Array, table: Array, block: int, kind: str = "nf4", **nested: Any) -> Members:
    """bitsandbytes 4-bit of codes of any shape; `nested` holds what the outer quantisation adds."""
    note: dict[str, Any] = {"quant_type": kind, "blocksize": block, "dtype": "bfloat16", "shape": list(codes.shape)}
    note |= {key: value for key, value in nested.items() if not isinstance(value, np.ndarray)}
    text = np.frombuffer(json.dumps(note).encode(), dtype=np.uint8)
    arrays = {f"weight.{key}": value for key, value in nested.items() if isinstance(value, np.ndarray)}
    return {
        "weight": nibbles(codes, high_first=True)[:, np.newaxis],
        "weight.absmax": absmax,
        "weight.quant_map": table,
        f"weight.quant_state.bitsandbytes__{kind}": text,
    } | arrays


def under(stem: str, members: Members) -> Members:
    """Members with their full names."""
    return {f"{stem}.{name}": values for name, values in members.items()}


def affine(codes: Array, zeros: Array | None, scales: Array, groups: Array) -> NDArray[np.float64]:
    """(code − zero) · scale of the group of each input, in float64."""
    offset = 0.0 if zeros is None else zeros.astype(np.float64)[:, groups]
    return (codes.astype(np.float64) - offset) * scales.astype(np.float64)[:, groups]


def nearest(values: Array, bits: int, size: int) -> tuple[Array, Array, Array]:
    """Codes, zeros and scales of values (out, in) rounded to the nearest of a grid for every `size` inputs."""
    parts = values.reshape(values.shape[0], -1, size)
    low, high = np.minimum(parts.min(axis=2), 0.0), np.maximum(parts.max(axis=2), 0.0)
    most = (1 << bits) - 1
    scales = ((high - low) / (most - 1)).astype(np.float16)
    spread = scales.astype(np.float64)
    zeros = np.clip(np.rint(-low / spread), 1, most)
    codes = np.clip(np.rint(parts / spread[:, :, np.newaxis] + zeros[:, :, np.newaxis]), 0, most)
    return codes.reshape(values.shape).astype(np.uint8), zeros.astype(np.uint8), scales


def eight_bit_floats(values: Array) -> Array:
    return values.astype(ml_dtypes.float8_e4m3fn)
