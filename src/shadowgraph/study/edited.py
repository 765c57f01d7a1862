"""The edits of a finished run's update, each read on benchmark and outside text: the points of its frontiers.

Here live: which points there are, edited models in memory, and what stands in a record of each.
Not here: what an edit does to one matrix (`intervene`), what is made of the points (`frontiers`).

Legend: `e` stored elements of a model; `m n` of a block linear matrix.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import Defect
from shadowgraph.identity import Json
from shadowgraph.runs.loss import loss_of
from shadowgraph.runs.mould import Mould, flat_weights, mould_of
from shadowgraph.runs.session import session
from shadowgraph.seeds import generator
from shadowgraph.spec.intervention import Intervention
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.arrays import load_array
from shadowgraph.study.intervene import BY_NORM, BY_RANK, EDITS, PLAIN, Edit, changed, edited_values, energy_of
from shadowgraph.study.layout import Layout, RunKey
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.elements import element_places
from shadowgraph.weights.pairing import pair

KEPT, TOGETHER = "embedding kept", "embedding interpolated"
BLOCKS = (KEPT, TOGETHER)
"""What becomes of everything that is no block linear matrix: it stays as tuned, or its update is scaled to the norm
ratio of the edited matrices, which in `interpolated` makes plain interpolation of the whole model."""

Elements = NDArray[np.float64]


def is_edited(key: RunKey, spec: StudySpec) -> bool:
    """Whether the update of a run is edited: of an arm that the table names, in its first order, trained as planned."""
    asked = spec.intervention
    plain = key.seed == 0 and key.rate is None and not key.regimen
    return asked is not None and key.arm in asked.arms and plain


def points_asked(asked: Intervention) -> list[tuple[Edit, float]]:
    """Every edit and strength, along each path: the unedited update, the ranks; or norms from the base on."""
    ranks = (0, *asked.ranks)
    points: list[tuple[Edit, float]] = []
    for edit in EDITS:
        along = ranks if edit in BY_RANK else asked.shares if edit == PLAIN else asked.norms
        for strength in along:
            points.append((edit, float(strength)))
    return points


def reading_texts(layout: Layout, spec: StudySpec) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """The sequences that edited models and paths are read on: of the benchmark, and of text outside all data.

    Outside ones are taken at equal distances from the study's, so that every outside source has its part.

    Raises:
        Defect: the study asks for no intervention.
    """
    if spec.intervention is None:
        raise Defect("no intervention is asked for", where="intervention")
    outside = load_array(layout.base / "outside.npy")
    taken = np.linspace(0, len(outside), spec.intervention.sequences, endpoint=False).astype(np.int64)
    return load_array(layout.benchmark), outside[taken]


def edits_of(
    model: Path, key: RunKey, layout: Layout, spec: StudySpec, progress: Callable[[float], None]
) -> list[dict[str, Json]]:
    """Edit the update of a finished run in every way that the study asks for, and read each model.

    Args:
        model: folder of the run's final model.
        key: which run it is; its name seeds the random order of components.
        layout: the study's folder, which holds the base it started from.
        spec: the study, with an intervention.
        progress: told the share that is done.

    Returns:
        One point an edit, strength and block: edit, block, strength; benchmark, outside (nats a token, None where not
        finite); energy_removed (share of the energy of all block linear matrices, below 0 where it grew), rank_changed
        (components changed of a matrix, mean weighted by energy), norm_ratio. Empty where the update is not finite.

    Raises:
        Defect: the study asks for no intervention.
        CheckpointError: base and model do not correspond.
    """
    if spec.intervention is None:
        raise Defect("no intervention is asked for", where="intervention")
    base = layout.base_of(spec, key.draw) / "run" / "model"
    points = points_asked(spec.intervention)
    found: list[dict[str, Json]] = []
    with session(1):
        mould = mould_of(model)
        subject = _subject(mould, base, model, spec.study.seed, key.name)
        if not subject.finite:
            return []
        losses = _Losses(mould, *reading_texts(layout, spec))
        for place, (edit, strength) in enumerate(points):
            values, scale, facts = subject.edited(edit, strength)
            for block in BLOCKS:
                whole = subject.joined(values, None if block == KEPT else scale)
                benchmark, outside = losses.of(whole)
                point: dict[str, Json] = {"edit": edit, "block": block, "strength": strength}
                found.append({**point, "benchmark": benchmark, "outside": outside, **facts})
            progress((place + 1) / len(points))
    return found


@dataclass(frozen=True, eq=False)
class _Matrix:
    """One block linear matrix: its places among all elements, its update decomposed, the order of random removal."""

    places: NDArray[np.int64]
    left: NDArray[np.float64]
    values: NDArray[np.float64]
    right: NDArray[np.float64]
    order: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Subject:
    """A model before and after training, (e,) each, its block linear matrices, and (e,) what belongs to none."""

    before: Elements
    after: Elements
    matrices: tuple[_Matrix, ...]
    others: NDArray[np.bool_]

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.before).all() and np.isfinite(self.after).all())

    def between(self, share: float, places: NDArray[np.int64] | NDArray[np.bool_]) -> Elements:
        """Elements at a share of the way from before to after; at 0 and 1 they are these, to the bit."""
        return (1.0 - share) * self.before[places] + share * self.after[places]

    def edited(self, edit: Edit, strength: float) -> tuple[Elements, float, dict[str, Json]]:
        """All elements with the matrices edited, the scale of everything else, and what was done."""
        found = self.after.copy()
        held = kept = weighted = 0.0
        for matrix in self.matrices:
            values = edited_values(edit, matrix.values, strength, matrix.order)
            energy = energy_of(matrix.values)
            held, kept = held + energy, kept + energy_of(values)
            weighted += energy * changed(matrix.values, values)
            if np.array_equal(values, matrix.values):
                continue
            if edit in {PLAIN, "scaled"}:
                share = strength if edit == PLAIN else float(values[0] / matrix.values[0])
                found[matrix.places] = self.between(share, matrix.places)
            else:
                found[matrix.places] = self.before[matrix.places] + (matrix.left * values) @ matrix.right
        ratio = math.sqrt(kept / held) if held > 0.0 else 1.0
        facts: dict[str, Json] = {
            "energy_removed": 1.0 - kept / held if held > 0.0 else 0.0,
            "rank_changed": weighted / held if held > 0.0 else 0.0,
            "norm_ratio": ratio,
        }
        return found, strength if edit in BY_NORM else ratio, facts

    def joined(self, values: Elements, scale: float | None) -> Elements:
        """Edited matrices with everything else as tuned (None), or its update scaled."""
        if scale is None:
            return values
        found = values.copy()
        found[self.others] = self.between(scale, self.others)
        return found


def _subject(mould: Mould, base: Path, model: Path, seed: int, name: str) -> _Subject:
    """Read both models, and decompose the update of every block linear matrix that changed."""
    before, after = (flat_weights(open_checkpoint(folder)) for folder in (base, model))
    others = np.ones(after.size, bool)
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        return _Subject(before, after, (), others)
    matrices = tuple(_matrices(mould, base, model, seed, name))
    for matrix in matrices:
        others[matrix.places.ravel()] = False
    return _Subject(before, after, matrices, others)


def _matrices(mould: Mould, base: Path, model: Path, seed: int, name: str) -> Iterator[_Matrix]:
    """The block linear matrices; fused ones and experts apart, as footprints read them."""
    for update in pair(open_checkpoint(base), open_checkpoint(model)).updates:
        if not update.role.is_block_linear:
            continue
        left, values, right = np.linalg.svd(update.difference(), full_matrices=False)
        order = generator(seed, "intervention", name, update.after.name).permutation(values.size).astype(np.int64)
        places = mould.offsets[update.after.tensor] + element_places(update.after)
        yield _Matrix(places, left, values, right, order)


class _Losses:
    """Losses of models in one mould; equal weights are read once."""

    def __init__(self, mould: Mould, benchmark: NDArray[np.integer], outside: NDArray[np.integer]) -> None:
        self._mould, self._texts = mould, (benchmark, outside)
        self._known: dict[bytes, tuple[float | None, float | None]] = {}

    def of(self, weights: Elements) -> tuple[float | None, float | None]:
        """Loss on the benchmark and on outside text, None where it is not finite."""
        key = hashlib.blake2b(weights.astype(np.float32).tobytes()).digest()
        if key not in self._known:
            model = self._mould.pour(weights)
            first, second = (loss_of(model, text) for text in self._texts)
            self._known[key] = _number(first), _number(second)
        return self._known[key]


def _number(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None
