"""The weights of a model in training: copied out, stored under their file names, read against the start.

Here live: the copy, the test whether it can be whole, and the reading of K from two stored copies.
Not here: when to read (`callback`). The functions import torch when called.

Legend: W0 the weights at the start of the training, W_t those after step t, D = W_t − W0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from shadowgraph.footprint.endpoint import denoised_ratio, endpoint
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import Footprint
from shadowgraph.weights.checkpoint import open_checkpoint

PEFT_PREFIX = "base_model.model."


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """Weights taken out of a model.

    Attributes:
        tensors: parameters on the CPU by their names in memory; a low-rank adapter's products are added in.
        ranks: rank of the adapter on a parameter, by the same name.
    """

    tensors: dict[str, Any]
    ranks: dict[str, int]


def unreadable(model: Any) -> str:
    """Why the whole weights of a model cannot be had in one process, "" when they can."""
    names = dict(model.named_parameters())
    if any("_flat_param" in name or "_fsdp_wrapped_module" in name for name in names):
        return "its weights are sharded by FSDP version 1; version 2 can be read"
    if any(hasattr(value, "ds_id") for value in names.values()):
        return "its weights are partitioned by DeepSpeed ZeRO stage 3"
    if any(value.device.type == "meta" or value.numel() == 0 for value in names.values()):
        return "some of its weights are not in memory"
    return ""


def is_sharded(model: Any) -> bool:
    """Whether parameters are distributed tensors, so that every rank must take part in the copy."""
    return any(hasattr(value, "full_tensor") for value in model.parameters())


def copy_weights(model: Any) -> Copy:
    """Copy every parameter to the CPU in its own precision; the one part of a reading that a step waits for.

    Where parameters are distributed tensors they are gathered, and every rank must call this at the same step.
    """
    import torch

    joined = {name: module for name, module in model.named_modules() if hasattr(module, "get_delta_weight")}
    tensors: dict[str, Any] = {}
    ranks: dict[str, int] = {}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            stem, _, rest = name.partition(".base_layer.")
            if any(name.startswith(f"{place}.") for place in joined) and not rest:
                continue  # the adapter's own factors
            value = parameter.detach()
            value = value.full_tensor() if hasattr(value, "full_tensor") else value
            plain = f"{stem}.{rest}" if rest else name
            plain = plain.removeprefix(PEFT_PREFIX)
            if rest == "weight" and stem in joined:
                module = joined[stem]
                active = list(module.active_adapters)
                ranks[plain] = sum(int(module.r[adapter]) for adapter in active)
                value = value + sum(module.get_delta_weight(adapter) for adapter in active)
            tensors[plain] = value.to("cpu", copy=True).contiguous()
    return Copy(tensors, ranks)


def store(copy: Copy, model: Any, folder: Path) -> None:
    """Write a copy as a model folder, under the names and shapes in which the model would be saved."""
    from safetensors.torch import save_file
    from transformers import PreTrainedModel
    from transformers.core_model_loading import revert_weight_conversion

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    tensors: Mapping[str, Any] = copy.tensors
    if isinstance(inner, PreTrainedModel):
        tensors = revert_weight_conversion(inner, dict(tensors))
    folder.mkdir(parents=True, exist_ok=True)
    if getattr(inner, "config", None) is not None:
        inner.config.to_json_file(folder / "config.json")
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / "model.safetensors")


def read_update(start: Path, now: Path, ranks: Mapping[str, int]) -> dict[str, float | str]:
    """K, K_emb, the log norm and the participation ratio by slot of D = W_t − W0.

    Args:
        start: folder of W0.
        now: folder of W_t.
        ranks: rank of the adapter on a tensor, by name; where there is one, only the tensors it joins are read, the
            others cannot change, and each against the null of a product of its rank.

    Returns:
        "K", "K_emb", "log_norm" (nats, as `endpoint` defines them) and "pr/<slot>" (mean over layers, 1 … min(m, n));
        where a number is missing, its reason under the key with "_status" added.

    Raises:
        CheckpointError: the two do not correspond, or nothing could be read.
    """
    footprint = scan(open_checkpoint(now), open_checkpoint(start), objects=("O3",))
    if ranks:
        footprint = dataclasses.replace(
            footprint,
            matrices=tuple(
                dataclasses.replace(record, rank=ranks[record.tensor])
                for record in footprint.matrices
                if record.tensor in ranks
            ),
        )
    found: dict[str, float | str] = {
        key: value for key, value in endpoint(footprint).as_dict().items() if value is not None
    }
    return found | {f"pr/{slot}": fmean(values) for slot, values in _ratios(footprint).items()}


def _ratios(footprint: Footprint) -> dict[str, list[float]]:
    """Participation ratios of the block linear matrices by slot."""
    found: dict[str, list[float]] = {}
    for record in footprint.matrices:
        ratio = denoised_ratio(record).value if record.role.is_block_linear else None
        if ratio is not None:
            found.setdefault(record.role.cell, []).append(ratio)
    return dict(sorted(found.items()))
