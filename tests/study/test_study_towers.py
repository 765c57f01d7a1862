"""Readings by tower: against matrices worked out by hand, and what is made of them over draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shadowgraph.footprint.scan import scan
from shadowgraph.runs.model import initial_model
from shadowgraph.runs.recipe import Recipe
from shadowgraph.seeds import generator
from shadowgraph.spec.source import load
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.pictured import tables_of
from shadowgraph.study.readings import gather
from shadowgraph.study.tower_table import table
from shadowgraph.study.towers import NULLS, tower_reading
from shadowgraph.study.training import architecture
from shadowgraph.weights.checkpoint import open_checkpoint

SPEC = load(Path(__file__).with_name("tiny-pictures.toml"), StudySpec)
UP = {
    "vision": "model.vision_tower.encoder.layers.1.mlp.fc1.weight",
    "decoder": "model.language_model.layers.1.mlp.up_proj.weight",
}


def rank(matrix: NDArray[np.float64]) -> float:
    """Effective rank by amplitudes, written out."""
    values = np.linalg.svd(matrix, compute_uv=False)
    shares = values / values.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A reading of a llava whose last up-projections moved by a rank-one step or by noise; both states."""
    folder = tmp_path_factory.mktemp("towers")
    recipe = Recipe(1, 1e-3, architecture(SPEC), batch=1, sequence_length=120, family="llava", seed=3)
    model = initial_model(recipe, None)
    model.save_pretrained(folder / "before")
    before = {name: value.detach().double().numpy().copy() for name, value in model.named_parameters()}
    stream = generator(4, "moved")
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim != 2:
                continue
            step = stream.normal(size=value.shape)
            if name.endswith(UP["decoder"].split("model.", 1)[1]):
                step = 40 * np.outer(step[:, 0], step[0])
            value.add_(torch.from_numpy(step.astype(np.float32)), alpha=1e-3)
    model.save_pretrained(folder / "after")
    after = {name: value.detach().double().numpy() for name, value in model.named_parameters()}
    footprint = scan(open_checkpoint(folder / "after"), open_checkpoint(folder / "before"), nulls=NULLS)
    return dict(tower_reading(footprint)), before, after


def test_o2_is_the_change_of_the_rank_beside_its_null(
    read: tuple[dict[str, Any], dict[str, Any], dict[str, Any]],
) -> None:
    found, before, after = read
    rows = {(row["tower"], row["layer"]): row for row in found["layers"]}
    for tower, name in UP.items():
        key = next(own for own in before if own.endswith(name.split("layers.")[1]) and tower_of(own) == tower)
        value, null, sd = rows[tower, 1]["erank_amplitude"]
        assert value == pytest.approx(rank(after[key]) - rank(before[key]), abs=1e-4)
        moved = after[key] - before[key]
        stream = generator(9, tower)
        size = np.linalg.norm(moved) / np.sqrt(moved.size)
        drawn = [rank(before[key] + size * stream.normal(size=moved.shape)) - rank(before[key]) for _ in range(64)]
        assert null == pytest.approx(np.mean(drawn), abs=5 * np.std(drawn) / np.sqrt(8))
        assert 0.4 * np.std(drawn) < sd < 2.5 * np.std(drawn)
    noisy, steep = rows["vision", 1], rows["decoder", 1]
    assert abs(noisy["erank_amplitude"][0] - noisy["erank_amplitude"][1]) < 4 * noisy["erank_amplitude"][2]
    assert steep["k"] > 1.0 > abs(noisy["k"])


def tower_of(name: str) -> str:
    """The tower that a parameter's name speaks of."""
    return "vision" if "vision" in name else "decoder"


def test_the_projector_has_its_own_rows(read: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]) -> None:
    found, before, after = read
    rows = [row for row in found["layers"] if row["tower"] == "projector"]
    names = sorted(name for name in before if "projector" in name and before[name].ndim == 2)
    for row, name in zip(rows, names, strict=True):
        own = np.linalg.norm(after[name] - before[name]) / np.linalg.norm(before[name])
        assert row["relative_norm"] == pytest.approx(own, rel=1e-4)
    assert found["towers"]["projector"]["matrices"] == 2
    assert found["towers"]["vision"]["matrices"] == 12
    assert found["towers"]["decoder"]["matrices"] == 14


def record(arm: str, draw: int, changes: list[float], k: float) -> dict[str, Any]:
    """A record with a decoder of as many layers as there are changes; null 0 ± 0.5."""
    layers = [
        {"tower": "decoder", "layer": layer, "k": k, "relative_norm": 0.1}
        | {name: [change, 0.0, 0.5] for name in ("erank_amplitude", "erank_energy")}
        for layer, change in enumerate(changes)
    ]
    towers = {"decoder": {"k": k, "matrices": 7, "relative_norm": 0.1}}
    read = {"towers": {"layers": layers, "towers": towers}, "sight": {"own": 0.5 + draw, "other": 4.0}}
    return {"arm": arm, "draw": draw, "K": k, **read}


BASES = {draw: {"sight": {"own": 0.25, "other": 3.0}} for draw in (0, 1)}


def test_swings_and_near_static_layers() -> None:
    assert tables_of(SPEC)[1].places == 9
    records = [record("perception", draw, [-3.0 - draw, 0.9, 2.0], 1.0 + draw / 10) for draw in (0, 1)]
    records += [record("coverage", draw, [0.2, -0.3, 1.5 * draw], 0.5) for draw in (0, 1)]
    found: dict[str, Any] = dict(table(gather(SPEC, records), {}, BASES))
    swings = {row["arm"]: row for row in found["swings"] if row["measure"] == "erank_energy"}
    assert swings["perception"]["mean"] == pytest.approx(5.5)
    assert swings["perception"]["values"] == pytest.approx([5.0, 6.0])
    assert swings["perception"]["static_layers"] == 1
    assert swings["coverage"]["static_layers"] == 2
    assert swings["coverage"]["null_swing"] == 0.0
    inside = {(row["arm"], row["layer"]): row["erank_energy"]["static"] for row in found["layers"]}
    assert inside["coverage", 2] == 0.5
    test = next(row for row in found["contrasts"] if row["endpoint"] == "k_decoder")
    assert test["estimate"] == pytest.approx(0.55)
    assert found["kinds"] == []
    assert found["sight"][0] == {"arm": "base", "own": 0.25, "other": 3.0}
    assert found["sight"][1] == {"arm": "perception", "own": 1.0, "other": 4.0}


def test_a_number_that_is_missing_has_a_reason() -> None:
    records = [record(arm, draw, [0.1], 1.0) for arm in ("perception", "coverage") for draw in (0, 1)]
    for own in records[:2]:
        own["towers"]["layers"][0]["erank_energy"] = None
        own["towers"]["towers"]["decoder"]["k"] = None
    found: dict[str, Any] = dict(table(gather(SPEC, records), {}, BASES))
    layer = next(row for row in found["layers"] if row["arm"] == "perception")
    assert layer["erank_energy"]["mean"] is None
    assert layer["erank_energy"]["status"] == "no_number"
    swing = next(row for row in found["swings"] if row["measure"] == "erank_energy")
    assert swing["mean"] is None
    assert swing["static_layers"] is None
    test = next(row for row in found["contrasts"] if row["endpoint"] == "k_decoder")
    assert test["estimate"] is None
    assert test["reason"]
