"""Pairs that share an arm: pooled where labels can then be exchanged, refused with the reason where they cannot."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from study_made import evidence_of, noise, record_of, spec_of

from shadowgraph.seeds import generator
from shadowgraph.spec.analysis import Contrast, Label, Pair
from shadowgraph.stats.strata import stratified_permutation
from shadowgraph.study import labelled, powers
from shadowgraph.study.contrasts import asked, readings
from shadowgraph.study.layout import RunKey
from shadowgraph.study.prospect import prospects
from shadowgraph.study.readings import Runs, gather, reader, unmatched
from shadowgraph.study.sharing import Stratum, inside_draws, strata_of, uncorrelated

GROUPS = {"g": ("a", "b"), "h": ("c", "d"), "k": ("d", "e"), "twice": ("a", "a")}
ARMS = ("a", "b", "c", "d", "e")
STAR = (("a", "b"), ("a", "c"))


@pytest.mark.parametrize(
    ("pairs", "parts"),
    [
        ([("a", "b")], [Stratum(("a",), ("b",))]),
        ([("a", "b"), ("c", "d")], [Stratum(("a",), ("b",)), Stratum(("c",), ("d",))]),
        ([("a", "b"), ("a", "c")], [Stratum(("a",), ("b", "c"))]),
        ([("b", "a"), ("d", "e"), ("c", "a")], [Stratum(("b", "c"), ("a",)), Stratum(("d",), ("e",))]),
        ([("g", "c"), ("g", "k")], [Stratum(("g",), ("c", "k"))]),
        ([("twice", "b")], [Stratum(("twice",), ("b",))]),
    ],
)
def test_pairs_that_share_a_member_on_one_side_are_one_stratum(pairs: list[Pair], parts: list[Stratum]) -> None:
    found = strata_of(pairs, GROUPS)
    assert list(found.parts) == parts
    assert found.reason == ""
    assert sum(part.pairs for part in found.parts) == len(pairs)


@pytest.mark.parametrize(
    ("pairs", "arm"),
    [
        ([("a", "b"), ("b", "c")], "b"),  # on both sides
        ([("a", "b"), ("a", "b")], "b"),  # the same pair twice
        ([("a", "b"), ("a", "c"), ("d", "b")], "b"),  # a chain
        ([("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")], "c"),  # all with all
        ([("a", "b"), ("b", "a")], "a"),
        ([("h", "k")], "d"),  # groups that share an arm
        ([("g", "a")], "a"),  # an arm and its group
        ([("a", "h"), ("b", "k")], "d"),
        ([("h", "a"), ("k", "b")], "d"),
    ],
)
def test_any_other_sharing_is_refused_and_names_the_arm(pairs: list[Pair], arm: str) -> None:
    found = strata_of(pairs, GROUPS)
    assert found.parts == ()
    assert arm in found.reason.split(" in several places")[0].split(", ")


def false_alarms(trials: int) -> tuple[int, int]:
    """Rejections among data sets of 4 + 4 + 4 draws of one law: b and c pooled, and the pairs as if independent."""
    stream = generator(3, "shared")
    pooled, apart = 0, 0
    for _ in range(trials):
        a, b, c = stream.normal(size=(3, 4))
        pooled += stratified_permutation([(a, np.append(b, c))]).p <= 0.05
        apart += stratified_permutation([(a, b), (a, c)]).p <= 0.05
    return pooled, apart


@pytest.mark.parametrize("trials", [400, pytest.param(6_000, marks=pytest.mark.slow)])
def test_the_level_holds_where_pairs_taken_as_independent_lose_it(trials: int) -> None:
    """99.9 % binomial interval of 24/495; pairs apart reject .12."""
    pooled, apart = false_alarms(trials)
    low, high = scipy.stats.binom.interval(0.999, trials, math.floor(0.05 * 495) / 495)
    assert low <= pooled <= high
    assert apart / trials > 0.09


def runs_of(analysis: dict[str, Any], *, draws: int = 4, level: dict[str, float] | None = None) -> Runs:
    spec = spec_of({name: {} for name in ARMS}, {"primary": ["a", "b"]} | analysis, draws=draws)

    def run(key: RunKey) -> dict[str, Any]:
        return record_of(key, K=1.0 + (level or {}).get(key.arm, 0.0) + noise(key.arm, key.draw, 0.1))

    return gather(spec, evidence_of(spec, run).records)


def k_of(runs: Runs, *arms: str) -> np.ndarray:
    return np.array([record["K"] for arm in arms for record in runs.of(arm)])


def test_a_shared_arm_counts_once_and_pairs_keep_their_weight() -> None:
    runs = runs_of({})
    row = asked(Contrast(name="x", pairs=STAR), runs).main()
    a, rest = k_of(runs, "a"), k_of(runs, "b", "c")
    whole = np.append(a, rest)
    hits = [
        abs(whole[list(chosen)].mean() - np.delete(whole, chosen).mean()) >= abs(a.mean() - rest.mean()) - 1e-12
        for chosen in itertools.combinations(range(12), 4)
    ]
    assert row["p"] == pytest.approx(np.mean(hits))
    assert row["estimate"] == pytest.approx(a.mean() - rest.mean())
    assert (row["n"], row["fewest"], row["smallest_p"]) == ([4, 8], 4, 1 / 495)
    assert "share a member" in str(row["interval_note"])
    more = asked(Contrast(name="y", pairs=(*STAR, ("d", "e"))), runs).main()
    third = k_of(runs, "d").mean() - k_of(runs, "e").mean()
    assert more["estimate"] == pytest.approx((2 * (a.mean() - rest.mean()) + third) / 3)


def test_matching_takes_one_range_for_all_arms_of_a_stratum() -> None:
    spec = spec_of({name: {} for name in ARMS}, {"primary": ["a", "b"], "norm_support": 0.2}, draws=4)

    def run(key: RunKey) -> dict[str, Any]:
        norm = {"b": 0.3, "c": -0.4}.get(key.arm, 0.0)
        return record_of(key, K=1.0 + 0.2 * (key.arm == "a") - 0.4 * norm, log_norm=norm)

    runs = gather(spec, evidence_of(spec, run).records)
    (norm, _) = readings(Contrast(name="x", pairs=STAR), runs)
    assert norm["support"] == pytest.approx([-0.7, -0.4])
    assert norm["estimate"] == pytest.approx(0.2)
    assert norm["n"] == [4, 8]


@pytest.mark.parametrize("pairs", [(("a", "b"), ("b", "c")), (("g", "h"), ("g", "k")), (("g", "a"),)])
def test_what_cannot_be_exchanged_is_not_estimable_in_any_reading(pairs: tuple[Pair, ...]) -> None:
    runs = runs_of({"groups": {name: list(arms) for name, arms in GROUPS.items() if name != "twice"}})
    contrast = Contrast(name="x", pairs=pairs)
    for row in (asked(contrast, runs).main(), *readings(contrast, runs)):
        assert (row["status"], row["estimate"], row["p"]) == ("not estimable", None, None)
        assert "in several places" in str(row["reason"])
    assert powers.of_contrast(contrast, runs)["detectable"] is None


def test_inside_draws_arms_may_be_shared_for_differences_are_averaged_first() -> None:
    runs = runs_of({"design": "blocked"}, draws=6)
    row = asked(Contrast(name="x", pairs=(("a", "b"), ("b", "c"))), runs).main()
    inside = (k_of(runs, "a") - k_of(runs, "c")) / 2
    walsh = [(one + two) / 2 for one, two in itertools.combinations_with_replacement(inside, 2)]
    assert row["estimate"] == pytest.approx(np.median(walsh))
    assert inside_draws(runs.spec.analysis, [("a", "b")])


def test_the_spread_of_a_star_is_that_inside_arms() -> None:
    """b and c lie 5 apart; that is no spread between draws."""
    found = powers.of_contrast(Contrast(name="x", pairs=STAR), runs_of({}, level={"c": 5.0}))
    assert float(str(found["sd"])) < 0.3
    assert found["n"] == [4, 8]
    assert (found["spread_of"], found["planned_factor"]) == (powers.OF_UNITS, 1.0)
    power = {"design": "blocked", "power": {"sd": 0.05, "origin": "made up for a test"}}
    inside = powers.of_contrast(Contrast(name="x", pairs=(("a", "b"),)), runs_of(power))
    assert inside["spread_of"] == powers.OF_DIFFERENCES
    assert inside["planned_sd"] == pytest.approx(0.05 * math.sqrt(2)), "as the observed one, of a difference"


def test_a_label_on_both_sides_is_not_estimable() -> None:
    groups = {"bench": ["a", "b"], "plain": ["b", "c", "d"]}
    runs = runs_of({"groups": groups})
    strata = labelled.strata_of(runs, Label(name="mark", positive="bench", negative="plain"))
    row = labelled.row(runs, strata, "K", lambda _: 1.0)
    assert (row["status"], row["n"]) == ("not estimable", [0, 0])
    assert row["reason"] == "b both with the label and without it"


def test_a_mean_over_pairs_varies_as_its_arms_do() -> None:
    """Simulated: arms of sd 1 without correlation."""
    assert uncorrelated([("a", "b")]) == pytest.approx(math.sqrt(2))
    assert uncorrelated([("a", "b"), ("c", "d")]) == pytest.approx(1.0)
    assert uncorrelated([("a", "b"), ("b", "a")]) == pytest.approx(0.0)
    a, b, c = generator(4, "arms").normal(size=(3, 40_000))
    assert uncorrelated(STAR) == pytest.approx(float(((a - b + a - c) / 2).std()), rel=0.02)


def test_a_plan_says_what_it_takes_for_granted_and_what_it_cannot_test() -> None:
    power = {"sd": 0.05, "origin": "made up for a test"}
    contrasts = [{"name": "star", "pairs": [list(pair) for pair in STAR], "role": "primary"}]
    chain = [{"name": "chain", "pairs": [["a", "b"], ["b", "c"]], "role": "primary"}]

    def first(analysis: dict[str, Any], draws: int = 8) -> Any:
        return prospects(spec_of({name: {} for name in ARMS}, {"power": power} | analysis, draws=draws))[0]

    star = first({"contrasts": contrasts}, draws=5)
    assert (star.smallest_p, star.fewest) == (1 / math.comb(15, 5), 5)
    assert "5 against 10" in star.line
    assert "b in several places" in first({"contrasts": chain}).line
    blocked = first({"contrasts": contrasts, "design": "blocked"})
    assert "taken as 1.22 sd, as if its arms had nothing in common" in blocked.line
    claim = {"arms": ["a", "b"], "margin": 0.05, "outside_margin": 0.05, "origin": "made up for a test"}
    found = prospects(
        spec_of(
            {name: {} for name in ARMS},
            {"power": power, "contrasts": contrasts, "design": "blocked", "equivalence": claim},
            draws=20,
        )
    )[-1]
    assert "taken as 1.41 sd" in found.line
    # 20 pairs of sd √2 · .05 are known as well as 20 + 20 draws of sd .05, up to the degrees of freedom.
    free = prospects(
        spec_of({n: {} for n in ARMS}, {"power": power, "contrasts": contrasts, "equivalence": claim}, draws=20)
    )[-1]
    assert found.power == pytest.approx(free.power, abs=0.03)
    assert "taken as" not in free.line


def test_units_of_a_pooled_side_keep_their_arm() -> None:
    runs = runs_of({})
    ((first, second),) = unmatched(runs, STAR, reader("K")).pairs
    assert sorted(first) == ["0", "1", "2", "3"]
    assert "b 0" in second
    assert len(second) == 8
