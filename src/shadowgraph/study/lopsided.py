"""The asymmetry of the arms of a study, on a panel proven free of what they were trained on.

Here live: what each arm was trained on, read from its documents, the panel of families no arm has seen, and the table.
Not here: the index (`scores.asymmetry`), the comparison of arms on it (`effects`).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from shadowgraph.identity import Json, plain
from shadowgraph.scores.asymmetry import Asymmetry, asymmetries
from shadowgraph.scores.headroom import Headroom
from shadowgraph.scores.item import ItemScore
from shadowgraph.scores.transfer import TransferPanel, transfer_panel
from shadowgraph.seeds import generator
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.arrays import load_array
from shadowgraph.study.layout import Layout
from shadowgraph.worlds.families import BASE, FICTION_BASE, UNSEEN

ALIGNED_SPLITS = ("benchmark",)
TRANSFER_SPLITS = ("other", "retained")
TRANSFER_FAMILIES = frozenset({*UNSEEN, *BASE, FICTION_BASE})
"""Families that no arm may be trained on: the transfer splits are made of them."""


def trained_on(layout: Layout, spec: StudySpec) -> dict[str, set[str]]:
    """Families and sources of the documents each arm was given, over all its draws."""
    import pyarrow.parquet as pq

    found: dict[str, set[str]] = {arm.name: set() for arm in spec.arms}
    for draw in range(spec.study.draws):
        table = pq.read_table(layout.pool(draw) / "documents.parquet", columns=["family", "source"])
        labels = [table[name].to_numpy() for name in table.column_names]
        for arm, names in found.items():
            chosen = np.unique(load_array(layout.regime(arm, draw) / "documents.npy")[0])
            for label in labels:
                names.update(map(str, np.unique(label[chosen].astype(str))))
    return found


def panel_of(base: Sequence[ItemScore], trained: Mapping[str, set[str]]) -> TransferPanel:
    """The one transfer panel of a study, proven free.

    Raises:
        DataError: an arm was trained on a family of it.
    """
    made_of = {split: {item.family for item in base if item.split == split} for split in TRANSFER_SPLITS}
    return transfer_panel(made_of, trained)


def asymmetry_rows(
    base: Sequence[ItemScore],
    scores: Mapping[str, Sequence[Sequence[ItemScore]]],
    panel: TransferPanel,
    level: float,
    seed: int,
) -> list[dict[str, Json]]:
    """The index of every arm in bits per byte, and beside it in accuracy: gain on the benchmark minus on the panel.

    Args:
        base: scores of the shared base.
        scores: arm → item scores of each draw.
        panel: the transfer splits.
        level: coverage of the intervals.
        seed: seed of the bootstrap.

    Returns:
        One row an arm: the index in bits per byte, "accuracy" with the index in accuracy, "headroom" with chance and
        ceiling of every split.
    """
    rows: list[dict[str, Json]] = []
    for arm, runs in scores.items():
        stream = generator(seed, "asymmetry", arm)
        both = asymmetries(base, runs, aligned=ALIGNED_SPLITS, transfer=panel, generator=stream, level=level)
        found = both["bits_per_byte"]
        rows.append(
            {
                "arm": arm,
                "aligned": list(ALIGNED_SPLITS),
                "transfer": list(panel.splits),
                **_plain(found),
                "aligned_ceiling": _ceiling(found.aligned),
                "transfer_ceiling": _ceiling(found.transfer),
                "accuracy": _plain(both["accuracy"]),
                "headroom": [plain(asdict(room)) for room in (*found.aligned, *found.transfer)],
            }
        )
    return rows


def _plain(found: Asymmetry) -> dict[str, Json]:
    """An index in plain form, without its headroom."""
    return {
        "measure": found.measure,
        "estimate": found.estimate,
        "interval": list(found.interval) if found.interval else None,
        "values": list(found.values),
        "aligned_gain": found.aligned_gain,
        "transfer_gain": found.transfer_gain,
        "clusters": found.clusters,
        "status": found.status,
    }


def _ceiling(rooms: Sequence[Headroom]) -> float:
    """Share of the items of some splits that the base answers correctly already."""
    return sum(room.items * room.at_ceiling for room in rooms) / sum(room.items for room in rooms)
