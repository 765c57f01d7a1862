"""Cases of recurrent models and hybrids."""

from family_cases import FEW, ROUTED, SIZED, TOKENS, UNTIED, Case, attention, experts, gated, router, tokens
from family_decoders import MAMBA2_IN_LAYER

STATE = {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8, "expand": 2, **TOKENS}


MAMBA = """
text - - backbone.embeddings:
embedding.embedding 64x32 weight
text 01 - backbone.layers[L].mixer:
mixer.x 64x32 in_proj.weight[:64]
mixer.z 64x32 in_proj.weight[64:]
mixer.low_rank 4x64 x_proj.weight[:4]
mixer.state_in 8x64 x_proj.weight[4:12]
mixer.state_out 8x64 x_proj.weight[12:]
mixer.step 64x4 dt_proj.weight
mixer.projection 32x64 out_proj.weight
other.conv 64x4 conv1d.weight[:, 0]
other.state 64x8 A_log
"""


MAMBA2 = """
text - - backbone.embeddings:
embedding.embedding 64x32 weight
text 01 - backbone.layers[L].mixer:
mixer.z 64x32 in_proj.weight[:64]
mixer.x 64x32 in_proj.weight[64:128]
mixer.state_in 16x32 in_proj.weight[128:144]
mixer.state_out 16x32 in_proj.weight[144:160]
mixer.step 4x32 in_proj.weight[160:]
mixer.projection 32x64 out_proj.weight
other.conv 96x4 conv1d.weight[:, 0]
"""


RWKV = """
text - - -:
embedding.embedding 64x32 rwkv.embeddings.weight
unembedding.unembedding 64x32 head.weight
text 01 - rwkv.blocks[L].attention:
mixer.receptance 32x32 receptance.weight
mixer.k 32x32 key.weight
mixer.v 32x32 value.weight
mixer.o 32x32 output.weight
text 01 - rwkv.blocks[L].feed_forward:
ffn.gate 32x32 receptance.weight
ffn.up 48x32 key.weight
ffn.down 32x48 value.weight
"""


DELTA = {
    **SIZED,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 6,
    "layer_types": ["linear_attention", "full_attention"],
}


QKVZ = "in_proj_qkvz.weight.view(2, 40, 32)"


def gated_attention(root: str) -> str:
    return f"""
text 1 - {root}.layers[L].self_attn:
attention.q 32x32 q_proj.weight.view(4, 2, 8, 32)[:, 0].reshape(32, 32)
attention.z 32x32 q_proj.weight.view(4, 2, 8, 32)[:, 1].reshape(32, 32)
attention.k 16x32 k_proj.weight
attention.v 16x32 v_proj.weight
attention.o 32x32 o_proj.weight
text 0 - {root}.layers[L].linear_attn:
mixer.o 32x24 out_proj.weight
other.conv 56x4 conv1d.weight[:, 0]
"""


def qwen3_5(root: str) -> str:
    return (
        tokens(f"{root}.embed_tokens")
        + gated_attention(root)
        + f"""
text 0 - {root}.layers[L].linear_attn:
mixer.q 16x32 in_proj_qkv.weight[:16]
mixer.k 16x32 in_proj_qkv.weight[16:32]
mixer.v 24x32 in_proj_qkv.weight[32:]
mixer.z 24x32 in_proj_z.weight
mixer.beta 4x32 in_proj_b.weight
mixer.decay 4x32 in_proj_a.weight
"""
        + gated(f"{root}.layers[L].mlp")
    )


QWEN3_NEXT = (
    tokens("model.embed_tokens")
    + gated_attention("model")
    + f"""
text 0 - model.layers[L].linear_attn:
mixer.q 16x32 {QKVZ}[:, :8].reshape(16, 32)
mixer.k 16x32 {QKVZ}[:, 8:16].reshape(16, 32)
mixer.v 24x32 {QKVZ}[:, 16:28].reshape(24, 32)
mixer.z 24x32 {QKVZ}[:, 28:].reshape(24, 32)
mixer.beta 4x32 in_proj_ba.weight.view(2, 4, 32)[:, :2].reshape(4, 32)
mixer.decay 4x32 in_proj_ba.weight.view(2, 4, 32)[:, 2:].reshape(4, 32)
"""
    + experts("model.layers[L].mlp.experts")
    + router("model.layers[L].mlp.gate")
    + gated("model.layers[L].mlp.shared_expert", width=24)
)


FALCON_H1 = (
    tokens("model.embed_tokens")
    + attention("model.layers[L].self_attn")
    + gated("model.layers[L].feed_forward")
    + MAMBA2_IN_LAYER.format(layers="01")
)


JAMBA = (
    tokens("model.embed_tokens")
    + attention("model.layers[L].self_attn", layers="1")
    + gated("model.layers[L].feed_forward", layers="0")
    + experts("model.layers[L].feed_forward.experts", layers="1", width=48)
    + router("model.layers[L].feed_forward.router", layers="1")
    + """
text 0 - model.layers[L].mamba:
mixer.x 64x32 in_proj.weight[:64]
mixer.z 64x32 in_proj.weight[64:]
mixer.low_rank 2x64 x_proj.weight[:2]
mixer.state_in 8x64 x_proj.weight[2:10]
mixer.state_out 8x64 x_proj.weight[10:]
mixer.step 64x2 dt_proj.weight
mixer.projection 32x64 out_proj.weight
other.conv 64x4 conv1d.weight[:, 0]
other.state 64x8 A_log
"""
)


NEMOTRON_H = (
    attention("model.layers[L].mixer", layers="1")
    + router("model.layers[L].mixer.gate", layers="2")
    + """
text - - model.embeddings:
embedding.embedding 64x32 weight
text 0 - model.layers[L].mixer:
mixer.z 64x32 in_proj.weight[:64]
mixer.x 64x32 in_proj.weight[64:128]
mixer.state_in 16x32 in_proj.weight[128:144]
mixer.state_out 16x32 in_proj.weight[144:160]
mixer.step 4x32 in_proj.weight[160:]
mixer.projection 32x64 out_proj.weight
other.conv 96x4 conv1d.weight[:, 0]
text 2 - model.layers[L].mixer.shared_experts:
ffn.up 12x32 up_proj.weight
ffn.down 32x12 down_proj.weight
text 2 012 model.layers[L].mixer.experts:
ffn.up 12x32 up_proj[E]
ffn.down 32x12 down_proj[E]
"""
)


LFM2 = (
    tokens("model.embed_tokens")
    + """
text 0 - model.layers[L].conv:
mixer.state_in 32x32 in_proj.weight[:32]
mixer.state_out 32x32 in_proj.weight[32:64]
mixer.x 32x32 in_proj.weight[64:]
mixer.projection 32x32 out_proj.weight
other.conv 32x3 conv.weight[:, 0]
text 1 - model.layers[L].self_attn:
attention.q 32x32 q_proj.weight
attention.k 16x32 k_proj.weight
attention.v 16x32 v_proj.weight
attention.o 32x32 out_proj.weight
"""
)
LFM2_FFN = """
text {layers} - model.layers[L].feed_forward:
ffn.gate 48x32 w1.weight
ffn.up 48x32 w3.weight
ffn.down 32x48 w2.weight
"""
CONVOLVED = {**FEW, "layer_types": ["conv", "full_attention"], "block_auto_adjust_ff_dim": False}


CASES = [
    Case("mamba", "mamba", {**STATE, "time_step_rank": 4}, MAMBA),
    Case("mamba", "falcon_mamba", {**STATE, "time_step_rank": 4}, MAMBA),
    Case("mamba2", "mamba2", {**STATE, "num_heads": 4, "head_dim": 16, "n_groups": 2}, MAMBA2 + UNTIED),
    Case(
        "falcon_h1",
        "falcon_h1",
        {
            **SIZED,
            "mamba_d_ssm": 64,
            "mamba_n_heads": 4,
            "mamba_d_head": 16,
            "mamba_n_groups": 1,
            "mamba_d_state": 8,
        },
        FALCON_H1 + UNTIED,
    ),
    Case(
        "qwen3_next",
        "qwen3_next",
        {**DELTA, **ROUTED, "shared_expert_intermediate_size": 24},
        QWEN3_NEXT + UNTIED,
    ),
    Case("qwen3_next", "qwen3_5_text", DELTA, qwen3_5("model") + UNTIED),
    Case(
        "rwkv",
        "rwkv",
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "attention_hidden_size": 32,
            "intermediate_size": 48,
            "context_length": 16,
            **TOKENS,
        },
        RWKV,
    ),
    Case(
        "jamba",
        "jamba",
        {
            **FEW,
            **ROUTED,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "expert_layer_period": 2,
            "expert_layer_offset": 1,
            "mamba_d_state": 8,
            "use_mamba_kernels": False,
        },
        JAMBA + UNTIED,
    ),
    Case(
        "nemotron_h",
        "nemotron_h",
        {
            **SIZED,
            "layers_block_type": ["mamba", "attention", "moe"],
            "num_hidden_layers": 3,
            "mamba_num_heads": 4,
            "mamba_head_dim": 16,
            "ssm_state_size": 8,
            "n_groups": 2,
            "n_routed_experts": 3,
            "num_experts_per_tok": 1,
            "moe_intermediate_size": 12,
            "moe_shared_expert_intermediate_size": 12,
            "n_group": 1,
            "topk_group": 1,
        },
        NEMOTRON_H + UNTIED,
    ),
    Case("lfm2", "lfm2", CONVOLVED, LFM2 + LFM2_FFN.format(layers="01")),
    Case(
        "lfm2",
        "lfm2_moe",
        {**CONVOLVED, **ROUTED, "num_dense_layers": 1},
        LFM2
        + LFM2_FFN.format(layers="0")
        + experts("model.layers[L].feed_forward.experts", layers="1")
        + router("model.layers[L].feed_forward.gate", layers="1"),
    ),
]
