"""Cases of language models that see."""

from typing import Any

from family_cases import (
    FEW,
    LOCAL,
    ROUTED,
    SIZED,
    UNTIED,
    VISION,
    Case,
    attention,
    clip_vision,
    experts,
    gated,
    llama,
    pooling_head,
    router,
    tokens,
)
from family_decoders import llama4
from family_recurrent import DELTA, qwen3_5
from family_towers import PIXTRAL

ROPE = {"rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4}}


TEXT = "model.language_model"


TOWER = "model.vision_tower"


QWEN_TOWER: dict[str, Any] = {"depth": 2, "hidden_size": 32, "num_heads": 4, "patch_size": 4}


QWEN3_TOWER = {
    **QWEN_TOWER,
    "out_hidden_size": 32,
    "intermediate_size": 48,
    "num_position_embeddings": 16,
    "deepstack_visual_indexes": [0],
}


TWO_LINEAR = """
projector - - model.multi_modal_projector:
projector.projection 32x{wide} linear_1.weight
projector.projection 32x32 linear_2.weight
"""


INTERN_VISION = """
vision 01 - model.vision_tower.encoder.layer[L]:
attention.q 32x32 attention.q_proj.weight
attention.k 32x32 attention.k_proj.weight
attention.v 32x32 attention.v_proj.weight
attention.o 32x32 attention.projection_layer.weight
ffn.up 48x32 mlp.fc1.weight
ffn.down 32x48 mlp.fc2.weight
vision - - model.vision_tower.embeddings:
other.patch 32x192 patch_embeddings.projection.weight.reshape(32, 192)
other.position 5x32 position_embeddings[0]
"""


QWEN_VISION = """
vision 01 - model.visual.blocks[L].attn:
attention.q 32x32 qkv.weight[:32]
attention.k 32x32 qkv.weight[32:64]
attention.v 32x32 qkv.weight[64:]
attention.o 32x32 proj.weight
vision - - model.visual.patch_embed:
other.patch 32x96 proj.weight.reshape(32, 96)
"""


QWEN2_MERGER = """
projector - - model.visual.merger:
projector.projection 128x128 mlp[0].weight
projector.projection 32x128 mlp[2].weight
"""


QWEN2_VISION = (
    QWEN_VISION
    + QWEN2_MERGER
    + """
vision 01 - model.visual.blocks[L].mlp:
ffn.up 64x32 fc1.weight
ffn.down 32x64 fc2.weight
"""
)


QWEN3_VISION = (
    QWEN_VISION
    + """
vision 01 - model.visual.blocks[L].mlp:
ffn.up 48x32 linear_fc1.weight
ffn.down 32x48 linear_fc2.weight
vision - - model.visual.pos_embed:
other.position 16x32 weight
projector - - model.visual:
projector.projection 128x128 merger.linear_fc1.weight
projector.projection 32x128 merger.linear_fc2.weight
projector.projection 128x128 deepstack_merger_list[0].linear_fc1.weight
projector.projection 32x128 deepstack_merger_list[0].linear_fc2.weight
"""
)


CONNECTOR = """
projector - - model.connector.modality_projection:
projector.projection 32x32 proj.weight
"""


RESAMPLER = (
    attention("model.connector.perceiver_resampler.layers[L].self_attn", tower="projector")
    + """
projector 01 - model.connector.perceiver_resampler.layers[L].mlp:
ffn.gate 128x32 gate_proj.weight
ffn.up 128x32 up_proj.weight
ffn.down 32x128 down_proj.weight
projector - - model.connector:
projector.position 4x32 perceiver_resampler.latents
projector.gate 48x32 modality_projection.gate_proj.weight
projector.up 48x32 modality_projection.up_proj.weight
projector.down 32x48 modality_projection.down_proj.weight
"""
)


def plain_layers(root: str, layers: str = "01", width: int = 48) -> str:
    return (
        attention(f"{root}[L].self_attn", layers, keys=32, tower="vision")
        + f"""
vision {layers} - {root}[L].mlp:
ffn.up {width}x32 fc1.weight
ffn.down 32x{width} fc2.weight
"""
    )


MLLAMA = (
    tokens(f"{TEXT}.embed_tokens").replace("64x32", "72x32")
    + attention(f"{TEXT}.layers[L].self_attn", "0")
    + attention(f"{TEXT}.layers[L].cross_attn", "1", block="cross_attention")
    + gated(f"{TEXT}.layers[L].mlp")
    + plain_layers("model.vision_model.transformer.layers")
    + plain_layers("model.vision_model.global_transformer.layers", "0")
    + """
vision - - model.vision_model:
other.patch 32x192 patch_embedding.weight.reshape(32, 192)
other.position 5x32 gated_positional_embedding.embedding
other.position 4x320 gated_positional_embedding.tile_embedding.weight
other.position 4x64 pre_tile_positional_embedding.embedding.weight
other.position 4x64 post_tile_positional_embedding.embedding.weight
projector - - model.multi_modal_projector:
projector.projection 32x64 weight
"""
)


LLAMA4 = (
    llama4("language_model.model")
    + UNTIED.replace("lm_head", "language_model.lm_head")
    + plain_layers("vision_model.model.layers", width=128)
    + """
vision - - vision_model:
other.patch 32x192 patch_embedding.linear.weight
other.position 5x32 positional_embedding_vlm
projector.projection 24x128 vision_adapter.mlp.fc1.weight
projector.projection 24x24 vision_adapter.mlp.fc2.weight
projector - - multi_modal_projector:
projector.projection 32x24 linear_1.weight
"""
)


MINICPM = (
    qwen3_5(TEXT)
    + clip_vision(TOWER)
    + """
vision - - model.vision_tower.vit_merger:
projector.projection 192x128 linear_1.weight
projector.projection 32x192 linear_2.weight
projector.q 32x32 self_attn.q_proj.weight
projector.k 32x32 self_attn.k_proj.weight
projector.v 32x32 self_attn.v_proj.weight
projector.o 32x32 self_attn.out_proj.weight
projector - - model.merger.mlp[0]:
projector.projection 128x128 linear_1.weight
projector.projection 32x128 linear_2.weight
"""
)


IDEFICS = llama("model.text_model") + clip_vision("model.vision_model") + UNTIED


LLAVA = llama(TEXT) + TWO_LINEAR.format(wide=32)


CLIP_TOWER = {**VISION, "model_type": "clip_vision_model"}


SIGLIP_TOWER = {**VISION, "model_type": "siglip_vision_model"}


PIXTRAL_TOWER = {**VISION, "head_dim": 8, "model_type": "pixtral"}


def typed(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "model_type": kind}


CASES = [
    *(
        Case(
            "llava",
            kind,
            {"text_config": typed("llama", SIZED), "vision_config": CLIP_TOWER},
            LLAVA + clip_vision(TOWER, 5) + UNTIED,
        )
        for kind in ("llava", "llava_next")
    ),
    Case(
        "llava",
        "llava",
        {"text_config": typed("mistral", SIZED), "vision_config": PIXTRAL_TOWER},
        LLAVA + PIXTRAL.format(root=TOWER) + UNTIED,
        "pixtral",
    ),
    Case(
        "llava",
        "llava_onevision",
        {"text_config": typed("qwen2", FEW), "vision_config": SIGLIP_TOWER},
        LLAVA + clip_vision(TOWER) + pooling_head(TOWER) + UNTIED,
    ),
    Case(
        "llava",
        "paligemma",
        {
            "text_config": typed("gemma", SIZED),
            "vision_config": {**SIGLIP_TOWER, "projection_dim": 32},
            "projection_dim": 32,
        },
        llama(TEXT)
        + clip_vision(TOWER)
        + pooling_head(TOWER)
        + """
projector - - model.multi_modal_projector:
projector.projection 32x32 linear.weight
""",
    ),
    Case(
        "llava",
        "gemma3",
        {"text_config": SIZED, "vision_config": SIGLIP_TOWER, "mm_tokens_per_image": 4},
        llama(TEXT)
        + clip_vision(TOWER)
        + pooling_head(TOWER)
        + """
projector - - model.multi_modal_projector:
projector.projection 32x32 mm_input_projection_weight.T
""",
    ),
    Case(
        "llava",
        "internvl",
        {"text_config": typed("qwen2", FEW), "vision_config": {**VISION, "image_size": [16, 16], "patch_size": [8, 8]}},
        llama(TEXT) + INTERN_VISION + TWO_LINEAR.format(wide=128),
    ),
    Case(
        "llava",
        "mistral3",
        {"text_config": typed("mistral", SIZED), "vision_config": PIXTRAL_TOWER},
        LLAVA
        + PIXTRAL.format(root=TOWER)
        + """
projector - - model.multi_modal_projector.patch_merger:
projector.projection 32x128 merging_layer.weight
""",
    ),
    Case(
        "qwen_vl",
        "qwen2_vl",
        {"text_config": {**FEW, **ROPE}, "vision_config": {**QWEN_TOWER, "embed_dim": 32, "mlp_ratio": 2}},
        llama(TEXT) + QWEN2_VISION + UNTIED,
    ),
    Case(
        "qwen_vl",
        "qwen2_5_vl",
        {
            "text_config": {**FEW, **ROPE},
            "vision_config": {**QWEN_TOWER, "out_hidden_size": 32, "intermediate_size": 48},
        },
        llama(TEXT) + QWEN_VISION + QWEN2_MERGER + gated("model.visual.blocks[L].mlp", tower="vision") + UNTIED,
    ),
    Case(
        "qwen_vl",
        "qwen3_vl",
        {"text_config": {**SIZED, **ROPE}, "vision_config": QWEN3_TOWER},
        llama(TEXT) + QWEN3_VISION + UNTIED,
    ),
    Case(
        "qwen_vl",
        "qwen3_vl_moe",
        {
            "text_config": {**SIZED, **ROPE, **ROUTED},
            "vision_config": QWEN3_TOWER,
        },
        tokens(f"{TEXT}.embed_tokens")
        + attention(f"{TEXT}.layers[L].self_attn")
        + experts(f"{TEXT}.layers[L].mlp.experts")
        + router(f"{TEXT}.layers[L].mlp.gate")
        + QWEN3_VISION
        + UNTIED,
    ),
    *(
        Case(
            "idefics",
            kind,
            {"text_config": typed("llama", SIZED), "vision_config": VISION, "scale_factor": 1},
            IDEFICS + CONNECTOR,
        )
        for kind in ("idefics3", "smolvlm")
    ),
    Case(
        "idefics",
        "idefics2",
        {
            "text_config": typed("mistral", SIZED),
            "vision_config": VISION,
            "perceiver_config": {
                "hidden_size": 32,
                "resampler_n_latents": 4,
                "resampler_depth": 2,
                "resampler_n_heads": 4,
                "num_key_value_heads": 2,
                "resampler_head_dim": 8,
            },
        },
        IDEFICS + RESAMPLER,
    ),
    Case(
        "mllama",
        "mllama",
        {
            "text_config": {
                **FEW,
                "cross_attention_layers": [1],
                "rope_parameters": {"rope_type": "default", "rope_theta": 1e4},
            },
            "vision_config": {
                "hidden_size": 32,
                "attention_heads": 4,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_global_layers": 1,
                "image_size": 16,
                "patch_size": 8,
                "intermediate_layers_indices": [0],
                "vision_output_dim": 64,
                "max_num_tiles": 2,
                "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
            },
        },
        MLLAMA + UNTIED,
    ),
    Case(
        "llama4_vision",
        "llama4",
        {
            "text_config": {**SIZED, **LOCAL, "intermediate_size_mlp": 40, "interleave_moe_layer_step": 2},
            "vision_config": {
                **VISION,
                "intermediate_size": 128,
                "vision_output_dim": 24,
                "projector_input_dim": 24,
                "projector_output_dim": 24,
                "pixel_shuffle_ratio": 0.5,
            },
        },
        LLAMA4,
    ),
    Case(
        "minicpm_v",
        "minicpmv4_6",
        {"text_config": typed("qwen3_5_text", DELTA), "vision_config": VISION, "insert_layer_id": 0},
        MINICPM + UNTIED,
    ),
]
