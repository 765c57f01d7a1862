"""Quantised files bent at random: read, left out or refused in one line, and never anything else."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_packed import AWQ, BLOCKS, COMPRESSED, DOUBLE, EIGHT, METHOD, NESTED, STATE, UNSIGNED, WORDS, four
from badcase import save
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.errors import CheckpointError
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.tensor import TensorEntry

Content = dict[str, Any]
NVFP4: Content = {
    "model.layers.0.mlp.up_proj.weight_packed": np.ones((32, 32), np.uint8),
    "model.layers.0.mlp.up_proj.weight_scale": np.ones((32, 4), np.float32),
    "model.layers.0.mlp.up_proj.weight_global_scale": np.ones(1, np.float32),
}
GROUPS: tuple[Content, ...] = (
    WORDS,
    AWQ,
    COMPRESSED,
    UNSIGNED,
    EIGHT,
    BLOCKS,
    four(STATE),
    four(STATE | NESTED, DOUBLE),
    NVFP4,
)
KINDS = (np.int8, np.uint8, np.int32, np.uint32, np.int64, np.float16, np.float32)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.sampled_from(["gptq", "awq", "gptq_v2", "gemm", "affine", "compressed-tensors", "", "\u202e"]),
    st.lists(st.integers(-1, 5), max_size=2),
    st.dictionaries(st.sampled_from(["weights", "bits", "group_size", "num_bits"]), st.integers(0, 9), max_size=2),
)
KEYS = ("quant_method", "bits", "group_size", "checkpoint_format", "mode", "config_groups", "dynamic", "version")


@settings(max_examples=150)
@given(data=st.data())
def test_bent_groups_are_read_or_said_to_be_wrong(data: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    content = dict(data.draw(st.sampled_from(GROUPS)))
    for name in data.draw(st.lists(st.sampled_from(sorted(content)), max_size=3, unique=True)):
        what = data.draw(st.sampled_from(["shape", "kind", "gone", "values"]))
        held = content[name]
        if what == "gone":
            del content[name]
        elif what == "kind":
            content[name] = np.ones(held.shape, data.draw(st.sampled_from(KINDS)))
        elif what == "values":
            raw = data.draw(st.binary(min_size=held.nbytes, max_size=held.nbytes)) if held.nbytes < 300 else b"\xff"
            content[name] = np.resize(np.frombuffer(raw, np.uint8), held.nbytes).view(held.dtype).reshape(held.shape)
        else:
            shape = data.draw(st.lists(st.sampled_from([0, 1, 2, 8, 32, 33, 64]), max_size=3))
            content[name] = np.ones(shape, held.dtype)
    folder: Path = tmp_path_factory.mktemp("bent")
    save(folder / "model.safetensors", content | {"model.norm.weight": np.ones(6, np.float32)})
    declared = dict(METHOD) | data.draw(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3))
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "quantization_config": declared}))
    said: list[str] = []
    try:
        checkpoint = open_checkpoint(folder)
        stored = {entry.name for entry in checkpoint.entries}
        assert all(part.name in stored for entry in checkpoint.entries for part in parts_of(entry))
        said.extend((*checkpoint.notes, *(item.reason for item in checkpoint.skipped)))
        for matrix in checkpoint.matrices():
            with np.errstate(all="raise"):
                assert matrix.load().shape == matrix.shape
    except CheckpointError as error:
        said.append(str(error))
    assert all(each.isprintable() for each in said)


def parts_of(entry: TensorEntry) -> list[TensorEntry]:
    """The stored tensors that a logical one is made of."""
    return [] if entry.packing is None else [part for _, part in entry.packing.parts]
