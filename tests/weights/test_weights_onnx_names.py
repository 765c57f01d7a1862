"""Names that an exporter lost, recovered from the nodes: laws on small graphs, each made by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.matrix import WeightMatrix
from shadowgraph.weights.readers.header import Header
from shadowgraph.weights.readers.onnx import read_header
from shadowgraph.weights.readers.values import read_values

LOST = "onnx::MatMul_470"
Arrays = dict[str, NDArray[Any]]
SCOPES = "pkg.torch.onnx.name_scopes"


def floats(*shape: int) -> NDArray[np.float32]:
    return generator(0, "onnx names", str(shape)).standard_normal(shape).astype(np.float32)


def read(folder: Path, arrays: Arrays, *nodes: NodeProto) -> Header:
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(list(nodes), "g", [], [], tensors)
    path = folder / "m.onnx"
    onnx.save(helper.make_model(graph), path)
    return read_header(path)


def node(operation: str, inputs: list[str], name: str = "", **attributes: Any) -> NodeProto:
    return helper.make_node(operation, inputs, [attributes.pop("output", "y")], name=name, **attributes)


def value(header: Header, name: str) -> NDArray[np.float64]:
    return read_values(next(entry for entry in header.entries if entry.name == name))


def names(header: Header) -> set[str]:
    return {entry.name for entry in header.entries}


@pytest.mark.parametrize(
    ("made", "turned"),
    [
        (node("MatMul", ["x", LOST], "/layer.0/query/MatMul"), True),
        (node("MatMul", ["x", LOST], "/layer/layer.0/query/MatMul_1"), True),
        (node("Gemm", ["x", LOST], "/layer.0/query/Gemm"), True),
        (node("Gemm", ["x", LOST], "/layer.0/query/Gemm", transB=1), False),
        (node("Gather", [LOST, "x"], "/layer.0/query/Gather"), False),
    ],
)
def test_the_operation_says_how_the_matrix_lies(made: NodeProto, turned: bool, tmp_path: Path) -> None:
    weight = floats(5, 3)
    header = read(tmp_path, {LOST: weight}, made)
    assert np.array_equal(value(header, "layer.0.query.weight"), weight.T if turned else weight)
    assert header.notes == ("1 matrix stored without a name of the model: named by the nodes",)


def test_scopes_in_the_metadata_name_a_module(tmp_path: Path) -> None:
    made = node("MatMul", ["x", "val_40"], "node_linear")
    made.metadata_props.add(key=SCOPES, value="['', 'layer.0', 'layer.0.query', 'linear']")
    header = read(tmp_path, {"val_40": floats(5, 3)}, made)
    assert np.array_equal(value(header, "layer.0.query.weight"), floats(5, 3).T)


def test_a_bias_names_the_weight_where_no_scope_does(tmp_path: Path) -> None:
    """As exporters before 2022 wrote, whose nodes are called MatMul_12."""
    arrays = {LOST: floats(5, 3), "layer.0.query.bias": floats(3)}
    nodes = node("MatMul", ["x", LOST], "MatMul_12", output="p"), node("Add", ["layer.0.query.bias", "p"])
    assert np.array_equal(value(read(tmp_path, arrays, *nodes), "layer.0.query.weight"), floats(5, 3).T)


def test_a_bias_of_another_name_inside_the_module_names_the_weight(tmp_path: Path) -> None:
    arrays = {LOST: floats(4, 12), "attn.in_proj_bias": floats(12)}
    nodes = node("MatMul", ["x", LOST], "/attn/MatMul", output="p"), node("Add", ["attn.in_proj_bias", "p"])
    assert "attn.in_proj_weight" in names(read(tmp_path, arrays, *nodes))


def test_a_bias_that_several_modules_share_names_nothing(tmp_path: Path) -> None:
    """Equal vectors may be stored once, under the name of one of their modules."""
    arrays = {LOST: floats(3, 3), "val_7": floats(3, 3), "a.bias": floats(3)}
    nodes = [
        node("MatMul", ["x", LOST], output="p"),
        node("Add", ["p", "a.bias"], output="q"),
        node("MatMul", ["q", "val_7"], output="r"),
        node("Add", ["r", "a.bias"]),
    ]
    header = read(tmp_path, arrays, *nodes)
    assert names(header) == arrays.keys()
    assert header.notes[0].startswith("2 matrices stored without a name of the model that the nodes tell")


@pytest.mark.parametrize(
    "nodes",
    [
        [node("MatMul", ["x", LOST], "/a/MatMul"), node("MatMul", ["z", LOST], "/b/MatMul")],
        [node("MatMul", [LOST, "x"], "/a/MatMul")],
        [node("Mul", [LOST, "x"], "/a/Mul")],
        [node("MatMul", ["x", LOST], "MatMul_3")],
        [],
    ],
)
def test_a_use_that_tells_nothing_leaves_the_stored_name(nodes: list[NodeProto], tmp_path: Path) -> None:
    header = read(tmp_path, {LOST: floats(5, 3)}, *nodes)
    assert np.array_equal(value(header, LOST), floats(5, 3))
    assert "1 matrix stored without a name of the model that the nodes tell" in header.notes[0]


def test_two_tensors_that_would_get_one_name_keep_theirs(tmp_path: Path) -> None:
    arrays = {LOST: floats(5, 3), "val_7": floats(5, 3)}
    nodes = node("MatMul", ["x", LOST], "/a/MatMul"), node("MatMul", ["x", "val_7"], "/a/MatMul_1", output="z")
    assert names(read(tmp_path, arrays, *nodes)) == arrays.keys()


def test_a_turned_copy_of_a_stored_tensor_is_left_out(tmp_path: Path) -> None:
    arrays = {"head.weight": floats(5, 3), "val_7": floats(5, 3).T.copy()}
    header = read(tmp_path, arrays, node("MatMul", ["x", "val_7"], "/head/MatMul"))
    copy = next(entry for entry in header.entries if entry.name == "val_7")
    assert copy.companion
    assert copy.unreadable == "turned copy of a tensor that is stored under its own name"


def test_what_keeps_its_name_keeps_its_layout(tmp_path: Path) -> None:
    """A name of the model stays only on what is stored as the model has it: here (in, out), as GPT-2 does."""
    header = read(tmp_path, {"h.0.c_fc.weight": floats(5, 3)}, node("Gemm", ["x", "h.0.c_fc.weight"], "/h.0/c_fc/Gemm"))
    assert np.array_equal(value(header, "h.0.c_fc.weight"), floats(5, 3))


def test_a_cast_on_the_way_does_not_hide_the_use(tmp_path: Path) -> None:
    nodes = node("Cast", [LOST], output="c", to=1), node("MatMul", ["x", "c"], "/a/MatMul")
    header = read(tmp_path, {LOST: floats(5, 3).astype(np.float16)}, *nodes)
    assert np.array_equal(value(header, "a.weight"), floats(5, 3).astype(np.float16).T)


def test_a_kernel_with_a_folded_normalisation_is_not_the_module_s_weight(tmp_path: Path) -> None:
    header = read(tmp_path, {"onnx::Conv_3": floats(4, 3, 2, 2)}, node("Conv", ["x", "onnx::Conv_3"], "/stem/Conv"))
    assert names(header) == {"onnx::Conv_3"}
    assert header.notes == (
        "1 kernel with a normalisation folded in by the exporter, whose names stay: such as 'onnx::Conv_3'",
    )


def test_quantised_weights_are_barred_and_their_scales_are_no_matrices(tmp_path: Path) -> None:
    arrays = {
        "a.weight": np.zeros((8, 1, 16), np.uint8),
        "a.scales": floats(8, 2),
        "onnx::MatMul_4_quantized": np.zeros((5, 3), np.int8),
        "b.weight": np.zeros((4, 4), np.int8),
        "b.scale": np.ones((2, 4), np.float32),
    }
    nodes = [
        node("MatMulNBits", ["x", "a.weight", "a.scales"], domain="com.microsoft", K=16, N=8, bits=4, block_size=16),
        node("MatMulInteger", ["x", "onnx::MatMul_4_quantized"], "/c/MatMul_quant"),
        node("DequantizeLinear", ["b.weight", "b.scale"], block_size=2, axis=0),
    ]
    found = {entry.name: entry for entry in read(tmp_path, arrays, *nodes).entries}
    assert found["a.weight"].unreadable == "quantised for MatMulNBits, which is not read"
    assert found["c.weight"].unreadable == "quantised for MatMulInteger, which is not read"
    assert found["b.weight"].unreadable == "quantised for DequantizeLinear, which is not read"
    for scale in ("a.scales", "b.scale"):
        assert found[scale].companion
        assert found[scale].unreadable == "scale or zero point of a quantised tensor"


def test_hostile_names_in_the_graph_are_only_text(tmp_path: Path) -> None:
    made = node("MatMul", ["x", LOST], "/\x1b[31m\u202e/../../a/MatMul")
    (entry,) = read(tmp_path, {LOST: floats(5, 3)}, made).entries
    assert entry.name == ".".join(["\x1b[31m\u202e", "..", "..", "a", "weight"])
    assert open_checkpoint(tmp_path / "m.onnx").notes[0].isprintable()


PARTS = {"attention.self.query": (6, 6), "attention.output.dense": (6, 6), "intermediate.dense": (9, 6)}


@pytest.mark.parametrize(("prefix", "wrapper"), [("", ""), ("model.0.auto_model.", "/model/model.0/auto_model")])
def test_a_wrapper_s_prefix_is_left_off_where_a_family_then_knows_the_names(
    prefix: str, wrapper: str, tmp_path: Path
) -> None:
    arrays: Arrays = {f"{prefix}embeddings.word_embeddings.weight": floats(10, 6)}
    nodes: list[NodeProto] = []
    for number, (part, shape) in enumerate(PARTS.items()):
        arrays[f"onnx::MatMul_{number}"] = floats(*shape).T.copy()
        path = f"{wrapper}/encoder/layer.0/{part.replace('.', '/')}/MatMul"
        nodes.append(node("MatMul", ["x", f"onnx::MatMul_{number}"], path, output=f"y{number}"))
    notes = read(tmp_path, arrays, *nodes).notes
    checkpoint = open_checkpoint(tmp_path / "m.onnx")
    found: dict[str, WeightMatrix] = {matrix.role.slot: matrix for matrix in checkpoint.matrices()}
    assert checkpoint.family == "bert"
    assert {slot: (m.layer, m.shape) for slot, m in found.items()} == {
        "q": (0, (6, 6)),
        "o": (0, (6, 6)),
        "up": (0, (9, 6)),
        "embedding": (None, (10, 6)),
    }
    assert np.array_equal(found["up"].load((2, 5)), floats(9, 6)[2:5])
    assert any(prefix in note for note in notes if "wrapper" in note) == bool(prefix)
