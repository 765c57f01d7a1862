"""The program as a process of its own, for tests that go through the command line."""

import subprocess
import sys
from pathlib import Path


def command(*arguments: str | Path) -> list[str]:
    """The words that start the program with these arguments."""
    return [sys.executable, "-m", "shadowgraph", *map(str, arguments)]


def call(*arguments: str | Path) -> str:
    """Run the program; it must end well. Returns what it printed."""
    ended = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=800)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
