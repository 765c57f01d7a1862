"""The recipe of a training run: everything that shapes it except the data.

Here live: the recipe, its bounds and its plain form.
Not here: data, starting weights and file names; those are arguments of `train`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shadowgraph.errors import SpecError
from shadowgraph.identity import Json, fingerprint, plain

# A decoder of 1.0 million parameters: RMSNorm, rotary positions, SwiGLU, grouped queries, tied embeddings.
# Keys are those of the Hugging Face `LlamaConfig`; a recipe's `architecture` overrides single keys.
LLAMA_STYLE: Mapping[str, int | float | bool | None] = {
    "hidden_size": 128,
    "intermediate_size": 352,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 2048,
    "tie_word_embeddings": True,
    "max_position_embeddings": 512,
    "initializer_range": 0.02,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": None,
}
SCHEDULES = ("constant", "constant_with_warmup", "linear", "cosine")


def _llama_style() -> dict[str, Any]:
    """A fresh copy of the default architecture."""
    return dict(LLAMA_STYLE)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained: architecture, length, optimiser (AdamW), precision, seeds.

    Attributes:
        steps: optimiser steps.
        learning_rate: peak rate.
        architecture: keys of `LlamaConfig` that differ from `LLAMA_STYLE`; completed on construction.
        batch: sequences a step.
        sequence_length: tokens a sequence; the loss covers all but the first.
        warmup_steps: steps of linear warm-up from a rate of 0; the first step of a warm-up therefore moves nothing.
        schedule: one of `SCHEDULES`.
        weight_decay: decoupled decay of matrices (norms are exempt).
        adam_betas: decay of first and second moment.
        adam_epsilon: added to the root of the second moment.
        max_grad_norm: global gradient norm above which gradients are scaled down.
        precision: "float32", the only one at present.
        threads: threads of the training process; part of the matching proof.
        seed: of the initial weights, when there is no start model.
        order_seed: of the order of sequences.
        snapshots: steps after which weights are kept, growing.
        checkpoint_every: steps between resume points; does not touch the result.
    """

    steps: int
    learning_rate: float
    architecture: Mapping[str, Any] = field(default_factory=_llama_style)
    batch: int = 16
    sequence_length: int = 128
    warmup_steps: int = 0
    schedule: str = "constant_with_warmup"
    weight_decay: float = 0.0
    adam_betas: tuple[float, float] = (0.9, 0.999)
    adam_epsilon: float = 1e-8
    max_grad_norm: float = 1.0
    precision: str = "float32"
    threads: int = 1
    seed: int = 0
    order_seed: int = 0
    snapshots: tuple[int, ...] = ()
    checkpoint_every: int = 50

    def __post_init__(self) -> None:
        """Complete the architecture and check every bound."""
        unknown = sorted(set(self.architecture) - set(LLAMA_STYLE))
        if unknown:
            raise SpecError(
                "unknown architecture key",
                where=f"recipe.architecture.{unknown[0]}",
                hint=f"known: {', '.join(LLAMA_STYLE)}",
            )
        object.__setattr__(self, "architecture", {**LLAMA_STYLE, **self.architecture})
        object.__setattr__(self, "snapshots", tuple(self.snapshots))
        object.__setattr__(self, "adam_betas", (float(self.adam_betas[0]), float(self.adam_betas[1])))
        _check_numbers(self)
        _check_shape(self)

    @property
    def tokens(self) -> int:
        """Tokens consumed: steps × batch × sequence_length."""
        return self.steps * self.batch * self.sequence_length

    @property
    def supervised_tokens(self) -> int:
        """Tokens that carry loss: all but the first of each sequence."""
        return self.steps * self.batch * (self.sequence_length - 1)

    @property
    def fingerprint(self) -> str:
        """Identity of the recipe."""
        return fingerprint(self.as_dict())

    def as_dict(self) -> dict[str, Json]:
        """The recipe as JSON values."""
        return {item.name: plain(getattr(self, item.name)) for item in dataclasses.fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Rebuild a recipe from `as_dict`.

        Raises:
            SpecError: for an unknown or a missing key.
        """
        known = {item.name for item in dataclasses.fields(cls)}
        for key in values:
            if key not in known:
                raise SpecError("unknown key", where=f"recipe.{key}")
        for key in ("steps", "learning_rate"):
            if key not in values:
                raise SpecError("missing key", where=f"recipe.{key}")
        return cls(**dict(values))

    def __repr__(self) -> str:
        """One line: size, length, rate, identity."""
        return (
            f"Recipe({self.steps} steps × {self.batch} × {self.sequence_length} tokens, "
            f"rate {self.learning_rate:g}, {self.fingerprint})"
        )


def _check_numbers(recipe: Recipe) -> None:
    """Raise SpecError naming the first scalar out of bounds."""
    at_least_one = ("steps", "batch", "threads", "checkpoint_every")
    bounds: dict[str, tuple[Callable[[Any], bool], str]] = {
        **{key: (lambda value: value >= 1, "at least 1") for key in at_least_one},
        "sequence_length": (lambda value: value >= 2, "at least 2"),
        "learning_rate": (lambda value: 0 < value < float("inf"), "positive and finite"),
        "weight_decay": (lambda value: 0 <= value < float("inf"), "not negative"),
        "adam_epsilon": (lambda value: 0 < value < 1, "between 0 and 1"),
        "max_grad_norm": (lambda value: 0 < value < float("inf"), "positive and finite"),
        "adam_betas": (lambda value: all(0 <= beta < 1 for beta in value), "in [0, 1)"),
        "warmup_steps": (lambda value: 0 <= value < recipe.steps, "in [0, steps)"),
        "schedule": (lambda value: value in SCHEDULES, f"one of {', '.join(SCHEDULES)}"),
        "precision": (lambda value: value == "float32", '"float32"'),
    }
    for key, (holds, words) in bounds.items():
        value = getattr(recipe, key)
        if not holds(value):
            raise SpecError(f"{value!r} must be {words}", where=f"recipe.{key}")


def _check_shape(recipe: Recipe) -> None:
    """Raise SpecError when snapshots or architecture contradict themselves."""
    steps = recipe.snapshots
    if list(steps) != sorted(set(steps)) or any(not 1 <= step <= recipe.steps for step in steps):
        raise SpecError("snapshots must be distinct, growing steps in 1 … steps", where="recipe.snapshots")
    shape = recipe.architecture
    if shape["hidden_size"] % shape["num_attention_heads"]:
        raise SpecError("must be a multiple of num_attention_heads", where="recipe.architecture.hidden_size")
    if shape["num_attention_heads"] % shape["num_key_value_heads"]:
        raise SpecError("must divide num_attention_heads", where="recipe.architecture.num_key_value_heads")
    if recipe.sequence_length > shape["max_position_embeddings"]:
        raise SpecError("is above architecture.max_position_embeddings", where="recipe.sequence_length")
