"""Tiny random models that look at pictures, of three families, each a folder as a user would have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoTokenizer
from transformers.utils import logging

from shadowgraph.corpus.tokens import train_tokenizer
from shadowgraph.worlds.visual import visual_items

FAMILIES = ("llava", "qwen2_vl", "idefics3")
MARKS = {
    "llava": ("<image>",),
    "qwen2_vl": ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
    "idefics3": (
        *("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>"),
        *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
    ),
}
BODY: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 1024,
    "initializer_range": 0.3,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
EYE: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}


def save(family: str, folder: Path) -> Path:
    """Write model, tokenizer and image processor of a family; parameters are the same every time."""
    items = visual_items(1, 60, scenes=("chart", "shapes", "listing"))
    texts = [f"Question: {item.question}\nA. {' B. '.join(item.choices)}\nAnswer:" for item in items]
    train_tokenizer(texts, 400, folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": list(MARKS[family])})
    tokenizer.save_pretrained(folder)
    ids = {mark: tokenizer.convert_tokens_to_ids(mark) for mark in MARKS[family]}
    body = {**BODY, "vocab_size": len(tokenizer)}
    logging.disable_progress_bar()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made: Any = {"llava": _llava, "qwen2_vl": _qwen, "idefics3": _idefics}[family](ids, body, folder)
    made.save_pretrained(folder)
    logging.enable_progress_bar()
    return folder


def _llava(ids: dict[str, int], body: dict[str, Any], folder: Path) -> Any:
    kind: Any = transformers.LlavaConfig  # its signature hides the names of tokens
    config = kind(
        vision_config=transformers.CLIPVisionConfig(**EYE, image_size=64, patch_size=16),
        text_config=transformers.LlamaConfig(**body),
        image_token_id=ids["<image>"],
        image_seq_length=16,
    )
    pictures: Any = transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}
    )
    transformers.LlavaProcessor(
        image_processor=pictures,
        tokenizer=AutoTokenizer.from_pretrained(folder),
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    return transformers.LlavaForConditionalGeneration(config)


def _qwen(ids: dict[str, int], body: dict[str, Any], folder: Path) -> Any:
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    eye = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2}
    config = transformers.Qwen2VLConfig(
        text_config={**body, "rope_parameters": rope},
        vision_config={**eye, "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2},
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    pictures: Any = transformers.Qwen2VLImageProcessorPil(min_pixels=28 * 28 * 4, max_pixels=28 * 28 * 16)
    pictures.save_pretrained(folder)  # its processor wants a video processor, which wants torchvision
    return transformers.Qwen2VLForConditionalGeneration(config)


def _idefics(ids: dict[str, int], body: dict[str, Any], folder: Path) -> Any:
    kind: Any = transformers.Idefics3Config
    config = kind(
        vision_config={**EYE, "image_size": 64, "patch_size": 16},
        text_config=transformers.LlamaConfig(**body),
        image_token_id=ids["<image>"],
        scale_factor=2,
        pad_token_id=0,
    )
    pictures: Any = transformers.Idefics3ImageProcessorPil(
        size={"longest_edge": 128}, max_image_size={"longest_edge": 64}, do_image_splitting=True
    )
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    transformers.Idefics3Processor(pictures, tokenizer, image_seq_len=4).save_pretrained(folder)
    return transformers.Idefics3ForConditionalGeneration(config)
