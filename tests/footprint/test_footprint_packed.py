"""The storage floor of quantised models: their steps explain a difference that is only their rounding."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from shadowgraph.audit.verdict import audit
from shadowgraph.errors import Defect
from shadowgraph.footprint.entries import tally
from shadowgraph.footprint.floor import noise_variance, packed_steps, step_energy
from shadowgraph.footprint.randomised import floor_spectra, rounded
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.source import pair_of
from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.pairing import pair
from shadowgraph.weights.readers.packed_codes import squared_steps
from shadowgraph.weights.tensor import TensorEntry

Array = NDArray[Any]
SIZE = 32
SLOTS = {
    **{f"self_attn.{slot}_proj": (64, 64) for slot in "qkvo"},
    "mlp.gate_proj": (96, 64),
    "mlp.up_proj": (96, 64),
    "mlp.down_proj": (64, 96),
}


def weights(change: float = 0.0) -> dict[str, Array]:
    """Two layers of Gaussian matrices, with a change of rank one of so many times their size."""
    found: dict[str, Array] = {}
    for layer in range(2):
        for slot, shape in SLOTS.items():
            name = f"model.layers.{layer}.{slot}"
            stream = generator(0, name)
            found[name] = 0.02 * stream.standard_normal(shape)
            found[name] += 0.02 * change * np.outer(*(stream.choice([-1.0, 1.0], extent) for extent in shape))
    return found


def four_bits(values: Array, shift: float = 0.0) -> dict[str, Array]:
    """compressed-tensors, symmetric: nearest of a grid for every 32 inputs; `shift` makes it another grid."""
    parts = values.reshape(values.shape[0], -1, SIZE)
    scales = (np.abs(parts).max(axis=2) / 7.0 * (1.0 + shift)).astype(np.float32)
    codes = (np.clip(np.rint(parts / scales[:, :, None]), -8, 7) + 8).astype(np.uint8).reshape(values.shape)
    words = (codes[:, ::2] | codes[:, 1::2] << 4).view("<i4")
    return {"weight_packed": words, "weight_scale": scales, "weight_shape": np.array(values.shape)}


def model(folder: Path, content: dict[str, Array], quantised: float | None) -> Checkpoint:
    """Saved in float32, or in four bits of a shifted grid."""
    folder.mkdir()
    tensors: dict[str, Array] = {}
    for name, values in content.items():
        parts = {"weight": values.astype(np.float32)} if quantised is None else four_bits(values, quantised)
        tensors |= {f"{name}.{part}": array for part, array in parts.items()}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "num_attention_heads": 4}))
    return open_checkpoint(folder)


@pytest.mark.parametrize(("before", "after"), [(None, 0.0), (0.0, None), (0.0, 0.3)])
def test_a_difference_that_is_only_rounding_is_floor(before: float | None, after: float | None, tmp_path: Path) -> None:
    """Either side or both in four bits of one model: the noise is the energy to 10 %, and no verdict is drawn."""
    base, tuned = model(tmp_path / "base", weights(), before), model(tmp_path / "model", weights(), after)
    footprint = scan(tuned, base, nulls=("gaussian", "floor"), heads=True)
    shares = [row.value for row in footprint.rows if row.measure == "floor_share" and row.slot not in {"ov", "qk"}]
    assert len(shares) == 14
    for share in shares:
        assert share == pytest.approx(1.0, rel=0.1)
    heads = [row.value for row in footprint.rows if row.measure == "floor_share" and row.slot == "ov"]
    assert len(heads) == 8
    assert all(share is not None and 0.5 < share < 2.0 for share in heads)
    counted = [row for row in footprint.rows if row.object == "O3" and row.measure == "participation_ratio"]
    assert {row.status for row in counted if row.slot not in {"ov", "qk"}} == {"floor"}
    assert {row.null for row in counted if row.slot == "up"} == {"gaussian", "floor"}
    verdict = audit(tmp_path / "model", tmp_path / "base")
    assert verdict.label == "inconclusive"
    assert next(check for check in verdict.checks if check.code == "SG002").fate == "failed"


def test_a_change_far_above_the_grid_is_read(tmp_path: Path) -> None:
    """The share of the noise falls as the square of the change."""
    base, tuned = model(tmp_path / "base", weights(), None), model(tmp_path / "model", weights(0.5), 0.0)
    footprint = scan(tuned, base)
    shares = [row.value for row in footprint.rows if row.measure == "floor_share"]
    assert all(share is not None and share < 0.2 for share in shares)
    assert {row.status for row in footprint.rows if row.measure == "participation_ratio"} == {"ok"}


def test_steps_of_a_matrix_are_those_of_its_rows(tmp_path: Path) -> None:
    """Of all rows or the first: Σ scale² over the elements, the same from the tally and for one matrix."""
    checkpoint = model(tmp_path / "model", weights(), 0.0)
    matrix = next(iter(checkpoint.matrices()))
    parts = {entry.name: entry for entry in checkpoint.entries}
    scales = checkpoint.read(alone(parts[matrix.tensor + "_scale"]))
    assert packed_steps(matrix, 10) == pytest.approx(float(np.sum(scales[:10] ** 2) * SIZE))
    every = float(np.sum(scales**2) * SIZE)
    found = tally(pair_of(matrix, None), matrix.dtype, "", after_steps=packed_steps(matrix, matrix.shape[0]))
    assert found.after_noise == pytest.approx(every / 12 / matrix.parameters)
    assert found.after_step == pytest.approx((every / matrix.parameters) ** 0.5)
    assert noise_variance(matrix, matrix.load()) == pytest.approx(found.after_noise)
    assert packed_steps(None, 3) is None
    with pytest.raises(Defect, match="packing"):
        step_energy(np.ones(3), matrix.dtype)


def alone(entry: TensorEntry) -> TensorEntry:
    """A part of a packed tensor as if it stood alone."""
    return replace(entry, barred="", companion=False)


def test_rows_of_a_fused_expert_take_their_share(tmp_path: Path) -> None:
    """Gate and up of gpt-oss alternate row by row: together they have the steps of the whole, but for a row."""
    stream = generator(0, "oss")
    stem = "model.layers.0.mlp.experts"
    tensors = {
        f"{stem}.gate_up_proj_blocks": stream.integers(0, 256, (2, 64, 2, 16)).astype(np.uint8),
        f"{stem}.gate_up_proj_scales": stream.integers(120, 124, (2, 64, 2)).astype(np.uint8),
        f"{stem}.down_proj_blocks": stream.integers(0, 256, (2, 64, 1, 16)).astype(np.uint8),
        f"{stem}.down_proj_scales": stream.integers(120, 124, (2, 64, 1)).astype(np.uint8),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "gpt_oss", "hidden_size": 64}')
    checkpoint = open_checkpoint(tmp_path)
    sides = [matrix for matrix in checkpoint.matrices() if matrix.role.slot in {"gate", "up"} and matrix.expert == 1]
    assert len(sides) == 2
    found = [packed_steps(matrix, matrix.shape[0]) for matrix in sides]
    assert sum(each for each in found if each is not None) == pytest.approx(
        squared_steps(sides[0].source, 64, 128), rel=0.01
    )
    assert scan(checkpoint).coverage.block_share == 1.0


def test_the_grid_of_a_null_is_that_of_the_storage() -> None:
    """Noise rounded to a step lies on its multiples; what is far below it vanishes."""
    base = np.zeros((40, 30))
    values = rounded(generator(0, "grid").standard_normal((40, 30)), 0.25)
    assert np.array_equal(values, np.rint(values * 4) / 4)
    stream = generator(0, "grid")
    assert floor_spectra(base, 0.01, 0.25, 1, stream)[0].zero
    assert not floor_spectra(base, 100.0, 0.25, 1, stream)[0].zero
    assert np.array_equal(rounded(values, 0.0), values)


def test_two_models_of_one_grid_pair_by_their_names(tmp_path: Path) -> None:
    """Nothing changed, nothing is read: the floor is not asked."""
    base, tuned = model(tmp_path / "base", weights(), 0.0), model(tmp_path / "model", weights(), 0.0)
    assert len(pair(base, tuned).updates) == 14
    assert {row.status for row in scan(tuned, base).rows if row.measure == "floor_share"} == {"no_change"}
