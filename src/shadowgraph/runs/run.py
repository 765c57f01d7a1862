"""A training run read back from its folder.

Here live: the layout of a run's folder and the reading of its parts.
Not here: training, and any reading of weights (`weights`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadowgraph.artifact import Ledger, read_json
from shadowgraph.errors import DataError
from shadowgraph.identity import Json, fingerprint
from shadowgraph.runs.recipe import Recipe

MANIFEST = "run.json"
LEDGER = "ledger.jsonl"
COMPLETE = "_COMPLETE"


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its folder, recipe and statement. The weights stay on disk.

    Attributes:
        path: the run's folder.
        recipe: how it was trained.
        statement: what it stated before it started (see `matched.Statement`), as plain values.
        complete: whether it is finished.
    """

    path: Path
    recipe: Recipe
    statement: dict[str, Any]
    complete: bool

    @property
    def model(self) -> Path:
        """Folder of the final model."""
        return self.path / "model"

    @property
    def ledger(self) -> Path:
        """File with one row a step."""
        return self.path / LEDGER

    @property
    def snapshots(self) -> dict[int, Path]:
        """Folders of the snapshots present, by step, growing."""
        steps = [step for step in self.recipe.snapshots if snapshot_path(self.path, step).is_dir()]
        return {step: snapshot_path(self.path, step) for step in steps}

    @property
    def fingerprint(self) -> str:
        """Identity: that of the statement."""
        return fingerprint(self.statement)

    def ledger_rows(self) -> list[dict[str, Json]]:
        """Rows of the ledger, one a step: step, tokens so far, batch digest, loss, learning_rate, grad_norm.

        With a penalty its value before the step, too.
        """
        return Ledger(self.ledger).rows()

    def losses(self) -> list[float]:
        """Training loss of every step, nats a supervised token, from the ledger."""
        return [float(str(row["loss"])) for row in self.ledger_rows()]

    def final_loss(self, window: int = 10) -> float:
        """Mean training loss of the last `window` steps, nats a token.

        Raises:
            DataError: when the ledger is empty.
        """
        losses = self.losses()[-window:]
        if not losses:
            raise DataError("the ledger is empty", where=str(self.ledger))
        return sum(losses) / len(losses)

    def __repr__(self) -> str:
        """One line: folder, identity, state."""
        return f"Run({self.path.name}, {self.fingerprint}, {'complete' if self.complete else 'unfinished'})"


def snapshot_path(folder: Path, step: int) -> Path:
    """Where the snapshot after `step` of the run in `folder` lies."""
    return folder / "snapshots" / f"step-{step}"


def read_run(folder: Path) -> Run:
    """Read a run back.

    Raises:
        DataError: when the folder holds no run or a malformed manifest.
    """
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict):
        raise DataError("not a run manifest", where=str(folder / MANIFEST))
    recipe, statement = manifest.get("recipe"), manifest.get("statement")
    if not isinstance(recipe, dict) or not isinstance(statement, dict):
        raise DataError("recipe or statement is missing", where=str(folder / MANIFEST))
    return Run(folder, Recipe.from_dict(recipe), dict(statement), (folder / COMPLETE).is_file())
