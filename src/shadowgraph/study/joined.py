"""The joined tables of a study: all footprints and all item scores, with arm and draw in front.

Here live: `footprint.parquet` and `scores.parquet`, from what the folder holds.
Not here: anything a result is made of; the analysis reads records alone.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shadowgraph.artifact import whole
from shadowgraph.footprint.table import read_footprint
from shadowgraph.scores.item import ItemScore
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.layout import Layout, RunKey, runs_of

KEYS = ("id", "split", "family", "group", "correct", "bits_per_byte", "margin")
Scored = Mapping[str, Sequence[Sequence[Sequence[ItemScore]]]]
"""Arm → draw → order → items; "base" among the arms."""


def join_footprints(layout: Layout, spec: StudySpec) -> bool:
    """Join the footprints of all runs.

    Returns:
        Whether every run has left one; else there is no table, for records alone do not hold it.
    """
    keys = runs_of(spec)
    if not all((layout.run(key) / "footprint").is_dir() for key in keys):
        return False
    _join(
        [(_labels(spec, key), read_footprint(layout.run(key) / "footprint").to_table()) for key in keys],
        layout.footprint,
    )
    return True


def _labels(spec: StudySpec, key: RunKey) -> dict[str, str | int | float]:
    """Constant columns of one run; order, rate and regimen only where the study has several."""
    found: dict[str, str | int | float] = {"arm": key.arm, "draw": key.draw}
    if spec.study.seeds > 1:
        found["seed"] = key.seed
    if spec.rate_grid is not None:
        found["rate"] = spec.training.learning_rate if key.rate is None else key.rate
    if spec.regimens:
        found["regimen"] = key.regimen
    return found


def join_scores(scores: Scored, path: Path) -> None:
    """Join the item scores of all runs at the study's own rate."""
    import pyarrow as pa

    several = any(len(orders) > 1 for draws in scores.values() for orders in draws)
    parts: list[tuple[dict[str, str | int | float], Any]] = []
    for arm, draws in scores.items():
        for draw, orders in enumerate(draws):
            for seed, items in enumerate(orders):
                labels: dict[str, str | int | float] = {"arm": arm, "draw": draw}
                table = pa.table({key: [getattr(item, key) for item in items] for key in KEYS})
                parts.append((labels | ({"seed": seed} if several else {}), table))
    _join(parts, path)


def _join(parts: Sequence[tuple[Mapping[str, str | int | float], Any]], path: Path) -> None:
    """Stack tables, each with constant columns in front."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    stacked: list[Any] = []
    for labels, part in parts:
        table = part
        for position, (name, value) in enumerate(labels.items()):
            table = table.add_column(position, name, pa.array([value] * table.num_rows))
        stacked.append(table)
    with whole(path) as temporary:
        pq.write_table(pa.concat_tables(stacked), temporary, compression="zstd")
