"""A tiny model with a tokenizer, and a small suite, for the tests of `scores`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from shadowgraph.corpus.tokens import train_tokenizer
from shadowgraph.seeds import generator

WORDS = ("river", "stone", "apple", "town", "seven", "count", "gives", "takes", "older", "green", "north", "letter")


def make_items(split: str, count: int) -> list[dict[str, Any]]:
    """Items with two to four continuations of several words, of unequal length, some with letters beyond ASCII."""
    rng = generator(1, "items", split)
    items: list[dict[str, Any]] = []
    for index in range(count):
        choices = [" " + " ".join(rng.choice(WORDS, int(rng.integers(1, 4)))) + f" é{n}." for n in range(2 + index % 3)]
        items.append(
            {
                "id": f"{split}-{index}",
                "family": "words",
                "group": f"g{index % 4}",
                "context": "question: " + " ".join(rng.choice(WORDS, int(rng.integers(3, 12)))) + "\nanswer:",
                "continuations": choices,
                "gold": int(rng.integers(len(choices))),
            }
        )
    return items


@pytest.fixture(scope="session")
def items() -> dict[str, list[dict[str, Any]]]:
    """Two splits."""
    return {"inside": make_items("inside", 9), "outside": make_items("outside", 6)}


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of a few thousand parameters, spread widely so that its predictions differ, with its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    folder = tmp_path_factory.mktemp("model")
    train_tokenizer([f"{left} {right}" for left in WORDS for right in WORDS], 300, folder)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        vocab_size=300,
        max_position_embeddings=128,
        initializer_range=0.3,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = LlamaForCausalLM(config)
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    logging.enable_progress_bar()
    return folder
