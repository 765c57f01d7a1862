"""The verbs of a study: plan, balance, run, exec, records, status, report, counterparts.

Here live: their arguments and what they print.
Not here: the study (`study`) and the page (`report`).
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from shadowgraph.cli.output import duration, emit_json, progress_display
from shadowgraph.errors import SpecError

study_app = typer.Typer(help="The controlled experiment.", no_args_is_help=True, rich_markup_mode=None)

Spec = Annotated[Path, typer.Argument(help="A study file (TOML).")]
Folder = Annotated[Path, typer.Argument(help="The output folder of a study.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Workers = Annotated[int | None, typer.Option(min=1, max=256, help="Processes, one thread each; default: one a core.")]
Cache = Annotated[Path | None, typer.Option(help="Folder of trained bases, shared between studies.")]


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@study_app.command("plan")
def plan_command(
    spec: Spec,
    output: Annotated[Path | None, typer.Option(help="Write the plan into this folder, for `study exec`.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Delete another study found in the folder.")] = False,
    as_json: AsJson = False,
) -> None:
    """Freeze and hash a study, and say what it costs and what it can show; nothing runs.

    Examples:
      shadowgraph study plan recipes/first-light.toml

      shadowgraph study plan recipes/first-light.toml --json

      shadowgraph study plan my.toml --output out/mine
    """
    from shadowgraph.study.plan import claim_folder, describe, freeze
    from shadowgraph.study.prospect import core_speed, cost_of, hours_of, prospects

    plan = freeze(spec)
    if output is not None:
        claim_folder(plan, output, overwrite=overwrite)
    if as_json:
        hours = asdict(hours_of(plan.spec, core_speed(), plan.parameters))
        cost = {"cost": asdict(cost_of(plan.spec, plan.parameters)), "core_hours": hours}
        tests = {"smallest_p": plan.smallest_p, "tests": [asdict(test) for test in prospects(plan.spec)]}
        emit_json({"plan_hash": plan.hash, **tests, **cost, **plan.frozen()})
        return
    for line in describe(plan):
        typer.echo(line)


@study_app.command("balance")
def balance_command(
    spec: Spec,
    output: Annotated[Path, typer.Option(help="Folder of the study; `study run` goes on in it.")],
    workers: Workers = None,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Run a study up to the proof that its runs are matched, and show how far their data differ; no arm is trained.

    Shows the balance sheet of every arm, the calipers it meets or misses, and the matched sets of a label.

    Examples:
      shadowgraph study balance my.toml --output out/mine

      shadowgraph study balance my.toml --output out/mine --workers 4 --json
    """
    from shadowgraph.report.balance_text import balance_text
    from shadowgraph.study.execute import balance_study
    from shadowgraph.study.layout import Layout
    from shadowgraph.study.plan import claim_folder, freeze

    plan = freeze(spec)
    claim_folder(plan, output)
    layout = Layout(output)
    with progress_display() as display:
        sheet = balance_study(plan, layout, workers=workers or _cores(), cache=cache, display=display)
    if as_json:
        emit_json({"schema_version": "1.0", "kind": "balance", "plan_hash": plan.hash, **sheet})
        return
    typer.echo(balance_text(sheet))
    typer.echo(f"proof of matching: {layout.matched.resolve()}")


@study_app.command("run")
def run_command(
    spec: Spec,
    output: Annotated[Path, typer.Option(help="Folder of the study; the same command resumes in it.")],
    workers: Workers = None,
    cache: Cache = None,
    records: Annotated[
        Path | None, typer.Option(help="Folder of records of this plan; only runs without one are trained.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Delete another study found in the folder.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a study, or go on where it stopped: documents, runs, scores, analysis, page.

    Examples:
      shadowgraph study run recipes/first-light.toml --output out/first-light

      shadowgraph study run my.toml --output out/mine --workers 4

      shadowgraph study run my.toml --output out/again --records records/mine
    """
    from shadowgraph.artifact import write_bytes
    from shadowgraph.report.report import render_study
    from shadowgraph.report.text import study_table
    from shadowgraph.study.execute import execute_study, finish
    from shadowgraph.study.layout import Layout
    from shadowgraph.study.plan import claim_folder, describe, freeze
    from shadowgraph.study.record import require_folder
    from shadowgraph.study.seal import require_untouched

    if records is not None:
        require_folder(records)
    plan = freeze(spec, records)
    if records is not None:
        _tell_records(plan, output, records, cached=cache is not None)
    claim_folder(plan, output, overwrite=overwrite)
    layout = Layout(output)
    require_untouched(layout)
    if not layout.complete.exists():
        for line in describe(plan):
            typer.echo(line, err=True)
        with progress_display() as display:
            spent = execute_study(
                plan, layout, workers=workers or _cores(), cache=cache, display=display, records=records
            )
        write_bytes(layout.report, render_study(_result(layout)).encode())
        finish(plan, layout)
        typer.echo(f"done in {duration(spent)} of this start", err=True)
    if as_json:
        emit_json(_result(layout))
        return
    typer.echo(study_table(_result(layout)))
    typer.echo(f"report: {layout.report.resolve()}")


def _tell_records(plan: Any, output: Path, records: Path, *, cached: bool) -> None:
    """Say what records leave to do, or refuse them while nothing of the output folder is touched."""
    from shadowgraph.study.taking import taking_of

    if plan.absent is not None:
        typer.echo(f"the data are not here; their digests are taken from {records}: {plan.absent}", err=True)
    taking = taking_of(plan, output, records, cached=cached)
    if taking.line:
        typer.echo(taking.line, err=True)
    if taking.absent is not None:
        raise taking.absent


@study_app.command("exec")
def exec_command(
    folder: Folder,
    run: Annotated[str, typer.Argument(help='Name of a run such as "random-0", or "base": all that the runs share.')],
    workers: Workers = None,
    cache: Cache = None,
) -> None:
    """Train one run of a planned folder and write its record, as on one machine of several that share the folder.

    `study plan --output` makes the folder, `study exec DIR base` what the runs share, `study run` the analysis when all
    records are there.

    Examples:
      shadowgraph study exec out/mine base

      shadowgraph study exec out/mine random-0
    """
    from shadowgraph.study.execute import planned, run_one
    from shadowgraph.study.layout import Layout

    with progress_display() as display:
        run_one(planned(folder), Layout(folder), run, workers=workers or _cores(), cache=cache, display=display)
    typer.echo(f"done: {run}")


@study_app.command("records")
def records_command(
    folder: Folder,
    into: Annotated[Path, typer.Option(help="Folder that receives plan, proof and records; small files only.")],
) -> None:
    """Copy what the analysis needs of a study, so that it can be made again without training: no weights, no text.

    Examples:
      shadowgraph study records out/mine --into records/mine
    """
    from shadowgraph.study.execute import planned
    from shadowgraph.study.layout import Layout
    from shadowgraph.study.record import export_records

    count = export_records(Layout(folder), planned(folder).spec, into)
    typer.echo(f"{count} records of runs: {into.resolve()}")


def _result(layout: Any) -> dict[str, Any]:
    """The result of a study folder."""
    from shadowgraph.artifact import read_object
    from shadowgraph.errors import DataError

    result = read_object(layout.result)
    if result.get("kind") != "study":
        raise DataError("no result of a study", where=str(layout.result))
    return result


@study_app.command("status")
def status_command(folder: Folder, as_json: AsJson = False) -> None:
    """Say how far a study is.

    Examples:
      shadowgraph study status out/first-light

      shadowgraph study status out/first-light --json
    """
    from shadowgraph.study.execute import progress_of

    status = progress_of(folder)
    if as_json:
        emit_json({"schema_version": "1.0", "kind": "status", **asdict(status)})
        return
    typer.echo(f"{status.name} (plan {status.plan_hash}): {status.state}")
    for stage, (done, total) in status.stages.items():
        typer.echo(f"  {stage:10} {done} of {total}")
    for note in status.notes:
        typer.echo(f"  {note}")


@study_app.command("report")
def report_command(
    folder: Folder,
    figures: Annotated[Path | None, typer.Option(help="Folder for the figures as single SVG files.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the page of a finished study anew from its result, and print the table.

    Examples:
      shadowgraph study report out/first-light

      shadowgraph study report out/first-light --figures figures
    """
    from shadowgraph.artifact import write_bytes
    from shadowgraph.report.report import render_study, study_pictures
    from shadowgraph.report.text import study_table
    from shadowgraph.study.layout import Layout
    from shadowgraph.study.seal import require_untouched, reseal_page

    layout = Layout(folder)
    require_untouched(layout)
    if not layout.result.exists():
        raise SpecError("no result.json here yet", where=str(folder), hint="run the study to its end first")
    result = _result(layout)
    write_bytes(layout.report, render_study(result).encode())
    reseal_page(layout)
    if figures is not None:
        for key, text in study_pictures(result).items():
            write_bytes(figures / f"{key}.svg", text.encode())
    if as_json:
        emit_json(result)
        return
    typer.echo(study_table(result))
    typer.echo(f"report: {layout.report.resolve()}")


@study_app.command("counterparts")
def counterparts_command(
    folder: Folder,
    items: Annotated[
        int | None, typer.Option(min=4, max=10_000, help="Items of the benchmark; default: as the study scored.")
    ] = None,
    workers: Workers = None,
    dress: Annotated[
        list[str] | None, typer.Option(help="Dress to show; give it again for more; default: all.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Delete counterparts on another number of items.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score the models of a finished study on their benchmark's items in other dresses, or go on where that stopped.

    Writes into DIR/counterparts and changes nothing else of the study.

    Examples:
      shadowgraph study counterparts out/first-light

      shadowgraph study counterparts out/first-light --items 200 --overwrite

      shadowgraph study counterparts out/first-light --dress trained --dress near_labels
    """
    from shadowgraph.report.dress_text import dress_table
    from shadowgraph.study.counterparts import run_counterparts

    with progress_display() as display:
        result = run_counterparts(
            folder, items=items, workers=workers or _cores(), overwrite=overwrite, display=display
        )
    if as_json:
        emit_json(result)
        return
    typer.echo(dress_table(result, only=dress or ()))
