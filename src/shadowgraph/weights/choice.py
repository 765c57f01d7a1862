"""The choice among the files of one kind in a folder: by index, by usual name, by the numbers in names of shards.

Here live: `single`, `parts_of`, and the errors that say why nothing can be chosen.
Not here: the choice of the kind, the index itself (see `directory`, `index`). No file is opened.
"""

from __future__ import annotations

from pathlib import Path

from shadowgraph.errors import CheckpointError, EnvironmentFault
from shadowgraph.weights.adapter import ADAPTER_CONFIG, ADVICE, REFUSAL, is_adapter_file
from shadowgraph.weights.folder import is_folder, listing, some
from shadowgraph.weights.kinds import GGUF, KINDS, SAFETENSORS, SHARD, Kind, is_training_file, kind_of

_OTHERS = (".h5", ".msgpack", ".distcp", ".npz", ".npy", ".nemo", ".tflite", ".safetensors", ".onnx", ".gguf")
_PEEK_CAP = 50
_PARTITIONED = frozenset({"zero_to_fp32.py", ".metadata", "latest"})


def single(root: Path, names: set[str], kind: Kind) -> tuple[str, ...]:
    """The names of the files of a folder without a usable index: one, or all parts of one GGUF model.

    Raises:
        CheckpointError: several models, shards without an index, or missing parts.
    """
    usual = next((name for name in kind.usual if name in names), None)
    if usual is not None:
        return (usual,)
    found, indexes = kind.files(names), kind.indexes(names)
    if ADAPTER_CONFIG in names:
        raise CheckpointError(REFUSAL, where=str(root), hint=ADVICE)
    if len(indexes) > 1:
        raise CheckpointError(
            f"{len(indexes)} indexes and none named {kind.index}: {some(indexes)}",
            where=str(root),
            hint="give a folder that holds one of these variants",
        )
    if kind is GGUF:
        return _whole_model(root, found)
    parts = [name for name in found if part_of_many(name)]
    if len(found) == 1 and not parts:
        return (found[0],)
    files = f"{len(found)} {kind.label} files" if len(found) > 1 else "one shard of several"
    if not kind.index:
        found_many = f"{files} and none named {kind.usual[0]}: {some(found)}"
        raise CheckpointError(found_many, where=str(root), hint="give one of the files")
    hint = "wait until the save or download has finished, or give one file"
    if _is_whole(found, kind):
        hint = f"give {kind.index} or the one file" + ("" if parts else "; wait if a save or download still runs")
    raise CheckpointError(f"{files} and no {kind.index}: {some(found)}", where=str(root), hint=hint)


def parts_of(root: Path, name: str, names: set[str]) -> tuple[str, ...]:
    """All parts of the split GGUF model that a file belongs to, in order; the file alone when it is whole.

    Raises:
        CheckpointError: parts are missing.
    """
    split = SHARD.search(GGUF.stem(name))
    if split is None:
        return (name,)
    stem, total = split.string[: split.start()], int(split[2])
    present: dict[int, str] = {}
    for other in GGUF.files(names):
        found = SHARD.search(GGUF.stem(other))
        if found is not None and (found.string[: found.start()], int(found[2])) == (stem, total):
            present[int(found[1])] = other
    if len(present) != total or set(present) != set(range(1, total + 1)):
        absent = [number for number in range(1, min(total, 100_000) + 1) if number not in present]
        shown = ", ".join(str(number) for number in absent[:5])
        raise CheckpointError(
            f"{len(present)} of {total} parts of the split model are there; missing: {shown or 'none by number'}",
            where=str(root / name),
            hint="download or copy the missing parts into the same folder",
        )
    return tuple(present[number] for number in sorted(present))


def is_projector(name: str) -> bool:
    """Whether a GGUF file holds the projector of a model that sees, not the model."""
    return "mmproj" in name.lower()


def part_of_many(name: str) -> list[str]:
    """A remark when a file's name says that it is one shard of several."""
    kind = kind_of(name)
    found = SHARD.search((kind or SAFETENSORS).stem(name))
    if found is None or int(found[2]) < 2:
        return []
    return [f"by its name this is shard {int(found[1])} of {int(found[2])}; the others are not read"]


def is_partitioned(names: set[str]) -> bool:
    """Whether a folder with these names is a training checkpoint that only its trainer can put together."""
    return bool(_PARTITIONED & names) or any(
        name.startswith("pytorch_model_fsdp") and kind_of(name) is None for name in names
    )


def holds_weights(names: set[str]) -> bool:
    """Whether a folder with these names has weight files of its own that can be read."""
    return any(
        kind.names(name) or (kind.index and name.endswith(kind.index_ending)) for kind in KINDS for name in names
    )


def nothing(root: Path, names: set[str]) -> CheckpointError:
    """What a folder without a readable weight file is instead, and where its weights may lie."""
    where = str(root)
    if is_partitioned(names):
        return CheckpointError(
            "a partitioned training checkpoint (FSDP or DeepSpeed), not a whole model",
            where=where,
            hint="consolidate it into safetensors first; nothing in it was opened",
        )
    if ADAPTER_CONFIG in names or any(is_adapter_file(name) and kind_of(name) for name in names):
        return CheckpointError(REFUSAL, where=where, hint=ADVICE)
    training = sorted(name for name in names if is_training_file(name))
    if training:
        return CheckpointError(
            f"no file of weights, only files of the training: {some(training)}",
            where=where,
            hint="give the folder of the saved model; none of these was opened",
        )
    others = sorted(name for name in names if name.lower().endswith(_OTHERS))
    if others:
        return CheckpointError(
            f"no file of weights that can be read, only {some(others)}",
            where=where,
            hint="convert the model to safetensors",
        )
    if kind_of(root.name) is not None:
        return CheckpointError("not a regular file but a directory", where=where, hint="give the file")
    below = [name for name in sorted(names)[:_PEEK_CAP] if _weights_below(root / name)]
    if below:
        return CheckpointError(
            f"no file of weights in the folder itself, but in {some(below)}",
            where=where,
            hint="give one of them; inspect --series lists the checkpoints of one run",
        )
    return CheckpointError("no file of weights in the folder", where=where, hint="give the folder of a saved model")


def _whole_model(root: Path, found: list[str]) -> tuple[str, ...]:
    """The parts of the only GGUF model among some files; projectors count only where nothing else is there."""
    models = [name for name in found if not is_projector(name)] or found
    groups = {_group(name): name for name in models}
    if len(groups) > 1:
        raise CheckpointError(
            f"{len(groups)} GGUF models in one folder: {some(sorted(groups.values()))}",
            where=str(root),
            hint="give one of the files; of a split model any part",
        )
    return parts_of(root, models[0], set(found))


def _group(name: str) -> tuple[str, str]:
    """What the parts of one split model share."""
    split = SHARD.search(GGUF.stem(name))
    return (GGUF.stem(name), "") if split is None else (split.string[: split.start()], str(int(split[2])))


def _is_whole(names: list[str], kind: Kind) -> bool:
    """Whether no file is missing by these names: each belongs to a set of shards that is there, or to none."""
    shards = [found for name in names if (found := SHARD.search(kind.stem(name)))]
    present: dict[tuple[str, int], set[int]] = {}
    for found in shards:
        present.setdefault((found.string[: found.start()], int(found[2])), set()).add(int(found[1]))
    return all(len(parts & set(range(total + 1))) >= total for (_, total), parts in present.items())


def _weights_below(folder: Path) -> bool:
    """Whether a folder, not a link to one, has weight files of its own."""
    try:
        return not folder.is_symlink() and is_folder(folder) and holds_weights(listing(folder))
    except (CheckpointError, EnvironmentFault):  # only an advice; what cannot be listed is not advised
        return False
