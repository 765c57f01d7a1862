"""What a study over pictures says of towers, layers and kinds of question, over draws.

Here live: the table of layers with swings and near-static layers, of towers, their contrasts, and changes of scores.
Not here: what a record holds of them (`towers`), tests (`contrasts`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import numpy as np
from scipy.special import ndtr

from shadowgraph.identity import Json
from shadowgraph.scores.item import ItemScore, summarise
from shadowgraph.seeds import generator
from shadowgraph.stats.resample import cluster_bootstrap_mean
from shadowgraph.study.contrasts import Row, asked
from shadowgraph.study.joined import Scored
from shadowgraph.study.readings import Read, Record, Runs, arm_mean, draw_values
from shadowgraph.study.towers import RANKS, TOWERS

BAND = 2.0  # standard deviations of the null on either side of its mean
MOST = 0.5  # a layer is near-static when more of its draws than this lie inside the band
STEPS = np.linspace(-8.0, 8.0, 801)  # sds about a mean at which an integral over noise is taken
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
        over draws of max − min over layers, the same expected of the null, which is more than max − min of its means
        (`range_of_noise`), and the layers that are near-static: inside the null's band in more than half of the draws.
        "towers": per arm and tower the mean of k with its interval, and relative_norm.
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
                null, sd = (arm_mean(runs, arm, _layer_reader(place, measure, part)) for part in (1, 2))
                inside = _inside(runs, arm, place, measure)
                ranks[measure] = change | {"null_mean": null, "null_sd": sd, "static": inside}
            numbers: dict[str, Json] = {
                key: arm_mean(runs, arm, _layer_reader(place, key)) for key in ("k", "relative_norm")
            }
            rows.append({"arm": arm, "tower": tower, "layer": layer} | ranks | numbers)
    return rows


def _inside(runs: Runs, arm: str, place: int, measure: str) -> float | None:
    """Share of an arm's draws whose change lies inside the null's band, orders of a draw averaged; None without one."""
    parts = (draw_values(runs, arm, _layer_reader(place, measure, part)).values() for part in range(3))
    held = [
        abs(value - mean) <= BAND * sd
        for value, mean, sd in zip(*parts, strict=True)
        if value is not None and mean is not None and sd is not None
    ]
    return fmean(held) if held else None


def _swings(runs: Runs) -> list[Row]:
    rows: list[Row] = []
    for arm in runs.arms:
        for tower in _towers(runs):
            places = [place for place, own, _ in _places(runs) if own == tower]
            for measure in RANKS:
                swing = _over(runs, arm, f"swing {tower} {measure}", _range_of(places, measure))
                inside = [_inside(runs, arm, place, measure) for place in places]
                known = [share for share in inside if share is not None]
                static = sum(share > MOST for share in known) if len(known) == len(inside) else None
                null: Json = arm_mean(runs, arm, _null_range_of(places, measure))
                at: Row = {"arm": arm, "tower": tower, "measure": measure, "layers": len(places)}
                rows.append(at | swing | {"null_swing": null, "static_layers": static})
    return rows


def _parts_of(record: Record, places: Sequence[int], measure: str, part: int) -> list[float] | None:
    """One of the three numbers of an effective rank in some layers; None where a layer has none."""
    values = [_layer_reader(place, measure, part)(record) for place in places]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def _range_of(places: Sequence[int], measure: str) -> Read:
    """The largest change less the smallest over some layers."""

    def read(record: Record) -> float | None:
        values = _parts_of(record, places, measure, 0)
        return None if values is None else max(values) - min(values)

    return read


def _null_range_of(places: Sequence[int], measure: str) -> Read:
    """What the largest change less the smallest over some layers comes to when all of them are noise."""

    def read(record: Record) -> float | None:
        means, sds = (_parts_of(record, places, measure, part) for part in (1, 2))
        return None if means is None or sds is None else range_of_noise(means, sds)

    return read


def range_of_noise(means: Sequence[float], sds: Sequence[float]) -> float:
    """Expected max − min of independent normal numbers.

    E(max − min) = ∫ 1 − Π F_i(x) − Π (1 − F_i(x)) dx, F_i the distribution of the i-th. It is more than max − min of
    the means: four layers of noise with one mean differ by 2.06 sd.

    Args:
        means: of the numbers, one or more.
        sds: their standard deviations, 0 or more, as many.

    Returns:
        In the unit of the numbers, 0 for one number; the error is below a thousandth of the largest sd.
    """
    both = list(zip(means, sds, strict=True))
    # The integrand moves near the means alone, so points lie there; without noise it steps at the mean.
    near = [mean + sd * STEPS if sd > 0.0 else np.array([np.nextafter(mean, -np.inf), mean]) for mean, sd in both]
    grid = np.unique(np.concatenate(near))
    below, above = np.ones_like(grid), np.ones_like(grid)
    for mean, sd in both:
        sooner = ndtr((grid - mean) / sd) if sd > 0.0 else (grid >= mean).astype(np.float64)
        later = ndtr((mean - grid) / sd) if sd > 0.0 else 1.0 - sooner
        below, above = below * sooner, above * later
    return float(np.trapezoid(1.0 - below - above, grid))


def _tower_rows(runs: Runs) -> list[Row]:
    rows: list[Row] = []
    for arm in runs.arms:
        for tower in _towers(runs):
            k = _over(runs, arm, f"k {tower}", _tower_reader(tower, "k"))
            norm: Json = arm_mean(runs, arm, _tower_reader(tower, "relative_norm"))
            matrices = runs.of(arm)[0]["towers"]["towers"][tower]["matrices"]
            rows.append({"arm": arm, "tower": tower} | k | {"relative_norm": norm, "matrices": matrices})
    return rows


def _sight_rows(runs: Runs, bases: Mapping[int, Record]) -> list[Row]:
    """How far a picture is looked at: the base first."""
    first = bases[min(bases)]["sight"]
    rows: list[Row] = [{"arm": "base", "own": float(first["own"]), "other": float(first["other"])}]
    for arm in runs.arms:
        read: dict[str, Json] = {key: arm_mean(runs, arm, _sight_reader(key)) for key in ("own", "other")}
        rows.append({"arm": arm} | read)
    return rows


def _sight_reader(key: str) -> Read:
    return lambda record: float(record["sight"][key])


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
