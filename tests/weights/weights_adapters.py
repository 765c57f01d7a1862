# pyright: reportUnknownParameterType=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportMissingTypeStubs=false
"""Adapters for tests: made by PEFT itself on tiny models, or by hand.

Here live: makers. Not here: assertions.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from shadowgraph.seeds import derive, generator

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "tie_word_embeddings": False,
}
GPT2: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 64, "n_positions": 16}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", SIZES),
    "tied": ("qwen2", SIZES | {"tie_word_embeddings": True}),
    "gpt2": ("gpt2", GPT2 | {"bos_token_id": 1, "eos_token_id": 2}),
    "gpt_neox": ("gpt_neox", {key: SIZES[key] for key in SIZES if key != "num_key_value_heads"}),
    "mixtral": ("mixtral", SIZES | {"num_local_experts": 3}),
    "gpt_oss": ("gpt_oss", SIZES | {"num_local_experts": 3, "num_experts_per_tok": 2, "head_dim": 8}),
}


def trained(folder: Path, model: str, others: Mapping[str, list[str]] | None = None, **settings: Any) -> None:
    """Save a base, an adapter with random factors, others by name and targets, and the merged model, in float64."""
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    kind, sizes = MODELS[model]
    source = torch.Generator().manual_seed(derive(0, "adapter", model))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = transformers.AutoModelForCausalLM.from_config(
            transformers.AutoConfig.for_model(kind, **sizes)
        ).double()
        module.save_pretrained(folder / "base")
        settings = {"r": 4, "lora_alpha": 10, "target_modules": ["q_proj"]} | settings
        wrapped: Any = get_peft_model(module, LoraConfig(**settings), autocast_adapter_dtype=False)
        for name, targets in (others or {}).items():
            wrapped.add_adapter(name, LoraConfig(r=4, target_modules=targets))
        with torch.no_grad():
            for name, parameter in wrapped.named_parameters():
                if "magnitude" in name:
                    parameter.mul_(1.0 + 0.1 * torch.rand(parameter.shape, generator=source).double())
                elif "lora_" in name or "modules_to_save.default" in name:
                    parameter.copy_(0.1 * torch.randn(parameter.shape, generator=source).double())
        wrapped.save_pretrained(str(folder / "adapter"))
        wrapped.merge_and_unload().save_pretrained(folder / "merged")


def factors(out: int = 6, into: int = 5, rank: int = 2, seed: str = "") -> dict[str, NDArray[np.float64]]:
    """A and B of one matrix."""
    return {
        "lora_A.weight": generator(0, "adapter", seed, "A").standard_normal((rank, into)),
        "lora_B.weight": generator(0, "adapter", seed, "B").standard_normal((out, rank)),
    }


def named(content: Mapping[str, Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Tensors of modules under the names that PEFT writes."""
    return {
        f"base_model.model.{module}.{name}": values for module, each in content.items() for name, values in each.items()
    }


Q = "model.layers.0.self_attn.q_proj"


def written(folder: Path, content: Mapping[str, NDArray[Any]] | None = None, **settings: Any) -> Path:
    """A folder with an adapter, of one query where nothing else is given."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(named({Q: factors()}) if content is None else content), folder / "adapter_model.safetensors")
    declared = {"peft_type": "LORA", "r": 2, "lora_alpha": 4} | settings
    (folder / "adapter_config.json").write_text(
        json.dumps({key: value for key, value in declared.items() if value is not ...})
    )
    return folder


def opened_update(folder: Path, **settings: Any) -> Any:
    """The one update of a written adapter."""
    from shadowgraph.weights.adapters.adapter import Adapter
    from shadowgraph.weights.adapters.opened import open_model

    adapter = open_model(written(folder, **settings))
    assert isinstance(adapter, Adapter)
    (update,) = adapter.updates(None).factored
    return update
