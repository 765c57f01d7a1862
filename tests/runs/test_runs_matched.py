"""Matching: only data may differ, and a ledger must tell what its statement promised."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shadowgraph.errors import DataError, SpecError
from shadowgraph.runs.matched import DATA_FIELDS, Statement, check_ledger, prove_matched, statement
from shadowgraph.runs.recipe import LLAMA_STYLE, Recipe
from shadowgraph.runs.run import Run
from shadowgraph.runs.sequences import Stream, consumption_order, planned_batches, read_sequences


def test_only_data_may_differ(recipe: Recipe, stream: Callable[[int], Path]) -> None:
    first, second = (statement(recipe, stream(draw), None, None) for draw in (0, 1))
    assert first.data != second.data
    assert first.order != second.order
    proof = prove_matched({"a": first, "b": second})
    assert proof.runs == 2
    assert {"init", "order_seed", "environment", "threads"} <= set(proof.fields)
    assert not {"data", "order"} & set(proof.fields)
    assert proof == prove_matched([second, first])


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("init", {"seed": 1}),
        ("order_seed", {"order_seed": 1}),
        ("schedule", {"learning_rate": 1e-3}),
        ("optimiser", {"weight_decay": 0.0}),
        ("snapshots", {"snapshots": (3,)}),
        ("threads", {"threads": 2}),
    ],
)
def test_a_difference_is_named(
    recipe: Recipe, stream: Callable[[int], Path], field: str, change: dict[str, Any]
) -> None:
    path = stream(0)
    other = statement(dataclasses.replace(recipe, **change), path, None, None)
    with pytest.raises(SpecError, match=rf"matched\.{field}: left has .* right has"):
        prove_matched({"left": statement(recipe, path, None, None), "right": other})


def _stated(**changes: Any) -> Statement:
    values: dict[str, Any] = {
        **{"init": "i", "tokenizer": "t", "architecture": dict(LLAMA_STYLE), "steps": 1, "tokens": 2},
        **{"supervised_tokens": 1, "batch": 1, "sequence_length": 2, "order_seed": 0, "schedule": {"name": "constant"}},
        **{"optimiser": {"name": "AdamW"}, "precision": "float32", "threads": 1, "snapshots": (1,)},
        **{"environment": {"torch": "x"}, "data": "d", "order": "o"},
    }
    return Statement(**{**values, **changes})


@pytest.mark.parametrize("field", [item.name for item in dataclasses.fields(Statement)])
def test_every_field_is_compared_or_data(field: str) -> None:
    # A number, a text, a mapping and a tuple all differ from 7.
    one, other = _stated(), _stated(**{field: 7})
    assert one.fingerprint != other.fingerprint
    if field in DATA_FIELDS:
        assert prove_matched([one, other]).fingerprint == prove_matched([one, one]).fingerprint
    else:
        with pytest.raises(SpecError, match=rf"matched\.{field}: run 0 has .* run 1 has 7"):
            prove_matched([one, other])


def test_identities_outlive_new_fields(recipe: Recipe) -> None:
    # Made before families, adapters, masks and pictures existed: a run without them keeps its identity.
    assert recipe.fingerprint == "4376e724d100f235"
    assert _stated(architecture=dict(recipe.architecture)).fingerprint == "3a9c0195fa95799a"


def test_checkpoint_spacing_is_no_difference(recipe: Recipe, stream: Callable[[int], Path]) -> None:
    other = dataclasses.replace(recipe, checkpoint_every=1)
    assert statement(recipe, stream(0), None, None) == statement(other, stream(0), None, None)


def test_order_is_the_same_stream_in_every_arm(recipe: Recipe, stream: Callable[[int], Path]) -> None:
    order = consumption_order(recipe)
    assert sorted(order) == list(range(48))
    assert order.tolist() != list(range(48))
    plans = [planned_batches(Stream(read_sequences(stream(draw), recipe)), recipe) for draw in (0, 1)]
    assert not set(plans[0]) & set(plans[1])


def test_sequences_are_checked(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "bad.npy"
    with pytest.raises(DataError, match="no such file"):
        read_sequences(path, recipe)
    path.write_bytes(b"text")
    with pytest.raises(DataError, match="not a"):
        read_sequences(path, recipe)
    np.save(path, np.zeros((47, 8), np.uint16))
    with pytest.raises(DataError, match="needs"):
        read_sequences(path, recipe)
    np.save(path, np.zeros((48, 8), np.int64))
    with pytest.raises(DataError, match="int64"):
        read_sequences(path, recipe)
    rows = np.zeros((48, 8), np.int32)
    rows[5, 3] = 64
    np.save(path, rows)
    with pytest.raises(DataError, match="row 5"):
        read_sequences(path, recipe)


def _run(recipe: Recipe, path: Path, folder: Path, mend: Callable[[list[dict[str, Any]]], None]) -> Run:
    batches = planned_batches(Stream(read_sequences(path, recipe)), recipe)
    rows: list[dict[str, Any]] = [
        {"step": step, "tokens": step * 32, "batch": batch, "loss": 4.0} for step, batch in enumerate(batches, start=1)
    ]
    mend(rows)
    folder.mkdir()
    (folder / "ledger.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Run(folder, recipe, statement(recipe, path, None, None).as_dict(), True)


def _nothing(rows: list[dict[str, Any]]) -> None:
    """Leave the ledger as stated."""


def _swap(rows: list[dict[str, Any]]) -> None:
    rows[2]["batch"], rows[3]["batch"] = rows[3]["batch"], rows[2]["batch"]


def _lose(rows: list[dict[str, Any]]) -> None:
    rows.pop()


def _repeat(rows: list[dict[str, Any]]) -> None:
    rows.insert(4, rows[3])


def test_a_ledger_is_held_to_its_statement(recipe: Recipe, stream: Callable[[int], Path], tmp_path: Path) -> None:
    path = stream(0)
    check_ledger(_run(recipe, path, tmp_path / "good", _nothing))
    for number, (mend, words) in enumerate([(_swap, "other batches"), (_lose, "11 steps"), (_repeat, "row 5")]):
        with pytest.raises(DataError, match=words):
            check_ledger(_run(recipe, path, tmp_path / str(number), mend))
