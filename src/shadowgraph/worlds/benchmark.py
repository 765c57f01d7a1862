"""The benchmark and everything kept apart for tests.

Here live: train and test items of the benchmark, the held-out items of every family, the held-out facts, and the texts
no pool may contain.
Not here: documents (see `pool`) and prompts (see `panel`).
"""

from __future__ import annotations

from functools import lru_cache

from shadowgraph.errors import SpecError
from shadowgraph.seeds import derive, generator, keyed_uniform
from shadowgraph.worlds.families import FAMILIES
from shadowgraph.worlds.fiction import FictionalWorld
from shadowgraph.worlds.item import Item
from shadowgraph.worlds.reasoning import FamilySource
from shadowgraph.worlds.recipe import PoolRecipe

_SEARCH = 20


@lru_cache(maxsize=8)
def world_of(recipe: PoolRecipe, theme: str = "arm") -> FictionalWorld:
    """The fictional world of the arms ("arm") or of the base ("base"); the same for every draw."""
    return FictionalWorld(recipe.world, recipe.people, recipe.places, theme)


@lru_cache(maxsize=256)
def held_out_items(recipe: PoolRecipe, family: str, seed: int) -> tuple[Item, ...]:
    """The held-out items of a family: `recipe.test_items` different questions, or fewer when the family has fewer."""
    source = FamilySource(family, derive(seed, "test"))
    found: dict[str, Item] = {}
    for index in range(recipe.test_items * _SEARCH):
        item = source.item(index)
        found.setdefault(item.question, item)
        if len(found) == recipe.test_items:
            break
    return tuple(found.values())


@lru_cache(maxsize=32)
def split_facts(recipe: PoolRecipe, seed: int, theme: str = "arm") -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Facts for training and facts for the test, by a keyed draw on the fact's id.

    Test facts are told in pools, but never in a format that asks a question; so the benchmark's question is new while
    its answer could be known.

    Raises:
        SpecError: when one of the two sides is empty.
    """
    facts = world_of(recipe, theme).facts()
    chance = keyed_uniform(seed, "test-facts", [fact.id for fact in facts])
    train = tuple(fact for fact, value in zip(facts, chance, strict=True) if value >= recipe.test_facts_share)
    test = tuple(fact for fact, value in zip(facts, chance, strict=True) if value < recipe.test_facts_share)
    if not train or not test:
        raise SpecError("no fact is left for training or for the test", where="test_facts_share, people")
    return train, test


def shuffled(items: tuple[Item, ...], seed: int, *label: str) -> tuple[Item, ...]:
    """The items in a seeded random order."""
    return tuple(items[int(index)] for index in generator(seed, "shuffle", *label).permutation(len(items)))


def interleave(groups: list[tuple[Item, ...]]) -> tuple[Item, ...]:
    """One of each group in turn, until all groups are used up; so a beginning of any length is balanced."""
    longest = max((len(group) for group in groups), default=0)
    return tuple(group[index] for index in range(longest) for group in groups if index < len(group))


@lru_cache(maxsize=8)
def benchmark_items(recipe: PoolRecipe, seed: int) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Train and test items of the benchmark, families and facts in turn; no question occurs in both.

    Returns:
        (train, test); every item has choices.
    """
    train_facts, test_facts = split_facts(recipe, seed)
    kept = test_questions(recipe, seed)
    train: list[tuple[Item, ...]] = []
    for family in recipe.benchmark_families:
        source = FamilySource(family, derive(seed, "benchmark-train"))
        candidates = (source.item(index) for index in range(recipe.test_items))
        train.append(tuple(item for item in candidates if item.question not in kept))
    train.append(shuffled(train_facts, seed, "train-facts")[: recipe.test_items])
    test = [held_out_items(recipe, family, seed) for family in recipe.benchmark_families]
    test.append(shuffled(test_facts, seed, "test-facts")[: recipe.test_items])
    return interleave(train), interleave(test)


@lru_cache(maxsize=8)
def test_questions(recipe: PoolRecipe, seed: int) -> frozenset[str]:
    """Every question kept for a test: of reasoning families and of held-out facts of both worlds.

    No document of a pool or of the base holds one of these as its item's question.
    """
    families = (*recipe.families, *recipe.base_families, *recipe.unseen_families)
    questions = {
        item.question
        for family in families
        if FAMILIES[family].kind != "open"
        for item in held_out_items(recipe, family, seed)
    }
    for theme in ("arm", "base"):
        questions.update(fact.question for fact in split_facts(recipe, seed, theme)[1])
    return frozenset(questions)
