"""Folders that lie: paths that leave, links that leave, missing shards, broken indexes and configurations."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from shadowgraph.errors import CheckpointError
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint

NAMES = [f"model.layers.0.self_attn.{part}_proj.weight" for part in "qkvo"]
INDEX = "model.safetensors.index.json"


def shard(path: Path, names: list[str]) -> None:
    save_file({name: np.full((4, 4), 1.0 + index, dtype=np.float32) for index, name in enumerate(names)}, path)


def index(folder: Path, weight_map: object, **metadata: Any) -> None:
    (folder / INDEX).write_text(json.dumps({"metadata": metadata, "weight_map": weight_map}))


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    shard(folder / "a.safetensors", NAMES[:2])
    shard(folder / "b.safetensors", NAMES[2:])
    index(folder, {name: "a.safetensors" if name in NAMES[:2] else "b.safetensors" for name in NAMES}, total_size=256)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return folder


def refused(folder: Path, *words: str) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(folder)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    return caught.value


def notes(folder: Path) -> str:
    return " | ".join(open_checkpoint(folder).notes)


def same(a: Checkpoint, b: Checkpoint) -> bool:
    return a.fingerprint == b.fingerprint


def test_a_sharded_folder_is_read_without_remarks(sharded: Path) -> None:
    checkpoint = open_checkpoint(sharded)
    assert [entry.name for entry in checkpoint.entries] == sorted(NAMES)
    assert checkpoint.notes == ()


def test_sharding_does_not_change_the_fingerprint(sharded: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    values = {name: np.full((4, 4), 1.0 + i % 2, dtype=np.float32) for i, name in enumerate(NAMES)}
    save_file(values, whole / "model.safetensors")
    assert same(open_checkpoint(sharded), open_checkpoint(whole))
    save_file(values | {NAMES[0]: np.full((4, 4), 9.0, dtype=np.float32)}, whole / "model.safetensors")
    assert not same(open_checkpoint(sharded), open_checkpoint(whole))


def test_di01_missing_shards_are_listed_with_the_tensors_lost(sharded: Path) -> None:
    (sharded / "b.safetensors").unlink()
    refused(sharded, "1 of 2 shards are missing", "2 tensors", "b.safetensors")


def test_di02_a_tensor_promised_but_absent(sharded: Path) -> None:
    shard(sharded / "b.safetensors", NAMES[2:3])
    refused(sharded, "promises tensor", NAMES[3])


def test_di02_a_tensor_in_two_shards(sharded: Path) -> None:
    shard(sharded / "b.safetensors", NAMES[1:])
    refused(sharded, "two shards", NAMES[1])


def test_di02_an_extra_shard_is_a_remark(sharded: Path) -> None:
    shard(sharded / "c.safetensors", ["model.norm.weight"])
    assert "not in the index: c.safetensors" in notes(sharded)


OUTSIDE = [
    "../x",
    "/etc/passwd",
    "a/../../x",
    "../model/a.safetensors",
    "C:\\x",
    "\\\\host\\x",
    "a\0b",
    "https://example.org/x",
    "C:x",
    "",
    "a\nb",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_di03_a_path_that_leaves_is_refused_before_anything_is_opened(sharded: Path, name: str) -> None:
    index(sharded, dict.fromkeys(NAMES, name))
    opened: list[str] = []
    watching = [True]
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if watching[0] and event == "open" else None)
    error = refused(sharded, "leads out of the folder")
    watching[0] = False
    assert str(error).isprintable()
    allowed = {str(sharded / INDEX), str(sharded / "config.json")}
    assert {
        path for path in opened if not path.startswith(sys.prefix) and not path.endswith((".py", ".pyc"))
    } <= allowed


def test_di04_a_link_that_leaves_is_refused(sharded: Path, tmp_path: Path) -> None:
    (sharded / "b.safetensors").rename(tmp_path / "outside.safetensors")
    (sharded / "b.safetensors").symlink_to(tmp_path / "outside.safetensors")
    refused(sharded, "link 'b.safetensors' leads out")


def test_di04_a_config_link_that_leaves_is_refused(sharded: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")
    (sharded / "config.json").unlink()
    (sharded / "config.json").symlink_to(tmp_path / "secret.json")
    refused(sharded, "link 'config.json' leads out")


def cached(tmp_path: Path, sharded: Path, blobs: Path) -> Path:
    """The hub's layout: a snapshot of links into blobs."""
    snapshot = tmp_path / "models--org--name" / "snapshots" / "abc123"
    snapshot.mkdir(parents=True)
    blobs.mkdir(parents=True, exist_ok=True)
    for file in sharded.iterdir():
        target = blobs / f"digest-{file.name}"
        target.write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(os.path.relpath(target, snapshot))
    return snapshot


def test_di05_the_hubs_cache_is_read(sharded: Path, tmp_path: Path) -> None:
    snapshot = cached(tmp_path, sharded, tmp_path / "models--org--name" / "blobs")
    assert same(open_checkpoint(snapshot), open_checkpoint(sharded))


def test_di04_blobs_of_another_model_are_refused(sharded: Path, tmp_path: Path) -> None:
    refused(cached(tmp_path, sharded, tmp_path / "models--org--other" / "blobs"), "leads out")


def test_di06_a_loop_of_links_is_refused(sharded: Path) -> None:
    (sharded / "b.safetensors").unlink()
    (sharded / "b.safetensors").symlink_to("b.safetensors")
    refused(sharded)
    loop = sharded.parent / "loop"
    loop.symlink_to(loop)
    refused(loop)


def test_di07_an_index_too_large(sharded: Path) -> None:
    with (sharded / INDEX).open("wb") as stream:
        stream.truncate(200_000_000)
    refused(sharded, "more than the limit")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "not JSON"),
        ('{"weight_map": {"a": "x", "a": "y"}}', "duplicate key 'a'"),
        ('{"weight_map": ["a"]}', "no weight_map"),
        ('{"weight_map": {"a": ["x"]}}', "not a file name"),
        ("[]", "no weight_map"),
    ],
)
def test_di07_a_broken_index(sharded: Path, text: str, word: str) -> None:
    (sharded / INDEX).write_text(text)
    refused(sharded, word, INDEX)


def test_di07_a_wrong_total_size_is_a_remark(sharded: Path) -> None:
    content = json.loads((sharded / INDEX).read_text())
    index(sharded, content["weight_map"], total_size=255)
    assert "promises 255 bytes, 256 are stored" in notes(sharded)


def test_di08_safetensors_wins_over_pickles_and_says_so(tmp_path: Path) -> None:
    shard(tmp_path / "model.safetensors", NAMES)
    (tmp_path / "pytorch_model.bin").write_bytes(b"never opened")
    assert "safetensors is read" in notes(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1, "a": 2}', "\ud800"])
def test_di10_a_broken_configuration_is_a_remark(sharded: Path, text: str) -> None:
    (sharded / "config.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert "names alone" in notes(sharded)


def test_di10_no_configuration_and_a_huge_one_are_remarks(sharded: Path) -> None:
    (sharded / "config.json").unlink()
    assert "no config.json" in notes(sharded)
    with (sharded / "config.json").open("wb") as stream:
        stream.truncate(50_000_000)
    assert "not used" in notes(sharded)


@pytest.mark.parametrize("config", [{"auto_map": {"AutoModel": "repo--x.Y"}}, {"trust_remote_code": True}])
def test_di10_remote_code_is_flagged_and_never_run(sharded: Path, config: dict[str, Any]) -> None:
    (sharded / "config.json").write_text(json.dumps({"model_type": "llama"} | config))
    assert "asks for remote code; none is run" in notes(sharded)


def test_a_folder_of_pickles_an_adapter_and_an_unfinished_save_are_named(tmp_path: Path) -> None:
    refused(tmp_path, "no safetensors file")
    (tmp_path / "training_args.bin").write_bytes(b"x")
    refused(tmp_path, "training_args.bin", "convert")
    shard(tmp_path / "model-00001-of-00002.safetensors", NAMES[:2])
    shard(tmp_path / "model-00002-of-00002.safetensors", NAMES[2:])
    refused(tmp_path, "2 safetensors files and no", "wait until the save has finished")
    (tmp_path / "adapter_config.json").write_text("{}")
    refused(tmp_path, "adapter")


def test_names_of_no_family_are_refused_with_examples(tmp_path: Path) -> None:
    shard(tmp_path / "model.safetensors", ["encoder.block.0.dense.weight"])
    refused(tmp_path, "no known family", "encoder.block.0.dense.weight", "llama, gpt2")


def test_another_architecture_under_known_names_is_said(sharded: Path) -> None:
    (sharded / "config.json").write_text('{"model_type": "phi3", "num_hidden_layers": 3}')
    said = notes(sharded)
    assert "model type 'phi3'" in said
    assert "declares 3 layers, 1 are stored" in said
