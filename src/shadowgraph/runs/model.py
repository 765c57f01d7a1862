"""Models in memory: built from a recipe, loaded from a folder, digested.

Here live: initial weights, loading into aligned memory, the digest of a state.
Not here: training (see `engine`). This module imports torch and transformers.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from shadowgraph.errors import CheckpointError, SpecError
from shadowgraph.runs.recipe import Recipe
from shadowgraph.seeds import derive


def initial_model(recipe: Recipe, start: Path | None) -> Any:
    """The model a run starts from, in float32.

    Args:
        recipe: architecture, and the seed of the initial weights when `start` is None.
        start: folder of a saved model of the same architecture.

    Returns:
        A Hugging Face causal language model.

    Raises:
        SpecError: when the start model has another architecture.
        CheckpointError: when the folder holds no model.
    """
    if start is not None:
        model = load_model(start)
        _same_architecture(model.config, recipe, start)
        return model
    config = LlamaConfig(**dict(recipe.architecture))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(recipe.seed, "initial weights"))
        model: Any = LlamaForCausalLM._from_config(  # pyright: ignore[reportPrivateUsage]
            config, dtype=torch.float32, attn_implementation="sdpa"
        )
    return model


def load_model(folder: Path) -> Any:
    """Load a causal language model from a local folder in float32, in evaluation mode.

    The parameters are copied into memory of torch's own alignment: matrix products may differ in the last bit
    between alignments, and a file's memory map has its own.

    Raises:
        CheckpointError: when the folder holds no readable model.
    """
    if not (folder / "config.json").is_file():
        raise CheckpointError("no config.json", where=str(folder), hint="give the folder of a saved model")
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=torch.float32, local_files_only=True, attn_implementation="sdpa", use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"the model cannot be loaded ({str(error).splitlines()[0]})", where=str(folder)
        ) from error
    for parameter in model.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    return model.eval()


def state_digest(model: Any) -> str:
    """SHA-256 over names, types, shapes and bytes of a model's state, in the order of names."""
    digest = hashlib.sha256()
    state = model.state_dict()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}\x1f{tensor.dtype}\x1f{tuple(tensor.shape)}\x1f".encode())
        digest.update(tensor.view(torch.uint8).numpy().tobytes() if tensor.ndim else str(tensor.item()).encode())
    return digest.hexdigest()


def _same_architecture(config: Any, recipe: Recipe, start: Path) -> None:
    """Raise SpecError naming the first architecture key in which the start model differs."""
    ignored = {"initializer_range", "bos_token_id", "eos_token_id", "pad_token_id"}
    for key, wanted in recipe.architecture.items():
        found = getattr(config, key, None)
        if key not in ignored and found != wanted:
            raise SpecError(
                f"the recipe says {wanted!r}, the start model {start} has {found!r}", where=f"recipe.architecture.{key}"
            )
