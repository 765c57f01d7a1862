"""The index of a model in shards: which tensor lies in which file.

Here live: reading and checking it. Not here: whether it is read at all (see `directory`). No shard is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.folder import contained, is_there, some
from shadowgraph.weights.kinds import Kind, kind_of
from shadowgraph.weights.readers.span import read_all
from shadowgraph.weights.readers.strict_json import parse

INDEX_CAP = 100_000_000


@dataclass(frozen=True, slots=True)
class Index:
    """A checked index.

    Attributes:
        name: its file name.
        weight_map: tensor name to the path of its shard, each contained in the folder and there.
        total_size: bytes of data it promises, None without a promise.
    """

    name: str
    weight_map: dict[str, Path]
    total_size: int | None


def read_index(root: Path, name: str, kind: Kind) -> Index:
    """Read and check an index: every shard name contained, every shard present and of the index's own kind.

    Raises:
        CheckpointError: no index, names that leave the folder, missing shards, shards of another format.
        EnvironmentFault: the machine cannot look at them.
    """
    path = contained(root, name)
    content = parse(read_all(path, INDEX_CAP), what="the index", where=str(path))
    table = cast(dict[str, Any], content).get("weight_map") if isinstance(content, dict) else None
    if not isinstance(table, dict) or not table:
        raise CheckpointError("the index has no weight_map", where=str(path))
    files: dict[str, Path] = {}
    weight_map: dict[str, Path] = {}
    base = path.parent.resolve()
    for tensor, shard in cast(dict[str, Any], table).items():
        if not isinstance(shard, str):
            raise CheckpointError(f"weight_map of '{printable(tensor)}' is not a file name", where=str(path))
        if shard not in files:
            files[shard] = contained(root, shard, base)
        weight_map[tensor] = files[shard]
    _require_all(root, files, weight_map)
    other = next((shard for shard in files if kind_of(shard) not in {kind, None}), None)
    if other is not None:
        found = f"the index of {kind.label} shards names a file of another format: {printable(other, 80)}"
        raise CheckpointError(found, where=str(path))
    metadata: Any = cast(dict[str, Any], content).get("metadata")
    total: Any = cast(dict[str, Any], metadata).get("total_size") if isinstance(metadata, dict) else None
    whole = type(total) is int or (type(total) is float and total.is_integer())  # some writers add up in floats
    return Index(name, weight_map, int(total) if whole else None)


def _require_all(root: Path, files: dict[str, Path], weight_map: dict[str, Path]) -> None:
    """Refuse an index whose shards are not all there."""
    absent = {name for name, file in files.items() if not is_there(file, name)}
    if absent:
        gone = {files[name] for name in absent}
        lost = sum(1 for file in weight_map.values() if file in gone)
        raise CheckpointError(
            f"{len(absent)} of {len(files)} shards are missing, with {lost} tensors: {some(sorted(absent))}",
            where=str(root),
            hint="download or copy the missing files",
        )
