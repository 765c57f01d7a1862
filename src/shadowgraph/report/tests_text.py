"""The terminal's lines on what a plan tests: every test with its readings, exceptions, doubts, power.

Here live: these lines. Not here: arms, equivalence and limits (text.py).
"""

from __future__ import annotations

from shadowgraph.report import tables
from shadowgraph.report.contrasts import expectation, readings_of
from shadowgraph.report.numerals import percent, probability, sensible, trimmed, with_interval
from shadowgraph.report.record import Record
from shadowgraph.report.settings import interval_words


def test_lines(study: Record) -> list[str]:
    """A line a test and one, indented, a reading; of several tests all, else the readings of the primary one."""
    if not tables.several(study):
        primary = study.record("primary")
        asked = primary.text("endpoint"), primary.texts("arms")
        return [
            f"{tables.effect_name(row)}, {row.text('endpoint')}: {number_of(row)}" for row in tables.effects_of(study)
            if (row.text("endpoint"), row.texts("arms")) == asked
        ]  # fmt: skip
    lines: list[str] = []
    for test in tables.tests_of(study):
        told = [test.text("role"), "slope" if test.text("kind") == "trend" else "", expectation(test).text]
        lines.append(f"{test.text('name', 'unnamed')} ({', '.join(item for item in told if item)}): "
                     f"{number_of(test)}")  # fmt: skip
        lines += [f"  - {row.text('reading')}: {number_of(row)}" for row in readings_of(study, test)[1:]]
    return lines


def number_of(row: Record) -> str:
    """Estimate, interval, p and sizes of a test, or why there is none."""
    estimate, level, adjusted = row.number("estimate"), row.number("level").value, row.number("p_adjusted")
    if estimate.value is None:
        return f"{estimate.status or 'no number'}{': ' if row.text('reason') else ''}{row.text('reason')}"
    p = probability(row.number("p"))
    tail = " (no interval)" if row.interval() is None else f" ({percent(level)} interval)" if level else ""
    tail += f", p {p if p.startswith('<') else f'= {p}'}"
    if adjusted.value is not None:
        tail += f", Holm {probability(adjusted)}"
    tail += f", n = {row.sizes()}" if row.sizes() else ""
    return f"{with_interval(estimate, row.interval())}{tail}"


def setting_block(study: Record) -> list[str]:
    """K of every contrast inside every setting, a line each; nothing of a study without settings."""
    rows = [row for row in study.record("settings").records("rows")
            if (row.text("endpoint"), row.text("reading")) == ("K", "unmatched")]  # fmt: skip
    lines = [f"  - {row.text('name')}, {row.text('setting')}{' (held out)' if row.flag('held_out') else ''}: "
             f"{number_of(row)}" for row in rows]  # fmt: skip
    told = interval_words(study.record("settings"))
    return ["Setting by setting:", *lines, *([told] if told else [])] if lines else []


def doubt_blocks(study: Record) -> list[list[str]]:
    """Exceptions of sign, what would change our mind, and power, each a block of lines; nothing where nothing is."""
    answer = study.record("answer")
    blocks: list[list[str]] = []
    if "exceptions" in answer.data:
        found = answer.texts("exceptions") or ["none: no reading and no variant has another sign than its primary test"]
        blocks.append(["Against the sign of its primary test:", *(f"  - {item}" for item in found)])
    if answer.texts("would_change"):
        blocks.append(["What would change our mind:", *(f"  - {item}" for item in answer.texts("would_change"))])
    power = [f"  - {_power(item)}" for item in study.records("power")]
    if power:
        blocks.append(["Power:", *power])
    return blocks


def _power(item: Record) -> str:
    detectable, smallest = item.number("detectable").value, item.number("smallest_effect").value
    if detectable is None:
        return f"{item.text('name')}: {item.text('reason') or item.number('detectable').status or 'not worked out'}"
    share, sd = item.number("power").value, item.number("sd").value
    told = f"{item.text('name')}: {sensible(detectable)} nats detectable" + (
        f" with power {trimmed(share)}" if share else ""
    )
    told += f", sd {sensible(sd)}" if sd is not None else ""
    enough = item.flag("enough")
    fate = "" if enough is None else "enough" if enough else "not enough"
    return told + (f"; {fate} for the smallest effect of {trimmed(smallest)}" if fate and smallest is not None else "")
