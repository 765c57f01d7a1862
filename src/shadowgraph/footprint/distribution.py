"""Where the update of a model sits: over matrices, roles and depth.

Here lives: `distribution`. Not here: the formulas (`measures.distribution`), concentration (`endpoint`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shadowgraph.footprint.table import Footprint, MatrixRecord
from shadowgraph.identity import Json
from shadowgraph.measures.distribution import depth_centre, effective_number, gini, group_shares
from shadowgraph.measures.spectrum import Reading


@dataclass(frozen=True, slots=True)
class Distribution:
    """Shares of the energy ‖D‖² of a model's update.

    Attributes:
        energy_gini: Gini index over the block linear matrices; `null_gini` that of their numbers of entries.
        effective_matrices: effective number of block linear matrices; `null_matrices` that of their entries.
        depth_centre: mean depth of the energy in the text tower's blocks, 0 the first layer and 1 the last.
        by_tensor: share of every readable matrix, embeddings included.
        by_slot: the same by slot.
        by_layer: share of the block linear matrices by layer.
    """

    energy_gini: Reading
    null_gini: Reading
    effective_matrices: Reading
    null_matrices: Reading
    depth_centre: Reading
    by_tensor: Mapping[str, Reading]
    by_slot: Mapping[str, Reading]
    by_layer: Mapping[str, Reading]


def distribution(footprint: Footprint) -> Distribution:
    """Say where the energy of an update sits.

    Args:
        footprint: a footprint with updates.

    Returns:
        Shares and their summaries; "absent" where there is no matrix to count, "no_change" where none changed.
    """
    readable = [record for record in footprint.matrices if record.object == "O3" and record.spectrum is not None]
    blocks = [record for record in readable if record.role.is_block_linear]
    text = [record for record in blocks if record.role.tower == "text" and record.layer is not None]
    text.sort(key=lambda record: record.layer or 0)
    absent = Reading(None, "absent")
    entries = np.array([float(record.parameters) for record in blocks])
    last = max((record.layer or 0 for record in text), default=0)
    depths = np.array([(record.layer or 0) / last if last else 0.0 for record in text])
    return Distribution(
        energy_gini=gini(_energies(blocks)) if blocks else absent,
        null_gini=gini(entries) if blocks else absent,
        effective_matrices=effective_number(_energies(blocks)) if blocks else absent,
        null_matrices=effective_number(entries) if blocks else absent,
        depth_centre=depth_centre(_energies(text), depths) if last else absent,
        by_tensor=_shares(readable, [record.tensor for record in readable]),
        by_slot=_shares(readable, [record.role.cell for record in readable]),
        by_layer=_shares(text, [str(record.layer) for record in text]),
    )


def as_json(found: Distribution) -> dict[str, Json]:
    """Readings as values with their statuses."""
    document: dict[str, Json] = {}
    for name in Distribution.__slots__:
        value: Reading | Mapping[str, Reading] = getattr(found, name)
        document[name] = _plain(value) if isinstance(value, Reading) else {k: _plain(v) for k, v in value.items()}
    return document


def _plain(reading: Reading) -> dict[str, Json]:
    return {"value": reading.value, "status": reading.status}


def _energies(records: Sequence[MatrixRecord]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([0.0 if record.spectrum is None else record.spectrum.energy for record in records])


def _shares(records: Sequence[MatrixRecord], groups: Sequence[str]) -> dict[str, Reading]:
    return group_shares(_energies(records), groups) if records else {}
