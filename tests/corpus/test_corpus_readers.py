"""Batches from every kind of file are the same documents, with labels, pieces and clear refusals."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadowgraph.corpus.batch import batches_of
from shadowgraph.corpus.document import Columns, Document, write_documents
from shadowgraph.corpus.readers.files import find_files, read_batches, read_documents
from shadowgraph.errors import DataError

ROWS: list[dict[str, Any]] = [{"id": f"d{n}", "text": f"text {n} é\n" * (n + 1), "source": "s"} for n in range(30)]
DOCUMENTS = [Document(row["id"], "s", "s", "plain", row["text"]) for row in ROWS]


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def read(file: Path, columns: Columns | None = None, **options: Any) -> list[Document]:
    return [d for batch in read_batches([file], columns, **options) for d in batch.documents()]


def test_every_kind_of_file_gives_the_same_documents(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard", reason="the extra `corpus` is not installed")
    (tmp_path / "a.jsonl").write_bytes(lines(ROWS))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines(ROWS)))
    (tmp_path / "c.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(lines(ROWS)))
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, tmp_path / "d.parquet")
    with pa.OSFile(str(tmp_path / "e.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pa.OSFile(str(tmp_path / "f.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    files = find_files([tmp_path])
    assert [file.name[0] for file in files] == list("abcdef")
    for file in files:
        for kind in ("auto", "numpy"):
            assert read(file, path=kind, block=200) == DOCUMENTS, (file.name, kind)
    assert [d for b in batches_of(DOCUMENTS, size=7) for d in b.documents()] == DOCUMENTS


def test_media_survive_writing(tmp_path: Path) -> None:
    documents = [Document("a", "s", "f", "plain", "a cat", "cat.png"), Document("b", "s", "f", "plain", "none")]
    write_documents(tmp_path / "m.parquet", documents)
    assert list(read_documents(tmp_path / "m.parquet")) == documents


def test_columns_and_chat_records(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    seen = [{"role": "user", "content": [{"type": "image", "image": "x.png"}, {"type": "text", "text": "what?"}]}]
    path = tmp_path / "chat.jsonl"
    path.write_bytes(lines([{"messages": turns, "key": "k"}, {"messages": seen, "key": "l"}]))
    pq.write_table(pa.Table.from_pylist([{"messages": turns, "key": "k"}]), tmp_path / "chat.parquet")
    columns = Columns(messages="messages", id="key")
    told = read(path, columns)
    assert [(d.id, d.text, d.media) for d in told] == [
        ("k", "user: 2+2?\nassistant: 4\n", None),
        ("l", "user: what?\n", "x.png"),
    ]
    assert read(tmp_path / "chat.parquet", columns)[0].text == told[0].text
    body = tmp_path / "body.jsonl"
    body.write_bytes(lines([{"body": "b", "text": "t"}]))
    assert read(body, Columns(text="body"))[0].text == "b"
    with pytest.raises(DataError, match=r"chat\.jsonl:1: the key 'text' is missing; keys found: messages, key"):
        read(path)
    with pytest.raises(DataError, match="the key 'no' is missing"):
        read(path, Columns(messages="messages", id="no"))


@pytest.mark.parametrize("kind", ["auto", "numpy"])
def test_blank_texts_are_refused_or_passed_over(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(lines([{"text": "a"}, {"text": " \u3000"}, {"text": "b"}]))
    with pytest.raises(DataError, match=r"x\.jsonl:2: the key 'text' is empty"):
        read(path, path=kind)
    assert [d.id for d in read(path, Columns(skip_empty=True), path=kind)] == ["x.jsonl:1", "x.jsonl:3"]


def test_rows_are_numbered_across_blocks(tmp_path: Path) -> None:
    path = tmp_path / "n.jsonl"
    path.write_bytes(lines([{"text": "word " * 20}] * 50)[:-1])
    assert [d.id for d in read(path, block=300)] == [f"n.jsonl:{n}" for n in range(1, 51)]
    path.write_bytes(lines([{"text": "word"}] * 40) + b'{"text": "\xff"}\n')
    with pytest.raises(DataError, match=r"n\.jsonl:41: not JSON"):
        read(path, block=64)


def test_folders_without_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder without any data file"):
        find_files([tmp_path])
