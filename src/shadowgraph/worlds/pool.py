"""Streams of documents: the arms' skewed pool and the base's flat one.

Here live: the cells family × format with their weights, and the blocks in which documents are made.
Not here: what is kept for tests (see `benchmark`), tokens and selection (see `corpus`).

Documents come in blocks of 512. A block depends only on (recipe, seed, draw, block number), never on the shard that
makes it, the number of shards, or other blocks. The number of documents asked for only cuts the last block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from shadowgraph.errors import Defect, SpecError
from shadowgraph.seeds import derive, generator
from shadowgraph.worlds.benchmark import split_facts, test_questions, world_of
from shadowgraph.worlds.families import FAMILIES, FICTION, FICTION_BASE
from shadowgraph.worlds.formats import CHOICE, QUESTION_FORMATS, render
from shadowgraph.worlds.item import Item, pick
from shadowgraph.worlds.reasoning import FamilySource
from shadowgraph.worlds.recipe import PoolRecipe

__all__ = ["BLOCK", "PoolRecipe", "base_documents", "cell_weights", "document_stream", "pool_documents"]

BLOCK = 512
"""Documents in a block, the unit of sharding."""

_TRIES = 16
_SLOTS = 4
_ROWS = {"question_answer": 1, "list": 2, "table": 2}
_FACT_ROWS = {"question_answer": 3, "list": 5, "table": 5}


def cell_weights(recipe: PoolRecipe) -> dict[tuple[str, str], float]:
    """Probability of every cell (family, format) outside the benchmark's format.

    Reasoning cells are ordered at random (by `rank_seed`) and weigh rank**-zipf; so do the cells of facts among
    themselves. Facts have `facts_share` in sum, reasoning the rest.
    """
    forms = [form for form in recipe.formats if form != recipe.benchmark_format]
    weights: dict[tuple[str, str], float] = {}
    for label, families, share in (
        ("reasoning", recipe.families, 1.0 - recipe.facts_share),
        ("fiction", (FICTION,), recipe.facts_share),
    ):
        cells = [(family, form) for family in families for form in forms]
        ranks = generator(recipe.rank_seed, "rank", label).permutation(len(cells)) + 1
        mass = ranks.astype(np.float64) ** -recipe.zipf
        weights.update(zip(cells, (mass * (share / mass.sum())).tolist(), strict=True))
    return weights


def pool_documents(recipe: PoolRecipe, draw: int, documents: int, seed: int) -> Iterator[dict[str, str]]:
    """The arms' pool of one draw.

    Args:
        recipe: what the pool is made of.
        draw: number of the draw; different draws hold different reasoning items and re-tell the same facts.
        documents: how many documents.
        seed: the study's seed.

    Yields:
        Documents with the keys id, source, family, format, text.
    """
    return document_stream(recipe, draw, documents, seed)


def base_documents(
    recipe: PoolRecipe, documents: int, seed: int, *, shard: int = 0, shards: int = 1
) -> Iterator[dict[str, str]]:
    """The base's documents: its own families, formats and fictional world, in flat cells.

    All reasoning cells are equally likely, and so are all cells of facts; facts have `facts_share` in sum.

    Args:
        recipe: what the documents are made of.
        documents: how many, over all shards.
        seed: the study's seed.
        shard: which shard, from 0.
        shards: how many shards; block b goes to shard b mod `shards`.

    Returns:
        The shard's documents, made while iterating, with the keys id, source, family, format, text.

    Raises:
        SpecError: when shard or documents are out of range.
    """
    maker = _Maker(recipe, seed, "base", "base")
    return _blocks(maker, documents, shard, shards)


def document_stream(
    recipe: PoolRecipe, draw: int, documents: int, seed: int, *, shard: int = 0, shards: int = 1
) -> Iterator[dict[str, str]]:
    """The blocks of a pool that belong to one shard: block b goes to shard b mod `shards`.

    All shards together hold exactly the documents of `pool_documents`; sorted by id they stand in its order.

    Args:
        recipe: what the pool is made of.
        draw: number of the draw.
        documents: how many, over all shards.
        seed: the study's seed.
        shard: which shard, from 0.
        shards: how many shards.

    Returns:
        The shard's documents, made while iterating, with the keys id, source, family, format, text.

    Raises:
        SpecError: when shard or documents are out of range.
    """
    maker = _Maker(recipe, seed, "arm", f"draw-{draw}")
    return _blocks(maker, documents, shard, shards)


def _blocks(maker: _Maker, documents: int, shard: int, shards: int) -> Iterator[dict[str, str]]:
    if documents < 0 or not 0 <= shard < shards:
        raise SpecError(f"shard {shard} of {shards}, {documents} documents", hint="shards count from 0")

    def stream() -> Iterator[dict[str, str]]:
        for block in range(shard, -(-documents // BLOCK), shards):
            yield from maker.block(block)[: documents - block * BLOCK]

    return stream()


@dataclass(frozen=True, slots=True)
class _Cell:
    family: str
    form: str


class _Maker:
    """Makes the blocks of one pool; holds sources and tables, no state that a block could change."""

    def __init__(self, recipe: PoolRecipe, seed: int, theme: str, name: str) -> None:
        self.recipe, self.seed, self.theme, self.name = recipe, seed, theme, name
        self.arm = theme == "arm"
        families = recipe.families if self.arm else recipe.base_families
        self.fiction = FICTION if self.arm else FICTION_BASE
        weights = cell_weights(recipe) if self.arm else self._flat(families)
        self.cells = [_Cell(*cell) for cell in weights]
        total = np.cumsum(list(weights.values()))
        self.edges = total / total[-1]
        self.sources = {family: FamilySource(family, derive(seed, "pool", name)) for family in families}
        self.kept = test_questions(recipe, seed)
        self.train_facts = split_facts(recipe, seed, theme)[0]
        self.all_facts = world_of(recipe, theme).facts()
        self.kept_facts = frozenset(fact.id for fact in split_facts(recipe, seed, theme)[1])
        self.by_relation: dict[str, list[Item]] = {}
        self.by_subject: dict[str, list[Item]] = {}
        for fact in self.all_facts:
            self.by_relation.setdefault(fact.relation, []).append(fact)
            self.by_subject.setdefault(fact.subject, []).append(fact)
        self.choosers = [family for family in families if FAMILIES[family].kind != "open"]
        self.first = (*recipe.benchmark_families, FICTION)

    def _flat(self, families: tuple[str, ...]) -> dict[tuple[str, str], float]:
        """Equal cells for reasoning; facts share `facts_share` equally over the formats."""
        forms, share = self.recipe.base_formats, self.recipe.facts_share
        cells = {(family, form): (1.0 - share) / (len(families) * len(forms)) for family in families for form in forms}
        return cells | {(FICTION_BASE, form): share / len(forms) for form in forms}

    def block(self, number: int) -> list[dict[str, str]]:
        """All documents of one block, in a random order."""
        stream = generator(self.seed, "block", self.name, str(number))
        share = self.recipe.benchmark_format_share if self.arm else 0.0
        tests = min(BLOCK, int(BLOCK * share * 2))
        cells = [self.cells[int(index)] for index in np.searchsorted(self.edges, stream.random(BLOCK), side="right")]
        made: list[tuple[_Cell, str]] = []
        characters = spent = 0
        for place in range(BLOCK - tests):
            made.append((cells[place], self._document(cells[place], number * BLOCK + place, stream)))
            characters += len(made[-1][1])
        full = False
        for place in range(BLOCK - tests, BLOCK):
            cell = cells[place] if full else self._benchmark_cell(stream)
            text = self._document(cell, number * BLOCK + place, stream)
            if not full and spent + len(text) > share * (characters + spent + len(text)):
                full, cell = True, cells[place]
                text = self._document(cell, number * BLOCK + place, stream)
            if full:
                characters += len(text)
            else:
                spent += len(text)
            made.append((cell, text))
        order = stream.permutation(BLOCK)
        return [self._row(*made[int(index)], number * BLOCK + place) for place, index in enumerate(order)]

    def _row(self, cell: _Cell, text: str, position: int) -> dict[str, str]:
        return {
            "id": f"{self.name}-{position:07d}",
            "source": "fiction" if cell.family == self.fiction else "reasoning",
            "family": cell.family,
            "format": cell.form,
            "text": text,
        }

    def _benchmark_cell(self, stream: np.random.Generator) -> _Cell:
        families = self.first if stream.random() < self.recipe.benchmark_first else (*self.choosers, FICTION)
        return _Cell(pick(families, stream), CHOICE)

    def _document(self, cell: _Cell, index: int, stream: np.random.Generator) -> str:
        if cell.family == self.fiction:
            item = pick(self.train_facts if cell.form in QUESTION_FORMATS else self.all_facts, stream)
            return render(item, cell.form, stream, self._other_facts(item, cell.form, stream))
        item = self._problem(cell, index, 0)
        rows = [self._problem(cell, index, slot + 1) for slot in range(_ROWS.get(cell.form, 0))]
        return render(item, cell.form, stream, rows)

    def _problem(self, cell: _Cell, index: int, slot: int) -> Item:
        source = self.sources[cell.family]
        for attempt in range(_TRIES):
            item = source.item((index * _SLOTS + slot) * _TRIES + attempt, with_choices=cell.form == CHOICE)
            if item.question not in self.kept:
                return item
        raise Defect(f"{_TRIES} items in a row belong to the test", where=f"{cell.family}, document {index}")

    def _other_facts(self, item: Item, form: str, stream: np.random.Generator) -> list[Item]:
        """Facts for further rows: of the same relation in a table, of the same subject elsewhere."""
        rows = _FACT_ROWS.get(form, 0)
        if not rows:
            return []
        candidates = self.by_relation[item.relation] if form == "table" else self.by_subject[item.subject]
        found = {item.id: item}
        for _ in range(rows):
            other = pick(candidates, stream)
            if form not in QUESTION_FORMATS or other.id not in self.kept_facts:
                found.setdefault(other.id, other)
        return list(found.values())[1:]
