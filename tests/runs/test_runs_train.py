"""Training: the same bytes again, in any order of runs, and equal to a loop written out by hand."""

from __future__ import annotations

import dataclasses
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shadowgraph.errors import CheckpointError, DataError, SpecError
from shadowgraph.runs.loss import evaluate_loss
from shadowgraph.runs.model import initial_model, load_model, state_digest
from shadowgraph.runs.recipe import Recipe
from shadowgraph.runs.run import read_run
from shadowgraph.runs.sequences import consumption_order, read_sequences
from shadowgraph.runs.train import train

Tree = Callable[[Path], dict[str, bytes]]


class Stopped(RuntimeError):
    """Raised by a test's progress to break off a run."""


def test_order_of_runs_in_a_process_does_not_matter(
    recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, tree: Tree
) -> None:
    train(recipe, stream(0), tmp_path / "first")
    train(dataclasses.replace(recipe, seed=5, snapshots=()), stream(1), tmp_path / "between")

    def stop(fraction: float) -> None:
        if fraction > 0.5:
            raise Stopped

    with pytest.raises(Stopped):
        train(dataclasses.replace(recipe, learning_rate=1e-3), stream(1), tmp_path / "broken", progress=stop)
    torch.manual_seed(99)
    train(recipe, stream(0), tmp_path / "again")
    assert tree(tmp_path / "first") == tree(tmp_path / "again")
    assert tree(tmp_path / "first")["model/model.safetensors"] != tree(tmp_path / "between")["model/model.safetensors"]


def test_the_process_is_left_as_it_was(recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(3)
    random.seed(3)
    legacy: Any = np.random.get_state()  # noqa: NPY002
    wanted = torch.get_rng_state(), random.getstate()
    train(recipe, stream(0), tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), wanted[0])
    assert random.getstate() == wanted[1]
    now: Any = np.random.get_state()  # noqa: NPY002
    assert np.array_equal(now[1], legacy[1])
    assert torch.get_num_threads() == threads


def test_the_folder_tells_the_run(
    recipe: Recipe, stream: Callable[[int], Path], tokenizer: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[float] = []
    run = train(recipe, stream(0), tmp_path / "run", tokenizer=tokenizer, progress=told.append)
    assert told == [step / 12 for step in range(1, 13)]
    assert capfd.readouterr() == ("", "")
    assert run.complete
    assert list(run.snapshots) == [3, 6, 12]
    assert not (run.path / "checkpoints").exists()
    assert (run.model / "tokenizer.json").is_file()
    assert len(run.losses()) == 12
    assert run.final_loss(2) == pytest.approx(sum(run.losses()[-2:]) / 2)
    rows = run.ledger_rows()
    assert [row["tokens"] for row in rows] == [32 * step for step in range(1, 13)]
    assert read_run(run.path).statement == run.statement
    last = state_digest(load_model(run.snapshots[12]))
    assert last == state_digest(load_model(run.model))
    assert last != state_digest(load_model(run.snapshots[6]))


def test_a_finished_run_is_returned_and_another_refused(
    recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, tree: Tree
) -> None:
    train(recipe, stream(0), tmp_path / "run")
    before = tree(tmp_path / "run")
    assert train(recipe, stream(0), tmp_path / "run").complete
    assert tree(tmp_path / "run") == before
    with pytest.raises(SpecError, match="data differs"):
        train(recipe, stream(1), tmp_path / "run")


def test_losses_equal_a_loop_written_by_hand(recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path) -> None:
    # Independent oracle: AdamW, clipping, linear warm-up and the shifted cross-entropy in plain torch; float32 rounding
    # of another operation order allows 1e-4.
    run = train(recipe, stream(0), tmp_path / "run")
    model: Any = initial_model(recipe, None)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    groups: list[Any] = [{"params": decayed, "weight_decay": 0.01}]
    groups.append({"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0})
    optimiser = torch.optim.AdamW(groups, lr=1e-2)
    rows = read_sequences(stream(0), recipe)[consumption_order(recipe)].astype(np.int64)
    losses: list[float] = []
    for step in range(12):
        ids = torch.from_numpy(rows[4 * step : 4 * step + 4])
        logits = model(input_ids=ids).logits[:, :-1].flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(logits, ids[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = 1e-2 * min(1.0, step / 2)
        optimiser.step()
        losses.append(float(loss.detach()))
    assert run.losses() == pytest.approx(losses, abs=1e-4)
    trained = load_model(run.model).state_dict()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(trained[name], value, atol=1e-4, rtol=0)


def test_a_run_goes_on_from_a_base(
    recipe: Recipe, stream: Callable[[int], Path], tokenizer: Path, tmp_path: Path
) -> None:
    base = train(recipe, stream(0), tmp_path / "base", tokenizer=tokenizer)
    arm = train(dataclasses.replace(recipe, seed=8), stream(1), tmp_path / "arm", start=base.model)
    assert arm.statement["init"] == state_digest(load_model(base.model))
    assert arm.statement["tokenizer"] == base.statement["tokenizer"] != "none"
    assert (arm.model / "tokenizer.json").is_file()
    other = dataclasses.replace(recipe, architecture={**recipe.architecture, "num_hidden_layers": 1})
    with pytest.raises(SpecError, match="num_hidden_layers"):
        train(other, stream(1), tmp_path / "other", start=base.model)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        train(recipe, stream(1), tmp_path / "none", start=tmp_path)
    with pytest.raises(DataError, match=r"tokenizer\.json"):
        train(recipe, stream(1), tmp_path / "none", tokenizer=tmp_path)


def test_divergence_is_the_recipes_fault(recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"recipe\.learning_rate: the loss is not finite at step"):
        train(dataclasses.replace(recipe, learning_rate=1e30), stream(0), tmp_path / "run")
    assert not read_run(tmp_path / "run").complete


def test_the_loss_does_not_depend_on_how_many_rows_fit(
    recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = initial_model(recipe, None)
    model.save_pretrained(tmp_path / "fresh")
    rows = read_sequences(stream(0), recipe)[:5]
    whole = evaluate_loss(tmp_path / "fresh", rows)
    held: list[int] = []
    entropy = torch.nn.functional.cross_entropy

    def counted(logits: Any, *args: Any, **keys: Any) -> Any:
        held.append(len(logits) // (rows.shape[1] - 1))
        return entropy(logits, *args, **keys)

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", counted)
    assert evaluate_loss(tmp_path / "fresh", rows) == whole
    assert held == [5]  # a small vocabulary is read as it was before there was a bound
    monkeypatch.setattr("shadowgraph.runs.loss.LOGITS", 2 * rows.shape[1] * 64 * 4)
    assert evaluate_loss(tmp_path / "fresh", rows) == pytest.approx(whole, rel=1e-6)
    assert held == [5, 2, 2, 1]


def test_loss_of_a_model_that_knows_nothing(recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path) -> None:
    # A model with zero embeddings predicts all 64 tokens alike: log 64 nats, exactly.
    model: Any = initial_model(recipe, None)
    with torch.no_grad():
        model.get_input_embeddings().weight.zero_()
    model.save_pretrained(tmp_path / "flat")
    rows = read_sequences(stream(0), recipe)
    assert evaluate_loss(tmp_path / "flat", rows) == pytest.approx(np.log(64), abs=1e-6)
    assert evaluate_loss(tmp_path / "flat", rows[:7], batch=3) == pytest.approx(np.log(64), abs=1e-6)
    with pytest.raises(DataError):
        evaluate_loss(tmp_path / "flat", rows[:0])
    shutil.rmtree(tmp_path / "flat")
    with pytest.raises(CheckpointError):
        evaluate_loss(tmp_path / "flat", rows)
