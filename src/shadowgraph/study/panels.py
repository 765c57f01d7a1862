"""The tables of a result: arms, scores, maps and spectra, gathered from the records of runs.

Here live: summaries over draws, in the plain form of `result.json`.
Not here: contrasts and tests (`effects`), words (`answer`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shadowgraph.corpus.balance import compare
from shadowgraph.footprint.table import Footprint
from shadowgraph.identity import Json
from shadowgraph.scores.item import ItemScore, summarise
from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Analysis
from shadowgraph.spec.material import Arm
from shadowgraph.stats.resample import cluster_bootstrap_mean
from shadowgraph.weights.roles import SLOTS

Record = Mapping[str, Any]
BALANCE_KEYS = (
    "kl_to_base",
    "unigram_entropy",
    "document_length",
    "unique_token_share",
    "strata",
    "benchmark_format_share",
    "benchmark_family_share",
    "alignment",
    "documents",
    "tokens",
)
REGIMES = {
    "aligned": "documents nearest to the benchmark, resampled towards it",
    "covering": "equal tokens for every family and format until it is used up",
    "random": "documents in the proportions of the pool",
    "repeated": "random documents, {share:.0%} of the tokens being {documents} documents over and over",
    "blend": "{share:.0%} of the tokens aligned, the rest random",
}


def spread(values: Sequence[float]) -> dict[str, Json]:
    """Mean, standard deviation (n − 1) and the values, one a draw."""
    array = np.asarray(values, dtype=np.float64)
    sd = float(array.std(ddof=1)) if array.size > 1 else None
    return {"mean": float(array.mean()), "sd": sd, "values": array.tolist()}


def describe_arm(arm: Arm) -> str:
    """One clause on what an arm is."""
    return REGIMES[arm.regime].format(share=arm.share or 0.0, documents=arm.documents or 0)


def balance_means(records: Sequence[Record]) -> dict[str, float]:
    """Mean over draws of every number of the balance sheet, the base's loss included."""
    keys = {key: [float(record["balance"][key]) for record in records] for key in BALANCE_KEYS}
    keys["base_loss"] = [float(record["base_loss"]) for record in records]
    return {key: float(np.mean(values)) for key, values in keys.items()}


def arm_tables(
    arms: Sequence[Arm], records: Mapping[str, Sequence[Record]], analysis: Analysis
) -> tuple[list[dict[str, Json]], list[str]]:
    """The arms with their balance sheets and calipers, and the names of those that are novel.

    The reference is the second arm of the primary contrast. An arm is novel when its loss under the base or its
    divergence from the base's mixture lies beyond the caliper.
    """
    reference = analysis.primary[1]
    against = balance_means(records[reference])
    tables: list[dict[str, Json]] = []
    novel: list[str] = []
    for arm in arms:
        rows = records[arm.name]
        found = compare(balance_means(rows), against, analysis.calipers) if arm.name != reference else ()
        beyond = any(not item.met for item in found if item.key in {"base_loss", "kl_to_base"})
        if beyond:
            novel.append(arm.name)
        sheet: dict[str, Json] = {key: spread([float(r["balance"][key]) for r in rows]) for key in BALANCE_KEYS}
        sheet["base_loss"] = spread([float(r["base_loss"]) for r in rows])
        calipers: list[Json] = [
            {
                "key": item.key,
                "difference": item.difference,
                "limit": item.limit,
                "met": item.met,
                "against": reference,
            }
            for item in found
        ]
        tables.append(
            {
                "name": arm.name,
                "regime": arm.regime,
                "description": describe_arm(arm),
                "novel": beyond,
                "balance": sheet,
                "calipers": calipers,
                "endpoint": {key: _endpoint_spread(rows, key) for key in ("K", "K_emb", "log_norm")},
            }
        )
    return tables, novel


def _endpoint_spread(rows: Sequence[Record], key: str) -> Json:
    """An endpoint over draws; a draw without a number empties it and leaves the reason."""
    missing = [str(row.get(f"{key}_status", "missing")) for row in rows if row[key] is None]
    if missing:
        return {"mean": None, "sd": None, "values": [row[key] for row in rows], "status": missing[0]}
    return dict(spread([float(row[key]) for row in rows]))


def score_tables(scores: Mapping[str, Sequence[Sequence[ItemScore]]], level: float, seed: int) -> list[dict[str, Json]]:
    """Accuracy and bits per byte of every arm (and "base") on every split.

    The interval of an arm is over draws, that of the base over clusters of items.

    Args:
        scores: arm → item scores of each draw; one draw alone is treated as the base.
        level: coverage of the intervals.
        seed: seed of the bootstrap.

    Returns:
        One row for each arm, split and measure: mean over draws, interval or None, the value of each draw, accuracy by
        chance (None for bits per byte) and the number of items. Accuracy 0 … 1; bits per byte of the gold answer.
    """
    rows: list[dict[str, Json]] = []
    for arm, draws in scores.items():
        tables = [{item.split: item for item in summarise(draw)} for draw in draws]
        for split, first in tables[0].items():
            for measure in ("accuracy", "bits_per_byte"):
                values = [float(getattr(table[split], measure)) for table in tables]
                stream = generator(seed, "scores", arm, split, measure)
                if len(values) > 1:
                    units, names = values, [str(index) for index in range(len(values))]
                else:
                    items = [item for item in draws[0] if item.split == split]
                    units = [float(getattr(item, "correct" if measure == "accuracy" else measure)) for item in items]
                    names = [item.group for item in items]
                found = cluster_bootstrap_mean(np.asarray(units), names, stream, level).interval
                known = found.low is not None and found.high is not None
                rows.append(
                    {
                        "arm": arm,
                        "split": split,
                        "measure": measure,
                        "mean": float(np.mean(values)),
                        "interval": [found.low, found.high] if known else None,
                        "values": list(values),
                        "chance": first.chance if measure == "accuracy" else None,
                        "items": first.items,
                    }
                )
    return rows


def heat_map(records: Mapping[str, Sequence[Record]]) -> dict[str, Json]:
    """Mean k over draws by arm, slot and layer; a cell without a number in any draw is empty."""
    first = next(iter(records.values()))[0]["per_slot"]
    slots = [slot for slot in SLOTS if slot in first]
    layers = sorted({int(layer) for rows in first.values() for layer, _ in rows})
    arms: dict[str, Json] = {}
    for arm, rows in records.items():
        cells: dict[tuple[str, int], list[float]] = defaultdict(list)
        for row in rows:
            for slot, pairs in row["per_slot"].items():
                for layer, k in pairs:
                    cells[slot, int(layer)].append(float(k))
        arms[arm] = [
            [float(np.mean(cells[slot, layer])) if len(cells[slot, layer]) == len(rows) else None for layer in layers]
            for slot in slots
        ]
    return {"slots": list(slots), "layers": list(layers), "arms": arms}


def measure_table(footprints: Mapping[str, Sequence[Footprint]]) -> list[dict[str, Json]]:
    """Mean of every measure over draws and layers, by arm, object and slot, beside the mean of its null."""
    rows: list[dict[str, Json]] = []
    for arm, found in footprints.items():
        cells: dict[tuple[str, str, str], list[tuple[float, float | None]]] = defaultdict(list)
        for footprint in found:
            for row in footprint.rows:
                if row.value is not None:
                    cells[row.object, row.measure, row.slot].append((row.value, row.null_mean))
        for (what, measure, slot), pairs in sorted(cells.items()):
            nulls = [null for _, null in pairs if null is not None]
            rows.append(
                {
                    "arm": arm,
                    "object": what,
                    "measure": measure,
                    "slot": slot,
                    "mean": float(np.mean([value for value, _ in pairs])),
                    "null_mean": float(np.mean(nulls)) if nulls else None,
                }
            )
    return rows


def spectra_table(records: Mapping[str, Sequence[Record]], null: Sequence[float]) -> dict[str, Json]:
    """Mean update spectrum of every arm by fraction of the rank, in log10 of values over their root mean square."""
    count = len(null)
    return {
        "quantile": ((np.arange(count) + 0.5) / count).tolist(),
        "arms": {arm: np.mean([row["spectrum"] for row in rows], axis=0).tolist() for arm, rows in records.items()},
        "null": list(null),
    }
