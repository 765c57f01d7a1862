"""Rows of a file as plain values, for benchmarks, whose keys are their own.

Here live: rows with their numbers. Not here: documents (`lines`, `columnar`) and what keys mean (`adapters`).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shadowgraph.corpus.readers.columnar import open_batches
from shadowgraph.corpus.readers.lines import open_lines, parse_row
from shadowgraph.errors import DataError


def read_records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a JSON Lines, Parquet or Arrow file with their numbers, from 1.

    Raises:
        DataError: for a file that is missing or broken, or a row that is no object; names file and row.
    """
    if not path.is_file():
        raise DataError("no such file", where=str(path))
    if path.name.lower().endswith((".parquet", ".arrow")):
        yield from _columnar(path)
        return
    try:
        with open_lines(path) as stream:
            for number, line in enumerate(stream.read().split(b"\n"), 1):
                if line.strip():
                    yield number, parse_row(line, f"{path}:{number}")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"broken gzip stream ({error})", where=str(path), hint="fetch the file again") from error


def _columnar(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a Parquet or Arrow file."""
    import pyarrow as pa

    row = 0
    try:
        for batch in open_batches(path):
            for value in batch.to_pylist():
                row += 1
                yield row, value
    except (pa.ArrowInvalid, OSError) as error:
        kind = "Parquet" if path.name.lower().endswith(".parquet") else "Arrow"
        raise DataError(f"not {kind} ({error})", where=str(path)) from error
