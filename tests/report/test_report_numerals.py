"""Numbers as text: sensible digits, reasons, nothing lost that a reader needs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.report import draw
from shadowgraph.report.heatmap import step_of
from shadowgraph.report.numerals import fixed, probability, sensible, shown, trimmed, with_interval, with_sd
from shadowgraph.report.record import Quantity, Record

_UNRAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.3314, "0.331"), (-0.62, "−0.620"), (163840.0, "163,840"), (12.345, "12.3"), (3.2e-7, "3.2 × 10⁻⁷"),
     (1234.5, "1,234"), (2, "2.00")],
)  # fmt: skip
def test_sensible_digits(number: float, text: str) -> None:
    assert sensible(number) == text


@given(st.floats(min_value=1e-12, max_value=1e9) | st.floats(min_value=-1e9, max_value=-1e-12))
def test_sensible_text_stays_near_the_number(number: float) -> None:
    text = sensible(number).replace("−", "-").replace(",", "")
    head, _, power = text.partition(" × 10")
    back = float(head) * 10.0 ** int(power.translate(_UNRAISED) or 0)
    assert back == pytest.approx(number, rel=0.06 if power else 0.006)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6), st.integers(0, 4))
def test_no_negative_zero(number: float, decimals: int) -> None:
    text = fixed(number, decimals, sign=True)
    assert not re.fullmatch(r"[+−-]0(\.0*)?", text)


def test_digits_follow_the_interval() -> None:
    assert with_interval(Quantity(0.33141), (0.27, 0.385)) == "+0.331 [+0.270, +0.385]"
    assert with_interval(Quantity(12.3456), (-10.0, 31.0)) == "+12.3 [−10.0, +31.0]"
    assert with_interval(Quantity(None, "not estimable"), (0.1, 0.2)) == "not estimable"
    assert with_interval(Quantity(0.5), None) == "+0.500"


def test_spread_p_values_and_chosen_numbers() -> None:
    assert with_sd(Quantity(1.0523), Quantity(0.0391)) == "1.052 ± 0.039"
    assert with_sd(Quantity(163840.0), Quantity(0.0)) == "163,840"
    assert with_sd(Quantity(None), Quantity(None)) == "—"
    assert [probability(Quantity(p)) for p in (0.0079365, 0.31, 1e-7)] == ["0.0079", "0.310", "< 0.0001"]
    assert [trimmed(number) for number in (0.05, -0.2, 1.0)] == ["0.05", "−0.2", "1"]


def test_a_missing_number_carries_its_own_status_before_the_common_one() -> None:
    record = Record({"a": None, "b": None, "a_status": "no_change", "status": "lost_worker"})
    assert shown(record.number("a")) == "no change"
    assert shown(record.number("b")) == "lost worker"
    assert shown(Record({"c": None, "status": "ok"}).number("c")) == "—"


@given(st.floats(-2, 2), st.sampled_from([9, 11]))
def test_bins_are_ordered_and_inside(number: float, steps: int) -> None:
    step = step_of(number, -1.0, 1.0, steps)
    assert 0 <= step < steps
    assert step <= step_of(number + 0.1, -1.0, 1.0, steps)


def test_the_middle_bin_of_the_diverging_scale_holds_zero() -> None:
    assert step_of(0.0, -0.5, 0.5, 11) == 5


@pytest.mark.parametrize(("largest", "limit"), [(0.33, 0.5), (0.5, 0.5), (0.51, 1.0), (3, 5), (0.004, 0.005)])
def test_colour_limits_are_few_and_round(largest: float, limit: float) -> None:
    assert draw.nice_limit(largest) == pytest.approx(limit)
