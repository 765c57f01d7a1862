"""The verb `inspect`: what lies in a checkpoint, from headers only.

Here live: its arguments and its table.
Not here: reading (`weights`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from shadowgraph.cli.output import emit_json
from shadowgraph.errors import printable
from shadowgraph.identity import Json


def inspect_command(
    model: Annotated[Path, typer.Argument(help="A model folder or one .safetensors file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the matrices of a checkpoint: names, shapes, types, roles; no weight is read.

    Examples:
      shadowgraph inspect ./my-model

      shadowgraph inspect ./my-model --json
    """
    from shadowgraph.weights.checkpoint import open_checkpoint

    checkpoint = open_checkpoint(model)
    matrices = list(checkpoint.matrices())
    skipped = checkpoint.skipped
    if as_json:
        rows: list[Json] = [
            {
                "tensor": printable(matrix.name),
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
            {"tensor": printable(item.tensor), "reason": printable(item.reason)} for item in skipped
        ]
        emit_json(
            {
                "schema_version": "1.0",
                "kind": "inspection",
                "family": checkpoint.family,
                "parameters": checkpoint.parameters,
                "matrices": rows,
                "skipped": left_out,
                "notes": [printable(note) for note in checkpoint.notes],
            }
        )
        return
    typer.echo(f"{checkpoint.family}: {len(matrices)} matrices, {checkpoint.parameters:,} parameters")
    for matrix in matrices:
        role, layer = matrix.role, "-" if matrix.layer is None else matrix.layer
        size = f"{matrix.shape[0]}×{matrix.shape[1]}"
        typer.echo(f"{printable(matrix.name):60} {size:>14} {matrix.dtype:5} {role.block:12} {role.slot:10} {layer}")
    for reason, count in sorted(Counter(item.reason for item in skipped).items()):
        typer.echo(f"left out: {count} ({printable(reason)})")
    for note in checkpoint.notes:
        typer.echo(f"note: {printable(note)}")
