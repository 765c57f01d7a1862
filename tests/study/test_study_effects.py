"""Effects and claims of no shift: numbers against hand calculation, in each design."""

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.stats

from shadowgraph.spec.analysis import Analysis, Contrast, Equivalence
from shadowgraph.stats.equivalence import draws_needed, tost_power
from shadowgraph.stats.strata import stratified_interval
from shadowgraph.study.effects import effect, equivalence
from shadowgraph.study.readings import Tables, Units

ANALYSIS = Analysis(primary=("a", "b"), smallest_effect=0.05)
CONTRAST = Contrast(name="a - b", pairs=(("a", "b"),))
SEPARATE = {"a": [1.3, 1.35, 1.31, 1.4, 1.33], "b": [1.0, 1.02, 0.97, 1.05, 1.01]}
MIXED = {"a": [1.0, 1.3, 0.9, 1.2, 1.1], "b": [1.1, 1.0, 1.2, 0.95, 1.15]}


def units(values: list[float]) -> Units:
    return {str(index): value for index, value in enumerate(values)}


def found_for(values: dict[str, list[float]], **more: Any) -> dict[str, Any]:
    tables = Tables(((units(values["a"]), units(values["b"])),))
    return dict(effect(CONTRAST, "K", tables, analysis=ANALYSIS, seed=0, blocked=False) | more)


def test_a_contrast_is_what_hand_calculation_gives() -> None:
    found = found_for(SEPARATE)
    assert found["estimate"] == pytest.approx(np.median([x - y for x in SEPARATE["a"] for y in SEPARATE["b"]]))
    assert found["p"] == pytest.approx(2 / 252)
    assert found["smallest_p"] == pytest.approx(2 / 252)
    assert found["cliffs_delta"] == 1.0
    assert found["n"] == [5, 5]
    assert found["interval"][0] <= found["estimate"] <= found["interval"][1]
    pooled = np.array(MIXED["a"] + MIXED["b"])
    observed = abs(np.mean(MIXED["a"]) - np.mean(MIXED["b"]))
    hits = [
        abs(pooled[list(half)].mean() - np.delete(pooled, list(half)).mean()) >= observed - 1e-12
        for half in itertools.combinations(range(10), 5)
    ]
    assert found_for(MIXED)["p"] == pytest.approx(np.mean(hits))


def test_four_draws_get_the_interval_of_their_means_and_five_the_bootstrap() -> None:
    few = {arm: values[:4] for arm, values in SEPARATE.items()}
    found, pairs = found_for(few), [(np.array(few["a"]), np.array(few["b"]))]
    wanted = stratified_interval(pairs, 0.95)
    assert found["interval"] == pytest.approx(wanted.ends)
    assert wanted.method in found["method"]
    assert "bootstrap" in found_for(SEPARATE)["method"]
    assert found["mean"] == pytest.approx(np.mean(few["a"]) - np.mean(few["b"]))


def test_a_reason_leaves_no_number() -> None:
    row = effect(CONTRAST, "K", Tables((), reason="no support"), analysis=ANALYSIS, seed=0, blocked=False)
    assert (row["status"], row["reason"], row["estimate"], row["p"]) == ("not estimable", "no support", None, None)


def test_a_blocked_contrast_takes_the_draws_that_both_arms_have() -> None:
    first, second = {"0": 1.0, "2": 1.5, "4": 1.2}, {"0": 0.9, "2": 1.1, "3": 5.0}
    row = effect(CONTRAST, "K", Tables(((first, second),)), analysis=ANALYSIS, seed=0, blocked=True)
    assert row["n"] == [2, 2]
    assert row["estimate"] == pytest.approx(0.25)
    apart = Tables((({"0": 1.0}, {"1": 1.0}),))
    assert effect(CONTRAST, "K", apart, analysis=ANALYSIS, seed=0, blocked=True)["status"] == "not estimable"


def claim(margin: float) -> Equivalence:
    return Equivalence(arms=("a", "b"), margin=margin, outside_margin=0.05, origin="a test of the program")


NEAR = {"a": [1.0, 1.01, 0.99, 1.0, 1.005], "b": [1.001, 1.0, 0.995, 1.01, 0.99]}
FAR = {"a": [0.4, 0.41, 0.4, 0.42, 0.4], "b": [0.1, 0.1, 0.11, 0.1, 0.12]}


def both(concentration: dict[str, list[float]], outside: dict[str, list[float]]) -> dict[str, tuple[Units, Units]]:
    named = {"K": concentration, "outside_loss": outside}
    return {key: (units(values["a"]), units(values["b"])) for key, values in named.items()}


def test_equivalence_needs_both_endpoints() -> None:
    rows = equivalence(claim(0.05), both(NEAR, NEAR), alpha=0.05, blocked=False)
    assert [row["equivalent"] for row in rows] == [True, True]
    rows = equivalence(claim(0.05), both(NEAR, FAR), alpha=0.05, blocked=False)
    assert [row["equivalent"] for row in rows] == [True, False]
    assert [row["draws_needed"] for row in rows][1] is None


def test_a_blocked_claim_is_a_test_of_differences() -> None:
    base = np.array([0.0, 3.0, -2.0, 1.0, 0.5])
    shifted = {"a": (base + NEAR["a"]).tolist(), "b": (base + NEAR["b"]).tolist()}
    free, inside = (equivalence(claim(0.05), both(shifted, shifted), alpha=0.05, blocked=b)[0] for b in (False, True))
    assert (free["equivalent"], inside["equivalent"]) == (False, True)
    differences = np.array(NEAR["a"]) - NEAR["b"]
    half = float(scipy.stats.t.isf(0.05, 4)) * differences.std(ddof=1) / np.sqrt(5)
    assert inside["interval"] == pytest.approx([differences.mean() - half, differences.mean() + half])
    sd, shift = float(differences.std(ddof=1)), float(differences.mean())
    assert inside["draws_needed"] == draws_needed(sd, shift, 0.05, paired=True)


def test_draws_needed_inside_draws_are_those_of_the_paired_test() -> None:
    """Fewer draws than degrees of freedom of two arms would promise: a paired test of n draws has n − 1."""
    apart = {"a": (np.array([0.03, -0.05, 0.01, 0.06, -0.02, -0.04]) + 0.001).tolist(), "b": [0.0] * 6}
    (row, _) = equivalence(claim(0.05), both(apart, apart), alpha=0.05, blocked=True)
    found = row["draws_needed"]
    assert isinstance(found, int)
    sd, shift = float(np.std(apart["a"], ddof=1)), float(np.mean(apart["a"]))
    assert tost_power(sd, shift, 0.05, found, paired=True) >= 0.9
    assert tost_power(sd, shift, 0.05, found - 1, paired=True) < 0.9
    assert found > (draws_needed(sd / np.sqrt(2), shift, 0.05) or 0)


def test_a_claim_says_its_method_and_where_each_margin_is_from() -> None:
    units = {"0": 1.0, "1": 1.1, "2": 0.9}
    claim = Equivalence(arms=("a", "b"), margin=0.2, outside_margin=0.3, origin="made up for a test")
    for blocked, told in ((True, "differences inside draws"), (False, "Welch")):
        rows = equivalence(claim, dict.fromkeys(("K", "outside_loss"), (units, units)), alpha=0.05, blocked=blocked)
        assert all(str(row["method"]).startswith("TOST on means") and told in str(row["method"]) for row in rows)
        assert [row["origin"] for row in rows] == ["made up for a test", "the key outside_margin of the plan"]


def test_a_claim_without_numbers_is_not_shown() -> None:
    (row, _) = equivalence(claim(0.05), {"K": ({}, {}), "outside_loss": ({}, {})}, alpha=0.05, blocked=False)
    assert (row["equivalent"], row["status"], row["interval"]) == (False, "no_number", None)
