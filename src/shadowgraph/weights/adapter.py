"""Adapters: tensors that change a model's weights without being merged into them.

Here live: their recognition by name, and what is said of them where a whole model is needed.
Not here: reading them as updates (`adapters`). They are never counted as a model's weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from shadowgraph.errors import CheckpointError
from shadowgraph.weights.tensor import TensorEntry

ADAPTER_NAME = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
REFUSAL = "this is an adapter, not a whole model"
ADVICE = "merge it into its base first"
BARRED = "part of an adapter that is not merged"

# The names of the methods' own parameters, as the PEFT and diffusers libraries write them.
_TENSOR = re.compile(
    r"(?:^|[._])(?:"
    r"lora_(?:A|B|embedding_A|embedding_B|magnitude_vector|down|up)"
    r"|hada_[wt][12](?:_[ab])?|lokr_(?:w[12](?:_[ab])?|t2)|ia3_l|b?oft_[rRsS]|vera_lambda_[bd]"
    r"|prompt_embeddings|adaption_prompt"
    r")(?:[._]|$)"
)
# What remains of a model's own tensors inside an adapter: modules that were trained whole.
_WRAPPED = re.compile(r"^base_model\.model\.|\.modules_to_save\.")


def adapter_tensors(names: Iterable[str]) -> frozenset[str]:
    """Names of the parameters of an adapter."""
    return frozenset(name for name in names if _TENSOR.search(name))


def is_adapter(names: Iterable[str]) -> bool:
    """Whether these are the tensors of an adapter alone: its parameters and nothing of a model but wrapped modules."""
    known = list(names)
    found = adapter_tensors(known)
    return bool(found) and all(name in found or _WRAPPED.search(name) for name in known)


def is_adapter_file(name: str) -> bool:
    """Whether a file name says that an adapter lies in it."""
    return name.startswith("adapter_") or name == "pytorch_lora_weights.safetensors"


def require_merged(entries: Iterable[TensorEntry], where: str) -> None:
    """Refuse a model with an adapter among its own weights: they are not what the model computes.

    Raises:
        CheckpointError: such an adapter.
    """
    if any(entry.barred == BARRED for entry in entries):
        raise CheckpointError(
            "an adapter is stored beside the weights and not merged into them", where=where, hint=ADVICE
        )
