"""Pools: shares, skew, shards, draws, and nothing that belongs to a test."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from functools import lru_cache

import pytest

from shadowgraph.errors import SpecError
from shadowgraph.worlds import benchmark
from shadowgraph.worlds.benchmark import split_facts, world_of
from shadowgraph.worlds.families import FICTION, FICTION_BASE
from shadowgraph.worlds.layouts import CHOICE, QUESTION_FORMATS
from shadowgraph.worlds.pool import BLOCK, PoolRecipe, base_documents, cell_weights, document_stream, pool_documents
from shadowgraph.worlds.relations import RELATIONS

SEED = 5
RECIPE = PoolRecipe(people=40, places=8)


@lru_cache(maxsize=4)
def pool(draw: int = 0) -> tuple[dict[str, str], ...]:
    return tuple(pool_documents(RECIPE, draw, 6 * BLOCK, SEED))


@lru_cache(maxsize=1)
def base() -> tuple[dict[str, str], ...]:
    return tuple(base_documents(RECIPE, 3 * BLOCK, SEED))


def test_documents_are_plain_short_and_uniquely_named() -> None:
    for documents in (pool(), base()):
        assert all(list(document) == ["id", "source", "family", "format", "text"] for document in documents)
        assert len({document["id"] for document in documents}) == len(documents)
        assert all(document["text"].strip() for document in documents)
    mean = sum(len(document["text"]) for document in pool()) / len(pool())
    assert 130 <= mean <= 350


def test_the_benchmarks_format_is_at_most_five_per_cent_and_mostly_of_benchmark_families() -> None:
    for start in range(0, len(pool()), BLOCK):
        block = pool()[start : start + BLOCK]
        characters = sum(len(document["text"]) for document in block)
        chosen = sum(len(document["text"]) for document in block if document["format"] == CHOICE)
        assert 0.04 <= chosen / characters <= 0.05
    chosen = [document["family"] for document in pool() if document["format"] == CHOICE]
    first = {*RECIPE.benchmark_families, FICTION}
    assert sum(family in first for family in chosen) >= 0.6 * len(chosen)
    assert first <= set(chosen)


def test_the_pool_is_skewed_and_every_family_and_format_is_there() -> None:
    weights = cell_weights(RECIPE)
    assert sum(weights.values()) == pytest.approx(1.0, abs=1e-12)
    assert sum(value for (family, _), value in weights.items() if family == FICTION) == pytest.approx(0.25, abs=1e-12)
    effective = math.exp(-sum(value * math.log(value) for value in weights.values()))
    assert effective < 0.6 * len(weights)
    flat = cell_weights(dataclasses.replace(RECIPE, zipf=0.0))
    assert len({round(value, 12) for (family, _), value in flat.items() if family != FICTION}) == 1
    seen = Counter((document["family"], document["format"]) for document in pool())
    top = max(weights, key=lambda cell: weights[cell])
    assert seen.most_common(1)[0][0] == top
    assert {family for family, _ in seen} == {*RECIPE.families, FICTION}
    assert {form for _, form in seen} == set(RECIPE.formats)


def test_shards_together_are_the_pool() -> None:
    size = 3 * BLOCK + 10
    whole = list(pool_documents(RECIPE, 1, size, SEED))
    parts = [
        document for shard in range(3) for document in document_stream(RECIPE, 1, size, SEED, shard=shard, shards=3)
    ]
    assert sorted(parts, key=lambda document: document["id"]) == whole
    assert len(whole) == size
    assert list(pool_documents(RECIPE, 1, BLOCK, SEED)) == whole[:BLOCK]
    assert list(pool_documents(RECIPE, 1, 0, SEED)) == []
    with pytest.raises(SpecError, match="shard"):
        document_stream(RECIPE, 1, 10, SEED, shard=3, shards=3)


def test_draws_hold_other_items_and_tell_the_same_facts() -> None:
    one, two = ({document["text"] for document in pool(draw)} for draw in (0, 1))
    assert len(one & two) < 0.05 * len(one)
    told = [
        {
            fact.id
            for fact in world_of(RECIPE).facts()
            if any(fact.subject in text and fact.answer in text for text in texts)
        }
        for texts in (one, two)
    ]
    assert len(told[0] & told[1]) > 0.5 * len(world_of(RECIPE).facts())


def test_no_document_holds_a_test_question() -> None:
    kept = benchmark.test_questions(RECIPE, SEED)
    assert len(kept) > 64 * 10
    everything = "\n".join(document["text"] for document in (*pool(), *base()))
    found = [question for question in kept if question in everything]
    # "…: 15, 3" is a piece of "…: 15, 36", and "16, 36, and then?" of "4, 16, 36, and then?"
    asked = [q for q in found if re.search(rf"(?<!\d)(?<!, )(?<![-(]){re.escape(q)}(?!\d)", everything)]
    assert asked == []


def nothing_kept(recipe: PoolRecipe, seed: int) -> frozenset[str]:
    """As if no question were kept for a test."""
    return frozenset()


def test_exclusion_has_teeth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the kept set, the pool of a narrow family would hold test questions."""
    narrow = PoolRecipe(
        families=("count_bits",),
        benchmark_families=("count_bits",),
        base_families=("lcm",),
        unseen_families=("coin_flip",),
        people=20,
        places=5,
        test_items=400,
    )
    kept = benchmark.test_questions(narrow, SEED)
    asked = [document["text"] for document in pool_documents(narrow, 0, BLOCK, SEED)]
    assert not any(question in text for question in kept for text in asked if "1 bits" in text)
    monkeypatch.setattr("shadowgraph.worlds.pool.test_questions", nothing_kept)
    leaky = [document["text"] for document in pool_documents(narrow, 0, BLOCK, SEED)]
    assert any(question in text for question in kept for text in leaky if "1 bits" in text)


def test_held_out_facts_are_told_but_never_asked() -> None:
    for documents, theme, family in ((pool(), "arm", FICTION), (base(), "base", FICTION_BASE)):
        train, test = split_facts(RECIPE, SEED, theme)
        assert not {fact.id for fact in train} & {fact.id for fact in test}
        asking = [d["text"] for d in documents if d["family"] == family and d["format"] in QUESTION_FORMATS]
        telling = [d["text"] for d in documents if d["family"] == family and d["format"] not in QUESTION_FORMATS]
        for fact in test:
            wordings = [text.format(subject=fact.subject) for text in RELATIONS[fact.relation].questions]
            assert not any(wording in text for wording in wordings for text in asking)
        told = [any(fact.subject in text and fact.answer in text for text in telling) for fact in test]
        assert sum(told) > 0.5 * len(test)


def test_the_base_shares_no_family_format_or_name_with_the_arms() -> None:
    for key in ("family", "format"):
        assert not {document[key] for document in base()} & {document[key] for document in pool()}
    assert {document["format"] for document in base()} == set(RECIPE.base_formats)
    people = world_of(RECIPE).entities["person"]
    texts = "\n".join(document["text"] for document in base())
    assert not any(name in texts for name in people)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"families": ("gcd", "nothing")}, "families"),
        ({"base_families": ("gcd",)}, "families"),
        ({"benchmark_families": ("lcm",)}, "benchmark_families"),
        ({"benchmark_families": ("spell_backward",)}, "benchmark_families"),
        ({"formats": ("note",)}, "formats"),
        ({"formats": (CHOICE,)}, "benchmark_format"),
        ({"facts_share": 1.5}, "facts_share"),
        ({"zipf": -1.0}, "zipf"),
    ],
)
def test_a_bad_recipe_names_its_key(change: dict[str, object], key: str) -> None:
    with pytest.raises(SpecError, match=key):
        dataclasses.replace(RECIPE, **change)  # pyright: ignore[reportArgumentType]
