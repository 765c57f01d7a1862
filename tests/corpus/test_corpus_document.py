"""Documents from files: what is read, and what is refused with file, row and key."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadowgraph.corpus.document import Document, write_documents
from shadowgraph.corpus.readers.files import read_documents
from shadowgraph.errors import DataError


def test_jsonl_rows_get_defaults(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"text": "one"}\n\n{"text": "two", "id": 7, "source": "s", "family": "f", "format": "list"}\n')
    assert list(read_documents(path)) == [
        Document("notes.jsonl:1", "notes.jsonl", "notes.jsonl", "plain", "one"),
        Document("7", "s", "f", "list", "two"),
    ]


def test_gzip_and_parquet_read_the_same(tmp_path: Path) -> None:
    documents = [Document(str(i), "s", "f", "plain", f"text {i} é") for i in range(5)]
    zipped = tmp_path / "a.jsonl.gz"
    with gzip.open(zipped, "wt", encoding="utf-8") as stream:
        for document in documents:
            row = {key: getattr(document, key) for key in ("id", "source", "family", "format", "text")}
            stream.write(json.dumps(row) + "\n")
    write_documents(tmp_path / "a.parquet", documents)
    assert list(read_documents(zipped)) == documents
    assert list(read_documents(tmp_path / "a.parquet")) == documents


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_parquet_text_columns_of_other_types(tmp_path: Path, kind: Any) -> None:
    table = pa.table({"text": pa.array(["a", "b", "a"], pa.string()).cast(kind)})
    pq.write_table(table, tmp_path / "t.parquet")
    assert [document.text for document in read_documents(tmp_path / "t.parquet")] == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "a list, not an object"),
        ('{"body": "x"}', "the key 'text' is missing; keys found: body"),
        ('{"text": 3}', "the key 'text' holds int"),
        ('{"text": "  "}', "the key 'text' is empty"),
        ('{"text": "\\ud800"}', "lone surrogate"),
        ("[" * 100_000, "not JSON"),
        ('{"text": "x", "family": ["a"]}', "the key 'family' holds list"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"text": "fine"}\n' + row + "\n")
    with pytest.raises(DataError, match=r"bad\.jsonl:2") as caught:
        list(read_documents(path))
    assert message in str(caught.value)
    assert caught.value.exit_code == 3


def test_broken_files_are_named(tmp_path: Path) -> None:
    cases = {"a.parquet": b"PAR1nothing", "b.jsonl.gz": b"\x1f\x8bxx", "c.txt": b"x", "d.jsonl": b"\xff\xfe\n"}
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=name):
            list(read_documents(tmp_path / name))
    with pytest.raises(DataError, match="no such file"):
        list(read_documents(tmp_path / "none.jsonl"))


def test_parquet_without_text_lists_its_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="no column 'text'; columns found: body"):
        list(read_documents(tmp_path / "t.parquet"))
