"""The recipe: bounds name the key, its plain form comes back, its identity follows its content."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from shadowgraph.errors import SpecError
from shadowgraph.identity import canonical_bytes
from shadowgraph.runs.recipe import LLAMA_STYLE, Recipe


def test_plain_form_comes_back(recipe: Recipe) -> None:
    again = Recipe.from_dict(recipe.as_dict())
    assert canonical_bytes(again) == canonical_bytes(recipe)
    assert again.fingerprint == recipe.fingerprint
    assert dataclasses.replace(recipe, learning_rate=2e-2).fingerprint != recipe.fingerprint


def test_counts(recipe: Recipe) -> None:
    assert recipe.tokens == 12 * 4 * 8
    assert recipe.supervised_tokens == 12 * 4 * 7
    assert Recipe(steps=1, learning_rate=1e-3).architecture == LLAMA_STYLE


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("steps", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("schedule", "magic"),
        ("precision", "bfloat16"),
        ("warmup_steps", 12),
        ("adam_betas", (0.9, 1.0)),
        ("snapshots", (6, 3)),
        ("snapshots", (13,)),
        ("sequence_length", 33),
        ("architecture", {"depth": 3}),
        ("architecture", {"hidden_size": 15}),
    ],
)
def test_bounds_name_the_key(recipe: Recipe, key: str, value: Any) -> None:
    with pytest.raises(SpecError) as caught:
        dataclasses.replace(recipe, **{key: value})
    assert caught.value.where.startswith(f"recipe.{key}")


def test_unknown_and_missing_keys(recipe: Recipe) -> None:
    with pytest.raises(SpecError, match=r"recipe\.colour"):
        Recipe.from_dict({**recipe.as_dict(), "colour": 1})
    with pytest.raises(SpecError, match=r"recipe\.steps"):
        Recipe.from_dict({"learning_rate": 1e-3})
