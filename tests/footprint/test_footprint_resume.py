"""A scan that is stopped, divided or damaged on its way ends in the same bytes as one that was left alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from footprint_models import Matrix, changed, saved, tensors

from shadowgraph.errors import EnvironmentFault, SpecError
from shadowgraph.footprint import parts
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import PARTS
from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import Checkpoint

FILES = ("footprint.parquet", "spectra.parquet", "footprint.json")


def noise(name: str, values: Matrix) -> Matrix:
    return 0.002 * generator(2, name).standard_normal(values.shape)


@pytest.fixture
def models(tmp_path: Path) -> tuple[Checkpoint, Checkpoint]:
    start = tensors()
    tuned = changed(start, noise)
    tuned["model.layers.1.mlp.up_proj.weight"][2, 3] = np.nan
    return saved(tmp_path / "b", tuned, "BF16"), saved(tmp_path / "a", start, "BF16")


def written(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def test_parts_are_used_again_and_damaged_ones_are_not(
    models: tuple[Checkpoint, Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm, folder = tmp_path / "calm", tmp_path / "out"
    scan(*models, nulls=()).write(calm)
    scan(*models, nulls=(), folder=folder)
    kept = sorted((folder / PARTS).glob("*.json"))
    assert len(kept) == 9
    kept[0].write_bytes(kept[0].read_bytes()[:-40])
    damaged = json.loads(kept[1].read_text())
    damaged["body"]["rows"][0][8] = 7.0
    kept[1].write_text(json.dumps(damaged))
    kept[2].unlink()
    measured: list[str] = []
    real = parts.measure

    def counted(task: parts.Task, options: parts.Options) -> parts.Found:
        measured.append(task.tensor)
        return real(task, options)

    monkeypatch.setattr("shadowgraph.footprint.scan.measure", counted)
    shares: list[float] = []
    again = scan(*models, nulls=(), folder=folder, progress=shares.append)
    assert len(measured) == 3
    assert shares[0] > 0.5
    assert shares == sorted(shares)
    again.write(folder)
    assert written(folder) == written(calm)
    assert not (folder / PARTS).exists()


def test_other_options_or_another_model_do_not_use_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    key = parts.scan_key({"after": "x"}, parts.Options())
    assert key == parts.scan_key({"after": "x"}, parts.Options(cache="elsewhere"))
    assert key != parts.scan_key({"after": "y"}, parts.Options())
    assert key != parts.scan_key({"after": "x"}, parts.Options(seed=1))

    def older(*_: str) -> dict[str, str]:
        return {"numpy": "0"}

    monkeypatch.setattr(parts, "versions", older)
    assert key != parts.scan_key({"after": "x"}, parts.Options())


def test_processes_give_the_same_bytes(models: tuple[Checkpoint, Checkpoint], tmp_path: Path) -> None:
    scan(*models, nulls=("change",)).write(tmp_path / "one")
    scan(*models, nulls=("change",), jobs=2).write(tmp_path / "two")
    assert written(tmp_path / "one") == written(tmp_path / "two")


def test_two_scans_do_not_share_a_folder(models: tuple[Checkpoint, Checkpoint], tmp_path: Path) -> None:
    def scan_again(_: float) -> None:
        with pytest.raises(EnvironmentFault, match="another process"):
            scan(*models, nulls=(), folder=tmp_path / "out")

    scan(*models, nulls=(), folder=tmp_path / "out", progress=scan_again)


def test_odd_options_are_usage_errors(models: tuple[Checkpoint, Checkpoint]) -> None:
    for wrong in ({"objects": ("O4",)}, {"objects": ()}, {"nulls": ("normal",)}, {"precision": "half"}, {"jobs": 0}):
        with pytest.raises(SpecError):
            scan(*models, **wrong)  # pyright: ignore[reportArgumentType]


def test_killed_in_the_middle_it_goes_on(tmp_path: Path) -> None:
    start = tensors(layers=60, slots={"mlp.up_proj": (96, 64)})
    model, base = saved(tmp_path / "b", changed(start, noise)), saved(tmp_path / "a", start)
    scan(model, base, nulls=()).write(tmp_path / "calm")
    code = "import sys; from shadowgraph.cli.main import main; sys.exit(main(sys.argv[1:]))"
    folder = tmp_path / "out"
    command = [sys.executable, "-c", code, "scan", str(model.path), "--base", str(base.path), "--output", str(folder)]
    command += ["--nulls", "none"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 60
    while len(list((folder / PARTS).glob("0*.json"))) < 2 and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (folder / "footprint.json").exists()
    assert len(list((folder / PARTS).glob("0*.json"))) >= 2
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert written(folder) == written(tmp_path / "calm")
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
