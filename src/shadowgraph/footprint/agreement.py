"""Whether two runs moved the weights in the same directions, matrix by matrix.

Here lives: `agreement`. Not here: the overlap of one pair of updates (`relation`).
"""

from __future__ import annotations

import numpy as np

from shadowgraph.errors import DataError, Defect, printable
from shadowgraph.footprint.product import Product
from shadowgraph.footprint.relation import run_agreement
from shadowgraph.footprint.source import Matrix
from shadowgraph.measures.spectrum import Reading
from shadowgraph.spectra.failure import DecompositionFailure
from shadowgraph.weights.adapters.adapter import Adapter
from shadowgraph.weights.adapters.factored import FactoredUpdate
from shadowgraph.weights.checkpoint import Checkpoint
from shadowgraph.weights.pairing import Update, pair
from shadowgraph.work.threads import one_thread


def agreement(
    before: Checkpoint | None, first: Checkpoint | Adapter, second: Checkpoint | Adapter
) -> dict[str, dict[str, Reading]]:
    """Overlap of the leading directions of two updates of one base; two differences are in memory at a time.

    Args:
        before: the base of both; adapters are updates without one too.
        first: one model, or an adapter.
        second: the other.

    Returns:
        Printable name of a block linear matrix → "run_overlap_left" and "run_overlap_right", 1 for the same subspace, 0
        for unrelated ones; "non_finite" and "not_converged" where they cannot be had.

    Raises:
        CheckpointError: a model does not correspond to the base.
        Defect: a model that is no adapter, without a base.
    """
    other = _updates(before, second)
    found: dict[str, dict[str, Reading]] = {}
    with one_thread():
        for identity, update in _updates(before, first).items():
            partner = other.get(identity)
            if partner is not None and update.role.is_block_linear and update.shape == partner.shape:
                found[_name(update)] = _overlap(update, partner)
    return found


def _updates(before: Checkpoint | None, model: Checkpoint | Adapter) -> dict[tuple[str, str], Update | FactoredUpdate]:
    """The updates of a model by the matrix they change."""
    if isinstance(model, Adapter):
        found = model.updates(before)
        dense: tuple[Update, ...] = found.dense
        return {update.identity: update for update in found.factored} | {each.after.identity: each for each in dense}
    if before is None:
        raise Defect("the update of a model needs its base", where="footprint.agreement")
    return {update.after.identity: update for update in pair(before, model).updates}


def _name(update: Update | FactoredUpdate) -> str:
    return printable(update.name if isinstance(update, FactoredUpdate) else update.after.name)


def _values(update: Update | FactoredUpdate) -> Matrix | Product | None:
    """The update as an array or as its factors, None where an entry is not finite."""
    if isinstance(update, FactoredUpdate):
        product = Product(*update.factors(), update.scale)
        return product if product.finite else None
    difference = update.difference()
    return difference if np.isfinite(difference).all() else None


def _overlap(one: Update | FactoredUpdate, other: Update | FactoredUpdate) -> dict[str, Reading]:
    keys = ("run_overlap_left", "run_overlap_right")
    ours, theirs = _values(one), _values(other)
    if ours is None or theirs is None:
        return dict.fromkeys(keys, Reading(None, "non_finite"))
    try:
        return run_agreement(ours, theirs)
    except DecompositionFailure:
        return dict.fromkeys(keys, Reading(None, "not_converged"))
    except DataError:  # a product beyond the float64 range
        return dict.fromkeys(keys, Reading(None, "non_finite"))
