"""What a path holds: a whole model or an adapter.

Here lives: `open_model`.
Not here: opening either (`checkpoint`, `adapter`). PEFT saves the adapter named default in a folder itself and every
other adapter of the same model in a sub-folder of its name. A folder with weights of its own is a model; an adapter
beside them is noted there and not read.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from shadowgraph.errors import CheckpointError, SpecError, printable
from shadowgraph.weights.adapter import ADAPTER_CONFIG, is_adapter
from shadowgraph.weights.adapters.adapter import ARCHIVE_NAME, WEIGHTS, Adapter, open_adapter
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.choice import holds_weights
from shadowgraph.weights.download import snapshot
from shadowgraph.weights.folder import contained, is_folder, is_there, listing
from shadowgraph.weights.hub.located import located
from shadowgraph.weights.kinds import KINDS
from shadowgraph.weights.readers.formats import read_any_header

DEFAULT = "default"
_MODELS = frozenset(name for kind in KINDS for name in (*kind.usual, kind.index) if name)
_PEEK_CAP = 500
_SHOWN = 10


def open_model(path: Path | str, name: str | None = None, prefer: str = "") -> Checkpoint | Adapter:
    """Open a model or an adapter; headers only.

    Args:
        path: a model as for `open_checkpoint`, a folder with an adapter of PEFT, or the file of its tensors with its
            configuration beside it; on this machine or an address of the hub.
        name: which adapter of a folder with several; "default" is the one in the folder itself.
        prefer: the format of a model that is read where a folder holds several; a model is asked for then.

    Raises:
        SpecError: `name` for a model or for a file, or a name that is not there.
        CheckpointError: what either refuses, or several adapters and no name.
        EnvironmentFault: the machine cannot read them.
    """
    place = located(Path(path))
    path = place.folder
    try:
        folder = is_folder(path)
    except ValueError:  # a path that no file can have: opening it says what is wrong
        folder = False
    found: Checkpoint | Adapter | None = None
    if not prefer:
        found = _in_folder(path, name) if folder else _file(path)
    if found is None:
        found = open_checkpoint(place.path, prefer)
    elif place.path != path:
        found = replace(found, path=place.path, notes=(*place.notes, *found.notes))
    if name is not None and not (folder and isinstance(found, Adapter)):
        raise SpecError("an adapter's name is given, but this is no folder of adapters", where=str(path))
    return found


def holds_model(folder: Path) -> bool:
    """Whether a folder that is there holds weights or an adapter of its own; nothing is opened.

    Raises:
        EnvironmentFault: the machine may not look at it.
    """
    if not is_folder(folder):
        return False
    names = listing(folder)
    return _holds_adapter(names) or holds_weights(names)


def _file(path: Path) -> Adapter | None:
    """The adapter that a file holds with its configuration beside it, or by its name; None for anything else."""
    beside = is_there(path.parent / ADAPTER_CONFIG, ADAPTER_CONFIG)
    if path.name in WEIGHTS or (beside and is_adapter(entry.name for entry in read_any_header(path).entries)):
        return open_adapter(path, path.parent, path.name)
    return None


def _in_folder(path: Path, name: str | None) -> Adapter | None:
    """The adapter that a folder holds, None for a folder without any or with weights of its own."""
    notes: list[str] = []
    root = snapshot(path, notes)
    names = listing(root)
    if _MODELS & names or any(kind.indexes(names) for kind in KINDS):
        return None
    found = {DEFAULT: root} if _holds_adapter(names) else {}
    for each in sorted(names)[:_PEEK_CAP]:
        if each != DEFAULT and not (root / each).is_symlink() and is_folder(root / each):
            below = contained(root, each)
            if _holds_adapter(listing(below)):
                found[each] = below
    if not found:
        return None
    chosen = _chosen(path, found, name)
    others = [each for each in found if each != chosen]
    if others:
        notes.append(f"other adapters are there and not read: {_some(others)}")
    held = listing(found[chosen])
    weights = next((each for each in WEIGHTS if each in held), WEIGHTS[0])
    if ARCHIVE_NAME in held and weights != ARCHIVE_NAME:
        notes.append(f"both {weights} and {ARCHIVE_NAME} are present; safetensors is read")
    return replace(open_adapter(path, found[chosen], weights, tuple(notes)), name=name)


def _chosen(path: Path, found: dict[str, Path], name: str | None) -> str:
    if name is not None:
        if name not in found:
            raise SpecError(f"no adapter '{printable(name, 60)}'; there is {_some(list(found))}", where=str(path))
        return name
    if DEFAULT in found:
        return DEFAULT
    raise CheckpointError(
        f"{len(found)} adapters in sub-folders and none in the folder itself: {_some(list(found))}",
        where=str(path),
        hint="give one of these folders, or its name",
    )


def _holds_adapter(names: set[str]) -> bool:
    return ADAPTER_CONFIG in names or any(each in names for each in WEIGHTS)


def _some(names: list[str]) -> str:
    shown = ", ".join(printable(name, 60) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
