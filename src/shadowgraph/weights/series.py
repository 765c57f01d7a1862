"""A training series: the checkpoints of one run, ordered by their step.

Here live: the recognition of steps by folder name, and the choice of the checkpoints that can be compared.
Not here: reading one checkpoint (see `checkpoint`), any trajectory.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from shadowgraph.errors import CheckpointError, EnvironmentFault, printable
from shadowgraph.weights.adapters.adapter import Adapter
from shadowgraph.weights.adapters.opened import open_model
from shadowgraph.weights.checkpoint import Checkpoint
from shadowgraph.weights.choice import holds_weights, is_partitioned
from shadowgraph.weights.folder import contained, listing
from shadowgraph.weights.matrix import Skipped

STEPS_CAP = 10_000
_STEP = re.compile(
    r"(?:.*[-_.])?(?:checkpoint|ckpt|step|steps|iter|iteration|epoch)[-_]?([0-9]{1,15})(?:-tokens[0-9]+[KMBT]?)?",
    re.ASCII,
)
_LIKE_A_STEP = re.compile(r"checkpoint|ckpt|step|iter|epoch", re.ASCII)


@dataclass(frozen=True, slots=True)
class Step:
    """One checkpoint of a series and its place in it."""

    step: int
    checkpoint: Checkpoint | Adapter


@dataclass(frozen=True, slots=True)
class Series:
    """The checkpoints of one training run in order of step.

    Attributes:
        path: the folder that holds them.
        steps: those that could be read and share names and shapes, in order of step.
        skipped: folders left out, with the reason.
        notes: remarks that are no errors, such as a gap.
    """

    path: Path
    steps: tuple[Step, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        """One line: number of checkpoints, first and last step."""
        return f"Series({self.path.name!r}, {len(self.steps)} checkpoints, {self.steps[0].step}…{self.steps[-1].step})"


def is_series(path: Path) -> bool:
    """Whether a folder holds no weights of its own but folders that are named after steps."""
    try:
        if not path.is_dir():
            return False
    except (OSError, ValueError):  # opening it says what is wrong with the path
        return False
    names = listing(path)
    if holds_weights(names) or is_partitioned(names):
        return False
    return any(_STEP.fullmatch(name) and (path / name).is_dir() for name in names)


def open_series(path: Path, *, stable_for: float = 0.0, adapter: str | None = None) -> Series:
    """Open every checkpoint of a training run; headers only, in order of step.

    A checkpoint that is broken, of other shapes than the first, or written to a moment ago is left out with its
    reason; the rest of the series stands.

    Args:
        path: folder that holds the folders `checkpoint-100`, `step_200`, … of one run.
        stable_for: seconds for which no file of a checkpoint may have been written.
        adapter: which of several adapters that every checkpoint holds.

    Returns:
        The series, at least one checkpoint.

    Raises:
        CheckpointError: no checkpoint at all, or none that can be read.
    """
    found, skipped = _candidates(path)
    steps: list[Step] = []
    for step, folder in found:
        try:
            checkpoint = open_model(folder, adapter)
        except (CheckpointError, EnvironmentFault) as error:
            skipped.append(Skipped(folder.name, printable(f"{error.found} ({_place(error.where, folder)})", 400)))
            continue
        reason = _unfit(checkpoint, steps, stable_for)
        if reason:
            skipped.append(Skipped(folder.name, reason))
        else:
            steps.append(Step(step, checkpoint))
    if not steps:
        why = f"; {skipped[0].tensor}: {skipped[0].reason}" if skipped else ""
        hint = (
            ""
            if skipped
            else "name its folders checkpoint-100, checkpoint-200, …; one model is read by inspect and scan"
        )
        found_none = f"no checkpoint of a training series can be read{printable(why, 400)}"
        raise CheckpointError(found_none, where=str(path), hint=hint)
    return Series(path, tuple(steps), tuple(skipped), tuple(_gaps([each.step for each in steps])))


def _candidates(path: Path) -> tuple[list[tuple[int, Path]], list[Skipped]]:
    """Folders named after a step, in order of step; of two with one step the first by name."""
    skipped: list[Skipped] = []
    chosen: dict[int, str] = {}
    for name in sorted(listing(path)):
        if not (path / name).is_dir():
            continue
        match = _STEP.fullmatch(name)
        if match is None or name.startswith(("tmp", ".")):
            if _LIKE_A_STEP.search(name):
                skipped.append(Skipped(name, "not named after a step: an unfinished save or another folder"))
            continue
        step = int(match[1])
        if step in chosen:
            skipped.append(Skipped(name, f"step {step} twice, also in {printable(chosen[step], 80)}"))
        else:
            chosen[step] = name
    if len(chosen) > STEPS_CAP:
        raise CheckpointError(f"{len(chosen)} checkpoints, more than the limit of {STEPS_CAP}", where=str(path))
    return [(step, contained(path, chosen[step])) for step in sorted(chosen)], skipped


def require_settled(checkpoint: Checkpoint | Adapter, stable_for: float) -> None:
    """Refuse a checkpoint that something wrote to a moment ago.

    Args:
        checkpoint: an opened checkpoint.
        stable_for: seconds for which none of its files may have been written.

    Raises:
        CheckpointError: it may be unfinished.
    """
    reason = _unsettled(checkpoint, stable_for)
    if reason:
        raise CheckpointError(reason, where=str(checkpoint.path), hint="wait until the save has finished")


def _unsettled(checkpoint: Checkpoint | Adapter, stable_for: float) -> str:
    newest = max((entry.file.modified_ns for entry in checkpoint.entries), default=0) / 1e9
    age = time.time() - newest
    if stable_for > 0 and age < stable_for:
        return f"written {max(age, 0.0):.0f} s ago, less than {stable_for:g} s: it may be unfinished"
    return ""


def _unfit(checkpoint: Checkpoint | Adapter, before: list[Step], stable_for: float) -> str:
    """Why a readable checkpoint does not join the series, "" when it does."""
    unsettled = _unsettled(checkpoint, stable_for)
    if unsettled:
        return unsettled
    if before:
        first = before[0].checkpoint
        other = {(e.name, e.shape) for e in first.entries} ^ {(e.name, e.shape) for e in checkpoint.entries}
        if other:
            name = min(name for name, _ in other)
            return f"names or shapes differ from step {before[0].step}, as at '{printable(name, 80)}'"
    return ""


def _gaps(steps: list[int]) -> Iterator[str]:
    """Steps missing from an otherwise even spacing."""
    widths = [late - early for early, late in pairwise(steps)]
    if not widths:
        return
    usual = sorted(widths)[(len(widths) - 1) // 2]
    for early, width in zip(steps, widths, strict=False):
        if width > usual:
            yield f"a gap between step {early} and step {early + width}; the usual distance is {usual}"


def _place(where: str, folder: Path) -> str:
    """The place of a fault, told from the folder on."""
    return where.removeprefix(str(folder)).lstrip("/") or folder.name
