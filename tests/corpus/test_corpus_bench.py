"""The corpus benchmark runs from end to end in its small mode, without any peer."""

import subprocess
import sys
from pathlib import Path

import pytest
from corpus_data import real_data

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "corpus.py"


@pytest.mark.slow
def test_the_quick_mode_finds_planted_items_and_the_nearest_corpus(tmp_path: Path) -> None:
    data = real_data()
    command = [sys.executable, str(SCRIPT), "--quick", "--data", str(data), "--cache", str(tmp_path), "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=280)
    assert "nearest to GSM8K test by words is `gsm8k train`" in done.stdout
    assert "recall, verbatim | 40 of 40" in done.stdout
    assert "gave the same results" in done.stdout
