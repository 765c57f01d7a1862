"""Cases of decoders with the names of Llama and of its relatives."""

from family_cases import (
    FEW,
    LOCAL,
    MANY,
    ROUTED,
    SIZED,
    UNTIED,
    Case,
    attention,
    experts,
    gated,
    llama,
    router,
    tokens,
)

PLAIN = [
    *("llama", "mistral", "ministral3", "qwen2", "qwen3", "olmo", "olmo2", "olmo3", "stablelm", "granite", "exaone4"),
    "seed_oss",
]
TIED = ["gemma", "gemma2", "gemma3_text", "smollm3", "cohere", "cohere2", "ernie4_5"]
HEADED = {
    "seed_oss",
    "cohere2",
    "ernie4_5",
    "llama",
    "mistral",
    "ministral3",
    "qwen3",
    "gemma",
    "gemma2",
    "gemma3_text",
    "smollm3",
    "exaone4",
}
LATENT = {
    "q_lora_rank": 12,
    "kv_lora_rank": 10,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 6,
}
DEEP = {
    **MANY,
    **LATENT,
    "n_routed_experts": 4,
    "num_experts_per_tok": 1,
    "moe_intermediate_size": 12,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}
LATENT_ATTENTION = """
text 01 - model.layers[L].self_attn:
attention.q_a 12x32 q_a_proj.weight
attention.q_b 48x12 q_b_proj.weight
attention.kv_a 10x32 kv_a_proj_with_mqa.weight[:10]
attention.k_rope 4x32 kv_a_proj_with_mqa.weight[10:]
attention.k_b 32x10 kv_b_proj.weight.view(4, 14, 10)[:, :8].reshape(32, 10)
attention.v_b 24x10 kv_b_proj.weight.view(4, 14, 10)[:, 8:].reshape(24, 10)
attention.o 32x24 o_proj.weight
"""
DENSE_THEN_EXPERTS = (
    gated("model.layers[L].mlp", "0")
    + experts("model.layers[L].mlp.experts", "1", numbers="0123")
    + router("model.layers[L].mlp.gate", "1", 4)
)
STACKED_TURNED = """
text {layers} 012 {root}:
ffn.gate 48x32 gate_up_proj[E][:, :48].T
ffn.up 48x32 gate_up_proj[E][:, 48:].T
ffn.down 32x48 down_proj[E].T
"""
BLOCK_ROOT = "model.layers[L].block_sparse_moe"
LLAMA4 = {**SIZED, **LOCAL, "intermediate_size_mlp": 40, "interleave_moe_layer_step": 2}


def llama4(root: str) -> str:
    return (
        tokens(f"{root}.embed_tokens")
        + attention(f"{root}.layers[L].self_attn")
        + gated(f"{root}.layers[L].feed_forward", "0", 40)
        + gated(f"{root}.layers[L].feed_forward.shared_expert", "1")
        + router(f"{root}.layers[L].feed_forward.router", "1")
        + STACKED_TURNED.format(layers="1", root=f"{root}.layers[L].feed_forward.experts")
    )


def granite_experts() -> str:
    return experts(f"{BLOCK_ROOT}.experts", width=48) + router(f"{BLOCK_ROOT}.router")


GRANITE_SHARED = """
text 01 - model.layers[L].shared_mlp:
ffn.gate 24x32 input_linear.weight[:24]
ffn.up 24x32 input_linear.weight[24:]
ffn.down 32x24 output_linear.weight
"""
MAMBA2_IN_LAYER = """
text {layers} - model.layers[L].mamba:
mixer.z 64x32 in_proj.weight[:64]
mixer.x 64x32 in_proj.weight[64:128]
mixer.state_in 8x32 in_proj.weight[128:136]
mixer.state_out 8x32 in_proj.weight[136:144]
mixer.step 4x32 in_proj.weight[144:]
mixer.projection 32x64 out_proj.weight
other.conv 80x4 conv1d.weight[:, 0]
"""
HYBRID = {
    **FEW,
    **LOCAL,
    "shared_intermediate_size": 24,
    "mamba_n_heads": 4,
    "mamba_d_state": 8,
    "mamba_d_head": 16,
    "mamba_n_groups": 1,
    "layer_types": ["mamba", "attention"],
}
PHI3 = (
    tokens("model.embed_tokens")
    + """
text 01 - model.layers[L]:
attention.q 32x32 self_attn.qkv_proj.weight[:32]
attention.k 16x32 self_attn.qkv_proj.weight[32:48]
attention.v 16x32 self_attn.qkv_proj.weight[48:]
attention.o 32x32 self_attn.o_proj.weight
ffn.gate 48x32 mlp.gate_up_proj.weight[:48]
ffn.up 48x32 mlp.gate_up_proj.weight[48:]
ffn.down 32x48 mlp.down_proj.weight
"""
)
GLM = (
    tokens("model.embed_tokens")
    + attention("model.layers[L].self_attn")
    + """
text 01 - model.layers[L].mlp:
ffn.gate 48x32 gate_up_proj.weight[:48]
ffn.up 48x32 gate_up_proj.weight[48:]
ffn.down 32x48 down_proj.weight
"""
)
PHI = (
    tokens("model.embed_tokens")
    + """
text 01 - model.layers[L]:
attention.q 32x32 self_attn.q_proj.weight
attention.k 32x32 self_attn.k_proj.weight
attention.v 32x32 self_attn.v_proj.weight
attention.o 32x32 self_attn.dense.weight
ffn.up 48x32 mlp.fc1.weight
ffn.down 32x48 mlp.fc2.weight
"""
)
STARCODER2 = (
    tokens("model.embed_tokens")
    + attention("model.layers[L].self_attn")
    + """
text 01 - model.layers[L].mlp:
ffn.up 48x32 c_fc.weight
ffn.down 32x48 c_proj.weight
"""
)
NEMOTRON = (
    tokens("model.embed_tokens")
    + attention("model.layers[L].self_attn")
    + """
text 01 - model.layers[L].mlp:
ffn.up 48x32 up_proj.weight
ffn.down 32x48 down_proj.weight
"""
)
GPT_OSS = (
    tokens("model.embed_tokens")
    + attention("model.layers[L].self_attn")
    + router("model.layers[L].mlp.router")
    + """
text 01 012 model.layers[L].mlp.experts:
ffn.gate 48x32 gate_up_proj[E][:, ::2].T
ffn.up 48x32 gate_up_proj[E][:, 1::2].T
ffn.down 32x48 down_proj[E].T
"""
)
GEMMA3N = (
    tokens("model.embed_tokens")
    + attention("model.layers[L].self_attn", "01234")
    + gated("model.layers[L].mlp", "01234")
    + """
text 01234 - model.layers[L]:
other.extra 2x2 altup.correction_coefs.weight
other.extra 4x2 altup.prediction_coefs.weight
other.router 2x32 altup.modality_router.weight
other.low_rank 4x32 laurel.linear_left.weight
other.low_rank 32x4 laurel.linear_right.weight
other.extra 8x32 per_layer_input_gate.weight
other.extra 32x8 per_layer_projection.weight
text - - model:
embedding.embedding 64x40 embed_tokens_per_layer.weight
other.projection 40x32 per_layer_model_projection.weight
other.projection 32x32 altup_projections[0].weight
other.projection 32x32 altup_unembed_projections[0].weight
"""
)
MIXTURE = (
    tokens("model.embed_tokens")
    + attention("model.layers[L].self_attn")
    + experts("model.layers[L].mlp.experts", width=48)
)
QWEN_MIXTURE = (
    tokens("model.embed_tokens")
    + attention("model.layers[L].self_attn")
    + experts("model.layers[L].mlp.experts")
    + router("model.layers[L].mlp.gate")
)

CASES = [
    *(Case("llama", kind, SIZED if kind in HEADED else FEW, llama("model") + UNTIED) for kind in PLAIN),
    *(Case("llama", kind, SIZED if kind in HEADED else FEW, llama("model")) for kind in TIED),
    Case("llama", "nemotron", SIZED, NEMOTRON + UNTIED),
    Case("llama", "qwen3_moe", {**SIZED, **ROUTED}, QWEN_MIXTURE + UNTIED),
    Case(
        "llama",
        "qwen2_moe",
        {**FEW, **ROUTED, "shared_expert_intermediate_size": 24},
        QWEN_MIXTURE + gated("model.layers[L].mlp.shared_expert", width=24) + UNTIED,
    ),
    Case("llama", "olmoe", {**FEW, **ROUTED}, MIXTURE + router("model.layers[L].mlp.gate") + UNTIED),
    Case(
        "llama",
        "glm4_moe",
        {**SIZED, **{key: DEEP[key] for key in DEEP if key not in {*MANY, *LATENT}}},
        tokens("model.embed_tokens")
        + attention("model.layers[L].self_attn")
        + DENSE_THEN_EXPERTS
        + gated("model.layers[L].mlp.shared_experts", "1", 12)
        + UNTIED,
    ),
    Case("mixtral", "mixtral", {**FEW, **LOCAL}, MIXTURE + router("model.layers[L].mlp.gate") + UNTIED),
    Case("mixtral", "phimoe", {**FEW, **LOCAL}, MIXTURE + router("model.layers[L].mlp.router") + UNTIED),
    Case("phi", "phi", MANY, PHI + UNTIED),
    Case("phi3", "phi3", FEW, PHI3 + UNTIED),
    Case("glm", "glm", SIZED, GLM + UNTIED),
    Case("glm", "glm4", SIZED, GLM + UNTIED),
    Case("starcoder2", "starcoder2", FEW, STARCODER2),
    Case(
        "deepseek",
        "deepseek_v2",
        DEEP,
        tokens("model.embed_tokens")
        + LATENT_ATTENTION
        + DENSE_THEN_EXPERTS
        + gated("model.layers[L].mlp.shared_experts", "1", 24)
        + UNTIED,
    ),
    Case(
        "deepseek",
        "deepseek_v3",
        DEEP,
        tokens("model.embed_tokens")
        + LATENT_ATTENTION
        + DENSE_THEN_EXPERTS
        + gated("model.layers[L].mlp.shared_experts", "1", 12)
        + UNTIED,
    ),
    Case(
        "deepseek",
        "minicpm3",
        {**MANY, **LATENT},
        tokens("model.embed_tokens") + LATENT_ATTENTION + gated("model.layers[L].mlp"),
    ),
    Case("llama4", "llama4_text", LLAMA4, llama4("model") + UNTIED),
    Case("gpt_oss", "gpt_oss", {**SIZED, **LOCAL}, GPT_OSS + UNTIED),
    Case(
        "granite_moe",
        "granitemoe",
        {**FEW, **LOCAL},
        tokens("model.embed_tokens") + attention("model.layers[L].self_attn") + granite_experts() + UNTIED,
    ),
    Case(
        "granite_moe",
        "granitemoeshared",
        {**FEW, **LOCAL, "shared_intermediate_size": 24},
        tokens("model.embed_tokens")
        + attention("model.layers[L].self_attn")
        + granite_experts()
        + GRANITE_SHARED
        + UNTIED,
    ),
    Case(
        "granite_moe",
        "granitemoehybrid",
        HYBRID,
        tokens("model.embed_tokens")
        + attention("model.layers[L].self_attn", "1")
        + MAMBA2_IN_LAYER.format(layers="0")
        + granite_experts()
        + GRANITE_SHARED
        + UNTIED,
    ),
    Case(
        "gemma3n",
        "gemma3n_text",
        {
            **SIZED,
            "num_hidden_layers": 5,
            "hidden_size_per_layer_input": 8,
            "vocab_size_per_layer_input": 64,
            "laurel_rank": 4,
            "num_kv_shared_layers": 0,
            "layer_types": None,
            "altup_num_inputs": 2,
            "activation_sparsity_pattern": None,
        },
        GEMMA3N,
    ),
]
