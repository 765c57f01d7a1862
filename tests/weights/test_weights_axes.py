"""Tensors with another number of axes than their role, and indices written in another way than usual."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from shadowgraph.errors import Defect
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint

QUERY = "model.layers.0.self_attn.q_proj.weight"


def opened(folder: Path, name: str, shape: tuple[int, ...]) -> Checkpoint:
    """A Llama of one up-projection and one more tensor."""
    tensors = {"model.layers.0.mlp.up_proj.weight": np.zeros((16, 8), np.float32), name: np.zeros(shape, np.float32)}
    save_file(tensors, str(folder / "model.safetensors"))
    return open_checkpoint(folder / "model.safetensors")


def test_three_axes_are_no_query_matrix(tmp_path: Path) -> None:
    """A stack of matrices under a name that holds one is left out with its reason, not joined into one."""
    checkpoint = opened(tmp_path, QUERY, (3, 8, 8))
    assert [matrix.role.slot for matrix in checkpoint.matrices()] == ["up"]
    assert [(item.tensor, item.reason) for item in checkpoint.skipped] == [
        (QUERY, "rank 3, its role is a matrix of 2 axes")
    ]


def test_axes_of_one_element_do_not_count(tmp_path: Path) -> None:
    """A pointwise convolution is the matrix it looks like."""
    checkpoint = opened(tmp_path, QUERY, (8, 8, 1))
    assert {matrix.role.slot: matrix.shape for matrix in checkpoint.matrices()} == {"up": (16, 8), "q": (8, 8)}


def test_a_padded_index_is_no_layer(tmp_path: Path) -> None:
    """layers.007 beside layers.7 would be a second layer 7."""
    checkpoint = opened(tmp_path, "model.layers.007.self_attn.q_proj.weight", (8, 8))
    assert [(matrix.role.slot, matrix.layer) for matrix in checkpoint.matrices()] == [("up", 0), ("unknown", None)]


@pytest.mark.parametrize(("shape", "family"), [((8, 24), "gpt2"), ((24, 8), "qwen")])
def test_the_way_a_matrix_lies_tells_the_family(tmp_path: Path, shape: tuple[int, int], family: str) -> None:
    """GPT-2 and the first Qwen use one name for a matrix that each stores the other way round."""
    save_file({"transformer.h.0.attn.c_attn.weight": np.zeros(shape, np.float32)}, str(tmp_path / "model.safetensors"))
    checkpoint = open_checkpoint(tmp_path / "model.safetensors")
    assert checkpoint.family == family
    assert [matrix.shape for matrix in checkpoint.matrices()] == [(8, 8)] * 3


@pytest.mark.parametrize("rows", [(6, 12), (-1, 1), (3, 2), (0, 9)])
def test_rows_that_a_matrix_does_not_have_are_a_defect(rows: tuple[int, int], tmp_path: Path) -> None:
    """Another tensor's bytes, or those of the header, lie there."""
    query = {m.tensor: m for m in opened(tmp_path, QUERY, (8, 8)).matrices()}[QUERY]
    with pytest.raises(Defect, match="of a matrix of 8"):
        query.load(rows)
    assert query.load((8, 8)).shape == (0, 8)
    assert query.load((2, 5)).shape == (3, 8)
