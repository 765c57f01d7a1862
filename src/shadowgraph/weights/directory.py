"""Which files make a checkpoint: one file, a directory with or without an index, or a model in the hub's cache.

Here live: the choice of files, the index and its checks, and `config.json`.
Not here: containment of paths (see `folder`), values, roles. No file is opened before its name has been checked.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from shadowgraph.errors import CheckpointError, EnvironmentFault, printable
from shadowgraph.weights.adapter import ADAPTER_CONFIG, ADAPTER_NAME, ADVICE, REFUSAL, is_adapter_file
from shadowgraph.weights.folder import contained, is_folder, is_there, listing
from shadowgraph.weights.readers.span import fault, read_all
from shadowgraph.weights.readers.strict_json import parse

INDEX_NAME = "model.safetensors.index.json"
SINGLE_NAME = "model.safetensors"
CONFIG_NAME = "config.json"
SUFFIX = ".safetensors"
INDEX_SUFFIX = ".safetensors.index.json"
INDEX_CAP = 100_000_000
CONFIG_CAP = 10_000_000
SHARD = re.compile(r"-([0-9]{1,6})-of-([0-9]{1,6})$", re.ASCII)
_OTHERS = (".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".distcp", ".onnx", ".ckpt", ".npz", ".nemo", ".tflite")
_PEEK_CAP = 50
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
    except OSError as error:
        raise fault(error, path) from error
    except ValueError as error:
        raise CheckpointError(f"the path cannot be followed ({error})", where=str(path)) from error
    if not exists:
        raise CheckpointError(
            "no such file or directory", where=str(path), hint="give a path on this machine; nothing is downloaded"
        )
    if not is_directory:
        beside = _part_of_many(path.name)
        return Layout(path, (path,), None, None, _config_beside(path, beside), tuple(beside))
    notes: list[str] = []
    path = _snapshot(path, notes)
    names = listing(path)
    config = _config(path, names, notes)
    notes.extend(_mixed_revisions(path, names))
    index = INDEX_NAME if INDEX_NAME in names else _only_index(names)
    weight_map: dict[str, Path] | None = None
    total_size: int | None = None
    if index is not None and (SINGLE_NAME not in names or _lists_only(path, index, SINGLE_NAME, notes)):
        weight_map, total_size = _index(path, index)
        shards = tuple(sorted(set(weight_map.values())))
    else:
        shards = (contained(path, _single(path, names)),)
    _note_others(path, names, shards, notes, indexed=weight_map is not None)
    return Layout(path, shards, weight_map, total_size, config, tuple(notes))


def is_weights(name: str) -> bool:
    """Whether a name ends as a weight file that can be read, in capitals or not."""
    return name.lower().endswith(SUFFIX)


def holds_weights(names: set[str]) -> bool:
    """Whether a folder with these names has weight files of its own that can be read."""
    return any(is_weights(name) or name.endswith(INDEX_SUFFIX) for name in names)


def is_partitioned(names: set[str]) -> bool:
    """Whether a folder with these names is a training checkpoint that only its trainer can put together."""
    return bool(_PARTITIONED & names) or any(name.startswith("pytorch_model_fsdp") for name in names)


def _single(root: Path, names: set[str]) -> str:
    """The name of the one weight file of a directory without a usable index."""
    if SINGLE_NAME in names:
        return SINGLE_NAME
    if ADAPTER_CONFIG in names or ADAPTER_NAME in names:
        raise CheckpointError(REFUSAL, where=str(root), hint=ADVICE)
    found = sorted(name for name in names if is_weights(name))
    indexes = sorted(name for name in names if name.endswith(INDEX_SUFFIX))
    if len(indexes) > 1:
        raise CheckpointError(
            f"{len(indexes)} indexes and none named {INDEX_NAME}: {_some(indexes)}",
            where=str(root),
            hint="give a folder that holds one of these variants",
        )
    parts = [name for name in found if _part_of_many(name)]
    if len(found) == 1 and not parts:
        return found[0]
    if found:
        files = f"{len(found)} safetensors files" if len(found) > 1 else "one shard of several"
        hint = "wait until the save or download has finished, or give one file"
        if _is_whole(found):
            hint = f"give {INDEX_NAME} or the one file" + ("" if parts else "; wait if a save or download still runs")
        raise CheckpointError(f"{files} and no {INDEX_NAME}: {_some(found)}", where=str(root), hint=hint)
    raise _nothing(root, names)


def _is_whole(names: list[str]) -> bool:
    """Whether no file is missing by these names: each belongs to a set of shards that is there, or to none."""
    shards = [found for name in names if (found := SHARD.search(name.lower().removesuffix(SUFFIX)))]
    present: dict[tuple[str, int], set[int]] = {}
    for found in shards:
        present.setdefault((found.string[: found.start()], int(found[2])), set()).add(int(found[1]))
    return all(len(parts & set(range(total + 1))) >= total for (_, total), parts in present.items())


def _nothing(root: Path, names: set[str]) -> CheckpointError:
    """What a folder without a readable weight file is instead, and where its weights may lie."""
    if is_partitioned(names):
        return CheckpointError(
            "a partitioned training checkpoint (FSDP or DeepSpeed), not a whole model",
            where=str(root),
            hint="consolidate it into safetensors first; nothing in it was opened",
        )
    others = sorted(name for name in names if name.lower().endswith(_OTHERS))
    if others:
        return CheckpointError(
            f"no safetensors file, only {_some(others)}", where=str(root), hint="convert the model to safetensors"
        )
    if root.suffix == SUFFIX:
        return CheckpointError("not a regular file but a directory", where=str(root), hint="give the file")
    below = [name for name in sorted(names)[:_PEEK_CAP] if _weights_below(root / name)]
    if below:
        return CheckpointError(
            f"no safetensors file in the folder itself, but in {_some(below)}",
            where=str(root),
            hint="give one of them; inspect --series lists the checkpoints of one run",
        )
    return CheckpointError(
        "no safetensors file in the folder", where=str(root), hint="give the folder of a saved model"
    )


def _weights_below(folder: Path) -> bool:
    """Whether a folder, not a link to one, has weight files of its own."""
    try:
        return not folder.is_symlink() and is_folder(folder) and holds_weights(listing(folder))
    except (CheckpointError, EnvironmentFault):  # only an advice; what cannot be listed is not advised
        return False


def _part_of_many(name: str) -> list[str]:
    """A remark when a file's name says that it is one shard of several."""
    found = SHARD.search(name.lower().removesuffix(SUFFIX))
    if found is None or int(found[2]) < 2:
        return []
    return [f"by its name this is shard {int(found[1])} of {int(found[2])}; the others are not read"]


def _snapshot(root: Path, notes: list[str]) -> Path:
    """The snapshot that a model folder of the hub's cache stands for; any other folder is itself."""
    if not root.name.startswith("models--") or not is_folder(root / "snapshots"):
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
    found = [name for name in names if name.endswith(INDEX_SUFFIX)]
    return found[0] if len(found) == 1 else None


def _lists_only(root: Path, index: str, name: str, notes: list[str]) -> bool:
    """Whether an index beside a single file is that file's own; one of other shards is passed over and said so."""
    try:
        weight_map, _ = _index(root, index)
    except CheckpointError as error:
        notes.append(f"both {name} and an index are present; the single file is read (the index: {error.found})")
        return False
    if set(weight_map.values()) == {root / name}:
        return True
    notes.append(f"both {name} and an index are present; the single file is read")
    return False


def _note_others(root: Path, names: set[str], read: tuple[Path, ...], notes: list[str], *, indexed: bool) -> None:
    """Say which other files could be taken for the weights and were passed over."""
    stored = sorted(name for name in names if is_weights(name) and root / name not in read)
    adapters = [name for name in stored if is_adapter_file(name)]
    extra = [name for name in stored if name not in adapters]
    if extra:
        why = "not in the index" if indexed else "present beside it and not read"
        notes.append(
            f"{len(extra)} other safetensors {'file is' if len(extra) == 1 else 'files are'} {why}: {_some(extra)}"
        )
    if adapters or ADAPTER_CONFIG in names:
        notes.append("an adapter lies beside the weights and is not read; what is listed are the weights without it")
    pickles = sorted(names & {"pytorch_model.bin", "pytorch_model.bin.index.json"})
    if pickles:
        notes.append(f"both safetensors and {pickles[0]} are present; safetensors is read")
    ignored = sorted(name for name in names if name in _TRAINING)
    if ignored:
        notes.append(f"files of the training are ignored, none is opened: {_some(ignored)}")


def _mixed_revisions(root: Path, names: set[str]) -> list[str]:
    """Whether a local download took its files from several revisions, by the record that the download left."""
    record = root / _DOWNLOADS
    if ".cache" not in names or not is_folder(record):
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
    base = path.parent.resolve()
    for tensor, shard in cast(dict[str, Any], table).items():
        if not isinstance(shard, str):
            raise CheckpointError(f"weight_map of '{printable(tensor)}' is not a file name", where=str(path))
        if shard not in files:
            files[shard] = contained(root, shard, base)
        weight_map[tensor] = files[shard]
    absent = {name for name, file in files.items() if not is_there(file, name)}
    if absent:
        gone = {files[name] for name in absent}
        lost = sum(1 for file in weight_map.values() if file in gone)
        raise CheckpointError(
            f"{len(absent)} of {len(files)} shards are missing, with {lost} tensors: {_some(sorted(absent))}",
            where=str(root),
            hint="download or copy the missing files",
        )
    metadata: Any = cast(dict[str, Any], content).get("metadata")
    total: Any = cast(dict[str, Any], metadata).get("total_size") if isinstance(metadata, dict) else None
    whole = type(total) is int or (type(total) is float and total.is_integer())  # some writers add up in floats
    return weight_map, int(total) if whole else None


def _config(root: Path, names: set[str], notes: list[str]) -> dict[str, Any]:
    """Content of `config.json`; anything wrong with it becomes a note, and roles come from names alone."""
    if CONFIG_NAME not in names:
        notes.append("no config.json; roles come from the names alone")
        return {}
    path = contained(root, CONFIG_NAME)
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


def _config_beside(file: Path, notes: list[str]) -> dict[str, Any]:
    """Content of the `config.json` in the folder of a single weight file, which is read as that of a folder is."""
    folder = file.parent
    if not os.path.lexists(folder / CONFIG_NAME):
        return {}
    try:
        config = _config(folder, {CONFIG_NAME}, notes)
    except CheckpointError as error:  # a folder with such a link is refused; the file alone is whole without it
        notes.append(f"{CONFIG_NAME} beside the file is not read ({error.found})")
        return {}
    if config:
        notes.append(f"{CONFIG_NAME} beside the file is read")
    return config


def _some(names: list[str]) -> str:
    """The first five names, escaped, and how many there are."""
    shown = ", ".join(printable(name, 80) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown}, … ({len(names)} in all)"
