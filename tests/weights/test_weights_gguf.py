"""GGUF headers: what the official writer writes, what the keys say of a model, splits, and pairs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf_models import Raw, blocks, numbers, write
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from shadowgraph.errors import CheckpointError
from shadowgraph.weights import checkpoint as opening
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.directory import Layout
from shadowgraph.weights.pairing import pair
from shadowgraph.weights.readers.gguf import read_header
from shadowgraph.weights.readers.gguf_split import parts
from shadowgraph.weights.readers.values import read_values

pytest.importorskip("gguf")

ATTENTION = ("attn_q", "attn_k", "attn_v", "attn_output")
FFN = ("ffn_gate", "ffn_up", "ffn_down")


def layer(number: int = 0, size: int = 32, names: tuple[str, ...] = (*ATTENTION, *FFN)) -> dict[str, Any]:
    return {f"blk.{number}.{name}.weight": numbers(size, size, label=f"{number}{name}") for name in names}


@settings(max_examples=40)
@given(
    shapes=st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1, max_size=5),
    dtype=st.sampled_from([np.float64, np.float32, np.float16]),
    alignment=st.sampled_from([8, 32, 64, 4096]),
)
def test_what_the_official_writer_writes_is_read(
    shapes: list[list[int]], dtype: type, alignment: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tensors = {
        f"t{at}": np.asarray(np.arange(np.prod(shape)).reshape(shape) / 7, dtype=dtype)
        for at, shape in enumerate(shapes)
    }
    header = read_header(write(tmp_path_factory.getbasetemp() / "written.gguf", tensors, alignment=alignment))
    assert [entry.name for entry in header.entries] == list(tensors)
    assert header.notes == ()
    for entry in header.entries:
        assert entry.offset % alignment == 0
        assert entry.shape == tensors[entry.name].shape
        assert np.array_equal(read_values(entry), tensors[entry.name].astype(np.float64))


def test_the_keys_speak_as_a_configuration_does(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.gguf",
        layer(),
        "qwen3moe",
        general__name="A model",
        block_count=1,
        embedding_length=32,
        feed_forward_length=96,
        expert_feed_forward_length=12,
        expert_count=3,
        expert_used_count=2,
        attention__head_count=4,
        attention__head_count_kv=[2, 0, 2],
        attention__key_length=8,
        context_length=64,
        vocab_size=100,
        rope__freq_base=10000.0,
        tokenizer__chat_template="{{ '\x1b' }}" + "x" * 5000,
    )
    header = read_header(path)
    assert header.config == {
        "model_type": "qwen3_moe",
        "_name_or_path": "A model",
        "num_hidden_layers": 1,
        "hidden_size": 32,
        "intermediate_size": 96,
        "moe_intermediate_size": 12,
        "num_experts": 3,
        "num_experts_per_tok": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 64,
        "vocab_size": 100,
        "rope_theta": 10000.0,
    }
    assert header.metadata["general.name"] == "A model"
    assert header.notes[0].startswith("a chat template of 5009 bytes is stored; it is never rendered: {{ '\\x1b' }}")
    checkpoint = open_checkpoint(path)
    assert (checkpoint.family, checkpoint.config) == ("gguf", header.config)
    assert checkpoint.notes == header.notes


def test_heads_that_differ_by_layer_are_no_size(tmp_path: Path) -> None:
    config = read_header(write(tmp_path / "m.gguf", layer(), "openelm", attention__head_count=[4, 8])).config
    assert config == {"model_type": "openelm"}


def test_a_configuration_beside_the_file_goes_before_its_keys(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", layer(), block_count=1, embedding_length=32)
    (tmp_path / "config.json").write_text('{"hidden_size": 33, "model_type": "mistral"}')
    config = open_checkpoint(path).config
    assert (config["hidden_size"], config["model_type"], config["num_hidden_layers"]) == (33, "mistral", 1)


def split(folder: Path, held: list[dict[str, Any]], total: int | None = None) -> tuple[Path, ...]:
    """A model in parts, numbered as the tool of llama.cpp does: only the first says what the model is."""
    count = sum(map(len, held)) if total is None else total
    paths = tuple(folder / f"m-{at + 1:05d}-of-{len(held):05d}.gguf" for at in range(len(held)))
    for at, (path, tensors) in enumerate(zip(paths, held, strict=True)):
        write(path, tensors, split__no=at, split__count=len(held), split__tensors__count=count)
    return paths


def opened(monkeypatch: pytest.MonkeyPatch, shards: tuple[Path, ...]) -> Checkpoint:
    """A checkpoint of these files, however they were found."""

    def layout(path: Path, prefer: str = "") -> Layout:
        return Layout(path, shards, None, None, {}, ())

    monkeypatch.setattr(opening, "find_layout", layout)
    return open_checkpoint(shards[0])


def test_a_split_model_is_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = open_checkpoint(write(tmp_path / "whole.gguf", {**layer(0), **layer(1)}))
    shards = split(tmp_path, [{}, layer(0), layer(1)])
    checkpoint = opened(monkeypatch, shards)
    assert checkpoint.fingerprint == whole.fingerprint
    assert checkpoint.family == "gguf"
    monkeypatch.undo()
    (tmp_path / "whole.gguf").unlink()
    for path in (shards[1], tmp_path):  # any part stands for its siblings, and so does their folder
        assert open_checkpoint(path).fingerprint == whole.fingerprint
    assert parts(shards[1].name) == tuple(shard.name for shard in shards)
    assert parts("model.gguf") == ("model.gguf",)
    assert parts("m-00004-of-00003.gguf") == ("m-00004-of-00003.gguf",)


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_missing_part_is_named(gone: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = split(tmp_path, [layer(0), layer(1), layer(2)])
    with pytest.raises(CheckpointError, match=rf"1 of 3 parts of m-00003-of-00003.gguf are missing: part {gone + 1};"):
        opened(monkeypatch, tuple(shard for at, shard in enumerate(shards) if at != gone))


def test_parts_that_do_not_belong_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = split(tmp_path, [layer(0), layer(1)], total=20)
    with pytest.raises(CheckpointError, match="hold 14 tensors, 20 are promised"):
        opened(monkeypatch, shards)
    other = tmp_path / "other"
    other.mkdir()
    mixed = (shards[0], split(other, [layer(0), layer(1)], total=14)[1])
    with pytest.raises(CheckpointError, match="several split models"):
        opened(monkeypatch, mixed)


def test_two_files_of_one_model_are_paired_whatever_their_types(tmp_path: Path) -> None:
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize, quantize

    plain = layer()
    packed = {
        name: Raw(quantize(values, GGMLQuantizationType.Q8_0), 8) if "attn" in name else values
        for name, values in plain.items()
    }
    pairing = pair(
        open_checkpoint(write(tmp_path / "a.gguf", plain)), open_checkpoint(write(tmp_path / "b.gguf", packed))
    )
    assert len(pairing.updates) == 7
    assert pairing.identity.notes == ("stored as F32 in the base and Q8_0 in the model",)
    update = next(update for update in pairing.updates if update.role.slot == "q")
    name = "blk.0.attn_q.weight"
    expected = dequantize(packed[name].data, GGMLQuantizationType.Q8_0).astype(np.float64) - plain[name]
    assert np.array_equal(update.difference(), expected)
    assert np.array_equal(update.difference((3, 9)), expected[3:9])


def test_a_pair_of_two_formats_is_refused_with_the_reason(tmp_path: Path) -> None:
    names = ("q_proj", "k_proj", "v_proj", "o_proj")
    other = {f"model.layers.0.self_attn.{name}.weight": numbers(32, 32, label=name) for name in names}
    save_file(other, tmp_path / "model.safetensors")
    ours = open_checkpoint(write(tmp_path / "m.gguf", layer()))
    theirs = open_checkpoint(tmp_path / "model.safetensors")
    for before, after in ((ours, theirs), (theirs, ours)):
        with pytest.raises(CheckpointError, match="give both models in GGUF, or neither"):
            pair(before, after)


def test_tied_embeddings_are_stored_once_and_others_twice(tmp_path: Path) -> None:
    embedding = {"token_embd.weight": numbers(64, 32, label="embedding")}
    tied = open_checkpoint(write(tmp_path / "tied.gguf", {**layer(), **embedding}))
    free = open_checkpoint(
        write(tmp_path / "free.gguf", {**layer(), **embedding, "output.weight": numbers(64, 32, label="head")})
    )
    assert [m.role.slot for m in tied.matrices() if m.layer is None] == ["embedding"]
    assert sorted(m.role.slot for m in free.matrices() if m.layer is None) == ["embedding", "unembedding"]


def test_the_fingerprint_is_that_of_names_types_shapes_and_bytes(tmp_path: Path) -> None:
    raw = blocks(4, 1, 34, "fingerprint")
    first = open_checkpoint(write(tmp_path / "a.gguf", {**layer(), "x": Raw(raw, 8)}))
    second = open_checkpoint(write(tmp_path / "b.gguf", {**layer(), "x": Raw(raw, 8)}, alignment=256))
    raw[0, 5] ^= 1
    third = open_checkpoint(write(tmp_path / "c.gguf", {**layer(), "x": Raw(raw, 8)}))
    assert first.fingerprint == second.fingerprint != third.fingerprint
    assert first.structure == third.structure
