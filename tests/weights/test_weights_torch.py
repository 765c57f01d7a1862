"""Torch archives against torch: every type, view and wrapper that `torch.save` writes has the values torch loads."""

import json
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from shadowgraph.errors import CheckpointError
from shadowgraph.footprint.scan import scan
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.matrix import WeightMatrix
from shadowgraph.weights.readers import torch_archive, torch_loader
from shadowgraph.weights.readers.torch_archive import read_header, read_headers
from shadowgraph.weights.readers.torch_table import choose
from shadowgraph.weights.readers.values import read_values
from shadowgraph.weights.strips import plane
from shadowgraph.weights.tensor import TensorEntry

PARTS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj")
FLOATS = ("float64", "float32", "float16", "bfloat16")
OTHERS = {
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
    "complex64": "C64",
    "complex128": "C128",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def layer(size: int = 8, seed: int = 0) -> dict[str, torch.Tensor]:
    return {f"model.layers.0.{part}.weight": numbers(size, size, seed=seed + i) for i, part in enumerate(PARTS)}


def every_view() -> "OrderedDict[str, torch.Tensor]":
    """What state dicts hold, and what they could."""
    whole, deep = numbers(6, 10), numbers(3, 4, 5, 6)
    found: OrderedDict[str, torch.Tensor] = OrderedDict()
    for name in FLOATS:
        found[name] = numbers(5, 7).to(getattr(torch, name))
        found[f"{name} turned"] = numbers(5, 7).to(getattr(torch, name)).T
    for name in OTHERS:
        found[name] = numbers(4, 3).abs().to(torch.float32).to(getattr(torch, name))
        found[f"{name} turned"] = found[name].T
    found.update(
        {
            "rows": whole[2:5],
            "columns": whole[:, 3:7],
            "steps": whole[::2, ::3],
            "turned steps": whole[::2, ::3].T,
            "row": whole[3],
            "column": whole[:, 3],
            "expanded": whole[:1].expand(4, 10),
            "expanded twice": whole[0, 0].expand(3, 4),
            "permuted": deep.permute(2, 0, 3, 1),
            "flipped axes": deep.transpose(0, 3),
            "channels last": deep.contiguous(memory_format=torch.channels_last),
            "slice": deep[1:, ::2, 1:4, :5],
            "parameter": torch.nn.Parameter(whole),
            "untrained": torch.nn.Parameter(whole.T, requires_grad=False),
            "scalar": torch.tensor(2.5),
            "empty": torch.empty(0, 4),
            "one": torch.ones(1, 1, 1),
            "special": torch.tensor([[float("nan"), float("inf")], [-0.0, 1e-45]]),
        }
    )
    found._metadata = OrderedDict([("", {"version": 1})])  # type: ignore[attr-defined]
    return found


def test_every_type_and_view_has_the_values_torch_loads(tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save(every_view(), path)
    wanted = torch.load(path, weights_only=True)
    header = read_header(path)
    entries = {entry.name: entry for entry in header.entries}
    assert entries.keys() == wanted.keys()
    assert header.notes == ()
    for name, entry in entries.items():
        assert entry.shape == tuple(wanted[name].shape)
        kind, strided = name.removesuffix(" turned"), name.endswith(" turned")
        if kind in OTHERS:
            assert entry.unreadable
            assert entry.dtype == OTHERS[kind] + (" strided" if strided else "")
            continue
        assert entry.packing is None or not wanted[name].is_contiguous()
        values = wanted[name].detach().double().numpy()
        np.testing.assert_array_equal(read_values(entry), values, strict=True)
        if entry.shape and entry.shape[0] > 2:
            np.testing.assert_array_equal(read_values(entry, (1, 3)), values[1:3])


def folder(path: Path, state: Any, config: dict[str, Any] | None = None) -> Path:
    path.mkdir()
    torch.save(state, path / "pytorch_model.bin")
    (path / "config.json").write_text(json.dumps({"model_type": "llama"} | (config or {})))
    return path


def test_a_model_is_the_same_in_both_formats(tmp_path: Path) -> None:
    state = layer() | {"model.norm.weight": torch.ones(8)}
    checkpoint = open_checkpoint(folder(tmp_path / "torch", state))
    other = tmp_path / "safetensors"
    other.mkdir()
    save_file(state, other / "model.safetensors")
    (other / "config.json").write_text(json.dumps({"model_type": "llama"}))
    twin = open_checkpoint(other)
    assert checkpoint.fingerprint == twin.fingerprint
    assert checkpoint.structure == twin.structure
    assert checkpoint.notes == ()
    assert open_checkpoint(tmp_path / "torch") == checkpoint


def test_shards_with_an_index_go_through_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = list(layer().items())
    path = tmp_path / "m"
    path.mkdir()
    weight_map: dict[str, str] = {}
    for number in range(3):
        shard = f"pytorch_model-{number + 1:05}-of-00003.bin"
        torch.save(dict(state[2 * number : 2 * number + 2]), path / shard)
        weight_map |= {name: shard for name, _ in state[2 * number : 2 * number + 2]}
    size = sum(value.nbytes for _, value in state)
    index = path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": weight_map}))
    started: list[int] = []
    original = torch_loader.describe

    def counted(pickles: Iterable[torch_loader.Pickled]) -> list[dict[str, Any]]:
        started.append(1)
        return original(pickles)

    monkeypatch.setattr(torch_archive, "describe", counted)
    checkpoint = open_checkpoint(path)
    assert [matrix.name for matrix in checkpoint.matrices()] == sorted(dict(state))
    assert checkpoint.notes == ("no config.json; roles come from the names alone",)
    assert open_checkpoint(index).entries == checkpoint.entries
    assert open_checkpoint(path).entries == checkpoint.entries
    assert len(started) == 1


TIED = {"model.embed_tokens.weight": (12, 8), "lm_head.weight": (12, 8)}


def test_two_names_on_one_storage_are_one_matrix_and_a_turned_view_is_another(tmp_path: Path) -> None:
    square = numbers(8, 8)
    embedding = numbers(12, 8)
    state = layer() | dict.fromkeys(TIED, embedding)
    state |= {"model.layers.0.mlp.up_proj.weight": square, "model.layers.0.mlp.down_proj.weight": square.T}
    same = "holds the same values as 'model.embed_tokens.weight', analysed once"
    path = folder(tmp_path / "m", state)
    for tied in (True, False):
        (path / "config.json").write_text(json.dumps({"model_type": "llama", "tie_word_embeddings": tied}))
        checkpoint = open_checkpoint(path)
        left_out = {item.tensor: item.reason for item in checkpoint.skipped}
        assert left_out == {"lm_head.weight": f"tied to the embedding: {same}"}
        found = {matrix.name: matrix.load() for matrix in checkpoint.matrices()}
        up, down = (found[f"model.layers.0.mlp.{part}_proj.weight"] for part in ("up", "down"))
        np.testing.assert_array_equal(up, down.T)
        assert not np.array_equal(up, down)


def test_equal_embeddings_of_two_storages_follow_the_configuration(tmp_path: Path) -> None:
    state = layer() | {"model.embed_tokens.weight": numbers(12, 8), "lm_head.weight": numbers(12, 8)}
    path = folder(tmp_path / "a", state)
    for tied in (True, False):
        (path / "config.json").write_text(json.dumps({"model_type": "llama", "tie_word_embeddings": tied}))
        assert len(open_checkpoint(path).skipped) == tied


def test_a_square_embedding_is_not_its_transpose(tmp_path: Path) -> None:
    embedding = numbers(8, 8)
    state = layer() | {"model.embed_tokens.weight": embedding, "lm_head.weight": embedding.T}
    assert open_checkpoint(folder(tmp_path / "a", state, {"tie_word_embeddings": True})).skipped == ()


def test_strided_matrices_are_measured_as_those_in_order(tmp_path: Path) -> None:
    state = {name: value.T.contiguous().T for name, value in layer(24).items()}
    assert not any(value.is_contiguous() for value in state.values())
    strided = open_checkpoint(folder(tmp_path / "strided", state))
    plain = open_checkpoint(folder(tmp_path / "plain", {name: v.contiguous() for name, v in state.items()}))
    assert all(entry.packing is not None for entry in strided.entries)
    for one, other in zip(strided.matrices(), plain.matrices(), strict=True):
        np.testing.assert_array_equal(one.load(), other.load())
        np.testing.assert_array_equal(one.load((3, 7)), other.load((3, 7)))
        np.testing.assert_array_equal(strips(one), strips(other))
    rows = [[repr(row) for row in scan(each).rows] for each in (strided, plain)]
    assert rows[0] == rows[1]


def strips(matrix: WeightMatrix) -> NDArray[np.float64]:
    found = plane(matrix)
    assert found is not None
    return np.concatenate([strip.copy() for strip in found.strips(24, 5)])


@pytest.mark.parametrize("key", ["state_dict", "model", "module", "anything"])
def test_the_table_of_weights_is_found_below_a_key(key: str) -> None:
    state = {"optimizer": [["state", 0, "exp_avg"]], key: [["a"], ["b", "c"]], "step": []}
    tensors = [[[first, *rest], "float32"] for first, paths in state.items() for rest in paths]
    table, notes = choose("dict", tensors, "m.ckpt")
    assert list(table) == ["a", "b.c"]
    assert notes == [f"the tensors under the key '{key}' are read", "1 other tensors are not read: 1 under optimizer"]


@pytest.mark.parametrize(
    ("top", "paths", "words"),
    [
        ("list", [[0]], "it holds a list"),
        ("Tensor", [[]], "it holds a Tensor"),
        ("dict", [], "no tensor is stored"),
        ("dict", [["state", 0, "exp_avg"]], "only tensors under state"),
        ("dict", [["optimizer", "a"]], "only tensors under optimizer"),
        ("dict", [["generator", "a"], ["discriminator", "a"]], "nothing says which are the weights"),
        ("dict", [["model", "a.b"], ["model", "a", "b"]], "two tensors are named 'a.b'"),
    ],
)
def test_other_tables_are_refused(top: str, paths: list[list[Any]], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        choose(top, [[path, "float32"] for path in paths], "m.pt")


def test_weights_of_a_trainers_checkpoint(tmp_path: Path) -> None:
    optimiser = torch.optim.Adam([torch.nn.Parameter(numbers(4, 4))])
    state = {"state_dict": layer(), "epoch": 3, "loss": 0.5, "name": "x", "none": None, "sizes": torch.Size([3])}
    files = {"last.ckpt": state | {"optimizer_states": [optimiser.state_dict()]}, "best.pt": {"model": layer()}}
    files["direct.pth"] = layer() | {"optimizer": {"m": numbers(2)}}  # type: ignore[dict-item]
    paths = [tmp_path / name for name in files]
    for path in paths:
        torch.save(files[path.name], path)
    headers = read_headers(paths)
    for header in headers:
        assert [entry.name for entry in header.entries] == list(layer())
    assert headers[0].notes == ("the tensors under the key 'state_dict' are read",)
    assert headers[1].notes == ("the tensors under the key 'model' are read",)
    assert headers[2].notes == ("1 other tensors are not read: 1 under optimizer",)


def test_what_is_written_without_checksums_is_read_and_said(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(layer(), tmp_path / "m.bin")
    finally:
        torch.serialization.set_crc32_options(True)
    header = read_header(tmp_path / "m.bin")
    assert header.notes == ("the archive was written without checksums",)
    np.testing.assert_array_equal(read_values(header.entries[0]), next(iter(layer().values())).double().numpy())


def test_a_tensor_expanded_beyond_all_measure_is_not_read(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1, 1).expand(1 << 20, 1 << 20)}, tmp_path / "m.bin")
    entry: TensorEntry = read_header(tmp_path / "m.bin").entries[0]
    assert entry.unreadable.startswith("expanded to more than")
    assert entry.size == 4


def test_a_file_replaced_after_opening_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    torch.save(layer(), path)
    entry = read_header(path).entries[0]
    torch.save(layer(seed=9), path)
    with pytest.raises(CheckpointError, match="changed while reading"):
        read_values(entry)


@pytest.mark.slow
def test_an_archive_of_more_than_four_gigabytes(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1 << 30, 5, dtype=torch.uint8), "b": numbers(4, 4)}, tmp_path / "m.bin")
    entries = {entry.name: entry for entry in read_header(tmp_path / "m.bin").entries}
    assert entries["b"].offset > 1 << 32
    np.testing.assert_array_equal(read_values(entries["b"]), numbers(4, 4).double().numpy())
