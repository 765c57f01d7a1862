"""The readings of a corpus that need no benchmark, as plain values.

Here live: one list of readings a group, shares of the codebook's cells. Not here: what a reading means (its measure's
file; the page has a sentence for each).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from shadowgraph.corpus.codebook import CELLS, cells
from shadowgraph.corpus.coverage import Coverage
from shadowgraph.corpus.novelty import mixture
from shadowgraph.corpus.shards import Estimate
from shadowgraph.corpus.sketch import sketches
from shadowgraph.corpus.survey.measures import Counted, Measures
from shadowgraph.corpus.target import Target


def reading(row: Mapping[str, Any]) -> dict[str, Any]:
    """An estimate as plain values, its interval as a pair."""
    interval = None if row["low"] is None else [row["low"], row["high"]]
    return {"value": row["value"], "status": row["status"], "interval": interval, "shards": row["shards"]}


def readings_of(corpus: Measures, base: Counted | None) -> dict[str, Any]:
    """The groups of readings, and the frequency spectrum of templates.

    Args:
        corpus: what was counted.
        base: what was counted of the base; novelty has no divergence without.

    Returns:
        Plain values under "readings", "repetition" and "kept" (shares of distinct texts and templates held).
    """
    against = None if base is None else mixture([(base.words.novelty(base.profile), 1.0)])
    concentration = corpus.concentration.finish()
    bounds = list(concentration.spectrum)
    groups = {
        "coverage": _estimates(corpus.coverage.finish()),
        "variety": _estimates(corpus.variety.finish()),
        "compression": [_named("compressed_share", corpus.compression.finish())],
        "novelty": _estimates(corpus.words.novelty(corpus.profile).finish(against)),
        "concentration": [row for row in _estimates(concentration) if not row["name"].startswith("spectrum")],
        "repeats": _estimates(corpus.repeats.finish()),
    }
    if corpus.packed is not None:
        groups["mixing"] = _estimates(corpus.packed.finish())
    spectrum = [
        {"times": _class(low, bounds), **reading(asdict(share))} for low, share in concentration.spectrum.items()
    ]
    kept = {name: getattr(concentration, f"kept_{name}") for name in ("prompts", "near", "patterns")}
    return {"readings": groups, "repetition": spectrum, "kept": kept}


def _class(low: int, bounds: Sequence[int]) -> str:
    """A class of frequency in words: "1", "2–3", "1,024+"."""
    above = [bound for bound in bounds if bound > low]
    if not above:
        return f"{low:,}+"
    return f"{low}" if above[0] == low + 1 else f"{low}–{above[0] - 1}"


def _estimates(found: Any) -> list[dict[str, Any]]:
    """The estimates among the fields of a reading, those by order one by one."""
    rows: list[dict[str, Any]] = []
    for each in fields(found):
        value = getattr(found, each.name)
        if isinstance(value, Estimate):
            rows.append(_named(each.name, value))
        elif isinstance(value, dict):
            rows += [_named(f"{each.name}_{order}", one) for order, one in value.items()]
    return rows


def _named(name: str, value: Estimate) -> dict[str, Any]:
    return {"name": name, **reading(asdict(value))}


def clusters_of(coverage: Coverage, targets: Sequence[Target]) -> dict[str, Any]:
    """Shares of the cells of the codebook, of the corpus and of the held-out items of each benchmark."""
    own = coverage.cells.sum(axis=0)
    others: dict[str, list[float]] = {}
    for target in targets:
        made = sketches(target.told) if len(target.told) else np.zeros((0, 1), np.int16)
        made = made[made.any(axis=1)]
        if len(made):
            others[target.name] = (np.bincount(cells(made), minlength=CELLS) / len(made)).tolist()
    return {"corpus": (own / max(1, int(own.sum()))).tolist(), "benchmarks": others}
