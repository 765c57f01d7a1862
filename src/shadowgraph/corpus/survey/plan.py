"""What a survey reads and looks for, frozen and hashed before the first job.

Here live: the order, the plan, the folder and its files. Not here: measures and jobs.

A plan names every file by size and by a digest of its ends, so that a folder is resumed only on the same data; digests
of whole files would cost another pass. Paths are kept in the plan and never enter the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from shadowgraph.artifact import claim
from shadowgraph.corpus.adapters import ADAPTERS, Adapter
from shadowgraph.corpus.benchmark import Benchmark, read_benchmark
from shadowgraph.corpus.document import Columns
from shadowgraph.corpus.kernels.constants import VERSION
from shadowgraph.corpus.packed import Packed, Packing
from shadowgraph.corpus.readers.files import find_files
from shadowgraph.errors import SpecError
from shadowgraph.identity import file_identity, fingerprint

FINEST = 64 << 20  # bytes of a job at least
MOST_JOBS = 256
PROGRAM = 2  # raised when a change of the code changes what a part holds


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
        packing: how the corpus would be shown to a model; None: mixing is not measured.
    """

    files: Sequence[Path]
    benchmarks: Sequence[Wanted] = ()
    base: Sequence[Path] = ()
    columns: Columns = field(default_factory=Columns)
    name: str = ""
    packing: Packing | None = None


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

    @property
    def packing(self) -> Packing | None:
        """The declared packing."""
        held = self.frozen.get("packing")
        return None if held is None else Packing(**held)

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
        SpecError: for an unknown adapter, two benchmarks of one name, or a packing into nothing.
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
    if order.packing is not None:
        Packed(order.packing)  # refuses sizes of nothing
        frozen["packing"] = asdict(order.packing)
    return Plan({**frozen, "plan_hash": Plan(frozen).hash})


def _identity(path: Path) -> dict[str, Any]:
    """A file by place, name, size and the digest of its two ends."""
    found = file_identity(path)
    return {**found, "path": str(path.resolve()), "ends": found["ends"][:16]}


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


def claim_survey(plan: Plan, root: Path, *, overwrite: bool = False) -> Layout:
    """Make a folder the folder of this plan, or find that it is already.

    Raises:
        SpecError: the folder holds another plan, or files that are no survey of ours.
    """
    claim(root, plan.frozen, Layout.OWN, key="plan_hash", kind="survey", overwrite=overwrite)
    return Layout(root)
