"""Regimes: which documents of a pool an arm is trained on, at one token budget.

Here live: the regime itself, the way from a rule to packed sequences, the order of presentation.
Not here: the rules (`rules`), the ground they stand on (`ground`), scores (`target`), the budget (`budget`), what a
regime looks like from outside (`balance`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.budget import Fill, pack, positions, turns_of
from shadowgraph.corpus.ground import Ground
from shadowgraph.corpus.rules.presented import backwards, edited, rejoined
from shadowgraph.corpus.rules.table import RULES
from shadowgraph.errors import DataError
from shadowgraph.spec.corpus import CorpusArm, corpus_arm
from shadowgraph.spec.material import Arm

__all__ = ["Ground", "Regime", "build_regime"]


@dataclass(frozen=True, slots=True)
class Regime:
    """The training set of one arm in one draw.

    Attributes:
        arm: the arm's name.
        chosen: documents and tokens taken, in training order.
        sequences: (N, L) packed token ids.
        supervised: (N, L) whether a token counts in the loss; None when all do.
    """

    arm: str
    chosen: Fill
    sequences: NDArray[np.uint16]
    supervised: NDArray[np.bool_] | None = None

    @property
    def fingerprint(self) -> str:
        """Identity of the ordered contents: arm, tokens, document bounds, loss."""
        digest = hashlib.sha256(f"{self.arm}\x1f{self.sequences.dtype.str}\x1f{self.sequences.shape}".encode())
        for part in (self.sequences, self.chosen.owners, self.chosen.taken, self.supervised):
            digest.update(b"\x1f" if part is None else np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()[:16]

    @property
    def document_ids(self) -> NDArray[np.uint32]:
        """(N, L) number of the training document of every token, from 0 in training order, for attention masks."""
        return np.repeat(self.chosen.owners, self.chosen.taken).astype(np.uint32).reshape(self.sequences.shape)

    @property
    def supervised_tokens(self) -> int:
        """Tokens that count in the loss."""
        return int(self.sequences.size if self.supervised is None else self.supervised.sum())

    def __repr__(self) -> str:
        """One line: arm, documents, tokens."""
        return f"Regime({self.arm}: {len(self.chosen.documents)} documents, {self.chosen.tokens} tokens)"


def build_regime(arm: Arm | CorpusArm, ground: Ground, others: Mapping[str, CorpusArm] | None = None) -> Regime:
    """Choose documents by the arm's rule until the budget is full to the token, and pack them.

    Args:
        arm: the rule and its options.
        ground: pool, budget and seed; two arms of a draw share it.
        others: arms by name, for an arm that is derived from another.

    Raises:
        DataError: when the pool holds too few tokens for the rule, or the arm it is derived from is not given.
    """
    rule = corpus_arm(arm)
    parent = rule
    if rule.regime not in RULES:
        if rule.of is None or others is None or rule.of not in others:
            raise DataError(f"the arm {rule.of!r} that it is made of is not given", where=rule.name)
        parent = others[rule.of]
    chosen = RULES[parent.regime](parent, ground)
    if rule.regime == "shuffled_answers":
        chosen = rejoined(chosen, ground, rule.name)
    arranged = _arrange(chosen, ground, rule, parent)
    sequences = edited(rule, arranged, ground, pack(ground.pool, arranged, ground.length))
    return Regime(rule.name, arranged, sequences, _supervised(rule, arranged, ground, sequences))


def _arrange(chosen: Fill, ground: Ground, arm: CorpusArm, parent: CorpusArm) -> Fill:
    """Shuffle the training documents, each repeat on its own, so that the rule of choice leaves no order.

    Repeats may be asked to stand side by side or within one batch; a blocked arm goes source by source.
    """
    owners = chosen.owners
    heads = np.flatnonzero(np.diff(owners, prepend=-1))
    first = chosen.documents[heads]
    turns = turns_of(first)
    names = [f"{ground.pool.ids[d]}#{turn}" for d, turn in zip(first.tolist(), turns.tolist(), strict=True)]
    key = ground.keyed("arrange", names)
    if parent.regime == "repeated" and parent.spacing != "spread":
        start = ground.keyed("arrange", [f"{ground.pool.ids[d]}#0" for d in first.tolist()])
        window = ground.batch * ground.length / ground.budget
        key = start + (key * window if parent.spacing == "batch" else turns * 1e-12)
    order = np.argsort(key, kind="stable")
    if arm.regime == "blocked":
        labels = ground.pool.families if ground.sources is None else ground.sources
        kinds = sorted({labels[d] for d in first.tolist()})
        place = dict(zip(kinds, ground.keyed("blocks", kinds).tolist(), strict=True))
        order = np.lexsort((key, np.array([place[labels[d]] for d in first.tolist()])))
    if chosen.entries is None:
        starts = None if chosen.starts is None else chosen.starts[order]
        return Fill(chosen.documents[order], chosen.taken[order], starts)
    counts = np.diff(np.append(heads, len(owners)))
    ends = np.cumsum(counts[order])
    rows = np.arange(ends[-1]) + np.repeat(heads[order] - (ends - counts[order]), counts[order])
    owner = np.repeat(np.arange(len(order)), counts[order])
    return Fill(chosen.documents[rows], chosen.taken[rows], chosen.begins[rows], owner)


def _supervised(
    arm: CorpusArm, arranged: Fill, ground: Ground, sequences: NDArray[np.uint16]
) -> NDArray[np.bool_] | None:
    """Which tokens count in the loss: those behind each document's prompt, images never; the last leave when too many.

    Args:
        arm: the arm.
        arranged: what is taken, in training order.
        ground: the ground.
        sequences: (N, L) the tokens as the arm presents them.

    Returns:
        (N, L) whether a token counts; None when all do.
    """
    if ground.prompts is None and ground.supervised is None and ground.pictures is None:
        return None
    if ground.prompts is None:
        mask = np.ones(arranged.tokens, bool)
    else:
        own = positions(ground.pool, arranged) - np.repeat(ground.pool.offsets[arranged.documents], arranged.taken)
        mask = own >= np.repeat(ground.prompts[arranged.documents], arranged.taken)
    if arm.regime == "reversed":
        mask = mask[backwards(arranged, ground)]
    if ground.pictures is not None:
        mask &= sequences.ravel() != ground.pictures.token
    if ground.supervised is not None:
        inside = np.flatnonzero(mask)
        mask[inside[ground.supervised :]] = False
    return mask.reshape(-1, ground.length)
