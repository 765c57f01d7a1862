"""The path of a run: one row a step, skipped checkpoints listed, the same after a kill."""

import math
from pathlib import Path

import numpy as np
import pytest
from footprint_models import Tensors, saved, tensors
from pyarrow import parquet

from shadowgraph.errors import CheckpointError
from shadowgraph.footprint.trajectory import trajectory
from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import Checkpoint
from shadowgraph.weights.series import open_series

SLOT = {"mlp.up_proj": (32, 16)}


def run_of(tmp_path: Path) -> tuple[Checkpoint, dict[int, Tensors]]:
    """A base and three steps: the update gains rank and size; the fourth folder is broken."""
    start = tensors(slots=SLOT)
    content: dict[int, Tensors] = {}
    for step, rank in ((100, 1), (200, 4), (1000, 12)):
        content[step] = {}
        for name, values in start.items():
            stream = generator(0, name)
            left, right = stream.standard_normal((values.shape[0], 12)), stream.standard_normal((12, values.shape[1]))
            content[step][name] = values + 1e-3 * left[:, :rank] @ right[:rank]
        saved(tmp_path / "run" / f"checkpoint-{step}", content[step])
    (tmp_path / "run" / "checkpoint-300").mkdir()
    (tmp_path / "run" / "checkpoint-300" / "model.safetensors").write_bytes(b"\x00" * 7)
    return saved(tmp_path / "base", start), content


def test_one_row_a_step_in_order(tmp_path: Path) -> None:
    base, content = run_of(tmp_path)
    shares: list[float] = []
    found = trajectory(open_series(tmp_path / "run"), base, progress=shares.append)
    assert [moment.step for moment in found.moments] == [100, 200, 1000]
    k = [moment.K.value or 0.0 for moment in found.moments]
    norms = [moment.log_norm.value or 0.0 for moment in found.moments]
    assert k == sorted(k, reverse=True)
    assert norms == sorted(norms)
    assert [item.tensor for item in found.skipped] == ["checkpoint-300"]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    start, last = tensors(slots=SLOT), content[1000]
    names = [name for name in start if "up_proj" in name]
    moved = total = 0.0
    for name in names:
        before, after = (np.linalg.svd(side[name], compute_uv=False) for side in (start, last))
        moved += float(np.sum((after - before) ** 2))
        total += float(np.sum(before**2))
    assert found.moments[-1].drift.value == pytest.approx(math.sqrt(moved / total))
    energies = [np.linalg.svd(last[name] - start[name], compute_uv=False) ** 2 for name in names]
    ratios = [math.log(each.sum() ** 2 / (each**2).sum()) for each in energies]
    assert found.moments[-1].ratios["up"].value == pytest.approx(math.exp(np.mean(ratios)))


def test_it_goes_on_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, _ = run_of(tmp_path)
    series = open_series(tmp_path / "run")
    whole = trajectory(series, base)
    trajectory(series, base, folder=tmp_path / "out").write(tmp_path / "out")
    assert (tmp_path / "out" / "step-200" / "footprint.json").exists()
    (tmp_path / "out" / "step-1000" / "spectra.parquet").write_bytes(b"PAR1")
    scanned: list[str] = []
    real = trajectory.__globals__["scan"]

    def counted(after: Checkpoint, *rest: object, **options: object) -> object:
        scanned.append(after.path.name)
        return real(after, *rest, **options)

    monkeypatch.setattr("shadowgraph.footprint.trajectory.scan", counted)
    again = trajectory(series, base, folder=tmp_path / "out")
    assert scanned == ["checkpoint-1000"]
    assert again.as_dict() == whole.as_dict()
    table = parquet.read_table(tmp_path / "out" / "series.parquet")
    assert table["step"].to_pylist() == [100, 200, 1000]
    assert {"K", "K_status", "K_emb", "log_norm", "drift", "PR_up"} <= set(table.column_names)


def test_without_a_base_the_first_step_is_one(tmp_path: Path) -> None:
    run_of(tmp_path)
    found = trajectory(open_series(tmp_path / "run"))
    assert [moment.step for moment in found.moments] == [200, 1000]
    assert "step 100 is the base" in found.notes


def test_a_base_of_another_shape_leaves_nothing(tmp_path: Path) -> None:
    run_of(tmp_path)
    other = saved(tmp_path / "other", tensors(slots={"mlp.up_proj": (24, 16)}))
    with pytest.raises(CheckpointError, match="no checkpoint can be compared"):
        trajectory(open_series(tmp_path / "run"), other)
