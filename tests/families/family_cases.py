"""Tiny models by family, and what a reader must find in each: written by hand from the models' own code.

A plan is text. A head line `tower layers experts root:` opens a group, "-" where there is no index; a row
`block.slot rows×columns expression` names one matrix of every layer and expert of the group, and the expression leads
from `root` in the live module to its weight, with L and E for the indices.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """One model type: the family that must be recognised, its configuration, and its plan."""

    family: str
    model: str
    config: dict[str, Any]
    plan: str
    label: str = ""

    @property
    def name(self) -> str:
        return self.model + (f"-{self.label}" if self.label else "")


TOKENS: dict[str, Any] = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
WIDE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
    **TOKENS,
}
FEW: dict[str, Any] = {**WIDE, "num_key_value_heads": 2}
SIZED: dict[str, Any] = {**FEW, "head_dim": 8}
MANY: dict[str, Any] = {**WIDE, "num_key_value_heads": 4}
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 16,
    "patch_size": 8,
}
ROUTED: dict[str, Any] = {"num_experts": 3, "num_experts_per_tok": 1, "moe_intermediate_size": 12}
LOCAL: dict[str, Any] = {"num_local_experts": 3, "num_experts_per_tok": 1}
UNTIED = """
text - - lm_head:
unembedding.unembedding 64x32 weight
"""


def tokens(root: str) -> str:
    return f"""
text - - {root}:
embedding.embedding 64x32 weight
"""


def attention(root: str, layers: str = "01", keys: int = 16, block: str = "attention", tower: str = "text") -> str:
    return f"""
{tower} {layers} - {root}:
{block}.q 32x32 q_proj.weight
{block}.k {keys}x32 k_proj.weight
{block}.v {keys}x32 v_proj.weight
{block}.o 32x32 o_proj.weight
"""


def gated(root: str, layers: str = "01", width: int = 48, tower: str = "text") -> str:
    return f"""
{tower} {layers} - {root}:
ffn.gate {width}x32 gate_proj.weight
ffn.up {width}x32 up_proj.weight
ffn.down 32x{width} down_proj.weight
"""


def experts(root: str, layers: str = "01", width: int = 12, numbers: str = "012") -> str:
    """Live modules keep experts stacked as (experts, out, in), gate before up."""
    return f"""
text {layers} {numbers} {root}:
ffn.gate {width}x32 gate_up_proj[E][:{width}]
ffn.up {width}x32 gate_up_proj[E][{width}:]
ffn.down 32x{width} down_proj[E]
"""


def router(root: str, layers: str = "01", count: int = 3) -> str:
    return f"""
text {layers} - {root}:
other.router {count}x32 weight
"""


def clip_layers(root: str, tower: str) -> str:
    return f"""
{tower} 01 - {root}[L].self_attn:
attention.q 32x32 q_proj.weight
attention.k 32x32 k_proj.weight
attention.v 32x32 v_proj.weight
attention.o 32x32 out_proj.weight
{tower} 01 - {root}[L].mlp:
ffn.up 48x32 fc1.weight
ffn.down 32x48 fc2.weight
"""


def clip_vision(root: str, positions: int = 4) -> str:
    return (
        clip_layers(f"{root}.encoder.layers", "vision")
        + f"""
vision - - {root}.embeddings:
other.patch 32x192 patch_embedding.weight.reshape(32, 192)
other.position {positions}x32 position_embedding.weight
"""
    )


def pooling_head(root: str) -> str:
    return f"""
vision - - {root}.head:
other.q 32x32 attention.in_proj_weight[:32]
other.k 32x32 attention.in_proj_weight[32:64]
other.v 32x32 attention.in_proj_weight[64:]
other.o 32x32 attention.out_proj.weight
other.up 48x32 mlp.fc1.weight
other.down 32x48 mlp.fc2.weight
"""


def llama(root: str, keys: int = 16) -> str:
    return (
        tokens(f"{root}.embed_tokens")
        + attention(f"{root}.layers[L].self_attn", keys=keys)
        + gated(f"{root}.layers[L].mlp")
    )
