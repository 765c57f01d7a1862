"""The verbs of a corpus: measure, build, report.

Here live: their arguments and what they print.
Not here: measuring and building (`corpus`) and the page (`report`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shadowgraph.cli.output import duration, emit_json, progress_display
from shadowgraph.errors import DataError, SpecError, printable

if TYPE_CHECKING:
    from shadowgraph.corpus.packed import Packing
    from shadowgraph.corpus.survey.plan import Plan, Wanted

corpus_app = typer.Typer(
    help="What a corpus is, and token-matched regimes from it.", no_args_is_help=True, rich_markup_mode=None
)

SHEET = {
    "tokens": "tokens",
    "documents": "documents",
    "document_length": "tokens a document",
    "unique_token_share": "unique",
    "unigram_entropy": "entropy",
    "kl_to_pool": "KL to pool",
    "kl_to_base": "KL to base",
    "images": "images",
    "effective_clusters": "clusters",
}

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@corpus_app.command("measure")
def measure_command(
    files: Annotated[list[Path], typer.Argument(help="Files or folders: .jsonl (.gz, .zst), .parquet, .arrow.")],
    benchmark: Annotated[
        list[str] | None, typer.Option(help="NAME=PATH or NAME:ADAPTER=PATH; again for more files or benchmarks.")
    ] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option(help="Keys of a benchmark without an adapter: NAME=prompt:KEY,answer:KEY[,choices:KEY,...]."),
    ] = None,
    base: Annotated[list[Path] | None, typer.Option(help="What the base model read before: the reference.")] = None,
    text_key: Annotated[str, typer.Option(help="Key or column of the text.")] = "text",
    id_key: Annotated[str | None, typer.Option(help="Key of the id; default: id, else file and row.")] = None,
    source_key: Annotated[str | None, typer.Option(help="Key of the source; default: source, else the file.")] = None,
    messages_key: Annotated[str | None, typer.Option(help="Key of chat turns, read instead of a text.")] = None,
    skip_empty: Annotated[bool, typer.Option(help="Pass over rows whose text is blank.")] = False,
    batch: Annotated[int, typer.Option(min=0, help="Sequences of a training batch: measures mixing.")] = 0,
    sequence_length: Annotated[int, typer.Option(min=1, help="Words of a sequence, with --batch.")] = 1024,
    order: Annotated[str, typer.Option(help="Documents in training: files (as they stand) or shuffled.")] = "files",
    name: Annotated[str, typer.Option(help="Name of the corpus on the page.")] = "",
    output: Annotated[Path | None, typer.Option(help="Folder for the result and the page; resumes in it.")] = None,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes, one thread each.")] = 1,
    overwrite: Annotated[bool, typer.Option(help="Delete another survey found in the folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be read, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure a corpus against benchmarks: nearness, shared items, format, in one pass that can be interrupted.

    Examples:
      shadowgraph corpus measure data/*.jsonl.gz --benchmark gsm8k=gsm8k/ --output out/corpus

      shadowgraph corpus measure pool.parquet --benchmark arc_challenge:arc=arc.jsonl --base base.jsonl.zst --json
    """
    from shadowgraph.corpus.document import Columns
    from shadowgraph.corpus.survey.jobs import survey
    from shadowgraph.corpus.survey.plan import Order, freeze

    columns = Columns(text=text_key, id=id_key, source=source_key, messages=messages_key, skip_empty=skip_empty)
    packing = packing_of(batch, sequence_length, order)
    asked = Order(files, benchmarks_of(benchmark or [], keys or []), base or [], columns, name, packing)
    if dry_run:
        _describe(freeze(asked), as_json)
        return
    with progress_display() as display:
        result = survey(asked, output, jobs=jobs, overwrite=overwrite, display=display)
    page = None if output is None else _finish(output, result)
    if as_json:
        emit_json(result)
        return
    _tell(result, page)


def packing_of(batch: int, length: int, order: str) -> Packing | None:
    """The packing a command line declares; None without a batch.

    Raises:
        SpecError: for an unknown order.
    """
    from shadowgraph.corpus.packed import ORDERS, Packing

    found = dict(zip(map(str, ORDERS), ORDERS, strict=True)).get(order)
    if found is None:
        raise SpecError(f"unknown order {printable(order)}", where="--order", hint=f"choose from {', '.join(ORDERS)}")
    return Packing(length, batch, found) if batch else None


def benchmarks_of(given: list[str], keys: list[str]) -> list[Wanted]:
    """The benchmarks a command line names; several files under one name are one benchmark.

    Raises:
        SpecError: for an option that is not of the form it should have.
    """
    from shadowgraph.corpus.survey.plan import Wanted

    mappings: dict[str, dict[str, str]] = {}
    for text in keys:
        name, _, pairs = text.partition("=")
        split = [pair.partition(":") for pair in pairs.split(",")]
        if not name or not all(role and mark and key for role, mark, key in split):
            raise SpecError(f"found {text!r}", where="--keys", hint="write NAME=prompt:KEY,answer:KEY")
        mappings[name] = {role: key for role, _, key in split}
    files: dict[tuple[str, str], list[Path]] = {}
    for text in given:
        label, mark, path = text.partition("=")
        name, _, adapter = label.partition(":")
        if not name or not mark or not path:
            raise SpecError(f"found {text!r}", where="--benchmark", hint="write NAME=PATH or NAME:ADAPTER=PATH")
        files.setdefault((name, adapter), []).append(Path(path))
    lost = sorted(set(mappings) - {name for name, _ in files})
    if lost:
        raise SpecError(f"no benchmark named {lost[0]!r}", where="--keys", hint="give its files with --benchmark")
    return [Wanted(name, tuple(paths), adapter, mappings.get(name)) for (name, adapter), paths in files.items()]


def _describe(plan: Plan, as_json: bool) -> None:
    """What a survey would read."""
    from shadowgraph.corpus.survey.jobs import BYTES_A_SECOND, UNPACKED

    sizes = {role: plan.bytes(role) for role in ("corpus", "base")}
    paths = [*plan.files("corpus"), *plan.files("base")]
    text = sum(path.stat().st_size * UNPACKED.get(path.suffix, 1.0) for path in paths)
    items = {each.name: len(each.read().items) for each in plan.wanted()}
    seconds = round(text / BYTES_A_SECOND)
    if as_json:
        emit_json(
            {"schema_version": "1.0", "kind": "corpus plan", "plan_hash": plan.frozen["plan_hash"], "bytes": sizes,
             "files": {role: len(plan.files(role)) for role in sizes}, "items": items, "core_seconds": seconds}
        )  # fmt: skip
        return
    typer.echo(f"plan {plan.frozen['plan_hash']}: nothing was measured")
    for role, size in sizes.items():
        typer.echo(f"{role}: {len(plan.files(role))} files, {size / 1e6:,.1f} MB on disk")
    for benchmark, count in items.items():
        typer.echo(f"benchmark {benchmark}: {count:,} items")
    typer.echo(f"about {duration(seconds)} on one core")


def _finish(folder: Path, result: dict[str, Any]) -> Path:
    """Write the page and the mark of completeness."""
    from shadowgraph.artifact import write_bytes
    from shadowgraph.corpus.survey.jobs import finish
    from shadowgraph.corpus.survey.plan import Layout
    from shadowgraph.report.corpus import render_corpus

    layout = Layout(folder)
    if not layout.complete.exists():
        write_bytes(layout.report, render_corpus(result).encode())
        finish(layout)
    return layout.report


def _tell(result: dict[str, Any], page: Path | None) -> None:
    """The result as text."""
    from shadowgraph.report.corpus_text import corpus_table

    typer.echo(corpus_table(result))
    if page is not None:
        typer.echo(f"report: {page.resolve()}")


@corpus_app.command("build")
def build_command(
    spec: Annotated[Path, typer.Argument(help="A corpus file (TOML).")],
    output: Annotated[Path, typer.Option(help="Folder of the arms; the same command resumes in it.")] = Path("corpus"),
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes, one thread each.")] = 1,
    overwrite: Annotated[bool, typer.Option(help="Delete another build found in the folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and plan, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build token-matched arms from one pool, or go on where it stopped.

    Examples:
      shadowgraph corpus build my-corpus.toml --output out/arms --jobs 2

      shadowgraph corpus build my-corpus.toml --dry-run
    """
    from shadowgraph.corpus.build import build_regimes

    with progress_display() as display:
        built = build_regimes(
            spec, output, workers=jobs, dry_run=dry_run, overwrite=overwrite, display=None if dry_run else display
        )
    if as_json:
        emit_json(built.answer or {"schema_version": "1.0", "kind": "corpus build plan", **built.plan.frozen()})
        return
    arms = ", ".join(arm.name for arm in built.plan.spec.arms)
    typer.echo(f"{built.plan.spec.corpus.name}: arms {arms}; {built.plan.spec.corpus.draws} draws")
    if not built.answer:
        typer.echo("nothing was built")
        return
    typer.echo("\n".join(_balance(built.answer)))
    typer.echo(f"arms: {output.resolve()}")


def _balance(answer: Mapping[str, Any]) -> list[str]:
    """The balance sheet as lines: an arm and draw a line, then what came of the calipers and of the test items."""
    known = answer["arms"][0]["balance"]
    columns = {key: title for key, title in SHEET.items() if key in known}
    columns |= {key: printable(key, 24) for key in known if "/" in key}
    lines = [f"{'arm':20} {'draw':>4}" + "".join(f"  {title:>9}" for title in columns.values())]
    for row in answer["arms"]:
        cells = (f"  {_figure(row['balance'][key]):>{max(9, len(title))}}" for key, title in columns.items())
        lines.append(f"{printable(row['arm']):20} {row['draw']:>4}" + "".join(cells))
    lines.append(
        "content/ and format/: mean log ratio a word against the pool, in the benchmark's words and in its form"
    )
    pool = answer["pool"]
    lines.append(
        f"pool: {pool['documents']:,} documents, {pool['tokens']:,} tokens; left out: {pool['left_out']:,} held out to "
        f"judge coverage or holding a test item, {pool['copies']:,} copies"
    )
    for item in answer["test_items"]:
        found = f"{item['items_touched']:,} of {item['items']:,} test items found in {item['documents']:,} documents"
        more = f"shorter passages of {item['items_passage']:,} others in {item['documents_passage']:,}"
        lines.append(f"{printable(item['benchmark'])}: {found}, {more}; no arm holds any of these documents")
    lines += [_not_near(row) for row in answer["nearness"] if not row["clear"]]
    if answer["match"] is not None:
        failed = answer["match"]["failures"]
        lines.append(f"calipers: {'met by every arm' if not failed else f'{len(failed)} arms not matched, see --json'}")
    return lines


def _not_near(row: Mapping[str, Any]) -> str:
    """An arm that aims at nearness and does not lie clearly nearer than the random arm."""
    apart = f"{row['gain']:+.2f} standard deviations of the pool from {printable(row['against'])}"
    return (
        f"{printable(row['arm'])} is not clearly nearer to {printable(row['benchmark'])} than random documents are: "
        f"{apart}, {row['least']:.2f} would be clear; change {', '.join(row['change'])}"
    )


def _figure(value: float) -> str:
    """A whole number with its thousands set apart, else four digits."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


@corpus_app.command("report")
def report_command(
    folder: Annotated[Path, typer.Argument(help="The output folder of a measured corpus.")], as_json: AsJson = False
) -> None:
    """Make the page of a measured corpus anew from its result, and print the table.

    Examples:
      shadowgraph corpus report out/corpus

      shadowgraph corpus report out/corpus --json
    """
    from shadowgraph.artifact import read_object, write_bytes
    from shadowgraph.corpus.survey.plan import Layout
    from shadowgraph.report.corpus import render_corpus

    layout = Layout(folder)
    if not layout.result.exists():
        raise SpecError("no result.json here yet", where=str(folder), hint="run corpus measure to its end first")
    result = read_object(layout.result)
    if result.get("kind") != "corpus":
        raise DataError("no result of a corpus", where=str(layout.result))
    write_bytes(layout.report, render_corpus(result).encode())
    if as_json:
        emit_json(result)
        return
    _tell(result, layout.report)
