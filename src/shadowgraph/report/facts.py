"""The few numbers under the answer of a study.

Here live: these numbers and their small print. Not here: the answer itself, which the result states.
"""

from __future__ import annotations

from shadowgraph.report import tables
from shadowgraph.report.contrasts import expectation
from shadowgraph.report.numerals import missing, percent, probability, trimmed, with_interval
from shadowgraph.report.record import Record
from shadowgraph.study.names import endpoint_name

Fact = tuple[str, str, str, bool]  # name, number or reason, small print, whether it is a number


def facts_of(study: Record) -> list[Fact]:
    """The few numbers under the answer: name, number or reason, small print, whether it is a number.

    The readings of the primary contrast come first, or every primary test where there are several, then one line for
    each pair of arms tested for equivalence; a pair counts as equivalent only when every one of its tests says so.
    """
    facts = [_fact(test, test.text("name", "unnamed"), expected=True) for test in tables.primaries_of(study)]
    if not tables.several(study):
        primary = study.record("primary")
        asked = primary.text("endpoint"), primary.texts("arms")
        facts = [
            _fact(row, f"Difference of {endpoint_name(asked[0])}, {row.text('reading') or 'primary'}")
            for row in tables.effects_of(study) if (row.text("endpoint"), row.texts("arms")) == asked
        ]  # fmt: skip
    tests = study.records("equivalence")
    for pair in dict.fromkeys(tables.pair_of(test) for test in tests):
        own = [test for test in tests if tables.pair_of(test) == pair]
        fates = [test.flag("equivalent") for test in own]
        parts: list[str] = []
        for test in own:
            margin = test.number("margin")
            width = missing(margin) if margin.value is None else f"±\u00a0{trimmed(margin.value)}"
            fate = tables.fate_of(test).text.removeprefix("equivalence ")
            parts.append(f"{endpoint_name(test.text('endpoint'))}: {fate} (margin\u00a0{width})")
        number = "equivalent" if all(fates) else "not shown" if False in fates else "not tested"
        facts.append((f"Equivalence, {pair}", number, "; ".join(parts), None not in fates))
    return facts


def _fact(test: Record, name: str, *, expected: bool = False) -> Fact:
    """One test: its number with interval, or the reason for none, and the small print."""
    estimate, level, adjusted = test.number("estimate"), test.number("level").value, test.number("p_adjusted")
    if estimate.value is None:
        return name, missing(estimate), test.text("reason"), False
    small = [f"{percent(level)} interval" if level else "", f"p {_equals(probability(test.number('p')))}"]
    if expected and adjusted.value is not None:
        small.append(f"Holm {_equals(probability(adjusted))}")
    small.append(f"{_unit(test)} {test.sizes()}" if test.sizes() else "")
    small.append(expectation(test).text if expected else "")
    unit = " a unit dose" if test.text("kind") == "trend" else ""
    return name, with_interval(estimate, test.interval()) + unit, ", ".join(part for part in small if part), True


def _unit(test: Record) -> str:
    return "strata and matches" if test.text("kind") == "label" else "draws"


def _equals(text: str) -> str:
    return text if text.startswith("<") else f"= {text}"
