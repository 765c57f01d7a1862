"""Cases of decoders older than Llama."""

from family_cases import MANY, TOKENS, UNTIED, Case

GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 16, **TOKENS}


GPT2 = """
text - - transformer:
embedding.embedding 64x32 wte.weight
other.position 16x32 wpe.weight
text 01 - transformer.h[L]:
attention.q 32x32 attn.c_attn.weight[:, :32].T
attention.k 32x32 attn.c_attn.weight[:, 32:64].T
attention.v 32x32 attn.c_attn.weight[:, 64:].T
attention.o 32x32 attn.c_proj.weight.T
ffn.up 128x32 mlp.c_fc.weight.T
ffn.down 32x128 mlp.c_proj.weight.T
"""


BIGCODE = """
text - - transformer:
embedding.embedding 64x32 wte.weight
other.position 16x32 wpe.weight
text 01 - transformer.h[L]:
attention.q 32x32 attn.c_attn.weight[:32]
attention.k 8x32 attn.c_attn.weight[32:40]
attention.v 8x32 attn.c_attn.weight[40:]
attention.o 32x32 attn.c_proj.weight
ffn.up 128x32 mlp.c_fc.weight
ffn.down 32x128 mlp.c_proj.weight
"""


GPT_NEO = """
text - - transformer:
embedding.embedding 64x32 wte.weight
other.position 16x32 wpe.weight
text 01 - transformer.h[L]:
attention.q 32x32 attn.attention.q_proj.weight
attention.k 32x32 attn.attention.k_proj.weight
attention.v 32x32 attn.attention.v_proj.weight
attention.o 32x32 attn.attention.out_proj.weight
ffn.up 128x32 mlp.c_fc.weight
ffn.down 32x128 mlp.c_proj.weight
"""


GPTJ = """
text - - transformer:
embedding.embedding 64x32 wte.weight
text 01 - transformer.h[L]:
attention.q 32x32 attn.q_proj.weight
attention.k 32x32 attn.k_proj.weight
attention.v 32x32 attn.v_proj.weight
attention.o 32x32 attn.out_proj.weight
ffn.up 128x32 mlp.fc_in.weight
ffn.down 32x128 mlp.fc_out.weight
"""


INTERLEAVED = """
attention.q 32x32 {name}.view(4, 3, 8, 32)[:, 0].reshape(32, 32)
attention.k 32x32 {name}.view(4, 3, 8, 32)[:, 1].reshape(32, 32)
attention.v 32x32 {name}.view(4, 3, 8, 32)[:, 2].reshape(32, 32)
"""


NEOX = """
text - - -:
embedding.embedding 64x32 gpt_neox.embed_in.weight
unembedding.unembedding 64x32 lm_head.weight
text 01 - gpt_neox.layers[L]:
attention.o 32x32 attention.dense.weight
ffn.up 48x32 mlp.dense_h_to_4h.weight
ffn.down 32x48 mlp.dense_4h_to_h.weight
""" + INTERLEAVED.format(name="attention.query_key_value.weight")


BLOOM = """
text - - transformer:
embedding.embedding 64x32 word_embeddings.weight
text 01 - transformer.h[L]:
attention.o 32x32 self_attention.dense.weight
ffn.up 128x32 mlp.dense_h_to_4h.weight
ffn.down 32x128 mlp.dense_4h_to_h.weight
"""


FUSED = "self_attention.query_key_value.weight"


BY_HEAD = INTERLEAVED.format(name=FUSED)


ONE_KEY = f"""
attention.q 32x32 {FUSED}[:32]
attention.k 8x32 {FUSED}[32:40]
attention.v 8x32 {FUSED}[40:]
"""


BY_KEY = f"""
attention.q 32x32 {FUSED}.view(2, 4, 8, 32)[:, :2].reshape(32, 32)
attention.k 16x32 {FUSED}.view(2, 4, 8, 32)[:, 2].reshape(16, 32)
attention.v 16x32 {FUSED}.view(2, 4, 8, 32)[:, 3].reshape(16, 32)
"""


MPT = """
text - - transformer:
embedding.embedding 64x32 wte.weight
text 01 - transformer.blocks[L]:
attention.q 32x32 attn.Wqkv.weight[:32]
attention.k 32x32 attn.Wqkv.weight[32:64]
attention.v 32x32 attn.Wqkv.weight[64:]
attention.o 32x32 attn.out_proj.weight
ffn.up 128x32 ffn.up_proj.weight
ffn.down 32x128 ffn.down_proj.weight
"""


OPT_LAYERS = """
{tower} 01 - model.{stack}.layers[L]:
attention.q 32x32 self_attn.q_proj.weight
attention.k 32x32 self_attn.k_proj.weight
attention.v 32x32 self_attn.v_proj.weight
attention.o 32x32 self_attn.out_proj.weight
ffn.up 48x32 fc1.weight
ffn.down 32x48 fc2.weight
{tower} - - model.{stack}:
other.position 18x32 embed_positions.weight
"""


OPT = (
    OPT_LAYERS.format(tower="text", stack="decoder")
    + """
text - - model.decoder:
embedding.embedding 64x16 embed_tokens.weight
other.projection 32x16 project_in.weight
other.projection 16x32 project_out.weight
"""
)


FALCON = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, **TOKENS}


CASES = [
    Case("gpt2", "gpt2", GPT, GPT2),
    Case("gpt_bigcode", "gpt_bigcode", GPT, BIGCODE),
    Case(
        "gpt_neo",
        "gpt_neo",
        {
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "max_position_embeddings": 16,
            **TOKENS,
        },
        GPT_NEO,
    ),
    Case("gptj", "gptj", {**GPT, "rotary_dim": 4}, GPTJ + UNTIED),
    Case("gpt_neox", "gpt_neox", MANY, NEOX),
    Case(
        "opt",
        "opt",
        {
            "hidden_size": 32,
            "ffn_dim": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 16,
            "word_embed_proj_dim": 16,
            **TOKENS,
        },
        OPT,
    ),
    Case("bloom", "bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4, **TOKENS}, BLOOM + BY_HEAD),
    Case("falcon", "falcon", {**FALCON, "multi_query": True}, BLOOM + ONE_KEY, "7b"),
    Case("falcon", "falcon", {**FALCON, "num_kv_heads": 2, "new_decoder_architecture": True}, BLOOM + BY_KEY, "40b"),
    Case("falcon", "falcon", {**FALCON, "multi_query": False, "alibi": True}, BLOOM + BY_HEAD, "rw"),
    Case("mpt", "mpt", {"d_model": 32, "n_heads": 4, "n_layers": 2, "vocab_size": 64, "max_seq_len": 16}, MPT),
]
