"""Rows of a file as plain values, for benchmarks, whose keys are their own.

Here live: rows with their numbers. Not here: documents (`lines`, `columnar`) and what keys mean (`adapters`).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shadowgraph.corpus.readers.columnar import open_batches
from shadowgraph.corpus.readers.lines import LARGEST_ROW, open_lines, parse_row
from shadowgraph.errors import DataError, printable


def read_records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a JSON Lines, Parquet or Arrow file with their numbers, from 1.

    Raises:
        DataError: for a file that is missing or broken, or a row that is too long, no object or holds a key twice;
            names file and row.
    """
    if path.is_dir():
        raise DataError("a folder, not a file", where=str(path), hint="name one JSON Lines or Parquet file in it")
    if not path.is_file():
        raise DataError("no such file", where=str(path))
    if path.name.lower().endswith((".parquet", ".arrow")):
        yield from _columnar(path)
        return
    try:
        with open_lines(path) as stream:
            for number, line in enumerate(stream.read().split(b"\n"), 1):
                if len(line) > LARGEST_ROW:
                    found = f"a line of {len(line)} bytes, at most {LARGEST_ROW} are read"
                    raise DataError(found, where=f"{path}:{number}", hint="shorten or remove the row")
                if line.strip():
                    yield number, _row(line, f"{path}:{number}")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"broken gzip stream ({error})", where=str(path), hint="fetch the file again") from error


def _row(line: bytes, where: str) -> Mapping[str, Any]:
    """One JSON object none of whose objects holds a key twice."""

    def once(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise DataError(f"the key {printable(key)!r} stands there twice", where=where, hint="keep one of them")
            seen.add(key)

    row = parse_row(line, where)
    try:
        json.loads(line, object_pairs_hook=once)
    except RecursionError as error:
        raise DataError("nested too deeply", where=where) from error
    return row


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
