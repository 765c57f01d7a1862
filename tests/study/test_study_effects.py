"""Effects, claims and words: numbers against hand calculation, words never stronger than their numbers."""

import itertools
from typing import Any

import numpy as np
import pytest

from shadowgraph.spec.analysis import Analysis, Equivalence
from shadowgraph.study.answer import claim_level, first_sentence, limits, second_sentence
from shadowgraph.study.effects import Curve, contrast, equivalence, norm_matched

FACTS: dict[str, Any] = {"shared_documents": 0.0, "base_loss": (3.0, 3.5, 7.6)}
ANALYSIS = Analysis(primary=("a", "b"), smallest_effect=0.05)
SEPARATE = {"a": [1.3, 1.35, 1.31, 1.4, 1.33], "b": [1.0, 1.02, 0.97, 1.05, 1.01]}
MIXED = {"a": [1.0, 1.3, 0.9, 1.2, 1.1], "b": [1.1, 1.0, 1.2, 0.95, 1.15]}


def primary(values: dict[str, list[float]]) -> dict[str, Any]:
    return dict(contrast("a - b", "K", ("a", "b"), values, analysis=ANALYSIS, seed=0))


def test_a_contrast_is_what_hand_calculation_gives() -> None:
    found = primary(SEPARATE)
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
    assert primary(MIXED)["p"] == pytest.approx(np.mean(hits))


def test_norm_matching_recovers_a_difference_that_size_hides() -> None:
    """K falls along both runs; at equal norm a lies .2 above b, at the end it lies below."""

    def run(shift: float, start: float, end: float) -> Curve:
        norms = np.linspace(start, end, 4)
        return Curve(tuple(norms), tuple(1.0 + shift - 0.5 * norms))

    curves = {"a": [run(0.2, 0.0, 2.0)] * 3, "b": [run(0.0, -1.0, 1.0)] * 3}
    assert curves["a"][0].K[-1] < curves["b"][0].K[-1]
    found = norm_matched("a - b", ("a", "b"), curves, ANALYSIS, 0)
    assert found["estimate"] == pytest.approx(0.2)
    assert found["support"] == pytest.approx([0.0, 1.0])
    apart = {"a": [run(0.2, 0.0, 2.0)], "b": [run(0.0, -3.0, -1.0)]}
    refused = norm_matched("a - b", ("a", "b"), apart, ANALYSIS, 0)
    assert (refused["status"], refused["estimate"]) == ("not estimable", None)


def claim(margin: float) -> Equivalence:
    return Equivalence(arms=("a", "b"), margin=margin, outside_margin=0.05, origin="a test of the program")


def test_equivalence_needs_both_endpoints() -> None:
    near = {"a": [1.0, 1.01, 0.99, 1.0, 1.005], "b": [1.001, 1.0, 0.995, 1.01, 0.99]}
    far = {"a": [0.4, 0.41, 0.4, 0.42, 0.4], "b": [0.1, 0.1, 0.11, 0.1, 0.12]}
    assert [row["equivalent"] for row in equivalence(claim(0.05), near, near, 0.05)] == [True, True]
    rows = equivalence(claim(0.05), near, far, 0.05)
    assert [row["equivalent"] for row in rows] == [True, False]
    matched = norm_matched(
        "a - b",
        ("a", "b"),
        {"a": [Curve((0.0, 1.0), (1.0, 1.0))]} | {"b": [Curve((0.0, 1.0), (0.9, 0.9))]},
        ANALYSIS,
        0,
    )
    text = second_sentence(matched, [], rows)
    assert "equivalence of a and b is not shown (outside loss a difference beyond the margin, 90% interval" in text
    assert "K 90%" not in text


@pytest.mark.parametrize(
    ("values", "turned", "level"), [(SEPARATE, False, "L1"), (SEPARATE, True, "L0"), (MIXED, False, "L0")]
)
def test_claims_need_the_test_and_every_variant(values: dict[str, list[float]], turned: bool, level: str) -> None:
    main = primary(values)
    variant = dict(main) | {"estimate": -main["estimate"] if turned else main["estimate"]}
    assert claim_level(main, [main, variant], 0.05) == level


def test_few_draws_only_describe() -> None:
    few = {arm: values[:3] for arm, values in SEPARATE.items()}
    main = primary(few)
    assert claim_level(main, [], 0.5) == "L0"
    assert first_sentence(main, 0.05, 0.05).startswith("With so few draws the study only describes")
    assert limits(3, [], "b", 10, FACTS)[0].startswith("With 3 draws")


def test_words_follow_the_sign_and_the_test() -> None:
    assert "gave more concentrated updates" in first_sentence(primary(SEPARATE), 0.05, 0.05)
    swapped = {"a": SEPARATE["b"], "b": SEPARATE["a"]}
    assert "gave less concentrated updates" in first_sentence(primary(swapped), 0.05, 0.05)
    assert "found no difference" in first_sentence(primary(MIXED), 0.05, 0.05)
    assert "below the smallest effect" in first_sentence(primary(SEPARATE), 0.05, 0.9)


def test_novelty_is_said_in_sentence_and_limits() -> None:
    matched = norm_matched(
        "a - b", ("a", "b"), {"a": [Curve((0.0, 1.0), (1.0, 1.0))], "b": [Curve((0.0, 1.0), (0.9, 0.9))]}, ANALYSIS, 0
    )
    assert "a is novel to the base beyond the calipers" in second_sentence(matched, ["a"], [])
    assert "within the calipers" in second_sentence(matched, [], [])
    assert "mixes novelty with" in limits(5, ["a"], "b", 10, FACTS | {"shared_documents": 0.1})[0]


def test_a_base_that_knows_nothing_is_said_first() -> None:
    unknown = FACTS | {"base_loss": (7.5, 7.9, 7.62)}
    assert "knows nothing of any arm's documents" in limits(5, [], "b", 10, unknown)[0]
    assert "uniform guess" not in " ".join(limits(5, [], "b", 10, FACTS))
