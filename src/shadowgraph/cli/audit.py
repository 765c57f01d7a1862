"""The verb `audit`: a verdict on a model against its base.

Here live: its arguments, its files, its exit code.
Not here: the verdict (`audit`) and the page (`report`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from shadowgraph.cli.output import emit_json

INCONCLUSIVE = 4


def audit_command(
    model: Annotated[Path, typer.Argument(help="The tuned model or adapter: a folder or one file.")],
    base: Annotated[
        Path | None, typer.Option(help="The base it was tuned from; an adapter is read without one too.")
    ] = None,
    adapter: Annotated[str | None, typer.Option(help="Which adapter to read, where MODEL holds several.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for result.json, report.html and tables.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated nulls.")] = 0,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 also when inconclusive.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
) -> None:
    """Say how concentrated an update is against a reference, or that it cannot be told (exit 4).

    Examples:
      shadowgraph audit ./tuned --base ./base --output ./audit

      shadowgraph audit ./tuned --base ./base --json

      shadowgraph audit ./adapter --json
    """
    from shadowgraph.artifact import refuse_file, write_bytes, write_json
    from shadowgraph.audit.verdict import audit
    from shadowgraph.report.report import render_audit

    refuse_file(output)
    console = Console(stderr=True)
    with console.status("measuring", speed=0.5) as status:
        verdict = audit(
            model, base, adapter=adapter, seed=seed, progress=lambda done: status.update(f"measuring {done:4.0%}")
        )
    result = verdict.as_result()
    if output is not None:
        verdict.footprint.write(output)
        write_json(output / "result.json", result)
        write_bytes(output / "report.html", render_audit(result).encode())
    if as_json:
        emit_json(result)
    else:
        typer.echo(verdict.sentence)
        for check in verdict.checks:
            typer.echo(f"  {check.code} {check.fate:14} {check.title}: {check.detail}")
        for limit in verdict.limits:
            typer.echo(f"  limit: {limit}")
        if output is not None:
            typer.echo(f"report: {(output / 'report.html').resolve()}")
    if verdict.label == "inconclusive" and not exit_zero:
        raise typer.Exit(INCONCLUSIVE)
