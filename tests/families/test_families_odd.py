"""Families without a built model, layouts that two writers store differently, and names that fit nowhere."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.fused import RULES, Cut, cut
from shadowgraph.weights.roles import Family, families, recognise

Array = NDArray[np.float32]
FAMILIES: dict[str, Family] = {family.name: family for family in families()}


def numbers(*shape: int, label: str = "") -> Array:
    return generator(0, "odd", label, str(shape)).standard_normal(shape).astype(np.float32)


def stored(folder: Path, tensors: dict[str, Array], config: dict[str, Any] | None = None) -> Checkpoint:
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return open_checkpoint(folder)


def rows_of(checkpoint: Checkpoint) -> dict[tuple[str, str], tuple[str, str, int | None, int | None, tuple[int, int]]]:
    return {
        (m.tensor, m.part): (m.role.tower, f"{m.role.block}.{m.role.slot}", m.layer, m.expert, m.shape)
        for m in checkpoint.matrices()
    }


def test_internlm2_is_cut_by_key_head(tmp_path: Path) -> None:
    """The layout "(h gs d)" of the published code: for each key head its queries, then the key, then the value."""
    fused = numbers(2 * 4 * 8, 32)
    names = {"model.layers.5.attention.wqkv.weight": fused, "model.layers.5.feed_forward.w2.weight": numbers(32, 48)}
    config = {"model_type": "internlm2", "num_attention_heads": 4, "num_key_value_heads": 2}
    checkpoint = stored(tmp_path, names, config)
    assert checkpoint.family == "internlm2"
    assert checkpoint.notes == ("the layers are not numbered 0 to 0",)
    found = {m.role.slot: m.load() for m in checkpoint.matrices()}
    heads = fused.reshape(2, 4, 8, 32)
    assert np.array_equal(found["q"], heads[:, :2].reshape(32, 32))
    assert np.array_equal(found["k"], heads[:, 2].reshape(16, 32))
    assert np.array_equal(found["v"], heads[:, 3].reshape(16, 32))


def test_internvl_of_its_own_code(tmp_path: Path) -> None:
    tensors = {
        "language_model.model.layers.0.attention.wqkv.weight": numbers(64, 32),
        "language_model.model.tok_embeddings.weight": numbers(64, 32),
        "language_model.output.weight": numbers(64, 32),
        "vision_model.embeddings.patch_embedding.weight": numbers(32, 3, 4, 4),
        "vision_model.embeddings.position_embedding": numbers(1, 5, 32),
        "vision_model.encoder.layers.1.attn.qkv.weight": numbers(96, 32),
        "mlp1.1.weight": numbers(32, 128),
        "mlp1.3.weight": numbers(32, 32),
    }
    config = {
        "model_type": "internvl_chat",
        "llm_config": {"num_attention_heads": 4, "num_key_value_heads": 2},
        "vision_config": {"num_attention_heads": 16},
    }
    checkpoint = stored(tmp_path, tensors, config)
    assert checkpoint.family == "internvl_original"
    text, eye = "language_model.model.", "vision_model."
    assert rows_of(checkpoint) == {
        (f"{text}layers.0.attention.wqkv.weight", "q"): ("text", "attention.q", 0, None, (32, 32)),
        (f"{text}layers.0.attention.wqkv.weight", "k"): ("text", "attention.k", 0, None, (16, 32)),
        (f"{text}layers.0.attention.wqkv.weight", "v"): ("text", "attention.v", 0, None, (16, 32)),
        (f"{text}tok_embeddings.weight", ""): ("text", "embedding.embedding", None, None, (64, 32)),
        ("language_model.output.weight", ""): ("text", "unembedding.unembedding", None, None, (64, 32)),
        (f"{eye}embeddings.patch_embedding.weight", ""): ("vision", "other.patch", None, None, (32, 48)),
        (f"{eye}embeddings.position_embedding", ""): ("vision", "other.position", None, None, (5, 32)),
        (f"{eye}encoder.layers.1.attn.qkv.weight", "q"): ("vision", "attention.q", 1, None, (32, 32)),
        (f"{eye}encoder.layers.1.attn.qkv.weight", "k"): ("vision", "attention.k", 1, None, (32, 32)),
        (f"{eye}encoder.layers.1.attn.qkv.weight", "v"): ("vision", "attention.v", 1, None, (32, 32)),
        ("mlp1.1.weight", ""): ("projector", "projector.projection", None, None, (32, 128)),
        ("mlp1.3.weight", ""): ("projector", "projector.projection", None, None, (32, 32)),
    }


def test_minicpm_v_of_its_own_code(tmp_path: Path) -> None:
    tensors = {
        "llm.model.layers.0.self_attn.q_proj.weight": numbers(32, 32),
        "llm.lm_head.weight": numbers(64, 32),
        "vpm.encoder.layers.2.mlp.fc1.weight": numbers(48, 32),
        "resampler.attn.in_proj_weight": numbers(96, 32),
        "resampler.proj": numbers(32, 24),
        "resampler.query": numbers(16, 32),
    }
    checkpoint = stored(tmp_path, tensors)
    assert checkpoint.family == "minicpm_v_original"
    found = rows_of(checkpoint)
    assert found["vpm.encoder.layers.2.mlp.fc1.weight", ""] == ("vision", "ffn.up", 2, None, (48, 32))
    assert found["resampler.attn.in_proj_weight", "v"] == ("projector", "projector.v", None, None, (32, 32))
    assert found["resampler.proj", ""] == ("projector", "projector.projection", None, None, (24, 32))
    assert found["llm.lm_head.weight", ""][1] == "unembedding.unembedding"


@pytest.mark.parametrize("turned", [False, True])
def test_experts_stored_either_way_round_are_the_same_matrices(turned: bool, tmp_path: Path) -> None:
    """Qwen3-VL-MoE is published as (experts, in, out) and saved again by others as (experts, out, in)."""
    up, down = numbers(3, 24, 32, label="up"), numbers(3, 32, 12, label="down")
    tensors = {
        "model.language_model.layers.0.mlp.experts.gate_up_proj": np.ascontiguousarray(np.swapaxes(up, 1, 2))
        if turned
        else up,
        "model.language_model.layers.0.mlp.experts.down_proj": np.ascontiguousarray(np.swapaxes(down, 1, 2))
        if turned
        else down,
        "visual.blocks.0.attn.proj.weight": numbers(32, 32),
    }
    checkpoint = stored(tmp_path, tensors, {"model_type": "qwen3_vl_moe", "text_config": {"hidden_size": 32}})
    found = {(m.role.slot, m.expert): m for m in checkpoint.matrices() if m.role.tower == "text"}
    assert np.array_equal(found["gate", 2].load(), up[2, :12])
    assert np.array_equal(found["up", 1].load(), up[1, 12:])
    assert np.array_equal(found["down", 0].load(), down[0])
    assert found["gate", 2].name.endswith("gate_up_proj[2,gate]")


@pytest.mark.parametrize("config", [None, {"num_attention_heads": 5}, {"num_attention_heads": "4"}, {"n_head": -4}])
def test_a_cut_that_needs_the_heads_is_left_out_without_them(config: dict[str, Any] | None, tmp_path: Path) -> None:
    name = "gpt_neox.layers.0.attention.query_key_value.weight"
    tensors = {name: numbers(96, 32), "gpt_neox.layers.0.mlp.dense_h_to_4h.weight": numbers(48, 32)}
    checkpoint = stored(tmp_path, tensors, config)
    assert [m.role.slot for m in checkpoint.matrices()] == ["up"]
    reason = "fused, and the rule 'heads' does not fit its 96 outputs with the sizes in config.json"
    if config is None:
        reason = "fused, and without a config.json nothing says how its 96 outputs divide"
    assert [(item.tensor, item.reason) for item in checkpoint.skipped] == [(name, reason)]


def test_every_prefix_of_a_mount_gives_one_key() -> None:
    llava = FAMILIES["llava"]
    rest = "encoder.layers.3.mlp.fc1.weight"
    prefixes = [
        "vision_tower.",
        "vision_tower.vision_model.",
        "model.vision_tower.",
        "model.vision_tower.vision_model.",
    ]
    places = [llava.place(prefix + rest) for prefix in prefixes]
    assert {(place.key, place.layer, place.roles[0].tower) for place in places} == {
        ("vision_tower." + rest, 3, "vision")
    }
    text = ["language_model.model.layers.7.mlp.up_proj.weight", "model.language_model.layers.7.mlp.up_proj.weight"]
    assert len({llava.place(name).key for name in text}) == 1


def test_a_name_has_one_meaning_in_its_family() -> None:
    """Where two rows fit one name, because a part overrides what it extends, they agree on the tower and the key."""
    for family in families():
        for template, rows in family.rows.items():
            for fixed in {row.fixed for row in rows}:
                same = [row for row in rows if row.fixed == fixed]
                towers = {role.tower for row in same for role in row.roles}
                assert len(towers) <= 1, (family, template)
                assert len({row.key for row in same}) == 1, (family, template)


def test_an_unknown_matrix_keeps_its_tower_and_layer() -> None:
    place = FAMILIES["qwen_vl"].place("visual.blocks.4.attn.mystery.weight")
    assert (place.roles[0].block, place.roles[0].tower, place.layer) == ("unknown", "vision", 4)
    place = FAMILIES["qwen_vl"].place("thinker.mystery.weight")
    assert (place.roles[0].block, place.roles[0].tower, place.layer) == ("unknown", "unknown", None)


def test_the_model_type_decides_only_between_equals() -> None:
    plain = ["model.layers.0.mlp.up_proj.weight"]
    assert recognise(plain) is FAMILIES["llama"]
    assert recognise(plain, {"model_type": "deepseek_v3"}) is FAMILIES["deepseek"]
    assert recognise(plain, {"model_type": ["deepseek_v3"]}) is FAMILIES["llama"]
    assert (
        recognise([*plain, "model.layers.0.self_attn.q_a_proj.weight"], {"model_type": "llama"}) is FAMILIES["deepseek"]
    )
    assert recognise(["x.y"], {"model_type": "llama"}) is None


def test_tied_follows_the_nearest_word() -> None:
    gemma, llama = FAMILIES["gemma3n"], FAMILIES["llama"]
    assert gemma.is_tied({})
    assert not llama.is_tied({})
    assert llama.is_tied({"model_type": "gemma2"})
    assert not llama.is_tied({"model_type": "qwen2"})
    assert not gemma.is_tied({"tie_word_embeddings": False, "text_config": {"tie_word_embeddings": True}})
    assert llama.is_tied({"text_config": {"tie_word_embeddings": True}})


HEADED = {
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "kv_lora_rank": 6,
    "qk_rope_head_dim": 2,
    "qk_nope_head_dim": 3,
    "v_head_dim": 5,
    "state_size": 2,
    "n_groups": 2,
    "num_heads": 4,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 3,
    "linear_value_head_dim": 2,
}
LENGTHS = {"latent": 8, "unfolded": 32, "selection": 9, "mamba2": 24, "delta": 28, "delta_flat": 20, "falcon": 12}


@pytest.mark.parametrize("rule", RULES)
def test_parts_cover_every_row_once(rule: str) -> None:
    rows, parts = LENGTHS.get(rule, 48), {"mamba2": 5, "delta": 4}.get(rule, 3)
    parts = 2 if rule in {"latent", "unfolded", "delta_step", "gated_query", "alternate"} else parts
    layout = cut(rule, rows, parts, HEADED)
    assert layout is not None
    assert len(layout.sizes) == parts
    marked = np.arange(rows, dtype=np.float64)[:, None]
    taken = [layout.take(marked, part)[:, 0] for part in range(parts)]
    assert sorted(np.concatenate(taken)) == list(range(rows))
    assert [len(rows) for rows in taken] == [layout.rows(part) for part in range(parts)]
    assert all(np.all(np.diff(values) > 0) for values in taken)
    assert cut(rule, rows + 1, parts, {}) is None or rule == "selection"


@given(st.integers(1, 5), st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_the_span_of_a_part_is_the_part(groups: int, sizes: list[int]) -> None:
    layout = Cut(groups, tuple(sizes))
    values = np.arange(groups * sum(sizes), dtype=np.float64)[:, None]
    for part in range(len(sizes)):
        span = layout.span(part)
        assert (span is None) == (groups > 1)
        if span is not None:
            assert np.array_equal(values[span[0] : span[1]], layout.take(values, part))


def test_a_hundred_thousand_names_are_recognised_quickly() -> None:
    """About .6 s on one core; the limit is there to catch a lookup that grows with the table."""
    names = [
        f"model.layers.{layer}.mlp.experts.{expert}.{slot}_proj.weight"
        for layer in range(130)
        for expert in range(256)
        for slot in ("gate", "up", "down")
    ]
    started = time.perf_counter()
    family = recognise(names)
    assert family is not None
    assert {family.place(name).expert for name in names} == set(range(256))
    assert time.perf_counter() - started < 3
