"""Other readings of K, frozen beside it: a contrast that turns its sign in one of them is not robust.

Here live: the variants of K that one scan gives.
Not here: K itself (`endpoint`) and contrasts. Variants of another measure carry no null: at equal base, shapes, slots
and ranks of adapters it cancels.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean, median

import numpy as np

from shadowgraph.footprint.endpoint import concentration_of, denoised_ratio, endpoint
from shadowgraph.footprint.table import Footprint, MatrixRecord
from shadowgraph.measures.rank import erank_energy, participation_ratio, stable_rank
from shadowgraph.measures.spectrum import Reading, Spectrum

Measure = Callable[[Spectrum], Reading]


def variants(footprint: Footprint) -> dict[str, Reading]:
    """Read the variants of K; all in nats, higher is more concentrated.

    Keys: `erank_energy` and `stable_rank` (minus the mean log of that rank), `without_first` (participation ratio
    after the leading component is dropped), `block_pooled` (per layer (ΣF)² / Σ(F²/PR) over its matrices),
    `median` (of k over matrices), `with_embedding` (K_emb as one slot more), `rowcol_null` (against noise with the
    update's row and column energies), `input_weighted` (of D S^(1/2), "not_asked" where the scan was given no moments),
    `without_<slot>` for every slot, and `without_any`, the smallest of those.

    Args:
        footprint: a footprint with a base, or of an adapter.

    Returns:
        Key → reading; a reading without a number carries the reason.
    """
    main = endpoint(footprint)
    if main.K.value is None:
        return {"K": main.K}
    blocks = [
        record
        for record in footprint.matrices
        if record.role.is_block_linear and concentration_of(record).value is not None
    ]
    slots = {slot: fmean(k for _, k in layers) for slot, layers in main.per_slot.items()}
    found = {
        "erank_energy": _slot_mean(blocks, erank_energy),
        "stable_rank": _slot_mean(blocks, stable_rank),
        "without_first": _slot_mean(blocks, lambda spectrum: participation_ratio(_tail(spectrum))),
        "block_pooled": _block_pooled(blocks),
        "median": Reading(median(k for record in blocks if (k := concentration_of(record).value) is not None)),
        "with_embedding": main.K_emb
        if main.K_emb.value is None
        else Reading(fmean([*slots.values(), main.K_emb.value])),
        "rowcol_null": _cell_mean((record, _against_margins(record)) for record in blocks),
        "input_weighted": _input_weighted(footprint, blocks),
    }
    rest = {slot: [k for other, k in slots.items() if other != slot] for slot in slots}
    alone = Reading(None, "one_slot")
    found["without_any"] = Reading(min(map(fmean, rest.values()))) if len(slots) > 1 else alone
    return found | {f"without_{slot}": Reading(fmean(others)) if others else alone for slot, others in rest.items()}


def _against_margins(record: MatrixRecord) -> Reading:
    """Concentration ln PR0 − ln PR(D), PR0 that of noise with the update's row and column energies."""
    ratio = denoised_ratio(record)
    if ratio.value is None or record.rowcol_ratio is None:
        return ratio if ratio.value is None else Reading(None, "not_asked")
    return Reading(math.log(record.rowcol_ratio) - math.log(ratio.value))


def _input_weighted(footprint: Footprint, blocks: Iterable[MatrixRecord]) -> Reading:
    """K of the updates as their inputs see them, from the rows of a scan that was given second moments."""
    rows = {row.tensor: row for row in footprint.rows if row.measure == "weighted_concentration"}
    if not rows:
        return Reading(None, "not_asked")
    return _cell_mean(
        (record, Reading(rows[record.tensor].value, rows[record.tensor].status))
        for record in blocks
        if record.tensor in rows
    )


def _tail(spectrum: Spectrum) -> Spectrum:
    """The spectrum without its leading value, as the matrix of one rank less; values within their error are none."""
    values = np.where(spectrum.values > spectrum.error_bound, spectrum.values, 0.0)[1:]
    shape = (spectrum.shape[0] - 1, spectrum.shape[1] - 1)
    return Spectrum(values, shape, float(np.sum(np.square(values))), spectrum.method, spectrum.error_bound)


def _slot_mean(blocks: Iterable[MatrixRecord], measure: Measure) -> Reading:
    """Minus the mean over slots of the mean over layers of ln measure; experts averaged first."""

    def negative(record: MatrixRecord) -> Reading:
        reading = Reading(None, record.status) if record.spectrum is None else measure(record.spectrum)
        return reading if reading.value is None else Reading(-math.log(reading.value))

    return _cell_mean((record, negative(record)) for record in blocks)


def _cell_mean(readings: Iterable[tuple[MatrixRecord, Reading]]) -> Reading:
    """Mean over slots of the mean over layers, experts averaged first; one without a number leaves none."""
    cells: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record, reading in readings:
        if reading.value is None:
            return reading
        cells[record.role.cell][record.layer or 0].append(reading.value)
    return Reading(fmean(fmean(fmean(cell) for cell in layers.values()) for layers in cells.values()))


def _block_pooled(blocks: Iterable[MatrixRecord]) -> Reading:
    """Minus the mean over layers of ln of the participation ratio of a layer's matrices side by side."""
    sums: Mapping[int, list[tuple[float, float]]] = defaultdict(list)
    for record in blocks:
        if record.spectrum is None:
            continue
        ratio = participation_ratio(record.spectrum)
        if ratio.value is None:
            return ratio
        sums[record.layer or 0].append((record.spectrum.energy, record.spectrum.energy**2 / ratio.value))
    pooled = [sum(energy for energy, _ in cell) ** 2 / sum(fourth for _, fourth in cell) for cell in sums.values()]
    return Reading(-fmean(math.log(value) for value in pooled))
