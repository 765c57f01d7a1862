"""Cases of models that see or hear, with towers of their own."""

from typing import Any

from family_cases import (
    ROUTED,
    SIZED,
    UNTIED,
    VISION,
    Case,
    attention,
    clip_vision,
    experts,
    gated,
    pooling_head,
    router,
    tokens,
)
from family_decoders import GLM, PHI3
from family_recurrent import DELTA, gated_attention, qwen3_5
from family_vision_language import QWEN3_TOWER, QWEN3_VISION, ROPE, TEXT, typed

EMBED = "model.embed_tokens_extend"
EARS = f"{EMBED}.audio_embed.encoder"
PHI4 = (
    PHI3
    + clip_vision(f"{EMBED}.image_embed.img_processor")
    + pooling_head(f"{EMBED}.image_embed.img_processor")
    + "".join(
        f"""
audio 01 - {EARS}.encoders[L].feed_forward_{side}:
ffn.up 48x32 gate_up_proj.weight[:48]
ffn.gate 48x32 gate_up_proj.weight[48:]
ffn.down 32x48 down_proj.weight
"""
        for side in ("in", "out")
    )
    + attention(f"{EARS}.encoders[L].self_attn", keys=32, tower="audio")
    + f"""
audio 01 - {EARS}.encoders[L].conv:
other.conv 64x32 glu.ext_pw_conv_1d.weight[:, :, 0]
other.conv 32x3 dw_sep_conv_1d.dw_conv.weight[:, 0]
other.conv 32x32 dw_sep_conv_1d.pw_conv.weight[:, :, 0]
other.conv 32x32 ext_pw_conv_1d.weight[:, :, 0]
audio - - {EARS}:
other.conv 32x9 embed.conv[0].weight.reshape(32, 9)
other.conv 32x9 embed.conv[2].weight.reshape(32, 9)
other.conv 32x32 embed.conv[3].weight.reshape(32, 32)
other.projection 32x64 embed.out.weight
other.relative 20x4 relative_attention_bias_layer.bias_values.weight
projector - - {EMBED}:
projector.projection 32x32 image_embed.img_projection_up.weight
projector.projection 32x32 image_embed.img_projection_down.weight
projector.projection 32x32 audio_embed.up_proj_for_speech.weight
projector.projection 32x32 audio_embed.down_proj_for_speech.weight
projector.projection 32x32 audio_embed.up_proj_for_vision_speech.weight
projector.projection 32x32 audio_embed.down_proj_for_vision_speech.weight
"""
)
EAR_CONFIG = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_blocks": 2,
    "num_attention_heads": 4,
    "ext_pw_out_channel": 32,
    "depthwise_separable_out_channel": 32,
    "nemo_conv_channels": 32,
    "time_reduction": 4,
    "bias_max_distance": 10,
    "bias_symmetric": False,
    "input_size": 8,
}

GLM_EYES = (
    """
vision 01 - model.visual.blocks[L].attn:
attention.q 32x32 qkv.weight[:32]
attention.k 32x32 qkv.weight[32:64]
attention.v 32x32 qkv.weight[64:]
attention.o 32x32 proj.weight
"""
    + gated("model.visual.blocks[L].mlp", width=32, tower="vision")
    + """
vision - - model.visual:
other.patch 32x96 patch_embed.proj.weight.reshape(32, 96)
other.position 16x32 embeddings.position_embedding.weight
other.conv 32x128 downsample.weight.reshape(32, 128)
projector - - model.visual.merger:
projector.projection 32x32 proj.weight
projector.gate 48x32 gate_proj.weight
projector.up 48x32 up_proj.weight
projector.down 32x48 down_proj.weight
"""
)
GLM_TOWER: dict[str, Any] = {
    "depth": 2,
    "hidden_size": 32,
    "num_heads": 4,
    "patch_size": 4,
    "image_size": 16,
    "out_hidden_size": 32,
    "intermediate_size": 48,
}
GLM_TEXT = GLM.replace("model.", f"{TEXT}.")
GLM_MIXTURE = (
    tokens(f"{TEXT}.embed_tokens")
    + attention(f"{TEXT}.layers[L].self_attn")
    + gated(f"{TEXT}.layers[L].mlp", "0")
    + experts(f"{TEXT}.layers[L].mlp.experts", "1", numbers="0123")
    + router(f"{TEXT}.layers[L].mlp.gate", "1", 4)
    + gated(f"{TEXT}.layers[L].mlp.shared_experts", "1", 12)
)
FEW_EXPERTS = {
    "n_routed_experts": 4,
    "num_experts_per_tok": 1,
    "moe_intermediate_size": 12,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}
QWEN_MIXTURE = (
    tokens(f"{TEXT}.embed_tokens")
    + gated_attention(TEXT)
    + f"""
text 0 - {TEXT}.layers[L].linear_attn:
mixer.q 16x32 in_proj_qkv.weight[:16]
mixer.k 16x32 in_proj_qkv.weight[16:32]
mixer.v 24x32 in_proj_qkv.weight[32:]
mixer.z 24x32 in_proj_z.weight
mixer.beta 4x32 in_proj_b.weight
mixer.decay 4x32 in_proj_a.weight
"""
    + experts(f"{TEXT}.layers[L].mlp.experts")
    + router(f"{TEXT}.layers[L].mlp.gate")
    + gated(f"{TEXT}.layers[L].mlp.shared_expert", width=24)
)
QWEN_EYES = "\n".join(line for line in QWEN3_VISION.splitlines() if "deepstack" not in line) + "\n"

ARIA_TEXT = {**SIZED, "moe_num_experts": 3, "moe_topk": 1, "moe_num_shared_experts": 1}
ARIA = """
text 01 012 model.language_model.layers[L].mlp.experts:
ffn.gate 48x32 gate_up_proj[E].T[:48]
ffn.up 48x32 gate_up_proj[E].T[48:]
ffn.down 32x48 down_proj[E].T
projector - - model.multi_modal_projector:
projector.position 2x32 query
projector.q 32x32 cross_attn.q_proj.weight
projector.k 32x32 cross_attn.k_proj.weight
projector.v 32x32 cross_attn.v_proj.weight
projector.q 32x32 cross_attn.multihead_attn.in_proj_weight[:32]
projector.k 32x32 cross_attn.multihead_attn.in_proj_weight[32:64]
projector.v 32x32 cross_attn.multihead_attn.in_proj_weight[64:]
projector.o 32x32 cross_attn.multihead_attn.out_proj.weight
projector.projection 32x32 cross_attn.linear.weight
projector.up 32x32 feed_forward.linear_in.weight
projector.down 32x32 feed_forward.linear_out.weight
"""


CASES = [
    Case(
        "phi4_multimodal",
        "phi4_multimodal",
        {
            **SIZED,
            "vision_config": {**VISION, "crop_size": 16, "image_size": 16},
            "audio_config": EAR_CONFIG,
        },
        PHI4 + UNTIED,
    ),
    *(
        Case(
            "glm_vision",
            kind,
            {"text_config": typed("glm4v_text", {**SIZED, **ROPE}), "vision_config": typed("glm4v_vision", GLM_TOWER)},
            GLM_TEXT + GLM_EYES + UNTIED,
        )
        for kind in ("glm4v", "glm46v")
    ),
    Case(
        "glm_vision",
        "glm4v_moe",
        {"text_config": {**SIZED, **ROPE, **FEW_EXPERTS}, "vision_config": GLM_TOWER},
        GLM_MIXTURE + GLM_EYES + UNTIED,
    ),
    Case(
        "qwen3_5",
        "qwen3_5",
        {"text_config": DELTA, "vision_config": QWEN3_TOWER},
        qwen3_5(TEXT) + QWEN_EYES + UNTIED,
    ),
    Case(
        "qwen3_5",
        "qwen3_5_moe",
        {
            "text_config": {**DELTA, **ROUTED, "shared_expert_intermediate_size": 24},
            "vision_config": QWEN3_TOWER,
        },
        QWEN_MIXTURE + QWEN_EYES + UNTIED,
    ),
    Case(
        "aria",
        "aria",
        {
            "text_config": typed(
                "aria_text", {**SIZED, "moe_num_experts": 3, "moe_topk": 1, "moe_num_shared_experts": 1}
            ),
            "vision_config": typed("idefics3_vision", VISION),
            "projector_patch_to_query_dict": {4: 2},
            "tie_word_embeddings": False,
        },
        ARIA
        + tokens("model.language_model.embed_tokens")
        + attention("model.language_model.layers[L].self_attn")
        + gated("model.language_model.layers[L].mlp.shared_experts")
        + router("model.language_model.layers[L].mlp.router")
        + clip_vision("model.vision_tower")
        + UNTIED,
    ),
]
