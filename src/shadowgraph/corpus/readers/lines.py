"""JSON Lines, plain, gzip or zstandard, in blocks of whole lines.

Here live: the two ways through a block: compiled columns for flat rows, a JSON parser for everything else.
Not here: other formats (`columnar`). Both ways give the same batches; `kernels.rows` says what it gives up on.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingImports=false
from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np

from shadowgraph.corpus.batch import Batch
from shadowgraph.corpus.document import Columns, row_values
from shadowgraph.corpus.kernels import kernels
from shadowgraph.corpus.kernels.constants import BASE
from shadowgraph.corpus.readers.span import WHOLE, Span
from shadowgraph.errors import DataError, require

LARGEST_ROW = 16 << 20  # bytes of one JSON line


@contextmanager
def open_lines(path: Path) -> Generator[IO[bytes]]:
    """Open a file for reading, unpacked on the way.

    Raises:
        DataError: when a zstandard stream is broken.
        EnvironmentFault: when it needs an extra that is not installed.
    """
    name = path.name.lower()
    if name.endswith(".zst"):
        require("zstandard", "corpus")
        import zstandard

        with (
            path.open("rb") as packed,
            zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as s,
        ):
            try:
                yield s
            except zstandard.ZstdError as error:
                raise DataError(f"broken zstandard stream ({error})", where=str(path)) from error
    elif name.endswith(".gz"):
        with gzip.open(path, "rb") as stream:
            yield stream  # pyright: ignore[reportReturnType]
    else:
        with path.open("rb") as stream:
            yield stream


def read_lines(path: Path, columns: Columns, block: int, kind: str, span: Span = WHOLE) -> Iterator[Batch]:
    """Stream batches from a file of JSON lines.

    Args:
        path: the file.
        columns: names of keys.
        block: bytes read at once.
        kind: kernels to use.
        span: the bytes to read, whole lines, and the lines before them.

    Raises:
        DataError: for a wrong row; names file, row and key.
    """
    before, rest = span.before, b""
    with open_lines(path) as stream:
        if span.start:
            stream.seek(span.start)
        left = None if span.stop is None else span.stop - span.start
        while True:
            piece = stream.read(block if left is None else min(block, left))
            left = None if left is None else left - len(piece)
            cut = piece.rfind(b"\n") + 1
            if cut:
                data, rest = rest + piece[:cut], piece[cut:]
            else:
                rest += piece
                data, rest = (b"", rest) if piece else (rest, b"")
            if len(rest) > LARGEST_ROW:
                line = before + data.count(b"\n") + 1
                message = f"a line of more than {LARGEST_ROW} bytes"
                raise DataError(message, where=f"{path}:{line}", hint="split the document")
            if data:
                yield from _batches(data, path, before, columns, kind)
                before += data.count(b"\n")
            if not piece:
                return


def _batches(data: bytes, path: Path, before: int, columns: Columns, kind: str) -> Iterator[Batch]:
    """The batch of one block, by columns where the rows are flat, else row by row."""
    if columns.messages is None and kernels(kind).NAME == "numba":
        batch = _by_columns(data, path, before, columns, kind)
        if batch is not None:
            yield batch
            return
    numbers: list[int] = []
    values: list[tuple[str | None, ...]] = []
    for number, line in enumerate(data.split(b"\n"), before + 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        row = row_values(parse_row(line, where), columns, where)
        if not _blank(row[0] or "", columns, where):
            numbers.append(number)
            values.append(row)
    if values:
        texts = [(row[0] or "").encode() for row in values]
        yield assemble(texts, [list(column) for column in zip(*values, strict=True)][1:], numbers, path, kind)


def _blank(text: str, columns: Columns, where: str) -> bool:
    """Whether a row is passed over for its blank text.

    Raises:
        DataError: when blank texts are not to be passed over.
    """
    if text.strip():
        return False
    if columns.skip_empty:
        return True
    key = columns.messages or columns.text
    raise DataError(f"the key {key!r} is empty", where=where, hint="remove the row, or pass over blank texts")


def _by_columns(data: bytes, path: Path, before: int, columns: Columns, kind: str) -> Batch | None:
    """Read a block with the compiled scanner; None when a row is not flat, not valid or not complete."""
    from shadowgraph.corpus.kernels.rows import scan_rows

    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            return None
    keys = np.array([_key_hash(key) for key in columns.keys], np.uint64)
    flat, numbers, spans, texts, others = scan_rows(np.frombuffer(data, np.uint8), keys)
    missing = [bool((spans[:, field, 0] < 0).any()) for field in range(len(keys))]
    if not flat or any(missing[field] and columns.demanded(field) for field in range(len(keys))):
        return None
    if not len(numbers):
        return None
    offsets = np.append(spans[:, 0, 0], len(texts))
    starts = texts[np.minimum(offsets[:-1], max(len(texts) - 1, 0))] if len(texts) else np.zeros(1, np.uint8)
    short = np.diff(offsets) == 0
    if short.any() or (starts <= 32).any() or (starts >= 128).any():  # may be blank: let the careful way decide
        for d in np.flatnonzero(short | (starts <= 32) | (starts >= 128)):
            if not texts[offsets[d] : offsets[d + 1]].tobytes().decode().strip():
                return None
    labels: list[list[str | None]] = []
    packed = others.tobytes()
    for field in range(1, len(keys)):
        bounds = spans[:, field].tolist()
        labels.append([packed[a:b].decode() if a >= 0 else None for a, b in bounds])
    return _batch(texts, offsets, labels, (numbers + before).tolist(), name=path.name, kind=kind)


def assemble(
    texts: Sequence[bytes], labels: Sequence[Sequence[str | None]], numbers: Sequence[int], path: Path, kind: str
) -> Batch:
    """Put checked rows into a batch.

    Args:
        texts: n texts.
        labels: ids, sources, families, formats and media, n of each; None takes the default.
        numbers: n rows in the file, from 1.
        path: the file.
        kind: kernels to use.
    """
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    return _batch(np.frombuffer(b"".join(texts), np.uint8), offsets, labels, numbers, name=path.name, kind=kind)


def _batch(
    buffer: Any, offsets: Any, labels: Sequence[Sequence[str | None]], numbers: Sequence[int], *, name: str, kind: str
) -> Batch:
    """A batch with defaults filled in."""
    ids, sources, families, formats, media = labels
    held = [source if source is not None else name for source in sources]
    return Batch(
        [item if item is not None else f"{name}:{number}" for item, number in zip(ids, numbers, strict=True)],
        np.zeros(len(ids), np.int64),
        held,
        [family if family is not None else source for family, source in zip(families, held, strict=True)],
        [form if form is not None else "plain" for form in formats],
        list(media),
        buffer,
        offsets,
        kind,
    )


def _key_hash(key: str) -> int:
    """The hash by which the scanner knows a key."""
    total = 0
    for byte in key.encode():
        total = (total * int(BASE) + byte) % (1 << 64)
    return total


@cache
def _fast_parser() -> Callable[[bytes], Any] | None:
    """The parser of the extra `corpus`, where it is installed."""
    if find_spec("orjson") is None:
        return None
    import orjson

    return orjson.loads


def _refuse(constant: str) -> NoReturn:
    """JSON has no NaN and no infinity."""
    raise ValueError(f"{constant} is no JSON")


def parse_row(line: bytes, where: str) -> dict[str, Any]:
    """One JSON object; what the fast parser refuses is asked of the standard one, whose words need no extra.

    Raises:
        DataError: when the line is no JSON object.
    """
    value: Any = None
    fast = _fast_parser()
    try:
        value = fast(line) if fast is not None else None
    except ValueError:
        fast = None
    try:
        value = value if fast is not None else json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON ({error})", where=where, hint="every line must be one JSON object") from error
    if not isinstance(value, dict):
        raise DataError(f"a {type(value).__name__}, not an object", where=where)
    return value
