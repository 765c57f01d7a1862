"""Folders that are either whole or absent, and the resume points of a run.

Here live: placing a saved model atomically, sealing and choosing resume points, cutting a ledger back to one.
Not here: what is saved; the engine writes it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from shadowgraph.artifact import read_json, write_bytes, write_json
from shadowgraph.errors import DataError
from shadowgraph.identity import file_digest

SEAL = "_SEALED"
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("preprocessor_config.json", "processor_config.json"),  # of models that look at pictures
)


@contextmanager
def whole_folder(path: Path) -> Generator[Path]:
    """Yield a temporary folder beside `path`; on success its files are synced and it is renamed into place.

    A folder already at `path` is replaced.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in temporary.iterdir():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def copy_tokenizer(source: Path | None, target: Path) -> None:
    """Copy the tokenizer files of `source`, if any, so that `target` loads as a complete model."""
    for name in TOKENIZER_FILES:
        if source is not None and (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def seal(checkpoint: Path) -> None:
    """Write the digests of a resume point's files, last; without this seal it does not count."""
    digests = {file.name: file_digest(file) for file in sorted(checkpoint.iterdir()) if file.is_file()}
    write_json(checkpoint / SEAL, digests)


def sealed(checkpoint: Path) -> bool:
    """Whether a resume point is whole: sealed, and every file as sealed."""
    try:
        digests = read_json(checkpoint / SEAL)
    except DataError:
        return False
    return isinstance(digests, dict) and all(
        (checkpoint / name).is_file() and file_digest(checkpoint / name) == digest for name, digest in digests.items()
    )


def choose_resume_point(checkpoints: Path, ledger_steps: int) -> tuple[int, Path | None]:
    """The latest whole resume point not beyond the ledger; every other one is deleted.

    Returns:
        (step, folder), or (0, None) to start afresh.
    """
    if not checkpoints.is_dir():
        return 0, None
    found = {int(path.name.rpartition("-")[2]): path for path in checkpoints.glob("checkpoint-*")}
    chosen = next((step for step in sorted(found, reverse=True) if step <= ledger_steps and sealed(found[step])), 0)
    for step, path in found.items():
        if step != chosen:
            shutil.rmtree(path)
    return chosen, found.get(chosen)


def cut_ledger(ledger: Path, steps: int) -> None:
    """Keep the first `steps` whole lines of a ledger: those a resume point stands for."""
    if not ledger.exists():
        return
    data = ledger.read_bytes()
    lines = data[: data.rfind(b"\n") + 1].splitlines(keepends=True)
    kept = b"".join(lines[:steps])
    if kept != data:
        write_bytes(ledger, kept)


def drop_snapshots_after(snapshots: Path, step: int) -> None:
    """Delete snapshots beyond `step` and torn ones; they will be written again."""
    if not snapshots.is_dir():
        return
    for path in snapshots.iterdir():
        number = path.name.removeprefix("step-")
        if not number.isdigit() or int(number) > step:
            shutil.rmtree(path)
