"""Optimisers: equal to loops written out by hand, resumed to the same bytes, and stated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shadowgraph.errors import SpecError
from shadowgraph.measures.rank import participation_ratio
from shadowgraph.runs.matched import prove_matched, statement
from shadowgraph.runs.model import initial_model, load_model
from shadowgraph.runs.optimisers import is_inner, optimiser_of
from shadowgraph.runs.recipe import Recipe
from shadowgraph.runs.sequences import consumption_order
from shadowgraph.runs.train import train
from shadowgraph.spectra.plan import spectrum_of

Tree = Callable[[Path], dict[str, bytes]]


class Stopped(RuntimeError):
    """Raised by a test's progress to break off a run."""


@pytest.mark.parametrize("name", ["sgd", "muon"])
def test_a_broken_run_goes_on_to_the_same_bytes(
    name: str, recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, tree: Tree
) -> None:
    own = dataclasses.replace(recipe, optimiser=name)
    rows = stream(0)
    train(own, rows, tmp_path / "whole")

    def stop(done: float) -> None:
        if done > 0.7:
            raise Stopped

    with pytest.raises(Stopped):
        train(own, rows, tmp_path / "torn", progress=stop)
    assert (tmp_path / "torn" / "checkpoints" / "checkpoint-5").is_dir()
    train(own, rows, tmp_path / "torn")
    assert tree(tmp_path / "torn") == tree(tmp_path / "whole")
    train(recipe, rows, tmp_path / "adamw")
    weights = "model/model.safetensors"
    assert tree(tmp_path / "whole")[weights] != tree(tmp_path / "adamw")[weights]


def _by_hand(recipe: Recipe, rows: Path, optimiser: Any, model: Any) -> dict[str, torch.Tensor]:
    """The loop of a training without warm-up and clipping."""
    ids = torch.from_numpy(np.load(rows).astype(np.int64))[consumption_order(recipe)]
    for step in range(recipe.steps):
        batch = ids[step * recipe.batch : (step + 1) * recipe.batch]
        optimiser.zero_grad()
        model(input_ids=batch, labels=batch).loss.backward()
        optimiser.step()
    return dict(model.state_dict())


def test_sgd_is_torchs_with_momentum(recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path) -> None:
    own = dataclasses.replace(
        recipe, optimiser="sgd", weight_decay=0.0, warmup_steps=0, max_grad_norm=1e6, schedule="constant"
    )
    train(own, stream(0), tmp_path / "run")
    model = initial_model(own, None).train()
    loop = torch.optim.SGD(model.parameters(), lr=own.learning_rate, momentum=0.9)
    wanted = _by_hand(own, stream(0), loop, model)
    found = load_model(tmp_path / "run" / "model").state_dict()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-7)


def test_muon_flattens_the_first_step_of_matrices_in_layers_alone(recipe: Recipe) -> None:
    own = dataclasses.replace(recipe, optimiser="muon", weight_decay=0.0)
    model = initial_model(own, None)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimiser = optimiser_of(own, model, set())
    assert optimiser is not None
    ids = torch.arange(32).reshape(4, 8)
    model(input_ids=ids, labels=ids).loss.backward()
    gradients = {name: value.grad.numpy().astype(np.float64) for name, value in model.named_parameters()}
    optimiser.step()
    for name, value in model.named_parameters():
        update = (value - before[name]).detach().numpy().astype(np.float64)
        if not is_inner(name, value.ndim):
            assert np.abs(update).max() <= own.learning_rate * 1.001, name  # a first step of AdamW is its rate at most
            continue
        flat, steep = (participation_ratio(spectrum_of(matrix)).value for matrix in (update, gradients[name]))
        assert flat is not None
        assert steep is not None
        assert flat > 1.5 * steep, name
        values = np.linalg.svd(update, compute_uv=False) / (own.learning_rate * 0.2 * np.sqrt(max(update.shape)))
        assert 0.6 < values[0] < 1.3, name  # Newton and Schulz bring what is not tiny to about 1


def test_the_inside_of_layers_is_told_by_name_and_axes() -> None:
    assert is_inner("model.layers.0.self_attn.q_proj.weight", 2)
    assert not is_inner("model.layers.0.mlp.experts.gate_up_proj", 3)
    assert not is_inner("model.embed_tokens.weight", 2)
    assert not is_inner("transformer.wte.weight", 2)
    assert not is_inner("lm_head.weight", 2)
    assert not is_inner("model.norm.weight", 1)


def test_optimisers_are_stated_and_hold_runs_apart(recipe: Recipe, stream: Callable[[int], Path]) -> None:
    rows = stream(0)
    stated = {
        name: statement(dataclasses.replace(recipe, optimiser=name), rows, None, None) for name in ("adamw", "muon")
    }
    assert stated["adamw"].optimiser["name"] == "AdamW"
    assert "optimiser" not in recipe.as_dict()
    assert Recipe.from_dict(dataclasses.replace(recipe, optimiser="sgd").as_dict()).optimiser == "sgd"
    with pytest.raises(SpecError, match="optimiser"):
        prove_matched(stated)
    with pytest.raises(SpecError, match="one of adamw, sgd, muon"):
        dataclasses.replace(recipe, optimiser="lion")
