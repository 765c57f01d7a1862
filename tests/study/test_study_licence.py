"""What rows of numbers license, and what draws of several bases say of one difference, from numbers by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shadowgraph.seeds import generator
from shadowgraph.spec.intervention import Intervention
from shadowgraph.stats.frontier import FrontierDifference, stratified_mean_interval
from shadowgraph.study.licence import HEADLINE, LEADING, LOWERS, WHOLE, edit_words, fate_of, training_words
from shadowgraph.study.over_bases import Base, over_bases


def judged(
    means: tuple[float | None, ...], ends: tuple[float, float] | None, p: float = 0.01, **more: Any
) -> dict[str, Any]:
    """A row of `over_bases` by hand: means of its bases, the interval of all, p adjusted."""
    known = [mean for mean in means if mean is not None]
    bases = [{"base": str(place), "held_out": False, "estimate": mean} for place, mean in enumerate(means)]
    estimate = sum(known) / len(known) if known else None
    return {"name": "top", "estimate": estimate, "interval": ends, "p_adjusted": p, "bases": bases, **more}


DOWN, UP = (-0.3, -0.1), (0.1, 0.3)


@pytest.mark.parametrize(
    ("row", "fate"),
    [
        (judged((-0.2, -0.2, -0.2), DOWN), "lower"),
        (judged((-0.2, -0.2, -0.2), DOWN, 0.05), "lower"),
        (judged((-0.2, -0.2, -0.2), DOWN, 0.051), "open"),
        (judged((-0.2, -0.2, -0.2), (-0.4, 0.0)), "open"),
        (judged((-0.2, -0.2, -0.2), None), "open"),
        (judged((-0.5, -0.2, 0.1), DOWN), "mixed"),
        (judged((-0.5, -0.2, 0.0), DOWN), "mixed"),
        (judged((0.2, 0.2, 0.2), UP), "higher"),
        (judged((0.5, 0.2, -0.1), UP), "mixed"),
        (judged((0.2, 0.2, 0.2), (0.0, 0.4)), "open"),
        (judged((0.01, 0.0, 0.01), (-0.1, 0.1), 1.0, equivalent=True), "equal"),
        (judged((0.2, 0.2, None), UP), "described"),
        (judged((None, None, None), None), "missing"),
    ],
)
def test_what_a_row_licenses(row: dict[str, Any], fate: str) -> None:
    assert fate_of(row, 0.05) == fate


def test_a_base_held_out_neither_gives_nor_takes_a_licence() -> None:
    held = {"base": "held", "held_out": True, "estimate": 0.4}
    three, two = judged((-0.2, -0.2, -0.2), DOWN), judged((-0.2, -0.2), DOWN)
    assert [fate_of(row | {"bases": [*row["bases"], held]}, 0.05) for row in (three, two)] == ["lower", "described"]


def told(*rows: dict[str, Any]) -> list[str]:
    return edit_words(
        [{"arm": "one", "block": block, "edits": [row]} for block, row in zip("ab", rows, strict=False)], 0.05
    )


def test_a_lower_loss_within_the_margin_is_described_and_a_higher_one_says_so() -> None:
    below = told(judged((-0.02, -0.02, -0.02), (-0.03, -0.01), equivalent=True, margin=0.05))[0]
    assert "in every one of 3 bases, and within the margin of 0.05, which counts as no difference" in below
    assert LEADING not in below
    above = told(judged((0.02, 0.02, 0.02), (0.01, 0.03), equivalent=True, margin=0.05))[0]
    assert above.endswith(f"0.020 nats above that of interpolation [+0.010, +0.030], in 3 of 3 bases with that sign, "
                          f"and within the margin of 0.05: {WHOLE}.")  # fmt: skip


def test_bases_without_a_number_are_named() -> None:
    (words,) = told(judged((-0.2, -0.2, -0.2, None), DOWN))
    assert "below in every one of 3 bases (1 more without a number)" in words
    assert "1 base with a number, and 3 are needed" in told(judged((-0.2, None), DOWN))[0]


def test_only_opposite_blocks_speak_of_the_embedding() -> None:
    """Shown in one block and not in the other is no difference between the blocks."""
    low, high, unclear = (judged((mean,) * 3, ends) for mean, ends in ((-0.2, DOWN), (0.2, UP), (0.2, (-0.1, 0.5))))
    assert "so it matters what becomes of the embedding" in told(low, high)[-1]
    for pair in ((high, unclear), (low, unclear), (high, high)):
        assert len(told(*pair)) == 2


def trained_row(against: str, role: str, outside: dict[str, Any], K: dict[str, Any]) -> dict[str, Any]:
    return {"arm": "one", "regimen": "flat", "role": "flattening", "against": against, "against_role": role,
            "outside": outside, "K": K}  # fmt: skip


def flat_words(outside: dict[str, Any], margin: float | None = None, *, K: dict[str, Any] | None = None) -> str:
    falls = K or judged((-0.5, -0.5, -0.5), (-0.6, -0.4))
    rows = [trained_row("plain", "plain", outside, falls), trained_row("slow", "control", outside, falls)]
    (words,) = training_words(rows, 0.05, margin)
    return words


def test_the_headline_needs_intervals_and_room_below_the_margin_alone() -> None:
    open_ = judged((0.0, 0.0, 0.0), (-0.05, 0.05), 1.0)
    assert HEADLINE in flat_words(open_, 0.05)  # the end itself is within
    assert "not shown to be within the margin of 0.049 either" in flat_words(open_, 0.049)
    assert "leave room for -0.050 nats" in flat_words(open_)
    assert HEADLINE in flat_words(judged((0.1, 0.1, 0.1), (0.0, 0.2)))  # nothing below: no margin is needed
    unknown = flat_words(judged((0.0, 0.0, 0.0), None, 1.0), 0.05)
    assert "without all intervals not shown to stay either" in unknown
    assert HEADLINE not in unknown


def test_training_is_only_described_where_k_or_outside_loss_lacks_bases_or_k_one_sign() -> None:
    lower, two = judged((-0.2, -0.2, -0.2), DOWN), judged((-0.2, -0.2, None), DOWN)
    assert LOWERS in flat_words(lower)
    assert "2 bases with a number, and 3 are needed" in flat_words(two)
    assert "2 bases with a number, and 3 are needed" in flat_words(lower, K=two)
    assert "K is not shown to fall in every base" in flat_words(lower, K=judged((-0.5, -0.2, 0.1), DOWN))
    assert "K is not shown to fall in every base" in flat_words(lower, K=judged((-0.2, -0.2, -0.2), DOWN, 0.06))


def test_training_that_is_not_compared_says_why() -> None:
    gone = {"estimate": None, "reason": "no ground in common", "bases": [], "interval": None}
    assert flat_words(gone, K=gone).endswith("at equal benchmark loss: no ground in common.")
    assert flat_words(gone).endswith("outside loss is not compared with plain, slow.")
    row = trained_row("slow", "control", gone, gone)
    assert "no run of it has a path" in training_words([row], 0.05, None)[0]
    fine = judged((-0.5, -0.5, -0.5), (-0.6, -0.4))
    alone = training_words([trained_row("plain", "plain", fine, fine)], 0.05, None)[0]
    assert "without a control regimen nothing more is licensed" in alone


def at(estimate: float | None, status: str = "ok", share: float = 0.5) -> FrontierDifference:
    return FrontierDifference(estimate, None if estimate is None else -estimate, status, share)


def over(found: dict[int, FrontierDifference], bases: list[Base], **more: Any) -> dict[str, Any]:
    asked = Intervention(arms=("one",), benchmark="quiz", bootstrap=1000, margin=0.05)
    held = {draw: bases[draw % len(bases)] for draw in found}
    return dict(over_bases(found, held, asked, generator(3), alpha=0.05, **more))


def test_a_mean_needs_half_of_the_draws_and_else_tells_of_those_that_lack_it() -> None:
    bases = [Base("a", False), Base("b", False)]
    narrow = at(None, "too_narrow", 0.02)
    half = over({0: at(0.1), 1: at(0.3), 2: narrow, 3: narrow}, bases)
    assert (half["estimate"], half["n"], half["reason"]) == (0.2, 2, "")
    few = over({0: at(0.1, share=0.9), 1: narrow, 2: narrow, 3: at(None, "non_finite", 0.0)}, bases)
    assert (few["estimate"], few["p"], few["interval"], few["n"]) == (None, None, None, 1)
    assert few["reason"].startswith("2 of 4 draws: the curves share too little of the benchmark gain (0.02 in the mean")
    assert "no run that takes part" in over({0: at(1.0)}, [Base("a", True)])["reason"]


def test_draws_are_resampled_inside_bases_but_where_each_has_its_own() -> None:
    """Means of bases lie far apart: inside them there is little spread, over all of them much."""
    values = {draw: at(10.0 * (draw % 3) + 0.01 * draw) for draw in range(9)}
    inside = over(values, [Base(name, False) for name in "abc"])
    apart = over(values, [Base(str(draw), False) for draw in range(9)])
    widths = [row["interval"][1] - row["interval"][0] for row in (inside, apart)]
    assert widths[0] < 0.1 < 5.0 < widths[1]
    assert (inside["p"], inside["smallest_p"]) == (4 / 2**9, 2 / 2**9)  # one draw is 0: its sign does not matter
    parts = [np.array([values[draw].estimate for draw in range(base, 9, 3)]) for base in range(3)]
    ends = stratified_mean_interval(parts, 0.95, generator(3), resamples=1000).ends
    assert ends is not None
    assert inside["interval"] == list(ends)
    lone = over({0: at(0.1), 1: at(0.2), 2: at(0.3)}, [Base("a", False), Base("b", False)])
    assert (lone["interval"], lone["interval_status"]) == (None, "too_few_draws")


def test_equality_is_judged_by_the_90_percent_interval_at_a_level_of_5() -> None:
    """Mean .03, se .0086: mean + t se is .047 at one-sided .05, and .052 at .025; the margin is .05."""
    values = (0.0, 0.02, 0.04, 0.06, 0.02, 0.04)
    assert over({draw: at(value) for draw, value in enumerate(values)}, [Base("a", False)])["equivalent"] is True
    wider = (*values[:3], 0.07, *values[4:])
    assert over({draw: at(value) for draw, value in enumerate(wider)}, [Base("a", False)])["equivalent"] is False


def test_each_base_is_told_by_itself_and_levels_over_the_draws_that_reach_them() -> None:
    found = {draw: FrontierDifference(0.1 * draw, None, "ok", 0.5, None, {0.75: 1.0 * draw}) for draw in range(4)}
    found[3] = FrontierDifference(0.3, None, "ok", 0.5, None, {0.75: 3.0, 0.5: 7.0})
    row = over(found, [Base("a", False), Base("b", False)])
    assert [(base["base"], base["n"], base["estimate"]) for base in row["bases"]] == [
        ("a", 2, pytest.approx(0.1)), ("b", 2, pytest.approx(0.2)),
    ]  # fmt: skip
    assert row["levels"] == [{"kept": 0.75, "estimate": 1.5, "n": 4}, {"kept": 0.5, "estimate": 7.0, "n": 1}]
    assert (row["level"], row["share"]) == (0.95, 0.5)


def test_a_companion_has_neither_levels_nor_a_margin() -> None:
    values = {draw: at(0.01 + 0.001 * draw) for draw in range(6)}
    own, companion = (over(values, [Base("a", False)], companion=side) for side in (False, True))
    assert (own["margin"], own["equivalent"]) == (0.05, True)
    assert companion["estimate"] == -own["estimate"]
    assert not {"margin", "equivalent", "levels"} & companion.keys()
