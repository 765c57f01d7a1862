"""The recipe of a training run: everything that shapes it except the data.

Here live: the recipe, its bounds and its plain form.
Not here: data, starting weights and file names; those are arguments of `train`. The keys of families other than the
default one are those of transformers (see `families`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shadowgraph.errors import SpecError
from shadowgraph.identity import Json, fingerprint, plain
from shadowgraph.runs.families import architecture_of, configuration, saved_configuration

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
LLAMA = "llama"
SCHEDULES = ("constant", "constant_with_warmup", "linear", "cosine")
OPTIMISERS = ("adamw", "sgd", "muon")
PENALTIES = ("anchor", "flatten")
# Fields left out of the plain form at their defaults, so that older recipes keep their identity.
LATER = ("family", "adapter", "optimiser", "anchor", "flatten")


@dataclass(frozen=True, slots=True)
class Adapter:
    """A low-rank adapter (LoRA) trained in place of the weights: D = (alpha / rank) · B A in every target.

    Attributes:
        rank: inner size of the product.
        alpha: scale.
        targets: last parts of the names of the linear modules it joins, or ("all-linear",).
    """

    rank: int
    alpha: float
    targets: tuple[str, ...] = ("q_proj", "v_proj")

    def __post_init__(self) -> None:
        """Check the bounds."""
        object.__setattr__(self, "targets", tuple(self.targets))
        if self.rank < 1:
            raise SpecError(f"{self.rank!r} must be at least 1", where="recipe.adapter.rank")
        if not 0 < self.alpha < float("inf"):
            raise SpecError(f"{self.alpha!r} must be positive and finite", where="recipe.adapter.alpha")
        if not self.targets or len(set(self.targets)) != len(self.targets):
            raise SpecError("name each module once, and at least one", where="recipe.adapter.targets")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained: architecture, length, optimiser, precision, seeds.

    Attributes:
        steps: optimiser steps.
        learning_rate: peak rate.
        architecture: keys of the family's configuration class that differ from its defaults, a tower's keys nested; for
            "llama" from `LLAMA_STYLE`, and completed with it on construction.
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
        family: `model_type` of transformers; any but "llama" loads that library to check the architecture.
        adapter: trained in place of the weights, which then stay those of the start model; None trains them all.
        optimiser: one of `OPTIMISERS`; "sgd" has a momentum of .9, "muon" orthogonalises the steps of matrices
            inside the layers and leaves embeddings, norms and biases to AdamW at the same rate.
        anchor: weight of ½ ‖W − W₀‖² over all trained parameters, added to the loss (see `penalty`).
        flatten: weight of the unevenness of the spectrum of W − W₀ over the matrices inside the layers.
    """

    steps: int
    learning_rate: float
    architecture: Mapping[str, Any] = field(default_factory=dict[str, Any])
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
    family: str = LLAMA
    adapter: Adapter | None = None
    optimiser: str = "adamw"
    anchor: float = 0.0
    flatten: float = 0.0

    def __post_init__(self) -> None:
        """Complete the architecture and check every bound."""
        defaults = LLAMA_STYLE if self.family == LLAMA else {}
        known = {**defaults, **self.architecture}
        object.__setattr__(self, "architecture", known)
        object.__setattr__(self, "snapshots", tuple(self.snapshots))
        object.__setattr__(self, "adam_betas", (float(self.adam_betas[0]), float(self.adam_betas[1])))
        _check_numbers(self)
        if set(known) <= set(defaults):
            _check_shape(self, known)
        else:
            text = configuration(self.family, known).get_text_config()
            names = ("hidden_size", "num_attention_heads", "num_key_value_heads", "max_position_embeddings")
            _check_shape(self, {name: value for name in names if (value := getattr(text, name, None)) is not None})

    @classmethod
    def of_model(cls, folder: Path, **keys: Any) -> Recipe:
        """A recipe whose family and architecture are those of a saved model.

        Args:
            folder: the start model.
            keys: the other fields, `steps` and `learning_rate` among them.

        Returns:
            The recipe; train with `start=folder`.

        Raises:
            CheckpointError: the folder holds no configuration.
        """
        config = saved_configuration(folder)
        style = {key: getattr(config, key) for key in LLAMA_STYLE} if config.model_type == LLAMA else {}
        return cls(family=config.model_type, architecture={**architecture_of(config), **style}, **keys)

    @property
    def tokens(self) -> int:
        """Tokens consumed: steps × batch × sequence_length."""
        return self.steps * self.batch * self.sequence_length

    @property
    def supervised_tokens(self) -> int:
        """Tokens that carry loss where none is masked: all but the first of each sequence."""
        return self.steps * self.batch * (self.sequence_length - 1)

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        if self.family == LLAMA:
            return int(self.architecture["vocab_size"])
        return int(configuration(self.family, self.architecture).get_text_config().vocab_size)

    @property
    def picture_token(self) -> int | None:
        """Token id that stands for a piece of a picture, None in a family without pictures."""
        if self.family == LLAMA:
            return None
        token: int | None = getattr(configuration(self.family, self.architecture), "image_token_id", None)
        return token

    @property
    def fingerprint(self) -> str:
        """Identity of the recipe."""
        return fingerprint(self.as_dict())

    def as_dict(self) -> dict[str, Json]:
        """The recipe as JSON values; fields of `LATER` only where they are set."""
        return {
            item.name: plain(getattr(self, item.name))
            for item in dataclasses.fields(self)
            if item.name not in LATER or getattr(self, item.name) != item.default
        }

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
        given, adapter = dict(values), values.get("adapter")
        if isinstance(adapter, Mapping):
            for key in set(adapter) ^ {item.name for item in dataclasses.fields(Adapter)}:
                raise SpecError("unknown or missing key", where=f"recipe.adapter.{key}")
            given["adapter"] = Adapter(**dict(adapter))
        return cls(**given)

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
        "optimiser": (lambda value: value in OPTIMISERS, f"one of {', '.join(OPTIMISERS)}"),
        **{key: (lambda value: 0 <= value < float("inf"), "not negative") for key in PENALTIES},
    }
    for key, (holds, words) in bounds.items():
        value = getattr(recipe, key)
        if not holds(value):
            raise SpecError(f"{value!r} must be {words}", where=f"recipe.{key}")
    for key in PENALTIES if recipe.adapter is not None else ():
        if getattr(recipe, key):
            raise SpecError("is of whole updates, and the adapter trains factors of them", where=f"recipe.{key}")


def _check_shape(recipe: Recipe, shape: Mapping[str, Any]) -> None:
    """Raise SpecError when snapshots or the sizes in `shape` contradict themselves; a size not known is not checked."""
    steps = recipe.snapshots
    if list(steps) != sorted(set(steps)) or any(not 1 <= step <= recipe.steps for step in steps):
        raise SpecError("snapshots must be distinct, growing steps in 1 … steps", where="recipe.snapshots")
    heads = shape.get("num_attention_heads", 1)
    if recipe.family == LLAMA and shape["hidden_size"] % heads:
        raise SpecError("must be a multiple of num_attention_heads", where="recipe.architecture.hidden_size")
    if heads % shape.get("num_key_value_heads", 1):
        raise SpecError("must divide num_attention_heads", where="recipe.architecture.num_key_value_heads")
    if recipe.sequence_length > shape.get("max_position_embeddings", recipe.sequence_length):
        raise SpecError("is above architecture.max_position_embeddings", where="recipe.sequence_length")
