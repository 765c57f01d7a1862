"""Labels on disk and in memory: equal ones are one object, and a pool's names are what costs."""

import tracemalloc
from pathlib import Path

from shadowgraph.corpus.building.labels import label_columns, read_column, write_labels


def test_columns_come_back_over_files_and_missing_ones_are_none(tmp_path: Path) -> None:
    write_labels(tmp_path / "a.parquet", {"name": ["x", "y"], "source": ["s", "s"], "media": [None, "é.png"]})
    write_labels(tmp_path / "b.parquet", {"name": ["z"], "source": ["s"]})
    both = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    assert label_columns(both[0]) == ["name", "source", "media"]
    assert read_column(both, "name") == ["x", "y", "z"]
    assert read_column(both, "media") == [None, "é.png", None]
    sources = read_column(both, "source")
    assert sources == ["s", "s", "s"]
    assert sources[0] is sources[2]


def test_a_pool_of_labels_costs_what_is_stated(tmp_path: Path) -> None:
    count = 50_000
    path = tmp_path / "labels.parquet"
    columns = {name: [f"{name} {n % 9}" for n in range(count)] for name in ("source", "family", "format")}
    write_labels(path, {"name": [f"document-{n:011d}" for n in range(count)], **columns})
    read_column([path], "source")  # the reader itself is loaded
    tracemalloc.start()
    held = {name: tuple(read_column([path], name)) for name in ("name", "source", "family", "format")}
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(held["name"]) == count
    assert size / count < 100 + 20
