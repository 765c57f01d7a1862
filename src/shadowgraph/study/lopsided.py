"""The asymmetry of the arms of a study, on a panel proven free of what they were trained on.

Here live: the panel of families no arm has seen, proven so, and the table of a procedural study.
Not here: what each arm was trained on (`trained`), studies over sources (`link`), the index (`scores.asymmetry`), the
comparison of arms on it (`effects`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean

from shadowgraph.identity import Json, plain
from shadowgraph.scores.asymmetry import Asymmetry, asymmetries
from shadowgraph.scores.headroom import Headroom
from shadowgraph.scores.item import ItemScore
from shadowgraph.scores.transfer import TransferPanel, transfer_panel
from shadowgraph.seeds import generator
from shadowgraph.worlds.families import BASE, FICTION_BASE, UNSEEN

ALIGNED_SPLITS = ("benchmark",)
TRANSFER_SPLITS = ("other", "retained")
TRANSFER_FAMILIES = frozenset({*UNSEEN, *BASE, FICTION_BASE})
"""Families that no arm may be trained on: the transfer splits are made of them."""


def panel_of(base: Sequence[ItemScore], trained: Mapping[str, Collection[str]]) -> TransferPanel:
    """The one transfer panel of a study, proven free.

    Args:
        base: scores of the shared base.
        trained: arm → families and sources of its documents over all draws.

    Raises:
        DataError: an arm was trained on a family of it.
    """
    made_of = {split: {item.family for item in base if item.split == split} for split in TRANSFER_SPLITS}
    return transfer_panel(made_of, trained)


def asymmetry_rows(
    base: Sequence[ItemScore],
    scores: Mapping[str, Sequence[Sequence[Sequence[ItemScore]]]],
    panel: TransferPanel,
    level: float,
    seed: int,
) -> list[dict[str, Json]]:
    """The index of every arm in bits per byte, and beside it in accuracy: gain on the benchmark minus on the panel.

    Args:
        base: scores of the shared base.
        scores: arm → item scores of each draw and order; arms with an order that was not scored are left out.
        panel: the transfer splits.
        level: coverage of the intervals.
        seed: seed of the bootstrap.

    Returns:
        One row an arm: the index in bits per byte, "accuracy" with the index in accuracy, "headroom" with chance and
        ceiling of every split.
    """
    rows: list[dict[str, Json]] = []
    for arm, draws in scores.items():
        runs = [items for orders in draws for items in orders]
        if not all(runs):
            continue
        sizes = [len(orders) for orders in draws]
        stream = generator(seed, "asymmetry", arm)
        both = asymmetries(base, runs, aligned=ALIGNED_SPLITS, transfer=panel, generator=stream, level=level)
        found = both["bits_per_byte"]
        rows.append(
            {
                "arm": arm,
                "aligned": list(ALIGNED_SPLITS),
                "transfer": list(panel.splits),
                **_plain(found, sizes),
                "aligned_ceiling": _ceiling(found.aligned),
                "transfer_ceiling": _ceiling(found.transfer),
                "accuracy": _plain(both["accuracy"], sizes),
                "headroom": [plain(asdict(room)) for room in (*found.aligned, *found.transfer)],
            }
        )
    return rows


def _plain(found: Asymmetry, sizes: Sequence[int]) -> dict[str, Json]:
    """An index in plain form, without its headroom; orders of a draw, `sizes` of them, are averaged."""
    ends = [sum(sizes[: place + 1]) for place in range(len(sizes))]
    values = (
        [fmean(found.values[end - size : end]) for size, end in zip(sizes, ends, strict=True)] if found.values else []
    )
    return {
        "measure": found.measure,
        "estimate": found.estimate,
        "interval": list(found.interval) if found.interval else None,
        "values": list(values),
        "aligned_gain": found.aligned_gain,
        "transfer_gain": found.transfer_gain,
        "clusters": found.clusters,
        "status": found.status,
    }


def index_values(rows: Sequence[Mapping[str, Json]]) -> dict[tuple[str, int], float]:
    """(arm, place of the draw) → index, of arms that have one."""
    found: dict[tuple[str, int], float] = {}
    for row in rows:
        values = row["values"]
        if isinstance(values, list):
            found |= {(str(row["arm"]), place): float(str(value)) for place, value in enumerate(values)}
    return found


def _ceiling(rooms: Sequence[Headroom]) -> float:
    """Share of the items of some splits that the base answers correctly already."""
    return sum(room.items * room.at_ceiling for room in rooms) / sum(room.items for room in rooms)
