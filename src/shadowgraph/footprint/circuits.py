"""The heads of a layer in a scan: which products can be read, and their rows.

Here live: the task of one product of one layer, found from headers, and its measurement.
Not here: products and their spectra (`heads`), single matrices (`single`), noise (`nulls`).

Head rows stand beside those of the matrices and enter neither K nor the coverage. A task holds the factors of both
models, four float64 arrays of the width of the model.

Legend: `d` width of the residual stream, `h` width of a head; a product is d × d of rank h, its change of rank 2h.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from shadowgraph.errors import printable
from shadowgraph.footprint import factored, single
from shadowgraph.footprint.factored import FactoredTask
from shadowgraph.footprint.floor import noise_variance
from shadowgraph.footprint.heads import (
    SLOTS,
    HeadLayout,
    applicable,
    head_change_spectra,
    head_factors,
    head_layout,
    head_spectra,
    model_type_of,
)
from shadowgraph.footprint.nulls import FACTOR_NULL, NullValue, factor_null_table
from shadowgraph.footprint.single import Found, Options, Task, below_the_floor, rows_of
from shadowgraph.footprint.table import Row
from shadowgraph.measures.catalogue import evaluate
from shadowgraph.measures.null import FLOOR_LIMIT
from shadowgraph.measures.spectrum import Reading, Spectrum
from shadowgraph.spectra.failure import DecompositionFailure
from shadowgraph.weights.checkpoint import Checkpoint
from shadowgraph.weights.fused import section
from shadowgraph.weights.matrix import WeightMatrix

Matrix = NDArray[np.float64]
Factors = tuple[Matrix, Matrix]

MEASURES = ("participation_ratio", "erank_energy", "stable_rank", "energy_top1", "log_frobenius_norm")
ATTENTION = frozenset({"attention", "cross_attention"})
QUERY_KEY_NORM = re.compile(r"(^|[._])(q|k|qk|query|key)_?(norm|ln|layernorm|layer_norm)([._]|$)")


@dataclass(frozen=True, slots=True)
class HeadTask:
    """One product of the heads of one layer.

    Attributes:
        product: "ov" or "qk".
        after: the two matrices of the model, in the order of `heads.SLOTS`; None where the product cannot be read.
        before: those of the base, None without one.
        layout: number of heads, None where the product cannot be read.
        tensor: printable name of the layer's attention with the product in brackets.
        place: tower, layer and block.
        paired: whether the scan has a base.
        reason: why it cannot be read, "" when it can.
    """

    product: str
    after: tuple[WeightMatrix, WeightMatrix] | None
    before: tuple[WeightMatrix, WeightMatrix] | None
    layout: HeadLayout | None
    tensor: str
    place: tuple[str, int | None, str]
    paired: bool
    reason: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n) of the product, (0, 0) where it cannot be read."""
        if self.after is None:
            return 0, 0
        left, right = self.after
        return left.shape[0] if self.product == "ov" else left.shape[1], right.shape[1]

    @property
    def work(self) -> float:
        """Multiplications of its decompositions with a base, about."""
        if self.after is None or self.layout is None:
            return 0.0
        width = 2 * self.after[1].shape[0] // self.layout.groups
        return 4.0 * self.layout.heads * width * width * (sum(self.shape) + 4 * width)


Work = Task | HeadTask | FactoredTask


def head_tasks(tasks: Iterable[Task], model: Checkpoint) -> tuple[tuple[HeadTask, ...], tuple[str, ...]]:
    """List the products of every attention layer; headers only.

    Args:
        tasks: the matrices of a scan.
        model: the checkpoint, for its configuration and the names of its norms.

    Returns:
        Two tasks a layer, and one remark for each reason why products cannot be read.
    """
    layers: dict[tuple[str, str, int | None], list[Task]] = {}
    for task in tasks:
        role, matrix = task.after.role, task.after
        if role.block in ATTENTION and role.slot in {"q", "k", "v", "o"} and matrix.layer is not None:
            layers.setdefault((role.tower, role.block, matrix.layer), []).append(task)
    normed = any(QUERY_KEY_NORM.search(entry.name) for entry in model.entries)
    found = [_task(product, members, model.config, normed) for members in layers.values() for product in sorted(SLOTS)]
    missing = Counter((each.product, each.reason) for each in found if each.reason)
    notes = [
        f"heads: {product} cannot be read in {count} {'layer' if count == 1 else 'layers'}: {reason}"
        for (product, reason), count in sorted(missing.items())
    ]
    return tuple(found), tuple(notes)


def _task(product: str, members: Sequence[Task], config: dict[str, Any], normed: bool) -> HeadTask:
    """One product of one layer, with the reason where it cannot be read."""
    first = members[0].after
    role = first.role
    place, paired = (role.tower, first.layer, role.block), members[0].update is not None
    name = f"{printable(_prefix(task.after.tensor for task in members))}[{product}]"
    slots = {slot: [task for task in members if task.after.role.slot == slot] for slot in SLOTS[product]}
    layout = head_layout(config, role.tower)
    reason = _obstacle(product, slots, config, role.tower, normed)
    if not reason and layout is None:
        reason = "config.json does not say how many heads there are"
    if reason or layout is None:
        return HeadTask(product, None, None, None, name, place, paired, reason)
    left, right = (found[0] for found in slots.values())
    wide = left.after.shape[1 if product == "ov" else 0]
    if right.after.shape[0] % layout.groups or wide * layout.groups != right.after.shape[0] * layout.heads:
        reason = (
            f"{wide} and {right.after.shape[0]} do not divide into {layout.heads} and {layout.groups} heads"
            f" of one width"
        )
        return HeadTask(product, None, None, None, name, place, paired, reason)
    base = None
    if left.update is not None and right.update is not None:
        base = (left.update.before, right.update.before)
    return HeadTask(product, (left.after, right.after), base, layout, name, place, paired)


def _obstacle(
    product: str, slots: Mapping[str, Sequence[Task]], config: Mapping[str, Any], tower: str, normed: bool
) -> str:
    """What keeps a product from meaning anything, "" when nothing does."""
    for slot, found in slots.items():
        if len(found) != 1 or found[0].after.expert is not None:
            return f"{slot} is {'stored more than once' if found else 'not among the matrices that can be read'}"
    kind = model_type_of(config, tower)
    if not kind:
        return "config.json names no model type"
    attention: Any = section(config, tower).get("attn_config")
    options = cast(dict[str, Any], attention) if isinstance(attention, dict) else {}
    shown = f"'{printable(kind, 60)}'"
    if product == "ov":
        broken = applicable(product, kind) != "ok"
        return f"a gate, a norm or a latent stands between value and output of the model type {shown}" if broken else ""
    if applicable(product, kind) != "ok":
        return f"the model type {shown} turns or normalises queries and keys, or is not known not to"
    turned = normed or any(options.get(key) for key in ("rope", "qk_ln", "qk_gn"))
    return "its configuration or its norms turn or normalise queries and keys" if turned else ""


def _prefix(names: Iterable[str]) -> str:
    """The longest beginning in whole words that all names share, without the name of a matrix itself."""
    split = [name.split(".") for name in names]
    shared: list[str] = []
    for words in zip(*(each[:-2] or each[:1] for each in split), strict=False):
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    return ".".join(shared) or split[0][0]


def measure(task: Work, options: Options) -> Found:
    """Measure one matrix, one update of an adapter, or one product of the heads of a layer.

    Args:
        task: of any kind.
        options: what to read.

    Returns:
        Rows; heads have no record. What is not finite or does not converge has rows with that status.
    """
    if isinstance(task, Task):
        return single.measure(task, options)
    if isinstance(task, FactoredTask):
        return factored.measure(task, options)
    objects = [what for what in single.wanted_objects(options, task.paired) if what != "O2"]
    if task.after is None or task.layout is None:
        return Found(None, tuple(_plain_rows(task, objects, "not_applicable")))
    try:
        after, before = _loaded(task.after), None if task.before is None else _loaded(task.before)
        if not all(np.isfinite(each).all() for each in (*after, *(before or ()))):
            return Found(None, tuple(_plain_rows(task, objects, "non_finite")))
        rows = [row for what in objects for row in _head_rows(task, what, after, before, options)]
    except DecompositionFailure:
        return Found(None, tuple(_plain_rows(task, objects, "not_converged")))
    return Found(None, tuple(rows))


def _loaded(matrices: tuple[WeightMatrix, WeightMatrix]) -> Factors:
    return matrices[0].load(), matrices[1].load()


def _plain_rows(task: HeadTask, objects: Iterable[str], status: str) -> Iterator[Row]:
    """Rows of a whole product that gives no number."""
    for what in objects:
        yield from rows_of(_head(task, task.tensor, what), dict.fromkeys(MEASURES, Reading(None, status)), None)


def _head(task: HeadTask, tensor: str, what: str) -> tuple[str, str, int | None, str, str, None, str]:
    """The columns that say what a row is about."""
    tower, layer, block = task.place
    return tensor, tower, layer, block, task.product, None, what


def _head_rows(task: HeadTask, what: str, after: Factors, before: Factors | None, options: Options) -> Iterator[Row]:
    """One object of every head beside its null."""
    if task.layout is None or (before is None and what == "O3"):
        return
    width = after[1].shape[0] // task.layout.groups
    if before is None or what == "O1":
        spectra, floors = head_spectra(task.product, *after, task.layout), None
    else:
        spectra = head_change_spectra(task.product, before, after, task.layout)
        floors = _floor_energies(task, after, before)
    inner = width if what == "O1" else 2 * width
    folder = None if options.cache is None else Path(options.cache)
    wanted = "gaussian" in options.nulls
    null = factor_null_table(task.shape, inner, MEASURES, options.seed, folder) if wanted else {}
    for number, spectrum in enumerate(spectra):
        floor = None if floors is None else floors[number]
        yield from _spectrum_rows(_head(task, _numbered(task, number), what), spectrum, floor, null)


def _numbered(task: HeadTask, head: int) -> str:
    return f"{task.tensor[:-1]},head {head}]"


def _spectrum_rows(
    head: tuple[str, str, int | None, str, str, None, str],
    spectrum: Spectrum,
    floor: float | None,
    null: Mapping[str, NullValue],
) -> Iterator[Row]:
    """The measures of one head; those of a change are refused where rounding of the files explains too much of it."""
    readings = {key: evaluate(key, spectrum) for key in MEASURES}
    nulls = {} if spectrum.zero else {FACTOR_NULL: null}
    if floor is None:
        yield from rows_of(head, readings, spectrum, nulls)
        return
    share = Reading(None, "no_change") if spectrum.zero else Reading(floor / spectrum.energy)
    if share.value is not None and share.value > FLOOR_LIMIT:
        readings = {key: below_the_floor(key, reading) for key, reading in readings.items()}
    yield from rows_of(head, readings, spectrum, nulls)
    yield from rows_of(head, {"floor_share": share}, None)


def _floor_energies(task: HeadTask, after: Factors, before: Factors) -> list[float]:
    """Energy that rounding of all stored factors puts into the change of every head, to first order.

    Rounding E of variance v in the left factor L puts ‖E R‖² = v m ‖R‖² into the product L R, and so for the right.
    """
    if task.after is None or task.before is None or task.layout is None:
        return []
    m, n = task.shape
    sums = [0.0] * task.layout.heads
    for factors, stored in ((after, task.after), (before, task.before)):
        left, right = (noise_variance(matrix, values) for values, matrix in zip(factors, stored, strict=True))
        for head, (one, other) in enumerate(head_factors(task.product, *factors, task.layout)):
            sums[head] += left * m * float(np.sum(np.square(other))) + right * n * float(np.sum(np.square(one)))
    return sums
