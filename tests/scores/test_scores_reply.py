"""Reading a reply: what counts, and that lm-eval's own filters and metric say the same."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.scores.reply import EXTRACTS, extracted, harness_filters, harness_metrics, matches, read

SCRAPS = st.sampled_from(
    [
        "12",
        "-3",
        "1,234",
        "1,23",
        "4.50",
        "7.0",
        "3-2",
        "1.2.3",
        "²",
        "٣",
        "$",
        ".",
        ",",
        " ",
        "\n",
        "\t",
        "so",
        "[a]",
        "\\",
        "é",
        "\u2028",
    ]
)
REPLIES = st.lists(SCRAPS, max_size=8).map("".join)


@pytest.mark.parametrize(
    ("extract", "reply", "wanted"),
    [
        ("line", " Paris.\nand more", "Paris"),
        ("line", "\n\n Paris", "Paris"),
        ("line", "", ""),
        ("line", "a.b..", "a.b."),
        ("number", "It is 1,234.50 in all", "1234.50"),
        ("number", "5-3 = 2", "2"),
        ("number", "from 7 to -8", "-8"),
        ("number", "76.0", "76"),
        ("number", "1,2", "2"),
        ("number", "no digits", "[invalid]"),
        ("whole", " a\nb ", "a\nb"),
    ],
)
def test_readings(extract: str, reply: str, wanted: str) -> None:
    assert read(reply, extract) == wanted


def test_matches_any_accepted_answer_to_the_letter() -> None:
    assert matches(" The mill.", ["the mill", "The mill"], "line")
    assert not matches(" the Mill", ["the mill"], "line")
    assert matches("= 1,200.00", ["1200"], "number")
    assert not matches("1200 or 12", ["1200"], "number")


@pytest.mark.parametrize(
    ("answer", "extract", "wanted"),
    [
        (" 12 ", "number", "12"),
        ("$12", "number", None),
        ("twelve", "number", None),
        ("a\nb", "line", None),
        (".", "line", None),
    ],
)
def test_an_answer_no_reply_can_give(answer: str, extract: str, wanted: str | None) -> None:
    assert extracted(answer, extract) == wanted


@given(answer=REPLIES, extract=st.sampled_from(sorted(EXTRACTS)))
def test_an_answer_given_back_is_right(answer: str, extract: str) -> None:
    if extracted(answer, extract) is not None:
        assert matches(answer, [answer], extract)
        assert matches(f" {answer}\n", ["other", answer], extract)


@lru_cache
def _harness() -> Any:
    from lm_eval.api.metrics import exact_match_hf_evaluate
    from lm_eval.filters import build_filter_ensemble

    def said(reply: str, answers: list[str], extract: str) -> bool:
        (named,) = harness_filters(extract)
        steps: Any = [
            (step["function"], {key: step[key] for key in step if key != "function"}) for step in named["filter"]
        ]
        functions = build_filter_ensemble("x", steps)
        found: Any = [[reply]]
        for function in functions.filters:
            found = list(function().apply(found, [{}]))
        (metric,) = harness_metrics(extract)
        value = exact_match_hf_evaluate([found[0]] * len(answers), answers, metric["regexes_to_ignore"])
        return bool(value["exact_match"] > 0)

    return said


@given(reply=REPLIES, answers=st.lists(REPLIES, min_size=1, max_size=3), extract=st.sampled_from(sorted(EXTRACTS)))
def test_the_harness_reads_alike(reply: str, answers: list[str], extract: str) -> None:
    assert matches(reply, answers, extract) == _harness()(reply, answers, extract)
