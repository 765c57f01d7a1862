"""The fictional world: disjoint names and relations, sound facts and compositions."""

from __future__ import annotations

import pytest

from shadowgraph.errors import SpecError
from shadowgraph.worlds.fiction import FictionalWorld, made_up_name
from shadowgraph.worlds.relations import ARM_THEME, BASE_THEME, RELATIONS


def names(world: FictionalWorld) -> set[str]:
    return {name for group in world.entities.values() for name in group}


def test_worlds_of_other_seeds_and_themes_share_no_name() -> None:
    worlds = [FictionalWorld(seed, 300, 60, theme) for seed in (0, 1, 127) for theme in ("arm", "base")]
    assert sum(len(names(world)) for world in worlds) == len(set().union(*(names(world) for world in worlds)))


def test_names_are_a_bijection() -> None:
    assert len({made_up_name(number) for number in range(1 << 18)}) == 1 << 18


def test_the_themes_share_neither_relations_nor_labels_nor_values() -> None:
    assert len(RELATIONS) == len(ARM_THEME) + len(BASE_THEME)
    assert not {r.label for r in ARM_THEME} & {r.label for r in BASE_THEME}
    arm, base = ({value for r in theme for value in r.values} for theme in (ARM_THEME, BASE_THEME))
    assert not {value.lower() for value in arm - {"marbles"}} & {value.lower() for value in base}
    for theme in (ARM_THEME, BASE_THEME):
        assert sum(r.subject_kind == "person" for r in theme) >= 8
        for relation in theme:
            assert all("{subject}" in text for text in (*relation.questions, *relation.stems))
            assert all(stem.startswith("{subject}") for stem in relation.stems)
            assert bool(relation.values) != bool(relation.entity)


def test_every_fact_is_answered_once_with_four_choices() -> None:
    world = FictionalWorld(3, 30, 8)
    facts = world.facts()
    assert len({(fact.subject, fact.relation) for fact in facts}) == len(facts) == 30 * 8 + 8 * 2
    assert len({fact.question for fact in facts}) == len(facts)
    for fact in facts:
        assert len(set(fact.choices)) == 4
        assert fact.choices[fact.gold] == fact.answer != fact.subject
        assert fact.subject not in fact.choices


def test_a_composition_goes_through_its_two_facts() -> None:
    world = FictionalWorld(3, 12, 5)
    by_id = {fact.id: fact for fact in world.facts()}
    hops = world.compositions()
    assert {len(hop.item.choices) for hop in hops} == {4}
    for hop in hops:
        first, second = by_id[hop.first], by_id[hop.second]
        assert first.answer == second.subject
        assert second.answer == hop.item.answer
        assert first.subject in hop.item.question
        assert first.answer not in hop.item.question


def test_equal_seeds_give_equal_worlds_and_bad_sizes_are_refused() -> None:
    assert FictionalWorld(2, 9, 4).fingerprint == FictionalWorld(2, 9, 4).fingerprint
    assert FictionalWorld(2, 9, 4).fingerprint != FictionalWorld(3, 9, 4).fingerprint
    with pytest.raises(SpecError, match="people"):
        FictionalWorld(0, 3)
    with pytest.raises(SpecError, match="theme"):
        FictionalWorld(0, theme="other")
