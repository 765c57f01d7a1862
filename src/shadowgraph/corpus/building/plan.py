"""What a build will do, frozen before it does anything, and where it keeps its files.

Here live: the plan, its identity, the paths of the output folder. Not here: the jobs.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

from shadowgraph.artifact import read_object
from shadowgraph.corpus.adapters import ADAPTERS
from shadowgraph.corpus.benchmark import Benchmark, read_benchmark
from shadowgraph.corpus.document import Columns
from shadowgraph.corpus.readers.files import find_files
from shadowgraph.errors import DataError, printable
from shadowgraph.identity import file_identity, fingerprint
from shadowgraph.spec.corpus import BenchmarkTable, ColumnsTable, CorpusArm, CorpusSpec

PROGRAM = 3  # raised when a change of the code changes what is built


@dataclass(frozen=True, slots=True)
class Place:
    """The paths of one output folder."""

    root: Path

    OWN: ClassVar[tuple[str, ...]] = (".lock", "plan.json", "work", "arms", "built.json")

    @property
    def plan(self) -> Path:
        """The frozen plan."""
        return self.root / "plan.json"

    @property
    def work(self) -> Path:
        """What only the build itself needs; it can be deleted afterwards."""
        return self.root / "work"

    @property
    def survey(self) -> Path:
        """Counts of the pool and what is taken out of it."""
        return self.work / "survey"

    def part(self, number: int) -> Path:
        """One file of the pool, tokenised and measured."""
        return self.work / f"part-{number:05d}"

    @property
    def pool(self) -> Path:
        """The pool in its own order."""
        return self.work / "pool"

    def arm(self, name: str, draw: int) -> Path:
        """One arm in one draw."""
        return self.root / "arms" / f"{name}-{draw}"

    @property
    def built(self) -> Path:
        """What was built; written last."""
        return self.root / "built.json"


def columns_of(table: ColumnsTable) -> Columns:
    """The table of columns in the words of the readers."""
    return Columns(**table.model_dump())


def tokenizer_file(path: Path) -> Path:
    """The file of a tokenizer that may be named by its folder.

    Raises:
        DataError: when there is none.
    """
    found = path / "tokenizer.json" if path.is_dir() else path
    if not found.is_file():
        raise DataError("no such tokenizer", where=str(path), hint="give a tokenizer.json or its folder")
    return found


class _Reading(AbstractContextManager["_Reading"]):
    """Turns the bare `Exception` that the tokenizers library raises for a wrong file, and no other, into ours."""

    def __init__(self, path: Path) -> None:
        """Remember the file."""
        self.path = path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Name the file."""
        if kind is Exception:
            found = f"no tokenizer could be read from it ({printable(str(error), 100)})"
            raise DataError(found, where=str(self.path), hint="give a tokenizer.json or its folder") from error


def open_tokenizer(path: Path) -> Any:
    """The tokenizer of a file or folder.

    Raises:
        DataError: when there is none, or the file holds something else; names it.
    """
    import tokenizers

    found = tokenizer_file(path)
    with _Reading(found):
        return tokenizers.Tokenizer.from_file(str(found))


def read_wanted(table: BenchmarkTable, folder: Path) -> Benchmark:
    """A benchmark of the specification, under the name it has there."""
    adapter = table.adapter or (table.name if table.name in ADAPTERS else table.name.replace("-", "_"))
    files = find_files([folder / name for name in table.files])
    return Benchmark(table.name, read_benchmark(adapter, files, mapping=table.mapping).items)


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What a build will do.

    Attributes:
        spec: the specification.
        folder: the folder its paths are relative to.
        files: files of the pool, in order.
        identity: hash of specification, files and program.
    """

    spec: CorpusSpec
    folder: Path
    files: tuple[Path, ...]
    identity: str

    def __repr__(self) -> str:
        """One line: name, files, arms, draws, tokens."""
        name, tokens = self.spec.corpus.name, self.spec.budget.tokens
        arms = f"{len(self.spec.arms)} arms x {self.spec.corpus.draws} draws"
        return f"BuildPlan({name}: {len(self.files)} files, {arms} of {tokens} tokens)"

    @property
    def arms(self) -> dict[str, CorpusArm]:
        """Arms by name."""
        return {arm.name: arm for arm in self.spec.arms}

    def images(self, file: Path) -> Path:
        """What the paths of images in a file of the pool are relative to."""
        named = self.spec.pool.images
        return file.parent if named is None else self.folder / named

    def frozen(self) -> dict[str, Any]:
        """The plan as it is written down."""
        return {
            "identity": self.identity,
            "spec": self.spec.model_dump(mode="json", exclude_unset=True),
            "folder": str(self.folder),
            "files": [str(path) for path in self.files],
        }


def make_plan(spec: CorpusSpec, folder: Path) -> BuildPlan:
    """Find the files and give the build its identity.

    Args:
        spec: the specification.
        folder: the folder its paths are relative to.

    Raises:
        DataError: when a file or the tokenizer is missing, or the tokenizer cannot be read.
    """
    files = tuple(find_files([folder / name for name in spec.pool.files]))
    other = [folder / name for table in spec.benchmarks for name in table.files]
    other += [folder / name for name in (spec.base.files if spec.base is not None else ())]
    tokenizer = tokenizer_file(folder / spec.tokens.tokenizer)
    open_tokenizer(tokenizer)
    held = {
        "program": PROGRAM,
        "spec": spec.model_dump(mode="json", exclude_unset=True),
        "files": [file_identity(path) for path in files],
        "other": [file_identity(path) for path in find_files(other)] if other else [],
        "tokenizer": file_identity(tokenizer),
    }
    return BuildPlan(spec, folder, files, fingerprint(held))


def read_plan(root: Path) -> BuildPlan:
    """The frozen plan of an output folder."""
    held = read_object(Place(root).plan)
    spec = CorpusSpec.model_validate(held["spec"])
    return BuildPlan(spec, Path(held["folder"]), tuple(Path(name) for name in held["files"]), held["identity"])
