"""The verb `scan`: the footprint of a model, alone or against its base.

Here live: its arguments and its document.
Not here: its table (`scan_table`), the computation (`footprint`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shadowgraph.artifact import refuse_file
from shadowgraph.cli.output import emit_json, measuring
from shadowgraph.cli.preferred import Preferred
from shadowgraph.cli.scan_table import table
from shadowgraph.errors import SpecError, printable

if TYPE_CHECKING:
    from shadowgraph.footprint.table import Footprint
    from shadowgraph.spectra.plan import Precision


def scan_command(
    model: Annotated[Path, typer.Argument(help="A model or adapter: a folder or one file.")],
    base: Annotated[Path | None, typer.Option(help="The base the model was tuned from.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for footprint.parquet and spectra.parquet; a killed scan goes on there.")
    ] = None,
    adapter: Annotated[str | None, typer.Option(help="Which adapter to read, where MODEL holds several.")] = None,
    objects: Annotated[str, typer.Option(help="Which of O1, O2, O3 to read, with commas.")] = "O1,O2,O3",
    nulls: Annotated[
        str, typer.Option(help="Nulls, with commas: gaussian, permuted, rowcol, floor, change; or none.")
    ] = "gaussian",
    geometry: Annotated[bool, typer.Option("--geometry", help="Compare leading vectors with the base's.")] = False,
    heads: Annotated[bool, typer.Option("--heads", help="Read the products of attention heads too.")] = False,
    moments: Annotated[
        Path | None, typer.Option(help="Second moments of the inputs by tensor name, a .safetensors file.")
    ] = None,
    precision: Annotated[str, typer.Option(help="Of the decompositions: auto, float64 or float32.")] = "auto",
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes; the numbers do not depend on it.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the simulated nulls.")] = 0,
    prefer: Annotated[Preferred | None, typer.Option(help="Which format to read where a folder holds several.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder where simulated nulls are kept for other scans.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write all rows to this CSV file as well.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write all rows as JSON.")] = False,
) -> None:
    """Measure every matrix of a model, or update of an adapter, each number beside its same-shape null.

    Examples:
      shadowgraph scan ./tuned --base ./base

      shadowgraph scan ./tuned --base ./base --objects O3 --output ./footprint --jobs 4

      shadowgraph scan ./adapter
    """
    from shadowgraph.footprint.export import write_csv
    from shadowgraph.footprint.scan import scan
    from shadowgraph.weights.adapters.opened import open_model
    from shadowgraph.weights.checkpoint import open_checkpoint

    _require_apart(output)
    with measuring() as progress:
        footprint = scan(
            open_model(model, adapter, prefer or ""),
            None if base is None else open_checkpoint(base, prefer or ""),
            objects=_listed(objects),
            nulls=() if nulls == "none" else _listed(nulls),
            geometry=geometry,
            heads=heads,
            seed=seed,
            jobs=jobs,
            precision=_precision(precision),
            folder=output,
            moments=moments,
            cache=cache,
            progress=progress,
        )
    if csv is not None:
        write_csv(footprint, csv)
    if output is not None:
        footprint.write(output)
    emit_json(_document(footprint)) if as_json else typer.echo("\n".join(table(footprint)))


def _require_apart(output: Path | None) -> None:
    """A footprint lies in a folder of its own: beside weights it would be taken for theirs when they have changed."""
    from shadowgraph.weights.adapters.opened import holds_model

    refuse_file(output)
    if output is not None and holds_model(output):
        raise SpecError("the folder holds a model", where=f"--output {output}", hint="give a folder of its own")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _precision(text: str) -> Precision:
    known: tuple[Precision, ...] = ("auto", "float64", "float32")
    for precision in known:
        if text == precision:
            return precision
    raise SpecError(f"unknown precision {printable(text)}", hint=f"choose from {', '.join(known)}")


def _document(footprint: Footprint) -> dict[str, object]:
    """The whole footprint as data."""
    from shadowgraph.footprint.distribution import as_json, distribution
    from shadowgraph.footprint.endpoint import endpoint
    from shadowgraph.footprint.table import SCHEMA_VERSION
    from shadowgraph.footprint.variants import variants

    updates = footprint.has_updates
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "footprint",
        "family": footprint.family,
        "parents": dict(footprint.parents),
        "coverage": footprint.coverage,
        "skipped": list(footprint.skipped),
        "notes": list(footprint.notes),
        "endpoint": endpoint(footprint).as_dict() if updates else None,
        "variants": {key: {"value": r.value, "status": r.status} for key, r in variants(footprint).items()}
        if updates
        else None,
        "distribution": as_json(distribution(footprint)) if updates else None,
        "rows": list(footprint.rows),
    }
