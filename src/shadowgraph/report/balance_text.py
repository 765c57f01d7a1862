"""The balance sheet of a study for the terminal, before any arm is trained.

Here lives: `balance_text`.
Not here: the numbers (`study.sheet`), and the sheet of a finished study, which stands on its page (`tables`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shadowgraph.report import novelty
from shadowgraph.report.numerals import sensible, trimmed
from shadowgraph.report.record import Record
from shadowgraph.report.text import WIDTH, grid, plain_ascii, safe_line, wrapped
from shadowgraph.study.names import BALANCE, balance_name

DIGITS = 4
SIGNS = dict(zip(novelty.WORDS.values(), ("", "+", "-", "+-"), strict=True))


def balance_text(sheet: Mapping[str, Any], *, width: int = WIDTH) -> str:
    """Render a balance sheet for the terminal.

    Args:
        sheet: what `study.sheet.balance_sheet` gives.
        width: columns of the terminal.

    Returns:
        Plain text: an arm a row with the quantities that calipers hold, the calipers, the matched sets of a label.

    Raises:
        DataError: when a value has the wrong type; names the place.
    """
    found = Record(sheet, "matched.json: balance")
    label = found.record("label")
    held = set(found.record("limits").data)
    keys = [*(key for key in BALANCE if key in held), *sorted(held - set(BALANCE))]
    rows = [
        [f"{arm.text('name')}{SIGNS.get(novelty.of(arm), '?')}", *_cells(arm, keys)] for arm in found.records("arms")
    ]
    lines = grid(["arm", *keys], rows, numeric=len(keys), width=width)
    lines += [f"{key}: {balance_name(key)}" for key in keys]
    lines += _calipers(found, keys)
    if label.data:
        lines += ["", *_label(label)]
    return "\n".join(wrapped(plain_ascii(line), width) for line in lines) + "\n"


def _cells(arm: Record, keys: list[str]) -> list[str]:
    """The numbers of one arm, marked where they lie beyond a caliper."""
    missed = {item.text("key") for item in arm.records("calipers") if not item.flag("met")}
    cells: list[str] = []
    for key in keys:
        number = arm.record("means").number(key)
        shown = number.status or "none" if number.value is None else sensible(number.value, DIGITS)
        cells.append(f"{shown}{'*' if key in missed else ''}")
    return cells


def _calipers(found: Record, keys: list[str]) -> list[str]:
    """What the calipers are, and who misses which by how much."""
    reference = found.text("reference")
    if not reference:
        return ["Means over draws. No arm is named that calipers would be held against (analysis.reference)."]
    relative = found.texts("relative")
    limits = [f"{key} {trimmed(found.record('limits').number(key).value or 0.0)}" for key in keys]
    shares = f"; {' and '.join(relative)} as shares." if relative else "."
    lines = [f"Means over draws. Calipers against {safe_line(reference)}: {', '.join(limits)}{shares}"]
    lines += [
        "* beyond the caliper. Novelty, in base_loss and kl_to_base: + newer to the base than the calipers allow; "
        "- more familiar; +- each in one of them."
    ]
    for arm in found.records("arms"):
        missed = [
            f"{item.text('key')} {sensible(item.number('difference').value or 0.0, 2, sign=True)}"
            for item in arm.records("calipers")
            if not item.flag("met")
        ]
        if arm.text("name") != reference:
            lines.append(f"  - {arm.text('name')}: {'misses ' + ', '.join(missed) if missed else 'meets all'}")
    return lines


def _label(label: Record) -> list[str]:
    """The matched sets of a label and the corpora without a match."""
    sets, alone = label.records("sets"), label.record("unmatched")
    positive = alone.records("positive")
    lines = [
        f"Label {label.text('name')}, {label.text('positive')} against {label.text('negative')}: "
        f"{len(sets)} of {len(sets) + len(positive)} corpora with it have a match within its calipers."
    ]
    lines += [f"  - {one.text('positive')}: {', '.join(one.texts('negatives'))}" for one in sets]
    for side in ("positive", "negative"):
        for one in alone.records(side):
            missed = ", ".join(one.texts("misses"))
            why = f"misses {missed}" if missed else "which another set holds"
            lines.append(f"  - {one.text('arm')}: no match; nearest is {one.text('nearest')}, {why}")
    return lines
