"""From files to batches: JSON Lines (plain, gzip, zstandard), Parquet, Arrow, and folders of them.

Here live: opening paths in a fixed order, and reading documents or batches from them.
Not here: one format each (`lines`, `columnar`), and what a row must hold (`document`).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from shadowgraph.corpus.batch import LONGEST, Batch, cut_long
from shadowgraph.corpus.document import Columns, Document
from shadowgraph.corpus.readers.columnar import read_columnar
from shadowgraph.corpus.readers.lines import read_lines
from shadowgraph.corpus.readers.span import WHOLE, Span
from shadowgraph.errors import DataError, EnvironmentFault

LINES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
COLUMNAR = (".parquet", ".arrow")


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The files behind paths, folders opened (a Hugging Face data set folder is one), sorted inside each folder.

    Raises:
        DataError: for a path that does not exist, an unknown ending, or a folder without any known file.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            if not path.exists():
                raise DataError("no such file", where=str(path))
            if not path.name.lower().endswith((*LINES, *COLUMNAR)):
                known = ", ".join((*LINES, *COLUMNAR))
                raise DataError("unknown kind of file", where=str(path), hint=f"give one of {known}")
            found.append(path)
            continue
        inside = sorted(
            item
            for item in path.rglob("*")
            if item.name.lower().endswith((*LINES, *COLUMNAR)) and not item.name.startswith((".", "cache-"))
        )
        if not inside:
            raise DataError("a folder without any data file", where=str(path), hint=", ".join((*LINES, *COLUMNAR)))
        found.extend(inside)
    return found


def read_batches(
    paths: Iterable[Path],
    columns: Columns | None = None,
    *,
    limit: int | None = LONGEST,
    block: int = 1 << 20,
    path: str = "auto",
) -> Iterator[Batch]:
    """Stream documents in batches; what is in memory does not grow with the files.

    Args:
        paths: files or folders.
        columns: names of keys; the defaults of `Columns` without.
        limit: characters of a piece, None to leave texts whole.
        block: bytes read at once; a batch holds about as many.
        path: kernels to use, "auto", "numba" or "numpy"; all give the same batches.

    Raises:
        DataError: for an unknown ending, a broken file or a wrong row; names file, row and key.
        EnvironmentFault: when a file cannot be opened or an extra is missing.
    """
    for file in find_files(paths):
        yield from read_span(file, WHOLE, columns, limit=limit, block=block, path=path)


def read_span(
    file: Path,
    span: Span,
    columns: Columns | None = None,
    *,
    limit: int | None = LONGEST,
    block: int = 1 << 20,
    path: str = "auto",
) -> Iterator[Batch]:
    """Stream one part of one file in batches.

    Args:
        file: the file.
        span: the part, from `cut_file`.
        columns: names of keys; the defaults of `Columns` without.
        limit: characters of a piece, None to leave texts whole.
        block: bytes read at once; a batch holds about as many.
        path: kernels to use.

    Raises:
        DataError: for a broken file or a wrong row; names file, row and key.
        EnvironmentFault: when the file cannot be opened or an extra is missing.
    """
    reader = read_lines if file.name.lower().endswith(LINES) else read_columnar
    try:
        for batch in reader(file, columns or Columns(), block, path, span):
            yield cut_long(batch, limit)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"broken gzip stream ({error})", where=str(file), hint="fetch the file again") from error
    except (IsADirectoryError, PermissionError) as error:
        raise EnvironmentFault(f"cannot be opened ({error.strerror})", where=str(file)) from error


def read_documents(path: Path, columns: Columns | None = None) -> Iterator[Document]:
    """Read the documents of one file one after another, uncut.

    A row needs `text`; `id` defaults to the file's name and the row, `source` to the file's name, `family` to the
    source, `format` to "plain".

    Raises:
        DataError: for an unknown ending, a broken file or a wrong row; names file, row and key.
        EnvironmentFault: when the file cannot be opened.
    """
    for batch in read_batches([path], columns, limit=None):
        yield from batch.documents()
