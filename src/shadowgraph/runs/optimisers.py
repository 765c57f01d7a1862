"""Optimisers of a recipe that the Trainer does not make itself.

Here live: SGD with momentum, and Muon for the matrices inside the layers with AdamW for everything else.
Not here: AdamW for all (the Trainer's own), schedules. This module imports torch.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from shadowgraph.identity import Json
from shadowgraph.runs.recipe import Recipe

MOMENTUM = {"sgd": 0.9, "muon": 0.95}
_OUTER = ("embed", "lm_head", "wte", "wpe", "position_embeddings", "token_type")
"""Parts of the names of matrices that lie outside the layers."""


class Parts(torch.optim.Optimizer):
    """Several optimisers that step as one; their groups are one list, so that one schedule moves all rates."""

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        self.parts = parts
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.param_groups = [group for part in parts for group in part.param_groups]

    def step(self, closure: Any = None) -> Any:
        """One step of each part."""
        loss = None if closure is None else closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The states of the parts, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put back what `state_dict` gave."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]


def optimiser_of(recipe: Recipe, model: Any, decayed: set[str]) -> torch.optim.Optimizer | None:
    """The optimiser of a recipe, None for AdamW, which the Trainer makes.

    Args:
        recipe: names the optimiser, its rate and its decay.
        model: the model; parameters that need no gradient are left out.
        decayed: names of the parameters that weight decay applies to.

    Returns:
        For "sgd" torch's SGD with a momentum of .9. For "muon" torch's Muon (Nesterov momentum .95, five Newton-Schulz
        steps) on every matrix of two axes inside the layers, its step scaled by .2 sqrt(max(m, n)), the root mean
        square of a step of AdamW, so that one rate serves both; AdamW with the recipe's constants on the rest.

    Source:
        Jordan et al., Muon (2024); Liu et al., Muon is scalable for LLM training (2025) for the scale of the step.
    """
    if recipe.optimiser == "adamw":
        return None
    named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(_groups(named, decayed, recipe), lr=recipe.learning_rate, momentum=MOMENTUM["sgd"])
    inner = [(name, weight) for name, weight in named if is_inner(name, weight.ndim)]
    names = {name for name, _ in inner}
    outer = [(name, weight) for name, weight in named if name not in names]
    muon = torch.optim.Muon(
        [weight for _, weight in inner],
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        momentum=MOMENTUM["muon"],
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = torch.optim.AdamW(
        _groups(outer, decayed, recipe), lr=recipe.learning_rate, betas=recipe.adam_betas, eps=recipe.adam_epsilon
    )
    return Parts([muon, adamw] if outer else [muon])


def is_inner(name: str, axes: int) -> bool:
    """Whether a parameter is a matrix inside the layers, by its name and its number of axes."""
    return axes == 2 and not any(part in name for part in _OUTER)


def stated(recipe: Recipe) -> Mapping[str, Json]:
    """What a run states of its optimiser: its name and every constant that shapes its steps."""
    adamw: dict[str, Json] = {"betas": list(recipe.adam_betas), "epsilon": recipe.adam_epsilon}
    own: dict[str, dict[str, Json]] = {
        "adamw": {"name": "AdamW", **adamw},
        "sgd": {"name": "SGD", "momentum": MOMENTUM["sgd"]},
        "muon": {"name": "Muon inside the layers, AdamW elsewhere", "momentum": MOMENTUM["muon"], **adamw},
    }
    return {
        **own[recipe.optimiser],
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.max_grad_norm,
    }


def _groups(named: list[tuple[str, Any]], decayed: set[str], recipe: Recipe) -> list[dict[str, Any]]:
    """Parameter groups with and without decay, none of them empty."""
    with_decay = [weight for name, weight in named if name in decayed]
    without = [weight for name, weight in named if name not in decayed]
    groups = [(with_decay, recipe.weight_decay), (without, 0.0)]
    return [{"params": weights, "weight_decay": decay} for weights, decay in groups if weights]
