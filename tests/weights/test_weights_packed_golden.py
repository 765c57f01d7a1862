"""Quantised matrices that the libraries wrote themselves are read as they read them.

The files of `packed_golden` were written once; their metadata name the library, its version and the calls. Expected
values are those of the library's own dequantisation, in float64 where it can be made to, else in float32.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from shadowgraph.weights.quantised import packed_notes, resolve
from shadowgraph.weights.readers import packed_bytes, values
from shadowgraph.weights.readers.safetensors import read_header
from shadowgraph.weights.readers.values import read_values
from shadowgraph.weights.tensor import TensorEntry

FOLDER = Path(__file__).with_name("packed_golden")
FILES = sorted(FOLDER.glob("*.safetensors"))
NAME = "model.layers.0.mlp.up_proj.weight"
SINGLE = 1.2e-7  # what the libraries that compute in float32 round away, relative to the largest entry
LABELS = {
    "awq-4": "AWQ-4",
    "bnb-fp4": "FP4",
    "bnb-int8": "INT8",
    "bnb-nf4": "NF4",
    "ct-float": "F8_E4M3",
    "ct-int": "INT8",
    "ct-mxfp4": "MXFP4",
    "ct-nvfp4": "NVFP4",
    "ct-pack-2": "INT2",
    "ct-pack-4": "INT4",
    "ct-pack-8": "INT8",
    "gptq-2": "GPTQ-2",
    "gptq-3": "GPTQ-3",
    "gptq-4": "GPTQ-4",
    "gptq-8": "GPTQ-8",
    **{f"mlx-{bits}": f"MLX-{bits}" for bits in (2, 3, 4, 5, 6, 8)},
}


def opened(path: Path) -> tuple[dict[str, TensorEntry], np.ndarray]:
    """Resolved entries without the expected values, and these."""
    header = read_header(path)
    config = json.loads(header.metadata["config"])
    entries = resolve({entry.name: entry for entry in header.entries if entry.name != "expected"}, config)
    stored = next(entry for entry in header.entries if entry.name == "expected")
    return entries, read_values(stored)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_values_are_those_of_the_library(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal to the last bit where the library computed in float64, whole or a few rows at a time."""
    entries, expected = opened(path)
    entry = entries[NAME]
    assert not entry.unreadable
    found = read_values(entry)
    assert found.shape == expected.shape == entry.shape
    in_single = path.stem.startswith(("bnb", "mlx"))
    assert np.abs(found - expected).max() <= (SINGLE if in_single else 0.0) * np.abs(expected).max()
    height = entry.shape[0]
    monkeypatch.setattr(values, "UNPACKED", 3 * entry.shape[1])
    monkeypatch.setattr(packed_bytes, "HELD", 0)
    assert np.array_equal(read_values(entry), found)
    assert np.array_equal(read_values(entry, (height // 3, height - 1)), found[height // 3 : height - 1])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_group_is_one_tensor_of_the_real_shape(path: Path) -> None:
    """Its members are companions, so that it counts once, and the label says how it is stored."""
    entries, expected = opened(path)
    whole = [entry for entry in entries.values() if not entry.companion and not entry.name.endswith(".bias")]
    assert [(entry.name, entry.parameters) for entry in whole] == [(NAME, expected.size)]
    assert entries[NAME].dtype == next(label for stem, label in LABELS.items() if path.stem.startswith(stem))
    stored = (
        set(load_file(path)) - {"expected"} if "float" not in path.stem and "nvfp4" not in path.stem else set[str]()
    )
    assert stored <= set(entries)
    if entries[NAME].packing is not None:
        (note,) = packed_notes(entries.values())
        assert note.startswith(f"quantised ({entries[NAME].dtype}): 1 tensor dequantised as it is read")


def test_every_file_says_where_it_comes_from() -> None:
    assert len(FILES) >= 29
    for path in FILES:
        metadata = read_header(path).metadata
        assert any(character.isdigit() for character in metadata["library"]), path
        assert "expected" in metadata["made"], path
    assert {label for path in FILES for label in LABELS if path.stem.startswith(label)} == set(LABELS)


def test_a_note_says_that_awq_moves_more_than_it_rounds() -> None:
    entries, _ = opened(FOLDER / "awq-4-gemm.safetensors")
    assert "rescales inputs" in packed_notes(entries.values())[0]
    assert entries["model.layers.0.mlp.up_proj.bias"].dtype == "F16"
    assert not entries["model.layers.0.mlp.up_proj.bias"].unreadable


def test_equal_bytes_of_two_conventions_are_two_matrices(tmp_path: Path) -> None:
    """The zeros of the second version of GPTQ are one less: the same file, read otherwise, is another model."""
    from shadowgraph.weights.checkpoint import open_checkpoint

    metadata = read_header(FOLDER / "gptq-4-gptq-plain-sym.safetensors").metadata
    content = load_file(FOLDER / "gptq-4-gptq-plain-sym.safetensors")
    prints: list[str] = []
    for layout, shift in (("gptq", 0.0), ("gptq_v2", 1.0)):
        folder = tmp_path / layout
        folder.mkdir()
        config = json.loads(metadata["config"])
        config["quantization_config"]["checkpoint_format"] = layout
        (folder / "config.json").write_text(json.dumps(config))
        from safetensors.numpy import save_file

        save_file({name: array for name, array in content.items() if name != "expected"}, folder / "model.safetensors")
        checkpoint = open_checkpoint(folder)
        prints.append(checkpoint.fingerprint)
        (matrix,) = checkpoint.matrices()
        steps = (matrix.load() - content["expected"]) / content[NAME.replace("weight", "scales")].T.astype(
            float
        ).repeat(32, axis=1)
        assert np.allclose(steps, shift, rtol=0, atol=1e-9)
    assert prints[0] != prints[1]
