"""Which files make a checkpoint: one file, a directory with or without an index, or a model in the hub's cache.

Here live: the choice of files, the index and its checks, containment of paths, and `config.json`.
Not here: tensors' values, roles. No file is opened before its name has been checked.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.readers.span import fault, read_all
from shadowgraph.weights.readers.strict_json import parse

INDEX_NAME = "model.safetensors.index.json"
SINGLE_NAME = "model.safetensors"
INDEX_CAP = 100_000_000
CONFIG_CAP = 10_000_000
LISTING_CAP = 200_000
_DOWNLOADS = ".cache/huggingface/download"
_PARTITIONED = frozenset({"zero_to_fp32.py", ".metadata", "latest"})
_TRAINING = frozenset(
    {"optimizer.pt", "optimizer.bin", "scheduler.pt", "rng_state.pth", "training_args.bin", "scaler.pt"}
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one checkpoint.

    Attributes:
        root: the directory, or the file itself.
        shards: the safetensors files, each checked to lie inside the root, in order of name.
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


def find_layout(path: Path) -> Layout:
    """Find the files of the checkpoint at `path`; only the index, the configuration and small notes are read.

    A folder `models--*` of the hub's cache stands for the snapshot of its reference `main`, or for its only one.

    Raises:
        CheckpointError: nothing readable there, a path that leaves the folder, a broken index, missing shards.
    """
    try:
        is_directory = path.is_dir()
        exists = is_directory or path.exists() or path.is_symlink()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"the path cannot be followed ({error})", where=str(path)) from error
    if not exists:
        raise CheckpointError("no such file or directory", where=str(path), hint="check the path")
    if not is_directory:
        return Layout(path, (path,), None, None, {}, ())
    notes: list[str] = []
    path = _snapshot(path, notes)
    names = listing(path)
    config = _config(path, names, notes)
    notes.extend(_mixed_revisions(path, names))
    index = INDEX_NAME if INDEX_NAME in names else _only_index(names)
    if SINGLE_NAME not in names and index is not None:
        weight_map, total_size = _index(path, index)
        listed = set(weight_map.values())
        shards = tuple(sorted(listed))
        stored = (name for name in names if name.endswith(".safetensors") and not name.startswith("adapter_"))
        extra = sorted(name for name in stored if path / name not in listed)
        if extra:
            notes.append(f"{len(extra)} safetensors files are not in the index: {_some(extra)}")
        _note_pickles(names, notes)
        return Layout(path, shards, weight_map, total_size, config, tuple(notes))
    chosen = contained(path, _single(path, names, notes))
    _note_pickles(names, notes)
    return Layout(path, (chosen,), None, None, config, tuple(notes))


def holds_weights(names: set[str]) -> bool:
    """Whether a folder with these names has weight files of its own that can be read."""
    return any(name.endswith((".safetensors", ".safetensors.index.json")) for name in names)


def is_partitioned(names: set[str]) -> bool:
    """Whether a folder with these names is a training checkpoint that only its trainer can put together."""
    return bool(_PARTITIONED & names) or any(name.startswith("pytorch_model_fsdp") for name in names)


def contained(root: Path, name: str) -> Path:
    """Check that a file name from a checkpoint stays in its folder, without opening the file.

    A symbolic link may lead out only from `models--*/snapshots/<revision>` into its own `blobs`, as in the hub's cache.

    Raises:
        CheckpointError: absolute, climbing, a drive, a share, an address, a NUL, or a link that leaves the folder.
    """
    shown = printable(name)
    pure = PurePosixPath(name)
    unsafe = (
        not name
        or pure.is_absolute()
        or ".." in pure.parts
        or "\\" in name
        or ":" in name
        or any(ord(character) < 32 for character in name)
    )
    if unsafe:
        raise CheckpointError(
            f"the file name '{shown}' leads out of the folder or is no plain file name", where=str(root)
        )
    try:
        base = root.resolve(strict=True)
        target = (base / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"the file name '{shown}' cannot be followed ({error})", where=str(root)) from error
    allowed = [base]
    if base.parent.name == "snapshots" and base.parent.parent.name.startswith("models--"):
        allowed.append(base.parent.parent / "blobs")
    if not any(target.is_relative_to(folder) for folder in allowed):
        raise CheckpointError(f"the link '{shown}' leads out of the folder", where=str(root))
    return root / name


def listing(root: Path) -> set[str]:
    """Names in one folder, not below it.

    Raises:
        CheckpointError: more than `LISTING_CAP` names, or no such folder.
        EnvironmentFault: the machine cannot read it.
    """
    names: set[str] = set()
    try:
        with os.scandir(root) as entries:
            for entry in entries:
                names.add(entry.name)
                if len(names) > LISTING_CAP:
                    raise CheckpointError(f"more than {LISTING_CAP} files in one folder", where=str(root))
    except OSError as error:
        raise fault(error, root) from error
    return names


def _single(root: Path, names: set[str], notes: list[str]) -> str:
    """The name of the one weight file of a directory without a usable index."""
    if SINGLE_NAME in names:
        if INDEX_NAME in names:
            notes.append(f"both {SINGLE_NAME} and an index are present; the single file is read")
        return SINGLE_NAME
    if "adapter_config.json" in names or "adapter_model.safetensors" in names:
        raise CheckpointError(
            "this is an adapter, not a whole model", where=str(root), hint="merge it into its base first"
        )
    found = sorted(name for name in names if name.endswith(".safetensors"))
    if len(found) == 1:
        return found[0]
    if found:
        raise CheckpointError(
            f"{len(found)} safetensors files and no {INDEX_NAME}: {_some(found)}",
            where=str(root),
            hint="wait until the save has finished, or give one file",
        )
    others = sorted(
        name for name in names if name.endswith((".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".distcp"))
    )
    if is_partitioned(names):
        raise CheckpointError(
            "a partitioned training checkpoint (FSDP or DeepSpeed), not a whole model",
            where=str(root),
            hint="consolidate it into safetensors first; nothing in it was opened",
        )
    if others:
        raise CheckpointError(
            f"no safetensors file, only {_some(others)}", where=str(root), hint="convert the model to safetensors"
        )
    if root.suffix == ".safetensors":
        raise CheckpointError("not a regular file but a directory", where=str(root), hint="give the file")
    raise CheckpointError("no safetensors file in the folder", where=str(root), hint="give the folder of a saved model")


def _snapshot(root: Path, notes: list[str]) -> Path:
    """The snapshot that a model folder of the hub's cache stands for; any other folder is itself."""
    if not root.name.startswith("models--") or not (root / "snapshots").is_dir():
        return root
    snapshots = contained(root, "snapshots")
    revisions = sorted(listing(snapshots))
    reference = contained(root, "refs/main")
    if reference.is_file():
        wanted = read_all(reference, 1000).decode("utf-8", "replace").strip()
        if wanted in revisions:
            notes.append(f"the snapshot {printable(wanted, 60)} of the reference main is read")
            return contained(snapshots, wanted)
    if len(revisions) == 1:
        return contained(snapshots, revisions[0])
    raise CheckpointError(
        f"{len(revisions)} snapshots and no reference main among them: {_some(revisions)}",
        where=str(root),
        hint="give one folder below snapshots/",
    )


def _only_index(names: set[str]) -> str | None:
    """An index under another name (a variant), when it is the only one."""
    found = [name for name in names if name.endswith(".safetensors.index.json")]
    return found[0] if len(found) == 1 else None


def _note_pickles(names: set[str], notes: list[str]) -> None:
    """Say that other copies of the weights were passed over."""
    found = sorted(names & {"pytorch_model.bin", "pytorch_model.bin.index.json"})
    if found:
        notes.append(f"both safetensors and {found[0]} are present; safetensors is read")
    ignored = sorted(name for name in names if name in _TRAINING)
    if ignored:
        notes.append(f"files of the training are ignored, none is opened: {_some(ignored)}")


def _mixed_revisions(root: Path, names: set[str]) -> list[str]:
    """Whether a local download took its files from several revisions, by the record that the download left."""
    record = root / _DOWNLOADS
    if ".cache" not in names or not record.is_dir():
        return []
    revisions: set[str] = set()
    for name in sorted(listing(record)):
        if name.endswith((".safetensors.metadata", ".index.json.metadata", "config.json.metadata")):
            try:
                text = read_all(contained(root, f"{_DOWNLOADS}/{name}"), 10_000)
            except CheckpointError:  # only a record; what it says is missing, not wrong
                continue
            revisions.update(text.decode("utf-8", "replace").splitlines()[:1])
    if len(revisions) < 2:
        return []
    shown = _some(sorted(revisions))
    return [f"the files were downloaded from {len(revisions)} revisions: {shown}; they may not belong together"]


def _index(root: Path, name: str) -> tuple[dict[str, Path], int | None]:
    """Read and check the index: every shard name contained, every shard present."""
    path = contained(root, name)
    content = parse(read_all(path, INDEX_CAP), what="the index", where=str(path))
    table = cast(dict[str, Any], content).get("weight_map") if isinstance(content, dict) else None
    if not isinstance(table, dict) or not table:
        raise CheckpointError("the index has no weight_map", where=str(path))
    files: dict[str, Path] = {}
    weight_map: dict[str, Path] = {}
    for tensor, shard in cast(dict[str, Any], table).items():
        if not isinstance(shard, str):
            raise CheckpointError(f"weight_map of '{printable(tensor)}' is not a file name", where=str(path))
        if shard not in files:
            files[shard] = contained(root, shard)
        weight_map[tensor] = files[shard]
    absent = {name for name, file in files.items() if not file.exists()}
    if absent:
        lost = sum(1 for file in weight_map.values() if file.name in absent or str(file.relative_to(root)) in absent)
        raise CheckpointError(
            f"{len(absent)} of {len(files)} shards are missing, with {lost} tensors: {_some(sorted(absent))}",
            where=str(root),
            hint="download or copy the missing files",
        )
    metadata: Any = cast(dict[str, Any], content).get("metadata")
    total: Any = cast(dict[str, Any], metadata).get("total_size") if isinstance(metadata, dict) else None
    return weight_map, total if type(total) is int else None


def _config(root: Path, names: set[str], notes: list[str]) -> dict[str, Any]:
    """Content of `config.json`; anything wrong with it becomes a note, and roles come from names alone."""
    if "config.json" not in names:
        notes.append("no config.json; roles come from the names alone")
        return {}
    path = contained(root, "config.json")
    try:
        content = parse(read_all(path, CONFIG_CAP), what="config.json", where=str(path))
    except CheckpointError as error:
        notes.append(f"config.json is not used ({error.found}); roles come from the names alone")
        return {}
    if not isinstance(content, dict):
        notes.append("config.json is not an object and is not used; roles come from the names alone")
        return {}
    config = cast(dict[str, Any], content)
    attention = config.get("_attn_implementation", config.get("attn_implementation"))
    remote = isinstance(attention, str) and "/" in attention
    if "auto_map" in config or config.get("trust_remote_code") or remote:
        notes.append("the repository asks for remote code; none is run")
    return config


def _some(names: list[str]) -> str:
    shown = ", ".join(printable(name, 80) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown}, … ({len(names)} in all)"
