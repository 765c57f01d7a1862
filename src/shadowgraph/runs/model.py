"""Models in memory: built from a recipe, loaded from a folder, digested.

Here live: initial weights, loading into aligned memory, low-rank adapters, the digest of a state.
Not here: training (see `engine`), keys of architectures (`families`). This module imports torch and transformers.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import hashlib
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from shadowgraph.artifact import read_object
from shadowgraph.errors import CheckpointError, SpecError, printable, require
from shadowgraph.runs.families import configuration, model_class, require_same, saved_configuration
from shadowgraph.runs.recipe import Adapter, Recipe
from shadowgraph.seeds import derive

ADAPTER_CONFIG = "adapter_config.json"


def initial_model(recipe: Recipe, start: Path | None) -> Any:
    """The model a run starts from, in float32.

    Args:
        recipe: architecture, adapter, and the seed of what is drawn: the weights when `start` is None, the adapter.
        start: folder of a saved model of the same architecture, in any stored precision, or of an adapter on one: the
            adapter is trained further where the recipe has one, else merged first.

    Returns:
        A Hugging Face language model, with pictures where the family has them; in a PEFT model with an adapter.

    Raises:
        SpecError: when the start model has another architecture or adapter, or an adapter has no start model.
        CheckpointError: when the folder holds no model.
        EnvironmentFault: when an adapter is asked for and peft is not installed.
    """
    if start is None:
        if recipe.adapter is not None:
            raise SpecError("an adapter needs a start model", where="recipe.adapter", hint="give start")
        return _fresh_model(recipe)
    continued = recipe.adapter is not None and is_adapter(start)
    folder = adapter_base(start) if continued else start
    model = load_model(folder)
    require_same(model.config, recipe.family, recipe.architecture, folder)
    if recipe.adapter is None:
        return model
    return _continue_adapter(model, start, recipe.adapter) if continued else _join_adapter(model, recipe, folder)


def load_model(folder: Path) -> Any:
    """Load a language model from a local folder in float32, in evaluation mode; an adapter is merged into its base.

    The parameters are copied into memory of torch's own alignment: matrix products may differ in the last bit
    between alignments, and a file's memory map has its own.

    Raises:
        CheckpointError: when the folder holds no readable model.
        EnvironmentFault: when it holds an adapter and peft is not installed.
    """
    if is_adapter(folder):
        merged = _continue_adapter(load_model(adapter_base(folder)), folder, None).merge_and_unload()
        return merged.requires_grad_(True).eval()
    kind = model_class(saved_configuration(folder))
    try:
        model: Any = kind.from_pretrained(
            str(folder),
            dtype=torch.float32,
            local_files_only=True,
            attn_implementation=_attention(kind),
            use_safetensors=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"the model cannot be loaded ({printable(words)})", where=str(folder)) from error
    for parameter in model.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    return model.eval()


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds a PEFT adapter."""
    return (folder / ADAPTER_CONFIG).is_file()


def adapter_base(folder: Path) -> Path:
    """Folder of the model that an adapter joins, as its configuration names it.

    Raises:
        CheckpointError: when that is no local folder.
    """
    base = read_object(folder / ADAPTER_CONFIG).get("base_model_name_or_path")
    if not isinstance(base, str) or not Path(base).is_dir():
        raise CheckpointError(
            f"its base model {printable(str(base))!r} is no local folder",
            where=str(folder / ADAPTER_CONFIG),
            hint="write the folder of the base there as base_model_name_or_path",
        )
    return Path(base)


def state_digest(model: Any) -> str:
    """SHA-256 over names, types, shapes and bytes of a model's state, in the order of names."""
    digest = hashlib.sha256()
    state = model.state_dict()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}\x1f{tensor.dtype}\x1f{tuple(tensor.shape)}\x1f".encode())
        digest.update(tensor.view(torch.uint8).numpy().tobytes() if tensor.ndim else str(tensor.item()).encode())
    return digest.hexdigest()


def _fresh_model(recipe: Recipe) -> Any:
    """A model of drawn weights."""
    config = configuration(recipe.family, recipe.architecture)
    kind = model_class(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(recipe.seed, "initial weights"))
        model: Any = kind._from_config(config, dtype=torch.float32, attn_implementation=_attention(kind))
    return model


def _attention(kind: Any) -> str:
    """Torch's fused attention where the family has it, else attention written out."""
    return "sdpa" if kind._supports_sdpa else "eager"


@contextmanager
def _without_deprecations() -> Generator[None]:
    """Silence what peft asks of transformers under old names: nothing a user could change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _join_adapter(model: Any, recipe: Recipe, base: Path) -> Any:
    """A fresh adapter on a loaded model: A drawn, B zero, so that the model computes what it did."""
    require("peft", "train")
    from peft import LoraConfig, get_peft_model

    wanted = recipe.adapter or Adapter(1, 1.0)
    everywhere = wanted.targets == ("all-linear",)
    config = LoraConfig(
        r=wanted.rank,
        lora_alpha=wanted.alpha,  # pyright: ignore[reportArgumentType]
        target_modules="all-linear" if everywhere else list(wanted.targets),
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
        base_model_name_or_path=str(base.resolve()),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(recipe.seed, "adapter"))
        try:
            with _without_deprecations():
                joined: Any = get_peft_model(model, config)
        except ValueError as error:
            raise SpecError(printable(" ".join(str(error).split())), where="recipe.adapter.targets") from error
    joined.peft_config["default"].base_model_name_or_path = str(base.resolve())
    return joined


def _continue_adapter(model: Any, folder: Path, wanted: Adapter | None) -> Any:
    """A saved adapter on its loaded base, trainable; checked against the recipe's where that has one."""
    require("peft", "train")
    from peft import PeftModel

    try:
        with _without_deprecations():
            joined: Any = PeftModel.from_pretrained(
                model, str(folder), is_trainable=wanted is not None, local_files_only=True, torch_device="cpu"
            )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"the adapter cannot be loaded ({printable(words)})", where=str(folder)) from error
    if wanted is not None:
        saved = joined.peft_config["default"]
        targets = saved.target_modules
        pairs = {
            "rank": (wanted.rank, getattr(saved, "r", None)),
            "alpha": (wanted.alpha, getattr(saved, "lora_alpha", None)),
            "targets": (set(wanted.targets), {targets} if isinstance(targets, str) else set(targets)),
        }
        for key, (ours, theirs) in pairs.items():
            if ours != theirs and not (key == "targets" and wanted.targets == ("all-linear",)):
                raise SpecError(f"the recipe says {ours!r}, {folder} has {theirs!r}", where=f"recipe.adapter.{key}")
    return joined
