"""Does a 95 % interval cover 95 times in 100? Items in clusters, known truth, normal, skewed and right-or-wrong."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats

from shadowgraph.scores.asymmetry import asymmetry
from shadowgraph.scores.gap import gap
from shadowgraph.scores.headroom import Measure
from shadowgraph.scores.item import ItemScore
from shadowgraph.scores.transfer import transfer_panel
from shadowgraph.seeds import generator
from shadowgraph.stats.cluster import crossed_mean

INSIDE = 0.4  # correlation of items of one cluster
GAINS = {"benchmark": 0.8, "other": 0.2, "retained": 0.0}
PANEL = transfer_panel({"other": ["o"], "retained": ["r"]}, {"arm": ["b"]})
TRIALS = 400


def within(hits: int, trials: int, level: float = 0.95) -> bool:
    """Whether a count lies in its central 99.8 % binomial interval."""
    low, high = scipy.stats.binom.interval(0.998, trials, level)
    return bool(low <= hits <= high)


def noise(kind: str, rng: np.random.Generator, clusters: np.ndarray) -> np.ndarray:
    """Numbers of mean 0 and sd 1 with correlation `INSIDE` inside clusters."""
    count = int(clusters.max()) + 1

    def drawn(size: int) -> np.ndarray:
        return rng.exponential(size=size) - 1.0 if kind == "skewed" else rng.normal(size=size)

    return math.sqrt(INSIDE) * drawn(count)[clusters] + math.sqrt(1 - INSIDE) * drawn(clusters.size)


def world(kind: str, clusters: int, rng: np.random.Generator) -> dict[str, tuple[np.ndarray, ...]]:
    """For each split: cluster, base and run of every item, higher = better; binary where kind says so."""
    found: dict[str, tuple[np.ndarray, ...]] = {}
    for split, gain in GAINS.items():
        at = np.repeat(np.arange(clusters), rng.integers(1, 6, size=clusters))
        base = noise(kind, rng, at)
        run = gain + 0.7 * base + 0.8 * noise(kind, rng, at)
        found[split] = (at, (base > 0.5) * 1.0, (run > 0.5) * 1.0) if kind == "binary" else (at, base, run)
    return found


def truth(kind: str) -> float:
    """The index of a world of 200,000 clusters."""
    parts = world(kind, 200_000, generator(0, "truth", kind))
    gains = {split: float((run - base).mean() / base.std(ddof=1)) for split, (_, base, run) in parts.items()}
    return gains["benchmark"] - (gains["other"] + gains["retained"]) / 2


def scored(parts: dict[str, tuple[np.ndarray, ...]], column: int, binary: bool) -> list[ItemScore]:
    return [
        ItemScore(
            id=f"{split}-{number}",
            split=split,
            family="f",
            group=f"{split}-{part[0][number]}",
            correct=bool(part[column][number] > 0.5) if binary else False,
            bits_per_byte=-float(part[column][number]),
            margin=0.0,
            loglikelihoods=(0.0, 0.0),
            probability=0.5,
        )
        for split, part in parts.items()
        for number in range(part[0].size)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "clusters"), [("normal", 8), ("normal", 20), ("skewed", 8), ("skewed", 20), ("binary", 12), ("binary", 20)]
)
def test_the_interval_of_the_asymmetry_index_covers(kind: str, clusters: int) -> None:
    wanted, hits, known = truth(kind), 0, 0
    measure: Measure = "accuracy" if kind == "binary" else "bits_per_byte"
    for trial in range(TRIALS):
        rng = generator(1, "asymmetry", kind, str(clusters), str(trial))
        parts = world(kind, clusters, rng)
        base, run = (scored(parts, column, kind == "binary") for column in (1, 2))
        found = asymmetry(
            base, [run], aligned=["benchmark"], transfer=PANEL, generator=rng, measure=measure, resamples=400
        )
        if found.interval is not None:
            known += 1
            hits += found.interval[0] <= wanted <= found.interval[1]
    assert known > 0.9 * TRIALS
    assert within(hits, known), f"{hits} of {known}"


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [8, 20])
def test_the_interval_of_the_gap_covers(clusters: int) -> None:
    hits = 0
    for trial in range(TRIALS):
        rng = generator(2, "gap", str(clusters), str(trial))
        at = np.repeat(np.arange(clusters), rng.integers(1, 6, size=clusters))
        shifts = {"original": 1.0, "open": 0.4}
        base, run = (
            [
                dataclasses.replace(item, group=str(at[number]), source=f"q{number}")
                for split, shift in shifts.items()
                for number, item in enumerate(
                    scored({split: (at, after * shift + noise("skewed", rng, at))}, 1, binary=False)
                )
            ]
            for after in (0.0, 1.0)
        )
        found = gap(base, run, original=["original"], reformatted=["open"], generator=rng, resamples=400)
        assert found.interval is not None
        hits += found.interval[0] <= 0.6 <= found.interval[1]
    assert within(hits, TRIALS), f"{hits} of {TRIALS}"


@pytest.mark.slow
@pytest.mark.parametrize(("runs", "of_runs"), [(5, 1.0), (5, 0.1), (1, 0.0)])
def test_the_interval_of_a_mean_over_runs_and_items_covers(runs: int, of_runs: float) -> None:
    """Runs and clusters both vary; with one run the interval speaks of its items alone. It may cover more."""
    hits, trials = 0, 1000
    for trial in range(trials):
        rng = generator(3, "crossed", str(runs), str(of_runs), str(trial))
        at = np.repeat(np.arange(20), 3)
        shared = noise("skewed", rng, at)
        own = np.stack([noise("normal", rng, at) for _ in range(runs)])
        values = of_runs * rng.normal(size=(runs, 1)) + shared + 0.5 * own
        found = crossed_mean(values, [str(name) for name in at]).interval
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.0 <= found.high
    assert hits >= scipy.stats.binom.ppf(0.001, trials, 0.95), f"{hits} of {trials}"
