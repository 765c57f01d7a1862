"""The panel: real and disjoint splits with checked gold."""

from __future__ import annotations

import re
from functools import lru_cache

import pytest

from shadowgraph.errors import SpecError
from shadowgraph.worlds.benchmark import benchmark_items, held_out_items, split_facts, world_of
from shadowgraph.worlds.families import FAMILIES, FICTION, FICTION_BASE
from shadowgraph.worlds.layouts import CHOICE
from shadowgraph.worlds.panel import SPLITS, PanelItem, panel
from shadowgraph.worlds.pool import BLOCK, PoolRecipe, base_documents, pool_documents

SEED = 5
SIZE = 30
RECIPE = PoolRecipe(people=40, places=8, test_items=24)


@lru_cache(maxsize=1)
def made() -> dict[str, list[PanelItem]]:
    return panel(RECIPE, SEED, SIZE)


def gold(item: PanelItem) -> str:
    return item.continuations[item.gold].strip()


def test_every_split_is_full_unique_and_well_formed() -> None:
    assert tuple(made()) == SPLITS
    everything = [item for split in made().values() for item in split]
    assert len({item.id for item in everything}) == len(everything)
    for split, items in made().items():
        assert len(items) == SIZE
        assert {item.split for item in items} == {split}
        for item in items:
            assert len(item.continuations) in (2, 4)
            assert len(set(item.continuations)) == len(item.continuations)
            assert 0 <= item.gold < len(item.continuations)
            assert item.group


def test_benchmark_and_reformatted_ask_the_same_items() -> None:
    assert {item.form for item in made()["benchmark"]} == {CHOICE}
    assert CHOICE not in {item.form for item in made()["reformatted"]}
    assert len({item.form for item in made()["reformatted"]}) == 7
    for plain, other in zip(made()["benchmark"], made()["reformatted"], strict=True):
        assert plain.group == other.group
        assert gold(plain)[3:] == gold(other)
    families = {item.family for item in made()["benchmark"]}
    assert families == {*RECIPE.benchmark_families, FICTION}


def test_benchmark_train_and_test_are_apart() -> None:
    train, test = benchmark_items(RECIPE, SEED)
    assert not {item.question for item in train} & {item.question for item in test}
    assert {item.family for item in train} == {item.family for item in test}
    assert all(item.choices for item in (*train, *test))


def test_composed_answers_follow_from_both_parts() -> None:
    items = {item.id: item for name in RECIPE.benchmark_families for item in held_out_items(RECIPE, name, SEED)}
    told = {fact.id for fact in split_facts(RECIPE, SEED)[0]}
    hops = {hop.item.id: hop for hop in world_of(RECIPE).compositions()}
    kinds = set[str]()
    for asked in made()["composed"]:
        name = asked.id.split("/", 2)[2]
        kinds.add(asked.family)
        if asked.family == FICTION:
            assert {hops[name].first, hops[name].second} <= told
            assert gold(asked) == hops[name].item.answer
        else:
            addend = int(re.findall(r"add (\d+) to it", asked.context)[0])
            inner = items[name.rpartition("+")[0]]
            assert inner.question in asked.context
            assert int(gold(asked)) == int(inner.answer) + addend
            assert asked.group == inner.id
    assert len(kinds) >= 2


def test_recall_asks_told_facts_in_formats_never_trained() -> None:
    told = {fact.id: fact for fact in split_facts(RECIPE, SEED)[0]}
    assert {item.form for item in made()["recall"]} == set(RECIPE.held_out_formats)
    for asked in made()["recall"]:
        fact = told[asked.id.split("/", 2)[2]]
        assert gold(asked) == fact.answer
        assert asked.group == fact.subject
        assert fact.answer not in asked.context


def test_other_and_retained_come_from_their_own_families() -> None:
    assert {item.family for item in made()["other"]} == set(RECIPE.unseen_families)
    own = {name for name in RECIPE.base_families if FAMILIES[name].kind != "open"} | {FICTION_BASE}
    assert {item.family for item in made()["retained"]} == own
    assert {item.form for item in made()["retained"]} == set(RECIPE.base_formats)


def test_no_prompt_occurs_in_a_document() -> None:
    documents = [*pool_documents(RECIPE, 0, 2 * BLOCK, SEED), *base_documents(RECIPE, 2 * BLOCK, SEED)]
    everything = "\n\n".join(document["text"] for document in documents)
    for items in made().values():
        for item in items:
            if item.form not in {"list", "table", "cloze", "story"} or item.family != FICTION:
                assert item.context + item.continuations[item.gold] not in everything


def test_a_shorter_panel_is_a_beginning_and_an_empty_one_is_refused() -> None:
    assert panel(RECIPE, SEED, 7) == {split: items[:7] for split, items in made().items()}
    assert panel(RECIPE, SEED + 1, 7) != panel(RECIPE, SEED, 7)
    with pytest.raises(SpecError, match="items_per_split"):
        panel(RECIPE, SEED, 0)
