"""The asymmetry index: worked by hand, signed, scale-free, with an interval that widens with clustering."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from shadowgraph.errors import DataError
from shadowgraph.scores.asymmetry import Asymmetry, asymmetry
from shadowgraph.scores.item import ItemScore
from shadowgraph.seeds import generator

SPLITS = {"benchmark": 12, "recall": 8, "other": 8}


def _base(clusters: int = 4) -> list[ItemScore]:
    rng = generator(3, "base")
    return [
        ItemScore(
            id=f"{split}-{index}",
            split=split,
            family="f",
            group=f"g{index % clusters}",
            correct=index % 4 == 0,
            bits_per_byte=float(rng.uniform(1, 3)),
            margin=0.0,
            loglikelihoods=(-1.0, -2.0),
        )
        for split, size in SPLITS.items()
        for index in range(size)
    ]


def _gained(base: list[ItemScore], gains: dict[str, float]) -> list[ItemScore]:
    return [
        dataclasses.replace(item, bits_per_byte=(item.bits_per_byte or 0.0) - gains.get(item.split, 0.0))
        for item in base
    ]


def _index(base: list[ItemScore], runs: list[list[ItemScore]], resamples: int = 500) -> Asymmetry:
    return asymmetry(
        base,
        runs,
        aligned=["benchmark"],
        transfer=["recall", "other"],
        generator=generator(0, "bootstrap"),
        resamples=resamples,
    )


def _sd(base: list[ItemScore], split: str) -> float:
    return float(np.std([item.bits_per_byte or 0.0 for item in base if item.split == split], ddof=1))


def test_worked_by_hand() -> None:
    base = _base()
    found = _index(base, [_gained(base, {"benchmark": 0.6, "recall": 0.1}), _gained(base, {"benchmark": 0.2})])
    first = 0.6 / _sd(base, "benchmark") - 0.5 * 0.1 / _sd(base, "recall")
    second = 0.2 / _sd(base, "benchmark")
    assert found.status == "ok"
    assert found.values == pytest.approx((first, second))
    assert found.estimate == pytest.approx((first + second) / 2)
    assert found.aligned_gain == pytest.approx(0.4 / _sd(base, "benchmark"))
    assert found.transfer_gain == pytest.approx(0.5 * 0.05 / _sd(base, "recall"))
    assert (found.aligned_ceiling, found.transfer_ceiling) == (0.25, 0.25)
    # equal gains of all items of a split leave the bootstrap nothing to vary
    assert found.interval == pytest.approx((found.estimate, found.estimate))


def test_equal_gains_in_base_deviations_are_no_asymmetry() -> None:
    base = _base()
    found = _index(base, [_gained(base, {split: 0.5 * _sd(base, split) for split in SPLITS})])
    assert found.estimate == pytest.approx(0.0, abs=1e-12)


def test_swapping_the_panels_turns_the_sign() -> None:
    base = _base()
    runs = [_gained(base, {"benchmark": 0.6, "other": 0.3})]
    there, back = (
        asymmetry(base, runs, aligned=[a], transfer=[b], generator=generator(0, "b"))
        for a, b in (("benchmark", "other"), ("other", "benchmark"))
    )
    assert there.estimate is not None
    assert back.estimate == pytest.approx(-there.estimate)


def test_interval_covers_and_widens_with_clusters() -> None:
    noise = generator(4, "noise").normal(size=(4, 28))

    def width(clusters: int) -> float:
        base = _base(clusters)
        run = [
            dataclasses.replace(item, bits_per_byte=(item.bits_per_byte or 0.0) + noise[int(item.group[1:]) % 4, 0])
            for item in base
        ]
        found = _index(base, [run], 2000)
        assert found.interval is not None
        assert found.estimate is not None
        assert found.interval[0] < found.estimate < found.interval[1]
        return found.interval[1] - found.interval[0]

    # the same gains, called 4 clusters or 8 half-clusters: fewer clusters, wider interval
    assert width(4) > 1.2 * width(8)


def test_no_number_without_reason() -> None:
    base = [dataclasses.replace(item, bits_per_byte=2.0) for item in _base()]
    found = _index(base, [base])
    assert (found.status, found.estimate, found.interval) == ("no_variation", None, None)
    base = _base(clusters=1)
    found = _index(base, [base])
    assert (found.status, found.estimate, found.interval) == ("too_few_clusters", 0.0, None)


def test_other_items_are_refused() -> None:
    base = _base()
    with pytest.raises(DataError, match="run 0 split 'benchmark'"):
        _index(base, [base[1:]])
    with pytest.raises(DataError, match="split 'novel'"):
        asymmetry(base, [base], aligned=["novel"], transfer=["other"], generator=generator(0, "b"))
    with pytest.raises(DataError, match="disjoint"):
        asymmetry(base, [base], aligned=["other"], transfer=["other"], generator=generator(0, "b"))
