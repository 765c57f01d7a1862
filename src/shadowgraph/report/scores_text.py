"""The terminal's page of a model's scores, in plain text.

Here live: `scores_table`. Not here: printing (the caller's), and how a number came about (`scores`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shadowgraph.report.numerals import fixed, percent, with_interval
from shadowgraph.report.record import Record, open_result
from shadowgraph.report.text import WIDTH, grid, safe_line, wrapped

_COLUMNS = {
    "accuracy": ("accuracy", 3),
    "chance": ("chance", 3),
    "above_chance": ("above chance", 2),
    "accuracy_normalised": ("normalised", 3),
    "bits_per_byte": ("bits/byte", 3),
    "margin": ("margin", 2),
}
_INTERVALS = ("accuracy", "bits_per_byte")
_GUTTED = 0.5  # share of questions declined from which the number is marked
_LEGEND = (
    "accuracy: of a split with free replies the exact match. above chance: (accuracy - chance) / (1 - chance). "
    "normalised: by length in characters. margin: gold over the best other choice, nats. In brackets: {level} "
    "intervals over clusters of items, left out where too few clusters differ (result.json says which)."
)
_GAP = (
    "gap: accuracy in the original minus in this dress, over questions asked in both; not given where choices face "
    "free replies (other kind), where a guess is right more often in one (unequal chance) or where a step was added "
    "(other question). renumbered, renamed and retold ask other items of the same template, which may be harder by "
    "themselves. bits/byte: of the right answer as the dress writes it; where the labels change its text does too, so "
    "compare dresses with equal labels."
)
_MARK = "*: half of the questions or more declined, so the number is that of the rest, which may be easier or harder."


def scores_table(result: Mapping[str, Any], *, width: int = 160) -> str:
    """Render a model's scores for the terminal.

    Args:
        result: the parsed `result.json` of kind "scores".
        width: columns of the terminal.

    Returns:
        Plain text: a row a split, what was declined and why, what the columns mean.

    Raises:
        DataError: when the result is of another kind or a value has the wrong type; names the place.
        SpecError: when the schema is newer than this version.
    """
    scores = open_result(result, "scores")
    rows = scores.records("splits")
    dressed = any(row.text("form") not in {"", "original"} for row in rows)
    names = ["split", *(["dress"] if dressed else []), "items"]
    names += [title for title, _ in _COLUMNS.values()] + (["gap"] if dressed else [])
    lines = [_row(row, dressed) for row in rows]
    blocks = [f"{safe_line(scores.record('model').text('name'))}", "\n".join(
        grid(names, lines, numeric=len(names) - (2 if dressed else 1), width=width))]  # fmt: skip
    reasons = [wrapped(f"  - {safe_line(row.text('task'))}, {safe_line(row.text('form'))}: "
                       f"{fixed(row.number('items').value or 0, 0)} declined, {safe_line(row.text('reason'))}", WIDTH)
               for row in scores.records("declined")]  # fmt: skip
    if reasons:
        blocks.append("\n".join(["Declined by a rule, and so not asked in that dress:", *reasons]))
    if cut := [f"{safe_line(row.text('split'))} {fixed(count, 0)}" for row in rows
               if (count := row.number("cut").value)]:  # fmt: skip
        found = "Requests longer than the model's window, which lost their beginning, and so part of what was asked: "
        blocks.append(wrapped(f"{found}{', '.join(cut)}.", WIDTH))
    levels = [level for row in rows if (level := row.record("intervals").number("level").value) is not None]
    legend = [_LEGEND.format(level=percent(levels[0] if levels else 0.95)), *([_GAP] if dressed else [])]
    legend += [_MARK] if any(_gutted(row) for row in rows) else []
    return "\n\n".join([*blocks, *(wrapped(part, WIDTH) for part in legend)]) + "\n"


def _gutted(row: Record) -> bool:
    """Whether a dress declined so much that its number is that of another set of questions."""
    items, declined = row.number("items").value or 0, row.number("declined").value or 0
    return items > 0 and declined >= _GUTTED * (items + declined)


def _row(row: Record, dressed: bool) -> list[str]:
    """The cells of one split."""
    count, declined = row.number("items").value or 0, row.number("declined").value or 0
    items = f"{fixed(count, 0)} of {fixed(count + declined, 0)}" if declined else fixed(count, 0)
    cells = [safe_line(row.text("split")), *([row.text("distance") or "-"] if dressed else []), items]
    for key, (_, decimals) in _COLUMNS.items():
        value = row.number(key)
        interval = row.record("intervals").record(key).interval() if key in _INTERVALS else None
        shown = with_interval(value, interval, sign=False) if interval else fixed(value.value or 0, decimals)
        mark = "*" if key == "accuracy" and _gutted(row) else ""
        cells.append("-" if value.value is None else shown + mark)
    if dressed:
        gap = row.record("gap").record("accuracy")
        estimate = gap.number("estimate")
        cells.append(with_interval(estimate, gap.interval()) if row.data.get("gap") else "-")
    return cells
