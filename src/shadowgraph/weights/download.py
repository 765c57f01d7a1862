"""What a download leaves on a disk: the hub's cache with its snapshots, and the record of a download into a folder.

Here live: the snapshot that a cached model stands for, and the revisions that a folder's files came from.
Not here: containment (see `folder`), the choice of weight files (see `directory`). Nothing is fetched.
"""

from __future__ import annotations

from pathlib import Path

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.folder import contained, is_folder, listing, some
from shadowgraph.weights.readers.span import read_all

_DOWNLOADS = ".cache/huggingface/download"
_RECORDED = (".safetensors.metadata", ".bin.metadata", ".gguf.metadata", ".index.json.metadata", "config.json.metadata")


def snapshot(root: Path, notes: list[str]) -> Path:
    """The snapshot that a model folder of the hub's cache stands for; any other folder is itself.

    Raises:
        CheckpointError: several snapshots and no reference to one of them, or links that leave the folder.
        EnvironmentFault: the machine may not look at it.
    """
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
        f"{len(revisions)} snapshots and no reference main among them: {some(revisions)}",
        where=str(root),
        hint="give one folder below snapshots/",
    )


def mixed_revisions(root: Path, names: set[str]) -> list[str]:
    """Whether a local download took its files from several revisions, by the record that the download left."""
    record = root / _DOWNLOADS
    if ".cache" not in names or not is_folder(record):
        return []
    revisions: set[str] = set()
    for name in sorted(listing(record)):
        if name.endswith(_RECORDED):
            try:
                text = read_all(contained(root, f"{_DOWNLOADS}/{name}"), 10_000)
            except CheckpointError:  # only a record; what it says is missing, not wrong
                continue
            revisions.update(text.decode("utf-8", "replace").splitlines()[:1])
    if len(revisions) < 2:
        return []
    shown = some(sorted(revisions))
    return [f"the files were downloaded from {len(revisions)} revisions: {shown}; they may not belong together"]
