"""Pairs: two checkpoints joined matrix by matrix into updates, and the test that they belong together.

Here live: `pair`, `Update`, and the closed-form test of the base's identity from three energies.
Not here: spectra of the difference, verdicts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.checkpoint import Checkpoint
from shadowgraph.weights.matrix import Skipped, WeightMatrix
from shadowgraph.weights.readers.values import subtract_values
from shadowgraph.weights.roles import EMBEDDINGS, Role

STRUCTURE_KEYS = (
    "hidden_size",
    "n_embd",
    "intermediate_size",
    "n_inner",
    "num_hidden_layers",
    "n_layer",
    "num_attention_heads",
    "n_head",
    "num_key_value_heads",
    "head_dim",
    "num_experts",
)
TOWER_KEYS = ("text_config", "vision_config", "llm_config", "thinker_config", "language_config")
UNRELATED_COSINE = 0.1


@dataclass(frozen=True, slots=True)
class Update:
    """A matrix before and after training; for a resized vocabulary, their common rows."""

    before: WeightMatrix
    after: WeightMatrix

    @property
    def role(self) -> Role:
        """Role of both."""
        return self.after.role

    @property
    def layer(self) -> int | None:
        """Layer index of both."""
        return self.after.layer

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n) of the difference."""
        return min(self.before.shape[0], self.after.shape[0]), self.after.shape[1]

    def load(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values before and after, float64, cut to the common rows."""
        rows = self.shape[0]
        return self.before.load()[:rows], self.after.load()[:rows]

    def difference(self) -> NDArray[np.float64]:
        """D = W1 − W0, subtracted in float64, shape (m, n).

        Where the base is stored as rows of one tensor it is subtracted while it is read: one array is in memory.
        """
        count, rows = self.shape[0], self.before.rows
        difference = self.after.load()[:count]
        if rows is not None:
            subtract_values(difference, self.before.source, (rows[0], rows[0] + count))
            return difference
        with np.errstate(invalid="ignore"):  # what is not finite is the caller's to find
            return np.subtract(difference, self.before.load()[:count], out=difference)

    def __repr__(self) -> str:
        """One line: name and shape."""
        return f"Update({self.after.name!r}, {self.shape[0]}×{self.shape[1]})"


@dataclass(frozen=True, slots=True)
class Identity:
    """What the headers say about two checkpoints belonging together.

    Attributes:
        family: family of both.
        config_differences: structural keys of config.json with two values, as text.
        notes: prefix rules applied, resized vocabularies, types changed.
    """

    family: str
    config_differences: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pairing:
    """All updates of a pair, what was left out, and the identity by headers."""

    updates: tuple[Update, ...]
    skipped: tuple[Skipped, ...]
    identity: Identity

    def __repr__(self) -> str:
        """One line: counts."""
        return f"Pairing({len(self.updates)} updates, {len(self.skipped)} skipped)"


def pair(before: Checkpoint, after: Checkpoint) -> Pairing:
    """Join two checkpoints of one family by key and part; only headers are used.

    Raises:
        CheckpointError: other family, other structure, or block matrices that do not correspond.
    """
    if before.family != after.family:
        raise CheckpointError(
            f"the base is of the family {before.family}, the model of {after.family}",
            where=str(before.path),
            hint="give the base this model was trained from",
        )
    differences = _config_differences(before.config, after.config)
    if differences:
        raise CheckpointError(
            f"base and model differ in structure: {'; '.join(differences)}",
            where=str(before.path),
            hint="give the base this model was trained from",
        )
    left = {matrix.identity: matrix for matrix in before.matrices()}
    right = {matrix.identity: matrix for matrix in after.matrices()}
    _require_same_blocks(left, right, before, after)
    notes: list[str] = []
    if before.same_files == after.same_files:
        notes.append("model and base are the same files: there is no update to read")
    skipped = list(after.skipped)
    updates: list[Update] = []
    for identity, matrix in right.items():
        partner = left.get(identity)
        if partner is None:
            skipped.append(Skipped(matrix.name, "not in the base"))
        elif partner.shape == matrix.shape:
            updates.append(Update(partner, matrix))
        elif matrix.role.block in EMBEDDINGS and partner.shape[1] == matrix.shape[1]:
            updates.append(Update(partner, matrix))
            rows = (partner.shape[0], matrix.shape[0])
            notes.append(
                f"{printable(matrix.name)}: {rows[0]} rows became {rows[1]}; the common {min(rows)} are compared"
            )
        elif matrix.role.is_block_linear:
            raise CheckpointError(
                f"the shape {list(matrix.shape)} is {list(partner.shape)} in the base",
                where=f"{after.path}: tensor '{printable(matrix.name)}'",
                hint="give the base this model was trained from",
            )
        else:
            skipped.append(Skipped(matrix.name, f"shape {list(matrix.shape)} is {list(partner.shape)} in the base"))
    gone = sorted(matrix.name for identity, matrix in left.items() if identity not in right)
    if gone:
        notes.append(f"{len(gone)} matrices of the base are not in the model, such as {printable(gone[0], 80)}")
    notes.extend(_naming_notes(updates))
    return Pairing(tuple(updates), tuple(skipped), Identity(after.family, differences, tuple(notes)))


def cosine(before_energy: float, after_energy: float, update_energy: float) -> float | None:
    """Cosine of the angle between W0 and W1 from three squared Frobenius norms.

    cos = (‖W0‖² + ‖W1‖² − ‖D‖²) / (2 ‖W0‖ ‖W1‖), in −1 … 1. Two unrelated models of one shape have cos ≈ 0, hence
    ‖D‖ ≈ √2 ‖W‖ at equal norms (diagnostics: a wrong base turns every measure into full-rank noise); a true base stays
    above `UNRELATED_COSINE` unless training moved the weights by ten times their norm.

    Returns:
        The cosine, or None when either norm is zero.
    """
    if before_energy <= 0.0 or after_energy <= 0.0:
        return None
    value = (before_energy + after_energy - update_energy) / (2.0 * math.sqrt(before_energy) * math.sqrt(after_energy))
    return max(-1.0, min(1.0, value))


def _config_differences(before: dict[str, Any], after: dict[str, Any], where: str = "") -> tuple[str, ...]:
    """Structural keys that both declare with two values; nested configurations of towers are compared alike."""
    found: list[str] = []
    for key in STRUCTURE_KEYS:
        old, new = before.get(key), after.get(key)
        if old is not None and new is not None and old != new:
            found.append(f"{where}{key} {printable(str(old), 40)} against {printable(str(new), 40)}")
    for key in TOWER_KEYS if not where else ():
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found.extend(_config_differences(cast(dict[str, Any], old), cast(dict[str, Any], new), f"{key}."))
    return tuple(found)


def _require_same_blocks(
    left: dict[tuple[str, str], WeightMatrix],
    right: dict[tuple[str, str], WeightMatrix],
    before: Checkpoint,
    after: Checkpoint,
) -> None:
    """Block matrices must be the same set of keys; the message holds the first ten that are not."""
    ours = {key for key, matrix in right.items() if matrix.role.is_block_linear}
    theirs = {key for key, matrix in left.items() if matrix.role.is_block_linear}
    if ours == theirs:
        return
    only = [f"+ {right[key].name}" for key in sorted(ours - theirs)] + [
        f"- {left[key].name}" for key in sorted(theirs - ours)
    ]
    shown = ", ".join(printable(name, 80) for name in only[:10])
    raise CheckpointError(
        f"{len(only)} block matrices of '{printable(after.path.name)}' and its base do not correspond: {shown}",
        where=str(before.path),
        hint="give the base this model was trained from",
    )


def _naming_notes(updates: list[Update]) -> list[str]:
    notes: list[str] = []
    renamed = sum(1 for update in updates if update.before.tensor != update.after.tensor)
    if renamed:
        notes.append(f"{renamed} matrices carry another prefix in the base and were joined without it")
    types = sorted(
        {(update.before.dtype, update.after.dtype) for update in updates if update.before.dtype != update.after.dtype}
    )
    notes.extend(f"stored as {old} in the base and {new} in the model" for old, new in types)
    return notes
