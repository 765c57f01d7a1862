"""Which files of a folder are read: formats in their order, indexes, splits, and what is never a weight file."""

import json
import os
from pathlib import Path

import pytest

from shadowgraph.errors import CheckpointError, SpecError
from shadowgraph.weights.choice import holds_weights
from shadowgraph.weights.directory import find_layout
from shadowgraph.weights.kinds import is_training_file

ORDER = ("safetensors", "torch", "gguf", "onnx")
ONE_OF_EACH = {"safetensors": "model.safetensors", "torch": "pytorch_model.bin", "gguf": "m.gguf", "onnx": "model.onnx"}
SPLIT = tuple(f"m-0000{number}-of-00003.gguf" for number in (1, 2, 3))


def folder(path: Path, *names: str) -> Path:
    """A folder of empty files: nothing of them is read to choose among them."""
    for name in ("config.json", *names):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text("{}" if name == "config.json" else "")
    return path


def chosen(path: Path, prefer: str = "") -> list[str]:
    return [
        str(shard.relative_to(path if path.is_dir() else path.parent)) for shard in find_layout(path, prefer).shards
    ]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["pytorch_model.bin"], ["pytorch_model.bin"]),
        (["PYTORCH_MODEL.BIN"], ["PYTORCH_MODEL.BIN"]),
        (["best.pt", "optimizer.pt", "training_args.bin", "rng_state_0.pth"], ["best.pt"]),
        (["consolidated.00.pth", "tokenizer.model", "params.json"], ["consolidated.00.pth"]),
        (["pytorch_model.bin", "best.pt"], ["pytorch_model.bin"]),
        (["pytorch_model_fsdp.bin"], ["pytorch_model_fsdp.bin"]),
        (["pytorch_model.bin", "adapter_model.safetensors"], ["pytorch_model.bin"]),
        (["openvino_model.bin", "model.onnx"], ["model.onnx"]),
        (["a.gguf"], ["a.gguf"]),
        (["a.gguf", "mmproj-a-f16.gguf"], ["a.gguf"]),
        (["mmproj-a-f16.gguf"], ["mmproj-a-f16.gguf"]),
        (SPLIT, list(SPLIT)),
        ([*SPLIT, "mmproj.gguf"], list(SPLIT)),
        (["only.onnx"], ["only.onnx"]),
        (["model.onnx", "model_quantized.onnx"], ["model.onnx"]),
        (["onnx/model.onnx", "onnx/model_fp16.onnx"], ["onnx/model.onnx"]),
    ],
)
def test_the_files_of_a_format(names: list[str], wanted: list[str], tmp_path: Path) -> None:
    assert chosen(folder(tmp_path / "m", *names)) == wanted


@pytest.mark.parametrize("first", range(4))
def test_formats_have_an_order_and_the_others_are_named(first: int, tmp_path: Path) -> None:
    present = ORDER[first:]
    path = folder(tmp_path / "m", *(ONE_OF_EACH[name] for name in present))
    layout = find_layout(path)
    assert [shard.name for shard in layout.shards] == [ONE_OF_EACH[present[0]]]
    notes = [note for note in layout.notes if note.startswith("both")]
    assert len(notes) == len(present) - 1
    for note, name in zip(notes, present[1:], strict=True):
        assert ONE_OF_EACH[name] in note
        assert "is read" in note


@pytest.mark.parametrize("prefer", ORDER)
def test_a_preferred_format_is_read_and_opens_again_by_its_own_path(prefer: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "m", *ONE_OF_EACH.values())
    layout = find_layout(path, prefer)
    assert [shard.name for shard in layout.shards] == [ONE_OF_EACH[prefer]]
    assert find_layout(layout.root).shards == layout.shards
    assert layout.root == (path if prefer == "safetensors" else path / ONE_OF_EACH[prefer])


def test_a_preferred_format_that_is_not_there_is_said(tmp_path: Path) -> None:
    layout = find_layout(folder(tmp_path / "m", "model.safetensors"), "gguf")
    assert [shard.name for shard in layout.shards] == ["model.safetensors"]
    assert layout.notes == ("no GGUF file is there; safetensors is read",)
    with pytest.raises(SpecError, match="choose from safetensors, torch, gguf, onnx"):
        find_layout(tmp_path, "bin")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a.gguf", "b.gguf"], "2 GGUF models in one folder: a.gguf, b.gguf; give one of the files"),
        ([*SPLIT, "other.gguf"], "2 GGUF models"),
        (SPLIT[:2], "2 of 3 parts of the split model are there; missing: 3"),
        ([SPLIT[2]], "1 of 3 parts of the split model are there; missing: 1, 2"),
        (["m-00000-of-00001.gguf"], "missing: 1"),
        (["a.pt", "b.pt"], "2 torch files and no pytorch_model.bin.index.json"),
        (["pytorch_model-00001-of-00002.bin"], "one shard of several and no pytorch_model.bin.index.json"),
        (["encoder.onnx", "decoder.onnx"], "2 ONNX files and none named model.onnx: decoder.onnx, encoder.onnx"),
        (["onnx/a.onnx", "onnx/b.onnx"], "2 ONNX files"),
        (["optimizer.bin", "scheduler.pt"], "only files of the training: optimizer.bin, scheduler.pt"),
        (["flax_model.msgpack"], "no file of weights that can be read, only flax_model.msgpack"),
        (["adapter_model.bin"], "adapter"),
        (["adapter_config.json", "odd.bin"], "adapter"),
        (["readme.md"], "no file of weights in the folder"),
    ],
)
def test_folders_that_do_not_say_which_file(names: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=words):
        find_layout(folder(tmp_path / "m", *names))


@pytest.mark.parametrize("given", SPLIT)
def test_one_part_of_a_split_model_stands_for_all(given: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "m", *SPLIT, "other-00001-of-00002.gguf")
    layout = find_layout(path / given)
    assert [shard.name for shard in layout.shards] == list(SPLIT)
    assert "all 3 parts of the split model are read" in layout.notes


def test_a_part_may_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", *SPLIT[:2])
    (tmp_path / "outside").write_text("")
    (path / SPLIT[2]).symlink_to(tmp_path / "outside")
    with pytest.raises(CheckpointError, match="leads out of the folder"):
        find_layout(path / SPLIT[0])


def test_parts_in_the_hubs_cache_are_links_into_its_blobs(tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "models--o--n" / "snapshots" / "abc", tmp_path / "models--o--n" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for name in SPLIT:
        (blobs / name).write_text("")
        (snapshot / name).symlink_to(os.path.relpath(blobs / name, snapshot))
    for path in (snapshot, snapshot / SPLIT[1], tmp_path / "models--o--n"):
        assert [shard.name for shard in find_layout(path).shards] == list(SPLIT)


def indexed(path: Path, name: str, **weight_map: str) -> Path:
    (path / name).write_text(json.dumps({"weight_map": weight_map}))
    return path


@pytest.mark.parametrize("name", ["pytorch_model.bin.index.json", "diffusion_pytorch_model.bin.index.json"])
def test_an_index_of_torch_shards(name: str, tmp_path: Path) -> None:
    path = indexed(folder(tmp_path / "m", "a.bin", "b.bin", "c.bin"), name, x="a.bin", y="b.bin")
    for given in (path, path / name):
        layout = find_layout(given)
        assert [shard.name for shard in layout.shards] == ["a.bin", "b.bin"]
        assert layout.weight_map == {"x": path / "a.bin", "y": path / "b.bin"}
    assert "1 other torch file is not in the index: c.bin" in find_layout(path).notes


@pytest.mark.parametrize("shard", ["../a.bin", "/etc/passwd", "C:\\a.bin", "a\0.bin"])
def test_an_index_of_torch_shards_is_contained(shard: str, tmp_path: Path) -> None:
    path = indexed(folder(tmp_path / "m", "a.bin"), "pytorch_model.bin.index.json", x=shard)
    for given in (path, path / "pytorch_model.bin.index.json"):
        with pytest.raises(CheckpointError, match="leads out"):
            find_layout(given)


def test_an_index_lists_files_of_its_own_format(tmp_path: Path) -> None:
    path = indexed(folder(tmp_path / "m", "a.safetensors", "b.bin"), "model.safetensors.index.json", x="b.bin")
    with pytest.raises(CheckpointError, match=r"index of safetensors shards names a file of another format: b\.bin"):
        find_layout(path)


def test_a_preferred_index_opens_again_by_its_own_path(tmp_path: Path) -> None:
    path = indexed(folder(tmp_path / "m", "model.safetensors", "a.bin"), "pytorch_model.bin.index.json", x="a.bin")
    layout = find_layout(path, "torch")
    assert layout.root == path / "pytorch_model.bin.index.json"
    assert find_layout(layout.root).weight_map == layout.weight_map


TRAINING = (
    *(
        "optimizer.pt",
        "optimizer.bin",
        "optimizer_0.pt",
        "scheduler.pt",
        "lr_scheduler.pt",
        "scaler.pt",
        "rng_state.pth",
    ),
    *("rng_state_3.pth", "random_states_0.pkl", "training_args.bin", "trainer_state.pt", "sampler.bin"),
    *("bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt", "Optimizer.PT"),
)


@pytest.mark.parametrize("name", TRAINING)
def test_files_of_the_training_are_never_weights(name: str, tmp_path: Path) -> None:
    assert is_training_file(name)
    assert not holds_weights({name})
    with pytest.raises(CheckpointError, match="only files of the training"):
        find_layout(folder(tmp_path / "m", name))
    with pytest.raises(CheckpointError, match="a file of the training"):
        find_layout(tmp_path / "m" / name)


@pytest.mark.parametrize("name", ["model.bin", "optimized.pt", "schedule.bin", "state.pt", "rng.pth", "scalers.bin"])
def test_other_names_are_no_files_of_the_training(name: str) -> None:
    assert not is_training_file(name)
    assert holds_weights({name})
