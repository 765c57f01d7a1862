"""The token budget: documents are taken in order until it is full to the token.

Here live: filling a budget and packing tokens into sequences.
Not here: the order of documents (`regime`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.tokens import TokenPool
from shadowgraph.errors import DataError


@dataclass(frozen=True, slots=True)
class Fill:
    """Documents that fill a budget exactly.

    Attributes:
        documents: (k,) indices into the pool, in the order they were taken; repeats are allowed.
        taken: (k,) tokens taken of each; only the last one may be cut.
    """

    documents: NDArray[np.int64]
    taken: NDArray[np.int64]

    @property
    def tokens(self) -> int:
        """Tokens in all."""
        return int(self.taken.sum())


def fill(order: NDArray[np.int64], lengths: NDArray[np.int64], budget: int, where: str) -> Fill:
    """Take documents in `order` until exactly `budget` tokens are taken; the last one is cut.

    Args:
        order: (j,) document indices, best first.
        lengths: (n,) tokens of every document of the pool.
        budget: tokens wanted, above 0.
        where: name of the arm, for the message.

    Raises:
        DataError: when the documents in `order` hold fewer tokens than the budget.
    """
    sizes = lengths[order]
    total = np.cumsum(sizes)
    if not len(order) or total[-1] < budget:
        held = int(total[-1]) if len(order) else 0
        raise DataError(
            f"the pool holds {held} tokens for this arm and the budget is {budget}",
            where=where,
            hint="enlarge pool.documents or train fewer steps; nothing is repeated silently",
        )
    count = int(np.searchsorted(total, budget)) + 1
    taken = sizes[:count].copy()
    taken[-1] -= int(total[count - 1]) - budget
    return Fill(order[:count], taken)


def join(parts: Sequence[Fill]) -> Fill:
    """Put fills one after another."""
    return Fill(np.concatenate([part.documents for part in parts]), np.concatenate([part.taken for part in parts]))


def pack(pool: TokenPool, chosen: Fill, length: int) -> NDArray[np.uint16]:
    """Concatenate the chosen documents and cut them into sequences, no padding, nothing dropped.

    Args:
        pool: the pool the fill points into.
        chosen: a fill whose tokens are a multiple of `length`.
        length: L, tokens of one sequence.

    Returns:
        (N, L) token ids with N·L = chosen.tokens.
    """
    starts = pool.offsets[chosen.documents]
    ends = np.cumsum(chosen.taken)
    position = np.arange(chosen.tokens, dtype=np.int64)
    position += np.repeat(starts - (ends - chosen.taken), chosen.taken)
    return pool.tokens[position].reshape(-1, length)
