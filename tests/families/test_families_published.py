"""Families that are not built here: their published names, and by hand what each must be."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint

Array = NDArray[np.float32]
GROUPS = {"num_attention_heads": 4, "multi_query_attention": True, "multi_query_group_num": 2}
OLMO = {"model_type": "hf_olmo", "n_heads": 4, "multi_query_attention": False}
PHI4 = {"model_type": "phi4mm", "num_attention_heads": 4, "num_key_value_heads": 2, "auto_map": {"AutoModel": "x.y"}}
EXTEND = "model.embed_tokens_extend."

# family, configuration, and lines `name shape -> tower block.slot[ block.slot …] layer expert`, "-" for no index
PUBLISHED: list[tuple[str, dict[str, Any] | None, str]] = [
    (
        "chatglm",
        {"model_type": "chatglm", **GROUPS},
        """
transformer.embedding.word_embeddings.weight 64x32 -> text embedding.embedding - -
transformer.encoder.layers.3.self_attention.query_key_value.weight 64x32 -> text attention.q,attention.k,attention.v 3 -
transformer.encoder.layers.3.self_attention.dense.weight 32x32 -> text attention.o 3 -
transformer.encoder.layers.3.mlp.dense_h_to_4h.weight 96x32 -> text ffn.gate,ffn.up 3 -
transformer.encoder.layers.3.mlp.dense_4h_to_h.weight 32x48 -> text ffn.down 3 -
transformer.output_layer.weight 64x32 -> text unembedding.unembedding - -
transformer.vision.transformer.layers.1.mlp.fc1.weight 48x32 -> vision ffn.up 1 -
transformer.vision.transformer.layers.1.attention.dense.weight 32x32 -> vision attention.o 1 -
transformer.vision.linear_proj.dense_h_to_4h.weight 48x32 -> projector projector.up - -
transformer.vision.conv.weight 32x8x2x2 -> vision other.conv - -
""",
    ),
    (
        "chatglm_6b",
        {"model_type": "chatglm", "num_attention_heads": 4},
        """
transformer.word_embeddings.weight 64x32 -> text embedding.embedding - -
transformer.layers.0.attention.query_key_value.weight 96x32 -> text attention.q,attention.k,attention.v 0 -
transformer.layers.0.mlp.dense_h_to_4h.weight 128x32 -> text ffn.up 0 -
lm_head.weight 64x32 -> text unembedding.unembedding - -
""",
    ),
    (
        "olmo_original",
        OLMO,
        """
model.transformer.wte.weight 64x32 -> text embedding.embedding - -
model.transformer.ff_out.weight 64x32 -> text unembedding.unembedding - -
model.transformer.blocks.2.att_proj.weight 96x32 -> text attention.q,attention.k,attention.v 2 -
model.transformer.blocks.2.attn_out.weight 32x32 -> text attention.o 2 -
model.transformer.blocks.2.ff_proj.weight 96x32 -> text ffn.up,ffn.gate 2 -
model.transformer.blocks.2.ff_out.weight 32x48 -> text ffn.down 2 -
""",
    ),
    (
        "qwen",
        {"model_type": "qwen"},
        """
transformer.wte.weight 64x32 -> text embedding.embedding - -
transformer.h.0.attn.c_attn.weight 96x32 -> text attention.q,attention.k,attention.v 0 -
transformer.h.0.attn.c_proj.weight 32x32 -> text attention.o 0 -
transformer.h.0.mlp.w1.weight 48x32 -> text ffn.up 0 -
transformer.h.0.mlp.w2.weight 48x32 -> text ffn.gate 0 -
transformer.h.0.mlp.c_proj.weight 32x48 -> text ffn.down 0 -
""",
    ),
    (
        "baichuan",
        None,
        """
model.layers.0.self_attn.W_pack.weight 96x32 -> text attention.q,attention.k,attention.v 0 -
model.layers.0.mlp.up_proj.weight 48x32 -> text ffn.up 0 -
""",
    ),
    (
        "consolidated",
        None,
        """
tok_embeddings.weight 64x32 -> text embedding.embedding - -
output.weight 64x32 -> text unembedding.unembedding - -
layers.0.attention.wk.weight 16x32 -> text attention.k 0 -
layers.0.feed_forward.w3.weight 48x32 -> text ffn.up 0 -
layers.1.feed_forward.experts.7.w1.weight 48x32 -> text ffn.gate 1 7
vision_encoder.transformer.layers.1.attention.wo.weight 32x32 -> vision attention.o 1 -
vision_language_adapter.w_in.weight 32x32 -> projector projector.projection - -
""",
    ),
    (
        "internlm2",
        {"num_attention_heads": 4, "num_key_value_heads": 2},
        """
layers.0.attention.wqkv.weight 64x32 -> text attention.q,attention.k,attention.v 0 -
layers.0.feed_forward.w1.weight 48x32 -> text ffn.gate 0 -
tok_embeddings.weight 64x32 -> text embedding.embedding - -
""",
    ),
    (
        "rwkv5",
        {"model_type": "rwkv6"},
        """
rwkv.embeddings.weight 64x32 -> text embedding.embedding - -
rwkv.blocks.0.attention.gate.weight 32x32 -> text mixer.z 0 -
rwkv.blocks.0.attention.receptance.weight 32x32 -> text mixer.receptance 0 -
rwkv.blocks.0.attention.time_maa_w1 32x20 -> text other.low_rank 0 -
rwkv.blocks.0.attention.time_faaaa 4x8 -> text other.state 0 -
rwkv.blocks.0.feed_forward.key.weight 48x32 -> text ffn.up 0 -
head.weight 64x32 -> text unembedding.unembedding - -
""",
    ),
    (
        "rwkv7",
        {"model_type": "rwkv7"},
        """
model.embeddings.weight 64x32 -> text embedding.embedding - -
model.layers.4.attn.r_proj.weight 32x32 -> text mixer.receptance 4 -
model.layers.4.attn.w_lora.lora.0.weight 8x32 -> text other.low_rank 4 -
model.layers.4.ffn.value.weight 32x48 -> text ffn.down 4 -
lm_head.weight 64x32 -> text unembedding.unembedding - -
""",
    ),
    (
        "rwkv_original",
        None,
        """
emb.weight 64x32 -> text embedding.embedding - -
head.weight 64x32 -> text unembedding.unembedding - -
blocks.0.att.output.weight 32x32 -> text mixer.o 0 -
blocks.0.att.a1 32x8 -> text other.low_rank 0 -
blocks.0.att.r_k 4x8 -> text other.state 0 -
blocks.0.ffn.key.weight 48x32 -> text ffn.up 0 -
""",
    ),
    (
        "phi4mm",
        PHI4,
        f"""
model.layers.0.self_attn.qkv_proj.base_layer.weight 64x32 -> text attention.q,attention.k,attention.v 0 -
model.layers.0.mlp.gate_up_proj.base_layer.weight 96x32 -> text ffn.gate,ffn.up 0 -
{EXTEND}image_embed.img_processor.encoder.layers.1.self_attn.out_proj.weight 32x32 -> vision attention.o 1 -
{EXTEND}image_embed.img_projection.2.weight 32x32 -> projector projector.projection - -
{EXTEND}audio_embed.encoder.encoders.1.self_attn.linear_out.weight 32x32 -> audio attention.o 1 -
{EXTEND}audio_embed.encoder.encoders.1.feed_forward_in.net.0.linear.weight 96x32 -> audio ffn.up,ffn.gate 1 -
{EXTEND}audio_embed.audio_projection.speech.0.weight 32x32 -> projector projector.projection - -
""",
    ),
    (
        "llava_original",
        {"model_type": "llava_llama"},
        """
model.layers.0.self_attn.q_proj.weight 32x32 -> text attention.q 0 -
model.mm_projector.2.weight 32x32 -> projector projector.projection - -
model.vision_tower.vision_tower.vision_model.encoder.layers.1.mlp.fc2.weight 32x48 -> vision ffn.down 1 -
lm_head.weight 64x32 -> text unembedding.unembedding - -
""",
    ),
    (
        "gpt_oss_vision",
        {"model_type": "internvl_chat", "llm_config": {"hidden_size": 32}},
        """
language_model.model.layers.0.self_attn.q_proj.weight 32x32 -> text attention.q 0 -
language_model.model.layers.0.mlp.router.weight 3x32 -> text other.router 0 -
language_model.model.layers.0.mlp.experts.gate_up_proj 1x32x96 -> text ffn.gate,ffn.up 0 0
language_model.model.layers.0.mlp.experts.down_proj 1x48x32 -> text ffn.down 0 0
vision_model.encoder.layers.1.attn.proj.weight 32x32 -> vision attention.o 1 -
mlp1.3.weight 32x32 -> projector projector.projection - -
""",
    ),
    (
        "minicpm_v_original",
        {"model_type": "minicpmv"},
        """
llm.model.layers.0.mlp.up_proj.weight 48x32 -> text ffn.up 0 -
vpm.blocks.1.attn.qkv.weight 96x32 -> vision attention.q,attention.k,attention.v 1 -
vpm.pos_embed 1x9x32 -> vision other.position - -
apm.layers.1.self_attn.out_proj.weight 32x32 -> audio attention.o 1 -
audio_projection_layer.linear1.weight 32x32 -> projector projector.projection - -
resampler.kv_proj.weight 32x48 -> projector projector.projection - -
""",
    ),
    (
        "gemma3n_multimodal",
        {"model_type": "gemma3n"},
        """
model.language_model.layers.0.laurel.linear_left.weight 4x32 -> text other.low_rank 0 -
model.language_model.layers.0.self_attn.q_proj.weight 32x32 -> text attention.q 0 -
model.vision_tower.timm_model.blocks.3.2.attn.query.proj.weight 32x32x1x1 -> vision attention.q 2 -
model.vision_tower.timm_model.blocks.0.1.conv_exp.weight 16x8x3x3 -> vision other.conv 1 -
model.vision_tower.timm_model.unheard_of.weight 8x8 -> vision unknown.unknown - -
model.embed_vision.embedding_projection.weight 32x16 -> vision projector.projection - -
model.embed_audio.embedding.weight 64x16 -> audio other.extra - -
""",
    ),
]


def stored(folder: Path, tensors: dict[str, Array], config: dict[str, Any] | None) -> Checkpoint:
    save_file(tensors, folder / "model.safetensors")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return open_checkpoint(folder)


def numbers(*shape: int, label: str = "") -> Array:
    return generator(0, "published", label, str(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("family", "config", "plan"), PUBLISHED, ids=[name for name, _, _ in PUBLISHED])
def test_published_names_have_their_roles(
    family: str, config: dict[str, Any] | None, plan: str, tmp_path: Path
) -> None:
    tensors: dict[str, Array] = {}
    expected: list[tuple[str, str, str, str, str]] = []
    for line in filter(None, plan.splitlines()):
        stored_as, meaning = line.split(" -> ")
        name, shape = stored_as.split()
        tensors[name] = numbers(*map(int, shape.split("x")))
        tower, roles, layer, expert = meaning.split()
        expected.extend((name, tower, role, layer, expert) for role in roles.split(","))
    checkpoint = stored(tmp_path, tensors, config)
    assert checkpoint.family == family
    assert checkpoint.skipped == ()
    assert sorted(
        (
            m.tensor,
            m.role.tower,
            f"{m.role.block}.{m.role.slot}",
            *("-" if i is None else str(i) for i in (m.layer, m.expert)),
        )
        for m in checkpoint.matrices()
    ) == sorted(expected)


def parts(checkpoint: Checkpoint) -> dict[str, NDArray[np.float64]]:
    return {m.role.slot: m.load() for m in checkpoint.matrices()}


def test_olmo_stores_up_before_gate_and_all_queries_first(tmp_path: Path) -> None:
    """The published block: q, k, v by their sizes; then `x, gate = halves; silu(gate) · x`."""
    heads, unit = numbers(64, 32, label="heads"), numbers(96, 32, label="unit")
    names = {"transformer.blocks.0.att_proj.weight": heads, "transformer.blocks.0.ff_proj.weight": unit}
    found = parts(stored(tmp_path, names, {**OLMO, "n_kv_heads": 2}))
    assert np.array_equal(found["q"], heads[:32])
    assert np.array_equal(found["v"], heads[48:])
    assert np.array_equal(found["up"], unit[:48])
    assert np.array_equal(found["gate"], unit[48:])


@pytest.mark.parametrize(("grouped", "rows"), [(True, 64), (False, 96)])
def test_chatglm_is_cut_by_its_groups(grouped: bool, rows: int, tmp_path: Path) -> None:
    """The published code: sizes q, k, v one after another with groups of queries, else q, k, v of every head."""
    fused = numbers(rows, 32)
    name = "transformer.encoder.layers.0.self_attention.query_key_value.weight"
    found = parts(stored(tmp_path, {name: fused}, {**GROUPS, "multi_query_attention": grouped}))
    by_head = fused.reshape(4, -1, 8, 32)
    assert np.array_equal(found["q"], fused[:32] if grouped else by_head[:, 0].reshape(32, 32))
    assert np.array_equal(found["v"], fused[48:] if grouped else by_head[:, 2].reshape(32, 32))


def test_gemma3n_hears_through_the_live_encoder(tmp_path: Path) -> None:
    """Its audio tower can be built alone; every matrix of it has a role and its live values."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    module = transformers.models.gemma3n.modeling_gemma3n.Gemma3nAudioEncoder(
        transformers.Gemma3nAudioConfig(
            hidden_size=16, conf_num_hidden_layers=2, conf_num_attention_heads=2, input_feat_size=8
        )
    )
    live = {f"model.audio_tower.{name}": value.numpy() for name, value in module.state_dict().items()}
    checkpoint = stored(tmp_path, live, {"model_type": "gemma3n"})
    assert checkpoint.family == "gemma3n_multimodal"
    matrices = list(checkpoint.matrices())
    assert {m.role.tower for m in matrices} == {"audio"}
    assert not [m.tensor for m in matrices if m.role.block == "unknown"]
    assert [m.layer for m in matrices if m.role.slot == "q"] == [0, 1]
    assert sum(m.role.is_block_linear for m in matrices) == 2 * (4 + 4)
    for matrix in matrices:
        assert np.array_equal(matrix.load(), live[matrix.tensor].reshape(matrix.shape).astype(np.float64))
    assert torch.is_tensor(next(module.parameters()))
