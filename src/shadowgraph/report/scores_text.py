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
    "at_chance": ("at chance", 2),
    "accuracy_normalised": ("normalised", 3),
    "bits_per_byte": ("bits/byte", 3),
    "margin": ("margin", 2),
}
_LEGEND = (
    "accuracy: of a generate split the exact match; it is also the share of items at the ceiling, with nothing left to "
    "gain. at chance: share of items whose gold is no more likely than a guess. normalised: by length in characters. "
    "margin: gold over the best other choice, nats. gap: accuracy in the original minus in this dress, over questions "
    "asked in both, with its {level} interval over clusters of items; compare chance before reading it."
)


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
    names = ["split", *(["dress"] if dressed else []), "items", *(["declined"] if dressed else [])]
    names += [title for title, _ in _COLUMNS.values()] + (["gap"] if dressed else [])
    lines = [_row(row, dressed) for row in rows]
    blocks = [f"{safe_line(scores.record('model').text('name'))}", "\n".join(
        grid(names, lines, numeric=len(names) - (2 if dressed else 1), width=width))]  # fmt: skip
    reasons = [wrapped(f"  - {safe_line(row.text('task'))}, {safe_line(row.text('form'))}: "
                       f"{fixed(row.number('items').value or 0, 0)} declined, {safe_line(row.text('reason'))}", WIDTH)
               for row in scores.records("declined")]  # fmt: skip
    if reasons:
        blocks.append("\n".join(["Declined by a rule, and so not asked in that dress:", *reasons]))
    levels = [level for row in rows if (level := row.record("gap").number("level").value) is not None]
    legend = _LEGEND.format(level=percent(levels[0])) if levels else _LEGEND.partition(" gap:")[0]
    return "\n\n".join([*blocks, wrapped(legend, WIDTH)]) + "\n"


def _row(row: Record, dressed: bool) -> list[str]:
    """The cells of one split."""
    items = fixed(row.number("items").value or 0, 0)
    cells = [safe_line(row.text("split"))]
    cells += [row.text("distance") or "-", items, fixed(row.number("declined").value or 0, 0)] if dressed else [items]
    for key, (_, decimals) in _COLUMNS.items():
        value = row.number(key).value
        cells.append("-" if value is None else fixed(value, decimals))
    if dressed:
        gap = row.record("gap").record("accuracy")
        estimate = gap.number("estimate")
        cells.append("-" if estimate.value is None else with_interval(estimate, gap.interval()))
    return cells
