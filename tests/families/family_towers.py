"""Cases of vision towers alone, and of text and vision side by side."""

from family_cases import MANY, VISION, Case, clip_layers, clip_vision, pooling_head

CLIP = (
    clip_layers("text_model.encoder.layers", "text")
    + """
text - - text_model.embeddings:
embedding.embedding 64x32 token_embedding.weight
other.position 32x32 position_embedding.weight
"""
)


PIXTRAL = """
vision 01 - {root}.transformer.layers[L]:
attention.q 32x32 attention.q_proj.weight
attention.k 32x32 attention.k_proj.weight
attention.v 32x32 attention.v_proj.weight
attention.o 32x32 attention.o_proj.weight
ffn.gate 48x32 feed_forward.gate_proj.weight
ffn.up 48x32 feed_forward.up_proj.weight
ffn.down 32x48 feed_forward.down_proj.weight
vision - - {root}:
other.patch 32x192 patch_conv.weight.reshape(32, 192)
"""


VIT_EDGES = """
vision - - -:
other.patch 32x192 embeddings.patch_embeddings.projection.weight.reshape(32, 192)
other.position {positions}x32 embeddings.position_embeddings.reshape({positions}, 32)
"""
VIT_LAYERS = """
vision 01 - {root}[L]:
attention.q 32x32 attention.q_proj.weight
attention.k 32x32 attention.k_proj.weight
attention.v 32x32 attention.v_proj.weight
attention.o 32x32 attention.o_proj.weight
ffn.up {width}x32 mlp.fc1.weight
ffn.down 32x{width} mlp.fc2.weight
"""
POOLER = """
vision - - -:
other.head 32x32 pooler.dense.weight
"""
REGISTERS = """
vision - - -:
other.extra 4x32 embeddings.register_tokens.reshape(4, 32)
"""
TIMESFORMER = """
vision - - -:
other.position 8x32 embeddings.time_embeddings.reshape(8, 32)
vision 01 - encoder.layer[L]:
attention.q 32x32 attention.attention.qkv.weight[:32]
attention.k 32x32 attention.attention.qkv.weight[32:64]
attention.v 32x32 attention.attention.qkv.weight[64:]
attention.o 32x32 attention.output.dense.weight
attention.q 32x32 temporal_attention.attention.qkv.weight[:32]
attention.k 32x32 temporal_attention.attention.qkv.weight[32:64]
attention.v 32x32 temporal_attention.attention.qkv.weight[64:]
attention.o 32x32 temporal_attention.output.dense.weight
attention.projection 32x32 temporal_dense.weight
ffn.up 48x32 intermediate.dense.weight
ffn.down 32x48 output.dense.weight
"""
VIT = VIT_LAYERS.format(root="layers", width=48) + POOLER
DINO = VIT_LAYERS.format(root="encoder.layer", width=128) + VIT_EDGES.format(positions=5)


CASES = [
    Case(
        "clip",
        "clip",
        {"text_config": MANY, "vision_config": VISION, "projection_dim": 16},
        CLIP
        + clip_vision("vision_model", 5)
        + """
projector - - -:
projector.projection 16x32 visual_projection.weight
projector.projection 16x32 text_projection.weight
""",
    ),
    Case(
        "clip",
        "siglip",
        {"text_config": MANY, "vision_config": VISION},
        CLIP
        + """
text - - text_model.head:
other.head 32x32 weight
"""
        + clip_vision("vision_model")
        + pooling_head("vision_model"),
    ),
    Case("clip", "clip_vision_model", VISION, clip_vision("-", 5)),
    Case("clip", "siglip_vision_model", VISION, clip_vision("-") + pooling_head("-")),
    Case("pixtral", "pixtral", {**VISION, "head_dim": 8}, PIXTRAL.format(root="-")),
    Case("vit", "vit", VISION, VIT + VIT_EDGES.format(positions=5)),
    Case("vit", "deit", VISION, VIT + VIT_EDGES.format(positions=6)),
    Case("vit", "dinov2", VISION, DINO),
    Case("vit", "dinov2_with_registers", VISION, DINO + REGISTERS),
    Case("vit", "timesformer", VISION, TIMESFORMER + VIT_EDGES.format(positions=5)),
]
