"""Start models for tests: a Hugging Face folder and a GGUF file of a tiny decoder with a tokenizer of its own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from study_material import vocabulary

from shadowgraph.seeds import generator

TOKENS, HIDDEN, INNER, LAYERS, HEADS = 384, 64, 64, 2, 2
END = "<close>"  # not the first token: its id is 1


def write_tokenizer(folder: Path) -> tokenizers.Tokenizer:
    """A byte-level BPE whose end of a text is no token of ours."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=TOKENS,
        special_tokens=["<pad>", END],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([" ".join(vocabulary(name)) for name in ("fields", "harbours", "quiz")], trainer)
    assert made.get_vocab_size() == TOKENS
    made.enable_truncation(8)  # as tokenizers of models often come; no document may be cut by it
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": {"__type": "AddedToken", "content": END},
        "pad_token": "<pad>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return made


def write_folder(folder: Path, stored: str = "bfloat16", **changes: Any) -> Path:
    """A Hugging Face folder of a tiny Llama."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    write_tokenizer(folder)
    keys: dict[str, Any] = {
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "vocab_size": TOKENS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "eos_token_id": 1,
        "left_by_another_program": True,
        **changes,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model: Any = LlamaForCausalLM(LlamaConfig(**keys))
    model.to(getattr(torch, stored)).save_pretrained(folder)
    return folder


def values(*shape: int, label: str) -> Any:
    """Small normal values, float32."""
    return (0.05 * generator(6, "start", label).standard_normal(shape)).astype(np.float32)


def write_gguf(path: Path, further: Mapping[str, Any] | None = None) -> Path:
    """A GGUF file of a tiny Llama: matrices in Q4_1, embedding in Q8_0, the rest plain, the tokenizer inside."""
    from gguf import GGMLQuantizationType as Kind
    from gguf import GGUFWriter, quants

    made = json.loads(write_tokenizer(path.parent / "scratch").to_str())["model"]
    words = sorted(made["vocab"], key=made["vocab"].get)
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(TOKENS)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([3, 3, *[1] * (len(words) - 2)])
    writer.add_token_merges([" ".join(pair) for pair in made["merges"]])
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(0)
    half = HIDDEN // HEADS
    shapes = {"attn_q": (HIDDEN, HIDDEN), "attn_k": (half, HIDDEN), "attn_v": (half, HIDDEN)}
    shapes |= {"attn_output": (HIDDEN, HIDDEN), "ffn_gate": (INNER, HIDDEN), "ffn_up": (INNER, HIDDEN)}
    shapes |= {"ffn_down": (HIDDEN, INNER)}
    table = values(TOKENS, HIDDEN, label="table")
    writer.add_tensor("token_embd.weight", quants.quantize(table, Kind.Q8_0), raw_dtype=Kind.Q8_0)
    writer.add_tensor("output_norm.weight", np.ones(HIDDEN, np.float32))
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            own = quants.quantize(values(*shape, label=f"{layer}/{name}"), Kind.Q4_1)
            writer.add_tensor(f"blk.{layer}.{name}.weight", own, raw_dtype=Kind.Q4_1)
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(HIDDEN, np.float32))
    for name, tensor in (further or {}).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
