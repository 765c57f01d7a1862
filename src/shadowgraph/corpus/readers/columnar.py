"""Parquet and Arrow files, the data sets of Hugging Face among them.

Here live: record batches to batches, without a Python object for a text.
Not here: JSON Lines (`lines`) and what a row must hold (`document`).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.document import Columns, row_values
from shadowgraph.corpus.readers.lines import assemble
from shadowgraph.corpus.readers.span import WHOLE, Span
from shadowgraph.errors import DataError

ROWS = 512  # of one record batch; texts of Parquet files are documents, so this is a few megabytes


def read_columnar(path: Path, columns: Columns, block: int, kind: str, span: Span = WHOLE) -> Iterator[Batch]:
    """Stream batches from a Parquet or Arrow file; string, large_string and dictionary columns all give text.

    Args:
        path: the file.
        columns: names of columns.
        block: not used; record batches come in rows.
        kind: kernels to use.
        span: row groups of a Parquet file, and the rows before them.

    Raises:
        DataError: for a broken file, a missing column or a wrong row.
    """
    import pyarrow as pa

    row = span.before
    try:
        for batch in open_batches(path, columns, span):
            if batch.num_rows:
                yield from _convert(batch, columns, path, row, kind)
            row += batch.num_rows
    except pa.ArrowInvalid as error:
        kind_of_file = "Parquet" if path.name.lower().endswith(".parquet") else "Arrow"
        raise DataError(f"not {kind_of_file} ({error})", where=str(path)) from error


def open_batches(path: Path, columns: Columns | None = None, span: Span = WHOLE) -> Iterator[Any]:
    """Record batches of a file, of the wanted columns or of all; of the row groups of a span where it is Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.name.lower().endswith(".parquet"):
        with pq.ParquetFile(path) as file:
            groups = range(span.start, file.metadata.num_row_groups if span.stop is None else span.stop)
            yield from file.iter_batches(ROWS, groups, columns=_wanted(file.schema_arrow.names, columns, path))
        return
    with pa.memory_map(str(path)) as source:
        try:
            reader = pa.ipc.open_stream(source)
        except pa.ArrowInvalid:
            file = pa.ipc.open_file(source)
            names = _wanted(file.schema.names, columns, path)
            for number in range(file.num_record_batches):
                yield from _slices(file.get_batch(number).select(names))
            return
        names = _wanted(reader.schema.names, columns, path)
        for batch in reader:
            yield from _slices(batch.select(names))


def _slices(batch: Any) -> Iterator[Any]:
    """A long record batch in pieces."""
    for start in range(0, batch.num_rows, ROWS):
        yield batch.slice(start, ROWS)


def _wanted(names: list[str], columns: Columns | None, path: Path) -> list[str]:
    """The columns to read.

    Raises:
        DataError: when one that must be there is missing.
    """
    if columns is None:
        return names
    for field, key in enumerate(columns.keys):
        if columns.demanded(field) and key not in names:
            raise DataError(f"no column {key!r}", where=str(path), hint=f"columns found: {', '.join(names)}"[:200])
    return [key for key in columns.keys if key in names]


def _convert(batch: Any, columns: Columns, path: Path, before: int, kind: str) -> Iterator[Batch]:
    """One record batch: columns of text by their buffers, anything else row by row."""
    import pyarrow as pa
    import pyarrow.compute

    arithmetic: Any = pyarrow.compute
    fields: list[Any] = []
    for key in columns.keys:
        found = batch.column(batch.schema.names.index(key)) if key in batch.schema.names else None
        if found is not None and pa.types.is_dictionary(found.type):
            found = found.dictionary_decode()
        fields.append(found)
    text = fields[0]
    plain = all(item is None or pa.types.is_string(item.type) or pa.types.is_large_string(item.type) for item in fields)
    if plain and not text.null_count:
        array = text.cast(pa.large_string())
        offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
        data = array.buffers()[2]
        buffer = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
        sample = arithmetic.utf8_trim_whitespace(array)
        if arithmetic.min(arithmetic.binary_length(sample)).as_py() > 0:
            rows = range(before + 1, before + len(array) + 1)
            labels = [item.to_pylist() if item is not None else [None] * len(array) for item in fields[1:]]
            held = buffer[offsets[0] : offsets[-1]]
            yield _from_buffer(held, offsets - offsets[0], labels, rows, path=path, kind=kind)
            return
    yield from _row_by_row(batch, columns, path, before, kind)


def _from_buffer(buffer: Any, offsets: Any, labels: Any, rows: range, *, path: Path, kind: str) -> Batch:
    """A batch on the memory of the record batch itself."""
    shell = assemble([b""] * len(rows), labels, rows, path, kind)
    columns = (shell.ids, shell.parts, shell.sources, shell.families, shell.formats, shell.media)
    return Batch(*columns, buffer, offsets, kind)


def _row_by_row(batch: Any, columns: Columns, path: Path, before: int, kind: str) -> Iterator[Batch]:
    """Rows as Python values, for chat records, images and rows that lack something."""
    values: list[tuple[str | None, ...]] = []
    numbers: list[int] = []
    for number, row in enumerate(batch.to_pylist(), before + 1):
        where = f"{path}:{number}"
        found = row_values({key: item for key, item in row.items() if item is not None}, columns, where)
        if not (found[0] or "").strip():
            if columns.skip_empty:
                continue
            key = columns.messages or columns.text
            raise DataError(f"the key {key!r} is empty", where=where, hint="remove the row")
        values.append(found)
        numbers.append(number)
    if values:
        labels = [list(column) for column in zip(*values, strict=True)][1:]
        yield assemble([(row[0] or "").encode() for row in values], labels, numbers, path, kind)
