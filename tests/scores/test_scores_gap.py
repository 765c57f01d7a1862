"""The gap between the original dress and others: worked by hand, paired by question, free of what the base has too."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from shadowgraph.errors import DataError
from shadowgraph.scores.gap import Gap, differences, gap, gaps, incomparable
from shadowgraph.scores.item import ItemScore
from shadowgraph.seeds import generator

FORMS = ("original", "open", "table")
QUESTIONS = 24


def scores_of(gains: dict[str, float], seed: int = 0, noise: float = 0.0, clusters: int = 12) -> list[ItemScore]:
    """Every question in three dresses; `gains` in bits per byte by dress, difficulty shared between dresses."""
    rng, own = generator(1, "difficulty"), generator(seed, "noise")
    found: list[ItemScore] = []
    for question in range(QUESTIONS):
        hard = float(rng.normal(5, 2))
        for form in FORMS:
            bits = hard - gains.get(form, 0.0) + noise * float(own.normal())
            group = f"g{question % clusters}"
            found.append(
                ItemScore(
                    id=f"{form}-{question}",
                    split=form,
                    family="f",
                    group=group,
                    correct=bits < 5,
                    bits_per_byte=bits,
                    margin=0.0,
                    loglikelihoods=(-1.0, -2.0, -3.0, -4.0),
                    probability=0.3,
                    form=form,
                    source=f"q{question}",
                )
            )
    return found


def read(base: list[ItemScore] | None, run: list[ItemScore]) -> Gap:
    return gap(
        base, run, original=["original"], reformatted=["open", "table"], generator=generator(0, "g"), resamples=500
    )


def test_worked_by_hand() -> None:
    base = scores_of({"original": 0.5})
    found = read(base, scores_of({"original": 3.0, "open": 1.0, "table": 0.0}))
    assert found.run_gap == pytest.approx(3.0 - 0.5)
    assert found.base_gap == pytest.approx(0.5)
    assert found.estimate == pytest.approx(2.0)
    assert found.interval is None
    assert (found.pairs, found.unpaired, found.clusters, found.status) == (QUESTIONS, 0, 12, "no_variation")
    assert [room.chance for room in (*found.original, *found.reformatted)] == [0.25] * 3


def test_equal_gains_in_every_dress_are_no_gap() -> None:
    found = read(scores_of({}), scores_of(dict.fromkeys(FORMS, 2.0)))
    assert found.estimate == pytest.approx(0.0, abs=1e-12)


def test_what_is_harder_for_the_base_too_cancels_only_against_the_base() -> None:
    harder = {"original": 1.0}
    assert read(scores_of(harder), scores_of(harder)).estimate == pytest.approx(0.0)
    alone = read(None, scores_of(harder))
    assert (alone.estimate, alone.base_gap) == (pytest.approx(1.0), None)


def test_difficulty_of_questions_does_not_widen_the_interval() -> None:
    """Difficulty varies with sd 2 between questions; paired, only the noise of .1 is left."""
    found = read(scores_of({}), scores_of({"original": 1.0}, seed=3, noise=0.1))
    assert found.interval is not None
    assert found.interval[1] - found.interval[0] < 0.2
    assert found.interval[0] < 1.0 < found.interval[1]


def test_swapping_the_dresses_turns_the_sign() -> None:
    base, run = scores_of({}), scores_of({"original": 1.0}, seed=3, noise=0.5)
    there, back = (
        gap(base, run, original=[a], reformatted=[b], generator=generator(0, "g"))
        for a, b in (("original", "open"), ("open", "original"))
    )
    assert there.interval is not None
    assert back.estimate == pytest.approx(-there.estimate)
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))


def test_the_order_of_items_does_not_matter() -> None:
    base, run = scores_of({}), scores_of({"original": 1.0}, seed=3, noise=0.5)
    assert read(base[::-1], run).estimate == pytest.approx(read(base, run).estimate)


def test_questions_in_one_dress_only_are_counted() -> None:
    run = [item for item in scores_of({}) if item.id not in {"original-0", "open-1", "table-1"}]
    found = differences(run, ["original"], ["open", "table"], "bits_per_byte")
    assert (len(found.questions), found.unpaired) == (QUESTIONS - 2, 2)
    with pytest.raises(DataError, match="split 'original': holds other items than the base"):
        read(scores_of({}), run)


def test_both_measures_always() -> None:
    found = gaps(
        scores_of({}),
        scores_of({"original": 3.0}, noise=0.3),
        original=["original"],
        reformatted=["open"],
        generator=generator(0, "g"),
        resamples=100,
    )
    assert list(found) == ["accuracy", "bits_per_byte"]
    assert 0.2 < found["accuracy"].estimate < 0.9
    assert found["bits_per_byte"].estimate == pytest.approx(3.0, abs=0.2)


def test_few_clusters_have_a_status() -> None:
    found = read(scores_of({}, clusters=5), scores_of({"original": 1.0}, noise=0.1, clusters=5))
    assert (found.status, found.interval, found.clusters) == ("few_clusters", None, 5)


def test_what_differs_in_kind_or_chance_is_not_subtracted() -> None:
    scores = scores_of({})

    def read_as(**changes: Any) -> list[str]:
        made = [dataclasses.replace(item, **changes) if item.split == "open" else item for item in scores]
        return [incomparable(made, ["original"], ["open"], measure) for measure in ("accuracy", "bits_per_byte")]

    assert read_as() == ["", ""]
    assert read_as(loglikelihoods=(-1.0, -2.0)) == ["unequal_chance", ""]
    assert read_as(kind="generate", loglikelihoods=(-1.0,)) == ["other_kind", "other_kind"]
    replies = [dataclasses.replace(item, kind="generate", loglikelihoods=(-1.0,)) for item in scores]
    assert incomparable(replies, ["original"], ["open"], "accuracy") == ""


def test_what_cannot_be_paired_is_refused() -> None:
    scores = scores_of({})
    with pytest.raises(DataError, match="disjoint"):
        differences(scores, ["open"], ["open"], "accuracy")
    with pytest.raises(DataError, match="split 'novel'"):
        differences(scores, ["original"], ["novel"], "accuracy")
    nameless = [dataclasses.replace(item, source="") for item in scores]
    with pytest.raises(DataError, match="no question occurs in both"):
        differences(nameless, ["original"], ["open"], "accuracy")
    apart = [dataclasses.replace(item, group=item.group + item.form) for item in scores]
    with pytest.raises(DataError, match="stands in two clusters"):
        differences(apart, ["original"], ["open"], "accuracy")
