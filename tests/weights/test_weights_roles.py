"""The role table: names by hand, unknown as a value, and the treatment of every odd tensor."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.fused import RULES
from shadowgraph.weights.roles import BLOCKS, SLOTS, TOWERS, UNKNOWN, families, recognise

LLAMA, GPT2 = (next(family for family in families() if family.name == name) for name in ("llama", "gpt2"))


@pytest.mark.parametrize(
    ("name", "slot", "layer", "expert"),
    [
        ("model.layers.12.self_attn.q_proj.weight", "q", 12, None),
        ("layers.3.mlp.down_proj.weight", "down", 3, None),
        ("model.layers.0.mlp.experts.17.up_proj.weight", "up", 0, 17),
        ("lm_head.weight", "unembedding", None, None),
        ("model.lm_head.weight", "unknown", None, None),
        ("vision_tower.layers.3.self_attn.q_proj.weight", "unknown", None, None),
        ("model.layers.3.self_attn.qkv_proj.weight", "unknown", 3, None),
        ("model.layers.٣.self_attn.q_proj.weight", "unknown", None, None),
        ("model.layers.3.self_attn.q_proj.weight\n", "unknown", 3, None),
        ("", "unknown", None, None),
    ],
)
def test_llama_names(name: str, slot: str, layer: int | None, expert: int | None) -> None:
    place = LLAMA.place(name)
    assert (place.roles[0].slot, place.layer, place.expert) == (slot, layer, expert)


def test_the_table_uses_only_known_words() -> None:
    rows = [row for family in families() for rows in family.rows.values() for row in rows]
    roles = [role for row in rows for role in row.roles]
    assert {role.block for role in roles} <= set(BLOCKS)
    assert {role.slot for role in roles} <= set(SLOTS)
    assert {role.tower for role in roles} <= set(TOWERS)
    assert {row.rule for row in rows} <= set(RULES)
    assert {family.evidence for family in families()} == {"built", "documentation"}
    assert len({family.name for family in families()}) == len(families())


def test_the_family_is_found_from_names_alone() -> None:
    assert recognise(["h.0.attn.c_attn.weight", "wte.weight"]) is GPT2
    assert recognise(["model.layers.0.mlp.up_proj.weight", "wte.weight"]) is LLAMA
    assert recognise(["embed_tokens.weight", "foo"]) is None
    assert recognise([]) is None


def test_every_odd_tensor_has_a_documented_treatment(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    save_file(
        {
            "layers.0.self_attn.q_proj.weight": np.ones((4, 4), dtype=np.float32),
            "layers.0.self_attn.k_proj.weight": np.ones((4, 4), dtype=np.int8),
            "layers.0.self_attn.v_proj.weight": np.ones((1, 4), dtype=np.float32),
            "layers.0.self_attn.o_proj.weight": np.ones((0, 4), dtype=np.float32),
            "layers.0.mlp.experts.gate_up_proj": np.ones((2, 4, 4), dtype=np.float32),
            "layers.0.mlp.experts.down_proj": np.ones((2, 1, 4), dtype=np.float32),
            "layers.0.mlp.cube": np.ones((2, 2, 2), dtype=np.float32),
            "layers.0.mlp.scale": np.ones((1, 1, 2), dtype=np.float32),
            "layers.0.mlp.mystery.weight": np.ones((4, 4), dtype=np.float32),
            "layers.0.self_attn.rotary_emb.inv_freq": np.ones((4, 4), dtype=np.float32),
            "layers.0.mlp.up_proj.weight": np.ones((4, 4), dtype=ml_dtypes.float8_e4m3fn),
            "scale": np.array(1.0, dtype=np.float32),
        },
        path,
    )
    checkpoint = open_checkpoint(path)
    assert {m.tensor: m.role for m in checkpoint.matrices() if m.role == UNKNOWN}.keys() == {
        "layers.0.mlp.mystery.weight"
    }
    assert {item.tensor: item.reason for item in checkpoint.skipped} == {
        "layers.0.self_attn.k_proj.weight": "I8: integer or boolean type",
        "layers.0.self_attn.v_proj.weight": "single row or column",
        "layers.0.self_attn.o_proj.weight": "empty",
        "layers.0.mlp.experts.down_proj": "single row or column",
        "layers.0.mlp.cube": "rank 3, no matrix in this family",
        "layers.0.mlp.scale": "vector (norm or bias)",
        "layers.0.self_attn.rotary_emb.inv_freq": "buffer, no parameter",
        "layers.0.mlp.up_proj.weight": "F8_E4M3: fp8 without scale",
        "scale": "scalar",
    }
    assert len(checkpoint.entries) == len(checkpoint.skipped) + len({m.tensor for m in checkpoint.matrices()})
    assert checkpoint.block_parameters == 16 + 16 + 4 + 0 + 32 + 8 + 8 + 2 + 16 + 16


def test_a_fused_tensor_that_does_not_divide_is_left_out(tmp_path: Path) -> None:
    """The rest of the checkpoint is analysed all the same."""
    path = tmp_path / "odd.safetensors"
    odd, rest = "h.0.attn.c_attn.weight", "h.0.mlp.c_proj.weight"
    save_file({odd: np.ones((4, 13), dtype=np.float32), rest: np.ones((16, 4), dtype=np.float32)}, path)
    checkpoint = open_checkpoint(path)
    assert [matrix.tensor for matrix in checkpoint.matrices()] == [rest]
    assert [(item.tensor, item.reason) for item in checkpoint.skipped] == [
        (odd, "fused, and its 13 outputs do not divide into 3 equal parts")
    ]
