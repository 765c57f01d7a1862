"""The verb `inspect`: what lies in a checkpoint or a training series, from headers only.

Here live: its arguments and its tables.
Not here: reading (`weights`).
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shadowgraph.cli.output import emit_json
from shadowgraph.cli.preferred import Preferred
from shadowgraph.errors import printable
from shadowgraph.identity import Json

if TYPE_CHECKING:
    from shadowgraph.weights.checkpoint import Checkpoint
    from shadowgraph.weights.matrix import Skipped, WeightMatrix
    from shadowgraph.weights.series import Series


UNITS = ("bytes", "kB", "MB", "GB", "TB")
NAME = 1 << 16  # characters of a name in JSON


def inspect_command(
    model: Annotated[
        Path, typer.Argument(help="A model or adapter, a folder or one file, or a folder of checkpoint-N folders.")
    ],
    adapter: Annotated[str | None, typer.Option(help="Which adapter to list, where MODEL holds several.")] = None,
    as_series: Annotated[bool, typer.Option("--series", help="List the checkpoints below the folder by step.")] = False,
    stable_for: Annotated[
        float, typer.Option(min=0, help="Leave out what was written in the last so many seconds.")
    ] = 0.0,
    prefer: Annotated[Preferred | None, typer.Option(help="Which format to read where a folder holds several.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the matrices of a checkpoint: names, shapes, types, roles, of adapters ranks and scales; none is read.

    A folder that holds only checkpoint folders is listed by step.

    Examples:
      shadowgraph inspect ./my-model

      shadowgraph inspect ./my-model --json

      shadowgraph inspect ./training-run --stable-for 60
    """
    from shadowgraph.cli.inspect_adapter import adapter_document, adapter_table
    from shadowgraph.weights.adapters.adapter import Adapter
    from shadowgraph.weights.adapters.opened import open_model
    from shadowgraph.weights.series import is_series, open_series, require_settled

    if as_series or is_series(model):
        series = open_series(model, stable_for=stable_for, adapter=adapter)
        if as_json:
            emit_json(_series_document(series))
        else:
            typer.echo("\n".join(_series_table(series)))
        return
    checkpoint = open_model(model, adapter, prefer or "")
    require_settled(checkpoint, stable_for)
    if isinstance(checkpoint, Adapter):
        if as_json:
            emit_json(adapter_document(checkpoint))
        else:
            typer.echo("\n".join(adapter_table(checkpoint)))
        return
    matrices, skipped = list(checkpoint.matrices()), checkpoint.skipped
    if as_json:
        emit_json(_document(checkpoint, matrices, skipped))
    else:
        typer.echo("\n".join(_table(checkpoint, matrices, skipped)))


def _document(checkpoint: Checkpoint, matrices: list[WeightMatrix], skipped: tuple[Skipped, ...]) -> dict[str, Json]:
    """One checkpoint as data."""
    rows: list[Json] = [
        {
            "tensor": printable(matrix.name, NAME),
            "shape": list(matrix.shape),
            "dtype": matrix.dtype,
            "layer": matrix.layer,
            "expert": matrix.expert,
            "block": matrix.role.block,
            "slot": matrix.role.slot,
            "tower": matrix.role.tower,
        }
        for matrix in matrices
    ]
    left_out: list[Json] = [
        {"tensor": printable(item.tensor, NAME), "reason": printable(item.reason)} for item in skipped
    ]
    return {
        "schema_version": "1.0",
        "kind": "inspection",
        "family": checkpoint.family,
        "structure": checkpoint.structure,
        "parameters": checkpoint.parameters,
        "stored_bytes": checkpoint.stored_bytes,
        "tensors": len(checkpoint.entries),
        "towers": {name: dict(counts) for name, counts in _towers(matrices).items()},
        "unknown": [printable(matrix.name, NAME) for matrix in matrices if matrix.role.block == "unknown"],
        "matrices": rows,
        "skipped": left_out,
        "notes": [printable(note, 1000) for note in checkpoint.notes],
    }


def _table(checkpoint: Checkpoint, matrices: list[WeightMatrix], skipped: tuple[Skipped, ...]) -> list[str]:
    """One checkpoint as lines."""
    seen, stored = len(checkpoint.entries), _size(checkpoint.stored_bytes)
    lines = [
        f"{checkpoint.family}: {len(matrices)} matrices, {checkpoint.parameters:,} parameters",
        f"seen: {seen} tensors, {stored}; left out: {len(skipped)}",
    ]
    for tower, counts in _towers(matrices).items():
        unknown = f", {counts['unknown']} of unknown role" if counts["unknown"] else ""
        lines.append(f"tower {tower}: {counts['matrices']} matrices, {counts['parameters']:,} parameters{unknown}")
    for reason, count in sorted(Counter(item.reason for item in skipped).items()):
        lines.append(f"left out: {count} ({printable(reason)})")
    lines.extend(f"note: {printable(note, 1000)}" for note in checkpoint.notes)
    for matrix in sorted(matrices, key=lambda matrix: _counted(matrix.name)):
        role, layer = matrix.role, "-" if matrix.layer is None else matrix.layer
        size = f"{matrix.shape[0]}×{matrix.shape[1]}"
        expert = "" if matrix.expert is None else f" expert {matrix.expert}"
        lines.append(
            f"{printable(matrix.name):60} {size:>14} {matrix.dtype:7} {role.block:12} {role.slot:10} {layer}{expert}"
        )
    return lines


def _counted(name: str) -> tuple[tuple[int, int, str], ...]:
    """Order of names in which layer 2 comes before layer 10; no number is made of digits that may be thousands."""
    parts = re.split("([0-9]+)", name)
    return tuple((1, len(part.lstrip("0")), part) if part.isdecimal() else (0, 0, part) for part in parts)


def _towers(matrices: list[WeightMatrix]) -> dict[str, dict[str, int]]:
    """Matrices, parameters and unknown roles of each tower."""
    found: dict[str, dict[str, int]] = {}
    for matrix in matrices:
        counts = found.setdefault(matrix.role.tower, {"matrices": 0, "parameters": 0, "unknown": 0})
        counts["matrices"] += 1
        counts["parameters"] += matrix.parameters
        counts["unknown"] += matrix.role.block == "unknown"
    return found


def _size(count: int) -> str:
    """Bytes for a person, in powers of 1,000."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {UNITS[unit]}"


def _series_document(series: Series) -> dict[str, Json]:
    """A series as data."""
    return {
        "schema_version": "1.0",
        "kind": "series",
        "steps": [
            {
                "step": each.step,
                "folder": printable(each.checkpoint.path.name),
                "family": each.checkpoint.family,
                "structure": each.checkpoint.structure,
                "tensors": len(each.checkpoint.entries),
                "notes": [printable(note, 1000) for note in each.checkpoint.notes],
            }
            for each in series.steps
        ],
        "skipped": [{"folder": printable(item.tensor), "reason": printable(item.reason)} for item in series.skipped],
        "notes": [printable(note) for note in series.notes],
    }


def _series_table(series: Series) -> list[str]:
    """A series as lines."""
    first = series.steps[0].checkpoint
    lines = [f"{first.family}: {len(series.steps)} checkpoints, {len(first.entries)} tensors in each"]
    lines.extend(f"step {each.step:>9}  {printable(each.checkpoint.path.name)}" for each in series.steps)
    lines.extend(f"left out: {printable(item.tensor)} ({printable(item.reason)})" for item in series.skipped)
    lines.extend(f"note: {printable(note)}" for note in series.notes)
    return lines
