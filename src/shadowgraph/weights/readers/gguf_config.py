"""What the keys of a GGUF file say of its model, under the names of `config.json`.

Here live: the translation of architecture and sizes, remarks on what is stored beside weights, and the refusal of files
that hold no model. Not here: reading of the keys (see `gguf_keys`). Nothing of a tokeniser or template is interpreted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shadowgraph.errors import printable
from shadowgraph.weights.readers.gguf_keys import Cursor, Keys, Value
from shadowgraph.weights.readers.gguf_split import split_of

ARCHITECTURE = "general.architecture"
CLIP = "clip"
TEMPLATE = "tokenizer.chat_template"

# Architectures whose name in config.json is not the same with _ for -.
_MODEL_TYPES: Mapping[str, str] = {
    "command-r": "cohere",
    "deepseek2": "deepseek_v2",
    "gemma-embedding": "gemma3_text",
    "gemma3": "gemma3_text",
    "gemma3n": "gemma3n_text",
    "gemma4": "gemma4_text",
    "glm-dsa": "glm_moe_dsa",
    "glm4moe": "glm4_moe",
    "gptneox": "gpt_neox",
    "granitehybrid": "granitemoehybrid",
    "hunyuan-dense": "hunyuan_v1_dense",
    "hunyuan-moe": "hunyuan_v1_moe",
    "lfm2moe": "lfm2_moe",
    "modern-bert": "modernbert",
    "nemotron_h_moe": "nemotron_h",
    "phi2": "phi",
    "qwen2moe": "qwen2_moe",
    "qwen2vl": "qwen2_vl",
    "qwen3moe": "qwen3_moe",
    "qwen3next": "qwen3_next",
    "qwen3vl": "qwen3_vl",
    "qwen3vlmoe": "qwen3_vl_moe",
    "qwen35": "qwen3_5",
    "qwen35moe": "qwen3_5_moe",
    "starcoder": "gpt_bigcode",
    "t5encoder": "t5",
}
# Sizes by the end of their key after the architecture.
_SIZES: Mapping[str, str] = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.q_lora_rank": "q_lora_rank",
    "attention.kv_lora_rank": "kv_lora_rank",
    "expert_count": "num_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "context_length": "max_position_embeddings",
    "vocab_size": "vocab_size",
    "ssm.state_size": "state_size",
    "ssm.group_count": "n_groups",
    "ssm.time_step_rank": "mamba_n_heads",
}
_TOWER_SIZES: Mapping[str, str] = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "image_size": "image_size",
    "patch_size": "patch_size",
}
_NO_MODEL: Mapping[str, tuple[str, str]] = {
    "adapter": (
        "this is an adapter in GGUF, not a whole model, and such adapters are not read",
        "merge it into its base first, or give the adapter as it was trained",
    ),
    "imatrix": ("an importance matrix for quantisation, not a model", "give the file of the weights"),
}


def require_model(cursor: Cursor, keys: Keys) -> None:
    """Refuse a file that says of itself that it holds no weights of a model, or that has no tensor.

    Raises:
        CheckpointError: an adapter, an importance matrix, or a vocabulary alone.
    """
    kind = keys.values.get("general.type")
    if isinstance(kind, str) and kind in _NO_MODEL:
        raise cursor.fail(*_NO_MODEL[kind])
    if keys.tensors == 0 and split_of(keys) is None:
        held = "a vocabulary" if "tokenizer.ggml.tokens" in keys.lengths else "keys"
        raise cursor.fail(f"no weight matrices: the file holds {held} and no tensor", "give the file of the weights")


def described(keys: Keys) -> dict[str, Any]:
    """The configuration of the model as far as the keys tell it; empty for the later parts of a split file."""
    architecture = keys.values.get(ARCHITECTURE)
    if not isinstance(architecture, str) or not architecture:
        return {}
    if architecture == CLIP:
        return {
            f"{tower}_config": sizes
            for tower in ("vision", "audio")
            if (sizes := _sizes(keys, f"{CLIP}.{tower}.", _TOWER_SIZES))
        }
    config: dict[str, Any] = {"model_type": _MODEL_TYPES.get(architecture, architecture.replace("-", "_"))}
    name = keys.values.get("general.name")
    if isinstance(name, str):
        config["_name_or_path"] = name
    config.update(_sizes(keys, f"{architecture}.", _SIZES))
    theta = keys.values.get(f"{architecture}.rope.freq_base")
    if isinstance(theta, float):
        config["rope_theta"] = theta
    config.update(_latent(keys, architecture))
    config.update(_linear(keys, architecture))
    layers = _size(keys, f"{architecture}.decoder_block_count")
    return config | ({"num_hidden_layers": layers} if layers else {})


def metadata(keys: Keys) -> dict[str, str]:
    """The texts that describe the file, and which part of a split it is."""
    found = {
        key: value
        for key, value in keys.values.items()
        if key.startswith("general.") and isinstance(value, str) and keys.lengths.get(key, 0) <= 200
    }
    split = split_of(keys)
    return found if split is None else found | split.described


def remarks(keys: Keys) -> list[str]:
    """What lies beside the weights and is left alone."""
    found: list[str] = []
    for key, value in keys.values.items():
        if (key == TEMPLATE or key.startswith(TEMPLATE + ".")) and isinstance(value, str):
            which = "" if key == TEMPLATE else f" '{printable(key.removeprefix(TEMPLATE + '.'), 40)}'"
            found.append(
                f"a chat template{which} of {keys.lengths[key]} bytes is stored; it is never rendered:"
                f" {printable(value, 60)}"
            )
    return found


def _sizes(keys: Keys, prefix: str, names: Mapping[str, str]) -> dict[str, Any]:
    return {name: size for end, name in names.items() if (size := _size(keys, prefix + end))}


def _size(keys: Keys, key: str) -> int:
    """A positive integer, or the one that all entries of an array have that are not zero; 0 without one."""
    value: Value | None = keys.values.get(key)
    if isinstance(value, tuple):
        several = set(value) - {0}
        value = several.pop() if len(several) == 1 else 0
    return value if type(value) is int and value > 0 else 0


def _latent(keys: Keys, architecture: str) -> dict[str, Any]:
    """Sizes of a head of multi-head latent attention, in both ways they were written."""
    if not _size(keys, f"{architecture}.attention.kv_lora_rank"):
        return {}
    rotary = _size(keys, f"{architecture}.rope.dimension_count")
    whole = _size(keys, f"{architecture}.attention.key_length_mla") or _size(
        keys, f"{architecture}.attention.key_length"
    )
    value = _size(keys, f"{architecture}.attention.value_length_mla") or _size(
        keys, f"{architecture}.attention.value_length"
    )
    return {"qk_rope_head_dim": rotary, "qk_nope_head_dim": max(0, whole - rotary), "v_head_dim": value}


def _linear(keys: Keys, architecture: str) -> dict[str, Any]:
    """Sizes of a gated delta net, which are written under the names of a state-space model."""
    names = ("state_size", "group_count", "time_step_rank", "inner_size")
    key_size, key_heads, value_heads, inner = (_size(keys, f"{architecture}.ssm.{name}") for name in names)
    if not (key_size and key_heads and value_heads and inner % value_heads == 0):
        return {}
    return {
        "linear_key_head_dim": key_size,
        "linear_num_key_heads": key_heads,
        "linear_num_value_heads": value_heads,
        "linear_value_head_dim": inner // value_heads,
    }
