"""Heads in a scan: rows against dense products, reasons where there are none, the same bytes however they are made."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from footprint_models import Matrix, Tensors, changed, gpt2_shapes, llama_shapes, saved

from shadowgraph.footprint.circuits import FACTOR_NULL, MEASURES, HeadTask
from shadowgraph.footprint.endpoint import endpoint
from shadowgraph.footprint.merge import merge
from shadowgraph.footprint.nulls import factor_null_table, factor_spectra
from shadowgraph.footprint.parts import plan
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import Footprint, Row
from shadowgraph.measures.rank import participation_ratio
from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint

WIDTH = 24
GPT2 = {"model_type": "gpt2", "n_head": 4, "n_layer": 2, "n_embd": WIDTH}
LLAMA = {
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "hidden_size": WIDTH,
}


def noise(name: str, values: Matrix) -> Matrix:
    return 0.002 * generator(2, name).standard_normal(values.shape)


def written(folder: Path, content: Tensors, config: Mapping[str, Any], dtype: str = "F32") -> Checkpoint:
    saved(folder, content, dtype)
    (folder / "config.json").write_text(json.dumps(config))
    return open_checkpoint(folder)


def weights(shapes: Mapping[str, tuple[int, int]], seed: int = 0) -> Tensors:
    return {name: 0.02 * generator(seed, name).standard_normal(shape) for name, shape in shapes.items()}


@pytest.fixture
def gpt2(tmp_path: Path) -> tuple[Checkpoint, Checkpoint]:
    start = weights(gpt2_shapes(2, WIDTH))
    return written(tmp_path / "b", changed(start, noise), GPT2), written(tmp_path / "a", start, GPT2)


@pytest.fixture
def llama(tmp_path: Path) -> tuple[Checkpoint, Checkpoint]:
    start = weights(llama_shapes(2, WIDTH, 40, 12))
    return written(tmp_path / "d", changed(start, noise), LLAMA), written(tmp_path / "c", start, LLAMA)


def head_rows(footprint: Footprint) -> list[Row]:
    return [row for row in footprint.rows if row.slot in {"ov", "qk"}]


def numbers(footprint: Footprint, tensor: str, what: str) -> dict[str, float | None]:
    return {row.measure: row.value for row in footprint.rows if row.tensor == tensor and row.object == what}


def matrices(model: Checkpoint) -> dict[str, Matrix]:
    return {f"{matrix.layer}.{matrix.role.slot}": matrix.load() for matrix in model.matrices()}


def test_rows_are_those_of_the_dense_products(gpt2: tuple[Checkpoint, Checkpoint]) -> None:
    found = scan(*gpt2, heads=True)
    after, before = (matrices(model) for model in gpt2)
    own = slice(12, 18)  # the third of 4 heads of width 6
    dense = {
        "ov": [side["1.o"][:, own] @ side["1.v"][own] for side in (after, before)],
        "qk": [side["1.q"][own].T @ side["1.k"][own] for side in (after, before)],
    }
    for product, (new, old) in dense.items():
        tensor = f"transformer.h.1.attn[{product},head 2]"
        for what, matrix in (("O1", new), ("O3", new - old)):
            squares = np.linalg.svd(matrix, compute_uv=False) ** 2
            read = numbers(found, tensor, what)
            assert read["participation_ratio"] == pytest.approx(squares.sum() ** 2 / (squares**2).sum(), rel=1e-8)
            assert read["stable_rank"] == pytest.approx(squares.sum() / squares[0], rel=1e-8)
            assert read["energy_top1"] == pytest.approx(squares[0] / squares.sum(), rel=1e-8)
            assert read["log_frobenius_norm"] == pytest.approx(0.5 * math.log(squares.sum()), rel=1e-8)
    rows = head_rows(found)
    assert len({row.tensor for row in rows}) == 2 * 2 * 4
    assert {row.object for row in rows} == {"O1", "O3"}
    assert {row.status for row in rows} == {"ok"}
    assert {(row.block, row.expert, row.tower) for row in rows} == {("attention", None, "text")}
    scaled = {"log_frobenius_norm", "floor_share"}
    assert all((row.null == FACTOR_NULL) == (row.measure not in scaled) for row in rows)


def test_grouped_heads_share_a_value_and_turned_ones_have_no_qk(llama: tuple[Checkpoint, Checkpoint]) -> None:
    found = scan(*llama, heads=True, objects=("O3",), nulls=())
    after, before = (matrices(model) for model in llama)
    own, shared = slice(18, 24), slice(6, 12)  # head 3 of 4 uses group 1 of 2
    change = after["0.o"][:, own] @ after["0.v"][shared] - before["0.o"][:, own] @ before["0.v"][shared]
    squares = np.linalg.svd(change, compute_uv=False) ** 2
    read = numbers(found, "model.layers.0.self_attn[ov,head 3]", "O3")
    assert read["participation_ratio"] == pytest.approx(squares.sum() ** 2 / (squares**2).sum(), rel=1e-8)
    refused = [row for row in head_rows(found) if row.slot == "qk"]
    assert {(row.tensor, row.status, row.value) for row in refused} == {
        (f"model.layers.{layer}.self_attn[qk]", "not_applicable", None) for layer in (0, 1)
    }
    assert {row.measure for row in refused} == set(MEASURES)
    assert [note for note in found.notes if note.startswith("heads: qk cannot be read in 2 layers")]


def test_heads_change_nothing_else(gpt2: tuple[Checkpoint, Checkpoint]) -> None:
    plain, more = scan(*gpt2), scan(*gpt2, heads=True)
    assert tuple(row for row in more.rows if row.slot not in {"ov", "qk"}) == plain.rows
    assert (more.coverage, more.skipped, endpoint(more)) == (plain.coverage, plain.skipped, endpoint(plain))
    assert [record.tensor for record in more.matrices] == [record.tensor for record in plain.matrices]


def test_any_way_of_making_them_gives_the_same_bytes(gpt2: tuple[Checkpoint, Checkpoint], tmp_path: Path) -> None:
    files = ("footprint.parquet", "spectra.parquet", "footprint.json")
    ways = {
        "calm": scan(*gpt2, heads=True, cache=tmp_path / "cache"),
        "cached": scan(*gpt2, heads=True, cache=tmp_path / "cache"),
        "jobs": scan(*gpt2, heads=True, jobs=2),
        "parts": scan(*gpt2, heads=True, folder=tmp_path / "parts"),
        "again": scan(*gpt2, heads=True, folder=tmp_path / "parts"),
        "merged": merge(scan(*gpt2, objects=("O2", "O3")), scan(*gpt2, heads=True)),
    }
    for name, footprint in ways.items():
        footprint.write(tmp_path / name)
    calm = [(tmp_path / "calm" / name).read_bytes() for name in files]
    for name in ways:
        assert [(tmp_path / name / file).read_bytes() for file in files] == calm, name


@pytest.mark.parametrize(
    ("config", "product", "reason"),
    [
        ({}, "ov", "names no model type"),
        ({"model_type": "gpt2"}, "ov", "does not say how many heads"),
        ({"model_type": "gpt2", "n_head": 5}, "qk", "do not divide into 5 and 5 heads"),
        ({"model_type": "qwen3_next", "n_head": 4}, "ov", "stands between value and output"),
        ({"model_type": "mpt", "n_head": 4, "attn_config": {"qk_ln": True}}, "qk", "turn or normalise"),
    ],
)
def test_what_cannot_be_read_says_why(config: dict[str, Any], product: str, reason: str, tmp_path: Path) -> None:
    model = written(tmp_path / "m", weights(gpt2_shapes(1, WIDTH)), config)
    task = next(
        each for each in plan(model, None, True).tasks if isinstance(each, HeadTask) and each.product == product
    )
    assert reason in task.reason
    found = scan(model, heads=True)
    rows = [row for row in found.rows if row.slot == product]
    assert {(row.object, row.status) for row in rows} == {("O1", "not_applicable")}


def test_a_missing_matrix_and_a_norm_are_named(tmp_path: Path) -> None:
    content = weights(llama_shapes(1, WIDTH, 40, 12))
    del content["model.layers.0.self_attn.v_proj.weight"]
    reasons = {
        each.product: each.reason
        for each in plan(written(tmp_path / "m", content, LLAMA), None, True).tasks
        if isinstance(each, HeadTask)
    }
    assert "v is not among the matrices" in reasons["ov"]
    content["model.layers.0.self_attn.q_norm.weight"] = np.ones((2, 6))
    model = written(tmp_path / "n", content, LLAMA | {"model_type": "opt"})
    assert any("qk cannot be read in 1 layer:" in note and "norms" in note for note in scan(model, heads=True).notes)


def test_entries_that_are_no_numbers_and_a_floor_withhold_them(tmp_path: Path) -> None:
    start = weights(gpt2_shapes(2, WIDTH))
    tuned = changed(start, lambda name, values: 0.02 * noise(name, values))
    tuned["transformer.h.1.attn.c_proj.weight"][0, 0] = np.nan
    found = scan(written(tmp_path / "b", tuned, GPT2, "BF16"), written(tmp_path / "a", start, GPT2, "BF16"), heads=True)
    broken = [row for row in head_rows(found) if row.layer == 1 and row.slot == "ov"]
    assert {(row.tensor, row.status) for row in broken} == {("transformer.h.1.attn[ov]", "non_finite")}
    low = [row for row in head_rows(found) if row.layer == 0 and row.object == "O3"]
    shares = [row.value for row in low if row.measure == "floor_share" and row.value is not None]
    assert min(shares) > 0.3
    assert {row.status for row in low if row.measure == "stable_rank"} == {"floor"}
    assert {row.status for row in low if row.measure == "log_frobenius_norm"} == {"ok"}


def test_the_floor_share_is_what_rounding_puts_there(tmp_path: Path) -> None:
    """Nothing but rounding to bfloat16 apart: the share of the energy that rounding explains is near 1."""
    shapes = gpt2_shapes(1, 48)
    config = GPT2 | {"n_embd": 48, "n_layer": 1}
    start = weights(shapes)
    rounded = written(tmp_path / "b", start, config, "BF16")
    found = scan(rounded, written(tmp_path / "a", start, config, "F32"), heads=True, objects=("O3",), nulls=())
    shares = [row.value for row in head_rows(found) if row.measure == "floor_share" and row.value is not None]
    assert np.mean(shares) == pytest.approx(1.0, abs=0.1)


def test_the_null_is_that_of_gaussian_factors() -> None:
    """Against products of factors drawn whole; a product of r columns reads about 1/(1/r + 1/m + 1/n)."""
    stream = generator(5, "factors")
    whole: list[float] = []
    for _ in range(200):
        left, right = stream.standard_normal((40, 8)), stream.standard_normal((8, 30))
        squares = np.linalg.svd(left @ right, compute_uv=False) ** 2
        whole.append(float(squares.sum() ** 2 / (squares**2).sum()))
    drawn = [participation_ratio(each).value or 0.0 for each in factor_spectra((40, 30), 8, 200, stream)]
    spread = math.hypot(float(np.std(whole)), float(np.std(drawn))) / math.sqrt(200)
    assert abs(np.mean(whole) - np.mean(drawn)) < 4 * spread
    table = factor_null_table((40, 30), 8, MEASURES)
    assert table["participation_ratio"].mean == pytest.approx(1 / (1 / 8 + 1 / 40 + 1 / 30), rel=0.05)
    assert set(table) == set(MEASURES) - {"log_frobenius_norm"}
    assert factor_spectra((6, 40), 8, 1, stream)[0].values.size == 6  # a factor of fewer rows than columns
