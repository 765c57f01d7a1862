"""Killed at any moment, the same call goes on to the same bytes.

The kill is real: a forked child sends itself signal 9 at a chosen place.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shadowgraph.runs import engine, snapshots
from shadowgraph.runs import train as train_module
from shadowgraph.runs.folder import sealed
from shadowgraph.runs.model import initial_model
from shadowgraph.runs.recipe import Adapter, Recipe
from shadowgraph.runs.sequences import Along
from shadowgraph.runs.train import train
from shadowgraph.seeds import generator

Tree = Callable[[Path], dict[str, bytes]]
fork = multiprocessing.get_context("fork")


def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _at(step: int, steps: int = 12) -> Callable[[Any], None]:
    def arm(arguments: dict[str, Any]) -> None:
        arguments["progress"] = lambda fraction: _die() if round(fraction * steps) == step else None  # pyright: ignore

    return arm


def _before(module: Any, name: str) -> Callable[[Any], None]:
    def arm(_: dict[str, Any]) -> None:
        setattr(module, name, _die)

    return arm


def _child(arm: Callable[[Any], None], recipe: Recipe, path: Path, out: Path, given: dict[str, Any]) -> None:
    arguments = dict(given)
    arm(arguments)
    train(recipe, path, out, **arguments)


def _kill(arm: Callable[[Any], None], recipe: Recipe, path: Path, out: Path, **given: Any) -> None:
    child = fork.Process(target=_child, args=(arm, recipe, path, out, given))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL


@pytest.fixture(scope="module")
def kept() -> dict[str, dict[str, bytes]]:
    """Holds the bytes of the uninterrupted run, made once."""
    return {}


@pytest.fixture
def wanted(
    kept: dict[str, dict[str, bytes]], recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, tree: Tree
) -> dict[str, bytes]:
    """Every byte of the same run, uninterrupted."""
    if not kept:
        train(recipe, stream(0), tmp_path / "whole")
        kept.update(whole=tree(tmp_path / "whole"))
    return kept["whole"]


KILLS = {
    "first step": _at(1),
    "before any resume point": _at(4),
    "beyond a resume point": _at(9),
    "last step": _at(12),
    "inside a snapshot": _before(snapshots, "copy_tokenizer"),
    "before sealing": _before(engine, "seal"),
    "before the final model": _before(engine, "save_model"),
    "before completion": _before(train_module, "_finish"),
}


@pytest.mark.parametrize("moment", KILLS)
def test_killed_and_resumed(
    moment: str, recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, tree: Tree, wanted: dict[str, bytes]
) -> None:
    _kill(KILLS[moment], recipe, stream(0), tmp_path / "torn")
    train(recipe, stream(0), tmp_path / "torn")
    assert tree(tmp_path / "torn") == wanted


def test_it_resumes_and_does_not_begin_again(recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path) -> None:
    _kill(_at(9), recipe, stream(0), tmp_path / "run")
    told: list[float] = []
    train(recipe, stream(0), tmp_path / "run", progress=told.append)
    assert len(told) == 7  # steps 6 … 12, after the resume point at step 5


SHORT: dict[str, Any] = {"steps": 6, "snapshots": (2, 6), "checkpoint_every": 4}


def _first_rows(path: Path, recipe: Recipe) -> Path:
    np.save(path.with_name("first.npy"), np.load(path)[: recipe.steps * recipe.batch])
    return path.with_name("first.npy")


def test_a_killed_adapter_goes_on(recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, tree: Tree) -> None:
    pytest.importorskip("peft", reason="the extra for adapters is not installed")
    initial_model(recipe, None).save_pretrained(tmp_path / "base")
    lora = dataclasses.replace(recipe, **SHORT, adapter=Adapter(2, 4.0))
    rows = _first_rows(stream(0), lora)
    train(lora, rows, tmp_path / "whole", start=tmp_path / "base")
    _kill(_at(5, 6), lora, rows, tmp_path / "torn", start=tmp_path / "base")
    assert (tmp_path / "torn" / "checkpoints" / "checkpoint-4").is_dir()
    train(lora, rows, tmp_path / "torn", start=tmp_path / "base")
    assert tree(tmp_path / "torn") == tree(tmp_path / "whole")


def test_a_killed_model_with_pictures_goes_on(
    recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, tree: Tree, seeing: dict[str, Any]
) -> None:
    llava = dataclasses.replace(recipe, **SHORT, family="llava", architecture=seeing)
    rows = np.load(_first_rows(stream(0), llava)) % 63
    rows[:, 1:5] = 63
    np.save(tmp_path / "rows.npy", rows)
    np.save(tmp_path / "pictures.npy", generator(1, "pixels").normal(size=(24, 1, 3, 4, 4)).astype(np.float32))
    np.save(tmp_path / "mask.npy", np.arange(8)[None, :] + np.zeros((24, 1)) > 5)
    along = Along(supervised=tmp_path / "mask.npy", pictures=tmp_path / "pictures.npy")
    train(llava, tmp_path / "rows.npy", tmp_path / "whole", along=along)
    _kill(_at(5, 6), llava, tmp_path / "rows.npy", tmp_path / "torn", along=along)
    assert (tmp_path / "torn" / "checkpoints" / "checkpoint-4").is_dir()
    train(llava, tmp_path / "rows.npy", tmp_path / "torn", along=along)
    assert tree(tmp_path / "torn") == tree(tmp_path / "whole")


def test_killed_experts_go_on(recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, tree: Tree) -> None:
    # Experts are stacked in memory and stored one by one: a resume point must be read by its stored names.
    experts = {**recipe.architecture, "num_local_experts": 3}
    mixtral = dataclasses.replace(recipe, **SHORT, family="mixtral", architecture=experts)
    rows = _first_rows(stream(0), mixtral)
    train(mixtral, rows, tmp_path / "whole")
    _kill(_at(5, 6), mixtral, rows, tmp_path / "torn")
    train(mixtral, rows, tmp_path / "torn")
    assert tree(tmp_path / "torn") == tree(tmp_path / "whole")


def test_torn_rows_and_broken_resume_points(
    recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, tree: Tree, wanted: dict[str, bytes]
) -> None:
    _kill(_at(11), recipe, stream(0), tmp_path / "torn")
    ledger = tmp_path / "torn" / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes() + b'{"batch": "12')
    points = tmp_path / "torn" / "checkpoints"
    assert sealed(points / "checkpoint-10")
    optimiser = points / "checkpoint-10" / "optimizer.pt"
    optimiser.write_bytes(optimiser.read_bytes()[:-1])
    assert not sealed(points / "checkpoint-10")
    train(recipe, stream(0), tmp_path / "torn")
    assert tree(tmp_path / "torn") == wanted


def test_a_ledger_behind_its_resume_points_wins(
    recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, tree: Tree, wanted: dict[str, bytes]
) -> None:
    _kill(_at(11), recipe, stream(0), tmp_path / "torn")
    ledger = tmp_path / "torn" / "ledger.jsonl"
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:7]))
    train(recipe, stream(0), tmp_path / "torn")
    assert tree(tmp_path / "torn") == wanted


@pytest.mark.slow
def test_killed_at_random_moments(
    recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path, tree: Tree, wanted: dict[str, bytes]
) -> None:
    moments = generator(0, "kills")
    for _ in range(30):
        child = fork.Process(target=_child, args=(lambda _: None, recipe, stream(0), tmp_path / "torn", {}))  # pyright: ignore
        child.start()
        time.sleep(float(moments.uniform(0.0, 0.8)))
        child.kill()
        child.join()
    train(recipe, stream(0), tmp_path / "torn")
    assert tree(tmp_path / "torn") == wanted
