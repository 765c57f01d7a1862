"""A benchmark: its items, the two ways to write them, and the part that may be learned from.

Here live: the item, the benchmark, its halves, reading a benchmark's own files.
Not here: what each file format calls its keys (`adapters`), and what is done with items (`target`, `contamination`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shadowgraph.corpus.adapters import ADAPTERS, Adapter, Row
from shadowgraph.corpus.items import BenchmarkItem
from shadowgraph.corpus.readers.records import read_records
from shadowgraph.errors import DataError
from shadowgraph.seeds import keyed_uniform

SPLITS = ("train", "dev", "validation", "val", "test")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named set of items; ids are unique."""

    name: str
    items: tuple[BenchmarkItem, ...]

    def __repr__(self) -> str:
        """One line: name and number of items."""
        return f"Benchmark({self.name}: {len(self.items)} items)"

    def part(self, *, fit: bool) -> tuple[BenchmarkItem, ...]:
        """The part weights are fitted on, or the part measures are held against; no item is in both.

        With a train split that is the fit part and all else is held out; without one, half of the items by hash of
        their ids are.
        """
        learn = {item.id for item in self.items if item.split == "train"}
        if not learn or len(learn) == len(self.items):
            drawn = keyed_uniform(0, "benchmark half", [item.id for item in self.items])
            learn = {item.id for item, place in zip(self.items, drawn, strict=True) if place < 0.5}
        return tuple(item for item in self.items if (item.id in learn) is fit)


def split_of(path: Path) -> str:
    """The split a file's name tells: the first of its words that names one, "test" when none does."""
    words = path.name.lower().replace("-", ".").replace("_", ".").split(".")
    return next((word for word in words if word in SPLITS), "test")


def read_benchmark(
    name: str, paths: Iterable[Path], *, mapping: Mapping[str, str] | None = None, split: str | None = None
) -> Benchmark:
    """Read a benchmark from its own JSON Lines or Parquet files.

    Args:
        name: a name of `ADAPTERS`, or any other name together with a mapping.
        paths: its files.
        mapping: which keys hold `prompt`, `answer` and, where there are any, `choices`, `id` and `group`.
        split: the split of all rows; by default each file's name tells it.

    Raises:
        DataError: for an unknown name without a mapping, a wrong row (names file, row and key), or no items.
    """
    if mapping is not None:
        adapter = Adapter.of_mapping(mapping)
    elif name in ADAPTERS:
        adapter = ADAPTERS[name]
    else:
        known = ", ".join(sorted(ADAPTERS))
        raise DataError(f"no adapter named {name!r}", where="benchmark", hint=f"give a mapping, or one of {known}")
    items: dict[str, BenchmarkItem] = {}
    for path in paths:
        stem = path.name.split(".")[0]
        part = split or split_of(path)
        for number, value in read_records(path):
            item = _item(adapter, value, f"{path}:{number}", f"{stem}:{number}", part)
            if item.id in items:
                item = replace(item, id=f"{stem}:{number}:{item.id}")
            items[item.id] = item
    if not items:
        raise DataError("no items", where=name, hint="give the files of the benchmark")
    return Benchmark(name, tuple(items.values()))


def _item(adapter: Adapter, value: Mapping[str, Any], where: str, default: str, split: str) -> BenchmarkItem:
    """One item, with the id and group that a row may lack."""
    item = adapter.read(Row(value, where))
    return replace(item, id=item.id or default, split=split, group=item.group or default.partition(":")[0])
