"""What a command does when nobody reads its output or the device is full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

COMMAND = [sys.executable, "-c", "from shadowgraph.cli.main import run; run()"]


@pytest.fixture
def model(tmp_path: Path) -> str:
    save_file({"model.layers.0.mlp.up_proj.weight": np.zeros((16, 8), np.float32)}, str(tmp_path / "m.safetensors"))
    return str(tmp_path / "m.safetensors")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("more", [["inspect", "MODEL"], ["inspect", "MODEL", "--json"], ["--help"]])
def test_a_full_device_is_the_environment(model: str, more: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        arguments = [model if word == "MODEL" else word for word in more]
        found = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert found.returncode == 5
    assert "cannot be written (No space left on device)" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(("more", "code"), [([], 0), (["--json"], 0), (["/nowhere"], 2), (["/nowhere", "--json"], 2)])
def test_a_reader_that_left_changes_no_exit_code(model: str, more: list[str], code: int) -> None:
    with subprocess.Popen(
        [*COMMAND, "inspect", model, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(60) == code, said
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
