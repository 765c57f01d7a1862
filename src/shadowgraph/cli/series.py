"""The verb `series`: the path of a training run over its checkpoints.

Here live: its arguments and its table.
Not here: the trajectory (`footprint.trajectory`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shadowgraph.artifact import refuse_file
from shadowgraph.cli.output import emit_json, measuring
from shadowgraph.errors import printable
from shadowgraph.measures.spectrum import Reading

if TYPE_CHECKING:
    from shadowgraph.footprint.trajectory import Trajectory


def series_command(
    run: Annotated[Path, typer.Argument(help="A folder of checkpoint-N folders, of models or of adapters.")],
    base: Annotated[
        Path | None, typer.Option(help="What the run began from; else its first checkpoint, for adapters none.")
    ] = None,
    adapter: Annotated[str | None, typer.Option(help="Which adapter to read, where folders hold several.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for series.parquet, series.json and a footprint a step.")
    ] = None,
    stable_for: Annotated[
        float, typer.Option(min=0, help="Leave out what was written in the last so many seconds.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the simulated nulls.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes; the numbers do not depend on it.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Write the series as JSON.")] = False,
) -> None:
    """Read K, its companions and the drift of the spectrum at every checkpoint of a run.

    Examples:
      shadowgraph series ./training-run --base ./base

      shadowgraph series ./training-run --base ./base --output ./series --json
    """
    from shadowgraph.footprint.trajectory import trajectory
    from shadowgraph.weights.checkpoint import open_checkpoint
    from shadowgraph.weights.series import open_series

    refuse_file(output)
    series = open_series(run, stable_for=stable_for, adapter=adapter)
    before = None if base is None else open_checkpoint(base)
    with measuring() as progress:
        found = trajectory(series, before, seed=seed, jobs=jobs, folder=output, progress=progress)
    if output is not None:
        found.write(output)
    if as_json:
        emit_json(found.as_dict())
    else:
        typer.echo("\n".join(_table(found)))


def _table(found: Trajectory) -> list[str]:
    """One line a step."""
    slots = list(dict.fromkeys(slot for moment in found.moments for slot in moment.ratios))
    heads = ("step", "K", "K_emb", "log norm", "drift", *(f"PR {slot}" for slot in slots))
    lines = [" ".join(f"{head:>11}" for head in heads)]
    for moment in found.moments:
        readings = [moment.K, moment.K_emb, moment.log_norm, moment.drift]
        readings.extend(moment.ratios.get(slot, Reading(None, "absent")) for slot in slots)
        lines.append(" ".join([f"{moment.step:>11}", *(f"{_text(reading):>11}" for reading in readings)]))
    lines.extend(f"left out: {printable(item.tensor)} ({item.reason})" for item in found.skipped)
    lines.extend(f"note: {note}" for note in found.notes)
    lines.append("K, K_emb, log norm: nats; drift: of the singular values, relative; PR: directions an update moves in")
    lines.append("levels of K mean nothing alone; compare steps of matched runs")
    return lines


def _text(reading: Reading) -> str:
    return reading.status if reading.value is None else f"{reading.value:.4g}"
