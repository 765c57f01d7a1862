"""Packed groups and scales: what they count as, and what is said of them."""

import time
from pathlib import Path

import numpy as np
from bad_packed import COMPRESSED
from bad_values import GPTQ, MLX, STEM, UP
from badcase import llama, save

from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint


def opened(path: Path, members: dict[str, np.ndarray]) -> Checkpoint:
    save(path / "model.safetensors", members)
    return open_checkpoint(path / "model.safetensors")


def test_codes_that_are_not_read_are_no_parameters(tmp_path: Path) -> None:
    checkpoint = opened(tmp_path, dict(GPTQ))
    assert checkpoint.parameters == 0
    assert checkpoint.notes[0] == (
        "quantised (GPTQ): no quantization_config says how its zeros are counted: 1 group left out whole"
    )


def test_groups_left_out_lower_the_share_analysed(tmp_path: Path) -> None:
    rest = {name: values for name, values in llama().items() if name != UP}
    checkpoint = opened(tmp_path, {**rest, **MLX})
    assert checkpoint.parameters == 6 * 36
    assert checkpoint.block_parameters == 6 * 36 + 12
    assert [matrix.tensor for matrix in checkpoint.matrices()] == sorted(rest)
    reason = "packed group (MLX): config.json does not say its bits and group size"
    assert [item.reason for item in checkpoint.skipped] == [reason] * 3


def test_groups_that_are_read_count_with_their_real_elements(tmp_path: Path) -> None:
    rest = {name: values for name, values in llama().items() if name != UP}
    checkpoint = opened(tmp_path, {**rest, **COMPRESSED})
    assert checkpoint.parameters == checkpoint.block_parameters == 6 * 36 + 32 * 64
    assert [matrix.tensor for matrix in checkpoint.matrices()] == sorted([*rest, UP])
    assert {item.reason for item in checkpoint.skipped} == {"part of a quantised tensor"}


def test_one_reason_a_kind_whatever_the_names(tmp_path: Path) -> None:
    many = {name.replace("layers.0", f"layers.{layer}"): values for layer in range(3) for name, values in GPTQ.items()}
    reason = "packed group (GPTQ): no quantization_config says how its zeros are counted"
    assert {item.reason for item in opened(tmp_path, many).skipped} == {reason}


def test_ten_thousand_groups_are_opened_at_once(tmp_path: Path) -> None:
    """Experts of a large model: each group is recognised by a few look-ups and one small read."""
    many = {
        name.replace(STEM, f"model.layers.{layer}.mlp.experts.{expert}.up_proj"): values
        for layer in range(40)
        for expert in range(250)
        for name, values in COMPRESSED.items()
    }
    save(tmp_path / "model.safetensors", many)
    started = time.process_time()
    checkpoint = open_checkpoint(tmp_path / "model.safetensors")
    assert time.process_time() - started < 10
    assert checkpoint.parameters == 10_000 * 32 * 64


def test_scales_of_the_cache_belong_to_no_matrix(tmp_path: Path) -> None:
    scalars = {f"model.layers.0.self_attn.{part}_scale": np.ones((), np.float32) for part in "kv"}
    checkpoint = opened(tmp_path, {**llama(), **scalars})
    assert checkpoint.parameters == 7 * 36
    assert {item.reason for item in checkpoint.skipped} == {"scale of cached keys and values"}
