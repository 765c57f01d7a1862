"""One document, and reading documents from files people have.

Here live: the document and its readers (JSON Lines, plain or gzip; Parquet), with errors that name file and row.
Not here: tokens and selection.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from shadowgraph.artifact import whole
from shadowgraph.errors import DataError, EnvironmentFault

COLUMNS = ("id", "source", "family", "format", "text")
LARGEST_ROW = 16 << 20  # bytes of one JSON line


@dataclass(frozen=True, slots=True)
class Document:
    """A text and its labels; `family` says what it is about, `format` how it is told, `source` where it comes from."""

    id: str
    source: str
    family: str
    format: str
    text: str


def read_documents(path: Path) -> Iterator[Document]:
    """Read documents one after another.

    A row needs `text`; `id` defaults to the file's name and the row, `source` to the file's name, `family` to the
    source, `format` to "plain".

    Args:
        path: a `.jsonl`, `.jsonl.gz` or `.parquet` file.

    Raises:
        DataError: for an unknown ending, a broken file or a wrong row; names file, row and key.
        EnvironmentFault: when the file cannot be opened.
    """
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            yield from _read_parquet(path)
        elif name.endswith(".jsonl"):
            with path.open("rb") as stream:
                yield from _read_lines(stream, path)
        elif name.endswith(".jsonl.gz"):
            with gzip.open(path, "rb") as stream:
                yield from _read_lines(stream, path)  # pyright: ignore[reportArgumentType]
        else:
            raise DataError("unknown kind of file", where=str(path), hint="give .jsonl, .jsonl.gz or .parquet")
    except FileNotFoundError as error:
        raise DataError("no such file", where=str(path)) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"broken gzip stream ({error})", where=str(path), hint="fetch the file again") from error
    except (IsADirectoryError, PermissionError) as error:
        raise EnvironmentFault(f"cannot be opened ({error.strerror})", where=str(path)) from error


def _read_lines(stream: IO[bytes], path: Path) -> Iterator[Document]:
    """Parse JSON lines; blank lines are passed over, everything else must be an object."""
    row = 0
    while line := stream.readline(LARGEST_ROW + 1):
        row += 1
        where = f"{path}:{row}"
        if len(line) > LARGEST_ROW:
            raise DataError(f"a line of more than {LARGEST_ROW} bytes", where=where, hint="split the document")
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DataError(f"not JSON ({error})", where=where, hint="every line must be one JSON object") from error
        if not isinstance(value, dict):
            raise DataError(f"a {type(value).__name__}, not an object", where=where)
        yield _document(value, path, row)


def _document(value: dict[str, Any], path: Path, row: int) -> Document:
    """Build a document from a row's values, checking every key that is used."""
    where = f"{path}:{row}"
    if "text" not in value:
        raise DataError(
            "the key 'text' is missing", where=where, hint=f"keys found: {', '.join(map(str, value))}"[:200]
        )
    defaults = {"id": f"{path.name}:{row}", "source": path.name, "format": "plain"}
    defaults["family"] = value.get("source") or path.name
    fields: dict[str, str] = {}
    for key in COLUMNS:
        found = value.get(key, defaults.get(key))
        if key == "id" and isinstance(found, int):
            found = str(found)
        if not isinstance(found, str):
            raise DataError(f"the key {key!r} holds {type(found).__name__}, expected text", where=where)
        fields[key] = found
    if not fields["text"].strip():
        raise DataError("the key 'text' is empty", where=where, hint="remove the row")
    try:
        fields["text"].encode()
    except UnicodeEncodeError as error:
        raise DataError("the key 'text' holds a lone surrogate", where=where, hint="write the file as UTF-8") from error
    return Document(**fields)


def _read_parquet(path: Path) -> Iterator[Document]:
    """Read Parquet in batches; string, large_string and dictionary columns all give text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = [name for name in COLUMNS if name in file.schema_arrow.names]
            if "text" not in names:
                found = ", ".join(file.schema_arrow.names)
                raise DataError("no column 'text'", where=str(path), hint=f"columns found: {found}"[:200])
            row = 0
            for batch in file.iter_batches(columns=names):
                for value in batch.to_pylist():
                    row += 1
                    yield _document({key: item for key, item in value.items() if item is not None}, path, row)
    except pa.ArrowInvalid as error:
        raise DataError(f"not Parquet ({error})", where=str(path)) from error


def write_documents(path: Path, documents: Iterable[Document]) -> None:
    """Write documents as Parquet (zstd), in the given order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[str]] = {name: [] for name in COLUMNS}
    for document in documents:
        for name in COLUMNS:
            columns[name].append(getattr(document, name))
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    with whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
