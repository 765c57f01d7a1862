"""Bounds of time: many tensors, many experts, many absent shards; and folders that may not be looked at."""

import json
import os
import time
from pathlib import Path

import pytest
from badcase import INDEX, llama, llama_file, packed, save, tensor

from shadowgraph.errors import CheckpointError, EnvironmentFault
from shadowgraph.weights import checkpoint as module
from shadowgraph.weights.checkpoint import open_checkpoint


def stacks(path: Path, experts: int, layers: int = 1) -> None:
    """Stacked experts of 2 x 2, their data a hole in the file."""
    size = 8 * experts
    header = {
        f"model.layers.{layer}.mlp.experts.down_proj": tensor("F16", [experts, 2, 2], layer * size, (layer + 1) * size)
        for layer in range(layers)
    }
    text = packed(json.dumps(header).encode())
    path.write_bytes(text)
    os.truncate(path, len(text) + size * layers)


def test_no_tensor_holds_two_million_experts(tmp_path: Path) -> None:
    stacks(tmp_path / "m.safetensors", 2_000_000)
    started = time.process_time()
    checkpoint = open_checkpoint(tmp_path / "m.safetensors")
    assert not list(checkpoint.matrices())
    assert [item.reason for item in checkpoint.skipped] == [
        "2,000,000 experts in one tensor, more than the limit of 65,536"
    ]
    assert time.process_time() - started < 3


def test_experts_are_bounded_in_all_tensors_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stacks(tmp_path / "m.safetensors", 10, layers=4)
    monkeypatch.setattr(module, "STACKED_CAP", 25)
    checkpoint = open_checkpoint(tmp_path / "m.safetensors")
    assert len(list(checkpoint.matrices())) == 20
    assert len(checkpoint.skipped) == 2


def test_tensors_are_treated_once(tmp_path: Path) -> None:
    llama_file(tmp_path / "m.safetensors")
    checkpoint = open_checkpoint(tmp_path / "m.safetensors")
    assert [id(matrix) for matrix in checkpoint.matrices()] == [id(matrix) for matrix in checkpoint.matrices()]
    assert checkpoint == open_checkpoint(tmp_path / "m.safetensors")


def test_forty_thousand_absent_shards_are_named_soon(tmp_path: Path) -> None:
    weights = {f"w{number}": f"s{number}.safetensors" for number in range(40_000)}
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": weights}))
    started = time.process_time()
    with pytest.raises(CheckpointError, match="40000 of 40000 shards are missing, with 40000 tensors"):
        open_checkpoint(tmp_path)
    assert time.process_time() - started < 4


@pytest.mark.parametrize("below", ["", "model.safetensors", "folder"])
def test_a_folder_that_may_not_be_looked_at_is_the_machines_fault(tmp_path: Path, below: str) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may look at everything")
    closed = tmp_path / "closed"
    closed.mkdir()
    llama_file(closed / "model.safetensors")
    closed.chmod(0)
    try:
        with pytest.raises(EnvironmentFault, match="permission denied"):
            open_checkpoint(closed / below)
    finally:
        closed.chmod(0o700)


def test_a_denied_look_at_a_path_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", denied)
    with pytest.raises(EnvironmentFault, match="permission denied"):
        open_checkpoint(tmp_path / "m.safetensors")


def test_the_configuration_beside_one_file_is_read(tmp_path: Path) -> None:
    save(tmp_path / "model.safetensors", llama())
    (tmp_path / "config.json").write_text('{"model_type": "llama", "num_hidden_layers": 1}')
    checkpoint = open_checkpoint(tmp_path / "model.safetensors")
    assert checkpoint.config["num_hidden_layers"] == 1
    assert "config.json beside the file is read" in checkpoint.notes
    (tmp_path / "config.json").write_text("{")
    assert open_checkpoint(tmp_path / "model.safetensors").config == {}
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").symlink_to("/etc/hostname")
    assert any("not read" in note for note in open_checkpoint(tmp_path / "model.safetensors").notes)


@pytest.mark.parametrize("content", [b"hello, this is a text and no model", b"\x08" + bytes(7) + b"hello world"])
def test_what_is_no_safetensors_file_is_said_first(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        open_checkpoint(tmp_path / "m.safetensors")
