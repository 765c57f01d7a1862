"""The verb `compare`: two updates of one base beside each other.

Here live: its arguments and its table.
Not here: the contrast (`footprint.contrast`). Two models are one observation each: no interval, no test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shadowgraph.cli.output import emit_json, measuring
from shadowgraph.errors import SpecError
from shadowgraph.identity import Json
from shadowgraph.measures.spectrum import Reading

if TYPE_CHECKING:
    from shadowgraph.footprint.contrast import Contrast
    from shadowgraph.footprint.scan import Progress
    from shadowgraph.footprint.table import Footprint


def compare_command(
    first: Annotated[Path, typer.Argument(metavar="A", help="A footprint folder, or a model.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    base: Annotated[Path | None, typer.Option(help="The base of both, needed where a model is given.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated nulls.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes for scanning models.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Write the contrast as JSON.")] = False,
) -> None:
    """Say where and by how much A is more concentrated than B; every number is A minus B.

    Where both are models, the leading directions of their updates are compared too.

    Examples:
      shadowgraph compare ./footprint-a ./footprint-b

      shadowgraph compare ./tuned-a ./tuned-b --base ./base --json
    """
    from shadowgraph.footprint.agreement import agreement
    from shadowgraph.footprint.contrast import contrast
    from shadowgraph.weights.checkpoint import open_checkpoint

    paths = (first, second)
    stored = [(path / "footprint.json").is_file() for path in paths]
    if not all(stored) and base is None:
        raise SpecError("a model is compared by its update, which needs its base", hint="give --base")
    with measuring() as progress:
        a = _footprint(first, base, seed=seed, jobs=jobs, tell=lambda share: progress(0.5 * share))
        b = _footprint(second, base, seed=seed, jobs=jobs, tell=lambda share: progress(0.5 + 0.5 * share))
    found = contrast(a, b)
    shared: dict[str, dict[str, Reading]] = {}
    if base is not None and not any(stored):
        shared = agreement(open_checkpoint(base), open_checkpoint(first), open_checkpoint(second))
    if as_json:
        emit_json(_document(found, (a, b), shared))
    else:
        typer.echo("\n".join(_table(found, shared)))


def _footprint(path: Path, base: Path | None, *, seed: int, jobs: int, tell: Progress) -> Footprint:
    """A footprint as it was written, or scanned now."""
    from shadowgraph.footprint.scan import scan
    from shadowgraph.footprint.table import read_footprint
    from shadowgraph.weights.checkpoint import open_checkpoint

    if (path / "footprint.json").is_file() or base is None:
        return read_footprint(path)
    return scan(open_checkpoint(path), open_checkpoint(base), objects=("O3",), seed=seed, jobs=jobs, progress=tell)


def _document(
    found: Contrast, sides: tuple[Footprint, Footprint], shared: Mapping[str, Mapping[str, Reading]]
) -> dict[str, Json]:
    """The contrast as data."""
    return {
        "schema_version": "1.0",
        "kind": "contrast",
        "parents": [dict(side.parents) for side in sides],
        "K": _plain(found.K),
        "K_emb": _plain(found.K_emb),
        "log_norm": _plain(found.log_norm),
        "variants": {key: _plain(reading) for key, reading in found.variants.items()},
        "exceptions": list(found.exceptions),
        "per_slot": dict(found.per_slot),
        "cells": {slot: [[layer, value] for layer, value in layers.items()] for slot, layers in found.cells.items()},
        "slots": list(found.slots),
        "dropped": list(found.dropped),
        "agreement": {
            tensor: {key: _plain(reading) for key, reading in readings.items()} for tensor, readings in shared.items()
        },
        "notes": ["two models are one observation each: differences, no interval"],
    }


def _plain(reading: Reading) -> dict[str, Json]:
    return {"value": reading.value, "status": reading.status}


def _table(found: Contrast, shared: Mapping[str, Mapping[str, Reading]]) -> list[str]:
    """K first, then its variants, then slots by layer."""
    named = {"K": found.K, "K_emb": found.K_emb, "log norm": found.log_norm}
    lines = [f"A - B, in nats: {', '.join(f'{name} {_text(reading)}' for name, reading in named.items())}"]
    if found.K.value == 0.0:
        lines.append("the updates of A and B are equally concentrated")
    elif found.K.value is not None:
        more = "more" if found.K.value > 0 else "less"
        lines.append(f"the update of A is the {more} concentrated{_size(found.log_norm)}")
        odd = ", ".join(found.exceptions)
        lines.append(f"variants of K with another sign: {odd}" if odd else "every variant of K has the sign of K:")
        lines.extend(f"  {key:24} {_text(reading):>10}" for key, reading in found.variants.items())
    if found.per_slot:
        lines.append(f"{'k by slot':26} {'mean':>10}  by layer")
    for slot, mean in found.per_slot.items():
        layers = " ".join(f"{value:+.2f}" for value in found.cells[slot].values())
        lines.append(f"  {slot:24} {mean:>+10.3f}  {layers}")
    if found.dropped:
        lines.append(f"slots that only one has: {', '.join(found.dropped)}")
    if shared:
        wide = max(map(len, shared))
        lines.append(f"{'shared directions':{wide}} {'outputs':>10} {'inputs':>10}  (1 the same, 0 as unrelated)")
        for tensor, readings in shared.items():
            lines.append(f"{tensor:{wide}} " + " ".join(f"{_text(reading):>10}" for reading in readings.values()))
    lines.append("two models are one observation each: differences, no interval")
    return lines


def _text(reading: Reading) -> str:
    return reading.status if reading.value is None else f"{reading.value:+.3f}"


def _size(log_norm: Reading) -> str:
    """The sizes of two updates, which a difference in concentration must not be mistaken for."""
    if log_norm.value is None:
        return ""
    return f"; it is {math.exp(log_norm.value):.2f} times as large for its base as that of B"
