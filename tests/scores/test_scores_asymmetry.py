"""The asymmetry index: worked by hand, signed, scale-free, on a panel proven free, with an interval over clusters."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from shadowgraph.errors import DataError
from shadowgraph.scores.asymmetry import Asymmetry, asymmetries, asymmetry
from shadowgraph.scores.item import ItemScore
from shadowgraph.scores.transfer import TransferPanel, transfer_panel
from shadowgraph.seeds import generator

SPLITS = {"benchmark": 24, "recall": 16, "other": 16}
PANEL = transfer_panel({"recall": ["facts"], "other": ["words"]}, {"aligned": ["sums"], "covering": ["sums", "maps"]})


def base_of(clusters: int = 8) -> list[ItemScore]:
    rng = generator(3, "base")
    return [
        ItemScore(
            id=f"{split}-{index}",
            split=split,
            family="f",
            group=f"{split}-{index % clusters}",
            correct=index % 4 == 0,
            bits_per_byte=float(rng.uniform(1, 3)),
            margin=0.0,
            loglikelihoods=(-1.0, -2.0),
            probability=0.4 if index % 2 else 0.6,
        )
        for split, size in SPLITS.items()
        for index in range(size)
    ]


def gained(base: list[ItemScore], gains: dict[str, float], noise: float = 0.0) -> list[ItemScore]:
    rng = generator(7, "noise")
    return [
        dataclasses.replace(
            item, bits_per_byte=(item.bits_per_byte or 0.0) - gains.get(item.split, 0.0) - noise * float(rng.normal())
        )
        for item in base
    ]


def index(base: list[ItemScore], runs: list[list[ItemScore]], panel: TransferPanel = PANEL) -> Asymmetry:
    return asymmetry(
        base, runs, aligned=["benchmark"], transfer=panel, generator=generator(0, "bootstrap"), resamples=500
    )


def sd(base: list[ItemScore], split: str) -> float:
    return float(np.std([item.bits_per_byte or 0.0 for item in base if item.split == split], ddof=1))


def test_worked_by_hand() -> None:
    base = base_of()
    found = index(base, [gained(base, {"benchmark": 0.6, "recall": 0.1}), gained(base, {"benchmark": 0.2})])
    first = 0.6 / sd(base, "benchmark") - 0.5 * 0.1 / sd(base, "recall")
    second = 0.2 / sd(base, "benchmark")
    assert found.status == "ok"
    assert found.values == pytest.approx((first, second))
    assert found.estimate == pytest.approx((first + second) / 2)
    assert found.aligned_gain == pytest.approx(0.4 / sd(base, "benchmark"))
    assert found.transfer_gain == pytest.approx(0.5 * 0.05 / sd(base, "recall"))
    assert found.interval is not None
    assert found.estimate is not None
    assert found.interval[0] < found.estimate < found.interval[1]


def test_headroom_counts_ceiling_and_chance_of_every_split() -> None:
    base = base_of()
    run = [dataclasses.replace(item, correct=True, probability=0.9) for item in base]
    found = index(base, [gained(base, {"benchmark": 0.6}), run])
    assert [room.split for room in (*found.aligned, *found.transfer)] == ["benchmark", "recall", "other"]
    room = found.aligned[0]
    assert (room.items, room.clusters, room.chance) == (24, 8, 0.5)
    assert (room.at_ceiling, room.at_chance) == (0.25, 0.5)
    assert (room.at_ceiling_after, room.at_chance_after) == ((0.25 + 1) / 2, 0.25)


def test_equal_gains_in_base_deviations_are_no_asymmetry() -> None:
    base = base_of()
    found = index(base, [gained(base, {split: 0.5 * sd(base, split) for split in SPLITS})])
    assert found.estimate == pytest.approx(0.0, abs=1e-12)


def test_swapping_the_panels_turns_the_sign() -> None:
    base = base_of()
    runs = [gained(base, {"benchmark": 0.6, "other": 0.3})]
    there, back = (
        asymmetry(
            base, runs, aligned=[a], transfer=transfer_panel({b: ["s"]}, {"x": ["t"]}), generator=generator(0, "b")
        )
        for a, b in (("benchmark", "other"), ("other", "benchmark"))
    )
    assert there.estimate is not None
    assert back.estimate == pytest.approx(-there.estimate)


def test_the_unit_of_a_score_does_not_matter() -> None:
    base = base_of()
    run = gained(base, {"benchmark": 0.6}, noise=0.3)
    tenfold = [
        [dataclasses.replace(item, bits_per_byte=10 * (item.bits_per_byte or 0.0)) for item in scores]
        for scores in (base, run)
    ]
    one, ten = index(base, [run]), index(tenfold[0], [tenfold[1]])
    assert one.interval is not None
    assert (ten.estimate, ten.interval) == (pytest.approx(one.estimate), pytest.approx(one.interval))


def test_fewer_clusters_widen_the_interval() -> None:
    def width(clusters: int) -> float:
        base = base_of(clusters)
        noise = generator(4, "noise").normal(size=8)
        run = [
            dataclasses.replace(
                item, bits_per_byte=(item.bits_per_byte or 0.0) + noise[int(item.group.split("-")[1]) % 8]
            )
            for item in base
        ]
        found = index(base, [run])
        assert found.interval is not None
        return found.interval[1] - found.interval[0]

    # the same gains, called 8 clusters or 16 half-clusters
    assert width(8) > 1.2 * width(16)


def twins(shared: bool, change: float) -> list[ItemScore]:
    """Sixteen questions in two splits, twins in one cluster or in two; the change of a question is that of its twin."""
    rng = generator(5, "twins")
    moved = change * rng.normal(size=16)
    return [
        ItemScore(
            id=f"{split}-{question}",
            split=split,
            family="f",
            group=f"q{question}" if shared else f"{split}-q{question}",
            correct=False,
            bits_per_byte=3.0 + (-1) ** question + moved[question],
            margin=0.0,
            loglikelihoods=(-1.0, -2.0),
        )
        for split in ("benchmark", "other")
        for question in range(16)
    ]


def test_an_item_and_its_counterpart_are_drawn_together() -> None:
    """What twins share cancels between the two splits, and so must not widen the interval of the difference."""
    panel = transfer_panel({"other": ["words"]}, {"aligned": ["sums"]})
    together, apart = (index(twins(shared, 0.0), [twins(shared, 0.5)], panel) for shared in (True, False))
    assert (together.interval, together.status) == (None, "no_variation")
    assert apart.interval is not None
    assert apart.interval[1] - apart.interval[0] > 0.3


def test_both_measures_always() -> None:
    base = base_of()
    run, stream = gained(base, {"benchmark": 1.0}, noise=0.1), generator(0, "b")
    found = asymmetries(base, [run], aligned=["benchmark"], transfer=PANEL, generator=stream, resamples=100)
    assert list(found) == ["accuracy", "bits_per_byte"]
    assert found["accuracy"].estimate == 0.0
    assert (found["bits_per_byte"].estimate or 0.0) > 1.0


def test_no_number_without_reason() -> None:
    base = [dataclasses.replace(item, bits_per_byte=2.0) for item in base_of()]
    found = index(base, [base])
    assert (found.status, found.estimate, found.interval) == ("no_variation", None, None)
    base = base_of(clusters=5)
    found = index(base, [base])
    assert (found.status, found.estimate, found.interval, found.clusters) == ("few_clusters", 0.0, None, 5)


def test_other_items_are_refused() -> None:
    base = base_of()
    with pytest.raises(DataError, match="run 0 split 'benchmark'"):
        index(base, [base[1:]])
    with pytest.raises(DataError, match="split 'novel'"):
        asymmetry(base, [base], aligned=["novel"], transfer=PANEL, generator=generator(0, "b"))
    with pytest.raises(DataError, match="disjoint"):
        asymmetry(base, [base], aligned=["other"], transfer=PANEL, generator=generator(0, "b"))
    with pytest.raises(DataError, match="occurs twice"):
        index([*base, base[0]], [base])
    bare = [dataclasses.replace(item, margin=None) for item in base]
    with pytest.raises(DataError, match="has no margin"):
        asymmetry(bare, [bare], aligned=["benchmark"], transfer=PANEL, generator=generator(0, "b"), measure="margin")


@pytest.mark.parametrize("told", ["GSM8K", "gsm-8k", "gsm8k"])
def test_a_panel_that_an_arm_was_trained_on_is_refused(told: str) -> None:
    with pytest.raises(DataError, match="arm 'covering' was trained on 'gsm8k'"):
        transfer_panel({"far": ["svamp", "gsm8k"]}, {"aligned": ["boolq"], "covering": ["c4", told]})


def test_a_list_that_proves_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="arm 'aligned': names no source"):
        transfer_panel({"far": ["svamp"]}, {"aligned": []})
    with pytest.raises(DataError, match="transfer split 'far': names no source"):
        transfer_panel({"far": [" "]}, {"aligned": ["c4"]})
    with pytest.raises(DataError, match="at least one"):
        transfer_panel({}, {"aligned": ["c4"]})
    assert PANEL.splits == ("recall", "other")
    assert (PANEL.sources, PANEL.arms) == (frozenset({"facts", "words"}), ("aligned", "covering"))


def test_a_generated_split_has_no_chance() -> None:
    base = [dataclasses.replace(item, kind="generate", probability=None) for item in base_of()]
    found = index(base, [gained(base, {"benchmark": 0.2}, 0.1)])
    assert (found.aligned[0].chance, found.aligned[0].at_chance) == (None, None)
    assert math.isclose(found.aligned[0].at_ceiling, 0.25)
