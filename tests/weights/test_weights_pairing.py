"""Pairs join by key and part, refuse what does not correspond, and tell a wrong base by one angle."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from shadowgraph.errors import CheckpointError
from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.pairing import cosine, pair

SHAPES = {
    "layers.0.self_attn.q_proj.weight": (8, 8),
    "layers.0.mlp.up_proj.weight": (12, 8),
    "layers.0.input_layernorm.weight": (8,),
    "embed_tokens.weight": (20, 8),
}


def model(folder: Path, shapes: dict[str, tuple[int, ...]], prefix: str = "model.", **config: object) -> Path:
    folder.mkdir()
    save_file(
        {
            prefix + name: generator(0, folder.name, name).standard_normal(shape).astype(np.float32)
            for name, shape in shapes.items()
        },
        folder / "model.safetensors",
    )
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "hidden_size": 8} | config))
    return folder


def refused(base: Path, tuned: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        pair(open_checkpoint(base), open_checkpoint(tuned))
    return str(caught.value)


def test_the_difference_is_taken_in_float64(tmp_path: Path) -> None:
    a, b = model(tmp_path / "a", SHAPES), model(tmp_path / "b", SHAPES)
    pairing = pair(open_checkpoint(a), open_checkpoint(b))
    assert [update.role.slot for update in pairing.updates] == ["embedding", "up", "q"]
    update = pairing.updates[1]
    difference = update.difference()
    assert difference.dtype == np.float64
    assert np.array_equal(difference, update.after.load() - update.before.load())
    assert [item.reason for item in pairing.skipped] == ["vector (norm or bias)"]


def test_prefixes_are_ruled_out_and_reported(tmp_path: Path) -> None:
    a, b = model(tmp_path / "a", SHAPES, prefix=""), model(tmp_path / "b", SHAPES)
    pairing = pair(open_checkpoint(a), open_checkpoint(b))
    assert len(pairing.updates) == 3
    assert any("another prefix" in note for note in pairing.identity.notes)


def test_a_resized_vocabulary_is_compared_on_common_rows(tmp_path: Path) -> None:
    a = model(tmp_path / "a", SHAPES)
    b = model(tmp_path / "b", SHAPES | {"embed_tokens.weight": (28, 8)})
    pairing = pair(open_checkpoint(a), open_checkpoint(b))
    embedding = next(update for update in pairing.updates if update.role.slot == "embedding")
    assert embedding.shape == (20, 8) == embedding.difference().shape
    assert any("20 rows became 28" in note for note in pairing.identity.notes)


def test_other_structure_shape_names_or_family_are_refused(tmp_path: Path) -> None:
    base = model(tmp_path / "base", SHAPES)
    assert "hidden_size 8 against 16" in refused(base, model(tmp_path / "wide", SHAPES, hidden_size=16))
    taller = model(tmp_path / "taller", SHAPES | {"layers.0.mlp.up_proj.weight": (10, 8)})
    assert "[10, 8] is [12, 8] in the base" in refused(base, taller)
    deeper = model(tmp_path / "deeper", SHAPES | {f"layers.{i}.mlp.up_proj.weight": (12, 8) for i in range(1, 15)})
    said = refused(base, deeper)
    assert "14 block matrices" in said
    assert said.count("+ model.layers") == 10
    other = model(tmp_path / "other", {"h.0.attn.c_attn.weight": (8, 24)}, prefix="transformer.")
    assert "family llama" in refused(base, other)


@given(st.floats(0.05, 20.0), st.integers(0, 50))
def test_the_cosine_from_energies_is_the_cosine(size: float, seed: int) -> None:
    stream = generator(seed, "cosine")
    before, after = stream.standard_normal((6, 5)), size * stream.standard_normal((6, 5))
    direct = float(np.sum(before * after)) / float(np.linalg.norm(before) * np.linalg.norm(after))
    energies = [float(np.sum(np.square(matrix))) for matrix in (before, after, after - before)]
    assert cosine(*energies) == pytest.approx(direct, abs=1e-9)


def test_the_cosine_has_no_value_without_a_norm() -> None:
    assert cosine(0.0, 1.0, 1.0) is None
    assert cosine(1.0, 1.0, 2.0) == 0.0
    assert math.isclose(cosine(1.0, 1.0, 0.0) or 0.0, 1.0)


def test_reading_weights_loads_no_model_code(tmp_path: Path) -> None:
    folder = model(tmp_path / "a", SHAPES)
    code = (
        "import sys, pathlib\n"
        "from shadowgraph.weights.checkpoint import open_checkpoint\n"
        f"checkpoint = open_checkpoint(pathlib.Path({str(folder)!r}))\n"
        "[m.load() for m in checkpoint.matrices()]\n"
        "sys.exit(','.join({'torch', 'transformers', 'safetensors', 'pyarrow', 'scipy'} & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
