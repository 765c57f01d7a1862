"""A suite of items on disk.

Here live: writing and reading a suite: for each split a JSONL file and an lm-eval task file beside it.
Not here: what a row holds (`row`), making items (`worlds`, `counterparts`), scoring them (`score`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from shadowgraph.artifact import read_json, write_bytes, write_json
from shadowgraph.errors import DataError
from shadowgraph.identity import file_digest, fingerprint, plain
from shadowgraph.scores.picture import check_pictures, write_pictures
from shadowgraph.scores.reply import harness_filters, harness_metrics
from shadowgraph.scores.row import OPTIONAL, REQUIRED, Kind, Row, check_items, extract_of, kind_of, tokens_of, until_of

PREFIX = "shadowgraph_"  # task names of lm-eval: PREFIX + split


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite's folder, its splits with their sizes, the identity of its items, the kind of each split, and the digest
    of each picture its rows show by its path.
    """

    path: Path
    splits: Mapping[str, int]
    fingerprint: str
    kinds: Mapping[str, Kind] = field(default_factory=dict[str, Kind])
    pictures: Mapping[str, str] = field(default_factory=dict[str, str])

    def items(self, split: str) -> list[dict[str, Any]]:
        """Rows of one split (see `row`).

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
                row = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise DataError(f"not JSON ({error})", where=f"{path} row {number}") from error
            if not isinstance(row, dict):
                raise DataError("not an object", where=f"{path} row {number}")
            rows.append(cast("dict[str, Any]", row))
        check_items(split, rows)
        return rows

    def __repr__(self) -> str:
        """One line: splits, items, identity."""
        return f"Suite({len(self.splits)} splits, {sum(self.splits.values())} items, {self.fingerprint})"


def write_suite(
    items: Mapping[str, Sequence[Row]], folder: Path, *, pictures: Mapping[str, bytes] | None = None
) -> Suite:
    """Write a suite: `SPLIT.jsonl`, `SPLIT.yaml` (an lm-eval task) and `suite.json`, written last.

    A split holds rows of one kind. A choice row has id, family, group, context, continuations and gold (an index into
    continuations), a generate row id, family, group, context and answers (accepted texts). Both may have form (its
    dress), source (the question behind it) and image (the path of a picture in the folder); a generate row may have
    until (texts that end the reply), extract ("line", "number" or "whole", see `reply.read`) and tokens (most tokens of
    a reply). `group` names the cluster of items that share a source. Rows of a split that differ in until, extract or
    tokens, or show pictures, get no lm-eval task, which could not say so.

    Args:
        items: for each split its rows, as mappings; keys that no row has are dropped.
        folder: receives the files; equal items give equal bytes.
        pictures: bytes of every picture that a row shows, by its path.

    Raises:
        DataError: names split, row and key of the first malformed item, and the first picture that nobody gave.
    """
    if not items:
        raise DataError("a suite needs at least one split", where=str(folder))
    kinds: dict[str, Kind] = {split: check_items(split, rows) for split, rows in items.items()}
    shown = _shown(items, pictures or {})
    digests: dict[str, str] = {}
    for split, rows in items.items():
        path = folder / f"{split}.jsonl"
        write_bytes(path, "".join(f"{_line(row, kinds[split])}\n" for row in rows).encode())
        if one_task(rows):
            write_bytes(folder / f"{split}.yaml", _yaml(split, rows[0]).encode())
        else:
            (folder / f"{split}.yaml").unlink(missing_ok=True)
        digests[split] = file_digest(path)
    splits = {split: len(rows) for split, rows in items.items()}
    drawn = write_pictures(shown, folder)
    manifest = {"schema_version": "1.1", "items": splits, "kinds": kinds, "digests": digests}
    write_json(folder / "suite.json", {**manifest, "pictures": drawn} if drawn else manifest)
    return Suite(folder, splits, fingerprint({**digests, **drawn}), kinds, drawn)


def read_suite(folder: Path) -> Suite:
    """Read a suite back, proving that its items are those that were written.

    Raises:
        DataError: when the folder holds no suite or a file was changed.
    """
    manifest: Any = read_json(folder / "suite.json")
    if not isinstance(manifest, dict) or not {"items", "digests"} <= set(cast("dict[str, Any]", manifest)):
        raise DataError("not a suite manifest", where=str(folder / "suite.json"))
    splits, digests = manifest["items"], manifest["digests"]
    kinds = manifest.get("kinds", dict.fromkeys(splits, "choice"))  # version 1.0 knew no other
    if set(splits) != set(digests) or set(splits) != set(kinds) or not all(name.isidentifier() for name in splits):
        raise DataError("names other splits in one place than in another", where=str(folder / "suite.json"))
    for split, digest in digests.items():
        path = folder / f"{split}.jsonl"
        if not path.is_file() or file_digest(path) != digest:
            raise DataError("was changed since the suite was written, or is missing", where=str(path))
    drawn = dict(manifest.get("pictures", {}))
    check_pictures(drawn, folder)
    return Suite(folder, dict(splits), fingerprint({**digests, **drawn}), dict(kinds), drawn)


def task_config(split: str, data_file: str, row: Row) -> dict[str, Any]:
    """The lm-eval task of a split.

    Args:
        split: its name.
        data_file: the JSONL file.
        row: any row of the split; its kind and, when generated, its until, extract and tokens make the task.

    Returns:
        A choice task asks for the log-likelihood of every continuation after the context, nothing in between; a
        generate task for a greedy reply, read as `extract` says.
    """
    generate = kind_of(row) == "generate"
    asked: dict[str, Any] = {
        "output_type": "multiple_choice",
        "doc_to_text": "context",
        "doc_to_choice": "continuations",
        "doc_to_target": "gold",
        "target_delimiter": "",
    }
    metrics = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")]
    if generate:
        asked = {
            "output_type": "generate_until",
            "doc_to_text": "context",
            "doc_to_target": "answers",
            "generation_kwargs": {"until": list(until_of(row)), "max_gen_toks": tokens_of(row), "do_sample": False},
            "filter_list": harness_filters(extract_of(row)),
        }
        metrics = harness_metrics(extract_of(row))
    return {
        "task": PREFIX + split,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": data_file}},
        "test_split": "test",
        **asked,
        "num_fewshot": 0,
        "metric_list": metrics,
        "metadata": {"version": 1.0},
    }


def one_task(rows: Sequence[Row]) -> bool:
    """Whether one lm-eval task can hold all rows of a split."""
    if any("image" in row for row in rows):
        return False
    return kind_of(rows[0]) == "choice" or len({(until_of(r), extract_of(r), tokens_of(r)) for r in rows}) == 1


def _shown(items: Mapping[str, Sequence[Row]], pictures: Mapping[str, bytes]) -> dict[str, bytes]:
    """The pictures that rows show; one that was not given is a fault."""
    for split, rows in items.items():
        for number, row in enumerate(rows, start=1):
            if "image" in row and row["image"] not in pictures:
                raise DataError("its picture was not given", where=f"split {split!r} row {number} key 'image'")
    named = {row["image"] for rows in items.values() for row in rows if "image" in row}
    return {name: data for name, data in pictures.items() if name in named}


def _line(row: Row, kind: Kind) -> str:
    """A row as one line of JSON, keys in their order."""
    keys = [*REQUIRED[kind], *(key for key in OPTIONAL[kind] if key in row)]
    return json.dumps({key: plain(row[key]) for key in keys}, ensure_ascii=False)


def _yaml(split: str, row: Row) -> str:
    """The task as YAML (JSON values on top-level keys); its data file is relative to the suite's folder."""
    config = task_config(split, f"{split}.jsonl", row)
    head = "# An lm-eval task. From this folder: lm_eval run --include_path . --tasks "
    return head + config["task"] + "\n" + "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())
