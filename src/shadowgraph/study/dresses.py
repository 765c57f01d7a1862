"""The benchmark of a study in other dresses: the same items told as nobody, somebody or only the benchmark tells them.

Here live: the dresses, and how each is made from the items of the embedded world.
Not here: the rules (`scores.counterparts`), the formats (`worlds.layouts`), scoring and tables (`counterparts`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shadowgraph.scores.counterparts.rule import Declined, dressed
from shadowgraph.scores.counterparts.table import RULES
from shadowgraph.scores.question import from_item
from shadowgraph.seeds import generator
from shadowgraph.worlds.benchmark import benchmark_items
from shadowgraph.worlds.formats import prompt
from shadowgraph.worlds.item import Item
from shadowgraph.worlds.recipe import PoolRecipe

TRAINED = "trained"
CHANGES = {
    TRAINED: "nothing: the format of the benchmark, as its documents tell it",
    "pool": "the format: one that the pool tells other documents in",
    "unseen": "the format: one that no arm was trained on",
}


@dataclass(frozen=True, slots=True)
class Dress:
    """One way of telling the benchmark's items.

    Attributes:
        name: the split it becomes.
        distance: "trained" (the benchmark's own format), "near" and "far" (rules, see `scores.counterparts`), "pool"
            (other formats of the pool, which arms trained on with other items), "unseen" (formats of no training).
        changes: one clause: what it changes.
        rows: the items, as rows of a suite.
        declined: how many items it does not fit, by reason.
    """

    name: str
    distance: str
    changes: str
    rows: tuple[dict[str, Any], ...]
    declined: dict[str, int]


def dresses_of(recipe: PoolRecipe, seed: int, items: int) -> list[Dress]:
    """Tell the first test items of the benchmark in every dress; a dress that fits no item is left out.

    Args:
        recipe: what the pool is made of.
        seed: the study's seed.
        items: how many items, at most; families take turns.

    Returns:
        The dress the benchmark was trained in first; then near, far, pool and unseen ones.
    """
    chosen = benchmark_items(recipe, seed)[1][:items]
    told = recipe.benchmark_format
    pool = tuple(form for form in recipe.formats if form != told)
    found = [_formatted(TRAINED, TRAINED, told, chosen, seed)]
    found += [_ruled(name, chosen, seed) for name in sorted(RULES, key=lambda name: RULES[name].distance != "near")]
    found += [_formatted(f"pool_{form}", "pool", form, chosen, seed) for form in pool]
    found += [_formatted(f"unseen_{form}", "unseen", form, chosen, seed) for form in recipe.held_out_formats]
    return [dress for dress in found if dress.rows]


def _formatted(name: str, distance: str, form: str, items: Sequence[Item], seed: int) -> Dress:
    """The items in a format of the world."""
    rows: list[dict[str, Any]] = []
    for item in items:
        posed = prompt(item, form, generator(seed, "dress", name, item.id))
        rows.append(
            {
                "id": f"{item.id}#{name}",
                "family": item.family,
                "group": item.subject or item.id,
                "context": posed.context,
                "continuations": list(posed.continuations),
                "gold": posed.gold,
                "form": form,
                "source": item.id,
            }
        )
    return Dress(name, distance, CHANGES[distance], tuple(rows), {})


def _ruled(name: str, items: Sequence[Item], seed: int) -> Dress:
    """The items dressed by a rule, those it declines counted."""
    rule = RULES[name]
    rows: list[dict[str, Any]] = []
    declined: Counter[str] = Counter()
    for item in items:
        found = dressed(rule, from_item(item), seed)
        if isinstance(found, Declined):
            declined[found.reason] += 1
        else:
            rows.append(found.row())
    return Dress(f"{rule.distance}_{name}", rule.distance, rule.changes, tuple(rows), dict(sorted(declined.items())))
