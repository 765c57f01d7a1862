"""The verb `score`: a model on tasks, in their own dress or in many.

Here live: its arguments and what they name.
Not here: scoring (`scores`), its table (`report`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shadowgraph.cli.corpus import benchmarks_of
from shadowgraph.cli.output import emit_json, measuring
from shadowgraph.errors import SpecError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shadowgraph.scores.endpoint import Endpoint
    from shadowgraph.scores.exam import Exam
    from shadowgraph.scores.question import Question


def score_command(
    model: Annotated[Path | None, typer.Argument(help="Folder of a model with its tokenizer.")] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="FILE or NAME=FILE (.jsonl, .parquet) with prompt and answer; repeatable.")
    ] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option(help="NAME=PATH or NAME:ADAPTER=PATH of a known benchmark; repeatable.")
    ] = None,
    keys: Annotated[
        list[str] | None, typer.Option(help="Other keys of a file: NAME=prompt:KEY,answer:KEY[,choices:KEY,...].")
    ] = None,
    lm_eval: Annotated[
        list[str] | None, typer.Option("--lm-eval", help="A task lm-eval knows, with its data here; repeatable.")
    ] = None,
    include: Annotated[Path | None, typer.Option(help="Folder of your own lm-eval task files.")] = None,
    suite: Annotated[Path | None, typer.Option(help="A written suite, asked as it is.")] = None,
    drawn: Annotated[
        int | None, typer.Option(min=1, help="Questions about drawn pictures, for a model of images and text.")
    ] = None,
    panel: Annotated[bool, typer.Option("--panel", help="Ask every task in every dress.")] = False,
    rules: Annotated[str, typer.Option(help="Ask every task in these dresses, with commas.")] = "",
    endpoint: Annotated[str, typer.Option(help="Address of a server instead of MODEL, commonly ending in /v1.")] = "",
    name: Annotated[str, typer.Option("--model", help="The model's name at the endpoint.")] = "",
    key_from: Annotated[str, typer.Option(help="Environment variable that holds the endpoint's API key.")] = "",
    prefix: Annotated[str, typer.Option(help="Text an endpoint is given where a context is empty.")] = "",
    items: Annotated[int | None, typer.Option(min=1, help="Questions of a task at most.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draw of questions and of every dress.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Requests at once; may change the last digits.")] = 16,
    threads: Annotated[int, typer.Option(min=1, help="Threads used.")] = 1,
    output: Annotated[Path | None, typer.Option(help="Folder of the suite, scores and result; resumes in it.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Delete another sitting found in the folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked, and ask nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Score a model on your own tasks, on benchmarks, and on the same questions in unfamiliar dress.

    Examples:
      shadowgraph score ./tuned --task questions.jsonl --panel --output ./scores

      shadowgraph score --endpoint http://localhost:8000/v1 --model tuned --benchmark svamp=svamp.jsonl --panel
    """
    from shadowgraph.scores.exam import Exam, rules_of
    from shadowgraph.scores.sitting import sit

    chosen = rules_of(panel, [rule.strip() for rule in rules.split(",") if rule.strip()])
    subject = _subject(model, _engine(endpoint, name, key_from, prefix, batch=batch), dry_run)
    files = _files(task or [], keys or [])
    tasks = _tasks(files, benchmark or [], keys or [])
    names = tuple(lm_eval or ())
    if names and (len(chosen) > 1 or endpoint or items is not None or dry_run):
        tasks, names = _with_tasks_of(tasks, names, include), ()
    exam = Exam(tasks, chosen, items, seed, suite, names, include, drawn, files)
    if subject is None:
        _describe(exam, as_json)
        return
    with measuring() as progress:
        result = sit(exam, subject, output, batch=batch, threads=threads, overwrite=overwrite, progress=progress)
    _tell(result, output, as_json)


def _tell(result: Mapping[str, Any], output: Path | None, as_json: bool) -> None:
    """The result, for a program or for a reader."""
    from shadowgraph.report.scores_text import scores_table

    if as_json:
        emit_json(result)
        return
    typer.echo(scores_table(result), nl=False)
    if output is not None:
        typer.echo(f"scores: {(output / 'scores.parquet').resolve()}")


def _engine(address: str, name: str, key_from: str, prefix: str, *, batch: int) -> Endpoint | None:
    """The endpoint the options name, None without an address."""
    if not address:
        if given := next((flag for flag, value in (("--model", name), ("--key-from", key_from)) if value), None):
            raise SpecError("belongs to an endpoint, and none is given", where=given, hint="give --endpoint")
        return None
    from shadowgraph.scores.endpoint import Endpoint
    from shadowgraph.scores.server import Server

    if not name:
        raise SpecError("an endpoint needs the model's name there", where="--endpoint", hint="give --model NAME")
    return Endpoint(Server(address, key_from=key_from), name, batch=batch, prefix=prefix)


def _subject(model: Path | None, engine: Endpoint | None, dry_run: bool) -> Path | Endpoint | None:
    """The one model there is; none in a dry run."""
    if model is not None and engine is not None:
        raise SpecError("a folder and an endpoint are two models", where=str(model), hint="give one of them")
    if model is None and engine is None and not dry_run:
        raise SpecError("no model", where="score", hint="give the folder of a model, or --endpoint and --model")
    return None if dry_run else engine or model


def _files(files: Sequence[str], keys: Sequence[str]) -> dict[str, Path]:
    """The file of every task, by name; one file under two names is refused unless it is read by other keys."""
    named: dict[str, Path] = {}
    seen: dict[tuple[Path, str], str] = {}
    for text in files:
        name, mark, path = text.partition("=") if not Path(text).exists() else ("", "=", text)
        if not mark:
            name, path = "", text
        name = name or Path(path).name.split(".")[0]
        if name in named:
            raise SpecError(f"two tasks are called {printable(name)!r}", where="--task", hint="write NAME=FILE")
        read = Path(path).resolve(), ";".join(text.partition("=")[2] for text in keys if text.partition("=")[0] == name)
        if read in seen:
            found = f"the tasks {printable(seen[read])!r} and {printable(name)!r} are the same file"
            raise SpecError(found, where="--task", hint="give it once")
        named[name], seen[read] = Path(path), name
    return named


def _tasks(named: Mapping[str, Path], benchmarks: Sequence[str], keys: Sequence[str]) -> dict[str, Sequence[Question]]:
    """The questions of every task and benchmark, by name; of a benchmark those that are not its train split."""
    from shadowgraph.corpus.readers.files import find_files
    from shadowgraph.scores.question import questions_of
    from shadowgraph.scores.tasks import read_task

    own = {name: _mapping(text) for text in keys if (name := text.partition("=")[0]) in named}
    found: dict[str, Sequence[Question]] = {
        name: read_task(path, name=name, mapping=own.get(name)) for name, path in named.items()
    }
    for wanted in benchmarks_of(list(benchmarks), [text for text in keys if text.partition("=")[0] not in named]):
        if wanted.name in found:
            raise SpecError(f"two tasks are called {printable(wanted.name)!r}", where="--benchmark", hint="rename one")
        opened = replace(wanted, files=tuple(find_files(wanted.files))).read()
        held_out = tuple(item for item in opened.items if item.split != "train")
        found[wanted.name] = questions_of(replace(opened, items=held_out or opened.items))
    return found


def _mapping(text: str) -> dict[str, str]:
    """NAME=prompt:KEY,answer:KEY as our names and theirs."""
    split = [pair.partition(":") for pair in text.partition("=")[2].split(",")]
    if not all(ours and mark and theirs for ours, mark, theirs in split):
        raise SpecError(f"found {printable(text)!r}", where="--keys", hint="write NAME=prompt:KEY,answer:KEY")
    return {ours: theirs for ours, _, theirs in split}


def _with_tasks_of(
    tasks: dict[str, Sequence[Question]], names: Sequence[str], include: Path | None
) -> dict[str, Sequence[Question]]:
    """The tasks with those of lm-eval beside them, read as questions."""
    from shadowgraph.scores.score import ready

    ready()
    from shadowgraph.scores.adapters.lm_eval_task import task_questions

    found = dict(tasks)
    for name in names:
        for task, questions in task_questions(name, include).items():
            if task in found:
                raise SpecError(f"two tasks are called {printable(task)!r}", where="--lm-eval", hint="rename one")
            found[task] = questions
    return found


def _describe(exam: Exam, as_json: bool) -> None:
    """What would be asked."""
    from shadowgraph.scores.exam import rows_of
    from shadowgraph.scores.row import kind_of

    rows = rows_of(exam.splits)
    kinds = {split: kind_of(each[0]) for split, each in rows.items()}
    if as_json:
        splits = [
            {"split": part.split, "task": part.task, "form": part.form, "distance": part.distance,
             "kind": kinds.get(part.split, ""), "items": len(part.rows), "declined": dict(part.declined)}
            for part in exam.splits
        ]  # fmt: skip
        emit_json({"schema_version": "1.0", "kind": "scores plan", **exam.plan, "splits": splits})
        return
    for part in exam.splits:
        declined = "".join(f"; {items:,} declined, {printable(why)}" for why, items in part.declined.items())
        kind = f" ({kinds[part.split]})" if part.rows else ""
        typer.echo(f"{part.split}: {len(part.rows):,} items{kind}{declined}")
    requests = sum(len(row.get("continuations", ("reply", "answer"))) for each in rows.values() for row in each)
    typer.echo(f"about {requests:,} requests; nothing was asked")
