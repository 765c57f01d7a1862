"""Labels of documents on disk and in memory: names, sources, families, formats, references to images.

Here live: writing and reading columns of text. Not here: numbers of documents (`pooling`).

Memory: in a list that is read back, equal labels are one object, so a column of labels costs 8 bytes a document and
each different label once; names differ, and cost 57 bytes and their own length (ASCII) a document. A pool of n
documents therefore holds about n · (100 + length of a name) bytes of labels, a hundred million of them about 12 GB.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shadowgraph.artifact import whole

LABELS = ("name", "source", "family", "format")


def write_labels(path: Path, columns: Mapping[str, Sequence[str | None]]) -> None:
    """Write columns of text as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with whole(path) as temporary:
        pq.write_table(
            pa.table({n: pa.array(v, pa.string()) for n, v in columns.items()}), temporary, compression="zstd"
        )


def label_columns(path: Path) -> list[str]:
    """Names of the columns in a file of labels."""
    import pyarrow.parquet as pq

    return list(pq.read_schema(path).names)


def read_column(paths: Sequence[Path], name: str) -> list[str | None]:
    """One column of several files, one after another; equal labels are one object.

    Args:
        paths: files of `write_labels`.
        name: the column; a file that lacks it gives None for each of its rows.

    Returns:
        One label a document.
    """
    import pyarrow.parquet as pq

    known: dict[str, str] = {}
    found: list[str | None] = []
    for path in paths:
        with pq.ParquetFile(path) as file:
            if name not in file.schema_arrow.names:
                found.extend([None] * file.metadata.num_rows)
                continue
            for batch in file.iter_batches(columns=[name]):
                values = batch.column(0).to_pylist()
                if name != "name":
                    values = [value if value is None else known.setdefault(value, value) for value in values]
                found.extend(values)
    return found
