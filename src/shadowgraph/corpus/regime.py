"""Regimes: which documents of a pool an arm is trained on, at one token budget.

Here live: the rule of every regime and the regime itself.
Not here: scores of alignment (`target`), the budget (`budget`), what a regime looks like from outside (`balance`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.budget import Fill, fill, join, pack
from shadowgraph.corpus.tokens import TokenPool
from shadowgraph.errors import DataError
from shadowgraph.identity import fingerprint
from shadowgraph.seeds import keyed_uniform
from shadowgraph.spec.study import Arm


@dataclass(frozen=True, slots=True)
class Regime:
    """The training set of one arm in one draw.

    Attributes:
        arm: the arm's name.
        chosen: documents and tokens taken, in training order.
        sequences: (N, L) packed token ids.
    """

    arm: str
    chosen: Fill
    sequences: NDArray[np.uint16]

    @property
    def fingerprint(self) -> str:
        """Identity of the ordered contents."""
        return fingerprint({"arm": self.arm, "sequences": self.sequences.tobytes().hex()})

    def __repr__(self) -> str:
        """One line: arm, documents, tokens."""
        return f"Regime({self.arm}: {len(self.chosen.documents)} documents, {self.chosen.tokens} tokens)"


@dataclass(frozen=True, slots=True)
class Ground:
    """What every regime of one draw shares: pool, alignment scores (n,), budget, sequence length, seed and draw."""

    pool: TokenPool
    alignment: NDArray[np.float64]
    budget: int
    length: int
    seed: int
    draw: int

    def uniform(self, label: str) -> NDArray[np.float64]:
        """One number in (0, 1) for each document, the same in any order of the pool."""
        return keyed_uniform(self.seed, f"{label}/draw-{self.draw}", self.pool.ids)


def build_regime(arm: Arm, ground: Ground) -> Regime:
    """Choose documents by the arm's rule until the budget is full to the token, and pack them.

    Args:
        arm: the rule and its options.
        ground: pool, budget and seed; two arms of a draw share it.

    Raises:
        DataError: when the pool holds too few tokens for the rule.
    """
    chosen = _RULES[arm.regime](arm, ground)
    arranged = _arrange(chosen, ground)
    return Regime(arm.name, arranged, pack(ground.pool, arranged, ground.length))


def _random(arm: Arm, ground: Ground) -> Fill:
    """Follow the pool: documents in random order."""
    return fill(np.argsort(ground.uniform("random")), ground.pool.lengths, ground.budget, arm.name)


def _aligned(arm: Arm, ground: Ground) -> Fill:
    """Resample towards the target: score / temperature plus Gumbel noise, best first."""
    return fill(_aligned_order(arm, ground), ground.pool.lengths, ground.budget, arm.name)


def _aligned_order(arm: Arm, ground: Ground) -> NDArray[np.int64]:
    """Order documents by Gumbel top-k (Kool et al. 2019, arXiv 1903.06059); temperature 0 is the hard top."""
    score = ground.alignment / ground.alignment.std()
    noise = -np.log(-np.log(ground.uniform("aligned")))
    return np.argsort(-(score + arm.temperature * noise), kind="stable")


def _covering(arm: Arm, ground: Ground) -> Fill:
    """Flatten the pool: every family x format gets equal tokens until it is used up.

    Inside a stratum the order is random; taking documents by the tokens their stratum has given so far fills all
    strata at one pace, so that a small stratum ends and the others share what it leaves.
    """
    strata = np.unique(
        np.array([f"{a}\x1f{b}" for a, b in zip(ground.pool.families, ground.pool.formats, strict=True)]),
        return_inverse=True,
    )[1]
    key = ground.uniform("covering")
    order = np.lexsort((key, strata))
    lengths = ground.pool.lengths[order]
    before = np.cumsum(lengths) - lengths
    first = np.flatnonzero(np.diff(strata[order], prepend=-1))
    before -= np.repeat(before[first], np.diff(np.append(first, len(order))))
    pace = np.lexsort((key[order], before))
    return fill(order[pace], ground.pool.lengths, ground.budget, arm.name)


def _repeated(arm: Arm, ground: Ground) -> Fill:
    """Random documents, and a share of tokens that is a few further documents over and over, new ones each draw."""
    if arm.share is None or arm.documents is None:
        raise DataError("a repeated arm needs share and documents", where=arm.name)
    repeated = round(arm.share * ground.budget)
    order = np.argsort(ground.uniform("random"))
    background = fill(order, ground.pool.lengths, ground.budget - repeated, arm.name)
    few = order[len(background.documents) : len(background.documents) + arm.documents]
    cycles = -(-repeated // max(1, int(ground.pool.lengths[few].sum())))
    return join([background, fill(np.tile(few, cycles), ground.pool.lengths, repeated, arm.name)])


def _blend(arm: Arm, ground: Ground) -> Fill:
    """A share of aligned tokens, the rest random documents that are not among them."""
    if arm.share is None:
        raise DataError("a blended arm needs share", where=arm.name)
    aligned = round(arm.share * ground.budget)
    first = fill(_aligned_order(arm, ground), ground.pool.lengths, aligned, arm.name)
    order = np.argsort(ground.uniform("random"))
    rest = order[~np.isin(order, first.documents)]
    return join([first, fill(rest, ground.pool.lengths, ground.budget - aligned, arm.name)])


_RULES: dict[str, Callable[[Arm, Ground], Fill]] = {
    "aligned": _aligned,
    "covering": _covering,
    "random": _random,
    "repeated": _repeated,
    "blend": _blend,
}


def _arrange(chosen: Fill, ground: Ground) -> Fill:
    """Shuffle the chosen documents, each repeat on its own, so that the rule of choice leaves no order."""
    seen: dict[int, int] = {}
    names: list[str] = []
    for document in chosen.documents.tolist():
        turn = seen.get(document, 0)
        seen[document] = turn + 1
        names.append(f"{ground.pool.ids[document]}#{turn}")
    order = np.argsort(keyed_uniform(ground.seed, f"arrange/draw-{ground.draw}", names))
    return Fill(chosen.documents[order], chosen.taken[order])
