"""The verb `scan`: the footprint of a model, alone or against its base.

Here live: its arguments and its table.
Not here: the computation (`footprint`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from shadowgraph.cli.output import emit_json
from shadowgraph.errors import SpecError
from shadowgraph.identity import Json


def scan_command(
    model: Annotated[Path, typer.Argument(help="A model folder or one .safetensors file.")],
    base: Annotated[Path | None, typer.Option(help="The base the model was tuned from.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for footprint.parquet and spectra.parquet.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated nulls.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Write all rows as JSON.")] = False,
) -> None:
    """Measure every matrix of a model, each number beside its same-shape null.

    Examples:
      shadowgraph scan ./tuned --base ./base

      shadowgraph scan ./tuned --base ./base --output ./footprint --json
    """
    from shadowgraph.footprint.endpoint import endpoint
    from shadowgraph.footprint.scan import scan
    from shadowgraph.weights.checkpoint import open_checkpoint

    if output is not None and output.exists() and not output.is_dir():
        raise SpecError("is a file, not a folder", where=str(output), hint="choose another --output")
    before = None if base is None else open_checkpoint(base)
    console = Console(stderr=True)
    with console.status("measuring", speed=0.5) as status:
        footprint = scan(
            open_checkpoint(model), before, seed=seed, progress=lambda done: status.update(f"measuring {done:4.0%}")
        )
    if output is not None:
        footprint.write(output)
    read = None if base is None else endpoint(footprint)
    if as_json:
        emit_json(
            {
                "schema_version": "1.0",
                "kind": "footprint",
                "family": footprint.family,
                "parents": dict(footprint.parents),
                "coverage": footprint.coverage,
                "skipped": list(footprint.skipped),
                "notes": list(footprint.notes),
                "endpoint": None if read is None else read.as_dict(),
                "rows": list(footprint.rows),
            }
        )
        return
    shown = "O1" if base is None else "O3"
    typer.echo(f"{footprint.family}: {footprint.coverage.matrices} matrices; object {shown}; each beside its null")
    typer.echo(f"{'tensor':56} {'participation ratio':>22} {'energy rank':>20} {'top-1 energy':>18}")
    for tensor in dict.fromkeys(row.tensor for row in footprint.rows):
        cells = {row.measure: row for row in footprint.rows if row.tensor == tensor and row.object == shown}
        keys = ("participation_ratio", "erank_energy", "energy_top1")
        text = [_cell(cells[key].value, cells[key].null_mean, cells[key].status) for key in keys]
        typer.echo(f"{tensor:56} {text[0]:>22} {text[1]:>20} {text[2]:>18}")
    for item in footprint.skipped:
        typer.echo(f"left out: {item.tensor} ({item.reason})")
    for note in footprint.notes:
        typer.echo(f"note: {note}")
    if read is not None:
        values: dict[str, Json] = dict(read.as_dict())
        text = [f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}" for key, value in values.items()]
        typer.echo("; ".join(text) + " (levels mean nothing alone; compare with matched runs)")


def _cell(value: float | None, null: float | None, status: str) -> str:
    """A value and its null, or the reason why there is none."""
    if value is None:
        return status
    return f"{value:.3g} / {null:.3g}" if null is not None else f"{value:.3g}"
