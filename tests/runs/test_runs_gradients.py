"""Gradient directions: against gradients taken by hand, in families that fuse, turn or stack their matrices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, MixtralConfig, MixtralForCausalLM

from shadowgraph.errors import DataError, SpecError
from shadowgraph.runs.gradients import leading_directions
from shadowgraph.runs.model import initial_model
from shadowgraph.runs.recipe import Recipe
from shadowgraph.weights.checkpoint import open_checkpoint


@pytest.fixture
def base(recipe: Recipe, tmp_path: Path) -> Path:
    """A saved model of fresh weights."""
    initial_model(recipe, None).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def rows(stream: Callable[[int], Path]) -> Any:
    """Token sequences."""
    return np.load(stream(0))


def test_directions_are_those_of_the_normalised_gradients(recipe: Recipe, base: Path, rows: Any) -> None:
    # Independent oracle: the left singular vectors of the gradients side by side, each divided by its global norm.
    found = leading_directions(base, rows, batches=3, batch=4, top=2)
    assert set(found) == {m.name for m in open_checkpoint(base).matrices() if m.role.is_block_linear}
    model: Any = initial_model(recipe, None)
    name = "model.layers.1.mlp.down_proj.weight"
    gradients: list[Any] = []
    for first in (0, 4, 8):
        ids = torch.from_numpy(rows[first : first + 4].astype(np.int64))
        model.zero_grad()
        logits = model(input_ids=ids).logits[:, :-1].flatten(0, 1)
        torch.nn.functional.cross_entropy(logits, ids[:, 1:].flatten()).backward()  # pyright: ignore
        norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9))
        gradients.append(model.get_parameter(name).grad.double().numpy() / norm)
    left = np.linalg.svd(np.hstack(gradients))[0][:, :2]
    right = np.linalg.svd(np.vstack(gradients))[2][:2].T
    mine = found[name]
    np.testing.assert_allclose(mine.left @ mine.left.T, left @ left.T, atol=1e-5)
    np.testing.assert_allclose(mine.right @ mine.right.T, right @ right.T, atol=1e-5)
    held_out = [
        float(np.sum((np.linalg.svd(np.hstack(rest))[0][:, :2].T @ gradient) ** 2) / np.sum(gradient**2))
        for number, gradient in enumerate(gradients)
        if (rest := [other for at, other in enumerate(gradients) if at != number])
    ]
    assert mine.captured == pytest.approx(np.mean(held_out), abs=1e-5)
    assert mine.spread == pytest.approx(max(held_out) - min(held_out), abs=1e-5)
    assert mine.batches == 3


def test_directions_are_deterministic_and_orthonormal(base: Path, rows: Any) -> None:
    torch.manual_seed(5)
    first, again = (leading_directions(base, rows, batches=2, batch=2, top=50) for _ in range(2))
    for name, one in first.items():
        assert np.array_equal(one.left, again[name].left)
        assert np.array_equal(one.right, again[name].right)
        for side in (one.left, one.right):
            np.testing.assert_allclose(side.T @ side, np.eye(side.shape[1]), atol=1e-12)
        assert 0.0 <= one.captured <= 1.0 + 1e-12
        assert one.left.shape[1] <= one.left.shape[0]


def test_fused_and_turned_matrices(tmp_path: Path, rows: Any) -> None:
    torch.manual_seed(0)
    shape: Any = {"n_embd": 16, "n_layer": 1, "n_head": 2, "vocab_size": 64, "n_positions": 32, "n_inner": 24}
    model: Any = GPT2LMHeadModel(GPT2Config(**shape)).eval()
    model.save_pretrained(tmp_path / "gpt2")
    found = leading_directions(tmp_path / "gpt2", rows, batches=1, batch=4, top=3)
    ids = torch.from_numpy(rows[:4].astype(np.int64))
    model(input_ids=ids, labels=ids).loss.backward()
    fused = model.transformer.h[0].attn.c_attn.weight.grad.double().numpy()
    value = np.linalg.svd(fused[:, 32:].T)[0][:, :3]
    mine = found["transformer.h.0.attn.c_attn.weight[v]"].left
    np.testing.assert_allclose(mine @ mine.T, value @ value.T, atol=1e-5)
    assert found["transformer.h.0.mlp.c_fc.weight"].left.shape == (24, 3)


def test_experts_keep_their_stored_names(tmp_path: Path, rows: Any) -> None:
    shape: Any = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "vocab_size": 64,
        "num_local_experts": 3,
        "max_position_embeddings": 32,
    }
    MixtralForCausalLM(MixtralConfig(**shape)).save_pretrained(tmp_path / "moe")
    found = leading_directions(tmp_path / "moe", rows, batches=1, batch=8, top=2)
    names = {m.name: m.shape for m in open_checkpoint(tmp_path / "moe").matrices() if m.role.is_block_linear}
    assert set(found) <= set(names)
    experts = [name for name in found if "experts" in name]
    assert len(experts) > 3
    assert all((d.left.shape[0], d.right.shape[0]) == names[name] for name, d in found.items())


def test_what_cannot_be_asked(base: Path, rows: Any) -> None:
    with pytest.raises(SpecError, match="top"):
        leading_directions(base, rows, batches=1, batch=1, top=0)
    with pytest.raises(DataError, match="100 × 4 rows"):
        leading_directions(base, rows, batches=100, batch=4, top=1)
