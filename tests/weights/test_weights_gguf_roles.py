"""Roles of llama.cpp's names: every kind of architecture in small, fused matrices split as the keys say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf_models import numbers, write

from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.matrix import WeightMatrix
from shadowgraph.weights.roles import families

pytest.importorskip("gguf")

HEADS = {"attention__head_count": 4, "attention__head_count_kv": 2}


def model(path: Path, architecture: str, shapes: dict[str, tuple[int, ...]], **keys: Any) -> Checkpoint:
    tensors = {name: numbers(*shape, label=name) for name, shape in shapes.items()}
    return open_checkpoint(write(path / "m.gguf", tensors, architecture, **keys))


def cells(checkpoint: Checkpoint) -> dict[str, tuple[str, tuple[int, int]]]:
    return {m.name: (f"{m.role.tower}.{m.role.block}.{m.role.slot}", m.shape) for m in checkpoint.matrices()}


def found(checkpoint: Checkpoint, name: str) -> WeightMatrix:
    return next(m for m in checkpoint.matrices() if m.name == name)


def reasons(checkpoint: Checkpoint) -> dict[str, str]:
    return {item.tensor: item.reason for item in checkpoint.skipped}


def test_queries_keys_and_values_in_one_matrix(tmp_path: Path) -> None:
    shapes = {"blk.0.attn_qkv.weight": (64, 32), "blk.0.attn_output.weight": (32, 32), "blk.0.ffn_up.weight": (48, 32)}
    checkpoint = model(tmp_path, "falcon", shapes, **HEADS)
    assert (checkpoint.family, checkpoint.notes) == ("gguf", ())
    stored = numbers(64, 32, label="blk.0.attn_qkv.weight").astype(np.float64)
    for slot, rows in (("q", slice(0, 32)), ("k", slice(32, 48)), ("v", slice(48, 64))):
        assert np.array_equal(found(checkpoint, f"blk.0.attn_qkv.weight[{slot}]").load(), stored[rows])
    assert cells(checkpoint)["blk.0.ffn_up.weight"] == ("text.ffn.up", (48, 32))


def test_gate_and_up_in_one_matrix(tmp_path: Path) -> None:
    shapes = {"blk.0.attn_output.weight": (32, 32), "blk.0.ffn_up.weight": (96, 32), "blk.0.ffn_down.weight": (32, 48)}
    checkpoint = model(tmp_path, "phi3", shapes, **HEADS)
    assert checkpoint.family == "gguf_gate_up"
    stored = numbers(96, 32, label="blk.0.ffn_up.weight").astype(np.float64)
    assert np.array_equal(found(checkpoint, "blk.0.ffn_up.weight[gate]").load(), stored[:48])
    assert np.array_equal(found(checkpoint, "blk.0.ffn_up.weight[up]").load(), stored[48:])


def test_experts_are_stacked(tmp_path: Path) -> None:
    shapes = {
        "blk.0.ffn_gate_exps.weight": (3, 12, 32),
        "blk.0.ffn_down_exps.weight": (3, 32, 12),
        "blk.0.ffn_up_exps.bias": (3, 12),
        "blk.0.ffn_up_shexp.weight": (12, 32),
        "blk.0.ffn_gate_inp.weight": (3, 32),
        "blk.1.ffn_gate.2.weight": (12, 32),
    }
    checkpoint = model(tmp_path, "gpt-oss", shapes, **HEADS)
    assert checkpoint.family == "gguf"
    assert cells(checkpoint) == {
        **{f"blk.0.ffn_gate_exps.weight[{at}]": ("text.ffn.gate", (12, 32)) for at in range(3)},
        **{f"blk.0.ffn_down_exps.weight[{at}]": ("text.ffn.down", (32, 12)) for at in range(3)},
        "blk.0.ffn_up_shexp.weight": ("text.ffn.up", (12, 32)),
        "blk.0.ffn_gate_inp.weight": ("text.other.router", (3, 32)),
        "blk.1.ffn_gate.2.weight": ("text.ffn.gate", (12, 32)),
    }
    assert found(checkpoint, "blk.0.ffn_gate_exps.weight[2]").expert == 2
    assert found(checkpoint, "blk.1.ffn_gate.2.weight").expert == 2
    stored = numbers(3, 12, 32, label="blk.0.ffn_gate_exps.weight").astype(np.float64)
    assert np.array_equal(found(checkpoint, "blk.0.ffn_gate_exps.weight[1]").load(), stored[1])
    assert reasons(checkpoint) == {"blk.0.ffn_up_exps.bias": "vectors (norm or bias), stacked"}


@pytest.mark.parametrize("lengths", [("", 12, 8), ("_mla", 12, 8)])
def test_attention_through_a_latent(lengths: tuple[str, int, int], tmp_path: Path) -> None:
    end, key, value = lengths
    sizes = {"attention__kv_lora_rank": 10, "rope__dimension_count": 4, "attention__head_count": 2}
    sizes |= {f"attention__key_length{end}": key, f"attention__value_length{end}": value}
    shapes = {
        "blk.0.attn_q_a.weight": (6, 32),
        "blk.0.attn_q_b.weight": (24, 6),
        "blk.0.attn_kv_a_mqa.weight": (14, 32),
        "blk.0.attn_kv_b.weight": (32, 10),
        "blk.1.attn_k_b.weight": (2, 10, 8),
    }
    checkpoint = model(tmp_path, "deepseek2", shapes, **sizes)
    assert checkpoint.family == "gguf"
    assert checkpoint.config["model_type"] == "deepseek_v2"
    assert cells(checkpoint) == {
        "blk.0.attn_q_a.weight": ("text.attention.q_a", (6, 32)),
        "blk.0.attn_q_b.weight": ("text.attention.q_b", (24, 6)),
        "blk.0.attn_kv_a_mqa.weight[kv_a]": ("text.attention.kv_a", (10, 32)),
        "blk.0.attn_kv_a_mqa.weight[k_rope]": ("text.attention.k_rope", (4, 32)),
        "blk.0.attn_kv_b.weight[k_b]": ("text.attention.k_b", (16, 10)),
        "blk.0.attn_kv_b.weight[v_b]": ("text.attention.v_b", (16, 10)),
    }
    assert reasons(checkpoint) == {"blk.1.attn_k_b.weight": "rank 3, its role is a matrix of 2 axes"}


def test_state_spaces_of_both_kinds(tmp_path: Path) -> None:
    common = {"blk.0.ssm_out.weight": (32, 64), "blk.0.ssm_conv1d.weight": (64, 4)}
    first = model(
        tmp_path,
        "mamba",
        {**common, "blk.0.ssm_in.weight": (128, 32), "blk.0.ssm_x.weight": (18, 64), "blk.0.ssm_dt.weight": (64, 2)},
        ssm__state_size=8,
    )
    assert first.family == "gguf_mamba"
    assert cells(first)["blk.0.ssm_x.weight[low_rank]"] == ("text.mixer.low_rank", (2, 64))
    assert cells(first)["blk.0.ssm_in.weight[x]"] == ("text.mixer.x", (64, 32))
    assert cells(first)["blk.0.ssm_conv1d.weight"][0] == "text.other.conv"
    second = model(
        tmp_path,
        "granitehybrid",
        {**common, "blk.0.ssm_in.weight": (148, 32), "blk.1.attn_q.weight": (32, 32), "blk.1.ffn_up.weight": (48, 32)},
        ssm__state_size=8,
        ssm__group_count=1,
        ssm__time_step_rank=4,
    )
    assert second.family == "gguf_mamba2"
    sizes = {name[20:-1]: shape[0] for name, (_, shape) in cells(second).items() if "ssm_in" in name}
    assert sizes == {"z": 64, "x": 64, "state_in": 8, "state_out": 8, "step": 4}
    assert cells(second)["blk.1.attn_q.weight"] == ("text.attention.q", (32, 32))


def test_gated_delta_nets(tmp_path: Path) -> None:
    shapes = {
        "blk.0.attn_qkv.weight": (64, 32),
        "blk.0.attn_gate.weight": (32, 32),
        "blk.0.ssm_ba.weight": (8, 32),
        "blk.0.ssm_out.weight": (32, 32),
        "blk.1.attn_q.weight": (64, 32),
        "blk.1.attn_k.weight": (16, 32),
    }
    ssm = {"ssm__state_size": 8, "ssm__group_count": 2, "ssm__time_step_rank": 4, "ssm__inner_size": 32}
    checkpoint = model(tmp_path, "qwen3next", shapes, **HEADS, **ssm)
    assert checkpoint.family == "gguf_delta"
    assert cells(checkpoint) == {
        "blk.0.attn_qkv.weight[q]": ("text.mixer.q", (16, 32)),
        "blk.0.attn_qkv.weight[k]": ("text.mixer.k", (16, 32)),
        "blk.0.attn_qkv.weight[v]": ("text.mixer.v", (32, 32)),
        "blk.0.attn_gate.weight": ("text.mixer.z", (32, 32)),
        "blk.0.ssm_ba.weight[beta]": ("text.mixer.beta", (4, 32)),
        "blk.0.ssm_ba.weight[decay]": ("text.mixer.decay", (4, 32)),
        "blk.0.ssm_out.weight": ("text.mixer.o", (32, 32)),
        "blk.1.attn_q.weight[q]": ("text.attention.q", (32, 32)),
        "blk.1.attn_q.weight[z]": ("text.attention.z", (32, 32)),
        "blk.1.attn_k.weight": ("text.attention.k", (16, 32)),
    }


def test_encoder_and_decoder(tmp_path: Path) -> None:
    shapes = {
        "enc.blk.0.attn_q.weight": (32, 32),
        "enc.blk.0.attn_o.weight": (32, 32),
        "dec.blk.0.cross_attn_k.weight": (32, 32),
        "dec.blk.0.ffn_gate.weight": (48, 32),
        "dec.blk.0.attn_rel_b.weight": (4, 32),
        "token_embd.weight": (64, 32),
    }
    checkpoint = model(tmp_path, "t5", shapes, block_count=1, decoder_block_count=1)
    assert (checkpoint.family, checkpoint.notes) == ("gguf", ())
    assert {name: role for name, (role, _) in cells(checkpoint).items()} == {
        "enc.blk.0.attn_q.weight": "encoder.attention.q",
        "enc.blk.0.attn_o.weight": "encoder.attention.o",
        "dec.blk.0.cross_attn_k.weight": "text.cross_attention.k",
        "dec.blk.0.ffn_gate.weight": "text.ffn.gate",
        "dec.blk.0.attn_rel_b.weight": "text.other.relative",
        "token_embd.weight": "text.embedding.embedding",
    }
    assert found(checkpoint, "enc.blk.0.attn_q.weight").layer == 0


TOWER = {
    "v.patch_embd.weight": (32, 3, 2, 2),
    "v.position_embd.weight": (5, 32),
    "v.blk.0.attn_q.weight": (32, 32),
    "v.blk.0.attn_out.weight": (32, 32),
    "v.blk.0.ffn_up.weight": (48, 32),
    "v.blk.0.ffn_down.weight": (32, 48),
    "mm.0.weight": (24, 32),
    "mm.model.mlp.2.weight": (24, 24),
}


def test_a_tower_alone_is_read(tmp_path: Path) -> None:
    checkpoint = model(tmp_path, "clip", TOWER, vision__block_count=1, vision__embedding_length=32)
    assert (checkpoint.family, checkpoint.notes) == ("gguf", ())
    assert checkpoint.config == {"vision_config": {"num_hidden_layers": 1, "hidden_size": 32}}
    assert cells(checkpoint) == {
        "v.patch_embd.weight": ("vision.other.patch", (32, 12)),
        "v.position_embd.weight": ("vision.other.position", (5, 32)),
        "v.blk.0.attn_q.weight": ("vision.attention.q", (32, 32)),
        "v.blk.0.attn_out.weight": ("vision.attention.o", (32, 32)),
        "v.blk.0.ffn_up.weight": ("vision.ffn.up", (48, 32)),
        "v.blk.0.ffn_down.weight": ("vision.ffn.down", (32, 48)),
        "mm.0.weight": ("projector.projector.projection", (24, 32)),
        "mm.model.mlp.2.weight": ("projector.projector.projection", (24, 24)),
    }


def test_a_tower_of_old_has_its_feed_forward_names_the_other_way_round(tmp_path: Path) -> None:
    turned = TOWER | {"v.blk.0.ffn_up.weight": (32, 48), "v.blk.0.ffn_down.weight": (48, 32)}
    checkpoint = model(tmp_path, "clip", turned)
    assert checkpoint.family == "gguf_legacy_vision"
    assert cells(checkpoint)["v.blk.0.ffn_down.weight"] == ("vision.ffn.up", (48, 32))
    assert cells(checkpoint)["v.blk.0.attn_q.weight"] == ("vision.attention.q", (32, 32))


def test_an_architecture_of_no_row_is_read_by_the_names_and_says_so(tmp_path: Path) -> None:
    checkpoint = model(tmp_path, "brand-new", {"blk.0.attn_q.weight": (32, 32), "blk.0.mystery.weight": (32, 32)})
    assert checkpoint.family == "gguf"
    assert "model type 'brand_new' is read by the names of the family gguf" in checkpoint.notes
    assert cells(checkpoint)["blk.0.mystery.weight"][0] == "text.unknown.unknown"


def test_every_block_matrix_of_the_library_has_a_role() -> None:
    """Names of attention and feed-forward matrices, in every part of a model that llama.cpp knows."""
    from gguf.constants import MODEL_TENSOR, TENSOR_NAMES

    ours = [family for family in families() if family.name.startswith("gguf")]
    left: list[str] = []
    for kind in MODEL_TENSOR:
        name = TENSOR_NAMES[kind].format(bid=3, xid=1) + ".weight"
        plain = "norm" not in name and any(part in name for part in ("attn_", "ffn_", "time_mix_key", "ssm_in"))
        if plain and all(family.place(name).roles[0].slot == "unknown" for family in ours):
            left.append(name)
    vectors = ("sinks", "rot_embd", "gate_inp_shexp", "scale")
    assert [name for name in left if "posnet" not in name and not any(word in name for word in vectors)] == []


def test_no_model_type_is_of_two_families() -> None:
    types = [model for family in families() if family.name.startswith("gguf") for model in family.models]
    assert len(types) == len(set(types))
