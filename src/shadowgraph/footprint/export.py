"""A footprint for a spreadsheet.

Here lives: `write_csv`. Not here: the files that are read back (`table`).
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from shadowgraph.artifact import write_bytes
from shadowgraph.footprint.table import Footprint, Row

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(footprint: Footprint, path: Path) -> None:
    """Write all rows as CSV: UTF-8, a header, empty cells for missing values.

    A text that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay numbers.

    Raises:
        EnvironmentFault: when the disk refuses.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    names = Row.__slots__
    writer.writerow(names)
    for row in footprint.rows:
        writer.writerow([cell(getattr(row, name)) for name in names])
    write_bytes(path, text.getvalue().encode())


def cell(value: str | float | None) -> str:
    """One value as the text of a cell.

    Args:
        value: a text from anywhere, a finite number or nothing.

    Returns:
        The text; never the beginning of a formula.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return repr(value)
