"""The tables of a result: arms, scores, maps and spectra, gathered from the records of runs.

Here live: summaries over draws, in the plain form of `result.json`.
Not here: contrasts and tests (`effects`), words (`answer`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from shadowgraph.corpus.balance import compare, novelty, novelty_in_words
from shadowgraph.identity import Json
from shadowgraph.scores.item import summarise
from shadowgraph.seeds import generator
from shadowgraph.spec.material import Arm
from shadowgraph.spec.study import StudySpec
from shadowgraph.stats.resample import cluster_bootstrap_mean
from shadowgraph.study.joined import Scored
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
SOURCE_REGIMES = {
    "even": "equal tokens of {chosen}",
    "random": "{chosen}, in the proportions of their documents",
    "covering": "{chosen}, flattened over clusters of their documents",
    "covering_new": "{chosen}: the documents newest to the base, flattened over clusters",
    "repeated": "equal tokens of {chosen}, {share:.0%} of them ",
    "blend": "{share:.0%} of the tokens from {toward}, the rest evenly from {chosen}",
}
PICTURE_REGIMES = {
    "even": "questions of every family about pictures, evenly",
    "blend": "{share:.0%} of the questions {asked}, the rest of every family evenly",
}
SELECTIONS = {
    "all": "all sources",
    "known": "the sources that the base knows",
    "new": "the sources that are new to the base",
    "benchmarks": "the benchmarks",
    "others": "the sources that are no benchmarks",
}
PRESENTED = {
    "mixed": "",
    "blocked": ", source by source",
    "reversed": ", every document backwards",
    "permuted": ", token identities exchanged",
}


def spread(values: Sequence[float]) -> dict[str, Json]:
    """Mean, standard deviation (n − 1) and the values, one a draw."""
    array = np.asarray(values, dtype=np.float64)
    sd = float(array.std(ddof=1)) if array.size > 1 else None
    return {"mean": float(array.mean()), "sd": sd, "values": array.tolist()}


def describe_arm(arm: Arm) -> str:
    """One clause on what an arm is."""
    if arm.asked or (arm.regime == "even" and arm.sources is None):
        return PICTURE_REGIMES[arm.regime].format(share=arm.share or 0.0, asked=", ".join(arm.asked))
    if arm.sources is None:
        return REGIMES[arm.regime].format(share=arm.share or 0.0, documents=arm.documents or 0)
    named = ", ".join(arm.sources) if isinstance(arm.sources, tuple) else SELECTIONS[arm.sources]
    chosen = f"{arm.pick} of {named}" if arm.pick is not None else named
    shares = arm.share or 0.0
    words = SOURCE_REGIMES[arm.regime].format(share=shares, toward=", ".join(arm.toward), chosen=chosen)
    if arm.regime == "repeated":
        words += f"{arm.repeats} times each" if arm.repeats is not None else f"{arm.documents} documents over and over"
    return words + PRESENTED[arm.presented]


def balance_means(records: Sequence[Record]) -> dict[str, float]:
    """Mean over runs of every number of the balance sheet, the base's loss included."""
    found = {key: fmean(float(record["balance"][key]) for record in records) for key in balance_keys(records)}
    return found | {"base_loss": fmean(float(record["base_loss"]) for record in records)}


def balance_keys(records: Sequence[Record]) -> list[str]:
    """Columns that all records have, the usual ones first."""
    shared = set.intersection(*(set(record["balance"]) for record in records)) - {"base_loss"}
    usual = [key for key in BALANCE_KEYS if key in shared]
    return usual + sorted(shared - set(usual))


def arm_tables(spec: StudySpec, records: Mapping[str, Sequence[Record]]) -> tuple[list[dict[str, Json]], list[str]]:
    """The arms with their balance sheets and calipers, and those that are not matched with the reference on novelty.

    Calipers are held against `analysis.against`; without such an arm there are none.

    Args:
        spec: the specification.
        records: arm → its records at the study's own rate, orders of a draw side by side.

    Returns:
        One table an arm, and the names of the unmatched, each with how far it lies off in brackets.
    """
    analysis = spec.analysis
    reference = analysis.against
    against = balance_means(records[reference]) if reference is not None else None
    tables: list[dict[str, Json]] = []
    unmatched: list[str] = []
    for arm in spec.arms:
        rows = records[arm.name]
        compared = against is not None and arm.name != reference
        found = compare(balance_means(rows), against or {}, analysis.calipers) if compared else ()
        if beyond := novelty_in_words(found):
            unmatched.append(f"{arm.name} ({beyond})")
        sheet: dict[str, Json] = {
            key: spread(_by_draw(rows, lambda row, key=key: float(row["balance"][key]))) for key in balance_keys(rows)
        }
        sheet["base_loss"] = spread(_by_draw(rows, lambda row: float(row["base_loss"])))
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
                "novelty": novelty(found) if compared else None,
                "balance": sheet,
                "calipers": calipers,
                "endpoint": endpoint_spreads(rows),
                "sources": _sources(rows),
                "draws": len({int(row["draw"]) for row in rows}),
                "seeds": spec.study.seeds,
                "own_loss": _own_loss(rows),
                "label": [group for group, members in analysis.groups.items() if arm.name in members],
            }
        )
    return tables, unmatched


def _by_draw(rows: Sequence[Record], read: Callable[[Record], float]) -> list[float]:
    """One number a draw, its orders averaged, in order."""
    found: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        found[int(row["draw"])].append(read(row))
    return [fmean(values) for values in found.values()]


def _sources(rows: Sequence[Record]) -> Json:
    """Mean share of tokens of every source; nothing in a procedural study."""
    total: dict[str, float] = defaultdict(float)
    for row in rows:
        tokens: Mapping[str, float] = row.get("sources") or {}
        for name, count in tokens.items():
            total[name] += float(count) / sum(tokens.values()) / len(rows)
    return dict(sorted(total.items()))


def _own_loss(rows: Sequence[Record]) -> Json:
    """Mean loss on an arm's own held-out documents at start and end, and its drop, nats a token."""
    losses = [row["own_loss"] for row in rows if row.get("own_loss")]
    if not losses or any(loss[key] is None for loss in losses for key in ("start", "end")):
        return None
    start, end = (fmean(float(loss[key]) for loss in losses) for key in ("start", "end"))
    return {"start": start, "end": end, "drop": start - end}


def endpoint_spreads(rows: Sequence[Record]) -> dict[str, Json]:
    """K, K of embeddings and the log norm over the draws of some records of one arm."""
    return {key: _endpoint_spread(rows, key) for key in ("K", "K_emb", "log_norm")}


def _endpoint_spread(rows: Sequence[Record], key: str) -> Json:
    """An endpoint over draws; a draw without a number empties it and leaves the reason."""
    missing = [str(row.get(f"{key}_status", "missing")) for row in rows if row[key] is None]
    if missing:
        return {"mean": None, "sd": None, "values": [row[key] for row in rows], "status": missing[0]}
    return dict(spread(_by_draw(rows, lambda row: float(row[key]))))


def score_tables(scores: Scored, level: float, seed: int) -> list[dict[str, Json]]:
    """Accuracy and bits per byte of every arm (and "base") on every split.

    The interval of an arm is over draws, that of a single base over clusters of items.

    Args:
        scores: arm → item scores of each draw and order; one draw alone is treated as the base.
        level: coverage of the intervals.
        seed: seed of the bootstrap.

    Returns:
        One row for each arm, split and measure: mean over draws, interval or None, the value of each draw, accuracy by
        chance (None for bits per byte) and the number of items. Accuracy 0 … 1; bits per byte of the gold answer.
    """
    rows: list[dict[str, Json]] = []
    for arm, draws in scores.items():
        tables = [[{item.split: item for item in summarise(order)} for order in draw] for draw in draws]
        if not tables or not tables[0]:
            continue
        for split, first in tables[0][0].items():
            for measure in ("accuracy", "bits_per_byte"):
                if getattr(first, measure) is None:
                    continue
                values = [fmean(float(getattr(table[split], measure)) for table in draw) for draw in tables]
                stream = generator(seed, "scores", arm, split, measure)
                if len(values) > 1:
                    units, names = values, [str(index) for index in range(len(values))]
                else:
                    items = [item for item in draws[0][0] if item.split == split]
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


def measure_table(records: Mapping[str, Sequence[Record]]) -> list[dict[str, Json]]:
    """Mean of every measure over runs and layers, by arm, object and slot, beside the mean of its null."""
    rows: list[dict[str, Json]] = []
    for arm, found in records.items():
        cells: dict[tuple[str, str, str], list[tuple[float, float | None, int]]] = defaultdict(list)
        for record in found:
            for what, slot, measure, mean, null, count in record.get("measures", ()):
                known = None if null is None else float(null)
                cells[str(what), str(measure), str(slot)].append((float(mean), known, int(count)))
        for (what, measure, slot), parts in sorted(cells.items()):
            rows.append(
                {
                    "arm": arm,
                    "object": what,
                    "measure": measure,
                    "slot": slot,
                    "mean": _weighted([(mean, count) for mean, _, count in parts]),
                    "null_mean": _weighted([(null, count) for _, null, count in parts if null is not None]),
                }
            )
    return rows


def _weighted(parts: Sequence[tuple[float, int]]) -> float | None:
    """Mean of means by their counts; None of nothing."""
    return sum(mean * count for mean, count in parts) / sum(count for _, count in parts) if parts else None


def spectra_table(records: Mapping[str, Sequence[Record]], null: Sequence[float]) -> dict[str, Json]:
    """Mean update spectrum of every arm by fraction of the rank, in log10 of values over their root mean square."""
    count = len(null)
    drawn = {arm: [row for row in rows if row["spectrum"]] for arm, rows in records.items()}
    drawn = {arm: rows for arm, rows in drawn.items() if rows}
    return {
        "quantile": ((np.arange(count) + 0.5) / count).tolist(),
        "arms": {arm: np.mean([row["spectrum"] for row in rows], axis=0).tolist() for arm, rows in drawn.items()},
        "null": list(null),
    }
