"""Whole quantised models: names, counts, pairs with the unquantised model, experts, fused and turned matrices."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import packers
import pytest
from packers import Members

from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.pairing import pair
from shadowgraph.weights.strips import plane

WIDTH, HIDDEN, VOCABULARY = 32, 64, 40
SLOTS = {
    "self_attn.q_proj": (WIDTH, WIDTH),
    "self_attn.k_proj": (WIDTH, WIDTH),
    "self_attn.v_proj": (WIDTH, WIDTH),
    "self_attn.o_proj": (WIDTH, WIDTH),
    "mlp.gate_proj": (HIDDEN, WIDTH),
    "mlp.up_proj": (HIDDEN, WIDTH),
    "mlp.down_proj": (WIDTH, HIDDEN),
}
GPTQ = {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 16}}
AWQ = {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 16, "version": "gemm"}}
MLX = {"quantization": {"bits": 4, "group_size": 16}}
Array = packers.Array


def matrices(layers: int = 2) -> Members:
    """The matrices of a tiny Llama, by the names of their modules."""
    shapes = {f"model.layers.{layer}.{slot}": shape for layer in range(layers) for slot, shape in SLOTS.items()}
    return {name: 0.02 * generator(0, name).standard_normal(shape) for name, shape in shapes.items()}


def others() -> Members:
    """What is left as it is."""
    return {
        "model.embed_tokens.weight": generator(0, "embed").standard_normal((VOCABULARY, WIDTH)).astype(np.float16),
        "model.layers.0.self_attn.q_proj.bias": np.ones(WIDTH, np.float16),
        "model.norm.weight": np.ones(WIDTH, np.float16),
    }


def in_gptq(values: Array) -> Members:
    codes, zeros, scales = packers.nearest(values, 4, 16)
    return packers.gptq(codes, zeros, scales, np.arange(values.shape[1]) // 16, 4, 1)


def in_awq(values: Array) -> Members:
    return packers.awq(*packers.nearest(values, 4, 16))


def in_words(values: Array) -> Members:
    codes, zeros, scales = packers.nearest(values, 4, 16)
    return packers.compressed(codes, zeros, scales, 4)


def in_mlx(values: Array) -> Members:
    codes, zeros, scales = packers.nearest(values, 4, 16)
    return packers.mlx(codes, scales, -(zeros * scales.astype(float)).astype(np.float32), 4)


def in_four_bits(values: Array) -> Members:
    table = np.linspace(-1, 1, 16, dtype=np.float32)
    absmax = np.abs(values).reshape(-1, 32).max(axis=1).astype(np.float32)
    codes = np.rint((values.reshape(-1, 32) / absmax[:, None] + 1) * 7.5).astype(np.uint8)
    return packers.bitsandbytes(codes.reshape(values.shape), absmax, table, 32)


def in_eight_bits(values: Array) -> Members:
    largest = np.abs(values).max(axis=1).astype(np.float32)
    codes = np.rint(values / largest[:, None] * 127).astype(np.int8)
    return {"weight": codes, "SCB": largest, "weight_format": np.zeros((), np.uint8)}


METHODS: dict[str, tuple[Callable[[Array], Members], dict[str, Any], str]] = {
    "GPTQ": (in_gptq, GPTQ, "GPTQ-4"),
    "AWQ": (in_awq, AWQ, "AWQ-4"),
    "compressed-tensors": (in_words, {}, "INT4"),
    "MLX": (in_mlx, MLX, "MLX-4"),
    "bitsandbytes 4-bit": (in_four_bits, {}, "NF4"),
    "bitsandbytes 8-bit": (in_eight_bits, {}, "INT8"),
}


def quantised(folder: Path, method: str, content: Members | None = None) -> Checkpoint:
    make, config, _ = METHODS[method]
    members = dict(others())
    for name, values in (content or matrices()).items():
        members |= packers.under(name, make(values))
    return open_checkpoint(packers.write(folder, members, **config))


def plain(folder: Path, content: Members | None = None) -> Checkpoint:
    named = {f"{name}.weight": values.astype(np.float32) for name, values in (content or matrices()).items()}
    return open_checkpoint(packers.write(folder, others() | named))


@pytest.mark.parametrize("method", METHODS)
def test_a_quantised_llama_is_a_llama(method: str, tmp_path: Path) -> None:
    """The family, the roles, the counts and the values of the model that was quantised, up to its grid."""
    model, base = quantised(tmp_path / "model", method), plain(tmp_path / "base")
    assert model.family == base.family == "llama"
    assert (model.parameters, model.block_parameters) == (base.parameters, base.block_parameters)
    label = METHODS[method][2]
    assert model.notes[0].startswith(f"quantised ({label}): 14 tensors dequantised as they are read")
    pairing = pair(base, model)
    assert len(pairing.updates) == 15
    assert f"stored as F32 in the base and {label} in the model" in pairing.identity.notes
    for update in pairing.updates:
        before, after = update.load()
        if update.role.is_block_linear:
            assert update.after.dtype == label
            assert np.abs(after - before).max() < 0.15 * np.abs(before).max()
            assert (after != before).any()
        assert np.array_equal(update.difference(), after - before)
        assert np.array_equal(update.difference((3, 9)), (after - before)[3:9])
    reasons = {item.reason for item in model.skipped}
    assert reasons == {"part of a quantised tensor", "vector (norm or bias)"}
    assert len(model.fingerprint) == 16


@pytest.mark.parametrize("method", METHODS)
def test_strips_are_the_rows(method: str, tmp_path: Path) -> None:
    for matrix in quantised(tmp_path, method).matrices():
        place = plane(matrix)
        assert place is not None
        strips = [values.copy() for values in place.strips(matrix.shape[0], 5)]
        assert np.array_equal(np.concatenate(strips), matrix.load())


def test_embedding_and_head_in_packed_words(tmp_path: Path) -> None:
    """A tied model that stores both, quantised alike, holds one array; quantised apart it holds two."""
    values = 0.02 * generator(0, "embed").standard_normal((VOCABULARY, WIDTH))
    for factor, count in ((1.0, 1), (1.1, 2)):
        content = matrices(1) | {"model.embed_tokens": values, "lm_head": values * factor}
        members: Members = {}
        for name, part in content.items():
            members |= packers.under(name, in_gptq(part))
        folder = packers.write(tmp_path / str(factor), members, tie_word_embeddings=True, **GPTQ)
        found = [matrix.role.slot for matrix in open_checkpoint(folder).matrices()]
        assert len([slot for slot in found if slot in {"embedding", "unembedding"}]) == count


@pytest.mark.parametrize("method", ["GPTQ", "AWQ"])
def test_experts_of_a_list_of_modules(method: str, tmp_path: Path) -> None:
    stem = "model.layers.0.mlp.experts"
    names = {
        **{f"model.layers.0.{slot}": shape for slot, shape in SLOTS.items() if slot.startswith("self")},
        **{f"{stem}.{expert}.{slot}_proj": (64, 32) for expert in range(3) for slot in ("gate", "up")},
        **{f"{stem}.{expert}.down_proj": (32, 64) for expert in range(3)},
    }
    content = {name: 0.02 * generator(0, name).standard_normal(shape) for name, shape in names.items()}
    members: Members = {"model.layers.0.mlp.gate.weight": np.ones((3, 32), np.float16)}
    for name, values in content.items():
        members |= packers.under(name, METHODS[method][0](values))
    checkpoint = open_checkpoint(packers.write(tmp_path, members, **METHODS[method][1] | {"model_type": "qwen3_moe"}))
    found = [(each.expert, each.role.slot) for each in checkpoint.matrices() if each.expert is not None]
    assert sorted(found) == sorted((expert, slot) for expert in range(3) for slot in ("gate", "up", "down"))


def test_a_fused_matrix_is_cut_by_its_rows(tmp_path: Path) -> None:
    """Phi-3 holds q, k and v in one tensor; its rows lie apart in every packed word row."""
    shapes = {"qkv_proj": (96, 32), "o_proj": (32, 32)}
    content = {f"model.layers.0.self_attn.{slot}": np.ones(shape) for slot, shape in shapes.items()}
    content |= {
        "model.layers.0.mlp.gate_up_proj": np.ones((128, 32)),
        "model.layers.0.mlp.down_proj": np.ones((32, 64)),
    }
    content = {name: 0.02 * generator(0, name).standard_normal(values.shape) for name, values in content.items()}
    members: Members = {}
    for name, values in content.items():
        members |= packers.under(name, in_gptq(values))
    sizes = {"num_attention_heads": 4, "num_key_value_heads": 4, "hidden_size": 32, "model_type": "phi3"}
    checkpoint = open_checkpoint(packers.write(tmp_path, members, **GPTQ | sizes))
    whole = {entry.name: checkpoint.read(entry) for entry in checkpoint.entries if not entry.companion}
    found = {matrix.role.slot: matrix for matrix in checkpoint.matrices()}
    assert set(found) == {"q", "k", "v", "o", "gate", "up", "down"}
    assert np.array_equal(found["v"].load(), whole["model.layers.0.self_attn.qkv_proj.weight"][64:])
    assert np.array_equal(found["up"].load((5, 70 - 64 + 9)), whole["model.layers.0.mlp.gate_up_proj.weight"][69:79])


def test_rows_of_a_packed_matrix_are_outputs_also_where_the_family_turns_it(tmp_path: Path) -> None:
    """GPT-2 stores (in, out); a quantiser packs the layer as (out, in), and the pair with the plain model is right."""
    shapes = {"attn.c_attn": (96, 32), "attn.c_proj": (32, 32), "mlp.c_fc": (128, 32), "mlp.c_proj": (32, 128)}
    content = {f"transformer.h.0.{name}": 0.02 * generator(0, name).standard_normal(s) for name, s in shapes.items()}
    members: Members = {}
    for name, values in content.items():
        members |= packers.under(name, in_gptq(values))
    sizes = {"model_type": "gpt2", "n_head": 4, "n_embd": 32}
    model = open_checkpoint(packers.write(tmp_path / "model", members, **GPTQ | sizes))
    base = open_checkpoint(
        packers.write(
            tmp_path / "base", {f"{name}.weight": v.T.astype(np.float32) for name, v in content.items()}, **sizes
        )
    )
    updates = pair(base, model).updates
    assert sorted(update.role.slot for update in updates) == ["down", "k", "o", "q", "up", "v"]
    for update in updates:
        assert np.abs(update.difference()).max() < 0.1 * np.abs(update.before.load()).max()


def test_experts_of_gpt_oss_are_cut_row_by_row(tmp_path: Path) -> None:
    """Gate and up alternate; the plain model holds the transposes, and both give the same matrices."""
    stream = generator(0, "oss")
    blocks = {"gate_up_proj": (2, 64, 1, 16), "down_proj": (2, 32, 1, 16)}
    members: Members = {}
    for slot, shape in blocks.items():
        members[f"model.layers.0.mlp.experts.{slot}_blocks"] = stream.integers(0, 256, shape).astype(np.uint8)
        members[f"model.layers.0.mlp.experts.{slot}_scales"] = stream.integers(120, 124, shape[:-1]).astype(np.uint8)
    members["model.layers.0.mlp.experts.gate_up_proj_bias"] = np.ones((2, 64), np.float32)
    members["model.layers.0.self_attn.sinks"] = np.ones(4, np.float32)
    folder = packers.write(tmp_path / "packed", members, model_type="gpt_oss", hidden_size=32)
    packed = open_checkpoint(folder)
    turned = {
        entry.name: packed.read(entry).transpose(0, 2, 1).astype(np.float32)
        for entry in packed.entries
        if entry.dtype == "MXFP4"
    }
    rest = {name: values for name, values in members.items() if not name.endswith(("_blocks", "_scales"))}
    plainly = open_checkpoint(packers.write(tmp_path / "plain", rest | turned, model_type="gpt_oss", hidden_size=32))
    assert packed.family == plainly.family == "gpt_oss"
    ours = {matrix.identity: matrix for matrix in packed.matrices()}
    theirs = {matrix.identity: matrix for matrix in plainly.matrices()}
    assert len(ours) == 6
    assert ours.keys() == theirs.keys()
    for identity, matrix in ours.items():
        assert np.array_equal(matrix.load(), theirs[identity].load())
        assert np.array_equal(matrix.load((3, 11)), theirs[identity].load((3, 11)))
        assert plane(matrix) is None
    assert packed.parameters == plainly.parameters


def test_a_group_that_is_left_out_does_not_stop_the_others(tmp_path: Path) -> None:
    make, config, _ = METHODS["GPTQ"]
    members = dict(others())
    for name, values in matrices().items():
        members |= packers.under(name, make(values))
    lost = "model.layers.1.mlp.down_proj"
    del members[f"{lost}.qzeros"]
    checkpoint = open_checkpoint(packers.write(tmp_path, members, **config))
    assert checkpoint.family == "llama"
    assert [note for note in checkpoint.notes if note.startswith("quantised")] == [
        "quantised (GPTQ-4): 13 tensors dequantised as they are read",
        "quantised (GPTQ or AWQ): it has no qzeros: 1 group left out whole",
    ]
    assert f"{lost}.weight" not in {entry.name for entry in checkpoint.entries}
    reasons = {item.tensor: item.reason for item in checkpoint.skipped}
    for part in ("qweight", "scales", "g_idx"):
        assert reasons[f"{lost}.{part}"] == "packed group (GPTQ or AWQ): it has no qzeros"
    whole = 2 * sum(rows * columns for rows, columns in SLOTS.values())
    assert checkpoint.block_parameters == whole - HIDDEN * WIDTH + HIDDEN * WIDTH // 8


def test_a_configuration_of_wrong_types_counts_as_absent(tmp_path: Path) -> None:
    values = matrices(1)["model.layers.0.mlp.up_proj"]
    strange: tuple[Any, ...] = (5, [], "gptq", {"quant_method": ["gptq"]}, {"quant_method": "gptq", "bits": True}, None)
    for number, value in enumerate(strange):
        folder = packers.write(tmp_path / str(number), packers.under(packers.STEM, in_gptq(values)))
        (folder / "config.json").write_text(json.dumps({"model_type": "llama", "quantization_config": value}))
        said = {item.reason for item in open_checkpoint(folder).skipped}
        read = isinstance(value, dict) and value.get("quant_method") == "gptq"
        lost = "packed group (GPTQ): no quantization_config says how its zeros are counted"
        assert said == ({"part of a quantised tensor"} if read else {lost})
