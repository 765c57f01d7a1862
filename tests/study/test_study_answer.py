"""Words: never stronger than their numbers, every exception named, every doubt derived from a number."""

from typing import Any

import pytest

from shadowgraph.study.answer import (
    against_in_words,
    answer,
    claim_level,
    exception_in_words,
    first_sentence,
    limits,
    matched_sentence,
    second_sentence,
    sentence,
)
from shadowgraph.study.doubts import would_change
from shadowgraph.study.names import endpoint_in_words, endpoint_name, quantity_name

FACTS: dict[str, Any] = {"shared_documents": 0.0, "base_loss": (3.0, 3.5, 7.6)}


def row(estimate: float | None, p: float, **more: Any) -> dict[str, Any]:
    """A row of a test with an interval of ±.1."""
    interval = None if estimate is None else [estimate - 0.1, estimate + 0.1]
    usual = {"name": "a - b", "kind": "contrast", "endpoint": "K", "arms": ["a", "b"], "pairs": [["a", "b"]]}
    numbers = {"estimate": estimate, "p": p, "interval": interval, "level": 0.95, "n": [5, 5], "status": "ok"}
    return usual | numbers | {"reading": "unmatched", "reason": "no support"} | more


@pytest.mark.parametrize(
    ("main", "turned", "level"),
    [
        (row(0.3, 0.008), False, "L1"),
        (row(0.3, 0.008), True, "L0"),
        (row(0.3, 0.3), False, "L0"),
        (row(0.3, 0.03, p_adjusted=0.06), False, "L0"),
        (row(0.3, 0.008, n=[4, 5]), False, "L0"),
        (row(0.3, 0.008, kind="label", n=[4, 20]), False, "L0"),
        (row(0.3, 0.008, kind="label", n=[5, 5]), False, "L1"),
        (row(0.3, 0.008, design="blocked", n=[4, 4]), False, "L0"),
        (row(0.3, 0.008, design="blocked", n=[5, 5]), False, "L1"),
        (row(0.3, 0.008, kind="trend", design="blocked", n=[4, 4, 4]), False, "L0"),
        (row(0.3, 0.008, design="stratified", n=[6, 6], fewest=3), False, "L0"),
        (row(0.3, 0.008, design="stratified", n=[10, 15], fewest=5), False, "L1"),
        (row(None, 0.008), False, "L0"),
    ],
)
def test_claims_need_the_test_its_family_enough_units_and_every_variant(
    main: dict[str, Any], turned: bool, level: str
) -> None:
    sign = -1.0 if turned else 1.0
    others = [row(sign * 0.2, 0.5), row(None, 1.0)]
    assert claim_level(main, others, 0.05) == level


def test_few_draws_only_describe() -> None:
    few = row(0.3, 0.1, n=[3, 3])
    assert first_sentence(few, 0.5, 0.05).startswith("With so few draws the study only describes")
    assert "described only" in sentence(few, 0.5, 0.05)
    assert limits(3, [], "b", 10, FACTS)[0].startswith("With 3 draws")


def test_words_follow_the_sign_and_the_test() -> None:
    assert "are more concentrated than" in first_sentence(row(0.3, 0.008), 0.05, 0.05)
    assert "are less concentrated than" in first_sentence(row(-0.3, 0.008), 0.05, 0.05)
    assert "found no difference" in first_sentence(row(0.01, 0.7), 0.05, 0.05)
    assert "below the smallest effect" in first_sentence(row(0.3, 0.008), 0.05, 0.9)
    assert "not estimable (no support)" in first_sentence(row(None, 1.0), 0.05, 0.05)


def test_several_primaries_say_what_was_predicted_and_how_many_they_are() -> None:
    held = row(0.3, 0.008, name="H1", family=2, p_adjusted=0.016, as_expected=True)
    turned = row(-0.3, 0.008, name="H2", family=2, p_adjusted=0.016, as_expected=False)
    label = row(0.02, 0.6, name="L", kind="label", arms=["bench", "plain"], n=[6, 12])
    rows = [held, turned, label]
    found = answer(rows, ["L1", "L1", "L0"], [row(None, 1.0)], [], None, alpha=0.05, smallest_effect=0.05)
    told = found["sentences"]
    assert isinstance(told, list)
    assert found["claim_level"] == "L0", "a study reaches what every primary test of it reaches"
    assert str(told[0]).startswith("H1: confirmed, with the predicted sign; K differs by +0.30 nats")
    assert "0.016 over 2 tests" in str(told[0])
    assert "against the predicted sign" in str(told[1])
    assert "neither shown nor excluded" in str(told[2])
    assert told[3] == "At equal update norm: a - b not estimable (no support)."


def test_a_label_is_denied_only_by_an_interval_and_never_by_a_large_p() -> None:
    label = row(0.02, 0.6, name="L", kind="label", arms=["bench", "plain"], n=[6, 12])
    assert "neither shown nor excluded" in sentence(label, 0.05, 0.05)
    assert "neither shown nor excluded" in sentence(label | {"interval": None}, 0.05, 0.05)
    narrow = label | {"interval": [-0.02, 0.04]}
    assert "narrowness or novelty, not of bench" in sentence(narrow, 0.05, 0.05)


def test_a_slope_at_equal_norm_is_told_as_a_slope() -> None:
    assert matched_sentence([row(0.25, 0.01, name="dose", kind="trend", n=[5] * 4)]) == (
        "At equal update norm: dose +0.250 a unit of dose (p = 0.01)."
    )


def test_novelty_is_said_in_sentence_and_limits_and_only_where_it_was_looked_at() -> None:
    matched = row(0.2, 0.1)
    far = ["a (loss under the base -0.40)"]
    assert "a (loss under the base -0.40) lies beyond the calipers of novelty" in second_sentence(matched, far, [])
    assert "within the calipers" in second_sentence(matched, [], [])
    assert "calipers" not in second_sentence(matched, None, [])
    assert "mixes novelty with" in limits(5, far, "b", 10, FACTS | {"shared_documents": 0.1})[0]


def test_each_claim_of_no_shift_names_the_endpoint_it_failed_on() -> None:
    good = {"endpoint": "K", "arms": ["r", "b"], "equivalent": True, "claim": 0}
    bad = {
        "endpoint": "outside loss", "arms": ["r", "b"], "equivalent": False, "interval": [0.2, 0.3], "margin": 0.05,
        "level": 0.9, "claim": 0, "status": "ok",
    }  # fmt: skip
    other = [good | {"arms": ["s", "b"], "claim": 1}] * 2
    text = second_sentence(row(0.2, 0.1), [], [good, bad, *other])
    assert "equivalence of r and b is not shown (outside loss a difference beyond the margin, 90% interval" in text
    assert "s is equivalent to b within the margins" in text


def test_a_base_that_knows_nothing_is_said_first() -> None:
    unknown = FACTS | {"base_loss": (7.5, 7.9, 7.62)}
    assert "knows nothing of any arm's documents" in limits(5, [], "b", 10, unknown)[0]
    assert "uniform guess" not in " ".join(limits(5, [], "b", 10, FACTS))


def test_bases_and_orders_are_told_as_they_are() -> None:
    text = " ".join(limits(8, [], None, 10, FACTS | {"seeds": 2, "own_bases": True}))
    assert "2 orders each, averaged first" in text
    assert "every draw has a base of its own" in text
    assert "shared base" not in text


def test_doubts_follow_from_numbers() -> None:
    power = {"name": "a - b", "smallest_effect": 0.05, "detectable": 0.08, "power": 0.8}
    undecided = row(0.08, 0.03, misses=[{"key": "base_loss"}])
    lost = row(None, 1.0, status="not estimable", reading="progress-matched")
    turned = row(-0.3, 0.01, endpoint="K_emb", firm=True, against=0.08)
    found = would_change([undecided], [lost], [turned], [power], None, alpha=0.05)
    assert len(found) == 5
    assert "-0.020 to +0.180 holds effects below and above the smallest of interest, 0.05" in found[0]
    assert found[1] == (
        "a - b: K of embeddings has the other sign and its interval leaves out 0; the claim holds for K as defined and "
        "not for that reading."
    )
    assert "apart in loss of the base on it beyond the calipers" in found[2]
    assert "no support" in found[3]
    assert would_change([row(0.5, 0.01)], [], [], [power], None, alpha=0.05) == [found[-1]]
    bare = exception_in_words(turned | {"interval": None, "firm": False})
    assert bare == "a - b: K of embeddings -0.300, against +0.080, no interval"
    assert exception_in_words(turned) == "a - b: K of embeddings -0.300, against +0.080, and its interval leaves out 0"


def test_no_claim_is_said_to_hold_that_was_not_confirmed() -> None:
    turned = row(-0.3, 0.01, endpoint="K:only_o", reading="norm-matched", firm=True, against=0.08)
    for weak in (
        row(0.08, 0.6),
        row(0.08, 0.03, p_adjusted=0.06),
        row(0.08, 0.03, n=[3, 3]),
        row(None, 0.01) | {"p": None},
    ):
        assert would_change([weak], [], [turned], [], None, alpha=0.05)[0] == (
            "a - b: K of o alone, norm-matched, has the other sign and its interval leaves out 0."
        )


def test_tables_and_sentences_have_one_name_a_key() -> None:
    said = {
        "K": ("K", "K"),
        "K_emb": ("K of embeddings", "K of embeddings"),
        "K@10": ("K, at step 10", "K at step 10"),
        "K:only_down": ("K, down alone", "K of down alone"),
        "K:without_down": ("K, without down", "K without down"),
        "K:without_first": ("K, without first", "K without the leading component"),
        "outside_loss": ("outside loss", "outside loss"),
    }
    assert {key: (endpoint_name(key), endpoint_in_words(key)) for key in said} == said
    assert quantity_name("base_loss") == "loss of the base on it"
    assert quantity_name("of_ours") == "of ours"


def test_of_a_primary_that_found_nothing_it_is_said_first_that_signs_mean_little() -> None:
    turned = row(-0.3, 0.01, endpoint="K_emb", firm=True, against=0.08)
    said = against_in_words([turned], [row(0.08, 0.6)], 0.05)
    assert said[0].startswith("a - b: the primary test itself is not told apart from 0 (p = 0.6)")
    assert said[1:] == against_in_words([turned], [row(0.08, 0.01)], 0.05) == [exception_in_words(turned)]
    assert len(against_in_words([turned], [row(0.08, 0.03, p_adjusted=0.06)], 0.05)) == 2
    assert against_in_words([], [row(0.08, 0.6)], 0.05) == []


def test_of_a_label_alone_the_unit_is_the_corpus() -> None:
    text = " ".join(limits(1, [], None, 10, FACTS | {"corpora": 81, "test_draws": False}))
    assert "The unit is the corpus (81 of them" in text
    assert "corpus draw (" not in text


def test_a_base_that_was_trained_on_the_sources_of_arms_is_not_said_to_know_nothing() -> None:
    told = limits(5, [], "b", 10, FACTS | {"base_loss": (7.5, 7.9, 7.62), "in_base": True})[0]
    assert "knows nothing" not in told
    assert "has learned little" in told
