"""What a study over pictures says of towers, layers and kinds of question, over draws.

Here live: the table of layers with swings and near-static layers, of towers, their contrasts, and changes of scores.
Not here: what a record holds of them (`towers`), tests (`contrasts`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import numpy as np

from shadowgraph.identity import Json
from shadowgraph.scores.item import ItemScore, summarise
from shadowgraph.seeds import generator
from shadowgraph.stats.resample import cluster_bootstrap_mean
from shadowgraph.study.contrasts import Row, asked
from shadowgraph.study.joined import Scored
from shadowgraph.study.readings import Read, Record, Runs, draw_values
from shadowgraph.study.towers import RANKS, TOWERS

BAND = 2.0  # standard deviations of the null on either side of its mean
MEASURES = ("accuracy", "bits_per_byte")


def table(runs: Runs, scores: Scored, bases: Mapping[int, Record]) -> dict[str, Json]:
    """Towers, layers and kinds of question of a study over pictures.

    Args:
        runs: its runs.
        scores: item scores of the base and of all arms; nothing where they are not here.
        bases: draw → record of the base it starts from.

    Returns:
        "band": half the width of the null's band in standard deviations. "layers": per arm, tower and layer the mean
        of O2 over draws with its interval, the mean and sd of its null, the share of draws inside the null's band, for
        each effective rank, and the mean of k and relative_norm. "swings": per arm, tower and effective rank the mean
        over draws of max − min over layers, the same of the null's means, and the layers that are near-static: inside
        the null's band in most draws. "towers": per arm and tower the mean of k with its interval, and relative_norm.
        "contrasts": every contrast of the plan in k of each tower, and in every score. "kinds": per arm, split and
        measure the change from the base, with its interval. "sight": of the base and per arm the loss on descriptions
        of pictures that nobody saw, with their own picture and with another's, nats a token. Intervals are over draws;
        contrasts describe, none is corrected for their number.
    """
    found = _layer_rows(runs)
    tests = [asked(contrast, runs) for contrast in runs.spec.analysis.all_contrasts]
    readers = {f"k_{tower}": _tower_reader(tower, "k") for tower in _towers(runs)}
    gains = _gains(runs, scores)
    rows: list[Row] = [test.on(name, "tower", read) for test in tests for name, read in readers.items()]
    rows += [test.on(name, "kind", _gain_reader(values)) for test in tests for name, values in gains.items()]
    return {
        "band": BAND,
        "layers": list(found),
        "swings": list(_swings(runs)),
        "towers": list(_tower_rows(runs)),
        "contrasts": list(rows),
        "kinds": list(_kind_rows(runs, scores, gains)),
        "sight": list(_sight_rows(runs, bases)),
    }


def _towers(runs: Runs) -> list[str]:
    """Towers that every record has, in order."""
    records = [record for arm in runs.arms for record in runs.of(arm)]
    return [name for name in TOWERS.values() if all(name in record["towers"]["towers"] for record in records)]


def _tower_reader(tower: str, key: str) -> Read:
    def read(record: Record) -> float | None:
        value = record["towers"]["towers"].get(tower, {}).get(key)
        return None if value is None else float(value)

    return read


def _layer_reader(place: int, key: str, part: int | None = None) -> Read:
    """How a record gives a number of one of its layers; `part` of the three numbers of an effective rank."""

    def read(record: Record) -> float | None:
        value = record["towers"]["layers"][place].get(key)
        if value is None:
            return None
        return float(value if part is None else value[part])

    return read


def _over(runs: Runs, arm: str, label: str, read: Read) -> dict[str, Json]:
    """Mean over the draws of an arm, its interval, and every draw's value."""
    values = [value for value in draw_values(runs, arm, read).values() if value is not None]
    if not values:
        return {"mean": None, "interval": None, "values": [], "status": "no_number"}
    stream = generator(runs.spec.study.seed, "towers", arm, label)
    level = 1.0 - runs.spec.analysis.alpha
    found = cluster_bootstrap_mean(np.array(values), [str(place) for place in range(len(values))], stream, level)
    ends = found.interval
    known = ends.low is not None and ends.high is not None
    return {"mean": fmean(values), "interval": [ends.low, ends.high] if known else None, "values": list(values)}


def _mean(runs: Runs, arm: str, read: Read) -> float | None:
    values = [value for value in draw_values(runs, arm, read).values() if value is not None]
    return fmean(values) if values else None


def _places(runs: Runs) -> list[tuple[int, str, int]]:
    """Place in the record, tower and layer of every row of a record."""
    first = runs.of(runs.arms[0])[0]["towers"]["layers"]
    return [(place, str(row["tower"]), int(row["layer"])) for place, row in enumerate(first)]


def _layer_rows(runs: Runs) -> list[Row]:
    rows: list[Row] = []
    for arm in runs.arms:
        for place, tower, layer in _places(runs):
            ranks: dict[str, Json] = {}
            for measure in RANKS:
                change = _over(runs, arm, f"{tower} {layer} {measure}", _layer_reader(place, measure, 0))
                null, sd = (_mean(runs, arm, _layer_reader(place, measure, part)) for part in (1, 2))
                inside = _inside(runs, arm, place, measure)
                ranks[measure] = change | {"null_mean": null, "null_sd": sd, "static": inside}
            numbers: dict[str, Json] = {
                key: _mean(runs, arm, _layer_reader(place, key)) for key in ("k", "relative_norm")
            }
            rows.append({"arm": arm, "tower": tower, "layer": layer} | ranks | numbers)
    return rows


def _inside(runs: Runs, arm: str, place: int, measure: str) -> float | None:
    """Share of an arm's runs whose change lies inside the null's band."""
    held: list[bool] = []
    for record in runs.of(arm):
        numbers = record["towers"]["layers"][place].get(measure)
        if numbers is not None:
            value, mean, sd = (float(number) for number in numbers)
            held.append(abs(value - mean) <= BAND * sd)
    return fmean(held) if held else None


def _swings(runs: Runs) -> list[Row]:
    rows: list[Row] = []
    for arm in runs.arms:
        for tower in _towers(runs):
            places = [place for place, own, _ in _places(runs) if own == tower]
            for measure in RANKS:
                swing = _over(runs, arm, f"swing {tower} {measure}", _range_of(places, measure, 0))
                inside = [_inside(runs, arm, place, measure) for place in places]
                static = None if None in inside else sum(float(share or 0.0) > 0.5 for share in inside)
                null: Json = _mean(runs, arm, _range_of(places, measure, 1))
                at: Row = {"arm": arm, "tower": tower, "measure": measure, "layers": len(places)}
                rows.append(at | swing | {"null_swing": null, "static_layers": static})
    return rows


def _range_of(places: Sequence[int], measure: str, part: int) -> Read:
    """The largest less the smallest over some layers."""

    def read(record: Record) -> float | None:
        values = [_layer_reader(place, measure, part)(record) for place in places]
        known = [value for value in values if value is not None]
        return max(known) - min(known) if len(known) == len(values) else None

    return read


def _tower_rows(runs: Runs) -> list[Row]:
    rows: list[Row] = []
    for arm in runs.arms:
        for tower in _towers(runs):
            k = _over(runs, arm, f"k {tower}", _tower_reader(tower, "k"))
            norm: Json = _mean(runs, arm, _tower_reader(tower, "relative_norm"))
            matrices = runs.of(arm)[0]["towers"]["towers"][tower]["matrices"]
            rows.append({"arm": arm, "tower": tower} | k | {"relative_norm": norm, "matrices": matrices})
    return rows


def _sight_rows(runs: Runs, bases: Mapping[int, Record]) -> list[Row]:
    """How far a picture is looked at: the base first."""
    first = bases[min(bases)]["sight"]
    rows: list[Row] = [{"arm": "base", "own": float(first["own"]), "other": float(first["other"])}]
    for arm in runs.arms:
        own, other = (_mean(runs, arm, lambda record, key=key: float(record["sight"][key])) for key in ("own", "other"))
        rows.append({"arm": arm, "own": own, "other": other})
    return rows


Gains = Mapping[tuple[str, int], float]


def _gains(runs: Runs, scores: Scored) -> Mapping[str, Gains]:
    """Score, as "SPLIT MEASURE" → (arm, draw) → its change from the base, orders of a draw averaged."""
    if not scores:
        return {}
    base = _means(scores["base"][0][0])
    found: dict[str, dict[tuple[str, int], float]] = {}
    for arm in runs.arms:
        for draw, orders in zip(runs.draws(arm), scores[arm], strict=True):
            tables = [_means(items) for items in orders]
            for name, before in base.items():
                found.setdefault(name, {})[arm, draw] = fmean(table[name] for table in tables) - before
    return found


def _means(items: Sequence[ItemScore]) -> dict[str, float]:
    """Mean of every measure on every split."""
    found: dict[str, float] = {}
    for split in summarise(items):
        for measure in MEASURES:
            value = getattr(split, measure)
            if value is not None:
                found[f"{split.split} {measure}"] = float(value)
    return found


def _gain_reader(values: Gains) -> Callable[[Record], float | None]:
    return lambda record: values.get((str(record["arm"]), int(record["draw"])))


def _kind_rows(runs: Runs, scores: Scored, gains: Mapping[str, Gains]) -> list[Row]:
    """The base itself, and the change of every arm from it."""
    rows: list[Row] = []
    before = _means(scores["base"][0][0]) if scores else {}
    for name, values in gains.items():
        split, measure = name.split(" ")
        for arm in runs.arms:
            change = _over(runs, arm, name, _gain_reader(values))
            rows.append({"arm": arm, "split": split, "measure": measure, "base": before[name]} | change)
    return rows
