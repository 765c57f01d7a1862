"""What a survey reads and looks for, frozen and hashed before the first job.

Here live: the order, the plan, the folder and its files. Not here: measures and jobs.

A plan names every file by size and by a digest of its ends, so that a folder is resumed only on the same data; digests
of whole files would cost another pass. Paths are kept in the plan and never enter the result.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from shadowgraph.artifact import read_object, write_json
from shadowgraph.corpus.adapters import ADAPTERS, Adapter
from shadowgraph.corpus.benchmark import Benchmark, read_benchmark
from shadowgraph.corpus.document import Columns
from shadowgraph.corpus.kernels.constants import VERSION
from shadowgraph.corpus.readers.files import find_files
from shadowgraph.errors import EnvironmentFault, SpecError
from shadowgraph.identity import fingerprint

END = 1 << 16  # bytes of each end of a file that its digest covers
FINEST = 64 << 20  # bytes of a job at least
MOST_JOBS = 256
PROGRAM = 1  # raised when a change of the code changes what a part holds


@dataclass(frozen=True, slots=True)
class Wanted:
    """One benchmark to hold the corpus against: its files, its adapter, or the names of its keys."""

    name: str
    files: tuple[Path, ...]
    adapter: str = ""
    mapping: Mapping[str, str] | None = None

    def read(self) -> Benchmark:
        """The benchmark, under the name it was asked for by.

        Raises:
            DataError: for a wrong file or row; names it.
        """
        found = read_benchmark(self.adapter or self.name, self.files, mapping=self.mapping)
        return Benchmark(self.name, found.items)


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asks for.

    Attributes:
        files: files and folders of the corpus.
        benchmarks: what it is held against.
        base: files of what the base model read before; the reference of every ratio. Empty: the corpus itself.
        columns: names of keys.
        name: the name of the corpus on the page.
    """

    files: Sequence[Path]
    benchmarks: Sequence[Wanted] = ()
    base: Sequence[Path] = ()
    columns: Columns = field(default_factory=Columns)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A frozen order: plain values only, hashed without the paths' folders."""

    frozen: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """Digest of all that can change the result."""
        shorn = {key: value for key, value in self.frozen.items() if key != "plan_hash"}
        for role in ("corpus", "base"):
            shorn[role] = [{**item, "path": ""} for item in shorn[role]]
        shorn["benchmarks"] = [
            {**each, "files": [{**item, "path": ""} for item in each["files"]]} for each in shorn["benchmarks"]
        ]
        return fingerprint(shorn)

    @property
    def columns(self) -> Columns:
        """Names of keys."""
        return Columns(**self.frozen["columns"])

    def files(self, role: str) -> list[Path]:
        """Files of the "corpus" or of the "base"."""
        return [Path(item["path"]) for item in self.frozen[role]]

    def bytes(self, role: str) -> int:
        """Their size on disk."""
        return sum(item["bytes"] for item in self.frozen[role])

    def wanted(self) -> list[Wanted]:
        """The benchmarks."""
        return [
            Wanted(each["name"], tuple(Path(item["path"]) for item in each["files"]), each["adapter"], each["mapping"])
            for each in self.frozen["benchmarks"]
        ]

    @property
    def grain(self) -> int:
        """Bytes of a job: fixed by the data, so that no number of workers changes what is merged with what."""
        return max(FINEST, -(-(self.bytes("corpus") + self.bytes("base")) // MOST_JOBS))


def freeze(order: Order) -> Plan:
    """Check an order and freeze it; every file must exist, every benchmark have an adapter or a mapping.

    Raises:
        SpecError: for an unknown adapter or two benchmarks of one name.
        DataError: for a missing file.
        EnvironmentFault: for a file that cannot be opened.
    """
    names = [each.name for each in order.benchmarks]
    if len(set(names)) < len(names):
        raise SpecError("two benchmarks share a name", where="--benchmark", hint="give all its files one name")
    for each in order.benchmarks:
        if each.mapping is not None:
            Adapter.of_mapping(each.mapping)
        elif (each.adapter or each.name) not in ADAPTERS:
            hint = f"write NAME:ADAPTER=PATH with one of {', '.join(sorted(ADAPTERS))}, or give its keys with --keys"
            raise SpecError(f"no adapter named {each.adapter or each.name!r}", where="--benchmark", hint=hint)
    corpus = find_files(order.files)
    frozen: dict[str, Any] = {
        "schema_version": "1.0",
        "kind": "corpus plan",
        "program": PROGRAM,
        "hashing": VERSION,
        "name": order.name,
        "corpus": [_identity(path) for path in corpus],
        "base": [_identity(path) for path in find_files(order.base)],
        "columns": asdict(order.columns),
        "benchmarks": [
            {"name": each.name, "adapter": each.adapter or each.name,
             "files": [_identity(path) for path in find_files(each.files)],
             "mapping": None if each.mapping is None else dict(each.mapping)}
            for each in order.benchmarks
        ],
    }  # fmt: skip
    return Plan({**frozen, "plan_hash": Plan(frozen).hash})


def _identity(path: Path) -> dict[str, Any]:
    """A file by name, size and the digest of its two ends."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            ends = hashlib.sha256(stream.read(END))
            stream.seek(max(0, size - END))
            ends.update(stream.read(END))
    except OSError as error:
        raise EnvironmentFault(f"cannot be read ({error.strerror})", where=str(path)) from error
    return {"path": str(path.resolve()), "name": path.name, "bytes": size, "ends": ends.hexdigest()[:16]}


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one survey folder."""

    root: Path

    OWN: ClassVar[tuple[str, ...]] = (
        ".lock", "plan.json", "run.json", "ledger.jsonl", "cuts", "parts", "base.npz", "findings.parquet",
        "result.json", "report.html", "_COMPLETE",
    )  # fmt: skip

    @property
    def plan(self) -> Path:
        """The frozen plan."""
        return self.root / "plan.json"

    @property
    def lock(self) -> Path:
        """The file whose lock keeps a second process out."""
        return self.root / ".lock"

    @property
    def manifest(self) -> Path:
        """Durations, host and versions: everything that must not enter the result."""
        return self.root / "run.json"

    @property
    def ledger(self) -> Path:
        """The append-only account of starts and ends."""
        return self.root / "ledger.jsonl"

    @property
    def findings(self) -> Path:
        """Every document that touches an item, one row each."""
        return self.root / "findings.parquet"

    @property
    def result(self) -> Path:
        """What was measured."""
        return self.root / "result.json"

    @property
    def report(self) -> Path:
        """The page."""
        return self.root / "report.html"

    @property
    def complete(self) -> Path:
        """Written last."""
        return self.root / "_COMPLETE"

    @property
    def base(self) -> Path:
        """What was counted of the base."""
        return self.root / "base.npz"

    def cut(self, role: str, number: int) -> Path:
        """The spans of one large file."""
        return self.root / "cuts" / f"{role}-{number:05d}.json"

    def part(self, role: str, number: int) -> Path:
        """What one job counted."""
        return self.root / "parts" / f"{role}-{number:05d}.npz"

    def clear(self) -> None:
        """Delete our own files and folders, and nothing else."""
        for name in self.OWN:
            path = self.root / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def claim(plan: Plan, root: Path, *, overwrite: bool = False) -> Layout:
    """Make a folder the folder of this plan, or find that it is already.

    Raises:
        SpecError: the folder holds another plan, or files that are no survey of ours.
    """
    if root.exists() and not root.is_dir():
        raise SpecError("is a file, not a folder", where=str(root), hint="choose another --output")
    layout = Layout(root)
    if layout.plan.exists():
        held = read_object(layout.plan).get("plan_hash")
        if held == plan.frozen["plan_hash"]:
            return layout
        if not overwrite:
            raise SpecError(
                f"the folder belongs to the plan {held}, and this is the plan {plan.frozen['plan_hash']}",
                where=str(root),
                hint="choose another --output, or pass --overwrite to delete what is there",
            )
        layout.clear()
    elif root.exists() and any(root.iterdir()):
        raise SpecError("the folder is not empty and holds no survey", where=str(root), hint="choose another --output")
    write_json(layout.plan, plan.frozen)
    return layout
