"""The matrices of a base, found by what an adapter calls them.

Here live: `Lookup`, and what is said of matrices that are not found.
Not here: what is done with a matrix that was found (`joined`, `stacks`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.checkpoint import Checkpoint
from shadowgraph.weights.matrix import WeightMatrix
from shadowgraph.weights.pairing import WRONG_BASE
from shadowgraph.weights.roles import EMBEDDING, EMBEDDINGS, Family, Place, Role

SHOWN = 10


@dataclass(slots=True)
class Lookup:
    """A base's matrices by key, by expert, and the reasons of those that it leaves out.

    Attributes:
        base: the checkpoint.
        family: its family.
        by_key: the matrices of a stored tensor, several after a split.
        by_expert: matrices of experts by role and layer, then by expert.
        routers: by role and layer.
        reasons: key of a stored tensor that is left out to the reason.
        absent: what was looked for and is not there, or has another shape.
        notes: remarks on what was found: a tied unembedding, a resized vocabulary.
    """

    base: Checkpoint
    family: Family
    by_key: dict[str, list[WeightMatrix]] = field(default_factory=dict[str, list[WeightMatrix]])
    by_expert: dict[tuple[Role, int | None], dict[int, WeightMatrix]] = field(
        default_factory=dict[tuple[Role, int | None], dict[int, WeightMatrix]]
    )
    routers: dict[tuple[Role, int | None], list[WeightMatrix]] = field(
        default_factory=dict[tuple[Role, int | None], list[WeightMatrix]]
    )
    reasons: dict[str, str] = field(default_factory=dict[str, str])
    absent: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])

    @classmethod
    def of(cls, base: Checkpoint, family: Family) -> Lookup:
        """List a base."""
        found = cls(base, family)
        for matrix in base.matrices():
            found.by_key.setdefault(matrix.key, []).append(matrix)
            if matrix.expert is not None:
                found.by_expert.setdefault((matrix.role, matrix.layer), {})[matrix.expert] = matrix
            if matrix.role.slot == "router":
                found.routers.setdefault((matrix.role, matrix.layer), []).append(matrix)
        for item in base.skipped:
            found.reasons.setdefault(family.place(item.tensor).key, item.reason)
        return found

    def matrices(self, place: Place) -> list[WeightMatrix]:
        """The matrices that a stored tensor of this place is made of, none where the base has none.

        An expert is also found where the base stores all experts of a layer in one tensor, the only router of a layer
        under any name, and an unembedding that is tied is the embedding.
        """
        found = self.by_key.get(place.key)
        if found is not None:
            return found
        role = place.roles[0]
        if place.expert is not None and len(place.roles) == 1:
            matrix = self.by_expert.get((role, place.layer), {}).get(place.expert)
            return [] if matrix is None else [matrix]
        if role.slot == "router":
            routers = self.routers.get((role, place.layer), [])
            return routers if len(routers) == 1 else []
        if role.block == "unembedding" and self.family.is_tied(self.base.config):
            embeddings = [each for several in self.by_key.values() for each in several if each.role == EMBEDDING]
            if len(embeddings) == 1:
                self.notes.append("the base's unembedding is its embedding; the adapter changes it in its one use only")
            return embeddings if len(embeddings) == 1 else []
        return []

    def common_rows(self, name: str, shape: tuple[int, int], matrix: WeightMatrix) -> int | None:
        """How many rows an update of a shape shares with a matrix; None, kept for `require_all`, where it does not fit.

        A resized vocabulary shares its first rows.
        """
        if matrix.shape == shape:
            return shape[0]
        if matrix.role.block in EMBEDDINGS and matrix.shape[1] == shape[1]:
            common = min(shape[0], matrix.shape[0])
            here = f"{matrix.shape[0]} rows in the base, {shape[0]} in the adapter"
            self.notes.append(f"{printable(name, 80)}: {here}; the common {common} are compared")
            return common
        theirs = f"{matrix.shape[0]} × {matrix.shape[1]}"
        self.absent.append(f"{printable(name, 80)} ({shape[0]} × {shape[1]}, in the base {theirs})")
        return None

    def require_all(self, where: str) -> None:
        """Refuse an adapter that changes what the base does not have.

        Raises:
            CheckpointError: with the first of what is missing or of another shape.
        """
        if self.absent:
            shown = ", ".join(sorted(self.absent)[:SHOWN])
            raise CheckpointError(
                f"{len(self.absent)} matrices that it changes are not in the base, or are not of this shape: {shown}",
                where=where,
                hint=WRONG_BASE,
            )
