"""A suite on disk: it comes back as written, and a bad item is named by split, row and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from shadowgraph.errors import DataError
from shadowgraph.scores.suite import read_suite, task_config, write_suite

Items = dict[str, list[dict[str, Any]]]


def test_comes_back_as_written(items: Items, tmp_path: Path) -> None:
    written = write_suite(items, tmp_path / "one")
    found = read_suite(tmp_path / "one")
    assert found == written
    assert found.splits == {"inside": 9, "outside": 6}
    assert found.items("outside") == items["outside"]
    again = write_suite(items, tmp_path / "two")
    assert again.fingerprint == written.fingerprint
    fewer = write_suite({"inside": items["inside"][1:]}, tmp_path / "three")
    assert fewer.fingerprint != written.fingerprint


def test_line_separators_inside_a_text_do_not_split_a_row(items: Items, tmp_path: Path) -> None:
    row = {**items["inside"][0], "context": "a\u2028b\nc\x85d"}
    assert write_suite({"inside": [row]}, tmp_path).items("inside") == [row]


def test_the_task_file_is_yaml(items: Items, tmp_path: Path) -> None:
    write_suite(items, tmp_path)
    assert yaml.safe_load((tmp_path / "inside.yaml").read_text()) == task_config("inside", "inside.jsonl")


def test_a_changed_file_is_refused(items: Items, tmp_path: Path) -> None:
    write_suite(items, tmp_path)
    path = tmp_path / "inside.jsonl"
    path.write_text(path.read_text().replace("river", "ocean"))
    with pytest.raises(DataError, match=r"inside\.jsonl: was changed"):
        read_suite(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_suite(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", 7),
        ("id", "inside-0"),
        ("context", None),
        ("continuations", [" one"]),
        ("continuations", " text"),
        ("continuations", [" one", " one"]),
        ("continuations", [" one", " "]),
        ("gold", 2),
        ("gold", -1),
        ("gold", True),
    ],
)
def test_a_bad_item_is_named(items: Items, tmp_path: Path, key: str, value: Any) -> None:
    rows = [items["inside"][0], {**items["inside"][3], "continuations": [" one", " two"], "gold": 0, key: value}]
    with pytest.raises(DataError, match=rf"split 'inside' row 2 key '{key}'"):
        write_suite({"inside": rows}, tmp_path)


def test_missing_keys_and_empty_splits(items: Items, tmp_path: Path) -> None:
    row = {key: value for key, value in items["inside"][0].items() if key != "group"}
    with pytest.raises(DataError, match="key 'group': missing"):
        write_suite({"inside": [row]}, tmp_path)
    with pytest.raises(DataError, match="no items"):
        write_suite({"inside": []}, tmp_path)
    with pytest.raises(DataError, match="name must be"):
        write_suite({"../inside": items["inside"]}, tmp_path)
