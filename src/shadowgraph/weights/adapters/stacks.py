"""Factors of stacked experts: one pair for all experts of a layer, against a base.

Here lives: `expert_updates`.
Not here: pairs of single matrices (`joined`), reading (`products`).
The names do not say which parameter of a module a pair changes where several are changed, nor which way round a stack
lies; both follow from the shapes of the base, and what does not follow is left out with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from shadowgraph.weights.adapters.factored import FactoredUpdate
from shadowgraph.weights.adapters.lookup import Lookup
from shadowgraph.weights.adapters.pairs import Pair
from shadowgraph.weights.adapters.products import OfExpert, Rows
from shadowgraph.weights.adapters.settings import Settings
from shadowgraph.weights.fused import Cut, cut, section
from shadowgraph.weights.matrix import Skipped, WeightMatrix
from shadowgraph.weights.roles import Place

SEVERAL = 3  # parameters of one module; more orders than theirs are not tried


@dataclass(frozen=True, slots=True)
class _Stack:
    """The matrices of one stacked parameter of the base, by expert and part."""

    name: str
    place: Place
    matrices: tuple[tuple[WeightMatrix, ...], ...]
    cut: Cut
    shape: tuple[int, int]

    def turned(self, pair: Pair) -> bool | None:
        """Whether the factors lie the other way round; None where they do not fit or it cannot be told."""
        if pair.kind != "linear" or pair.rank % len(self.matrices) or self.shape[0] == self.shape[1]:
            return None
        if pair.shape == self.shape:
            return False
        return True if pair.shape == self.shape[::-1] else None


def expert_updates(
    pairs: list[Pair], parameters: list[str], lookup: Lookup, settings: Settings
) -> Iterator[FactoredUpdate | Skipped]:
    """The updates of all experts that the pairs of one module make.

    Args:
        pairs: every pair of the module.
        parameters: full names of its parameters that are changed.
        lookup: the base.
        settings: the adapter's configuration.

    Raises:
        CheckpointError: a rank other than the declared one.
    """
    stacks = [_stack(name, lookup) for name in parameters]
    reason = _assigned(pairs, stacks)
    if isinstance(reason, str):
        yield from (Skipped(pair.down.name, reason) for pair in pairs)
        return
    for pair, stack, turned in reason:
        rank = pair.rank // len(stack.matrices)
        scale = settings.scale_for(stack.name, rank)
        for expert, parts in enumerate(stack.matrices):
            for part, matrix in enumerate(parts):
                rows = Rows(stack.cut, part, matrix.shape[0])
                yield FactoredUpdate(
                    *(matrix.tensor, matrix.key, matrix.part, matrix.role, matrix.layer, matrix.expert, matrix.shape),
                    *(rank, scale, pair.dtype, matrix),
                    OfExpert(pair, rows, expert, len(stack.matrices), turned),
                )


def _assigned(pairs: list[Pair], stacks: list[_Stack | None]) -> list[tuple[Pair, _Stack, bool]] | str:
    """Each pair with its stack where the shapes leave one way, else why not."""
    known = [stack for stack in stacks if stack is not None]
    if len(known) != len(stacks) or len(pairs) != len(stacks) or len(stacks) > SEVERAL:
        return f"{len(pairs)} pairs of factors for {len(known)} stacks of experts in the base"
    found: list[list[tuple[Pair, _Stack, bool]]] = []
    for order in permutations(known):
        each = [(pair, stack, stack.turned(pair)) for pair, stack in zip(pairs, order, strict=True)]
        if all(turned is not None for _, _, turned in each):
            found.append([(pair, stack, bool(turned)) for pair, stack, turned in each])
    if len(found) == 1:
        return found[0]
    if found:
        return "stacked experts, and the shapes do not tell which parameter these factors change"
    return "stacked experts, and the shapes of the factors do not tell how they fit those of the base"


def _stack(name: str, lookup: Lookup) -> _Stack | None:
    """The stack of a parameter as the base stores it, in one tensor or one for each expert; None without it."""
    place = lookup.family.place(name)
    if not place.stacked:
        return None
    by_role = [lookup.by_expert.get((role, place.layer), {}) for role in place.roles]
    count = len(by_role[0])
    if not count or any(set(each) != set(range(count)) for each in by_role):
        return None
    matrices = tuple(tuple(each[expert] for each in by_role) for expert in range(count))
    shapes = {tuple(matrix.shape for matrix in parts) for parts in matrices}
    first = matrices[0]
    rows, columns = sum(matrix.shape[0] for matrix in first), {matrix.shape[1] for matrix in first}
    tower: Any = section(lookup.base.config, place.roles[0].tower)
    layout = cut(place.rule, rows, len(place.roles), tower)
    fits = layout is not None and tuple(layout.rows(part) for part in range(len(first))) == tuple(
        matrix.shape[0] for matrix in first
    )
    if layout is None or not fits or len(shapes) > 1 or len(columns) > 1:
        return None
    return _Stack(name, place, matrices, layout, (rows, columns.pop()))
