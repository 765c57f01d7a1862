"""The benchmarks of reading share one page, and that of GGUF runs from end to end."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
PAGE = "# Reading\n\nfirst\n"


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as another beside it imports it."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return import_module("reading")


def test_a_section_is_put_in_the_place_of_its_own(reading: Any) -> None:
    one = reading.with_section(PAGE, "## One\n\nold\n")
    both = reading.with_section(one, "## Two\n\ntwo")
    assert both == f"{PAGE}\n## One\n\nold\n\n## Two\n\ntwo\n"
    again = reading.with_section(both, "## One\n\nnew")
    assert again == f"{PAGE}\n## Two\n\ntwo\n\n## One\n\nnew\n"
    assert reading.sections(again) == ["\n## Two\n\ntwo\n", "\n## One\n\nnew\n"]
    assert reading.sections(PAGE) == []


@pytest.mark.slow
def test_the_benchmark_of_gguf_runs() -> None:
    pytest.importorskip("gguf")
    command = [sys.executable, str(FOLDER / "reading_gguf.py"), "--gigabytes", "0", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("## GGUF\n")
    assert "| shadowgraph | " in done.stdout
