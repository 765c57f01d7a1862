"""Whether two runs moved the weights in the same directions, matrix by matrix.

Here lives: `agreement`. Not here: the overlap of one pair of updates (`relation`).
"""

from __future__ import annotations

import numpy as np

from shadowgraph.errors import printable
from shadowgraph.footprint.relation import run_agreement
from shadowgraph.footprint.source import Matrix
from shadowgraph.measures.spectrum import Reading
from shadowgraph.spectra.failure import DecompositionFailure
from shadowgraph.weights.checkpoint import Checkpoint
from shadowgraph.weights.pairing import Update, pair
from shadowgraph.work.threads import one_thread


def agreement(before: Checkpoint, first: Checkpoint, second: Checkpoint) -> dict[str, dict[str, Reading]]:
    """Overlap of the leading directions of two updates of one base; two differences are in memory at a time.

    Args:
        before: the base of both.
        first: one model.
        second: the other.

    Returns:
        Printable name of a block linear matrix → "run_overlap_left" and "run_overlap_right", 1 for the same subspace, 0
        for unrelated ones; "non_finite" and "not_converged" where they cannot be had.

    Raises:
        CheckpointError: a model does not correspond to the base.
    """
    other = {update.after.identity: update for update in pair(before, second).updates}
    found: dict[str, dict[str, Reading]] = {}
    with one_thread():
        for update in pair(before, first).updates:
            partner = other.get(update.after.identity)
            if partner is not None and update.role.is_block_linear:
                found[printable(update.after.name)] = _overlap(update, partner)
    return found


def _overlap(one: Update, other: Update) -> dict[str, Reading]:
    differences: tuple[Matrix, Matrix] = (one.difference(), other.difference())
    keys = ("run_overlap_left", "run_overlap_right")
    if not all(np.isfinite(each).all() for each in differences):
        return dict.fromkeys(keys, Reading(None, "non_finite"))
    try:
        return run_agreement(*differences)
    except DecompositionFailure:
        return dict.fromkeys(keys, Reading(None, "not_converged"))
