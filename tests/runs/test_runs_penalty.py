"""Terms added to the loss: their laws, the gradients they leave, and runs with them that resume to the same bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import SpecError
from shadowgraph.footprint.endpoint import endpoint
from shadowgraph.footprint.scan import scan
from shadowgraph.measures.rank import participation_ratio
from shadowgraph.runs.matched import prove_matched, statement
from shadowgraph.runs.model import initial_model, load_model
from shadowgraph.runs.optimisers import is_inner
from shadowgraph.runs.penalty import Penalty, nearness, penalty_of, unevenness
from shadowgraph.runs.recipe import Adapter, Recipe
from shadowgraph.runs.sequences import consumption_order
from shadowgraph.runs.train import train
from shadowgraph.seeds import generator
from shadowgraph.spectra.plan import spectrum_of
from shadowgraph.weights.checkpoint import open_checkpoint

Tree = Callable[[Path], dict[str, bytes]]
SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(0, 10_000))


def _drawn(rows: int, columns: int, seed: int) -> torch.Tensor:
    """A matrix of any spectrum: values of many sizes between random orthogonal maps."""
    stream = generator(seed, "penalty")
    values = np.exp(stream.normal(0.0, 2.0, min(rows, columns)))
    return _with_values(rows, columns, values.tolist(), seed)


def _with_values(rows: int, columns: int, values: Sequence[float], seed: int) -> torch.Tensor:
    left, right = _turn(rows, seed), _turn(columns, seed + 1)
    return left[:, : len(values)] @ torch.diag(torch.tensor(list(values), dtype=torch.float64)) @ right[: len(values)]


def _turn(size: int, seed: int) -> torch.Tensor:
    """A random orthogonal map."""
    return torch.linalg.qr(torch.from_numpy(generator(seed, "turn").normal(size=(size, size))))[0]


@settings(deadline=None, max_examples=60)
@given(SHAPES)
def test_it_is_the_closed_form_of_the_values_and_never_negative(shape: tuple[int, int, int]) -> None:
    matrix = _drawn(*shape)
    squares = np.linalg.svd(matrix.numpy(), compute_uv=False) ** 2
    wanted = np.sqrt(min(shape[:2])) * np.sqrt((squares**2).sum()) - squares.sum()
    assert unevenness(matrix).value == pytest.approx(wanted, rel=1e-9, abs=1e-9 * squares.sum())
    assert unevenness(matrix).value >= 0.0
    ratio = participation_ratio(spectrum_of(matrix.numpy())).value
    assert ratio is not None
    by_ratio = squares.sum() * (np.sqrt(min(shape[:2]) / ratio) - 1)
    assert unevenness(matrix).value == pytest.approx(by_ratio, rel=1e-6, abs=1e-6 * squares.sum())


@settings(deadline=None, max_examples=40)
@given(SHAPES, st.floats(1e-3, 1e3))
def test_a_flat_update_costs_nothing_at_any_norm(shape: tuple[int, int, int], size: float) -> None:
    rows, columns, seed = shape
    term = unevenness(_with_values(rows, columns, [size] * min(rows, columns), seed))
    assert term.value == pytest.approx(0.0, abs=1e-9 * size**2)
    assert float(term.gradient.abs().max()) < 1e-7 * size


@settings(deadline=None, max_examples=40)
@given(SHAPES, st.floats(1e-2, 1e2))
def test_it_does_not_see_orthogonal_maps_and_grows_with_the_square(shape: tuple[int, int, int], scale: float) -> None:
    rows, columns, seed = shape
    matrix = _drawn(*shape)
    own = unevenness(matrix)
    close: dict[str, Any] = {"rel": 1e-7, "abs": 1e-9 * float(matrix.square().sum())}
    left, right = _turn(rows, seed + 2), _turn(columns, seed + 3)
    turned = unevenness(left @ matrix @ right)
    assert turned.value == pytest.approx(own.value, **close)
    torch.testing.assert_close(
        turned.gradient, left @ own.gradient @ right, rtol=1e-6, atol=1e-7 * float(matrix.norm())
    )
    assert unevenness(matrix.mT).value == pytest.approx(own.value, **close)
    torch.testing.assert_close(unevenness(matrix.mT).gradient.mT, own.gradient)
    assert unevenness(scale * matrix).value == pytest.approx(
        scale**2 * own.value, rel=1e-7, abs=scale**2 * close["abs"]
    )
    assert float((own.gradient * matrix).sum()) == pytest.approx(
        2 * own.value, rel=1e-6, abs=1e-8 * close["abs"] + 1e-9
    )


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5), (1, 3)])
@pytest.mark.parametrize("term", [nearness, unevenness])
def test_gradients_are_those_of_the_values(term: Callable[[torch.Tensor], Any], shape: tuple[int, int]) -> None:
    matrix = _drawn(*shape, 3)
    found = term(matrix).gradient
    for row in range(shape[0]):
        for column in range(shape[1]):
            step = torch.zeros_like(matrix)
            step[row, column] = 1e-5
            slope = (term(matrix + step).value - term(matrix - step).value) / 2e-5
            assert float(found[row, column]) == pytest.approx(slope, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("size", [0.0, 1e-45, 1e-30, 1e-18])
def test_at_the_start_the_gradient_is_finite_and_vanishes(size: float) -> None:
    term = unevenness(torch.full((3, 5), size, dtype=torch.float32))
    assert np.isfinite(term.value)
    assert bool(torch.isfinite(term.gradient).all())
    assert float(term.gradient.abs().max()) <= 10 * size


class Experts(torch.nn.Module):
    """Parameters under the names of a model with stacked experts, and a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = torch.nn.Parameter(torch.zeros(4, 3))
        self.experts = torch.nn.Parameter(torch.zeros(2, 3, 4))
        self.conv = torch.nn.Parameter(torch.zeros(3, 1, 2))
        self.q_proj = torch.nn.Parameter(torch.zeros(3, 3))
        self.frozen = torch.nn.Parameter(torch.zeros(3, 3), requires_grad=False)


def test_flattening_sees_matrices_in_layers_and_experts_one_by_one(recipe: Recipe) -> None:
    model = Experts()
    penalty = Penalty(dataclasses.replace(recipe, flatten=2.0), model)
    with torch.no_grad():
        for place, parameter in enumerate(model.parameters()):
            parameter.add_(_drawn(parameter.shape[0], parameter[0].numel(), place).reshape(parameter.shape).float())
    model.q_proj.grad = torch.ones(3, 3)
    value = penalty.add()
    parts = [unevenness(part.detach()) for part in (model.experts[0], model.experts[1], model.q_proj)]
    assert value == pytest.approx(2.0 * sum(part.value for part in parts))
    torch.testing.assert_close(model.q_proj.grad, 1.0 + 2.0 * parts[2].gradient)
    assert model.experts.grad is not None
    torch.testing.assert_close(model.experts.grad, 2.0 * torch.stack([parts[0].gradient, parts[1].gradient]))
    assert all(one.grad is None for one in (model.embed_tokens, model.conv, model.frozen))


def test_the_anchor_holds_all_that_is_trained(recipe: Recipe) -> None:
    model = Experts()
    penalty = Penalty(dataclasses.replace(recipe, anchor=0.5), model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(2.0)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert penalty.add() == pytest.approx(0.25 * 4.0 * sum(parameter.numel() for parameter in trained))
    for parameter in trained:
        torch.testing.assert_close(parameter.grad, torch.ones_like(parameter))
    assert model.frozen.grad is None
    assert penalty_of(recipe, model) is None
    assert all(penalty_of(dataclasses.replace(recipe, **{key: 0.1}), model) for key in ("anchor", "flatten"))


class Stopped(RuntimeError):
    """Raised by a test's progress to break off a run."""


@pytest.mark.parametrize("keys", [{"anchor": 0.3, "flatten": 0.2}, {"flatten": 0.2, "optimiser": "muon"}])
def test_a_broken_run_goes_on_to_the_same_bytes(
    keys: dict[str, Any], recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, tree: Tree
) -> None:
    initial_model(recipe, None).save_pretrained(tmp_path / "base")
    own, rows, base = dataclasses.replace(recipe, **keys), stream(0), tmp_path / "base"
    train(own, rows, tmp_path / "whole", start=base)

    def stop(done: float) -> None:
        if done > 0.7:
            raise Stopped

    with pytest.raises(Stopped):
        train(own, rows, tmp_path / "torn", start=base, progress=stop)
    assert (tmp_path / "torn" / "checkpoints" / "checkpoint-5").is_dir()
    train(own, rows, tmp_path / "torn", start=base)
    assert tree(tmp_path / "torn") == tree(tmp_path / "whole")
    train(dataclasses.replace(own, anchor=0.0, flatten=0.0), rows, tmp_path / "plain", start=base)
    weights = "model/model.safetensors"
    assert tree(tmp_path / "whole")[weights] != tree(tmp_path / "plain")[weights]


def test_the_ledger_keeps_the_loss_of_the_data_and_the_penalty_beside_it(
    recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path
) -> None:
    own = dataclasses.replace(recipe, anchor=5.0, flatten=5.0, warmup_steps=0)
    run, plain = train(own, stream(0), tmp_path / "run"), train(recipe, stream(0), tmp_path / "plain")
    rows = run.ledger_rows()
    assert float(str(rows[0]["penalty"])) == 0.0  # nothing has moved yet
    assert float(str(rows[0]["loss"])) == plain.losses()[0]
    assert min(float(str(row["penalty"])) for row in rows[1:]) > 0.05
    assert all("penalty" not in row for row in plain.ledger_rows())
    ids = torch.from_numpy(np.load(stream(0)).astype(np.int64))[consumption_order(own)][12:16]
    with torch.inference_mode():
        loss = float(load_model(run.snapshots[3])(input_ids=ids, labels=ids).loss)
    assert run.losses()[3] == pytest.approx(loss, rel=1e-5)


def _read(recipe: Recipe, rows: Path, folder: Path, base: Path) -> tuple[float, float]:
    """K and the log norm at the end of a run."""
    run = train(recipe, rows, folder, start=base)
    found = endpoint(scan(open_checkpoint(run.model), open_checkpoint(base))).as_dict()
    return float(str(found["K"])), float(str(found["log_norm"]))


def test_a_flattened_run_ends_less_concentrated_at_comparable_norm(
    recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path
) -> None:
    initial_model(recipe, None).save_pretrained(tmp_path / "base")
    plain = _read(recipe, stream(0), tmp_path / "plain", tmp_path / "base")
    flat = _read(dataclasses.replace(recipe, flatten=0.01), stream(0), tmp_path / "flat", tmp_path / "base")
    held = _read(dataclasses.replace(recipe, anchor=0.01), stream(0), tmp_path / "held", tmp_path / "base")
    assert abs(flat[1] - plain[1]) < 0.2
    assert flat[0] < plain[0] - 0.3
    assert held[1] < flat[1] - 0.1  # a smaller norm alone does not do it
    assert held[0] > flat[0] + 0.3


def test_penalties_are_stated_and_hold_runs_apart(recipe: Recipe, stream: Callable[[int], Path]) -> None:
    rows = stream(0)
    for key in ("anchor", "flatten"):
        own = dataclasses.replace(recipe, **{key: 0.5})
        assert key not in recipe.as_dict()
        assert Recipe.from_dict(own.as_dict()) == own
        stated = {"plain": statement(recipe, rows, None, None), "own": statement(own, rows, None, None)}
        assert key not in stated["plain"].as_dict()
        assert stated["own"].as_dict()[key] == 0.5
        with pytest.raises(SpecError, match=rf"matched\.{key}"):
            prove_matched(stated)
        for wrong in (-0.1, float("inf"), float("nan")):
            with pytest.raises(SpecError, match=rf"recipe\.{key}"):
                dataclasses.replace(recipe, **{key: wrong})
        with pytest.raises(SpecError, match="trains factors"):
            dataclasses.replace(own, adapter=Adapter(2, 4.0))


def test_every_matrix_that_muon_flattens_is_flattened_by_the_term(recipe: Recipe) -> None:
    model = initial_model(recipe, None)
    inner = [name for name, weight in model.named_parameters() if is_inner(name, weight.ndim)]
    assert len(Penalty(dataclasses.replace(recipe, flatten=1.0), model).held) == len(inner) == 14
