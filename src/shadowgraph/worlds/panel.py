"""The panel: prompts with gold, in six splits, none of which occurs in any training document.

Here live: the splits benchmark, reformatted, composed, recall, other and retained.
Not here: a model or a score (see `scores`), and what is kept for tests (see `benchmark`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from shadowgraph.errors import SpecError
from shadowgraph.identity import fingerprint
from shadowgraph.seeds import generator
from shadowgraph.worlds.benchmark import (
    benchmark_items,
    held_out_items,
    interleave,
    shuffled,
    split_facts,
    test_questions,
    world_of,
)
from shadowgraph.worlds.distractors import numeric_distractors
from shadowgraph.worlds.families import FAMILIES
from shadowgraph.worlds.formats import prompt
from shadowgraph.worlds.item import Item, place_gold
from shadowgraph.worlds.recipe import PoolRecipe

__all__ = ["SPLITS", "PanelItem", "benchmark_items", "panel", "test_questions"]

SPLITS: tuple[str, ...] = ("benchmark", "reformatted", "composed", "recall", "other", "retained")

_LARGEST_ADDEND = 9


@dataclass(frozen=True, slots=True, repr=False)
class PanelItem:
    """One prompt to score.

    Attributes:
        id: unique in the panel.
        split: one of SPLITS.
        family: family of the item.
        group: cluster for resampling: the subject of a fact, else the item; an item and its reformatted or composed
            twin share it.
        context: text before the answer, without a final space.
        continuations: candidate answers, each with a leading space.
        gold: index of the right one.
        form: format of the prompt.
    """

    id: str
    split: str
    family: str
    group: str
    context: str
    continuations: tuple[str, ...]
    gold: int
    form: str = ""

    def __repr__(self) -> str:
        """One line."""
        return f"PanelItem({self.id!r}, {self.continuations[self.gold]!r} of {len(self.continuations)})"

    @property
    def fingerprint(self) -> str:
        """Digest of all fields."""
        return fingerprint(self)


@dataclass(frozen=True, slots=True)
class _Ask:
    item: Item
    form: str
    group: str


def panel(recipe: PoolRecipe, seed: int, items_per_split: int) -> dict[str, list[PanelItem]]:
    """Build every split.

    benchmark: test items in the benchmark's format. reformatted: the same items in the pool's other formats. composed:
    the answer of one question is the input of the next (two-hop facts, and "take the answer and add k"). recall: facts
    that pools tell, in formats never trained. other: families in nobody's training. retained: held-out items of the
    base's families, and held-out facts of the base's world, in the base's formats.

    Args:
        recipe: what the pool is made of.
        seed: the study's seed, the same as for the pool.
        items_per_split: largest number of prompts a split; families take turns.

    Returns:
        The splits in the order of SPLITS.

    Raises:
        SpecError: when fewer than one item a split is asked for.
    """
    if items_per_split < 1:
        raise SpecError(f"{items_per_split} items a split", where="items_per_split", hint="give at least 1")
    makers: dict[str, Callable[[PoolRecipe, int], list[_Ask]]] = {
        "benchmark": _benchmark,
        "reformatted": _reformatted,
        "composed": _composed,
        "recall": _recall,
        "other": _other,
        "retained": _retained,
    }
    return {
        split: [_pose(split, ask, seed) for ask in make(recipe, seed)[:items_per_split]]
        for split, make in makers.items()
    }


def _pose(split: str, ask: _Ask, seed: int) -> PanelItem:
    posed = prompt(ask.item, ask.form, generator(seed, "panel", split, ask.item.id))
    name = f"{split}/{ask.form}/{ask.item.id}"
    return PanelItem(name, split, ask.item.family, ask.group, posed.context, posed.continuations, posed.gold, ask.form)


def _group(item: Item) -> str:
    return item.subject or item.id


def _benchmark(recipe: PoolRecipe, seed: int) -> list[_Ask]:
    return [_Ask(item, recipe.benchmark_format, _group(item)) for item in benchmark_items(recipe, seed)[1]]


def _cycle(items: tuple[Item, ...], forms: tuple[str, ...]) -> list[_Ask]:
    """Give the items formats in turn; each round starts one format later, so that families meet all formats."""
    count = len(forms)
    return [_Ask(item, forms[(index + index // count) % count], _group(item)) for index, item in enumerate(items)]


def _reformatted(recipe: PoolRecipe, seed: int) -> list[_Ask]:
    forms = tuple(form for form in recipe.formats if form != recipe.benchmark_format)
    return _cycle(benchmark_items(recipe, seed)[1], forms)


def _recall(recipe: PoolRecipe, seed: int) -> list[_Ask]:
    return _cycle(shuffled(split_facts(recipe, seed)[0], seed, "recall"), recipe.held_out_formats)


def _other(recipe: PoolRecipe, seed: int) -> list[_Ask]:
    families = [family for family in recipe.unseen_families if FAMILIES[family].kind != "open"]
    items = interleave([held_out_items(recipe, family, seed) for family in families])
    return [_Ask(item, "question_answer", _group(item)) for item in items]


def _retained(recipe: PoolRecipe, seed: int) -> list[_Ask]:
    families = [family for family in recipe.base_families if FAMILIES[family].kind != "open"]
    groups = [_cycle(held_out_items(recipe, family, seed), recipe.base_formats) for family in families]
    if "exam_paper" in recipe.base_formats:
        facts = shuffled(split_facts(recipe, seed, "base")[1], seed, "retained")
        groups.append([_Ask(fact, "exam_paper", _group(fact)) for fact in facts])
    longest = max((len(group) for group in groups), default=0)
    return [group[index] for index in range(longest) for group in groups if index < len(group)]


def _composed(recipe: PoolRecipe, seed: int) -> list[_Ask]:
    told = {fact.id for fact in split_facts(recipe, seed)[0]}
    hops = tuple(hop.item for hop in world_of(recipe).compositions() if hop.first in told and hop.second in told)
    numeric = [family for family in recipe.benchmark_families if FAMILIES[family].kind == "numeric"]
    sums = interleave([held_out_items(recipe, family, seed) for family in numeric])
    added = [_Ask(_add(item, seed), "question_answer", _group(item)) for item in sums]
    joined = [_Ask(item, "question_answer", _group(item)) for item in shuffled(hops, seed, "composed")]
    longest = max(len(added), len(joined))
    return [group[index] for index in range(longest) for group in (added, joined) if index < len(group)]


def _add(item: Item, seed: int) -> Item:
    """Ask for the item's answer plus a number of 1 … 9."""
    stream = generator(seed, "add", item.id)
    addend = 1 + int(stream.random() * _LARGEST_ADDEND)
    answer = str(int(item.answer) + addend)
    wrong = numeric_distractors(answer, FAMILIES[item.family].signed, lambda text: text == answer, stream)
    choices, gold = place_gold(answer, wrong, stream)
    question = f"Take the answer to this question and add {addend} to it: {item.question}"
    return replace(item, id=f"{item.id}+{addend}", question=question, answer=answer, choices=choices, gold=gold)
