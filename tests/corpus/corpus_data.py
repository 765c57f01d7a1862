"""Where the real benchmarks and corpora lie, for tests that use them."""

import os
from pathlib import Path

import pytest


def real_data(*parts: str) -> Path:
    """A path in the folder SHADOWGRAPH_DATA; the test is skipped without it."""
    root = os.environ.get("SHADOWGRAPH_DATA")
    if not root or not Path(root, *parts).exists():
        pytest.skip(f"SHADOWGRAPH_DATA does not hold {'/'.join(parts)}")
    return Path(root, *parts)
