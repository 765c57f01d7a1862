"""A tiny run for the tests of `runs`: recipe, sequences, tokenizer."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shadowgraph.artifact import write_json
from shadowgraph.runs.recipe import Recipe
from shadowgraph.seeds import generator

TINY = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 64,
    "max_position_embeddings": 32,
}


@pytest.fixture(scope="session", autouse=True)
def cheap_collection() -> None:
    """Keep the thousands of objects of the imported libraries out of the Trainer's garbage collections."""
    import shadowgraph.runs.engine

    assert shadowgraph.runs.engine
    gc.freeze()


@pytest.fixture
def recipe() -> Recipe:
    """12 steps with snapshots and resume points that do not coincide."""
    return Recipe(
        steps=12,
        learning_rate=1e-2,
        architecture=TINY,
        batch=4,
        sequence_length=8,
        warmup_steps=2,
        weight_decay=0.01,
        snapshots=(3, 6, 12),
        checkpoint_every=5,
    )


@pytest.fixture
def stream(tmp_path: Path, recipe: Recipe) -> Callable[[int], Path]:
    """Writes the sequence file of a draw."""

    def write(draw: int) -> Path:
        shape = recipe.steps * recipe.batch, recipe.sequence_length
        path = tmp_path / f"draw-{draw}.npy"
        np.save(path, generator(draw, "sequences").integers(0, 64, shape).astype(np.uint16))
        return path

    return write


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A folder that looks like a tokenizer's."""
    write_json(tmp_path / "tokenizer" / "tokenizer.json", {"version": "1.0"})
    return tmp_path / "tokenizer"


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Reads every file under a folder, except the durations."""

    def read(folder: Path) -> dict[str, bytes]:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "timing.json")
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    return read


@pytest.fixture
def seeing() -> dict[str, Any]:
    """Architecture of a tiny llava: pictures of 4 × 4 pixels, four places each, marked by token 63."""
    vision = {"model_type": "clip_vision_model", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
    vision |= {"num_attention_heads": 2, "image_size": 4, "patch_size": 2, "projection_dim": 16}
    return {"text_config": {"model_type": "llama", **TINY}, "vision_config": vision, "image_token_index": 63}
