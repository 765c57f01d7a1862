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
    from shadowgraph.weights.adapters.adapter import Adapter
    from shadowgraph.weights.checkpoint import Checkpoint


def compare_command(
    first: Annotated[Path, typer.Argument(metavar="A", help="A footprint folder, a model or an adapter.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    base: Annotated[Path | None, typer.Option(help="The base of both, needed where a model is given.")] = None,
    adapter: Annotated[
        list[str] | None, typer.Option(help="Which adapter to read, where a folder holds several; twice for A and B.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated nulls.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes for scanning models.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Write the contrast as JSON.")] = False,
) -> None:
    """Say where and by how much A is more concentrated than B; every number is A minus B.

    Where neither is a footprint, the leading directions of their updates are compared too. Two adapters need no base.

    Examples:
      shadowgraph compare ./footprint-a ./footprint-b

      shadowgraph compare ./tuned-a ./tuned-b --base ./base --json

      shadowgraph compare ./adapter-a ./adapter-b
    """
    from shadowgraph.footprint.agreement import agreement
    from shadowgraph.footprint.contrast import contrast
    from shadowgraph.weights.checkpoint import open_checkpoint

    before = None if base is None else open_checkpoint(base)
    names = _names(adapter)
    sides = [_opened(path, name, before) for path, name in zip((first, second), names, strict=True)]
    with measuring() as progress:
        a = _footprint(sides[0], before, seed=seed, jobs=jobs, tell=lambda share: progress(0.5 * share))
        b = _footprint(sides[1], before, seed=seed, jobs=jobs, tell=lambda share: progress(0.5 + 0.5 * share))
    found = contrast(a, b)
    shared: dict[str, dict[str, Reading]] = {}
    if not isinstance(sides[0], Path) and not isinstance(sides[1], Path):
        shared = agreement(before, sides[0], sides[1])
    if as_json:
        emit_json(_document(found, (a, b), shared))
    else:
        typer.echo("\n".join(_table(found, shared)))


def _names(given: list[str] | None) -> tuple[str | None, str | None]:
    """The adapters of A and B: one name is that of both."""
    names = given or [None]
    if len(names) > 2:
        raise SpecError(f"{len(names)} adapters", where="--adapter", hint="give one name for both, or one for A and B")
    return names[0], names[-1]


def _opened(path: Path, name: str | None, before: Checkpoint | None) -> Path | Checkpoint | Adapter:
    """The folder of a footprint as it is; else the model or adapter in it."""
    from shadowgraph.weights.adapters.opened import holds_model, open_model
    from shadowgraph.weights.checkpoint import Checkpoint

    if (path / "footprint.json").is_file():
        if holds_model(path):
            found = "holds a model and a footprint, which may be of other weights"
            raise SpecError(found, where=str(path), hint="keep footprints in folders of their own")
        return path
    model = open_model(path, name)
    if before is None and isinstance(model, Checkpoint):
        raise SpecError("a model is compared by its update, which needs its base", hint="give --base")
    return model


def _footprint(
    side: Path | Checkpoint | Adapter, before: Checkpoint | None, *, seed: int, jobs: int, tell: Progress
) -> Footprint:
    """A footprint as it was written, or scanned now."""
    from shadowgraph.footprint.scan import scan
    from shadowgraph.footprint.table import read_footprint

    if isinstance(side, Path):
        return read_footprint(side)
    return scan(side, before, objects=("O3",), seed=seed, jobs=jobs, progress=tell)


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
        "notes": [*found.notes, "two models are one observation each: differences, no interval"],
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
    lines.extend(f"note: {note}" for note in found.notes)
    lines.append("two models are one observation each: differences, no interval")
    return lines


def _text(reading: Reading) -> str:
    return reading.status if reading.value is None else f"{reading.value:+.3f}"


def _size(log_norm: Reading) -> str:
    """The sizes of two updates, which a difference in concentration must not be mistaken for."""
    if log_norm.value is None:
        return ""
    return f"; it is {math.exp(log_norm.value):.2f} times as large for its base as that of B"
