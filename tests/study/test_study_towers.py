"""Readings by tower: against matrices worked out by hand, and what is made of them over draws."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shadowgraph.footprint.endpoint import concentration_of
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import Footprint, MatrixRecord
from shadowgraph.report.palette import arm_style
from shadowgraph.report.record import Record
from shadowgraph.report.towers import MOST_TICKS, tower_plate
from shadowgraph.runs.model import initial_model
from shadowgraph.runs.recipe import Recipe
from shadowgraph.seeds import generator
from shadowgraph.spec.source import load
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.pictured import tables_of
from shadowgraph.study.readings import gather
from shadowgraph.study.tower_table import range_of_noise, table
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
def scanned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Footprint, dict[str, Any], dict[str, Any]]:
    """The footprint of a llava whose last up-projections moved by a rank-one step or by noise; both states."""
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
    return footprint, before, after


@pytest.fixture(scope="module")
def read(
    scanned: tuple[Footprint, dict[str, Any], dict[str, Any]],
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Its reading by tower; both states."""
    footprint, before, after = scanned
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
    assert list(dict.fromkeys(row["tower"] for row in found["layers"])) == ["vision", "projector", "decoder"]
    assert found["towers"]["projector"]["matrices"] == 2
    assert found["towers"]["vision"]["matrices"] == 12
    assert found["towers"]["decoder"]["matrices"] == 14


def own_matrices(footprint: Footprint) -> list[MatrixRecord]:
    """The block matrices of the vision tower."""
    return [one for one in footprint.matrices if one.role.tower == "vision" and one.role.is_block_linear]


def without(footprint: Footprint, gone: int) -> dict[str, Any]:
    """The reading where the first so many matrices of the vision tower did not change."""
    names = {one.tensor for one in own_matrices(footprint)[:gone]}
    records = [
        dataclasses.replace(one, spectrum=None, status="no_change") if one.tensor in names else one
        for one in footprint.matrices
    ]
    return dict(tower_reading(dataclasses.replace(footprint, matrices=tuple(records))))


def test_a_tower_of_which_most_matrices_cannot_be_read_has_no_k(
    scanned: tuple[Footprint, dict[str, Any], dict[str, Any]],
) -> None:
    footprint = scanned[0]
    half, most = (without(footprint, gone)["towers"]["vision"] for gone in (6, 7))
    slots: dict[str, list[float]] = {}
    for one in own_matrices(footprint)[6:]:
        slots.setdefault(one.role.cell, []).append(concentration_of(one).value or 0.0)
    assert half["k"] == pytest.approx(fmean(fmean(values) for values in slots.values()))
    assert half["status"] == most["status"] == "no_change"
    assert most["k"] is None
    assert most["relative_norm"] is None


def test_experts_of_a_layer_count_as_one(scanned: tuple[Footprint, dict[str, Any], dict[str, Any]]) -> None:
    footprint = scanned[0]
    first, second = (next(one for one in footprint.matrices if name_of(one) == ("decoder", layer)) for layer in (0, 1))
    more = (first, first, second)
    found: dict[str, Any] = dict(tower_reading(dataclasses.replace(footprint, matrices=more)))
    ks = [concentration_of(one).value or 0.0 for one in (first, second)]
    assert found["towers"]["decoder"]["k"] == pytest.approx(fmean(ks))


def name_of(record: MatrixRecord) -> tuple[str, int | None] | None:
    """Tower and layer of an up-projection."""
    tower = {"vision": "vision", "text": "decoder"}.get(record.role.tower)
    return (tower, record.layer) if tower is not None and record.role.slot == "up" else None


def test_what_cannot_be_read_of_a_layer_says_why(
    scanned: tuple[Footprint, dict[str, Any], dict[str, Any]],
) -> None:
    footprint = scanned[0]
    up = next(one.tensor for one in footprint.matrices if name_of(one) == ("decoder", 1))
    rows = [
        dataclasses.replace(row, value=None, status="non_finite")
        if (row.tensor, row.object, row.measure) == (up, "O2", "erank_energy")
        else row
        for row in footprint.rows
        if (row.tensor, row.object, row.measure) != (up, "O2", "erank_amplitude")
    ]
    records = tuple(one for one in footprint.matrices if name_of(one) != ("vision", 0))
    found: dict[str, Any] = dict(tower_reading(dataclasses.replace(footprint, rows=tuple(rows), matrices=records)))
    at = {(row["tower"], row["layer"]): row for row in found["layers"]}
    assert at["decoder", 1]["erank_energy"] is None
    assert at["decoder", 1]["erank_energy_status"] == "non_finite"
    assert at["decoder", 1]["erank_amplitude_status"] == "no_null"
    assert at["vision", 0]["k"] is None
    assert at["vision", 0]["status"] == at["vision", 0]["erank_energy_status"] == "absent"
    assert "erank_energy_status" not in at["vision", 1]


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
    assert swings["perception"]["interval"] == pytest.approx([5.0, 6.0])
    assert swings["perception"]["static_layers"] == 1
    assert swings["coverage"]["static_layers"] == 2
    assert swings["coverage"]["null_swing"] == pytest.approx(0.5 * 1.6926, abs=1e-3)  # three normal numbers of sd .5
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


def test_the_range_of_noise_is_more_than_that_of_its_means() -> None:
    stream = generator(2, "range")
    means, sds = [0.1, 0.3, -0.2, 0.3], [0.5, 0.1, 0.2, 0.4]
    drawn = np.ptp(stream.normal(means, sds, size=(40_000, 4)), axis=1)
    assert range_of_noise(means, sds) == pytest.approx(drawn.mean(), abs=5 * drawn.std() / 200)
    assert range_of_noise([7.0], [2.0]) == pytest.approx(0.0, abs=1e-12)
    assert range_of_noise([1.0, 4.0, 2.0], [0.0, 0.0, 0.0]) == pytest.approx(3.0)
    assert range_of_noise([0.0, 0.0], [0.0, 1.0]) == pytest.approx(np.sqrt(2 / np.pi), abs=1e-3)
    assert range_of_noise([0.0, 5e6], [1e-3, 1.0]) == pytest.approx(5e6)


def test_a_layer_is_judged_draw_by_draw_with_its_orders_averaged() -> None:
    spec = SPEC.model_copy(update={"study": SPEC.study.model_copy(update={"seeds": 2})})
    orders = {("coverage", 0): (-1.8, 1.9), ("coverage", 1): (0.9, 1.3)}  # each alone: out, out, in, out
    records = [
        record(arm, draw, [orders.get((arm, draw), (0.2, 0.2))[seed]], 1.0) | {"seed_index": seed}
        for arm in ("perception", "coverage")
        for draw in (0, 1)
        for seed in (0, 1)
    ]
    found: dict[str, Any] = dict(table(gather(spec, records), {}, BASES))
    row = next(row for row in found["layers"] if row["arm"] == "coverage")
    assert row["erank_energy"]["values"] == pytest.approx([0.05, 1.1])
    assert row["erank_energy"]["static"] == 0.5
    swing = next(row for row in found["swings"] if row["arm"] == "coverage")
    assert swing["static_layers"] == 0


def plate(found: dict[str, Any], arms: list[str]) -> str:
    """The figure and its tables, as text."""
    styles = {arm: arm_style(place) for place, arm in enumerate(arms)}
    made = tower_plate(Record({"towers": found}), styles)
    cells = [cell.text for _, own in [*made.shown, ("", made.table)] for row in own.rows for cell in row]
    return "\n".join([*(str(panel) for panel in made.panels), *cells])


def tables_with(layers: int) -> dict[str, Any]:
    """What a result holds of two arms over two draws."""
    changes = [1.0 + layer / 8 for layer in range(layers)]
    records = [record(arm, draw, changes, 1.0) for arm in ("perception", "coverage") for draw in (0, 1)]
    return dict(table(gather(SPEC, records), {}, BASES))


def test_the_figure_names_layers_as_far_as_names_have_room() -> None:
    arms = ["perception", "coverage"]
    few, many = plate(tables_with(3), arms), plate(tables_with(3 * MOST_TICKS), arms)
    assert all(f">d{layer}<" in few for layer in range(3))
    assert ">d3<" in many
    assert ">d1<" not in many
    assert "Largest change by arm: perception +1.25; coverage +1.25." in few


def test_foreign_names_and_gaps_of_a_result_do_not_break_the_figure() -> None:
    found = tables_with(2)
    hostile = "<b>\x01$\\frac$"
    del found["band"]
    for row in found["layers"]:
        row["tower"] = hostile
        row["arm"] = hostile if row["arm"] == "coverage" else row["arm"]
    found["layers"][0]["erank_energy"] = {"mean": None, "status": "no_number"}
    text = plate(found, ["perception", hostile, "coverage"])
    shown = tower_plate(Record({"towers": found}), {"perception": arm_style(0), hostile: arm_style(1)}).table
    assert shown.rows[0][shown.names.index("draws inside its band", 7)].text == "—"
    assert "<b>" not in text.split("</svg>")[0]
    assert "no number" in text


def test_a_band_is_drawn_only_where_the_result_has_one() -> None:
    with_band, without_band = tables_with(2), tables_with(2)
    del without_band["band"]
    arms = ["perception", "coverage"]
    assert plate(with_band, arms).count("<path") > plate(without_band, arms).count("<path")


def test_a_change_is_held_against_the_null_of_its_own_layer() -> None:
    records = [record(arm, draw, [-3.0, 0.1], 1.0) for arm in ("perception", "coverage") for draw in (0, 1)]
    for own in records:
        for layer in own["towers"]["layers"]:
            layer["erank_energy"][1:] = [-2.5, 0.25]  # the first layer is inside, the second far above
    found: dict[str, Any] = dict(table(gather(SPEC, records), {}, BASES))
    first, second = (row["erank_energy"] for row in found["layers"] if row["arm"] == "coverage")
    assert (first["null_mean"], first["null_sd"], first["static"], second["static"]) == (-2.5, 0.25, 1.0, 0.0)
    found["contrasts"].append({**found["contrasts"][0], "role": "kind", "endpoint": "reasoning accuracy"})
    text = plate(found, ["perception", "coverage"])
    assert "coverage -3" in text.split("</svg>")[1]
    shown = dict(tower_plate(Record({"towers": found}), {arm: arm_style(0) for arm in SPEC.arm}).shown)
    swings = shown["swings over layers and near-static layers"].rows
    assert [row[5].text for row in swings if row[0].text == "coverage"] == ["1 of 2", "1 of 2"]
    sight = shown["whether the models look"].rows
    assert [(row[0].text, row[0].arm, row[1].text, row[2].text) for row in sight][:2] == [
        ("base", "", "0.250", "3.00"),
        ("perception", "perception", "1.00", "4.00"),
    ]
    tests = shown["contrasts by tower"].rows
    assert tests
    assert {row[1].text for row in tests} == {"k decoder"}
