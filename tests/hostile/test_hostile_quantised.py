"""Packed groups and scales: what they count as, and what is said of them."""

from pathlib import Path

import numpy as np
from bad_values import GPTQ, MLX, UP
from badcase import llama, save

from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint


def opened(path: Path, members: dict[str, np.ndarray]) -> Checkpoint:
    save(path / "model.safetensors", members)
    return open_checkpoint(path / "model.safetensors")


def test_packed_integers_are_no_parameters(tmp_path: Path) -> None:
    checkpoint = opened(tmp_path, dict(GPTQ))
    assert checkpoint.parameters == 0
    assert checkpoint.notes[0] == (
        "quantised (GPTQ or AWQ): 1 group left out whole, nothing of them can be analysed yet"
    )


def test_packed_groups_lower_the_share_analysed(tmp_path: Path) -> None:
    rest = {name: values for name, values in llama().items() if name != UP}
    checkpoint = opened(tmp_path, {**rest, **MLX})
    assert checkpoint.parameters == 6 * 36
    assert checkpoint.block_parameters == 6 * 36 + 12
    assert [matrix.tensor for matrix in checkpoint.matrices()] == sorted(rest)
    assert [item.reason for item in checkpoint.skipped] == ["packed group (MLX)"] * 3


def test_one_reason_a_kind_whatever_the_names(tmp_path: Path) -> None:
    many = {name.replace("layers.0", f"layers.{layer}"): values for layer in range(3) for name, values in GPTQ.items()}
    assert {item.reason for item in opened(tmp_path, many).skipped} == {"packed group (GPTQ or AWQ)"}


def test_scales_of_the_cache_belong_to_no_matrix(tmp_path: Path) -> None:
    scalars = {f"model.layers.0.self_attn.{part}_scale": np.ones((), np.float32) for part in "kv"}
    checkpoint = opened(tmp_path, {**llama(), **scalars})
    assert checkpoint.parameters == 7 * 36
    assert {item.reason for item in checkpoint.skipped} == {"scale of cached keys and values"}
