"""The audit: each check can pass and fail, a wrong base is found, and no verdict is given without a reference."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from shadowgraph.audit.checks import Check, base_identity, coverage, storage_floor
from shadowgraph.audit.verdict import Verdict, audit
from shadowgraph.errors import CheckpointError, SpecError
from shadowgraph.footprint.table import Coverage
from shadowgraph.identity import canonical_bytes
from shadowgraph.seeds import generator

SHAPES = {
    f"model.layers.{layer}.{slot}.weight": shape
    for layer in range(2)
    for slot, shape in {"self_attn.q_proj": (24, 16), "mlp.up_proj": (32, 16), "mlp.down_proj": (16, 32)}.items()
} | {"model.embed_tokens.weight": (40, 16)}


def model(
    folder: Path,
    seed: int = 0,
    *,
    shift: float = 0.0,
    dtype: type = np.float32,
    odd: Callable[[str], bool] | None = None,
) -> Path:
    """Weights of a seed, moved by `shift` times noise of their own size; `odd` matrices come from another seed."""
    folder.mkdir()
    content: dict[str, NDArray[Any]] = {}
    for name, shape in SHAPES.items():
        source = seed + 1000 if odd is not None and odd(name) else seed
        start = generator(source, "start", name).standard_normal(shape)
        content[name] = (0.02 * (start + shift * generator(seed, "shift", name).standard_normal(shape))).astype(dtype)
    save_file(content, folder / "model.safetensors")
    return folder


def fates(verdict: Verdict) -> dict[str, str]:
    return {check.code: check.fate for check in verdict.checks}


def test_an_ordinary_pair_is_inconclusive_for_want_of_a_reference(tmp_path: Path) -> None:
    verdict = audit(model(tmp_path / "tuned", shift=0.1), model(tmp_path / "base"))
    assert verdict.label == "inconclusive"
    assert fates(verdict) == {"SG001": "passed", "SG002": "passed", "SG003": "passed", "SG004": "inconclusive"}
    assert "SG004" in verdict.sentence
    assert "K = " in verdict.sentence
    assert verdict.strength is verdict.false_alarm_rate is verdict.interval is verdict.reference is None


def test_a_wrong_base_is_found(tmp_path: Path) -> None:
    verdict = audit(model(tmp_path / "tuned", seed=1), model(tmp_path / "base", seed=2))
    assert fates(verdict)["SG001"] == "failed"
    assert "implausible" in verdict.sentence
    relative = [row.value for row in verdict.footprint.rows if row.measure == "relative_norm" and row.block == "ffn"]
    assert np.mean([value for value in relative if value is not None]) == pytest.approx(np.sqrt(2), abs=0.1)


@pytest.mark.parametrize("shift", [1.5, 2.0, 4.0])
def test_a_large_honest_update_is_no_wrong_base(shift: float, tmp_path: Path) -> None:
    """A relative norm near or above the root of 2 alone must not accuse: the angle tells the two apart."""
    verdict = audit(model(tmp_path / "tuned", shift=shift), model(tmp_path / "base"))
    assert fates(verdict)["SG001"] == "passed"


def test_a_base_wrong_in_one_matrix_is_named(tmp_path: Path) -> None:
    tuned = model(tmp_path / "tuned", shift=0.1, odd=lambda name: "layers.1.mlp.down" in name)
    check = base_identity(audit(tuned, model(tmp_path / "base")).footprint)
    assert check.fate == "inconclusive"
    assert "model.layers.1.mlp.down_proj.weight" in check.detail


def test_an_unchanged_model_says_so(tmp_path: Path) -> None:
    verdict = audit(model(tmp_path / "tuned"), model(tmp_path / "base"))
    assert fates(verdict)["SG001"] == "passed"
    assert fates(verdict)["SG002"] == "not applicable"
    assert "no change" in verdict.sentence
    assert verdict.as_result()["endpoint"]["K_status"] == "no_change"


def test_storage_rounding_fails_the_floor_check(tmp_path: Path) -> None:
    base = model(tmp_path / "base", dtype=ml_dtypes.bfloat16)
    small = audit(model(tmp_path / "small", shift=1e-3, dtype=ml_dtypes.bfloat16), base)
    assert fates(small)["SG002"] == "failed"
    assert small.endpoint.K.status == "floor"
    large = audit(model(tmp_path / "large", shift=1e-1, dtype=ml_dtypes.bfloat16), base)
    assert fates(large)["SG002"] == "passed"


def test_the_floor_share_is_the_closed_form(tmp_path: Path) -> None:
    """Origin: mn (v0 + v1) / energy by hand for one step size; entries all in [1, 2), where bf16 has the step 2**-7."""
    footprint = audit(model(tmp_path / "tuned", shift=0.1), model(tmp_path / "base")).footprint
    variance = (2.0**-7) ** 2 / 12
    records = [dataclasses.replace(record, base_noise=variance, after_noise=variance) for record in footprint.matrices]
    blocks = [record for record in records if record.role.is_block_linear]
    energy = sum(record.spectrum.energy for record in blocks if record.spectrum is not None)
    share = sum(record.shape[0] * record.shape[1] for record in blocks) * 2 * variance / energy
    check = storage_floor(dataclasses.replace(footprint, matrices=tuple(records)))
    assert f"{share:.2%}" in check.detail


@pytest.mark.parametrize(("analysed", "fate"), [(1000, "passed"), (901, "passed"), (899, "failed"), (0, "failed")])
def test_coverage_has_a_threshold(analysed: int, fate: str, tmp_path: Path) -> None:
    footprint = audit(model(tmp_path / "tuned", shift=0.1), model(tmp_path / "base")).footprint
    check: Check = coverage(dataclasses.replace(footprint, coverage=Coverage(9, 7, 2, 2000, 1000, analysed)))
    assert check.fate == fate
    assert "2 tensors left out" in check.detail


def test_the_result_is_plain_complete_and_without_forbidden_words(tmp_path: Path) -> None:
    verdict = audit(model(tmp_path / "tuned", shift=0.1), model(tmp_path / "base"))
    result = json.loads(canonical_bytes(verdict.as_result()))
    assert result["kind"] == "audit"
    promised = {"schema_version", "verdict", "checks", "endpoint", "coverage", "skipped", "heatmap", "provenance"}
    assert promised <= result.keys()
    assert result["verdict"]["false_alarm_rate"] is None
    assert result["verdict"]["false_alarm_rate_status"] == "no_reference"
    assert result["heatmap"]["slots"] == ["q", "up", "down"]
    assert np.array(result["heatmap"]["arms"]["update"]).shape == (3, 2)
    words = json.dumps(result).lower().replace("safetensors", "")
    assert not [word for word in ("safe", "certified", "contaminated", "trained on the benchmark") if word in words]


def test_the_same_pair_gives_the_same_result(tmp_path: Path) -> None:
    tuned, base = model(tmp_path / "tuned", shift=0.1), model(tmp_path / "base")
    assert audit(tuned, base).as_result() == audit(tuned, base).as_result()


def test_a_reference_or_a_foreign_model_is_refused(tmp_path: Path) -> None:
    tuned, base = model(tmp_path / "tuned", shift=0.1), model(tmp_path / "base")
    with pytest.raises(SpecError, match="references cannot be read yet"):
        audit(tuned, base, tmp_path / "reference")
    with pytest.raises(CheckpointError, match="no such file"):
        audit(tuned, tmp_path / "absent")
