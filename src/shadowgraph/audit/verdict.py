"""The verdict: a label, what it rests on, and what limits it.

Here live: `Verdict` and `audit`.
Not here: checks, numbers, pages. Labels: "narrower-than-reference", "like-reference", "inconclusive", "out-of-scope";
without a reference only "inconclusive" can be given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadowgraph.audit.checks import Check, run_checks
from shadowgraph.errors import SpecError, printable
from shadowgraph.footprint.endpoint import Endpoint, endpoint
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.single import OBJECTS
from shadowgraph.footprint.table import Footprint
from shadowgraph.identity import Provenance, versions
from shadowgraph.weights.adapters.adapter import Adapter
from shadowgraph.weights.adapters.opened import open_model
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.roles import SLOTS

SCHEMA_VERSION = "1.0"
LIMITS = (
    "No reference of runs with the same base, method and optimiser was given; without one no false-alarm rate exists.",
    "The level of K means nothing by itself: it falls with training length and moves with the learning rate.",
    "K rises with how new the data were to the base, also when they were broad; it names no benchmark.",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of an audit.

    Attributes:
        label: one of four words, see the head of the file.
        claim_level: rung of the claim ladder, "L0" to "L4"; None below its first.
        strength: conformal p-value, None without a reference.
        interval: interval of the strength, None without a reference.
        false_alarm_rate: share of comparable ordinary runs called narrower, None without a reference.
        sentence: the verdict in words.
        reference: fingerprint of the reference, None without one.
        checks: all checks in order of code.
        limits: what the verdict does not say.
        endpoint: K, K_emb and the log relative norm.
        footprint: the footprint behind it.
        provenance: versions, seeds and fingerprints of both checkpoints.
    """

    label: str
    claim_level: str | None
    strength: float | None
    interval: tuple[float, float] | None
    false_alarm_rate: float | None
    sentence: str
    reference: str | None
    checks: tuple[Check, ...]
    limits: tuple[str, ...]
    endpoint: Endpoint
    footprint: Footprint
    provenance: Provenance

    def __repr__(self) -> str:
        """One line: the label and the claim level."""
        return f"Verdict({self.label!r}, claim level {self.claim_level or 'none'})"

    def as_result(self) -> dict[str, Any]:
        """The content of `result.json`; a number that is missing has its reason in a sibling `…_status`."""
        coverage = self.footprint.coverage
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "audit",
            "verdict": {
                "label": self.label,
                "claim_level": self.claim_level,
                "strength": self.strength,
                "strength_status": "ok" if self.strength is not None else "no_reference",
                "interval": None if self.interval is None else list(self.interval),
                "false_alarm_rate": self.false_alarm_rate,
                "false_alarm_rate_status": "ok" if self.false_alarm_rate is not None else "no_reference",
                "reference": self.reference,
                "sentence": self.sentence,
            },
            "checks": [
                {"code": check.code, "title": check.title, "fate": check.fate, "detail": check.detail}
                for check in self.checks
            ],
            "endpoint": self.endpoint.as_dict(),
            "coverage": {
                "tensors": coverage.tensors,
                "matrices": coverage.matrices,
                "skipped": coverage.skipped,
                "parameters": coverage.parameters,
                "block_parameters": coverage.block_parameters,
                "block_analysed": coverage.block_analysed,
                "block_share": coverage.block_share,
            },
            "skipped": [{"tensor": item.tensor, "reason": item.reason} for item in self.footprint.skipped],
            "notes": list(self.footprint.notes),
            "heatmap": heatmap(self.endpoint),
            "limits": list(self.limits),
            "provenance": {
                "versions": self.provenance.versions,
                "seeds": self.provenance.seeds,
                "parents": self.provenance.parents,
            },
        }


def audit(
    tuned: Path | str,
    base: Path | str | None = None,
    reference: Path | None = None,
    *,
    adapter: str | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Verdict:
    """Audit a model against its base, or an adapter, whose update can be read without one.

    Args:
        tuned: directory or file of the model or adapter.
        base: directory or file it was trained from; None for an adapter alone.
        reference: no reference can be read yet; must be None.
        adapter: name of the adapter, where the directory holds several.
        seed: seed of the simulated nulls.
        progress: called with the share done, 0 … 1.

    Returns:
        The verdict; always "inconclusive" while no reference exists.

    Raises:
        SpecError: a reference was given, or a whole model without its base.
        CheckpointError: a checkpoint is malformed, or the two do not correspond.
    """
    if reference is not None:
        raise SpecError("references cannot be read yet", where=str(reference), hint="leave the reference out")
    model = open_model(tuned, adapter)
    read = model if isinstance(model, Adapter) else None
    if base is None and read is None:
        raise SpecError("a model is judged by its update, which needs its base", where=str(tuned), hint="give --base")
    before = None if base is None else open_checkpoint(base)
    objects = OBJECTS if read is None else ("O3",)
    footprint = scan(model, before, objects=objects, seed=seed, progress=progress)
    checks = run_checks(footprint, read)
    ends = endpoint(footprint)
    return Verdict(
        label="inconclusive",
        claim_level=None,
        strength=None,
        interval=None,
        false_alarm_rate=None,
        sentence=_sentence(Path(tuned), checks, ends),
        reference=None,
        checks=checks,
        limits=LIMITS,
        endpoint=ends,
        footprint=footprint,
        provenance=Provenance(
            versions("shadowgraph", "numpy", "scipy"), {"nulls": seed}, dict(sorted(footprint.parents.items()))
        ),
    )


def heatmap(ends: Endpoint) -> dict[str, Any]:
    """Grid of k, one row a slot in the order of a block, one column a layer; a missing k is None."""
    known = [slot for slot in SLOTS if slot in ends.per_slot]
    slots = [*known, *sorted(set(ends.per_slot) - set(known))]
    layers = sorted({layer for cells in ends.per_slot.values() for layer, _ in cells})
    grid: list[list[float | None]] = []
    for slot in slots:
        cells = dict(ends.per_slot[slot])
        grid.append([cells.get(layer) for layer in layers])
    return {"slots": slots, "layers": layers, "arms": {"update": grid}}


def _sentence(tuned: Path, checks: tuple[Check, ...], ends: Endpoint) -> str:
    """The verdict in words: what was measured, then the first thing that forbids a conclusion."""
    name = printable(tuned.name or str(tuned), 80)
    forbidding = next(check for check in checks if check.fate != "passed")
    measured = (
        f"the update of {name} reads K = {round(ends.K.value, 3) + 0.0:.3f} nats" if ends.K.value is not None else ""
    )
    if not measured:
        measured = f"the update of {name} has no K ({ends.K.status.replace('_', ' ')})"
    return f"Inconclusive: {measured}; {forbidding.detail} ({forbidding.code})."
