"""Cases of encoders, and of encoders with a decoder."""

from family_cases import MANY, Case
from family_gpt import OPT_LAYERS

BART = (
    OPT_LAYERS.format(tower="text", stack="decoder")
    + OPT_LAYERS.format(tower="encoder", stack="encoder")
    + """
text 01 - model.decoder.layers[L].encoder_attn:
cross_attention.q 32x32 q_proj.weight
cross_attention.k 32x32 k_proj.weight
cross_attention.v 32x32 v_proj.weight
cross_attention.o 32x32 out_proj.weight
text - - model.shared:
embedding.embedding 64x32 weight
"""
)


BERT = """
text - - {root}.embeddings:
embedding.embedding 64x{wide} word_embeddings.weight
other.position 32x{wide} position_embeddings.weight
other.segment 2x{wide} token_type_embeddings.weight
text 01 - {root}.encoder.layer[L]:
attention.q 32x32 attention.self.query.weight
attention.k 32x32 attention.self.key.weight
attention.v 32x32 attention.self.value.weight
attention.o 32x32 attention.output.dense.weight
ffn.up 48x32 intermediate.dense.weight
ffn.down 32x48 output.dense.weight
"""


HEAD = """
text - - {name}:
other.head {shape} weight
"""


MPNET = """
text - - mpnet:
embedding.embedding 64x32 embeddings.word_embeddings.weight
other.position 32x32 embeddings.position_embeddings.weight
other.relative 32x4 encoder.relative_attention_bias.weight
text 01 - mpnet.encoder.layer[L]:
attention.q 32x32 attention.attn.q.weight
attention.k 32x32 attention.attn.k.weight
attention.v 32x32 attention.attn.v.weight
attention.o 32x32 attention.attn.o.weight
ffn.up 48x32 intermediate.dense.weight
ffn.down 32x48 output.dense.weight
"""


DEBERTA = """
text - - deberta:
embedding.embedding 64x32 embeddings.word_embeddings.weight
other.position 32x32 embeddings.position_embeddings.weight
text 01 - deberta.encoder.layer[L]:
attention.q 32x32 attention.self.query_proj.weight
attention.k 32x32 attention.self.key_proj.weight
attention.v 32x32 attention.self.value_proj.weight
attention.o 32x32 attention.output.dense.weight
ffn.up 48x32 intermediate.dense.weight
ffn.down 32x48 output.dense.weight
"""


DEBERTA_1 = """
text - - deberta:
embedding.embedding 64x32 embeddings.word_embeddings.weight
other.position 32x32 embeddings.position_embeddings.weight
other.relative 32x32 encoder.rel_embeddings.weight
text 01 - deberta.encoder.layer[L]:
attention.q 32x32 attention.self.in_proj.weight.view(4, 24, 32)[:, :8].reshape(32, 32)
attention.k 32x32 attention.self.in_proj.weight.view(4, 24, 32)[:, 8:16].reshape(32, 32)
attention.v 32x32 attention.self.in_proj.weight.view(4, 24, 32)[:, 16:].reshape(32, 32)
attention.o 32x32 attention.output.dense.weight
other.relative 32x32 attention.self.pos_proj.weight
other.relative 32x32 attention.self.pos_q_proj.weight
ffn.up 48x32 intermediate.dense.weight
ffn.down 32x48 output.dense.weight
"""


DISTILBERT = """
text - - distilbert:
embedding.embedding 64x32 embeddings.word_embeddings.weight
other.position 16x32 embeddings.position_embeddings.weight
text 01 - distilbert.transformer.layer[L]:
attention.q 32x32 attention.q_lin.weight
attention.k 32x32 attention.k_lin.weight
attention.v 32x32 attention.v_lin.weight
attention.o 32x32 attention.out_lin.weight
ffn.up 48x32 ffn.lin1.weight
ffn.down 32x48 ffn.lin2.weight
"""


MODERNBERT = """
text - - model.embeddings:
embedding.embedding 64x32 tok_embeddings.weight
text 01 - model.layers[L]:
attention.q 32x32 attn.Wqkv.weight[:32]
attention.k 32x32 attn.Wqkv.weight[32:64]
attention.v 32x32 attn.Wqkv.weight[64:]
attention.o 32x32 attn.Wo.weight
ffn.gate 48x32 mlp.Wi.weight[:48]
ffn.up 48x32 mlp.Wi.weight[48:]
ffn.down 32x48 mlp.Wo.weight
"""


ALBERT = """
text - - albert:
embedding.embedding 64x16 embeddings.word_embeddings.weight
other.position 32x16 embeddings.position_embeddings.weight
other.segment 2x16 embeddings.token_type_embeddings.weight
other.projection 32x16 encoder.embedding_hidden_mapping_in.weight
text 0 - albert.encoder.albert_layer_groups[L].albert_layers[0]:
attention.q 32x32 attention.query.weight
attention.k 32x32 attention.key.weight
attention.v 32x32 attention.value.weight
attention.o 32x32 attention.dense.weight
ffn.up 48x32 ffn.weight
ffn.down 32x48 ffn_output.weight
"""


T5_SELF = """
{tower} 01 - {stack}.block[L].layer[0].SelfAttention:
attention.q 32x32 q.weight
attention.k 32x32 k.weight
attention.v 32x32 v.weight
attention.o 32x32 o.weight
{tower} 0 - {stack}.block[L].layer[0].SelfAttention:
other.relative 32x4 relative_attention_bias.weight
"""


T5 = (
    T5_SELF.format(tower="text", stack="decoder")
    + T5_SELF.format(tower="encoder", stack="encoder")
    + """
text - - shared:
embedding.embedding 64x32 weight
text 01 - decoder.block[L].layer[1].EncDecAttention:
cross_attention.q 32x32 q.weight
cross_attention.k 32x32 k.weight
cross_attention.v 32x32 v.weight
cross_attention.o 32x32 o.weight
"""
)


T5_PLAIN = """
{tower} 01 - {stack}.block[L].layer[{at}].DenseReluDense:
ffn.up 48x32 wi.weight
ffn.down 32x48 wo.weight
"""


T5_GATED = """
{tower} 01 - {stack}.block[L].layer[{at}].DenseReluDense:
ffn.gate 48x32 wi_0.weight
ffn.up 48x32 wi_1.weight
ffn.down 32x48 wo.weight
"""


UMT5 = """
text 1 - decoder.block[L].layer[0].SelfAttention:
other.relative 32x4 relative_attention_bias.weight
encoder 1 - encoder.block[L].layer[0].SelfAttention:
other.relative 32x4 relative_attention_bias.weight
"""


T5_STACKS = [("text", "decoder", 2), ("encoder", "encoder", 1)]


T5_CONFIG = {
    "d_model": 32,
    "d_ff": 48,
    "d_kv": 8,
    "num_layers": 2,
    "num_heads": 4,
    "vocab_size": 64,
    "decoder_start_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def t5_layers(text: str) -> str:
    return T5 + "".join(text.format(tower=tower, stack=stack, at=at) for tower, stack, at in T5_STACKS)


BART_CONFIG = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "max_position_embeddings": 16,
    "vocab_size": 64,
}


CASES = [
    Case(
        "bert",
        "bert",
        MANY,
        BERT.format(root="bert", wide=32) + HEAD.format(name="cls.predictions.transform.dense", shape="32x32"),
    ),
    *(
        Case(
            "bert",
            kind,
            {**MANY, "type_vocab_size": 2},
            BERT.format(root="roberta", wide=32) + HEAD.format(name="lm_head.dense", shape="32x32"),
        )
        for kind in ("roberta", "xlm-roberta")
    ),
    Case(
        "bert",
        "electra",
        {**MANY, "embedding_size": 16},
        BERT.format(root="electra", wide=16)
        + HEAD.format(name="generator_predictions.dense", shape="16x32")
        + """
text - - electra:
other.projection 32x16 embeddings_project.weight
""",
    ),
    Case("mpnet", "mpnet", MANY, MPNET + HEAD.format(name="lm_head.dense", shape="32x32")),
    Case(
        "deberta",
        "deberta-v2",
        MANY,
        DEBERTA + HEAD.format(name="cls.predictions.transform.dense", shape="32x32"),
    ),
    Case(
        "deberta",
        "deberta",
        {**MANY, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "max_relative_positions": 16},
        DEBERTA_1 + HEAD.format(name="cls.predictions.transform.dense", shape="32x32"),
    ),
    Case(
        "distilbert",
        "distilbert",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "vocab_size": 64, "max_position_embeddings": 16},
        DISTILBERT + HEAD.format(name="vocab_transform", shape="32x32"),
    ),
    Case(
        "modernbert",
        "modernbert",
        {**MANY, "layer_types": None},
        MODERNBERT + HEAD.format(name="head.dense", shape="32x32"),
    ),
    Case(
        "albert",
        "albert",
        {**MANY, "embedding_size": 16},
        ALBERT + HEAD.format(name="predictions.dense", shape="16x32"),
    ),
    Case("t5", "t5", T5_CONFIG, t5_layers(T5_PLAIN)),
    Case("t5", "t5", {**T5_CONFIG, "feed_forward_proj": "gated-gelu"}, t5_layers(T5_GATED), "gated"),
    Case("t5", "mt5", {**T5_CONFIG, "feed_forward_proj": "gated-gelu"}, t5_layers(T5_GATED)),
    Case("t5", "umt5", {**T5_CONFIG, "feed_forward_proj": "gated-gelu"}, t5_layers(T5_GATED) + UMT5),
    *(Case("bart", kind, BART_CONFIG, BART) for kind in ("bart", "mbart")),
]
