"""A part of one file, so that several processes can read a large file side by side.

Here live: the span, and cutting a file into spans. Not here: reading (`lines`, `columnar`).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shadowgraph.errors import DataError

_BLOCK = 1 << 24


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `stop` of a file of lines, or row groups of a Parquet file; `before` rows come earlier.

    None for `stop` means to the end.
    """

    start: int = 0
    stop: int | None = None
    before: int = 0


WHOLE = Span()


def cut_file(path: Path, grain: int) -> list[Span]:
    """Cut a file into spans of at least `grain` bytes, at line ends or between row groups.

    Packed files and Arrow files are one span: they can only be read from their beginning.

    Raises:
        DataError: for a Parquet file that cannot be read.
    """
    name = path.name.lower()
    if path.stat().st_size <= grain:
        return [WHOLE]
    if name.endswith(".jsonl"):
        return _cut_lines(path, grain)
    return _cut_groups(path, grain) if name.endswith(".parquet") else [WHOLE]


def _cut_lines(path: Path, grain: int) -> list[Span]:
    """Spans that end behind a line end; the line ends of the file are counted on the way."""
    spans: list[Span] = []
    start = before = at = lines = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            done = 0
            while cut := block.find(b"\n", max(done, start + grain - at)) + 1:
                lines += block.count(b"\n", done, cut)
                spans.append(Span(start, at + cut, before))
                start, before, done = at + cut, lines, cut
            lines += block.count(b"\n", done)
            at += len(block)
    return [*spans, Span(start, at, before)] if start < at else spans


def _cut_groups(path: Path, grain: int) -> list[Span]:
    """Spans of whole row groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
            sizes = [(group.num_rows, sum(group.column(c).total_compressed_size for c in range(group.num_columns)))
                     for group in groups]  # fmt: skip
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"not Parquet ({error})", where=str(path)) from error
    spans: list[Span] = []
    start = before = rows = held = 0
    for number, (count, size) in enumerate(sizes, 1):
        rows, held = rows + count, held + size
        if held >= grain:
            spans.append(Span(start, number, before))
            start, before, held = number, rows, 0
    return [*spans, Span(start, len(sizes), before)] if start < len(sizes) or not spans else spans
