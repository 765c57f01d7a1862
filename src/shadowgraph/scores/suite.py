"""A suite of multiple-choice items on disk.

Here live: writing, checking and reading a suite: for each split a JSONL file and an lm-eval task file beside it.
Not here: making items (`worlds`), scoring them (`score`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadowgraph.artifact import read_json, write_bytes, write_json
from shadowgraph.errors import DataError
from shadowgraph.identity import file_digest, fingerprint, plain

KEYS = ("id", "family", "group", "context", "continuations", "gold")
PREFIX = "shadowgraph_"  # task names of lm-eval: PREFIX + split


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite's folder, its splits with their sizes, and the identity of its items."""

    path: Path
    splits: Mapping[str, int]
    fingerprint: str

    def items(self, split: str) -> list[dict[str, Any]]:
        """Items of one split: id, family, group, context, continuations, gold.

        Raises:
            DataError: when the split is unknown or its file is malformed (names file and row).
        """
        if split not in self.splits:
            raise DataError(f"no split {split!r}", where=str(self.path), hint=f"splits: {', '.join(self.splits)}")
        path = self.path / f"{split}.jsonl"
        rows: list[dict[str, Any]] = []
        try:
            lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot be read ({error})", where=str(path)) from error
        for number, line in enumerate(lines, start=1):
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise DataError(f"not JSON ({error})", where=f"{path} row {number}") from error
        check_items(split, rows)
        return rows

    def __repr__(self) -> str:
        """One line: splits, items, identity."""
        return f"Suite({len(self.splits)} splits, {sum(self.splits.values())} items, {self.fingerprint})"


def write_suite(items: Mapping[str, Sequence[Mapping[str, Any]]], folder: Path) -> Suite:
    """Write a suite: `SPLIT.jsonl`, `SPLIT.yaml` (an lm-eval task) and `suite.json`, written last.

    Args:
        items: for each split its items, as mappings with the keys `KEYS`; other keys are dropped. `group` names the
            cluster of items that share a source; `gold` is an index into `continuations`.
        folder: receives the files; equal items give equal bytes.

    Raises:
        DataError: names split, row and key of the first malformed item.
    """
    if not items:
        raise DataError("a suite needs at least one split", where=str(folder))
    for split, rows in items.items():
        check_items(split, rows)
    digests: dict[str, str] = {}
    for split, rows in items.items():
        lines = [json.dumps({key: plain(row[key]) for key in KEYS}, ensure_ascii=False) for row in rows]
        path = folder / f"{split}.jsonl"
        write_bytes(path, "".join(f"{line}\n" for line in lines).encode())
        write_bytes(folder / f"{split}.yaml", _yaml(split).encode())
        digests[split] = file_digest(path)
    splits = {split: len(rows) for split, rows in items.items()}
    write_json(folder / "suite.json", {"schema_version": "1.0", "items": splits, "digests": digests})
    return Suite(folder, splits, fingerprint(digests))


def read_suite(folder: Path) -> Suite:
    """Read a suite back, proving that its items are those that were written.

    Raises:
        DataError: when the folder holds no suite or a file was changed.
    """
    manifest: Any = read_json(folder / "suite.json")
    if not isinstance(manifest, dict) or not {"items", "digests"} <= set(manifest):
        raise DataError("not a suite manifest", where=str(folder / "suite.json"))
    for split, digest in manifest["digests"].items():
        path = folder / f"{split}.jsonl"
        if not path.is_file() or file_digest(path) != digest:
            raise DataError("was changed since the suite was written, or is missing", where=str(path))
    return Suite(folder, dict(manifest["items"]), fingerprint(manifest["digests"]))


def check_items(split: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Check the items of one split.

    Raises:
        DataError: names split, row and key.
    """
    if not split.isidentifier():
        raise DataError("a split's name must be letters, digits and underscores", where=f"split {split!r}")
    if not rows:
        raise DataError("no items", where=f"split {split!r}")
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        fault = _fault(row)
        if fault is None and row["id"] in seen:
            fault = "id", f"{row['id']!r} occurs twice"
        if fault is not None:
            raise DataError(fault[1], where=f"split {split!r} row {number} key {fault[0]!r}")
        seen.add(row["id"])


def task_config(split: str, data_file: str) -> dict[str, Any]:
    """The lm-eval task of a split: log-likelihood of every continuation after the context, nothing in between."""
    return {
        "task": PREFIX + split,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": data_file}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "context",
        "doc_to_choice": "continuations",
        "doc_to_target": "gold",
        "target_delimiter": "",
        "num_fewshot": 0,
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0},
    }


def _yaml(split: str) -> str:
    """The task as YAML (JSON values on top-level keys); its data file is relative to the suite's folder."""
    config = task_config(split, f"{split}.jsonl")
    head = "# An lm-eval task. From this folder: lm_eval run --include_path . --tasks "
    return head + config["task"] + "\n" + "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())


def _fault(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Key and words of the first fault of an item, None when it is sound."""
    for key in KEYS:
        if key not in row:
            return key, "missing"
    for key in ("id", "family", "group", "context"):
        if not isinstance(row[key], str):
            return key, f"{row[key]!r} is not text"
    continuations, gold = row["continuations"], row["gold"]
    if isinstance(continuations, str) or len(continuations) < 2:
        return "continuations", "needs at least two"
    if any(not isinstance(text, str) or not text.strip() for text in continuations):
        return "continuations", "holds an empty one"
    if len(set(continuations)) != len(continuations):
        return "continuations", "holds the same one twice"
    if isinstance(gold, bool) or not isinstance(gold, int) or not 0 <= gold < len(continuations):
        return "gold", f"{gold!r} is no index of a continuation"
    return None
