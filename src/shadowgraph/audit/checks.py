"""Checks: one question each, with a permanent code and one of four fates.

Here live: `Check` and the checks SG001 to SG004, each a pure function of a footprint and of the adapter behind it.
Not here: the verdict that follows from them.

Fates: "passed", "failed", "inconclusive", "not applicable". Every fate but "passed" forbids a conclusion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shadowgraph.errors import printable
from shadowgraph.footprint.table import Footprint, MatrixRecord
from shadowgraph.measures.null import FLOOR_LIMIT
from shadowgraph.weights.adapters.adapter import Adapter
from shadowgraph.weights.pairing import UNRELATED_COSINE, cosine

LEAST_COVERAGE = 0.9
WORTH_SAYING = 0.05


@dataclass(frozen=True, slots=True)
class Check:
    """The answer of one check.

    Attributes:
        code: permanent code, "SG" and three digits.
        title: the question in a few words.
        fate: "passed", "failed", "inconclusive" or "not applicable".
        detail: what was found, one sentence with its numbers.
    """

    code: str
    title: str
    fate: str
    detail: str


def run_checks(footprint: Footprint, adapter: Adapter | None = None) -> tuple[Check, ...]:
    """All checks in order of code.

    Args:
        footprint: of a model against its base, or of an adapter.
        adapter: the adapter that was scanned, None for a whole model.
    """
    return (
        base_identity(footprint, adapter),
        storage_floor(footprint),
        coverage(footprint),
        reference_present(footprint, adapter),
    )


def base_identity(footprint: Footprint, adapter: Adapter | None = None) -> Check:
    """SG001: whether the base given is the base of the model, by the angle between W0 and W1.

    Pooled over the block linear matrices, cos = (‖W0‖² + ‖W1‖² − ‖D‖²) / (2 ‖W0‖ ‖W1‖). Unrelated weights have
    cos ≈ 0, so ‖D‖ ≈ √2 ‖W0‖ at equal norms; below `UNRELATED_COSINE` the base is implausible. An honest update as
    large as twice the base still has cos ≈ .45.

    An adapter holds no weights, so that W1 is the base given plus its update and the angle says nothing: the check is
    inconclusive, with or without a base.
    """
    title = "the base is the base of this model"
    if adapter is not None:
        return Check("SG001", title, "inconclusive", _unproven(footprint, adapter))
    records = [
        record for record in _blocks(footprint) if record.base_energy is not None and record.spectrum is not None
    ]
    if not records:
        return Check("SG001", title, "inconclusive", "no block matrix could be compared with the base")
    if footprint.parents.get("after") == footprint.parents.get("before"):
        return Check("SG001", title, "passed", "model and base are the same to the last byte; there is no update")
    energies = [_energies(record) for record in records]
    pooled = cosine(*(sum(column) for column in zip(*energies, strict=True)))
    if pooled is None:
        return Check("SG001", title, "inconclusive", "the base or the model is zero everywhere")
    unrelated = [
        record.tensor
        for record, values in zip(records, energies, strict=True)
        if (angle := cosine(*values)) is not None and angle < UNRELATED_COSINE
    ]
    found = f"the cosine between base and model is {pooled:.3f} over {len(records)} block matrices"
    if pooled < UNRELATED_COSINE or 2 * len(unrelated) > len(records):
        return Check("SG001", title, "failed", f"{found}; unrelated weights have 0: the base is implausible")
    if unrelated:
        named = ", ".join(unrelated[:3])
        return Check("SG001", title, "inconclusive", f"{found}, but {len(unrelated)} are unrelated to it, as {named}")
    return Check("SG001", title, "passed", found)


def storage_floor(footprint: Footprint) -> Check:
    """SG002: share of the update's energy that rounding of the stored files could explain.

    share = Σ mn (v0 + v1) / Σ ‖D‖² over the block linear matrices, v the mean of u(w)²/12 on each side, u(w) the step
    of the stored type at w (see `footprint.floor`): an upper estimate. Above .3 the closed-form correction fails
    and nothing is concluded. Of an adapter it is the rounding of the stored factors, carried into their product.
    """
    title = "the update stands above the rounding of the stored files"
    records = [record for record in _blocks(footprint) if record.spectrum is not None]
    energy = sum(record.spectrum.energy for record in records if record.spectrum is not None)
    if energy <= 0.0:
        return Check("SG002", title, "not applicable", "nothing changed")
    share = sum(record.floor_energy for record in records) / energy
    sides = "the stored factors" if all(record.rank is not None for record in records) else "both stored sides"
    found = f"rounding of {sides} could explain {share:.2%} of the energy of the update"
    if share > FLOOR_LIMIT:
        return Check("SG002", title, "failed", f"{found}, more than the limit of {FLOOR_LIMIT:.0%}")
    if share > WORTH_SAYING:
        return Check("SG002", title, "passed", f"{found}; K is corrected for the rounding of the model")
    return Check("SG002", title, "passed", found)


def coverage(footprint: Footprint) -> Check:
    """SG003: share of the block parameters that stand behind K, at least `LEAST_COVERAGE`.

    Of an adapter they are those of the matrices it changes.
    """
    title = "enough of the model was analysed"
    seen = footprint.coverage
    found = (
        f"{seen.block_share:.1%} of {seen.block_parameters} block parameters, {seen.matrices} matrices,"
        f" {seen.skipped} tensors left out"
    )
    return Check("SG003", title, "passed" if seen.block_share >= LEAST_COVERAGE else "failed", found)


def reference_present(footprint: Footprint, adapter: Adapter | None = None) -> Check:
    """SG004: whether runs of the same base, method, optimiser and (of an adapter) rank are there to compare with."""
    detail = "no reference was given, so no error rate can be stated"
    if adapter is not None:
        ranks = sorted({record.rank for record in _blocks(footprint) if record.rank is not None})
        shown = ", ".join(map(str, ranks[:5])) + (", …" if len(ranks) > 5 else "")
        rank = f" and rank ({shown})" if ranks else ""
        detail += f"; runs of whole models are none for an adapter: it needs those of its own base, method{rank}"
    return Check("SG004", "a reference of comparable runs is present", "inconclusive", detail)


def _unproven(footprint: Footprint, adapter: Adapter) -> str:
    """What is known of the base of an adapter."""
    named = adapter.config.get("base_model_name_or_path")
    told = f"it names '{printable(named, 120)}'" if isinstance(named, str) and named else "it names none"
    given = "the one given fits by names and shapes alone" if "before" in footprint.parents else "none was given"
    return f"an adapter holds no weights that could tell its base: {told}, {given}"


def _blocks(footprint: Footprint) -> Sequence[MatrixRecord]:
    return [record for record in footprint.matrices if record.role.is_block_linear]


def _energies(record: MatrixRecord) -> tuple[float, float, float]:
    """Squared norms of W0, W1 and D."""
    update = record.spectrum.energy if record.spectrum is not None else 0.0
    return record.base_energy or 0.0, record.after_energy or 0.0, update
