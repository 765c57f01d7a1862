"""Which files make a checkpoint: one file, a directory with or without an index, or a model in the hub's cache.

Here live: `find_layout`, the choice of the format, and remarks on what was passed over.
Not here: containment of paths (see `folder`), the choice among files of one format (see `choice`), the index, the
configuration, values, roles. No file is opened before its name has been checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadowgraph.errors import CheckpointError
from shadowgraph.weights.adapter import ADAPTER_CONFIG, is_adapter_file
from shadowgraph.weights.choice import is_projector, nothing, part_of_many, parts_of, single
from shadowgraph.weights.download import mixed_revisions, snapshot
from shadowgraph.weights.folder import contained, is_folder, listing, some
from shadowgraph.weights.index import Index, read_index
from shadowgraph.weights.kinds import GGUF, KINDS, SAFETENSORS, Kind, is_training_file, kind_of, preferred
from shadowgraph.weights.readers.span import fault
from shadowgraph.weights.settings import CONFIG_NAME, config_beside, read_config


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one checkpoint.

    Attributes:
        root: the directory, or the file itself; of a format preferred to the usual one its index or first file, which
            opened by itself gives the same tensors.
        shards: the weight files, each checked to lie inside the root, in order of name.
        weight_map: tensor name to shard path, None without an index.
        total_size: bytes of data the index promises, None without a promise.
        config: content of `config.json`, empty when absent or unreadable.
        notes: remarks that are no errors.
    """

    root: Path
    shards: tuple[Path, ...]
    weight_map: dict[str, Path] | None
    total_size: int | None
    config: dict[str, Any]
    notes: tuple[str, ...]


def find_layout(path: Path, prefer: str = "") -> Layout:
    """Find the files of the checkpoint at `path`; only the index, the configuration and small notes are read.

    A folder `models--*` of the hub's cache stands for the snapshot of its reference `main`, or for its only one. Of
    several formats in one folder the first of `kinds.KINDS` is read, or the one named by `prefer` where it is there.
    One part of a split GGUF model stands for all of them.

    Raises:
        CheckpointError: nothing readable there, a path that leaves the folder, a broken index, missing shards.
        EnvironmentFault: the machine cannot look at it.
        SpecError: `prefer` names no format.
    """
    wanted = preferred(prefer)
    try:
        is_directory = path.is_dir()
        exists = is_directory or path.exists() or path.is_symlink()
    except OSError as error:
        raise fault(error, path) from error
    except ValueError as error:
        raise CheckpointError(f"the path cannot be followed ({error})", where=str(path)) from error
    if not exists:
        raise CheckpointError(
            "no such file or directory", where=str(path), hint="give a path on this machine; nothing is downloaded"
        )
    if is_directory:
        return _folder(path, wanted)
    indexed = next((kind for kind in KINDS if kind.indexes([path.name])), None)
    return _file(path) if indexed is None else _by_index(path, indexed)


def _by_index(path: Path, kind: Kind) -> Layout:
    """The layout of the shards that a given index lists."""
    notes: list[str] = []
    index = read_index(path.parent, path.name, kind)
    shards = tuple(sorted(set(index.weight_map.values())))
    return Layout(path, shards, index.weight_map, index.total_size, config_beside(path, notes), tuple(notes))


def _file(path: Path) -> Layout:
    """The layout of one file, with its siblings where it is a part of a split model that needs them."""
    if is_training_file(path.name):
        raise CheckpointError(
            "by its name a file of the training, not of weights; it was not opened",
            where=str(path),
            hint="give the folder of the saved model",
        )
    notes: list[str] = []
    shards = (path,)
    of_many = part_of_many(path.name)
    if of_many and kind_of(path.name) is GGUF:
        parts = parts_of(path.parent, path.name, listing(path.parent))
        shards = tuple(contained(path.parent, part) for part in parts)
        of_many = [f"all {len(parts)} parts of the split model are read"]
    notes.extend(of_many)
    return Layout(path, shards, None, None, config_beside(path, notes), tuple(notes))


def _folder(path: Path, wanted: Kind | None) -> Layout:
    """The layout of a folder."""
    notes: list[str] = []
    path = snapshot(path, notes)
    names = listing(path)
    held = _holdings(path, names)
    kind = wanted if wanted in held else next(iter(held), None)
    config: dict[str, Any] = {}
    if CONFIG_NAME in names:
        config = read_config(path, notes)
    elif kind is not GGUF:  # which carries what is needed of it
        notes.append(f"no {CONFIG_NAME}; roles come from the names alone")
    notes.extend(mixed_revisions(path, names))
    if kind is None:
        raise nothing(path, names)
    if wanted is not None and wanted is not kind:
        notes.append(f"no {wanted.label} file is there; {kind.label} is read")
    index = _own_index(path, held[kind], kind, notes)
    if index is not None:
        shards = tuple(sorted(set(index.weight_map.values())))
    else:
        below = "" if held[kind] is names else f"{kind.below}/"
        shards = tuple(contained(path, below + name) for name in single(path, held[kind], kind))
    _note_others(path, names, shards, notes, kind=kind, indexed=index is not None)
    notes.extend(_note_kinds(held, kind))
    root = path
    if kind is not next(iter(held)):
        root = shards[0] if index is None else path / index.name
    if index is None:
        return Layout(root, shards, None, None, config, tuple(notes))
    return Layout(root, shards, index.weight_map, index.total_size, config, tuple(notes))


def _holdings(root: Path, names: set[str]) -> dict[Kind, set[str]]:
    """The kinds that a folder holds, the preferred first, and the names among which each is chosen."""
    found: dict[Kind, set[str]] = {}
    for kind in KINDS:
        if kind.files(names) or kind.indexes(names):
            found[kind] = names
        elif kind.below in names and kind.below and is_folder(root / kind.below):
            below = listing(contained(root, kind.below))
            if kind.files(below):
                found[kind] = below
    return found


def _own_index(root: Path, names: set[str], kind: Kind, notes: list[str]) -> Index | None:
    """The index by which a folder's shards are read, None where a single file is read.

    An index beside a single file is read when it is that file's own; one of other shards is passed over and said so.
    """
    indexes = kind.indexes(names)
    name = kind.index if kind.index in names else indexes[0] if len(indexes) == 1 else None
    if name is None:
        return None
    alone = next((usual for usual in kind.usual if usual in names), None)
    if alone is None:
        return read_index(root, name, kind)
    try:
        index = read_index(root, name, kind)
    except CheckpointError as error:
        notes.append(f"both {alone} and an index are present; the single file is read (the index: {error.found})")
        return None
    if set(index.weight_map.values()) == {root / alone}:
        return index
    notes.append(f"both {alone} and an index are present; the single file is read")
    return None


def _note_others(
    root: Path, names: set[str], read: tuple[Path, ...], notes: list[str], *, kind: Kind, indexed: bool
) -> None:
    """Say which other files could be taken for the weights and were passed over."""
    extra = [name for name in kind.files(names) if root / name not in read]
    projectors = [name for name in extra if kind is GGUF and is_projector(name)]
    extra = [name for name in extra if name not in projectors]
    if extra:
        why = "not in the index" if indexed else "present beside it and not read"
        files = "file is" if len(extra) == 1 else "files are"
        notes.append(f"{len(extra)} other {kind.label} {files} {why}: {some(extra)}")
    if projectors:
        notes.append(f"the projector of a model that sees lies beside it and is not read: {some(projectors)}")
    adapters = [name for name in names if is_adapter_file(name) and kind_of(name) is not None]
    if ADAPTER_CONFIG in names or any(root / name not in read for name in adapters):
        notes.append("an adapter lies beside the weights and is not read; what is listed are the weights without it")
    ignored = sorted(name for name in names if is_training_file(name))
    if ignored:
        notes.append(f"files of the training are ignored, none is opened: {some(ignored)}")


def _note_kinds(held: dict[Kind, set[str]], kind: Kind) -> list[str]:
    """Say which other formats lie in the same folder."""
    notes: list[str] = []
    for other, names in held.items():
        if other is not kind:
            usual = [name for name in (*other.usual, other.index) if name in names]
            shown = some(usual[:1] or other.indexes(names)[:1] or other.files(names))
            notes.append(
                f"both {kind.label} and {shown} are present; {kind.label} is read"
                + (f", the option --prefer {other.name} reads the other" if kind is SAFETENSORS else "")
            )
    return notes
