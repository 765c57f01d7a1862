"""The primary endpoint K and its two companions, from a footprint.

Here live: `Endpoint` and `endpoint`.
Not here: contrasts, inference. Levels of K mean nothing; only contrasts at equal base, slots, method, tokens and
learning rate do.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from shadowgraph.errors import DataError
from shadowgraph.footprint.table import Footprint, MatrixRecord
from shadowgraph.measures.null import (
    FLOOR_LIMIT,
    adapter_participation_ratio_null,
    denoised_participation_ratio,
    participation_ratio_null,
)
from shadowgraph.measures.rank import participation_ratio
from shadowgraph.measures.spectrum import Reading
from shadowgraph.weights.roles import EMBEDDINGS

LEAST_READABLE = 0.5


@dataclass(frozen=True, slots=True)
class Endpoint:
    """K, K_emb and the log of the relative norm of one update.

    Attributes:
        K: mean over slots of the mean over layers of k, nats.
        K_emb: the same over embedding and unembedding, nats.
        log_norm: ln(‖D‖_F / ‖W0‖_F) over the block linear matrices.
        per_slot: slot to (layer, k), experts averaged, in order of layer.
        left_out: status to number of block linear matrices without a k.
    """

    K: Reading
    K_emb: Reading
    log_norm: Reading
    per_slot: dict[str, list[tuple[int, float]]]
    left_out: dict[str, int]

    def as_dict(self) -> dict[str, float | str | None]:
        """Numbers with their statuses beside them, for `result.json`."""
        found: dict[str, float | str | None] = {}
        for name, reading in (("K", self.K), ("K_emb", self.K_emb), ("log_norm", self.log_norm)):
            found[name] = reading.value
            if reading.value is None:
                found[f"{name}_status"] = reading.status
        return found


def endpoint(footprint: Footprint, slots: Collection[str] | None = None) -> Endpoint:
    """Read K from the updates of a footprint.

    k = ln PR0 − ln PR(D), PR0 = mn/(m+n+1), for an adapter of rank r 1/(1/r+1/m+1/n), PR the participation ratio with
    the rounding noise of storage taken out in closed form; K = (1/|R|) Σ_r (1/L_r) Σ_l k(r, l) over the slots R of
    block linear matrices, experts averaged inside their layer and slot first. A matrix without a k (unchanged, not
    finite, or below the storage floor) is left out and counted; when more than half of the block linear matrices are
    left out, K has no value and the commonest status.

    Args:
        footprint: a footprint with a base, or of an adapter, which is an update by itself.
        slots: slots to use, for a comparison; None for all present.

    Returns:
        The endpoint; differences of logarithms, in nats. Of an adapter alone the log norm has the status "no_base".

    Raises:
        DataError: the footprint was made without a base, or without O3.
    """
    if not footprint.has_updates:
        if "before" not in footprint.parents:
            raise DataError("the footprint has no base, so no update to read K from", hint="scan with --base")
        raise DataError("the footprint holds no updates to read K from", hint="scan with the object O3")
    blocks = [record for record in footprint.matrices if record.role.is_block_linear]
    if slots is not None:
        blocks = [record for record in blocks if record.role.cell in slots]
    readings = [(record, concentration_of(record)) for record in blocks]
    left_out = Counter(reading.status for _, reading in readings if reading.value is None)
    per_slot = _by_slot(readings)
    embeddings = [record for record in footprint.matrices if record.role.block in EMBEDDINGS]
    readings_emb = [(record, concentration_of(record)) for record in embeddings]
    return Endpoint(
        K=_pooled(per_slot, left_out, len(blocks)),
        K_emb=_pooled(
            _by_slot(readings_emb),
            Counter(reading.status for _, reading in readings_emb if reading.value is None),
            len(embeddings),
        ),
        log_norm=_log_norm(blocks),
        per_slot=per_slot,
        left_out=dict(sorted(left_out.items())),
    )


def concentration_of(record: MatrixRecord) -> Reading:
    """Concentration k of one update: ln PR0 − ln PR(D), storage noise taken out.

    Refused as "floor" when the rounding of both stored sides could explain more than .3 of the energy: an upper
    estimate. Corrected with the rounding of W1 alone: a base that was the starting point as stored adds no noise, and
    taking out too much would make an update look more concentrated than it is. On a 512 × 512 rank-8 update (PR 7.81)
    stored in bf16 at relative norms .03, .01, .005 the corrected PR is 7.81, 7.81, 7.65; where W0 was rounded from
    finer weights too, it is 7.86, 8.23, 9.40, too little correction rather than too much.

    Returns:
        k in nats; "no_change", "non_finite", "floor", "incomplete_spectrum" or "too_small" (one
        row, column or direction).
    """
    spectrum = record.spectrum
    if spectrum is None or spectrum.zero:
        return Reading(None, record.status)
    if not spectrum.complete:
        return Reading(None, "incomplete_spectrum")
    if record.floor_energy > FLOOR_LIMIT * spectrum.energy:
        return Reading(None, "floor")
    m, n = spectrum.shape
    if min(m, n) == 1 or record.rank == 1:
        return Reading(None, "too_small")
    null = participation_ratio_null(m, n)
    if record.rank is not None:
        null = adapter_participation_ratio_null(record.rank, m, n)
    ratio = denoised_ratio(record)
    return ratio if ratio.value is None else Reading(math.log(null) - math.log(ratio.value))


def denoised_ratio(record: MatrixRecord) -> Reading:
    """Participation ratio of one update, the rounding noise of W1 taken out in closed form.

    Returns:
        1 … min(m, n); the statuses of `participation_ratio` and `denoised_participation_ratio`.
    """
    spectrum = record.spectrum
    if spectrum is None:
        return Reading(None, record.status)
    if record.after_noise == 0.0 or spectrum.zero or not spectrum.complete:
        return participation_ratio(spectrum)
    # In units of the largest value: the ratio has no scale, and fourth powers stay in range.
    top = float(spectrum.values[0])
    fourth = float(np.sum((spectrum.values / top) ** 4))
    return denoised_participation_ratio(
        spectrum.energy / top / top, fourth, *spectrum.shape, record.after_noise / top / top
    )


def _by_slot(readings: Iterable[tuple[MatrixRecord, Reading]]) -> dict[str, list[tuple[int, float]]]:
    """Mean of k over experts for each (slot, layer); a matrix outside the layers counts as layer 0."""
    cells: dict[tuple[str, int], list[float]] = {}
    for record, reading in readings:
        if reading.value is not None:
            cells.setdefault((record.role.cell, record.layer or 0), []).append(reading.value)
    slots: dict[str, list[tuple[int, float]]] = {}
    for (slot, layer), values in sorted(cells.items()):
        slots.setdefault(slot, []).append((layer, fmean(values)))
    return slots


def _pooled(per_slot: dict[str, list[tuple[int, float]]], left_out: Counter[str], total: int) -> Reading:
    if total == 0:
        return Reading(None, "absent")
    missing = sum(left_out.values())
    if not per_slot or missing > LEAST_READABLE * total:
        return Reading(None, max(sorted(left_out), key=lambda status: left_out[status]))
    return Reading(fmean(fmean(k for _, k in layers) for layers in per_slot.values()))


def _log_norm(blocks: list[MatrixRecord]) -> Reading:
    """Log of ‖D‖_F / ‖W0‖_F, both pooled over the readable block linear matrices."""
    update = base = 0.0
    for record in blocks:
        if record.spectrum is not None and record.base_energy is not None:
            update += record.spectrum.energy
            base += record.base_energy
    if base <= 0.0:
        return Reading(None, "no_base" if blocks else "absent")
    return Reading(0.5 * math.log(update / base)) if update > 0.0 else Reading(None, "no_change")
