"""The contrast of two footprints of one base: where and by how much their updates differ in concentration.

Here live: `Contrast` and `contrast`.
Not here: intervals and tests. Two footprints are one observation each; inference needs draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean

from shadowgraph.errors import DataError
from shadowgraph.footprint.endpoint import endpoint
from shadowgraph.footprint.table import Footprint
from shadowgraph.footprint.variants import variants
from shadowgraph.measures.spectrum import Reading

OTHER_RANK = Reading(None, "other_rank")


@dataclass(frozen=True, slots=True)
class Contrast:
    """Differences a − b, each at equal base and over the slots both have.

    Attributes:
        K: difference of K, nats.
        K_emb: difference of K_emb, nats.
        log_norm: difference of the log relative norms; far from 0, the contrast of K is partly one of size.
        per_slot: difference of the mean k of each common slot.
        cells: difference of k by common slot and layer.
        variants: difference of every variant of K that both have (see `variants`).
        slots: the common slots.
        dropped: slots that only one of the two has.
        notes: what limits the comparison.
    """

    K: Reading
    K_emb: Reading
    log_norm: Reading
    per_slot: dict[str, float]
    cells: dict[str, dict[int, float]]
    variants: dict[str, Reading]
    slots: tuple[str, ...]
    dropped: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def exceptions(self) -> tuple[str, ...]:
        """Variants whose sign is not that of K: a contrast with any is not robust."""
        main = self.K.value
        if main is None:
            return ()
        return tuple(
            key for key, reading in self.variants.items() if reading.value is not None and reading.value * main <= 0.0
        )


def contrast(a: Footprint, b: Footprint) -> Contrast:
    """Compare two updates of one base.

    Args:
        a: footprint with a base, or of an adapter alone.
        b: footprint with the same base, or of another adapter alone.

    Returns:
        Differences a − b; a difference whose parts are not both readable carries the status of the first that is not.
        Updates of two ranks, or one factored and one whole, are held against two different nulls: nothing but their
        size is compared, all else is "other_rank".

    Raises:
        DataError: a footprint without updates, two different bases, or adapters of matrices of two shapes.
    """
    notes = _require_one_base(a, b)
    ours, theirs = _slots(a), _slots(b)
    common = ours & theirs
    left, right = endpoint(a, common), endpoint(b, common)
    per_slot = {
        slot: fmean(k for _, k in left.per_slot[slot]) - fmean(k for _, k in right.per_slot[slot])
        for slot in sorted(left.per_slot.keys() & right.per_slot.keys())
    }
    cells = {slot: _by_layer(left.per_slot[slot], right.per_slot[slot]) for slot in per_slot}
    ours_too, theirs_too = variants(_only(a, common)), variants(_only(b, common))
    differences = {key: _difference(ours_too[key], theirs_too[key]) for key in ours_too if key in theirs_too}
    unlike = _unlike_ranks(a, b)
    if unlike:
        notes.append(unlike)
        per_slot, cells, differences = {}, {}, dict.fromkeys(differences, OTHER_RANK)
    return Contrast(
        K=OTHER_RANK if unlike else _difference(left.K, right.K),
        K_emb=OTHER_RANK if unlike else _difference(left.K_emb, right.K_emb),
        log_norm=_difference(left.log_norm, right.log_norm),
        per_slot=per_slot,
        cells=cells,
        variants=differences,
        slots=tuple(sorted(common)),
        dropped=tuple(sorted(ours ^ theirs)),
        notes=tuple(notes),
    )


def _require_one_base(a: Footprint, b: Footprint) -> list[str]:
    """Refuse updates of two bases; adapters alone have only the shapes of their matrices to tell by."""
    bases = a.parents.get("before"), b.parents.get("before")
    alone = bases == (None, None) and a.has_updates and b.has_updates
    if bases[0] != bases[1] or (bases[0] is None and not alone):
        raise DataError("the two footprints do not have the same base", hint="scan both against one base")
    if not alone:
        return []
    shapes = {record.tensor: record.shape for record in b.matrices}
    if not any(record.tensor in shapes for record in a.matrices):
        raise DataError("the two adapters change no matrix of one name", hint="compare adapters of one base")
    for record in a.matrices:
        other = shapes.get(record.tensor, record.shape)
        if other != record.shape:
            raise DataError(
                f"the shape {list(record.shape)} is {list(other)} in the other: they do not change one base",
                where=record.tensor,
                hint="compare adapters of one base",
            )
    return ["no base was given: that both adapters change the same one is known by the shapes of its matrices alone"]


def _unlike_ranks(a: Footprint, b: Footprint) -> str:
    """What is said of updates of two ranks, "" where all are alike; a dense update has the rank of its shape."""
    ranks = {record.tensor: record.rank for record in b.matrices}
    pairs = [(record.rank, ranks[record.tensor]) for record in a.matrices if record.tensor in ranks]
    shown = sorted({f"{_rank(ours)} against {_rank(theirs)}" for ours, theirs in pairs if ours != theirs})
    if not shown:
        return ""
    return (
        f"ranks differ ({', '.join(shown[:3])}): each k is beside noise of its own rank, so that no difference of them"
        " says anything of concentration; compare updates of one rank, or merge both"
    )


def _rank(rank: int | None) -> str:
    return "full" if rank is None else str(rank)


def _by_layer(ours: list[tuple[int, float]], theirs: list[tuple[int, float]]) -> dict[int, float]:
    """Differences of k over the layers that both have."""
    other = dict(theirs)
    return {layer: k - other[layer] for layer, k in ours if layer in other}


def _only(footprint: Footprint, slots: set[str]) -> Footprint:
    """The footprint without the block linear matrices of other slots."""
    kept = tuple(
        record for record in footprint.matrices if not record.role.is_block_linear or record.role.cell in slots
    )
    return replace(footprint, matrices=kept)


def _slots(footprint: Footprint) -> set[str]:
    """Slots with at least one readable update."""
    return set(endpoint(footprint).per_slot)


def _difference(a: Reading, b: Reading) -> Reading:
    if a.value is None or b.value is None:
        return Reading(None, a.status if a.value is None else b.status)
    return Reading(a.value - b.value)
