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
from shadowgraph.weights.adapter import require_merged
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
    "num_local_experts",
    "n_routed_experts",
    "d_model",
    "d_ff",
    "n_layers",
    "num_layers",
    "n_heads",
    "num_heads",
)
LOOSE_KEYS = ("model_type", "tie_word_embeddings", "rope_theta", "max_position_embeddings")
TOWER_KEYS = ("text_config", "vision_config", "llm_config", "thinker_config", "language_config")
UNRELATED_COSINE = 0.1
WRONG_BASE = "give the base this model was trained from"
OTHER_ORDER = "in GGUF names and the order of rows are llama.cpp's: give both models in GGUF, or neither"
_PARTS = 8
_SMALL = 1 << 22  # elements that are not worth reading in parts


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
        rows = (0, self.shape[0])
        return self.before.load(rows), self.after.load(rows)

    def difference(self, rows: tuple[int, int] | None = None) -> NDArray[np.float64]:
        """D = W1 − W0, subtracted in float64, shape (m, n), or its rows first … last − 1.

        Where the base is stored as rows of one tensor it is subtracted while it is read: one array is in memory.
        Where it is not, it is read and subtracted in at most `_PARTS` parts.
        """
        first, last = rows or (0, self.shape[0])
        stored = self.before.rows
        difference = self.after.load((first, last))
        if stored is not None:
            subtract_values(difference, self.before.source, (stored[0] + first, stored[0] + last))
            return difference
        with np.errstate(invalid="ignore"):  # what is not finite is the caller's to find
            step = max(1, -(-(last - first) // _PARTS), _SMALL // self.shape[1])
            for start in range(first, last, step):
                end = min(start + step, last)
                difference[start - first : end - first] -= self.before.load((start, end))
        return difference

    def __repr__(self) -> str:
        """One line: name and shape."""
        return f"Update({self.after.name!r}, {self.shape[0]}×{self.shape[1]})"


@dataclass(frozen=True, slots=True)
class Identity:
    """What the headers say about two checkpoints belonging together.

    Attributes:
        family: family of both.
        config_differences: keys of config.json with two values that do not forbid a comparison, as text.
        notes: prefix rules applied, resized vocabularies, types changed, and the differences above.
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
    _require_alike(before, after)
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
            notes.append(_resized(printable(matrix.name), partner.shape[0], matrix.shape[0]))
        elif matrix.role.is_block_linear:
            raise CheckpointError(
                f"the shape {list(matrix.shape)} is {list(partner.shape)} in the base",
                where=f"{after.path}: tensor '{printable(matrix.name)}'",
                hint=WRONG_BASE,
            )
        else:
            skipped.append(Skipped(matrix.name, f"shape {list(matrix.shape)} is {list(partner.shape)} in the base"))
    if left and right and not updates:
        raise CheckpointError("base and model have no matrix in common", where=str(before.path), hint=WRONG_BASE)
    gone = sorted(matrix.name for identity, matrix in left.items() if identity not in right)
    if gone:
        notes.append(f"{len(gone)} matrices of the base are not in the model, such as {printable(gone[0], 80)}")
    notes.extend(_naming_notes(updates))
    differences = _config_differences(before.config, after.config, LOOSE_KEYS)
    if differences:
        notes.append(f"config.json of base and model differ: {'; '.join(differences)}")
    return Pairing(tuple(updates), tuple(skipped), Identity(after.family, differences, tuple(notes)))


def _resized(name: str, before: int, after: int) -> str:
    """What is said of a vocabulary of two sizes; one that shrank may be a pair given the wrong way round."""
    doubt = "; vocabularies rarely shrink: is the base the base?" if after < before else ""
    return f"{name}: {before} rows became {after}; the common {min(before, after)} are compared{doubt}"


def _require_alike(before: Checkpoint, after: Checkpoint) -> None:
    """Refuse what headers and configurations already tell apart."""
    for side in (before, after):
        require_merged(side.entries, str(side.path))
    if before.family != after.family:
        raise CheckpointError(
            f"the base is of the family {before.family}, the model of {after.family}",
            where=str(before.path),
            hint=OTHER_ORDER if sum(side.family.startswith("gguf") for side in (before, after)) == 1 else WRONG_BASE,
        )
    differences = _config_differences(before.config, after.config, STRUCTURE_KEYS)
    if differences:
        raise CheckpointError(
            f"base and model differ in structure: {'; '.join(differences)}", where=str(before.path), hint=WRONG_BASE
        )


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


def _config_differences(
    before: dict[str, Any], after: dict[str, Any], keys: tuple[str, ...], where: str = ""
) -> tuple[str, ...]:
    """Keys that both declare with two values; nested configurations of towers are compared alike."""
    found: list[str] = []
    for key in keys:
        old, new = before.get(key), after.get(key)
        if old is not None and new is not None and old != new:
            found.append(f"{where}{key} {printable(str(old), 40)} against {printable(str(new), 40)}")
    for key in TOWER_KEYS if not where else ():
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found.extend(_config_differences(cast(dict[str, Any], old), cast(dict[str, Any], new), keys, f"{key}."))
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
    packed = sum(1 for side in (before, after) for entry in side.entries if entry.barred and not entry.companion)
    raise CheckpointError(
        f"{len(only)} block matrices of '{printable(after.path.name)}' and its base do not correspond: {shown}",
        where=str(before.path),
        hint=f"{packed} stored tensors are packed and not read; compare unpacked weights" if packed else WRONG_BASE,
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
