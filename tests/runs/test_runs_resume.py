"""Killed at any moment, the same call goes on to the same bytes.

The kill is real: a forked child sends itself signal 9 at a chosen place.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shadowgraph.runs import callback, engine
from shadowgraph.runs import train as train_module
from shadowgraph.runs.folder import sealed
from shadowgraph.runs.recipe import Recipe
from shadowgraph.runs.train import train
from shadowgraph.seeds import generator

Tree = Callable[[Path], dict[str, bytes]]
fork = multiprocessing.get_context("fork")


def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _at(step: int) -> Callable[[Any], None]:
    def arm(arguments: dict[str, Any]) -> None:
        arguments["progress"] = lambda fraction: _die() if round(fraction * 12) == step else None  # pyright: ignore

    return arm


def _before(module: Any, name: str) -> Callable[[Any], None]:
    def arm(_: dict[str, Any]) -> None:
        setattr(module, name, _die)

    return arm


def _child(arm: Callable[[Any], None], recipe: Recipe, path: Path, out: Path) -> None:
    arguments: dict[str, Any] = {}
    arm(arguments)
    train(recipe, path, out, **arguments)


def _kill(arm: Callable[[Any], None], recipe: Recipe, path: Path, out: Path) -> None:
    child = fork.Process(target=_child, args=(arm, recipe, path, out))
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
    "inside a snapshot": _before(callback, "copy_tokenizer"),
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
        child = fork.Process(target=_child, args=(lambda _: None, recipe, stream(0), tmp_path / "torn"))  # pyright: ignore
        child.start()
        time.sleep(float(moments.uniform(0.0, 0.8)))
        child.kill()
        child.join()
    train(recipe, stream(0), tmp_path / "torn")
    assert tree(tmp_path / "torn") == wanted
