"""The jobs of a survey and their order: cut large files, count parts, put the parts together.

Here live: the jobs, the start and the end of a survey. Not here: what is counted (`measures`) and said (`result`).

A job is a run of files, or a part of a large one, of at least the plan's grain. Which jobs there are depends on the
data alone; how many run side by side changes nothing in the result.
"""

from __future__ import annotations

import platform
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from shadowgraph.artifact import Ledger, exclusive, read_json, read_object, write_json
from shadowgraph.corpus.benchmark import Benchmark
from shadowgraph.corpus.contamination import ItemIndex, index_items
from shadowgraph.corpus.readers.files import read_span
from shadowgraph.corpus.readers.span import WHOLE, Span, cut_file
from shadowgraph.corpus.survey.measures import Counted, Measures
from shadowgraph.corpus.survey.plan import Layout, Order, Plan, claim_survey, freeze
from shadowgraph.corpus.survey.result import conclude, write_findings
from shadowgraph.errors import Defect, EnvironmentFault
from shadowgraph.identity import Json, versions
from shadowgraph.work.account import Display
from shadowgraph.work.executor import execute
from shadowgraph.work.job import Job, Progress

ROLES = ("corpus", "base")
BYTES_A_SECOND = 40e6  # of text on one core; only for the share of progress
UNPACKED = {".gz": 3.5, ".zst": 4.0, ".parquet": 2.5}  # typical growth; only for the share of progress
VERSIONS = ("numpy", "numba", "orjson", "zstandard", "pyarrow")


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of one file."""

    path: str
    span: Span

    def expected(self) -> float:
        """Bytes of text it may hold."""
        size = Path(self.path).stat().st_size
        if self.span.stop is not None and not self.path.endswith(".parquet"):
            return float(self.span.stop - self.span.start)
        return size * UNPACKED.get(Path(self.path).suffix, 1.0)


def survey(
    order: Order, root: Path | None = None, *, jobs: int = 1, overwrite: bool = False, display: Display | None = None
) -> dict[str, Any]:
    """Measure a corpus, or go on where it stopped.

    Args:
        order: what to read and what to hold it against.
        root: folder of the survey; without one nothing is kept.
        jobs: processes, one thread each; 1 works in this process. The result does not depend on it.
        overwrite: delete another survey found in the folder.
        display: told the progress.

    Returns:
        The result, as in `result.json`.

    Raises:
        SpecError: for a wrong order, or a folder that holds something else.
        DataError: for a wrong file or row; names file, row and key.
        EnvironmentFault: for a lost worker, a full disk or a missing extra; the same call goes on.
    """
    plan = freeze(order)
    if root is None:
        with tempfile.TemporaryDirectory(prefix="shadowgraph-") as folder:
            return _run(plan, claim_survey(plan, Path(folder) / "survey"), jobs, display)
    layout = claim_survey(plan, root, overwrite=overwrite)
    if layout.complete.exists():
        return read_object(layout.result)
    return _run(plan, layout, jobs, display)


def _run(plan: Plan, layout: Layout, workers: int, display: Display | None) -> dict[str, Any]:
    """Do what is left of a survey."""
    began = time.monotonic()
    ledger = Ledger(layout.ledger)
    with exclusive(layout.lock):
        ledger.append({"event": "start", "plan": plan.frozen["plan_hash"], "workers": workers})
        benchmarks, _ = context(str(layout.plan), plan.frozen["plan_hash"])  # a wrong benchmark is said at once
        cuts = cut_jobs(plan, layout)
        execute(cuts, workers=min(workers, max(1, len(cuts))), display=display)
        parts = {role: part_jobs(plan, layout, role) for role in ROLES}
        base = _base(plan, layout, parts["base"], workers, display)
        corpus = _gather(layout, plan.frozen["plan_hash"], parts["corpus"], workers, display)
        if not isinstance(corpus, Measures):
            raise Defect("the corpus was counted as a base")
        result, findings = conclude(plan, corpus, base, benchmarks)
        write_findings(layout.findings, findings)
        write_json(layout.result, result)
        spent = round(time.monotonic() - began, 1)
        ledger.append({"event": "end", "plan": plan.frozen["plan_hash"], "seconds": spent})
        write_json(
            layout.manifest,
            {"schema_version": "1.0", "kind": "corpus run", "plan_hash": plan.frozen["plan_hash"],
             "host": platform.node(), "system": platform.platform(), "python": platform.python_version(),
             "versions": versions(*VERSIONS), "jobs": sum(map(len, parts.values())),
             "seconds": [row["seconds"] for row in ledger.rows() if "seconds" in row]},
        )  # fmt: skip
    return read_object(layout.result)


def finish(layout: Layout) -> None:
    """Write the mark that the survey is complete; its parts are no longer needed."""
    write_json(layout.complete, {"plan_hash": read_object(layout.plan)["plan_hash"]})
    layout.base.unlink(missing_ok=True)
    for folder in ("parts", "cuts"):
        shutil.rmtree(layout.root / folder, ignore_errors=True)


def cut_jobs(plan: Plan, layout: Layout) -> list[Job]:
    """One job for each file that may be cut; the others are read whole."""
    found: list[Job] = []
    for role in ROLES:
        for number, path in enumerate(plan.files(role)):
            if path.stat().st_size > plan.grain and path.name.lower().endswith((".jsonl", ".parquet")):
                mark = layout.cut(role, number)
                arguments: dict[str, Json] = {"path": str(path), "grain": plan.grain, "mark": str(mark)}
                cost = 0.1 + path.stat().st_size / 3e9
                found.append(
                    Job(f"cut {path.name} ({role} {number})", f"{__name__}:cut_job", arguments, mark, (), cost)
                )
    return found


def cut_job(arguments: Mapping[str, Any], progress: Progress) -> None:
    """Cut one file and write its spans."""
    write_json(
        Path(arguments["mark"]), [asdict(span) for span in cut_file(Path(arguments["path"]), arguments["grain"])]
    )
    progress(1.0)


def _base(plan: Plan, layout: Layout, jobs: Sequence[Job], workers: int, display: Display | None) -> Counted | None:
    """The counts of the base, kept in one file: the jobs of the corpus need its held-out documents."""
    if not jobs:
        return None
    base = Counted()
    if not layout.base.exists() or not base.read(layout.base):
        base = _gather(layout, plan.frozen["plan_hash"], jobs, workers, display)
        base.write(layout.base)
    return base


def part_jobs(plan: Plan, layout: Layout, role: str) -> list[Job]:
    """The jobs of one role, after the files are cut."""
    found: list[Job] = []
    for number, pieces in enumerate(_groups(plan, layout, role)):
        mark = layout.part(role, number)
        arguments: dict[str, Json] = {
            "plan": str(layout.plan), "hash": plan.frozen["plan_hash"], "role": role, "mark": str(mark),
            "pieces": [{"path": piece.path, **asdict(piece.span)} for piece in pieces],
        }  # fmt: skip
        cost = 1.0 + sum(piece.expected() for piece in pieces) / BYTES_A_SECOND
        found.append(Job(f"{role} part {number + 1}", f"{__name__}:part_job", arguments, mark, (), cost))
    return found


def _groups(plan: Plan, layout: Layout, role: str) -> list[list[Piece]]:
    """Pieces of files, small ones together until they reach the grain."""
    groups: list[list[Piece]] = []
    held = plan.grain
    for number, path in enumerate(plan.files(role)):
        cut = layout.cut(role, number)
        rows: Any = read_json(cut) if cut.exists() else [asdict(WHOLE)]
        for row in rows:
            piece = Piece(str(path), Span(**row))
            if held >= plan.grain:
                groups.append([])
                held = 0
            groups[-1].append(piece)
            held += int(piece.expected())
    return groups


def part_job(arguments: Mapping[str, Any], progress: Progress) -> None:
    """Count one part and keep what was counted."""
    plan = Path(arguments["plan"])
    columns = Plan(read_object(plan)).columns
    measures = _fresh(Layout(plan.parent), arguments["hash"], arguments["role"])
    pieces = [Piece(row["path"], Span(row["start"], row["stop"], row["before"])) for row in arguments["pieces"]]
    total = sum(piece.expected() for piece in pieces) + 1.0
    done = 0.0
    for piece in pieces:
        text = 0
        for batch in read_span(Path(piece.path), piece.span, columns):
            measures.update(batch)
            text += len(batch.buffer)
            progress(min(0.99, (done + min(text, piece.expected())) / total))
        done += piece.expected()
    measures.write(Path(arguments["mark"]))


def _fresh(layout: Layout, plan_hash: str, role: str) -> Counted:
    """Measures of a role, nothing counted yet; those of the corpus look for items and for the base's anchors."""
    if role == "base":
        return Counted()
    base = Counted()
    if layout.base.exists() and not base.read(layout.base):
        raise EnvironmentFault("the counts of the base are damaged", where=str(layout.base), hint="delete that file")
    packing = Plan(read_object(layout.plan)).packing
    return Measures.fresh(context(str(layout.plan), plan_hash)[1], base.anchors, packing)


@lru_cache(maxsize=1)
def context(plan: str, plan_hash: str) -> tuple[tuple[Benchmark, ...], ItemIndex | None]:
    """The benchmarks of a plan and the index of their items, read once a process.

    Args:
        plan: the file of the plan.
        plan_hash: its hash, so that another plan in the same place is another key.

    Returns:
        The benchmarks, and the index; None without any benchmark.

    Raises:
        EnvironmentFault: when another plan stands there now.
    """
    held = Plan(read_object(Path(plan)))
    if held.frozen.get("plan_hash") != plan_hash:
        raise EnvironmentFault("the plan was replaced while a survey ran", where=plan, hint="run the command again")
    benchmarks = tuple(each.read() for each in held.wanted())
    return benchmarks, index_items(benchmarks) if benchmarks else None


def _gather(layout: Layout, plan_hash: str, jobs: Sequence[Job], workers: int, display: Display | None) -> Counted:
    """Run the jobs of one role and merge their parts in order; a part that is not whole is counted again, once."""
    role = str(jobs[0].arguments["role"])
    broken: list[Path] = []
    for _ in range(2):
        execute(jobs, workers=min(workers, len(jobs)), display=display)
        gathered = _fresh(layout, plan_hash, role)
        broken.clear()
        for job in jobs:
            part = _fresh(layout, plan_hash, role)
            if part.read(job.mark):
                gathered.merge(part)
            else:
                broken.append(job.mark)
        if not broken:
            return gathered
        for path in broken:
            path.unlink(missing_ok=True)
    raise EnvironmentFault("a part was damaged twice", where=str(broken[0]), hint="check the disk")
