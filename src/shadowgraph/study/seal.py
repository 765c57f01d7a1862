"""The seals of a study: what was written, by digest, so that a changed file is found and not read.

Here live: the digests in `_COMPLETE` of a finished study and in `digests.json` of a folder of records, and their proof.
Not here: what the files hold (`record`, `analyse`), the digests of documents (`plan`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from shadowgraph.artifact import read_object, write_json
from shadowgraph.errors import DataError
from shadowgraph.identity import file_digest
from shadowgraph.study.layout import Layout

MANIFEST = "digests.json"
AGAIN = "make the folder again with `shadowgraph study records`"
UNSEALED = "_COMPLETE is of an older version and holds no digests: what was written cannot be proved"


def digests_of(root: Path, names: Iterable[str]) -> dict[str, str]:
    """Name → SHA-256 of every file of these names that a folder holds."""
    return {name: file_digest(root / name) for name in names if (root / name).is_file()}


def seal_records(folder: Path) -> int:
    """Write the manifest of a folder of records: the digest of every JSON file in it but the manifest.

    Returns:
        Number of files named.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.json"))
    found = digests_of(folder, [name for name in names if name != MANIFEST])
    write_json(folder / MANIFEST, {"schema_version": "1.0", "digests": found})
    return len(found)


def require_sealed(folder: Path, names: Iterable[str]) -> None:
    """Hold files against the manifest of their folder: of records, or of a finished study.

    Args:
        folder: a folder with `digests.json`, or a finished study's.
        names: files in it.

    Raises:
        DataError: there is no manifest, it does not name a file, or a file is not what was written; names the file.
    """
    sealed = _sealed(folder)
    for name in names:
        if name not in sealed:
            raise DataError("is not named in the digests of its folder", where=str(folder / name), hint=AGAIN)
        if file_digest(folder / name) != sealed[name]:
            found = "is not what was written: its digest is another"
            raise DataError(found, where=str(folder / name), hint=f"restore it, or {AGAIN}")


def lost_of(folder: Path, names: Iterable[str]) -> list[str]:
    """Those of some files that the digests of their folder name, and that are not there."""
    sealed = _sealed(folder)
    return [name for name in names if name in sealed and not (folder / name).exists()]


def manifest_of(folder: Path) -> str:
    """Name of the file that holds the digests of a folder: of records, or of a finished study."""
    return MANIFEST if (folder / MANIFEST).exists() else "_COMPLETE"


def _sealed(folder: Path) -> Mapping[str, str]:
    """The digests that a folder of records, or a finished study, was left with."""
    for name in (MANIFEST, "_COMPLETE"):
        if (folder / name).exists():
            held = read_object(folder / name).get("digests")
            if isinstance(held, dict):
                return {str(key): str(value) for key, value in held.items()}
    raise DataError(f"holds no {MANIFEST}, so its records cannot be proved", where=str(folder), hint=AGAIN)


def seal_study(layout: Layout, plan_hash: str, names: Iterable[str]) -> None:
    """Write the mark of a finished study with the digests of its result, its page and its records."""
    own = [path.name for path in (layout.plan, layout.result, layout.report)]
    write_json(layout.complete, {"plan_hash": plan_hash, "digests": digests_of(layout.root, [*own, *names])})


def reseal_page(layout: Layout) -> None:
    """Put the digest of a page made anew into the mark of a finished study; nothing without a mark that has digests."""
    mark = read_object(layout.complete) if layout.complete.exists() else {}
    held = mark.get("digests")
    if isinstance(held, dict):
        fresh = digests_of(layout.root, [layout.report.name])
        if held | fresh != held:
            write_json(layout.complete, mark | {"digests": held | fresh})


def faults_of(layout: Layout) -> list[str]:
    """What a finished study's folder does not prove of its result and page, in clauses; nothing of an unfinished one.

    A changed result comes first; without digests the mark is of an older version and says so.
    """
    if not layout.complete.exists():
        return []
    held = read_object(layout.complete).get("digests")
    if not isinstance(held, dict):
        return [UNSEALED]
    now = digests_of(layout.root, [layout.result.name, layout.report.name])
    return [
        f"{name} was {'changed' if name in now else 'deleted'} since the study ended"
        for name in (layout.result.name, layout.report.name)
        if now.get(name) != held.get(name)
    ]


def require_untouched(layout: Layout) -> None:
    """Refuse the result of a finished study that is not what was written; a changed page is no matter, it is remade.

    Raises:
        DataError: result.json was changed or deleted since the study ended.
    """
    for fault in faults_of(layout):
        if fault.startswith(layout.result.name):
            hint = f"delete {layout.result.name} and {layout.complete.name} and run the study again"
            raise DataError(fault, where=str(layout.root), hint=hint)
