"""A suite on disk: it comes back as written, and a bad item is named by split, row and key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from shadowgraph.errors import DataError
from shadowgraph.scores.suite import read_suite, task_config, write_suite

REPLY: dict[str, Any] = {
    "id": "one",
    "family": "sums",
    "group": "g",
    "context": "two and two make",
    "answers": ["4", "4.0"],
    "until": ["\n", "Q:"],
    "extract": "number",
    "tokens": 8,
}
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
    wanted = task_config("inside", "inside.jsonl", items["inside"][0])
    assert yaml.safe_load((tmp_path / "inside.yaml").read_text()) == wanted
    rows = [REPLY, {**REPLY, "id": "other", "form": "open", "source": "one"}]
    assert write_suite({"replies": rows}, tmp_path).items("replies") == rows
    found = yaml.safe_load((tmp_path / "replies.yaml").read_text())
    assert found == task_config("replies", "replies.jsonl", REPLY)
    assert found["generation_kwargs"] == {"until": ["\n", "Q:"], "max_gen_toks": 8, "do_sample": False}


def test_kinds_are_kept_and_an_older_folder_is_read(items: Items, tmp_path: Path) -> None:
    suite = write_suite({**items, "replies": [REPLY]}, tmp_path)
    assert suite.kinds == {"inside": "choice", "outside": "choice", "replies": "generate"}
    assert read_suite(tmp_path) == suite
    manifest = json.loads((tmp_path / "suite.json").read_text())
    assert manifest["schema_version"] == "1.1"
    older = {"schema_version": "1.0"} | {key: {"inside": manifest[key]["inside"]} for key in ("items", "digests")}
    (tmp_path / "suite.json").write_text(json.dumps(older))
    assert read_suite(tmp_path).kinds == {"inside": "choice"}
    older["items"] = {"../inside": 1}
    (tmp_path / "suite.json").write_text(json.dumps(older))
    with pytest.raises(DataError, match="names other splits"):
        read_suite(tmp_path)


def test_a_split_that_no_task_of_lm_eval_can_hold_gets_none(tmp_path: Path) -> None:
    write_suite({"replies": [REPLY]}, tmp_path)
    assert (tmp_path / "replies.yaml").exists()
    suite = write_suite({"replies": [REPLY, {**REPLY, "id": "other", "tokens": 9}]}, tmp_path)
    assert not (tmp_path / "replies.yaml").exists()
    assert [row.get("tokens") for row in suite.items("replies")] == [8, 9]


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


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("answers", [], "no answer"),
        ("answers", ["  "], "no answer"),
        ("answers", "four", "no list"),
        ("answers", ["four"], "never be read"),
        ("until", [""], "empty text"),
        ("extract", "words", "none of line, number, whole"),
        ("tokens", 0, "no number of tokens"),
        ("tokens", True, "no number of tokens"),
        ("context", "", "is empty"),
        ("context", " \n", "white space alone"),
        ("context", "a\ud800", "half a character"),
        ("form", 3, "not text"),
        ("continuations", [" a", " b"], "stands beside"),
    ],
)
def test_a_bad_generate_item_is_named(tmp_path: Path, key: str, value: Any, says: str) -> None:
    key_named = "answers" if key == "continuations" else key
    with pytest.raises(DataError, match=rf"split 'replies' row 2 key '{key_named}': .*{says}"):
        write_suite({"replies": [REPLY, {**REPLY, "id": "b", key: value}]}, tmp_path)


def test_a_split_holds_one_kind(items: Items, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 2 key 'continuations': missing; all rows"):
        write_suite({"mixed": [items["inside"][0], REPLY]}, tmp_path)
    with pytest.raises(DataError, match="row 2 key 'answers': missing; all rows"):
        write_suite({"mixed": [REPLY, items["inside"][0]]}, tmp_path)


def test_missing_keys_and_empty_splits(items: Items, tmp_path: Path) -> None:
    row = {key: value for key, value in items["inside"][0].items() if key != "group"}
    with pytest.raises(DataError, match="key 'group': missing"):
        write_suite({"inside": [row]}, tmp_path)
    with pytest.raises(DataError, match="no items"):
        write_suite({"inside": []}, tmp_path)
    with pytest.raises(DataError, match="name must be"):
        write_suite({"../inside": items["inside"]}, tmp_path)
