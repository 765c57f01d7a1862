"""ONNX files as the official library writes them: every type, every home of the values, every element."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from shadowgraph.errors import CheckpointError
from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.readers.onnx import read_header
from shadowgraph.weights.readers.onnx_tensor import DATA_TYPES
from shadowgraph.weights.readers.values import read_values, stored_pieces
from shadowgraph.weights.tensor import ELEMENT_TYPES, TensorEntry

KINDS: dict[str, Any] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "I64": np.int64,
    "I32": np.int32,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
    "C64": np.complex64,
    "C128": np.complex128,
    "I4": ml_dtypes.int4,
    "U4": ml_dtypes.uint4,
}
DECOMPOSED = ("F64", "F32", "F16", "BF16")


def written(path: Path, tensors: list[TensorProto], nodes: list[onnx.NodeProto] | None = None) -> Path:
    graph = helper.make_graph(nodes or [], "g", [], [], tensors)
    onnx.save(helper.make_model(graph), path)
    return path


def values_of(kind: str, shape: tuple[int, ...], seed: int = 0) -> NDArray[Any]:
    drawn = generator(seed, "onnx", kind).standard_normal(shape) * 3.0
    return np.asarray(np.abs(drawn) if kind.startswith("U") else drawn).astype(KINDS[kind])


def stored(entry: TensorEntry) -> bytes:
    return b"".join(piece.tobytes() for piece in stored_pieces(entry))


@settings(max_examples=60)
@given(
    kinds=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5),
    shape=st.lists(st.integers(0, 5), max_size=4),
)
def test_what_the_official_writer_writes(
    kinds: list[str], shape: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    arrays = {f"t{i}.x": values_of(kind, tuple(shape), i) for i, kind in enumerate(kinds)}
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    path = written(tmp_path_factory.getbasetemp() / "written.onnx", tensors)
    entries = {entry.name: entry for entry in read_header(path).entries}
    assert entries.keys() == arrays.keys()
    for kind, (name, tensor) in zip(kinds, zip(arrays, tensors, strict=True), strict=True):
        entry = entries[name]
        assert (entry.dtype, entry.shape, stored(entry)) == (kind, tuple(shape), tensor.raw_data)
        if kind in DECOMPOSED:
            theirs = numpy_helper.to_array(tensor)
            assert np.array_equal(read_values(entry), np.asarray(theirs, np.float64))
        else:
            assert entry.unreadable


def test_every_data_type_of_the_format_has_a_name() -> None:
    known = {number for name, number in TensorProto.DataType.items() if name != "UNDEFINED"}
    assert set(DATA_TYPES) == known
    for number, kind in DATA_TYPES.items():
        if kind.name in ELEMENT_TYPES:
            assert ELEMENT_TYPES[kind.name].bits == kind.bits, number


def test_floats_that_are_no_raw_bytes_are_read(tmp_path: Path) -> None:
    values = [0.5, -1.25, 3.0, 1e-30, 0.0, 7.0]
    tensors = [
        helper.make_tensor("a", TensorProto.FLOAT, [2, 3], values),
        helper.make_tensor("b", TensorProto.DOUBLE, [3, 2], values),
    ]
    assert not any(tensor.raw_data for tensor in tensors)
    single, double = read_header(written(tmp_path / "m.onnx", tensors)).entries
    assert np.array_equal(read_values(single), np.array(values, np.float32).reshape(2, 3))
    assert np.array_equal(read_values(double), np.array(values).reshape(3, 2))


def test_halves_stored_as_numbers_of_variable_length_say_so(tmp_path: Path) -> None:
    tensor = helper.make_tensor("a", TensorProto.FLOAT16, [2, 2], [1.0, 2.0, -3.0, 0.5])
    assert tensor.int32_data
    checkpoint = open_checkpoint(written(tmp_path / "m.onnx", [tensor]))
    assert [item.reason for item in checkpoint.skipped] == [
        "its values are stored as numbers of variable length, not as raw bytes"
    ]


def outside(folder: Path) -> tuple[Path, NDArray[np.float32]]:
    """A model of one matrix whose values the official library puts into another file."""
    values = values_of("F32", (7, 5))
    graph = helper.make_graph([], "g", [], [], [numpy_helper.from_array(values, "w")])
    path = folder / "m.onnx"
    onnx.save(helper.make_model(graph), path, save_as_external_data=True, location="w.data", size_threshold=0)
    return path, values


def test_values_in_another_file(tmp_path: Path) -> None:
    path, values = outside(tmp_path)
    (entry,) = read_header(path).entries
    assert entry.file.path == tmp_path / "w.data"
    assert np.array_equal(read_values(entry), values)
    assert len(open_checkpoint(path).same_files) == 1


def test_values_in_another_file_of_a_snapshot(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--a--b" / "snapshots" / "0" / "onnx"
    blobs = tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    path, values = outside(snapshot)
    (snapshot / "w.data").rename(blobs / "1")
    (snapshot / "w.data").symlink_to(os.path.relpath(blobs / "1", snapshot))
    (entry,) = read_header(path).entries
    assert np.array_equal(read_values(entry), values)


def cut(path: Path) -> None:
    os.truncate(path, 40)


def touched(path: Path) -> None:
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("change", [cut, touched])
def test_another_file_that_changed_is_refused(change: Callable[[Path], None], tmp_path: Path) -> None:
    path, _ = outside(tmp_path)
    (entry,) = read_header(path).entries
    change(tmp_path / "w.data")
    with pytest.raises(CheckpointError, match="changed"):
        read_values(entry)


def test_a_constant_is_a_tensor_only_where_it_could_be_a_matrix(tmp_path: Path) -> None:
    arrays = {"w": values_of("F32", (3, 2)), "shape": np.array([3, 2]), "mask": np.ones((2, 2), np.bool_)}
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)) for name, array in arrays.items()
    ]
    (entry,) = read_header(written(tmp_path / "m.onnx", [], nodes)).entries
    assert (entry.name, entry.shape) == ("w", (3, 2))
    assert np.array_equal(read_values(entry), arrays["w"])


def test_branches_use_what_the_outer_graph_stores(tmp_path: Path) -> None:
    """As a decoder with and without a cache is exported: the weights lie outside, the nodes inside."""
    weight = values_of("F32", (4, 3))
    inside = helper.make_node("MatMul", ["x", "onnx::MatMul_1"], ["y"], name="/layers.0/q/MatMul")
    branch = helper.make_graph([inside], "then", [], [], [numpy_helper.from_array(weight, "own")])
    other = helper.make_graph([], "else", [], [], [numpy_helper.from_array(weight, "own")])
    choice = helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=other)
    header = read_header(written(tmp_path / "m.onnx", [numpy_helper.from_array(weight, "onnx::MatMul_1")], [choice]))
    found = {entry.name: entry for entry in header.entries}
    assert np.array_equal(read_values(found["layers.0.q.weight"]), weight.T)
    assert found["own"].unreadable
    assert header.notes[0] == "2 tensors are stored in branches of nodes and are not read"
