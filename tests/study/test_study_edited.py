"""A study that edits updates, through every room, and edited models in memory against models in files."""

from __future__ import annotations

import json
import tomllib
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file
from study_material import write_material
from study_program import call
from study_start import write_folder

from shadowgraph.errors import CheckpointError
from shadowgraph.runs.loss import evaluate_loss
from shadowgraph.runs.mould import mould_of
from shadowgraph.runs.session import session
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.edited import BLOCKS, KEPT, TOGETHER, edits_of, is_edited, points_asked
from shadowgraph.study.intervene import BY_RANK
from shadowgraph.study.layout import Layout, RunKey
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.elements import element_places

pytestmark = pytest.mark.timeout(900)
SPEC = Path(__file__).with_name("tiny-intervention.toml")
LLAMA, GPT2 = RunKey("one", 0), RunKey("one", 1)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The finished study with its weights kept, and the same from its records alone."""
    folder = tmp_path_factory.mktemp("intervention")
    spec = write_material(folder, SPEC)
    spec.write_text(spec.read_text().replace('keep = "records"', 'keep = "weights"'))
    out = folder / "out"
    call("study", "run", spec, "--output", out, "--workers", "2")
    call("study", "records", out, "--into", folder / "records")
    call("study", "run", spec, "--output", folder / "again", "--records", folder / "records")
    plan = json.loads((out / "plan.json").read_text())
    return {
        "out": out,
        "again": folder / "again",
        "spec": StudySpec.model_validate(plan["spec"]),
        "result": json.loads((out / "result.json").read_text()),
    }


def record(done: dict[str, Any], name: str) -> dict[str, Any]:
    return json.loads((done["out"] / "runs" / name / "record.json").read_text())


def point(points: list[dict[str, Any]], edit: str, block: str, strength: float) -> dict[str, Any]:
    return next(p for p in points if (p["edit"], p["block"], p["strength"]) == (edit, block, strength))


def texts(done: dict[str, Any]) -> dict[str, Any]:
    base = done["out"] / "base"
    outside = np.load(base / "outside.npy")
    taken = np.linspace(0, len(outside), 12, endpoint=False).astype(int)
    return {"benchmark": np.load(base / "benchmark.npy"), "outside": outside[taken]}


@pytest.mark.parametrize("key", [LLAMA, GPT2], ids=["llama", "gpt2"])
def test_the_ends_of_interpolation_are_base_and_tuned_model_to_the_bit(done: dict[str, Any], key: RunKey) -> None:
    layout, spec = Layout(done["out"]), done["spec"]
    shares: list[float] = []
    points = edits_of(layout.run(key) / "model", key, layout, spec, shares.append)
    assert (shares[0] > 0.0, shares[-1]) == (True, 1.0)
    models = {0.0: layout.base_of(spec, key.draw) / "run" / "model", 1.0: layout.run(key) / "model"}
    for name, rows in texts(done).items():
        losses = {strength: evaluate_loss(model, rows) for strength, model in models.items()}
        for strength, loss in losses.items():
            assert point(points, "interpolated", TOGETHER, strength)[name] == loss, (name, strength)
        assert point(points, "interpolated", KEPT, 1.0)[name] == losses[1.0]
        for edit, block in product(BY_RANK, BLOCKS):
            assert point(points, edit, block, 0.0)[name] == losses[1.0], (edit, block)
        assert losses[0.0] != losses[1.0]


@pytest.mark.parametrize("key", [LLAMA, GPT2], ids=["llama", "gpt2"])
def test_an_edited_model_in_memory_is_the_one_a_file_would_hold(
    done: dict[str, Any], key: RunKey, tmp_path: Path
) -> None:
    """Top component removed from every block linear matrix, with plain numpy and files; GPT-2 is fused and turned."""
    layout, spec = Layout(done["out"]), done["spec"]
    base, model = layout.base_of(spec, key.draw) / "run" / "model", layout.run(key) / "model"
    before, after = load_file(base / "model.safetensors"), load_file(model / "model.safetensors")
    edited = {name: value.copy() for name, value in after.items()}
    fused = {"attn.c_attn": 16} if key is GPT2 else {}
    linear = [name for name, value in after.items() if value.ndim == 2 and (".layers." in name or ".h." in name)]
    assert len(linear) == (14 if key is LLAMA else 8)
    for name in linear:
        update = after[name].astype(float) - before[name].astype(float)
        width = next((width for part, width in fused.items() if part in name), update.shape[1])
        for first in range(0, update.shape[1], width):
            part = np.s_[:, first : first + width]
            left, values, right = np.linalg.svd(update[part], full_matrices=False)
            values[0] = 0.0
            edited[name][part] = (before[name].astype(float)[part] + (left * values) @ right).astype(np.float32)
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    save_file(edited, tmp_path / "model.safetensors", metadata={"format": "pt"})
    held = point(record(done, key.name)["edits"], "top", KEPT, 1.0)
    for name, rows in texts(done).items():
        assert held[name] == pytest.approx(evaluate_loss(tmp_path, rows), abs=2e-6)
    assert held["rank_changed"] == pytest.approx(1.0)
    for name in set(after) - set(linear):
        start, end = before[name].astype(float), after[name].astype(float)
        edited[name] = (start + held["norm_ratio"] * (end - start)).astype(np.float32)
    save_file(edited, tmp_path / "model.safetensors", metadata={"format": "pt"})
    whole = point(record(done, key.name)["edits"], "top", TOGETHER, 1.0)
    for name, rows in texts(done).items():
        assert whole[name] == pytest.approx(evaluate_loss(tmp_path, rows), abs=2e-6)


def test_a_model_that_is_not_finite_has_no_edits(done: dict[str, Any], tmp_path: Path) -> None:
    layout = Layout(done["out"])
    for file in (layout.run(LLAMA) / "model").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    held = load_file(tmp_path / "model.safetensors")
    next(iter(held.values())).ravel()[0] = np.inf
    save_file(held, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert edits_of(tmp_path, LLAMA, layout, done["spec"], lambda _: None) == []


def test_places_lead_back_to_what_is_stored(done: dict[str, Any]) -> None:
    for key in (LLAMA, GPT2):
        checkpoint = open_checkpoint(Layout(done["out"]).run(key) / "model")
        for matrix in checkpoint.matrices():
            flat, places = checkpoint.read(matrix.source).ravel(), element_places(matrix)
            assert np.array_equal(flat[places], matrix.load()), matrix.name
            assert len(np.unique(places)) == matrix.parameters


def test_what_stands_in_records(done: dict[str, Any]) -> None:
    edited, other = record(done, "one-0"), record(done, "others-0")
    assert "edits" not in other
    assert len(edited["edits"]) == 2 * (6 * 3 + 3 * 5)
    assert [row["step"] for row in other["path"]] == [0, 4, 8]
    assert (other["path"][0]["K"], other["path"][0]["K_status"]) == (None, "no_change")
    assert other["path"][2]["K"] == other["K"]
    assert edited["path"][2]["benchmark"] == point(edited["edits"], "interpolated", KEPT, 1.0)["benchmark"]
    assert edited["path"][0]["outside"] == point(edited["edits"], "interpolated", TOGETHER, 0.0)["outside"]
    for place in edited["edits"]:
        assert place["energy_removed"] == pytest.approx(1 - place["norm_ratio"] ** 2, abs=1e-8)


def test_the_text_of_the_benchmark_is_held_out(done: dict[str, Any]) -> None:
    rows = np.load(done["out"] / "base" / "benchmark.npy")
    assert rows.shape == (12, 32)
    panel = np.load(done["out"] / "base" / "panel.npz")
    assert np.array_equal(panel["quiz"], rows[:8])


def test_the_result_is_made_again_from_records(done: dict[str, Any]) -> None:
    for name in ("result.json", "report.html"):
        assert (done["again"] / name).read_bytes() == (done["out"] / name).read_bytes(), name


def test_result_page_and_answer_speak_of_edits(done: dict[str, Any]) -> None:
    found = done["result"]["intervention"]
    assert [block["block"] for block in found["blocks"]] == [KEPT, TOGETHER]
    assert all((block["draws"], block["bases"]) == (4, 2) for block in found["blocks"])
    assert done["result"]["answer"]["sentences"][-len(found["words"]) :] == found["words"]
    assert not any("cause" in words for words in found["words"])
    for block in found["blocks"]:
        for row in block["edits"]:
            assert (row["estimate"] is None) == bool(row["reason"])
            curves = {curve["edit"]: curve for curve in block["curves"][0]["edits"]}
            assert len(curves[row["name"]]["harm"]) == len(curves[row["name"]]["kept"])
    page = (done["out"] / "report.html").read_text()
    assert "Edited updates at equal benchmark loss" in page
    assert "What edits cost outside" in page


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"arms": ["nobody"]}, "intervention.arms names the arm 'nobody'"),
        ({"benchmark": "elsewhere"}, "intervention.benchmark names 'elsewhere'"),
        ({"benchmark": "nowhere"}, "intervention.benchmark names 'nowhere'"),
        ({"ranks": [4, 2]}, "intervention.ranks must grow, and 2 stands after 4"),
        ({"ranks": [2, 2]}, "intervention.ranks must grow, and 2 stands after 2"),
        ({"arms": ["one", "others", "one"]}, "intervention.arms names the arm 'one' twice; leave one out"),
        ({"sequences": 3}, "greater than or equal to 4"),
        ({"sequences": 65}, "less than or equal to 64"),
        ({"support": 0.0}, "greater than 0"),
        ({"rank": [1]}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_table_is_named(changed: dict[str, Any], says: str) -> None:
    spec = tomllib.loads(SPEC.read_text())
    spec["intervention"] |= changed
    with pytest.raises(ValidationError, match="(?s)" + says.replace(".", r"\.").replace("[", r"\[")):
        StudySpec.model_validate(spec)


def test_adapters_have_no_whole_update() -> None:
    spec = tomllib.loads(SPEC.read_text())
    spec["settings"][1]["training"] = {"adapter": {"rank": 2, "alpha": 4.0}}
    with pytest.raises(ValidationError, match="intervention edits whole updates"):
        StudySpec.model_validate(spec)


def test_only_runs_as_planned_of_a_named_arm_are_edited() -> None:
    spec = StudySpec.model_validate(tomllib.loads(SPEC.read_text()))
    assert is_edited(RunKey("one", 3), spec)
    others = (RunKey("others", 0), RunKey("one", 0, seed=1), RunKey("one", 0, rate=1e-3), RunKey("one", 0, regimen="a"))
    assert not any(is_edited(key, spec) for key in others)
    assert not is_edited(LLAMA, spec.model_copy(update={"intervention": None}))


def test_points_go_from_the_update_to_the_last_rank_and_from_the_base_to_its_norm() -> None:
    asked = StudySpec.model_validate(tomllib.loads(SPEC.read_text())).intervention
    assert asked is not None
    found: dict[str, list[float]] = {}
    for edit, strength in points_asked(asked):
        found.setdefault(edit, []).append(strength)
    assert found["top"] == [0.0, 1.0, 4.0]
    assert found["interpolated"] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert found["flattened"] == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_study_without_the_table_is_written_as_before() -> None:
    spec = tomllib.loads(SPEC.read_text())
    spec.pop("intervention")
    assert "intervention" not in StudySpec.model_validate(spec).model_dump(mode="json")


def test_session_is_left_as_it_was(done: dict[str, Any]) -> None:
    import torch

    before = torch.get_num_threads()
    with session(1):
        pass
    layout = Layout(done["out"])
    edits_of(layout.run(LLAMA) / "model", LLAMA, layout, done["spec"], lambda _: None)
    assert torch.get_num_threads() == before


def test_a_stored_tensor_without_a_place_in_the_model_is_poured_nowhere(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "model", "float32") / "model.safetensors"
    with session(1):
        assert mould_of(path.parent).size == open_checkpoint(path.parent).parameters
        save_file(load_file(path) | {"extra.weight": np.ones((2, 2), np.float32)}, path, metadata={"format": "pt"})
        with pytest.raises(CheckpointError, match="do not correspond one to one"):
            mould_of(path.parent)
